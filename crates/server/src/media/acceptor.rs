//! The door for media over TCP: a thread that takes connections, reads the first packet of each, and gives it to the thread that the packet
//! names. A stranger costs little, and not for long.

use std::collections::HashMap;
use std::io::{self, Read};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token, Waker};
use socket2::{Domain, Protocol, Socket, Type};
use wire::framing::HEADER;

use super::addresses::Ways;
use super::mailbox::Mailbox;
use super::streams::Newcomer;
use crate::http::peer::{AddressBlock, Peer};

/// Connections whose first packet has not come; one more takes the place of who has waited longest, or is closed at once.
const MAX_STRANGERS: usize = 256;
/// Who has said nothing for so long may lose its place: clients say at once what they came for, and many addresses that stay silent do not
/// fill the door.
const PROMPT: Duration = Duration::from_secs(1);
/// Of them, those of one address.
const MAX_OF_ADDRESS: usize = 16;
/// From the connection until its first packet must have come.
const FIRST_WITHIN: Duration = Duration::from_secs(10);
/// Bytes that a STUN request has: its header (RFC 8489 §5), and in practice some 150.
const FIRST_PACKET: std::ops::RangeInclusive<usize> = 20..=2_046;
/// When the system refuses a connection that is there, as with too many open files, it is asked again after this.
const BREATHER: Duration = Duration::from_millis(200);
const BACKLOG: i32 = 128;
/// Connections taken before those that are there are heard.
const ACCEPTS_PER_TURN: usize = 64;
const WAKE: Token = Token(usize::MAX);

/// Binds a listener.
pub(super) fn bind_tcp(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    // A connection of the server before must not keep the port for minutes.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(TcpListener::from_std(socket.into()))
}

pub(super) struct Acceptor {
    poll: Poll,
    listeners: Vec<TcpListener>,
    ways: Ways,
    mailboxes: Arc<[Arc<Mailbox>]>,
    over: Arc<AtomicBool>,
    strangers: HashMap<Token, Stranger>,
    next_token: usize,
}

struct Stranger {
    socket: TcpStream,
    source: SocketAddr,
    destination: SocketAddr,
    until: Instant,
    read: Vec<u8>,
}

/// What to do with a stranger.
enum Judged {
    Wait,
    Refuse,
    /// Of this shard.
    Known(usize),
}

impl Acceptor {
    /// `over` ends the thread, once it is woken.
    pub(super) fn new(
        mut listeners: Vec<TcpListener>,
        ways: Ways,
        mailboxes: Arc<[Arc<Mailbox>]>,
        over: Arc<AtomicBool>,
    ) -> io::Result<(Self, Waker)> {
        let poll = Poll::new()?;
        let waker = Waker::new(poll.registry(), WAKE)?;
        for (index, listener) in listeners.iter_mut().enumerate() {
            poll.registry().register(listener, Token(index), Interest::READABLE)?;
        }
        let next_token = listeners.len();
        let strangers = HashMap::new();
        Ok((Self { poll, listeners, ways, mailboxes, over, strangers, next_token }, waker))
    }

    pub(super) fn run(mut self) {
        if let Err(error) = self.turn_until_over() {
            tracing::error!(%error, "media over TCP has failed");
        }
    }

    fn turn_until_over(&mut self) -> io::Result<()> {
        let mut ready = Events::with_capacity(64);
        let mut breather = false;
        while !self.over.load(Ordering::Relaxed) {
            let first = self.strangers.values().map(|stranger| stranger.until).min();
            let wait = first.map_or(Duration::from_secs(1), |first| {
                first.saturating_duration_since(Instant::now()).min(Duration::from_secs(1))
            });
            match self.poll.poll(&mut ready, Some(if breather { wait.min(BREATHER) } else { wait })) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                polled => polled?,
            }
            let now = Instant::now();
            breather = false;
            for index in 0..self.listeners.len() {
                breather |= self.accept(now, index);
            }
            let tokens: Vec<Token> = ready.iter().map(mio::event::Event::token).collect();
            tokens.into_iter().for_each(|token| self.hear(token));
            self.strangers.retain(|_, stranger| stranger.until > now);
        }
        Ok(())
    }

    /// Takes connections that are there; returns whether there may be more, or the system refused one.
    fn accept(&mut self, now: Instant, index: usize) -> bool {
        for _ in 0..ACCEPTS_PER_TURN {
            let Some(listener) = self.listeners.get(index) else { return false };
            match listener.accept() {
                Ok((socket, source)) => {
                    if let Err(error) = self.take(now, index, socket, source) {
                        tracing::debug!(%error, "a TCP connection");
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return false,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                Err(error) => {
                    tracing::warn!(%error, "a TCP connection could not be taken");
                    return true;
                }
            }
        }
        true
    }

    fn take(
        &mut self,
        now: Instant,
        index: usize,
        mut socket: TcpStream,
        source: SocketAddr,
    ) -> io::Result<()> {
        let block = |source: SocketAddr| -> AddressBlock { Peer::new(source.ip()).block() };
        let neighbours = self.strangers.values().filter(|other| block(other.source) == block(source)).count();
        let local = socket.local_addr()?.ip();
        let Some(destination) = self.ways.inward(index, Some(local)) else { return Ok(()) };
        if neighbours >= MAX_OF_ADDRESS || !self.has_place(now) {
            return Ok(());
        }
        // Tokens are not used again, but for the one of the waker after all others.
        let token = Token(self.next_token);
        self.next_token = self.next_token.wrapping_add(1);
        self.poll.registry().register(&mut socket, token, Interest::READABLE)?;
        let until = now + FIRST_WITHIN;
        self.strangers.insert(token, Stranger { socket, source, destination, until, read: Vec::new() });
        Ok(())
    }

    /// Whether there is a place for one more, perhaps that of another who has been silent.
    fn has_place(&mut self, now: Instant) -> bool {
        if self.strangers.len() < MAX_STRANGERS {
            return true;
        }
        let longest = self.strangers.iter().min_by_key(|(_, stranger)| stranger.until);
        let silent = longest.filter(|(_, stranger)| stranger.until + PROMPT <= now + FIRST_WITHIN);
        let Some(token) = silent.map(|(token, _)| *token) else { return false };
        self.strangers.remove(&token).is_some()
    }

    fn hear(&mut self, token: Token) {
        let Some(stranger) = self.strangers.get_mut(&token) else { return };
        let judged = stranger.read();
        if let Judged::Wait = judged {
            return;
        }
        let Some(mut stranger) = self.strangers.remove(&token) else { return };
        if let Judged::Known(shard) = judged
            && self.poll.registry().deregister(&mut stranger.socket).is_ok()
            && let Some(mailbox) = self.mailboxes.get(shard)
        {
            let Stranger { socket, source, destination, mut read, .. } = stranger;
            read.drain(..HEADER);
            // Without room it is closed, and the client comes again.
            let _ = mailbox.put_stream(Newcomer { socket, source, destination, first: read });
        }
    }
}

impl Stranger {
    /// Reads the first packet, and nothing after it.
    fn read(&mut self) -> Judged {
        let mut bytes = [0; 2_048];
        loop {
            let announced = self.read.first_chunk::<HEADER>().map(|length| u16::from_be_bytes(*length));
            let wanted = match announced.map(usize::from) {
                None => HEADER,
                Some(length) if FIRST_PACKET.contains(&length) => HEADER + length,
                Some(_) => return Judged::Refuse,
            };
            let missing = wanted.saturating_sub(self.read.len());
            if missing == 0 {
                let shard = self.read.get(HEADER..).and_then(sfu::shard_of);
                return shard.map_or(Judged::Refuse, |shard| Judged::Known(shard.0.into()));
            }
            let Some(room) = bytes.get_mut(..missing) else { return Judged::Refuse };
            match self.socket.read(room) {
                Ok(0) => return Judged::Refuse,
                Ok(length) => self.read.extend(room.iter().take(length)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Judged::Wait,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return Judged::Refuse,
            }
        }
    }
}
