//! The media threads as services see them.

use std::io;
use std::net::SocketAddr;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Instant;

use sfu::{Certificate, Command, Event, RoomId, Shard, ShardConfig, ShardError, ShardIndex, Stats};
use tokio::sync::{mpsc, watch};

use super::addresses::{Advertise, Ways};
use super::driver::{Driver, Order};
use super::sockets::MediaSocket;

/// Commands that may wait for the media thread, which takes them within a millisecond. More means that it cannot keep up: `Busy`.
const COMMAND_QUEUE: usize = 1_024;
/// Events that may wait for the signalling side. When full, the thread stops taking commands, which cause most of them.
const EVENT_QUEUE: usize = 4_096;
/// Participants of one shard. Bounds memory: 60–130 kB each (`sfu` resends up to 256 packets of every picture on top, at most 300 kB a track).
const MAX_PARTICIPANTS: usize = 2_000;
/// `docs/faces/rooms.md`, limits.
const MAX_IN_ROOM: usize = 100;

/// What the media engine is told at its start.
#[derive(Debug, Clone)]
pub struct MediaConfig {
    /// UDP addresses to bind; port 0 takes a free one.
    pub listen_udp: Vec<SocketAddr>,
    /// What clients are told instead of the local addresses.
    pub advertise: Vec<Advertise>,
}

/// Why the media engine did not start.
#[derive(Debug, thiserror::Error)]
pub enum MediaError {
    /// A UDP port is taken, or not ours to bind.
    #[error("cannot bind UDP {address}: {source}")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// No address of this machine could be told to clients.
    #[error("no address to tell clients: set [media] listen_udp or advertise")]
    NoAddress,
    /// The operating system refused a thread, a poll or the list of interfaces.
    #[error("media thread: {0}")]
    System(#[from] io::Error),
    /// The DTLS certificate could not be made.
    #[error("DTLS certificate: {0}")]
    Certificate(#[from] rcgen::Error),
    /// The shard refused its configuration.
    #[error(transparent)]
    Shard(#[from] ShardError),
}

/// The media thread cannot take a command now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the media engine is busy")]
pub struct Busy;

/// A running engine.
pub struct StartedMedia {
    /// For services.
    pub pool: MediaPool,
    /// For whoever runs the calls; ends when the media thread ends.
    pub events: mpsc::Receiver<Event>,
    /// What is bound.
    pub bound: Vec<SocketAddr>,
}

/// A handle on the media threads.
#[derive(Clone)]
pub struct MediaPool {
    orders: SyncSender<Order>,
    waker: Arc<mio::Waker>,
    stats: watch::Receiver<Stats>,
    thread: Arc<Mutex<Option<JoinHandle<()>>>>,
}

impl MediaPool {
    /// Binds the sockets and starts the media thread. `seed` must be unpredictable.
    ///
    /// # Errors
    /// As [`MediaError`] says.
    pub fn start(config: &MediaConfig, seed: [u8; 32]) -> Result<StartedMedia, MediaError> {
        let bind = |address: &SocketAddr| {
            MediaSocket::bind(*address).map_err(|source| MediaError::Bind { address: *address, source })
        };
        let sockets = config.listen_udp.iter().map(bind).collect::<Result<Vec<_>, _>>()?;
        let bound: Vec<SocketAddr> = sockets.iter().map(|socket| socket.bound).collect();
        let interfaces: Vec<_> =
            if_addrs::get_if_addrs()?.into_iter().map(|found| (found.name.clone(), found.ip())).collect();
        let ways = Ways::new(&bound, &config.advertise, &interfaces);
        if ways.candidates().is_empty() {
            return Err(MediaError::NoAddress);
        }
        let shard = Shard::new(shard_config(&ways)?, seed, Instant::now())?;
        let (orders, order_queue) = sync_channel(COMMAND_QUEUE);
        let (event_queue, events) = mpsc::channel(EVENT_QUEUE);
        let (publish, stats) = watch::channel(Stats::default());
        let (driver, waker) = Driver::new(shard, sockets, ways, order_queue, event_queue, publish)?;
        let thread = std::thread::Builder::new().name("media-0".into()).spawn(move || driver.run())?;
        let pool = Self { orders, waker: Arc::new(waker), stats, thread: Arc::new(Mutex::new(Some(thread))) };
        Ok(StartedMedia { pool, events, bound })
    }

    /// Gives a command to the shard that has the room. Commands of one room arrive in order.
    ///
    /// # Errors
    /// [`Busy`] when the queue is full or the thread has ended; nothing has happened then.
    pub fn send(&self, _room: RoomId, command: Command) -> Result<(), Busy> {
        self.orders.try_send(Order::Command(command)).map_err(|_| Busy)?;
        self.waker.wake().map_err(|_| Busy)
    }

    /// Counters of all shards, at most a second old.
    #[must_use]
    pub fn stats(&self) -> Stats {
        *self.stats.borrow()
    }

    /// Closes every connection, with a word to the other side, and ends the thread. Blocks until it has ended.
    pub fn stop(&self) {
        // A full queue is being emptied; a closed one has no thread behind it.
        if self.orders.send(Order::Stop).is_ok() {
            let _ = self.waker.wake();
        }
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            let _ = thread.join();
        }
    }
}

fn shard_config(ways: &Ways) -> Result<ShardConfig, MediaError> {
    Ok(ShardConfig {
        index: ShardIndex(0),
        candidates: ways.candidates(),
        tcp_candidates: Vec::new(),
        certificate: make_certificate()?,
        max_participants: MAX_PARTICIPANTS,
        max_in_room: MAX_IN_ROOM,
    })
}

/// One certificate for the life of the process; clients learn its fingerprint from every answer.
fn make_certificate() -> Result<Certificate, rcgen::Error> {
    let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256)?;
    let mut params = rcgen::CertificateParams::default();
    params.distinguished_name.push(rcgen::DnType::CommonName, "countersign");
    let certificate = params.self_signed(&key)?;
    Ok(Certificate { certificate: certificate.der().to_vec(), private_key: key.serialize_der() })
}
