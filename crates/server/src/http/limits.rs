//! How much one address or one identity may ask for, so that a flood on one delays nobody else.

use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    num::NonZeroU32,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use governor::{
    Quota, RateLimiter,
    clock::{Clock, DefaultClock},
    middleware::NoOpMiddleware,
    nanos::Nanos,
    state::{StateStore, keyed::ShrinkableKeyedStateStore},
};

use super::peer::{AddressBlock, Peer};
use crate::services::Refusal;

/// Keys that one action remembers, at about 50 bytes each. Known keys keep their own measure. When the number is reached, idle keys
/// are forgotten; if all are busy, further keys share [`SHARED`] measures, so memory stays bounded.
const MAX_KEYS: usize = 32_768;
const SHARED: u64 = 1_024;

/// Forgetting idle keys reads every key; once in this time bounds what a flood of new keys makes it cost.
const SWEEP_PAUSE: Duration = Duration::from_secs(1);

/// Bytes of an offer that count as one more.
const OFFER_WEIGHT: usize = 16 * 1_024;

/// What is limited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// An invite is redeemed: 30 a minute and address.
    Redeem,
    /// A WebSocket is opened: 240 a minute and address, enough for an office to come back after a restart.
    OpenSocket,
    /// A first message is checked: 240 a minute and address.
    Authenticate,
    /// A sign-in link is tried: 20 a minute and address.
    SignIn,
    /// A client is registered without a credential, where that is allowed: 600 a minute and address. A fleet of servers behind one address
    /// comes back at once when its registrations were lost, and rtcd lets 12 a second pass.
    Register,
    /// A client's key, the admin's, or a token is shown that is not good: 60 a minute and address, and as many for one client.
    RealmDenied,
    /// An administrative request without a valid credential: 30 a minute and address.
    AdminDenied,
    /// A console cookie is looked up: 10 a second and address, at most 300 at once.
    Cookie,
    /// An administrative request: 500 a second, at most 1,000 at once, by principal. Scripts make channels by the hundred.
    Administer,
    /// A message on a session's socket: 40 a second, at most 120 at once.
    Message,
    /// An offer is made: 4 a second and session, at most 128 at once; each [`OFFER_WEIGHT`] bytes of it are one more. A description of a
    /// full room costs the media thread as much as a second of its sound.
    Offer,
    /// A mute state is told to the whole room: 4 a second and session, at most 40 at once. In a full room one costs 100 rosters of 100.
    Mute,
    /// Something is said by a data channel: 5 a second and session, at most 20 at once.
    Say,
    /// A verto client's password is given: 10 a minute and address, unless configured otherwise.
    Issue,
    /// A login of a verto client fails: 10 a minute and address, and as many for one client, unless configured otherwise.
    ClientDenied,
    /// Something is said to a room: 50 a second and room, at most 200 at once. In a full room one costs 100 messages.
    SayInRoom,
}

impl Action {
    const ALL: [Self; 16] = [
        Self::Redeem,
        Self::OpenSocket,
        Self::Authenticate,
        Self::SignIn,
        Self::Register,
        Self::RealmDenied,
        Self::AdminDenied,
        Self::Cookie,
        Self::Administer,
        Self::Message,
        Self::Offer,
        Self::Mute,
        Self::Say,
        Self::Issue,
        Self::ClientDenied,
        Self::SayInRoom,
    ];

    fn quota(self) -> Quota {
        // How many at once, and how long until all of them may be repeated.
        let minute = Duration::from_secs(60);
        let (burst, period) = match self {
            Self::Redeem | Self::AdminDenied => (30, minute),
            Self::OpenSocket | Self::Authenticate => (240, minute),
            Self::SignIn => (20, minute),
            Self::Issue | Self::ClientDenied => (10, minute),
            Self::Register => (600, minute),
            Self::RealmDenied => (60, minute),
            Self::Administer => (1_000, Duration::from_secs(2)),
            Self::Cookie => (300, Duration::from_secs(30)),
            Self::Message => (120, Duration::from_secs(3)),
            Self::Offer => (128, Duration::from_secs(32)),
            Self::Mute => (40, Duration::from_secs(10)),
            Self::Say => (20, Duration::from_secs(4)),
            Self::SayInRoom => (200, Duration::from_secs(4)),
        };
        quota(burst, period)
    }
}

/// So many at once, and all of them again after `period`.
fn quota(burst: u32, period: Duration) -> Quota {
    let burst = NonZeroU32::new(burst).unwrap_or(NonZeroU32::MIN);
    Quota::with_period(period / burst.get())
        .map_or_else(|| Quota::per_minute(burst), |quota| quota.allow_burst(burst))
}

/// Whose measure it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Key {
    /// An IPv4 address or IPv6 /64.
    Address(AddressBlock),
    /// A session, or whatever else has a 128-bit number.
    Identity(u128),
}

impl From<Peer> for Key {
    fn from(peer: Peer) -> Self {
        Self::Address(peer.block())
    }
}

/// Rate limits by (action, address) and (action, identity).
pub struct Limits {
    actions: Vec<(Action, Rates, Measures)>,
    clock: DefaultClock,
}

type Rates = RateLimiter<Key, Measures, DefaultClock, NoOpMiddleware<<DefaultClock as Clock>::Instant>>;

fn rates(action: Action, quota: Quota, max_keys: usize, clock: &DefaultClock) -> (Action, Rates, Measures) {
    let measures = Measures::new(max_keys);
    (action, RateLimiter::new(quota, measures.clone(), clock.clone()), measures)
}

impl std::fmt::Debug for Limits {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Limits")
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self::new()
    }
}

impl Limits {
    /// Returns the limits of every [`Action`], nothing used yet.
    #[must_use]
    pub fn new() -> Self {
        Self::with_max_keys(MAX_KEYS)
    }

    fn with_max_keys(max_keys: usize) -> Self {
        let clock = DefaultClock::default();
        let rates = |action: Action| rates(action, action.quota(), max_keys, &clock);
        Self { actions: Action::ALL.into_iter().map(rates).collect(), clock }
    }

    /// Returns the same limits, but for one action: so many a minute of it, all of them at once if need be.
    #[must_use]
    pub fn per_minute(mut self, action: Action, most: u32) -> Self {
        let quota = quota(most, Duration::from_secs(60));
        self.actions.retain(|(known, ..)| *known != action);
        self.actions.push(rates(action, quota, MAX_KEYS, &self.clock));
        self
    }

    /// Counts one use; [`Refusal::Busy`] says how long to wait when there were too many.
    pub fn check(&self, action: Action, key: impl Into<Key>) -> Result<(), Refusal> {
        self.check_weight(action, NonZeroU32::MIN, key)
    }

    /// Counts an offer of so many bytes, as [`Self::check`] does.
    pub fn check_offer(&self, bytes: usize, key: impl Into<Key>) -> Result<(), Refusal> {
        let weight = u32::try_from(bytes / OFFER_WEIGHT).unwrap_or(u32::MAX);
        self.check_weight(Action::Offer, NonZeroU32::MIN.saturating_add(weight), key)
    }

    fn check_weight(&self, action: Action, weight: NonZeroU32, key: impl Into<Key>) -> Result<(), Refusal> {
        let Some((_, rates, measures)) = self.actions.iter().find(|(known, ..)| *known == action) else {
            return Ok(());
        };
        if measures.may_sweep() {
            rates.retain_recent();
        }
        match rates.check_key_n(&key.into(), weight) {
            Ok(Ok(())) => Ok(()),
            Ok(Err(full)) => Err(Refusal::Busy { retry_after: full.wait_time_from(self.clock.now()) }),
            // More than ever fits. What is so large is refused for that elsewhere.
            Err(_) => Err(Refusal::Busy { retry_after: Duration::ZERO }),
        }
    }
}

/// The measures of one action: exact for up to `max_keys` keys, shared beyond.
#[derive(Clone)]
struct Measures(Arc<Book>);

struct Book {
    kept: Mutex<Kept>,
    max_keys: usize,
    hasher: RandomState,
}

struct Kept {
    exact: HashMap<Key, Nanos>,
    shared: HashMap<u64, Nanos>,
    swept: Option<Instant>,
}

impl Measures {
    fn new(max_keys: usize) -> Self {
        let kept = Kept { exact: HashMap::new(), shared: HashMap::new(), swept: None };
        Self(Arc::new(Book { kept: Mutex::new(kept), max_keys, hasher: RandomState::new() }))
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.0.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn may_sweep(&self) -> bool {
        let mut kept = self.lock();
        let full = kept.exact.len() >= self.0.max_keys;
        let due = full && kept.swept.is_none_or(|swept| swept.elapsed() >= SWEEP_PAUSE);
        if due {
            kept.swept = Some(Instant::now());
        }
        due
    }
}

impl StateStore for Measures {
    type Key = Key;

    fn measure_and_replace<T, F, E>(&self, key: &Key, measure: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let mut kept = self.lock();
        if kept.exact.contains_key(key) || kept.exact.len() < self.0.max_keys {
            let (outcome, after) = measure(kept.exact.get(key).copied())?;
            kept.exact.insert(*key, after);
            return Ok(outcome);
        }
        let place = self.0.hasher.hash_one(key) % SHARED;
        let (outcome, after) = measure(kept.shared.get(&place).copied())?;
        kept.shared.insert(place, after);
        Ok(outcome)
    }
}

impl ShrinkableKeyedStateStore<Key> for Measures {
    fn retain_recent(&self, drop_below: Nanos) {
        let mut kept = self.lock();
        kept.exact.retain(|_, measure| *measure > drop_below);
        kept.shared.retain(|_, measure| *measure > drop_below);
    }

    fn len(&self) -> usize {
        self.lock().exact.len()
    }

    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn used_up(limits: &Limits, action: Action, key: Key) -> usize {
        (0..1_000).take_while(|_| limits.check(action, key).is_ok()).count()
    }

    fn peer(text: &str) -> Key {
        Peer::new(text.parse().unwrap()).into()
    }

    #[test]
    fn a_flood_on_one_address_delays_nobody_else() {
        let limits = Limits::new();
        assert_eq!(used_up(&limits, Action::Redeem, peer("203.0.113.7")), 30);
        let Err(Refusal::Busy { retry_after }) = limits.check(Action::Redeem, peer("203.0.113.7")) else {
            panic!("the flood goes on");
        };
        assert!(retry_after > Duration::ZERO && retry_after <= Duration::from_secs(2), "{retry_after:?}");
        assert_eq!(limits.check(Action::Redeem, peer("203.0.113.8")), Ok(()));
        assert_eq!(limits.check(Action::SignIn, peer("203.0.113.7")), Ok(()));
    }

    #[test]
    fn one_ipv6_network_is_one_address() {
        let limits = Limits::new();
        assert_eq!(used_up(&limits, Action::SignIn, peer("2001:db8::1")), 20);
        assert!(limits.check(Action::SignIn, peer("2001:db8::2")).is_err());
        assert!(limits.check(Action::SignIn, peer("2001:db8:0:1::2")).is_ok());
    }

    #[test]
    fn a_fleet_behind_one_address_may_register_at_once() {
        let limits = Limits::new();
        assert!((600..620).contains(&used_up(&limits, Action::Register, peer("203.0.113.7"))));
    }

    #[test]
    fn messages_are_counted_by_session() {
        let limits = Limits::new();
        assert!((120..130).contains(&used_up(&limits, Action::Message, Key::Identity(1))));
        assert!(limits.check(Action::Message, Key::Identity(2)).is_ok());
    }

    #[test]
    fn large_offers_are_fewer() {
        let limits = Limits::new();
        let at_once = |bytes: usize, session| {
            (0..1_000).take_while(|_| limits.check_offer(bytes, Key::Identity(session)).is_ok()).count()
        };
        assert!((128..138).contains(&at_once(5_000, 1)));
        assert_eq!(at_once(300 * 1_024, 2), 6);
        assert_eq!(at_once(4 * 1_024 * 1_024, 3), 0, "more than there ever is");
        assert_eq!(at_once(512 * 1_024, 3), 3);
    }

    #[test]
    fn keys_are_bounded_and_known_ones_keep_their_measure() {
        let limits = Limits::with_max_keys(100);
        assert_eq!(used_up(&limits, Action::Redeem, Key::Identity(0)), 30);
        for identity in 1..10_000 {
            _ = limits.check(Action::Redeem, Key::Identity(identity));
        }
        let (_, _, measures) = limits.actions.iter().find(|(action, ..)| *action == Action::Redeem).unwrap();
        let kept = measures.lock();
        assert_eq!(kept.exact.len(), 100);
        assert!(kept.shared.len() <= usize::try_from(SHARED).unwrap());
        drop(kept);
        assert!(limits.check(Action::Redeem, Key::Identity(0)).is_err());
        assert!(limits.check(Action::Redeem, Key::Identity(1)).is_ok());
    }
}
