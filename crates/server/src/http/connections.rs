//! Which connections are taken: so many of one address, so many in all.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf},
    net::TcpStream,
    runtime::Handle,
    time::timeout,
};

use super::{
    crowd::{Crowd, Seat},
    peer::Peer,
};
use crate::config::Proxy;

/// How long, and how much, is read of a connection that we are done with, and thrown away. A socket that is closed with bytes unread
/// resets the connection, and what we have said last, such as why we close, is lost on its way.
const LINGER: Duration = Duration::from_secs(1);
const LINGER_BYTES: usize = 16 * 1_024 * 1_024;

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
        Ok(Seated { open: Some((stream, seat)) })
    }
}

/// A connection with its seat, also after an upgrade. Dropped, it says that nothing more will come, lingers, and then frees the seat.
pub(super) struct Seated {
    /// Taken by the drop alone.
    open: Option<(TcpStream, Seat)>,
}

impl Seated {
    fn stream(&mut self) -> io::Result<Pin<&mut TcpStream>> {
        self.open.as_mut().map(|(stream, _)| Pin::new(stream)).ok_or(io::ErrorKind::NotConnected.into())
    }
}

impl Drop for Seated {
    fn drop(&mut self) {
        // Nobody owns the task: it ends by itself. Outside a runtime the connection is just closed.
        if let (Some((stream, seat)), Ok(runtime)) = (self.open.take(), Handle::try_current()) {
            runtime.spawn(linger(stream, seat));
        }
    }
}

/// Ends our half, and throws away what still comes until the other side ends its half, too.
async fn linger(mut stream: TcpStream, _seat: Seat) {
    let ending = async {
        stream.shutdown().await?;
        let mut left = LINGER_BYTES;
        while left > 0 {
            stream.readable().await?;
            // The memory is needed for the moment of this call only.
            match stream.try_read(&mut [0; 16 * 1_024]) {
                Ok(0) => break,
                Ok(length) => left = left.saturating_sub(length),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
        io::Result::Ok(())
    };
    _ = timeout(LINGER, ending).await;
}

impl AsyncRead for Seated {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.stream()?.poll_read(cx, buf)
    }
}

impl AsyncWrite for Seated {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.stream()?.poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.stream()?.poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.open.as_ref().is_some_and(|(stream, _)| stream.is_write_vectored())
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream()?.poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream()?.poll_shutdown(cx)
    }
}
