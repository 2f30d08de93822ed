//! The server from start to stop.

use std::io::Write;

use anyhow::Context;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use server::{Server, config::Checked};
use tokio::runtime::Runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::logging;

/// Exit status when a second signal cuts the stop short, as a shell reports an interrupt.
const INTERRUPTED: i32 = 130;

/// Runs the server until SIGTERM or SIGINT.
pub(crate) fn serve(config: Checked) -> anyhow::Result<()> {
    logging::start(config.log);
    raise_open_files();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("no runtime")?;
    run(runtime, async {
        let deadline = config.shutdown_deadline;
        // Before the start, so that a signal during it is not lost.
        let mut signals = Signals::new().context("no signals")?;
        let mut running = Server::start(config).await?;
        let mut out = std::io::stdout().lock();
        writeln!(out, "Open this link to sign in: {}", running.sign_in_url.expose())
            .and_then(|()| out.flush())
            .context("the link cannot be printed")?;
        drop(out);
        let ending = tokio::select! {
            () = signals.next() => Ok(()),
            () = running.failed() => Err(anyhow::anyhow!("a part of the server has failed; the log says more")),
        };
        if ending.is_ok() {
            tokio::select! {
                () = running.drain() => {}
                () = signals.next() => {}
            }
        }
        tracing::info!("stopping; a second signal cuts it short");
        tokio::select! {
            () = running.stop(deadline) => ending,
            () = signals.next() => std::process::exit(INTERRUPTED),
        }
    })
}

/// Runs the future to its end and waits for nothing else: what its threads are still at then has had its time, and ends with the process.
fn run<T>(runtime: Runtime, future: impl Future<Output = T>) -> T {
    let output = runtime.block_on(future);
    runtime.shutdown_background();
    output
}

/// Every client costs a file descriptor, and the usual soft limit of 1,024 is a few addresses' worth. The hard limit is the operator's.
fn raise_open_files() {
    let limit = getrlimit(Resource::Nofile);
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }) {
        tracing::warn!(%error, "the limit of open files stays as it is");
    }
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => (),
            _ = self.interrupt.recv() => (),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_thread_that_does_not_end_is_not_waited_for() {
        let (hold, held) = mpsc::channel::<()>();
        let (begin, begun) = mpsc::channel();
        let (end, ended) = mpsc::channel();
        let busy = move || {
            _ = begin.send(());
            held.recv()
        };
        let serving = std::thread::Builder::new().spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread().build().unwrap();
            run(runtime, async { drop(tokio::task::spawn_blocking(busy)) });
            end.send(())
        });
        begun.recv_timeout(Duration::from_secs(20)).unwrap();
        let waited = ended.recv_timeout(Duration::from_secs(20));
        drop(hold);
        waited.expect("the end waits for the thread");
        serving.unwrap().join().unwrap().unwrap();
    }
}
