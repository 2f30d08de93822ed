//! The way out of a media thread, by itself: for benches that drive a shard without one.

use std::io;
use std::net::SocketAddr;

use sfu::Transmit;

use super::addresses::Ways;
use super::advertise::Outside;
use super::departures::Departures;
use super::sockets::{MediaSocket, Port};

/// One UDP port, and what joins neighbouring datagrams before they leave by it.
pub struct Sender {
    sockets: [MediaSocket; 1],
    ways: Ways,
    departures: Departures,
}

impl Sender {
    /// Binds the port; 0 takes a free one.
    ///
    /// # Errors
    /// What the system says.
    pub fn bind(address: SocketAddr) -> io::Result<Self> {
        let socket = MediaSocket::bind(address, Port::Own)?;
        let ways = Ways::new(&[(socket.socket.local_addr()?, None)], &Outside::default(), &[]);
        Ok(Self { sockets: [socket], ways, departures: Departures::new() })
    }

    /// What is bound; what is sent must come from it.
    #[must_use]
    pub fn bound(&self) -> Option<SocketAddr> {
        self.ways.candidates().first().copied()
    }

    /// Sends a datagram, perhaps only with the next ones.
    pub fn send(&mut self, transmit: Transmit) {
        self.departures.send(&self.sockets, &self.ways, transmit);
    }

    /// Sends everything that waits for a neighbour.
    pub fn flush(&mut self) {
        self.departures.flush(&self.sockets);
    }
}
