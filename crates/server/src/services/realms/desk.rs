//! Where keys are hashed: on few threads, in fair turns.

use std::num::NonZero;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use identity::RealmId;
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::turns::{Standing, Turns};
use crate::http::peer::AddressBlock;

/// How long a job may wait and run (rtcd: 10 s).
const PATIENCE: Duration = Duration::from_secs(10);
/// Half of the cores at most, since media threads want theirs; more than this is never needed.
const MOST_WORKERS: usize = 4;

type Job = Box<dyn FnOnce() + Send>;

/// Runs jobs that take tens of milliseconds of processor time. A job whose asker is gone is not run.
pub(super) struct Desk {
    state: Mutex<State>,
    most: usize,
}

struct State {
    turns: Turns<Job>,
    workers: usize,
}

/// Nobody came to it: too much waits, or what was before it took too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Overloaded;

impl std::fmt::Debug for Desk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Desk")
    }
}

impl Desk {
    pub(super) fn new() -> Arc<Self> {
        let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
        let state = Mutex::new(State { turns: Turns::new(), workers: 0 });
        Arc::new(Self { state, most: (cores / 2).clamp(1, MOST_WORKERS) })
    }

    /// Runs a job of this client when it is its turn.
    pub(super) async fn run<T: Send + 'static>(
        self: &Arc<Self>,
        standing: Standing,
        from: AddressBlock,
        realm: &RealmId,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Overloaded> {
        let (answer, answered) = oneshot::channel();
        let job = Box::new(move || {
            if !answer.is_closed() {
                let _ = answer.send(work());
            }
        });
        self.take_in(standing, from, realm, job)?;
        match timeout(PATIENCE, answered).await {
            Ok(Ok(done)) => Ok(done),
            Ok(Err(_)) | Err(_) => Err(Overloaded),
        }
    }

    fn take_in(
        self: &Arc<Self>,
        standing: Standing,
        from: AddressBlock,
        realm: &RealmId,
        job: Job,
    ) -> Result<(), Overloaded> {
        let mut state = self.lock();
        if !state.turns.push(standing, from, realm, job) {
            return Err(Overloaded);
        }
        if state.workers < self.most {
            state.workers += 1;
            let desk = Arc::clone(self);
            // It ends by itself when nothing waits.
            tokio::task::spawn_blocking(move || desk.work());
        }
        Ok(())
    }

    fn work(&self) {
        loop {
            let mut state = self.lock();
            let Some((realm, job)) = state.turns.next() else {
                // Under the same lock, so that who comes next sees that nobody works any more.
                state.workers = state.workers.saturating_sub(1);
                return;
            };
            drop(state);
            if catch_unwind(AssertUnwindSafe(job)).is_err() {
                tracing::error!("checking a key panicked; a defect");
            }
            self.lock().turns.done(&realm);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;
    use crate::http::peer::Peer;

    fn address(last: u8) -> AddressBlock {
        Peer::new([203, 0, 113, last].into()).block()
    }

    #[tokio::test]
    async fn a_flood_on_one_client_delays_another_by_one_job() {
        let desk = Desk::new();
        let (log, logged) = mpsc::channel();
        let (go, gate) = mpsc::channel::<()>();
        let mut flood = Vec::new();
        let mut gate = Some(gate);
        for _ in 0..20 {
            let (desk, log, gate) = (Arc::clone(&desk), log.clone(), gate.take());
            flood.push(tokio::spawn(async move {
                let work = move || {
                    if let Some(gate) = gate {
                        gate.recv().unwrap();
                    }
                    log.send("flood").unwrap();
                };
                desk.run(Standing::Prompt, address(1), &RealmId::new("a"), work).await
            }));
        }
        tokio::task::yield_now().await;
        let other = RealmId::new("b");
        let right = desk.run(Standing::Prompt, address(1), &other, move || log.send("right"));
        let (right, ()) = tokio::join!(right, async { go.send(()).unwrap() });
        right.unwrap().unwrap();
        for one in flood {
            one.await.unwrap().unwrap();
        }
        let order: Vec<_> = logged.try_iter().collect();
        let place = order.iter().position(|one| *one == "right").unwrap();
        assert!(order.len() == 21 && place <= 2, "{order:?}");
    }

    #[tokio::test]
    async fn a_job_that_panics_takes_nobody_with_it() {
        let desk = Desk::new();
        let realm = RealmId::new("a");
        let broken = desk.run(Standing::Prompt, address(1), &realm, || panic!("as a test wants it"));
        assert_eq!(broken.await.map(|(): ()| ()), Err(Overloaded));
        assert_eq!(desk.run(Standing::Prompt, address(1), &realm, || 7).await, Ok(7));
    }
}
