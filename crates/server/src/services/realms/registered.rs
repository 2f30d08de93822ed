//! Who has to be told when a client is registered no more, and which addresses come late.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use identity::RealmId;
use tokio::sync::watch;

use super::turns::Standing;
use crate::http::peer::{AddressBlock, Peer};

/// Ends when the realm is registered no more.
pub(super) type Receiver = watch::Receiver<()>;

/// Is called with every realm that is registered no more.
pub(crate) type Ended = Box<dyn Fn(&RealmId) + Send + Sync>;

/// The realms of which somebody was believed; there are no more of them than were registered.
pub(super) struct Registered {
    realms: Mutex<HashMap<RealmId, watch::Sender<()>>>,
    ended: Ended,
}

impl std::fmt::Debug for Registered {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Registered(..)")
    }
}

impl Registered {
    pub(super) fn new(ended: Ended) -> Self {
        Self { realms: Mutex::default(), ended }
    }

    pub(super) fn subscribe(&self, realm: &RealmId) -> Receiver {
        self.lock().entry(realm.clone()).or_insert_with(|| watch::channel(()).0).subscribe()
    }

    /// Ends whoever was believed; those who register anew are others.
    pub(super) fn end(&self, realm: &RealmId) {
        self.lock().remove(realm);
        (self.ended)(realm);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<RealmId, watch::Sender<()>>> {
        self.realms.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How long an address comes late after a failure too many.
const LATE: Duration = Duration::from_secs(60);
/// Addresses that are remembered; more than these come in turn like others.
const MOST_LATE: usize = 4_096;

/// Addresses whose keys are checked only when nobody else's wait.
#[derive(Debug, Default)]
pub(super) struct Late(Mutex<HashMap<AddressBlock, Instant>>);

impl Late {
    pub(super) fn add(&self, from: Peer) {
        let mut late = self.lock();
        let now = Instant::now();
        if late.len() >= MOST_LATE {
            late.retain(|_, until| *until > now);
        }
        if late.len() < MOST_LATE && late.insert(from.block(), now + LATE).is_none() {
            tracing::warn!(%from, "an address shows wrong keys too often; it is served after the others");
        }
    }

    pub(super) fn standing(&self, block: AddressBlock) -> Standing {
        let mut late = self.lock();
        match late.get(&block) {
            None => Standing::Prompt,
            Some(until) if *until > Instant::now() => Standing::Late,
            Some(_) => {
                late.remove(&block);
                Standing::Prompt
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<AddressBlock, Instant>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
