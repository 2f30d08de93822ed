//! Which connections are taken: so many of one address, so many in all.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};

use super::{
    crowd::{Crowd, Seat},
    peer::Peer,
};
use crate::config::Proxy;

/// How many connections a listener takes.
#[derive(Debug, Clone, Copy)]
pub struct Seats {
    /// Of one address.
    pub per_address: usize,
    /// In all.
    pub total: usize,
}

impl Seats {
    /// An office behind one address: a page of its own needs up to 7 connections, in a call 1.
    pub const USUAL: Self = Self { per_address: 256, total: 4_096 };

    /// Returns the seats of a listener on which so many connections stay besides.
    #[must_use]
    pub const fn with(self, per_address: usize, total: usize) -> Self {
        Self {
            per_address: self.per_address.saturating_add(per_address),
            total: self.total.saturating_add(total),
        }
    }
}

/// Takes a connection while there is a seat, and drops it at once otherwise: nothing is allocated for it.
#[derive(Clone)]
pub struct Seating(Crowd);

impl Seating {
    /// Behind a proxy all connections have one address, so only their total counts.
    #[must_use]
    pub fn new(proxy: Proxy, Seats { per_address, total }: Seats) -> Self {
        match proxy {
            Proxy::Absent => Self(Crowd::new(per_address, total)),
            Proxy::Trusted => Self(Crowd::new(total, total)),
        }
    }

    /// Gives a connection its seat.
    pub(super) fn seat(&self, stream: TcpStream) -> io::Result<Seated> {
        let block = Peer::new(stream.peer_addr()?.ip()).block();
        let seat = self.0.enter(block).ok_or(io::ErrorKind::ConnectionRefused)?;
        stream.set_nodelay(true)?;
        Ok(Seated { stream, _seat: seat })
    }
}

/// A connection with its seat, which is free again when the connection is gone, also after an upgrade.
pub(super) struct Seated {
    stream: TcpStream,
    _seat: Seat,
}

impl AsyncRead for Seated {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Seated {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
