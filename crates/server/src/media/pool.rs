//! The media threads as services see them.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{JoinHandle, Thread};
use std::time::Instant;

use mio::{Poll, Waker};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use sfu::{Certificate, Command, Event, RoomId, Shard, ShardConfig, ShardError, ShardIndex};
use tokio::sync::{mpsc, watch};

use super::acceptor::Acceptor;
use super::addresses::Ways;
use super::advertise::{Advertise, AdvertisePort};
use super::bound::Bound;
use super::driver::{Driver, Ears, WAKE};
use super::figures::ShardFigures;
use super::leavers::Leavers;
use super::mailbox::{Mailbox, wake};
use super::names::Told;
use super::outlet::{Outlet, Shared};
use super::placement::Placement;
use super::ports::UdpPort;
use super::sockets::MediaSocket;

/// Commands that may wait for a media thread, which takes them within a millisecond. More means that it cannot keep up: `Busy`.
const COMMAND_QUEUE: usize = 1_024;
/// Events that may wait for the signalling side. When full, the thread stops taking commands, which cause most of them.
const EVENT_QUEUE: usize = 4_096;
/// Participants of one shard. Bounds memory: 60–130 kB each (`sfu` resends up to 256 packets of every picture on top, at most 300 kB a track).
const MAX_PARTICIPANTS: usize = 2_000;
/// Calls of realms have as many (`hosting::Quotas`); those of rooms are kept smaller by the hub.
const MAX_IN_ROOM: usize = 1_000;

/// What the media engine is told at its start.
#[derive(Debug, Clone)]
pub struct MediaConfig {
    /// Media threads, 1 to 64. Each has rooms of its own.
    pub shards: u8,
    /// Whether DTLS 1.3 is allowed beside 1.2.
    pub dtls_1_3: bool,
    /// UDP addresses to bind; port 0 takes a free one.
    pub listen_udp: Vec<SocketAddr>,
    /// TCP addresses to bind; none: no media over TCP.
    pub listen_tcp: Vec<SocketAddr>,
    /// What clients are told instead of the local addresses.
    pub advertise: Vec<Advertise>,
    /// The port of advertised addresses that have none of their own.
    pub advertise_port: Option<AdvertisePort>,
    /// Servers that are asked for it when it is empty, each `host:port`.
    pub stun: Vec<String>,
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
    /// A TCP port is taken, or not ours to bind.
    #[error("cannot bind TCP {address}: {source}; [media] listen_tcp = [] does without")]
    BindTcp {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// No address of this machine could be told to clients.
    #[error("no address to tell clients: set [media] listen_udp or advertise")]
    NoAddress,
    /// An advertised name has no address of a family that is listened on.
    #[error(
        "the address to tell clients, {0}, is not found: no name server knows an address of it that [media] listens for"
    )]
    NoSuchName(String),
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
    /// What is bound for UDP.
    pub bound: Vec<SocketAddr>,
    /// What is bound for TCP.
    pub bound_tcp: Vec<SocketAddr>,
}

/// A handle on the media threads.
#[derive(Clone)]
pub struct MediaPool {
    shards: Arc<[Handle]>,
    placement: Arc<Mutex<Placement>>,
    threads: Arc<Mutex<Vec<JoinHandle<()>>>>,
    door: Arc<Door>,
}

/// The way to end the thread that takes TCP connections.
struct Door {
    over: Arc<AtomicBool>,
    waker: Waker,
    /// Looks names up, if there are any.
    names: Option<Thread>,
}

impl Drop for Door {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        self.names.iter().for_each(Thread::unpark);
    }
}

/// A handle on one.
struct Handle {
    commands: SyncSender<Command>,
    leavers: Leavers,
    waker: Arc<Waker>,
    figures: watch::Receiver<ShardFigures>,
}

impl MediaPool {
    /// Binds the sockets and starts the media threads. `seed` must be unpredictable.
    ///
    /// # Errors
    /// As [`MediaError`] says.
    pub fn start(config: &MediaConfig, seed: [u8; 32]) -> Result<StartedMedia, MediaError> {
        let Prepared { media, drivers, acceptor } = Self::prepare(config, seed)?;
        let begun = media.pool.begin(drivers, acceptor);
        if let Err(error) = begun {
            media.pool.stop();
            return Err(error.into());
        }
        Ok(media)
    }

    /// Everything but the threads.
    pub(super) fn prepare(config: &MediaConfig, seed: [u8; 32]) -> Result<Prepared, MediaError> {
        let count = config.shards.clamp(1, 64);
        let Bound { udp, ports, ways, tcp, listeners, tcp_ways, named } = Bound::open(config, count.into())?;
        let parts = (0..count).map(|_| Parts::new()).collect::<io::Result<Vec<_>>>()?;
        let placement = Arc::new(Mutex::new(Placement::new(parts.len())));
        let (event_queue, events) = mpsc::channel(EVENT_QUEUE);
        let shared = Shared {
            mailboxes: parts.iter().map(|parts| Arc::clone(&parts.mailbox)).collect(),
            placement: Arc::clone(&placement),
            events: event_queue,
            told: Told::default(),
        };
        let over = Arc::<AtomicBool>::default();
        let mailboxes = Arc::clone(&shared.mailboxes);
        let (acceptor, waker) = Acceptor::new(listeners, tcp_ways.clone(), mailboxes, Arc::clone(&over))?;
        let names = shared.told.watch(named, Arc::clone(&over))?;
        let door = Arc::new(Door { over: Arc::clone(&over), waker, names });
        let base = Base {
            ways,
            tcp_ways,
            shared,
            certificate: make_certificate()?,
            dtls_1_3: config.dtls_1_3,
            count,
            over,
        };
        let mut seeds = StdRng::from_seed(seed);
        let made = deal(ports, parts.len()).into_iter().zip(parts).zip(0..count);
        let made = made
            .map(|((sockets, parts), index)| base.make(ShardIndex(index), seeds.random(), sockets, parts));
        let (drivers, handles): (Vec<Driver>, Vec<Handle>) =
            made.collect::<Result<Vec<_>, _>>()?.into_iter().unzip();
        let pool = Self { shards: handles.into(), placement, threads: Arc::default(), door };
        let media = StartedMedia { pool, events, bound: udp, bound_tcp: tcp };
        Ok(Prepared { media, drivers, acceptor })
    }

    fn begin(&self, drivers: Vec<Driver>, acceptor: Acceptor) -> io::Result<()> {
        for (index, driver) in drivers.into_iter().enumerate() {
            let thread = std::thread::Builder::new().name(format!("media-{index}"));
            self.threads().push(thread.spawn(move || driver.run())?);
        }
        let thread = std::thread::Builder::new().name("media-tcp".into());
        self.threads().push(thread.spawn(move || acceptor.run())?);
        Ok(())
    }

    /// Gives a command to the shard that has the room; a join of a room that has none places it. Commands of one room arrive in order.
    ///
    /// # Errors
    /// [`Busy`] when the queue is full or the thread has ended; nothing has happened then.
    pub fn send(&self, room: RoomId, command: Command) -> Result<(), Busy> {
        let mut placement = self.placement();
        let Command::Join { participant, incarnation, .. } = command else {
            // Nobody is there whom it could be about.
            return placement.shard_of(room).map_or(Ok(()), |shard| self.order(shard, command));
        };
        if let Some((_, shard)) = placement.other_room(participant, room) {
            self.order(shard, Command::Leave { participant })?;
        }
        let shard = placement.shard_of(room).unwrap_or_else(|| placement.choose(|shard| self.worked(shard)));
        self.order(shard, command)?;
        placement.enter(shard, room, participant, incarnation);
        Ok(())
    }

    /// What every media thread tells of itself, by shard, at most a second old.
    #[must_use]
    pub fn figures(&self) -> Vec<ShardFigures> {
        self.shards.iter().map(|shard| *shard.figures.borrow()).collect()
    }

    /// Closes every connection, with a word to the other side, and ends the threads. Blocks until they have ended.
    pub fn stop(&self) {
        self.tell_to_stop();
        let threads = std::mem::take(&mut *self.threads());
        for thread in threads {
            let _ = thread.join();
        }
    }

    /// As [`Self::stop`], but waits for nothing: each thread ends after the command that it is at, whatever waits behind it.
    pub fn tell_to_stop(&self) {
        self.door.over.store(true, Ordering::Relaxed);
        self.shards.iter().for_each(|shard| wake(&shard.waker));
        wake(&self.door.waker);
        self.door.names.iter().for_each(Thread::unpark);
    }

    fn order(&self, shard: usize, command: Command) -> Result<(), Busy> {
        let handle = self.shards.get(shard).ok_or(Busy)?;
        let send = |command| handle.commands.try_send(command).map_err(|_| Busy);
        handle.leavers.noting(command, send)?;
        wake(&handle.waker);
        Ok(())
    }

    fn worked(&self, shard: usize) -> u128 {
        self.shards.get(shard).map_or(0, |shard| shard.figures.borrow().cpu_recent.as_millis())
    }

    fn placement(&self) -> MutexGuard<'_, Placement> {
        self.placement.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn threads(&self) -> MutexGuard<'_, Vec<JoinHandle<()>>> {
        self.threads.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An engine whose threads are yet to begin.
pub(super) struct Prepared {
    pub media: StartedMedia,
    pub drivers: Vec<Driver>,
    pub acceptor: Acceptor,
}

/// What a thread must have before the others can know it.
struct Parts {
    poll: Poll,
    waker: Arc<Waker>,
    mailbox: Arc<Mailbox>,
    commands: (SyncSender<Command>, Receiver<Command>),
}

impl Parts {
    fn new() -> io::Result<Self> {
        let poll = Poll::new()?;
        let waker = Arc::new(Waker::new(poll.registry(), WAKE)?);
        let mailbox = Arc::new(Mailbox::new(Arc::clone(&waker)));
        Ok(Self { poll, waker, mailbox, commands: sync_channel(COMMAND_QUEUE) })
    }
}

/// What all threads have in common.
struct Base {
    ways: Ways,
    tcp_ways: Ways,
    shared: Shared,
    /// One for the life of the process; clients learn its fingerprint from every answer.
    certificate: Certificate,
    dtls_1_3: bool,
    count: u8,
    over: Arc<AtomicBool>,
}

impl Base {
    fn make(
        &self,
        index: ShardIndex,
        seed: [u8; 32],
        sockets: Vec<MediaSocket>,
        parts: Parts,
    ) -> Result<(Driver, Handle), MediaError> {
        let config = ShardConfig {
            index,
            candidates: self.ways.candidates(),
            tcp_candidates: self.tcp_ways.candidates(),
            certificate: self.certificate.clone(),
            dtls_1_3: self.dtls_1_3,
            max_participants: MAX_PARTICIPANTS,
            max_in_room: MAX_IN_ROOM,
        };
        let mut shard = Shard::new(config, seed, Instant::now())?;
        shard.set_shards(self.count);
        let Parts { poll, waker, mailbox, commands: (commands, queue) } = parts;
        let leavers = Leavers::default();
        let (publish, figures) = watch::channel(ShardFigures::default());
        let ears =
            Ears { poll, commands: queue, leavers: leavers.clone(), mailbox, over: Arc::clone(&self.over) };
        let outlet = Outlet::new(index, self.ways.clone(), self.shared.clone());
        let driver = Driver::new(ears, shard, sockets, outlet, publish)?;
        Ok((driver, Handle { commands, leavers, waker, figures }))
    }
}

/// The sockets of each thread, in the order of the ports.
fn deal(ports: Vec<UdpPort>, threads: usize) -> Vec<Vec<MediaSocket>> {
    let mut dealt: Vec<Vec<MediaSocket>> = (0..threads).map(|_| Vec::new()).collect();
    for port in ports {
        dealt.iter_mut().zip(port.sockets).for_each(|(sockets, socket)| sockets.push(socket));
    }
    dealt
}

fn make_certificate() -> Result<Certificate, rcgen::Error> {
    let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256)?;
    let mut params = rcgen::CertificateParams::default();
    params.distinguished_name.push(rcgen::DnType::CommonName, "countersign");
    let certificate = params.self_signed(&key)?;
    Ok(Certificate { certificate: certificate.der().to_vec(), private_key: key.serialize_der() })
}
