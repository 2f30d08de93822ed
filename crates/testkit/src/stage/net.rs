//! A network in virtual time: loss, duplication, delay and reordering from one seed.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// How bad the network is.
#[derive(Debug, Clone, Copy)]
pub struct Weather {
    /// Part of the datagrams that never arrive, 0–1.
    pub loss: f64,
    /// Part that arrives twice, 0–1.
    pub duplicate: f64,
    /// Least time on the way.
    pub delay: Duration,
    /// Time added at random, up to this: what makes datagrams overtake each other.
    pub jitter: Duration,
}

impl Weather {
    /// Nothing is lost; 5 ms each way.
    pub const FAIR: Self =
        Self { loss: 0.0, duplicate: 0.0, delay: Duration::from_millis(5), jitter: Duration::ZERO };

    /// 5 % lost, 2 % twice, 10–40 ms each way.
    pub const FOUL: Self = Self {
        loss: 0.05,
        duplicate: 0.02,
        delay: Duration::from_millis(10),
        jitter: Duration::from_millis(30),
    };
}

/// A datagram on its way.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct InFlight {
    arrives: Instant,
    order: u64,
    /// Who sent it.
    pub source: SocketAddr,
    /// Whom it is for.
    pub destination: SocketAddr,
    /// The UDP payload.
    pub contents: Vec<u8>,
}

/// All datagrams on their way.
pub struct Net {
    /// May be changed while the stage runs.
    pub weather: Weather,
    rng: fastrand::Rng,
    flying: BinaryHeap<Reverse<InFlight>>,
    order: u64,
}

impl Net {
    /// An empty network.
    #[must_use]
    pub fn new(seed: u64, weather: Weather) -> Self {
        Self { weather, rng: fastrand::Rng::with_seed(seed), flying: BinaryHeap::new(), order: 0 }
    }

    /// Puts a datagram on its way, or loses it.
    pub fn send(&mut self, now: Instant, source: SocketAddr, destination: SocketAddr, contents: &[u8]) {
        if self.rng.f64() < self.weather.loss {
            return;
        }
        let copies = if self.rng.f64() < self.weather.duplicate { 2 } else { 1 };
        for _ in 0..copies {
            self.order += 1;
            let arrives = now + self.weather.delay + self.weather.jitter.mul_f64(self.rng.f64());
            let contents = contents.to_vec();
            self.flying.push(Reverse(InFlight { arrives, order: self.order, source, destination, contents }));
        }
    }

    /// When the next one arrives.
    #[must_use]
    pub fn next(&self) -> Option<Instant> {
        self.flying.peek().map(|Reverse(datagram)| datagram.arrives)
    }

    /// The next one that has arrived by `now`.
    pub fn arrived(&mut self, now: Instant) -> Option<InFlight> {
        self.next().filter(|arrives| *arrives <= now)?;
        self.flying.pop().map(|Reverse(datagram)| datagram)
    }
}
