//! The UDP ports of the media threads: each thread has a socket of its own for every port, and the system spreads senders over them.

use std::io::{self, IoSliceMut};
use std::net::{self, IpAddr, SocketAddr};

use mio::net::UdpSocket;
use quinn_udp::{RecvMeta, UdpSocketState};
use socket2::{Domain, Protocol, Socket, Type};

/// Asked of the system, which may give less: a second of 16 Mbit/s while the thread is busy.
const SOCKET_BUFFER: usize = 2 * 1024 * 1024;
/// Datagrams taken by one system call.
const BATCH: usize = quinn_udp::BATCH_SIZE;
/// Room for one receive with GRO: up to 64 datagrams of one sender in a row.
const BUFFER: usize = 64 * 1500;

/// One bound socket.
pub(super) struct MediaSocket {
    pub socket: UdpSocket,
    state: UdpSocketState,
    /// What it is bound to; what leaves it can have no other source.
    bound: IpAddr,
}

/// Whether other sockets of ours have the same port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Port {
    Own,
    Shared,
}

/// Takes a port for a moment, and alone: a shared port would be given to us though another server of ours has it.
pub(super) fn reserve(address: SocketAddr) -> io::Result<net::UdpSocket> {
    Ok(open(address, Port::Own)?.into())
}

fn open(address: SocketAddr, port: Port) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_reuse_port(port == Port::Shared)?;
    socket.bind(&address.into())?;
    Ok(socket)
}

impl MediaSocket {
    pub(super) fn bind(address: SocketAddr, port: Port) -> io::Result<Self> {
        let socket = open(address, port)?;
        socket.set_nonblocking(true)?;
        // Smaller buffers only cost packets in bursts; the system's limit is the operator's choice.
        let _ = socket.set_recv_buffer_size(SOCKET_BUFFER);
        let _ = socket.set_send_buffer_size(SOCKET_BUFFER);
        let socket = UdpSocket::from_std(socket.into());
        let state = UdpSocketState::new((&socket).into())?;
        let bound = socket.local_addr()?.ip();
        Ok(Self { socket, state, bound })
    }

    /// Receives one batch into memory; [`Buffers::datagrams`] has it then.
    ///
    /// # Errors
    /// `WouldBlock` when there is nothing more.
    pub(super) fn receive(&self, buffers: &mut Buffers) -> io::Result<()> {
        let Buffers { bytes, meta, count } = buffers;
        *count = 0;
        let mut slices = bytes.each_mut().map(|buffer| IoSliceMut::new(buffer));
        *count = self.state.recv((&self.socket).into(), &mut slices, meta)?;
        Ok(())
    }

    /// Sends one datagram, or several that are cut off `contents` every `segment` bytes.
    ///
    /// # Errors
    /// `WouldBlock` when the system's buffer is full; others when the destination cannot be reached, or several in one are too much.
    pub(super) fn send(
        &self,
        destination: SocketAddr,
        source: Option<IpAddr>,
        contents: &[u8],
        segment: Option<usize>,
    ) -> io::Result<()> {
        // The plain way is a fifth cheaper, and most datagrams of sound go alone.
        if segment.is_none() && source.is_none_or(|source| source == self.bound) {
            return self.socket.send_to(contents, destination).map(drop);
        }
        let transmit =
            quinn_udp::Transmit { destination, ecn: None, contents, segment_size: segment, src_ip: source };
        self.state.try_send((&self.socket).into(), &transmit)
    }

    /// Datagrams that the system takes in one send; 1 where it cannot split, or has failed to.
    pub(super) fn max_segments(&self) -> usize {
        self.state.max_gso_segments()
    }
}

/// Memory that receives reuse.
pub(super) struct Buffers {
    bytes: Box<[[u8; BUFFER]; BATCH]>,
    meta: [RecvMeta; BATCH],
    /// Receives that are filled.
    count: usize,
}

impl Buffers {
    pub(super) fn new() -> io::Result<Self> {
        let bytes: Box<[[u8; BUFFER]]> = vec![[0; BUFFER]; BATCH].into_boxed_slice();
        let bytes = bytes.try_into().map_err(|_| io::Error::other("receive buffers"))?;
        Ok(Self { bytes, meta: [RecvMeta::default(); BATCH], count: 0 })
    }

    /// What the last receive brought: source, own address where the system tells it, contents.
    pub(super) fn datagrams(&self) -> impl Iterator<Item = (SocketAddr, Option<IpAddr>, &[u8])> {
        let filled = self.meta.iter().zip(self.bytes.iter()).take(self.count);
        filled.flat_map(|(meta, bytes)| {
            let bytes = bytes.get(..meta.len).unwrap_or_default();
            bytes.chunks(meta.stride.max(1)).map(|contents| (meta.addr, meta.dst_ip, contents))
        })
    }
}
