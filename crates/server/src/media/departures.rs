//! What leaves by UDP: neighbours for one destination are joined into one send (GSO), since the cost is the system's way through
//! UDP and IP, not the copy.

use std::io;
use std::net::{IpAddr, SocketAddr};

use sfu::Transmit;

use super::addresses::Ways;
use super::sockets::MediaSocket;

/// Datagrams of one send; the kernel takes 64 (`UDP_MAX_SEGMENTS`; 128 since Linux 6.9).
const MAX_SEGMENTS: usize = 64;
/// Bytes of one send: what a UDP length can say, less headers.
const MAX_BYTES: usize = 65_000;

/// Counters since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Departed {
    /// Sends of several datagrams.
    pub joined_sends: u64,
    /// Datagrams that travelled in them.
    pub joined_datagrams: u64,
    /// Datagrams that the system did not take.
    pub lost: u64,
}

/// The datagrams that wait for a neighbour, and the memory in which they are joined.
pub(super) struct Departures {
    first: Option<(Exit, Transmit)>,
    run: Run,
    most: usize,
    pub departed: Departed,
}

/// Where a datagram leaves.
#[derive(Debug, Clone, Copy)]
struct Exit {
    socket: usize,
    ip: Option<IpAddr>,
}

impl Departures {
    pub(super) fn new() -> Self {
        let run = Run { bytes: Vec::with_capacity(MAX_BYTES), segment: 0, count: 0 };
        Self { first: None, run, most: MAX_SEGMENTS, departed: Departed::default() }
    }

    /// Sends a datagram, perhaps only with the next ones; [`Departures::flush`] sends the rest.
    pub(super) fn send(&mut self, sockets: &[MediaSocket], ways: &Ways, transmit: Transmit) {
        if self.joins(sockets, &transmit) {
            return;
        }
        self.flush(sockets);
        // No way: an address that is no longer ours.
        if let Some((socket, ip)) = ways.outward(transmit.source) {
            self.first = Some((Exit { socket, ip }, transmit));
        }
    }

    /// Sends everything that waits.
    pub(super) fn flush(&mut self, sockets: &[MediaSocket]) {
        let Some((exit, first)) = self.first.take() else { return };
        let Some(socket) = sockets.get(exit.socket) else { return };
        if self.run.count > 1 {
            self.send_run(socket, first.destination, exit.ip);
        } else {
            self.send_one(socket, first.destination, exit.ip, &first.contents);
        }
        self.run.count = 0;
    }

    fn joins(&mut self, sockets: &[MediaSocket], transmit: &Transmit) -> bool {
        let Some((exit, first)) = &self.first else { return false };
        if first.destination != transmit.destination || first.source != transmit.source {
            return false;
        }
        let segments = sockets.get(exit.socket).map_or(1, MediaSocket::max_segments).min(self.most);
        if self.run.count == 0 {
            self.run.begin(&first.contents);
        }
        self.run.join(&transmit.contents, segments)
    }

    fn send_run(&mut self, socket: &MediaSocket, destination: SocketAddr, ip: Option<IpAddr>) {
        let Run { bytes, segment, count } = &self.run;
        match socket.send(destination, ip, bytes, Some(*segment)) {
            Ok(()) => {
                self.departed.joined_sends += 1;
                self.departed.joined_datagrams += *count as u64;
            }
            // A full buffer loses datagrams, as the network may.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.departed.lost += *count as u64,
            // Not every network card can do it; quinn-udp then tells of one segment only.
            Err(error) => {
                tracing::debug!(%error, "several datagrams in one send");
                let bytes = std::mem::take(&mut self.run.bytes);
                for contents in bytes.chunks(self.run.segment.max(1)) {
                    self.send_one(socket, destination, ip, contents);
                }
                self.run.bytes = bytes;
            }
        }
    }

    fn send_one(
        &mut self,
        socket: &MediaSocket,
        destination: SocketAddr,
        ip: Option<IpAddr>,
        contents: &[u8],
    ) {
        // So does an unreachable peer.
        if let Err(error) = socket.send(destination, ip, contents, None) {
            self.departed.lost += 1;
            tracing::trace!(%error, "UDP send");
        }
    }
}

/// Datagrams of one length in a row; the last may be shorter.
struct Run {
    bytes: Vec<u8>,
    segment: usize,
    count: usize,
}

impl Run {
    fn begin(&mut self, contents: &[u8]) {
        self.bytes.clear();
        self.bytes.extend_from_slice(contents);
        (self.segment, self.count) = (contents.len(), 1);
    }

    fn join(&mut self, contents: &[u8], most: usize) -> bool {
        let is_open = self.bytes.len() == self.segment * self.count;
        let fits = !contents.is_empty()
            && contents.len() <= self.segment
            && self.count < most
            && self.bytes.len() + contents.len() <= MAX_BYTES;
        if is_open && fits {
            self.bytes.extend_from_slice(contents);
            self.count += 1;
        }
        is_open && fits
    }
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;
    use std::time::Duration;

    use sfu::Transport;

    use super::super::advertise::Outside;
    use super::*;
    use crate::media::sockets::Port;

    #[test]
    fn a_run_has_one_length_and_ends_with_a_shorter_one() {
        let rows: [(&[usize], usize, usize); 8] = [
            (&[100], 64, 1),
            (&[100, 100, 100], 64, 3),
            (&[100, 100, 40, 40], 64, 3),
            (&[100, 101], 64, 1),
            (&[100, 0], 64, 1),
            (&[100; 70], 64, 64),
            (&[1_200; 64], 64, 54),
            (&[100, 100], 1, 1),
        ];
        for (lengths, most, expected) in rows {
            let mut run = Run { bytes: Vec::new(), segment: 0, count: 0 };
            run.begin(&vec![0; lengths[0]]);
            let joined = lengths[1..].iter().take_while(|length| run.join(&vec![0; **length], most)).count();
            assert_eq!((joined + 1, run.count), (expected, expected), "{lengths:?}");
        }
    }

    #[test]
    fn everything_arrives_in_order_however_it_is_joined() {
        let stage = Stage::new();
        for most in [MAX_SEGMENTS, 1] {
            let mut departures = Departures { most, ..Departures::new() };
            let lengths = [1_200, 1_200, 1_200, 700, 100, 100, 1_200];
            for (index, length) in lengths.into_iter().enumerate() {
                departures.send(&stage.sockets, &stage.ways, stage.to(0, index, length));
            }
            departures.send(&stage.sockets, &stage.ways, stage.to(1, 9, 1_200));
            departures.flush(&stage.sockets);
            for (index, length) in lengths.into_iter().enumerate() {
                assert_eq!(stage.receive(0), (u8::try_from(index).unwrap(), length), "{most}");
            }
            assert_eq!(stage.receive(1), (9, 1_200));
            let supported = stage.sockets[0].max_segments() > 1 && most > 1;
            let expected = if supported { (2, 6) } else { (0, 0) };
            let Departed { joined_sends, joined_datagrams, lost } = departures.departed;
            assert_eq!(((joined_sends, joined_datagrams), lost), (expected, 0), "{most}");
        }
    }

    #[test]
    fn what_the_kernel_refuses_to_split_is_sent_one_by_one() {
        let stage = Stage::new();
        // More than any kernel takes.
        let mut departures = Departures { most: 200, ..Departures::new() };
        departures.first = Some((Exit { socket: 0, ip: None }, stage.to(0, 0, 10)));
        departures.run.begin(&[0; 10]);
        (1..200).for_each(|index| assert!(departures.run.join(&[index; 10], 200)));
        departures.flush(&stage.sockets);
        for index in 0..200 {
            assert_eq!(stage.receive(0), (index, 10));
        }
        assert_eq!(departures.departed, Departed::default());
        assert_eq!(stage.sockets[0].max_segments(), 1, "quinn-udp has seen that it was refused");
    }

    struct Stage {
        sockets: Vec<MediaSocket>,
        ways: Ways,
        receivers: [UdpSocket; 2],
    }

    impl Stage {
        fn new() -> Self {
            let socket = MediaSocket::bind("127.0.0.1:0".parse().unwrap(), Port::Own).unwrap();
            let ways = Ways::new(&[(socket.socket.local_addr().unwrap(), None)], &Outside::default(), &[]);
            let receiver = || {
                let receiver = UdpSocket::bind("127.0.0.1:0").unwrap();
                receiver.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
                receiver
            };
            Self { sockets: vec![socket], ways, receivers: [receiver(), receiver()] }
        }

        fn to(&self, receiver: usize, number: usize, length: usize) -> Transmit {
            Transmit {
                transport: Transport::Udp,
                source: self.sockets[0].socket.local_addr().unwrap(),
                destination: self.receivers[receiver].local_addr().unwrap(),
                contents: vec![u8::try_from(number).unwrap(); length].into(),
            }
        }

        fn receive(&self, receiver: usize) -> (u8, usize) {
            let mut buffer = [0; 2_048];
            let length = self.receivers[receiver].recv(&mut buffer).unwrap();
            (buffer[0], length)
        }
    }
}
