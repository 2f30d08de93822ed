//! The TCP connections of one media thread: framed packets in, framed packets out, and an end for whoever proves nothing.

use std::collections::{HashMap, VecDeque};
use std::io::{self, IoSlice, Read, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use mio::net::TcpStream;
use mio::{Interest, Registry, Token};
use sfu::{Datagram, Path, Standing, Transmit, Transport};
use wire::framing::{Deframer, header};

use crate::http::peer::{AddressBlock, Peer};

/// Connections of one thread; two a participant are usual.
const MAX_STREAMS: usize = 4_096;
/// Connections of one address on one thread: an office behind one address, whose UDP is blocked.
const MAX_OF_ADDRESS: usize = 256;
/// Bytes that may wait for a slow reader; media that come on top are dropped: they would only come later and later.
const MEDIA_WAITING: usize = 256 * 1024;
/// Bytes with everything else; one packet more, and the connection is closed.
const ALL_WAITING: usize = 512 * 1024;
/// Asked of the system for the same reason.
const SEND_BUFFER: usize = 256 * 1024;
/// From its arrival until a participant must have proven the connection.
const PROVE_WITHIN: Duration = Duration::from_secs(15);
/// Consent is asked for every 5 s (RFC 7675); who says nothing for as long as this is gone.
const IDLE: Duration = Duration::from_secs(60);
/// Packets of a connection that has proven nothing: some checks and their repetitions.
const UNPROVEN_PACKETS: u32 = 64;
/// Bytes taken of one connection before others get their turn.
const READS_PER_TURN: usize = 4;
const READ: usize = 16 * 1024;

/// A connection whose first packet names this thread.
#[derive(Debug)]
pub(super) struct Newcomer {
    pub socket: TcpStream,
    pub source: SocketAddr,
    /// The candidate that it came to.
    pub destination: SocketAddr,
    pub first: Vec<u8>,
}

pub(super) struct Streams {
    slots: Vec<Option<Stream>>,
    free: Vec<usize>,
    by_path: HashMap<Path, usize>,
    of_address: HashMap<AddressBlock, usize>,
    scratch: Box<[u8]>,
    /// Connections that were closed, of which the shard has not been told.
    closed: Vec<Path>,
    /// Media that a slow reader has not got.
    pub dropped: u64,
}

struct Stream {
    socket: TcpStream,
    path: Path,
    deframer: Deframer,
    waiting: VecDeque<u8>,
    proven: bool,
    /// Packets that are taken before anything is proven.
    allowance: u32,
    ending: bool,
    since: Instant,
    heard: Instant,
}

impl Streams {
    pub(super) fn new() -> Self {
        Self {
            slots: Vec::new(),
            free: Vec::new(),
            by_path: HashMap::new(),
            of_address: HashMap::new(),
            scratch: vec![0; READ].into_boxed_slice(),
            closed: Vec::new(),
            dropped: 0,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.by_path.len()
    }

    /// Takes a connection in, with the token `first_token` plus its place; returns whether there was room.
    pub(super) fn add(
        &mut self,
        now: Instant,
        registry: &Registry,
        first_token: usize,
        newcomer: Newcomer,
    ) -> io::Result<bool> {
        let Newcomer { mut socket, source, destination, .. } = newcomer;
        let path = Path { transport: Transport::Tcp, source, destination };
        if self.len() >= MAX_STREAMS
            || self.of_address.get(&block(&path)).is_some_and(|count| *count >= MAX_OF_ADDRESS)
            || self.by_path.contains_key(&path)
        {
            return Ok(false);
        }
        socket.set_nodelay(true)?;
        socket2::SockRef::from(&socket).set_send_buffer_size(SEND_BUFFER)?;
        let slot = self.free.pop().unwrap_or(self.slots.len());
        let token = Token(first_token.saturating_add(slot));
        registry.register(&mut socket, token, Interest::READABLE | Interest::WRITABLE)?;
        let stream = Stream {
            socket,
            path,
            deframer: Deframer::new(),
            waiting: VecDeque::new(),
            proven: false,
            allowance: UNPROVEN_PACKETS,
            ending: false,
            since: now,
            heard: now,
        };
        match self.slots.get_mut(slot) {
            Some(place) => *place = Some(stream),
            None => self.slots.push(Some(stream)),
        }
        self.by_path.insert(path, slot);
        *self.of_address.entry(block(&path)).or_default() += 1;
        Ok(true)
    }

    /// Reads a connection; returns whether there may be more.
    pub(super) fn read(&mut self, now: Instant, slot: usize, mut give: impl FnMut(Datagram<'_>)) -> bool {
        for _ in 0..READS_PER_TURN {
            let Some(Some(stream)) = self.slots.get_mut(slot) else { return false };
            let Path { transport, source, destination } = stream.path;
            let read = match stream.socket.read(&mut self.scratch) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return false,
                read => read.ok().and_then(|length| self.scratch.get(..length)).unwrap_or_default(),
            };
            stream.heard = now;
            let Stream { deframer, allowance, proven, .. } = stream;
            let taken = deframer.take(read, |contents| {
                if *proven || *allowance > 0 {
                    *allowance = allowance.saturating_sub(1);
                    give(Datagram { transport, source, destination, contents });
                }
            });
            let used_up = !*proven && *allowance == 0;
            if read.is_empty() || taken.is_err() || used_up {
                self.close(slot);
                return false;
            }
        }
        true
    }

    /// Sends a packet, or lets it wait; to a reader that is too slow, media are dropped.
    pub(super) fn send(&mut self, transmit: &Transmit) {
        let Transmit { transport, source: destination, destination: source, contents } = transmit;
        let path = Path { transport: *transport, source: *source, destination: *destination };
        let Some(slot) = self.by_path.get(&path).copied() else { return };
        let Some(Some(stream)) = self.slots.get_mut(slot) else { return };
        let waiting = stream.waiting.len().saturating_add(contents.len());
        // RFC 7983: RTP and RTCP.
        let is_media = contents.first().is_some_and(|first| (128..=191).contains(first));
        if is_media && waiting > MEDIA_WAITING {
            self.dropped += 1;
        } else if waiting > ALL_WAITING || stream.push(contents).is_err() {
            self.close(slot);
        }
    }

    /// Writes what waits, now that there may be room.
    pub(super) fn write(&mut self, slot: usize) {
        let Some(Some(stream)) = self.slots.get_mut(slot) else { return };
        if stream.flush().is_err() || (stream.ending && stream.waiting.is_empty()) {
            self.close(slot);
        }
    }

    /// Takes what the shard says of a connection.
    pub(super) fn stands(&mut self, path: Path, standing: Standing) {
        let Some(slot) = self.by_path.get(&path).copied() else { return };
        let Some(Some(stream)) = self.slots.get_mut(slot) else { return };
        match standing {
            Standing::Proven => stream.proven = true,
            Standing::Gone => {
                stream.ending = true;
                self.write(slot);
            }
        }
    }

    /// Closes who has proven nothing in time, says nothing any more, or has had the time to take what was left for him. Once a second.
    pub(super) fn sweep(&mut self, now: Instant) {
        let over = |stream: &Stream| {
            let unproven = !stream.proven && now.saturating_duration_since(stream.since) >= PROVE_WITHIN;
            stream.ending || unproven || now.saturating_duration_since(stream.heard) >= IDLE
        };
        for slot in 0..self.slots.len() {
            if self.slots.get(slot).and_then(Option::as_ref).is_some_and(over) {
                self.close(slot);
            }
        }
    }

    /// Connections that have been closed since the last call.
    pub(super) fn closed(&mut self) -> impl Iterator<Item = Path> {
        self.closed.drain(..)
    }

    fn close(&mut self, slot: usize) {
        // Dropping the socket takes it out of the poll.
        let Some(stream) = self.slots.get_mut(slot).and_then(Option::take) else { return };
        self.free.push(slot);
        self.by_path.remove(&stream.path);
        let block = block(&stream.path);
        if let Some(count) = self.of_address.get_mut(&block) {
            *count -= 1;
            if *count == 0 {
                self.of_address.remove(&block);
            }
        }
        self.closed.push(stream.path);
    }
}

impl Stream {
    fn push(&mut self, contents: &[u8]) -> io::Result<()> {
        let Some(header) = header(contents.len()) else { return Ok(()) };
        let mut written = 0;
        if self.waiting.is_empty() {
            let parts = [IoSlice::new(&header), IoSlice::new(contents)];
            written = match self.socket.write_vectored(&parts) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
                written => written?,
            };
        }
        let rest = header.iter().chain(contents).skip(written);
        self.waiting.extend(rest);
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        while !self.waiting.is_empty() {
            match self.socket.write(self.waiting.as_slices().0) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                written => drop(self.waiting.drain(..written?)),
            }
        }
        Ok(())
    }
}

fn block(path: &Path) -> AddressBlock {
    Peer::new(path.source.ip()).block()
}

#[cfg(test)]
mod tests {
    use std::net;

    use mio::Poll;

    use super::*;

    #[test]
    fn who_never_reads_loses_media_and_then_the_connection() {
        let (mut stage, now) = (Stage::new(), Instant::now());
        let (_idle_reader, path) = stage.connect(now);
        let packet = |first: u8| Transmit {
            transport: Transport::Tcp,
            source: path.destination,
            destination: path.source,
            contents: vec![first; 1_200].into(),
        };
        // Loopback takes some megabytes itself.
        for _ in 0..20_000 {
            stage.streams.send(&packet(128));
        }
        assert!(stage.streams.dropped > 0 && stage.streams.len() == 1);
        assert!(stage.waiting() <= MEDIA_WAITING + 2);
        let mut sent = 0;
        while stage.streams.len() == 1 {
            sent += 1;
            assert!(sent < 1_000 && stage.waiting() <= ALL_WAITING + 2);
            stage.streams.send(&packet(22));
        }
        assert!(sent > 100);
        assert_eq!(stage.streams.closed().collect::<Vec<_>>(), [path]);
    }

    #[test]
    fn who_proves_nothing_or_falls_silent_or_is_not_needed_is_closed() {
        let (mut stage, now) = (Stage::new(), Instant::now());
        let (mut stranger, unproven) = stage.connect(now);
        let (_silent, proven) = stage.connect(now);
        let (mut ended, gone) = stage.connect(now);
        stage.streams.stands(proven, Standing::Proven);
        stage.streams.stands(gone, Standing::Gone);
        let mut byte = [0];
        assert_eq!((ended.read(&mut byte).unwrap(), stage.streams.len()), (0, 2));
        stage.streams.sweep(now + Duration::from_secs(14));
        assert_eq!(stage.streams.len(), 2);
        stage.streams.sweep(now + Duration::from_secs(15));
        assert_eq!((stranger.read(&mut byte).unwrap(), stage.streams.len()), (0, 1));
        stage.streams.sweep(now + Duration::from_secs(60));
        assert_eq!(stage.streams.closed().collect::<Vec<_>>(), [gone, unproven, proven]);
        assert!(stage.streams.by_path.is_empty() && stage.streams.of_address.is_empty());
    }

    #[test]
    fn what_is_too_long_ends_the_connection_and_an_address_has_so_many() {
        let (mut stage, now) = (Stage::new(), Instant::now());
        let (mut client, path) = stage.connect(now);
        client.write_all(&[0, 2, 7, 7, 0xFF, 0xFF]).unwrap();
        let mut got = Vec::new();
        while stage.streams.len() == 1 {
            stage.streams.read(now, 0, |datagram| got.push((datagram.source, datagram.contents.to_vec())));
        }
        assert_eq!(got, [(path.source, vec![7, 7])]);
        let kept: Vec<_> = (0..MAX_OF_ADDRESS).map(|_| stage.connect(now)).collect();
        let (_client, newcomer) = stage.newcomer();
        assert!(!stage.streams.add(now, stage.poll.registry(), 0, newcomer).unwrap());
        assert_eq!(stage.streams.len(), kept.len());
    }

    #[test]
    fn who_has_proven_nothing_is_heard_little() {
        let (mut stage, now) = (Stage::new(), Instant::now());
        let (mut stranger, _) = stage.connect(now);
        let (mut member, proven) = stage.connect(now);
        stage.streams.stands(proven, Standing::Proven);
        for client in [&mut stranger, &mut member] {
            client.write_all(&[0, 1, 7].repeat(1_000)).unwrap();
        }
        let (mut of_stranger, mut of_member) = (0, 0);
        while stage.streams.len() == 2 || of_member < 1_000 {
            stage.streams.read(now, 0, |_| of_stranger += 1);
            stage.streams.read(now, 1, |_| of_member += 1);
        }
        assert_eq!((of_stranger, of_member, stage.streams.len()), (UNPROVEN_PACKETS, 1_000, 1));
    }

    struct Stage {
        poll: Poll,
        listener: net::TcpListener,
        streams: Streams,
    }

    impl Stage {
        fn new() -> Self {
            let listener = net::TcpListener::bind("127.0.0.1:0").unwrap();
            Self { poll: Poll::new().unwrap(), listener, streams: Streams::new() }
        }

        fn newcomer(&self) -> (net::TcpStream, Newcomer) {
            let client = net::TcpStream::connect(self.listener.local_addr().unwrap()).unwrap();
            let (socket, source) = self.listener.accept().unwrap();
            socket.set_nonblocking(true).unwrap();
            let destination = socket.local_addr().unwrap();
            let socket = TcpStream::from_std(socket);
            (client, Newcomer { socket, source, destination, first: Vec::new() })
        }

        fn connect(&mut self, now: Instant) -> (net::TcpStream, Path) {
            let (client, newcomer) = self.newcomer();
            let Newcomer { source, destination, .. } = newcomer;
            assert!(self.streams.add(now, self.poll.registry(), 0, newcomer).unwrap());
            (client, Path { transport: Transport::Tcp, source, destination })
        }

        fn waiting(&self) -> usize {
            self.streams.slots.iter().flatten().map(|stream| stream.waiting.len()).sum()
        }
    }
}
