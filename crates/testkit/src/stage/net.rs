//! A network in virtual time: loss, duplication, delay, reordering, partition and address translation from one seed.
//!
//! What befalls a datagram depends on the seed, its way, and its number on that way, never on its bytes or on what else is under way:
//! keys are random, so bytes are.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
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
    /// Bits a second in each direction; what waits longer than [`LONGEST_QUEUE`] is lost. `None`: as much as there is.
    pub rate: Option<u64>,
}

/// What waits for a narrow link at most.
pub const LONGEST_QUEUE: Duration = Duration::from_millis(300);

impl Weather {
    /// Nothing is lost; 5 ms each way.
    pub const FAIR: Self = Self {
        loss: 0.0,
        duplicate: 0.0,
        delay: Duration::from_millis(5),
        jitter: Duration::ZERO,
        rate: None,
    };

    /// 5 % lost, 2 % twice, 10–40 ms each way.
    pub const FOUL: Self = Self {
        loss: 0.05,
        duplicate: 0.02,
        delay: Duration::from_millis(10),
        jitter: Duration::from_millis(30),
        rate: None,
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

/// What tells a datagram from the others of its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Name {
    /// All but RTP: kind and count.
    Counted(Kind, u64),
    /// SSRC, number, and how often that has been seen.
    Rtp(u32, u16, u64),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Stun,
    Dtls,
    Rtcp,
    Other,
}

/// All datagrams on their way.
pub struct Net {
    /// May be changed while the stage runs.
    pub weather: Weather,
    /// Weather between the server and some clients only, by their address.
    pub local: BTreeMap<SocketAddr, Weather>,
    /// Clients from and to whom nothing passes.
    pub cut_off: BTreeSet<SocketAddr>,
    /// Where a client that sits behind address translation is seen.
    pub seen_as: BTreeMap<SocketAddr, SocketAddr>,
    seed: u64,
    counts: BTreeMap<(Way, Kind), u64>,
    repeats: BTreeMap<(Way, u32, u16), u64>,
    free_at: BTreeMap<Way, Instant>,
    /// Sent in this instant. They set out way by way, in whatever order the senders had their turn.
    setting_out: Vec<(Way, Name, Vec<u8>)>,
    flying: BinaryHeap<Reverse<InFlight>>,
    order: u64,
}

/// A sender and a receiver, each by the address that it believes to have.
type Way = (SocketAddr, SocketAddr);

impl Net {
    /// An empty network.
    #[must_use]
    pub fn new(seed: u64, weather: Weather) -> Self {
        Self {
            weather,
            local: BTreeMap::new(),
            cut_off: BTreeSet::new(),
            seen_as: BTreeMap::new(),
            seed,
            counts: BTreeMap::new(),
            repeats: BTreeMap::new(),
            free_at: BTreeMap::new(),
            setting_out: Vec::new(),
            flying: BinaryHeap::new(),
            order: 0,
        }
    }

    /// Puts a datagram on its way. `source` and `destination` are where the ends believe each other to be.
    pub fn send(&mut self, source: SocketAddr, destination: SocketAddr, contents: &[u8]) {
        let Some(inside) = self.inside_of(destination) else { return };
        let name = self.name((source, inside), contents);
        self.setting_out.push(((source, inside), name, contents.to_vec()));
    }

    /// As [`Net::send`], from somebody who only claims to be at `source`: no weather and no translation are between.
    pub fn inject(&mut self, now: Instant, source: SocketAddr, destination: SocketAddr, contents: &[u8]) {
        self.order += 1;
        let (order, contents) = (self.order, contents.to_vec());
        self.flying.push(Reverse(InFlight { arrives: now, order, source, destination, contents }));
    }

    /// Lets everything set out that was sent at `now`, or loses it: way by way, each in the order of sending. A network that turned round what
    /// leaves at once would have a report in between call half of it lost.
    pub fn settle(&mut self, now: Instant) {
        let mut sent = std::mem::take(&mut self.setting_out);
        sent.sort_by_key(|(way, ..)| *way);
        for (way, name, contents) in sent {
            self.set_out(now, way, name, &contents);
        }
    }

    fn set_out(&mut self, now: Instant, way: Way, name: Name, contents: &[u8]) {
        let (source, destination) = way;
        let mut rng = self.chance(way, name);
        let local = self.local.get(&source).or_else(|| self.local.get(&destination));
        let weather = *local.unwrap_or(&self.weather);
        let lost = rng.f64() < weather.loss;
        if lost || self.cut_off.contains(&source) || self.cut_off.contains(&destination) {
            return;
        }
        let Some(leaves) = self.through(now, way, contents.len(), weather.rate) else { return };
        let seen = self.seen_as.get(&source).copied().unwrap_or(source);
        let copies = if rng.f64() < weather.duplicate { 2 } else { 1 };
        for _ in 0..copies {
            self.order += 1;
            let arrives = leaves + weather.delay + weather.jitter.mul_f64(rng.f64());
            let (order, contents) = (self.order, contents.to_vec());
            self.flying.push(Reverse(InFlight { arrives, order, source: seen, destination, contents }));
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

    /// Where a datagram for `address` ends up; nowhere if a translation that once was is gone.
    fn inside_of(&self, address: SocketAddr) -> Option<SocketAddr> {
        if self.seen_as.contains_key(&address) {
            return None;
        }
        let inside = self.seen_as.iter().find(|(_, outside)| **outside == address);
        Some(inside.map_or(address, |(inside, _)| *inside))
    }

    fn name(&mut self, way: Way, contents: &[u8]) -> Name {
        // RFC 7983 §7, and RFC 5761 §4 for what is RTCP.
        let kind = match contents {
            [0..=3, ..] => Kind::Stun,
            [20..=63, ..] => Kind::Dtls,
            [128..=191, 192..=223, ..] => Kind::Rtcp,
            [128..=191, _, high, low, _, _, _, _, a, b, c, d, ..] => {
                let (ssrc, seq) = (u32::from_be_bytes([*a, *b, *c, *d]), u16::from_be_bytes([*high, *low]));
                let repeat = self.repeats.entry((way, ssrc, seq)).or_default();
                *repeat += 1;
                return Name::Rtp(ssrc, seq, *repeat);
            }
            _ => Kind::Other,
        };
        let count = self.counts.entry((way, kind)).or_default();
        *count += 1;
        Name::Counted(kind, *count)
    }

    fn chance(&self, way: Way, name: Name) -> fastrand::Rng {
        let words = match name {
            Name::Counted(kind, count) => [kind as u64, count, 0],
            Name::Rtp(ssrc, seq, repeat) => [4 | u64::from(ssrc) << 8, u64::from(seq), repeat],
        };
        let way = [way_word(way.0), way_word(way.1)];
        let mixed = words.iter().chain(&way).fold(self.seed, |state, word| mix(state ^ word));
        fastrand::Rng::with_seed(mixed)
    }

    fn through(&mut self, now: Instant, way: Way, length: usize, rate: Option<u64>) -> Option<Instant> {
        let Some(rate) = rate else { return Some(now) };
        let begins = self.free_at.get(&way).copied().unwrap_or(now).max(now);
        if begins - now > LONGEST_QUEUE {
            return None;
        }
        let ends = begins + Duration::from_nanos((length + 28) as u64 * 8_000_000_000 / rate);
        self.free_at.insert(way, ends);
        Some(ends)
    }
}

fn way_word(address: SocketAddr) -> u64 {
    let ip = match address.ip() {
        std::net::IpAddr::V4(ip) => u64::from(ip.to_bits()),
        std::net::IpAddr::V6(ip) => ip.to_bits() as u64,
    };
    ip << 16 | u64::from(address.port())
}

/// SplitMix64: every bit of the input moves every bit of the output.
fn mix(word: u64) -> u64 {
    let word = word.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let word = (word ^ (word >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    word ^ (word >> 31)
}
