//! Everything one media thread owns, and the five verbs by which its driver moves it.

use std::collections::{BTreeMap, VecDeque};
use std::iter::Sum;
use std::net::SocketAddr;
use std::ops::Add;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Instant;

use rand::SeedableRng;
use rand::rngs::StdRng;
use slotmap::SlotMap;
use str0m::config::CryptoProvider;
use str0m::net::{DatagramSend, Protocol, TcpType};
use str0m::{Candidate, Event as RtcEvent, Output as RtcOutput, RtcError};

use crate::command::{
    Command, Event, EventKind, JoinRefusal, LeaveReason, ParticipantId, RoomId, ShardIndex,
};
use crate::crypto::{self, Certificate};
use crate::demux::{Demux, is_stun};
use crate::participant::{Link, Participant};
use crate::path::{Note, Notice, Path, Standing};
use crate::room::Room;
use crate::timers::Timers;

/// Participants woken by one call of [`Shard::handle_timeout`]. An offer in a room of 60 takes about 3 ms.
const WAKES_PER_CALL: usize = 8;
/// Packets that a pacer may let go in one drain; what is left goes on at the next wake.
const TURNS_PER_DRAIN: usize = 256;

slotmap::new_key_type! {
    /// A participant's place in the shard; never used again for another.
    pub(crate) struct Seat;
}

/// What a shard is told at its start.
#[derive(Debug, Clone)]
pub struct ShardConfig {
    /// Its number.
    pub index: ShardIndex,
    /// UDP addresses that clients are told; datagrams must carry one of them as their destination.
    pub candidates: Vec<SocketAddr>,
    /// The same for TCP (RFC 6544, passive).
    pub tcp_candidates: Vec<SocketAddr>,
    /// Presented to every participant.
    pub certificate: Certificate,
    /// Whether DTLS 1.3 is allowed beside 1.2. It takes the client's first SRTP cipher, 1.2 the fastest that both have.
    pub dtls_1_3: bool,
    /// Participants in all rooms together.
    pub max_participants: usize,
    /// Participants in one room.
    pub max_in_room: usize,
}

/// Why a shard cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum ShardError {
    /// The crypto library refused our DTLS configuration.
    #[error("crypto provider: {0}")]
    Crypto(String),
    /// An address that cannot be a candidate, such as 0.0.0.0.
    #[error("{0} cannot be a candidate address")]
    Candidate(SocketAddr),
}

/// What carries packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Transport {
    /// One packet a datagram.
    Udp,
    /// Packets in frames (RFC 4571); the frame's length is not part of the contents.
    Tcp,
}

/// Bytes from the network.
#[derive(Debug, Clone, Copy)]
pub struct Datagram<'a> {
    /// How it came.
    pub transport: Transport,
    /// Who sent it.
    pub source: SocketAddr,
    /// One of [`ShardConfig::candidates`], or of [`ShardConfig::tcp_candidates`].
    pub destination: SocketAddr,
    /// One packet.
    pub contents: &'a [u8],
}

impl Datagram<'_> {
    pub(crate) fn path(&self) -> Path {
        Path { transport: self.transport, source: self.source, destination: self.destination }
    }
}

/// Bytes for the network.
#[derive(Debug)]
pub struct Transmit {
    /// How it goes.
    pub transport: Transport,
    /// One of [`ShardConfig::candidates`], or of [`ShardConfig::tcp_candidates`].
    pub source: SocketAddr,
    /// Whom to send to.
    pub destination: SocketAddr,
    /// One packet, as str0m built it: moved, not copied.
    pub contents: DatagramSend,
}

/// What the driver is to do.
#[derive(Debug)]
pub enum Output {
    /// Send this.
    Transmit(Transmit),
    /// Tell the signalling side.
    Event(Event),
    /// Tell another shard, by [`Shard::handle_note`]. It may be lost.
    Note {
        /// Whom.
        to: ShardIndex,
        /// What.
        note: Note,
    },
    /// Something about a connection.
    Stream {
        /// Which.
        path: Path,
        /// What.
        standing: Standing,
    },
}

/// Counters since the start, and gauges.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stats {
    /// Datagrams given to the shard, and their bytes.
    pub datagrams_in: u64,
    /// UDP payload bytes received.
    pub bytes_in: u64,
    /// Datagrams to send.
    pub datagrams_out: u64,
    /// UDP payload bytes to send.
    pub bytes_out: u64,
    /// Datagrams that were nobody's.
    pub strangers: u64,
    /// Datagrams of another shard, told so to the driver.
    pub handed_over: u64,
    /// Datagrams of this shard that another one had received.
    pub taken_over: u64,
    /// Unproven requests that were too many to be handed over.
    pub not_handed_over: u64,
    /// Paths now of which it is known that they are another shard's.
    pub learnt_paths: u64,
    /// RTP packets written to a viewer.
    pub forwarded: u64,
    /// Key frames asked of publishers.
    pub keyframes_asked: u64,
    /// Data-channel messages for nobody, or for a participant that takes none any more.
    pub data_dropped: u64,
    /// Panics caught in a participant's step. More than zero is a defect.
    pub panics: u64,
    /// Media connections now.
    pub participants: u64,
    /// Rooms now.
    pub rooms: u64,
}

impl Add for Stats {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            datagrams_in: self.datagrams_in + other.datagrams_in,
            bytes_in: self.bytes_in + other.bytes_in,
            datagrams_out: self.datagrams_out + other.datagrams_out,
            bytes_out: self.bytes_out + other.bytes_out,
            strangers: self.strangers + other.strangers,
            handed_over: self.handed_over + other.handed_over,
            taken_over: self.taken_over + other.taken_over,
            not_handed_over: self.not_handed_over + other.not_handed_over,
            learnt_paths: self.learnt_paths + other.learnt_paths,
            forwarded: self.forwarded + other.forwarded,
            keyframes_asked: self.keyframes_asked + other.keyframes_asked,
            data_dropped: self.data_dropped + other.data_dropped,
            panics: self.panics + other.panics,
            participants: self.participants + other.participants,
            rooms: self.rooms + other.rooms,
        }
    }
}

impl Sum for Stats {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), Add::add)
    }
}

/// Everything one media thread owns.
pub struct Shard {
    pub(crate) config: ShardConfig,
    pub(crate) candidates: Vec<Candidate>,
    pub(crate) crypto: Arc<CryptoProvider>,
    pub(crate) rng: StdRng,
    pub(crate) seats: SlotMap<Seat, Participant>,
    pub(crate) by_id: BTreeMap<ParticipantId, Seat>,
    pub(crate) rooms: BTreeMap<RoomId, Room>,
    pub(crate) demux: Demux,
    pub(crate) stats: Stats,
    timers: Timers<Seat>,
    pub(crate) room_timers: Timers<RoomId>,
    /// What participants' steps gave, not yet looked at.
    work: VecDeque<(Seat, str0m::Event)>,
    /// Participants that must go, with the reason; taken out after the step.
    pub(crate) leaving: Vec<(Seat, LeaveReason)>,
    /// Viewers for whom packets have been written since they were last drained.
    dirty: VecDeque<Seat>,
    /// Newest time that an input named.
    pub(crate) now: Instant,
    transmits: VecDeque<Transmit>,
    events: VecDeque<Event>,
}

impl Shard {
    /// Makes an empty shard at the time `now`. `seed` feeds ICE credentials and first sequence numbers.
    ///
    /// # Errors
    /// When the crypto library or an address does not serve.
    pub fn new(config: ShardConfig, seed: [u8; 32], now: Instant) -> Result<Self, ShardError> {
        let crypto = crypto::provider().map_err(|error| ShardError::Crypto(error.to_string()))?;
        Self::with_crypto(config, crypto, seed, now)
    }

    /// As [`Shard::new`], with another provider than [`crate::provider`]: one whose chance is a seed, for a stage.
    ///
    /// # Errors
    /// When an address does not serve.
    pub fn with_crypto(
        config: ShardConfig,
        crypto: Arc<CryptoProvider>,
        seed: [u8; 32],
        now: Instant,
    ) -> Result<Self, ShardError> {
        let host = |address: &SocketAddr| {
            Candidate::host(*address, "udp").map_err(|_| ShardError::Candidate(*address))
        };
        let passive = |address: &SocketAddr| {
            let candidate = Candidate::builder().tcp().host(*address).tcptype(TcpType::Passive).build();
            candidate.map_err(|_| ShardError::Candidate(*address))
        };
        let udp = config.candidates.iter().map(host);
        let candidates = udp.chain(config.tcp_candidates.iter().map(passive)).collect::<Result<_, _>>()?;
        Ok(Self {
            config,
            candidates,
            crypto,
            rng: StdRng::from_seed(seed),
            seats: SlotMap::with_key(),
            by_id: BTreeMap::new(),
            rooms: BTreeMap::new(),
            demux: Demux::default(),
            stats: Stats::default(),
            timers: Timers::default(),
            room_timers: Timers::default(),
            work: VecDeque::new(),
            leaving: Vec::new(),
            dirty: VecDeque::new(),
            now,
            transmits: VecDeque::new(),
            events: VecDeque::new(),
        })
    }

    /// Takes one command.
    pub fn handle_command(&mut self, now: Instant, command: Command) {
        self.now = self.now.max(now);
        self.obey(now, command);
        self.settle(now);
    }

    /// Wakes those whose deadline has come, a few a call: the rest, and whoever is due again at once, wait for the next call, so that
    /// nobody keeps packets waiting.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.now = self.now.max(now);
        for _ in 0..WAKES_PER_CALL {
            let Some((deadline, id)) = self.room_timers.pop_due(now) else { break };
            if self.rooms.get(&id).is_some_and(|room| room.scheduled == Some(deadline)) {
                self.wake_room(now, id);
            }
        }
        for _ in 0..WAKES_PER_CALL {
            let Some((deadline, seat)) = self.timers.pop_due(now) else { return };
            let Some(participant) =
                self.seats.get_mut(seat).filter(|found| found.scheduled == Some(deadline))
            else {
                continue;
            };
            participant.scheduled = None;
            if participant.deadline() > now {
                self.schedule(seat);
                continue;
            }
            self.wake(now, seat);
        }
    }

    /// Ends every media connection, with a word to the other side.
    pub fn close(&mut self, now: Instant) {
        self.now = self.now.max(now);
        self.leaving.extend(self.seats.keys().map(|seat| (seat, LeaveReason::Asked)));
        self.settle(now);
    }

    /// What is to be done; `None`: nothing more.
    pub fn poll_output(&mut self) -> Option<Output> {
        loop {
            // Before the transmits: what answers them may come to the shard that is told.
            if let Some(Notice::Note(to, note)) =
                self.demux.notices.pop_front_if(|notice| matches!(notice, Notice::Note(..)))
            {
                return Some(Output::Note { to, note });
            }
            if let Some(transmit) = self.transmits.pop_front() {
                return Some(Output::Transmit(transmit));
            }
            // After them: what was sent on it comes first.
            if let Some(Notice::Stream(path, standing)) = self.demux.notices.pop_front() {
                return Some(Output::Stream { path, standing });
            }
            if let Some(event) = self.events.pop_front() {
                return Some(Output::Event(event));
            }
            let viewer = self.dirty.pop_front()?;
            self.step(self.now, viewer, |_| Ok(()));
        }
    }

    /// Writes packets for a viewer; they leave when it is drained.
    pub(crate) fn write(&mut self, viewer: Seat, write: impl FnOnce(&mut Participant)) {
        let Some(participant) = self.seats.get_mut(viewer) else { return };
        if catch_unwind(AssertUnwindSafe(|| write(participant))).is_err() {
            self.stats.panics += 1;
            return self.leaving.push((viewer, LeaveReason::Failed));
        }
        participant.written_at = self.now;
        participant.unsent += 1;
        if !std::mem::replace(&mut participant.dirty, true) {
            self.dirty.push_back(viewer);
        }
    }

    /// When to call [`Shard::handle_timeout`] at the latest, and for whom.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<(Instant, &'static str)> {
        let seats =
            self.timers.next().map(|at| (at, "a participant's transport, key frame, layers or offer"));
        let rooms = self.room_timers.next().map(|at| (at, "who speaks in a room"));
        seats.into_iter().chain(rooms).min_by_key(|(at, _)| *at)
    }

    /// The counters.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let learnt_paths = self.demux.neighbours.learnt() as u64;
        let (participants, rooms) = (self.seats.len() as u64, self.rooms.len() as u64);
        Stats { participants, rooms, learnt_paths, ..self.stats }
    }

    pub(crate) fn tell(&mut self, participant: ParticipantId, incarnation: u32, kind: EventKind) {
        self.events.push_back(Event { participant, incarnation, kind });
    }

    /// Runs one participant's step and everything that follows from it.
    pub(crate) fn step(
        &mut self,
        now: Instant,
        seat: Seat,
        change: impl FnOnce(&mut Participant) -> Result<(), RtcError>,
    ) {
        self.change(seat, change);
        self.settle(now);
    }

    /// Changes one participant, then drains it. str0m must be drained after every single change: it keeps one received packet, and the next overwrites it.
    pub(crate) fn change(
        &mut self,
        seat: Seat,
        change: impl FnOnce(&mut Participant) -> Result<(), RtcError>,
    ) {
        let Self { seats, transmits, work, stats, now, .. } = self;
        let Some(participant) = seats.get_mut(seat) else { return };
        let drained = catch_unwind(AssertUnwindSafe(|| {
            #[cfg(test)]
            assert!(!participant.panic_next, "a test's panic");
            change(participant)?;
            drain(participant, *now, transmits, |event| work.push_back((seat, event)), stats)
        }));
        match drained {
            Ok(Ok(())) if participant.rtc.is_alive() => self.schedule(seat),
            Ok(Ok(())) => self.leaving.push((seat, LeaveReason::Closed)),
            Ok(Err(error)) => {
                tracing::debug!(%error, "a media connection failed");
                self.leaving.push((seat, reason_of(participant, &error)));
            }
            Err(_) => {
                self.stats.panics += 1;
                self.leaving.push((seat, LeaveReason::Failed));
            }
        }
    }

    /// Looks at everything that steps have given, and takes out who must go.
    pub(crate) fn settle(&mut self, now: Instant) {
        loop {
            if let Some((seat, event)) = self.work.pop_front() {
                let handled = catch_unwind(AssertUnwindSafe(|| {
                    #[cfg(test)]
                    assert!(!self.seats.get(seat).is_some_and(|had| had.panic_next), "a test's panic");
                    self.handle_event(now, seat, event);
                }));
                if handled.is_err() {
                    self.stats.panics += 1;
                    self.leaving.push((seat, LeaveReason::Failed));
                }
            } else if let Some((seat, reason)) = self.leaving.pop() {
                self.remove(now, seat, reason);
            } else {
                return;
            }
        }
    }

    pub(crate) fn schedule(&mut self, seat: Seat) {
        let Some(participant) = self.seats.get_mut(seat) else { return };
        let deadline = participant.deadline();
        if participant.scheduled.is_none_or(|scheduled| deadline < scheduled) {
            participant.scheduled = Some(deadline);
            self.timers.push(deadline, seat);
        }
        if self.timers.len() > 4 * self.seats.len() + 64 {
            let Self { timers, seats, .. } = self;
            timers
                .retain(|deadline, seat| seats.get(seat).is_some_and(|had| had.scheduled == Some(deadline)));
        }
    }

    fn wake(&mut self, now: Instant, seat: Seat) {
        if self.seats.get(seat).is_some_and(|participant| participant.is_lost(now)) {
            self.leaving.push((seat, LeaveReason::TransportLost));
            return self.settle(now);
        }
        self.ask_keyframes(now, seat);
        self.repeat_offer(now, seat, false);
        if self.seats.get(seat).is_some_and(|participant| participant.adapt_at.is_some_and(|at| at <= now)) {
            self.adapt(now, seat);
        }
        if self.seats.get(seat).is_some_and(|participant| participant.negotiation.is_due(now)) {
            self.offer(now, seat);
        }
        self.step(now, seat, |participant| participant.tick(now));
    }

    /// Refuses a join before anything has changed.
    pub(crate) fn join_refusal(&self, room: RoomId, participant: ParticipantId) -> Option<JoinRefusal> {
        let again = self.by_id.get(&participant).and_then(|seat| self.seats.get(*seat));
        let in_room = self.rooms.get(&room).map_or(0, |room| room.members.len());
        if self.seats.len() >= self.config.max_participants && again.is_none() {
            Some(JoinRefusal::ShardFull)
        } else if in_room >= self.config.max_in_room && again.is_none_or(|had| had.room != room) {
            Some(JoinRefusal::RoomFull)
        } else {
            None
        }
    }
}

impl Transport {
    pub(crate) fn protocol(self) -> Protocol {
        match self {
            Self::Udp => Protocol::Udp,
            Self::Tcp => Protocol::Tcp,
        }
    }
}

/// Takes all that str0m has to give now. What was written leaves only after an input of the time, and with a pacer one packet an input.
fn drain(
    participant: &mut Participant,
    now: Instant,
    transmits: &mut VecDeque<Transmit>,
    mut on_event: impl FnMut(str0m::Event),
    stats: &mut Stats,
) -> Result<(), RtcError> {
    if std::mem::take(&mut participant.dirty) {
        participant.tick(now)?;
    }
    let (mut turns, mut sent) = (0, false);
    loop {
        match participant.rtc.poll_output()? {
            RtcOutput::Timeout(deadline)
                if turns < TURNS_PER_DRAIN && participant.has_more_for(deadline, sent) =>
            {
                turns += 1;
                participant.tick(deadline)?;
            }
            RtcOutput::Timeout(deadline) => {
                participant.wake_at(deadline);
                return Ok(());
            }
            RtcOutput::Transmit(transmit) => {
                sent |= participant.has_sent(&transmit.contents);
                stats.datagrams_out += 1;
                stats.bytes_out += transmit.contents.len() as u64;
                let str0m::net::Transmit { proto, source, destination, contents } = transmit;
                let transport = if proto == Protocol::Udp { Transport::Udp } else { Transport::Tcp };
                // An answer to a check goes back to where that came from.
                let path = Path { transport, source: destination, destination: source };
                let path = if is_stun(&contents) { path } else { participant.roaming.towards(path) };
                let Path { transport, source: destination, destination: source } = path;
                transmits.push_back(Transmit { transport, source, destination, contents });
            }
            // Of streams, nobody asks.
            RtcOutput::Event(RtcEvent::MediaEgressStats(_) | RtcEvent::MediaIngressStats(_)) => {}
            RtcOutput::Event(event) => on_event(event),
        }
    }
}

fn reason_of(participant: &Participant, error: &RtcError) -> LeaveReason {
    // Outside negotiation str0m speaks of the remote description only when the certificate is not the announced one.
    match (participant.link, error) {
        (Link::Connecting { .. }, RtcError::RemoteSdp(_)) => LeaveReason::CertificateMismatch,
        _ => LeaveReason::TransportLost,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::{Codec, Profile, Source, Sources};

    #[test]
    fn a_panic_in_one_participants_step_removes_that_participant_only() {
        let now = Instant::now();
        let mut shard = Shard::new(config(), [0; 32], now).unwrap();
        let (ana, ben) = (ParticipantId(1), ParticipantId(2));
        join(&mut shard, now, [ana, ben]);
        let seat = shard.by_id[&ana];
        shard.seats[seat].panic_next = true;
        shard.handle_command(now, Command::Repeat { participant: ana });
        shard.step(now, seat, |participant| participant.tick(now));

        let events: Vec<Event> = std::iter::from_fn(|| shard.poll_output())
            .filter_map(|output| if let Output::Event(event) = output { Some(event) } else { None })
            .collect();
        let left = Event { participant: ana, incarnation: 7, kind: EventKind::Left(LeaveReason::Failed) };
        assert_eq!(events, [left]);
        let stats = shard.stats();
        assert_eq!((stats.panics > 0, stats.participants, stats.rooms), (true, 1, 1));
        assert!(shard.by_id.contains_key(&ben));
    }

    #[test]
    fn a_panic_over_an_event_of_a_participant_removes_that_participant_only() {
        let now = Instant::now();
        let mut shard = Shard::new(config(), [0; 32], now).unwrap();
        let (ana, ben) = (ParticipantId(1), ParticipantId(2));
        join(&mut shard, now, [ana, ben]);
        let seat = shard.by_id[&ana];
        shard.seats[seat].panic_next = true;
        shard.work.push_back((seat, str0m::Event::Connected));
        shard.settle(now);
        assert!(shard.stats().panics > 0);
        assert_eq!(shard.by_id.keys().collect::<Vec<_>>(), [&ben]);
    }

    #[test]
    fn deadlines_that_nobody_waits_for_do_not_add_up() {
        let now = Instant::now();
        let mut shard = Shard::new(config(), [0; 32], now).unwrap();
        join(&mut shard, now, [ParticipantId(1)]);
        let seat = shard.by_id[&ParticipantId(1)];
        for step in (0..10_000).rev() {
            shard.seats[seat].rtc_deadline = now + std::time::Duration::from_micros(step);
            shard.schedule(seat);
        }
        assert!(shard.timers.len() <= 69, "{}", shard.timers.len());
        assert_eq!(shard.timers.next(), Some(now));
    }

    fn join(shard: &mut Shard, now: Instant, who: impl IntoIterator<Item = ParticipantId>) {
        for participant in who {
            let command = Command::Join {
                room: RoomId(1),
                participant,
                incarnation: 7,
                profile: profile(),
                muted: Sources::default(),
            };
            shard.handle_command(now, command);
        }
    }

    fn config() -> ShardConfig {
        let certificate = str0m_aws_lc_rs::default_provider().dtls_provider.generate_certificate().unwrap();
        ShardConfig {
            index: ShardIndex(0),
            candidates: vec![SocketAddr::from(([192, 0, 2, 1], 8443))],
            tcp_candidates: Vec::new(),
            dtls_1_3: false,
            certificate: Certificate {
                certificate: certificate.certificate,
                private_key: certificate.private_key,
            },
            max_participants: 2,
            max_in_room: 2,
        }
    }

    fn profile() -> Profile {
        let may_send = [Source::Voice].into_iter().collect();
        Profile {
            fingerprint: None,
            may_send,
            codecs: vec![Codec::Opus],
            red: false,
            stream: "s".into(),
            adapts: false,
            reports_sound: false,
            max_voices: 8,
            max_cameras: 25,
            keyframe_gap: std::time::Duration::from_millis(500),
            manners: crate::command::Manners::default(),
        }
    }
}
