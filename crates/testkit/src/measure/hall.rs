//! Rooms full of callers around one shard, in virtual time, with a scale under the shard.

use std::collections::{BTreeMap, VecDeque};
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::{Duration, Instant};

use server::media::Sender;
use sfu::{
    Codec, Command, Datagram, Event, EventKind, Manners, Output, ParticipantId, Profile, RoomId, Shard,
    ShardConfig, ShardIndex, Source, Transport,
};
use str0m::config::{CryptoProvider, DtlsCert};

use super::caller::Caller;
use super::cpu;
use crate::stage::server_certificate;

/// On the way to a caller, in virtual time: without any, estimates of bandwidth have nothing to go by.
const DELAY: Duration = Duration::from_millis(5);
/// A datagram that has been sent arrives on loopback at once, or is lost.
const PATIENCE: Duration = Duration::from_millis(200);

/// Rooms full of callers.
pub struct Hall {
    /// Virtual time.
    pub now: Instant,
    /// Under the scale.
    pub shard: Shard,
    /// In order of appearance. `None`: gone without a word.
    pub callers: Vec<Option<Caller>>,
    /// What the shard's steps have cost since this was last taken, sends included.
    pub spent: Duration,
    sender: Sender,
    server: SocketAddr,
    sockets: Vec<UdpSocket>,
    by_address: BTreeMap<SocketAddr, usize>,
    by_id: BTreeMap<ParticipantId, usize>,
    crypto: Arc<CryptoProvider>,
    certificate: DtlsCert,
    /// Whether callers' bandwidth is estimated.
    adapts: bool,
    events: Vec<Event>,
    /// Where datagrams of the last step went, and how many in a row.
    sent: Vec<(SocketAddr, u32)>,
    /// When a caller gets what.
    flying: VecDeque<(Instant, usize, Vec<u8>)>,
}

impl Hall {
    /// Nobody is there.
    #[must_use]
    pub fn new(adapts: bool) -> Self {
        let sender = Sender::bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        let server = sender.bound().unwrap();
        let certificate = server_certificate();
        let own = DtlsCert {
            certificate: certificate.certificate.clone(),
            private_key: certificate.private_key.clone(),
        };
        let config = ShardConfig {
            index: ShardIndex(0),
            candidates: vec![server],
            tcp_candidates: Vec::new(),
            dtls_1_3: false,
            certificate,
            max_participants: 2_000,
            max_in_room: 1_000,
        };
        let now = Instant::now();
        Self {
            now,
            shard: Shard::new(config, [7; 32], now).unwrap(),
            callers: Vec::new(),
            spent: Duration::ZERO,
            sender,
            server,
            sockets: Vec::new(),
            by_address: BTreeMap::new(),
            by_id: BTreeMap::new(),
            crypto: sfu::provider().unwrap(),
            certificate: own,
            adapts,
            events: Vec::new(),
            sent: Vec::new(),
            flying: VecDeque::new(),
        }
    }

    /// Brings a caller to the door: what it costs itself is not weighed.
    pub fn prepare(&mut self) -> usize {
        let index = self.callers.len();
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        let address = socket.local_addr().unwrap();
        let id = ParticipantId(index as u128 + 1);
        let identity = (&self.crypto, self.certificate.clone());
        self.callers.push(Some(Caller::new(id, address, self.server, identity, self.now)));
        self.sockets.push(socket);
        self.by_address.insert(address, index);
        self.by_id.insert(id, index);
        index
    }

    /// Lets a caller that was prepared in.
    pub fn enter(&mut self, index: usize, room: RoomId, sources: &[Source]) {
        let Some(caller) = &mut self.callers[index] else { return };
        let profile = profile(caller, self.adapts);
        let (participant, offer) = (caller.id, caller.offer(sources));
        self.command(Command::Join {
            room,
            participant,
            incarnation: 1,
            profile,
            muted: sfu::Sources::default(),
        });
        self.command(offer);
    }

    /// Lets a number of callers in who all know each other after it.
    pub fn fill(&mut self, room: RoomId, count: usize, sources: &[Source]) {
        let first = self.callers.len();
        for _ in 0..count {
            let index = self.prepare();
            self.enter(index, room, sources);
        }
        self.run_until(Duration::from_secs(60), |hall| hall.all_connected(first));
        self.run(Duration::from_secs(2));
        assert!(self.all_connected(first), "everybody is connected");
    }

    /// Lets time pass.
    pub fn run(&mut self, time: Duration) {
        self.run_until(time, |_| false);
    }

    /// Lets time pass until it is done, but no longer than `time`.
    pub fn run_until(&mut self, time: Duration, done: impl Fn(&Self) -> bool) {
        let end = self.now + time;
        while let Some(next) = self.next().filter(|next| *next <= end) {
            if done(self) {
                return;
            }
            self.now = self.now.max(next);
            let now = self.now;
            self.arrive();
            if self.shard.poll_timeout().is_some_and(|(deadline, _)| deadline <= now) {
                self.step(|shard| shard.handle_timeout(now));
            }
            let mut out = Vec::new();
            for (index, caller) in self.callers.iter_mut().enumerate() {
                if let Some(caller) = caller.as_mut().filter(|caller| caller.deadline <= now) {
                    let mut datagrams = Vec::new();
                    caller.wake(now, &mut datagrams);
                    out.push((index, datagrams));
                }
            }
            out.iter().for_each(|(index, datagrams)| self.feed(*index, datagrams));
        }
        self.now = end;
    }

    /// A caller publishes one packet of sound, or one picture, which the shard takes as one batch.
    pub fn publish(&mut self, index: usize, source: Source) {
        let now = self.now;
        let Some(caller) = &mut self.callers[index] else { return };
        let mut datagrams = Vec::new();
        caller.publish(now, source, &mut datagrams);
        self.feed(index, &datagrams);
    }

    /// Gives the shard a batch of a caller's datagrams.
    pub fn feed(&mut self, index: usize, datagrams: &[Vec<u8>]) {
        if datagrams.is_empty() {
            return;
        }
        let (now, destination) = (self.now, self.server);
        let source = self.sockets[index].local_addr().unwrap();
        self.step(|shard| {
            for contents in datagrams {
                let datagram = Datagram { transport: Transport::Udp, source, destination, contents };
                shard.handle_datagram(now, datagram);
            }
        });
    }

    /// Gives the shard a command.
    pub fn command(&mut self, command: Command) {
        let now = self.now;
        self.step(|shard| shard.handle_command(now, command));
    }

    /// Takes what the scale says.
    pub fn take_spent(&mut self) -> Duration {
        std::mem::take(&mut self.spent)
    }

    /// Where the shard is.
    #[must_use]
    pub fn server(&self) -> SocketAddr {
        self.server
    }

    /// Where the callers are.
    #[must_use]
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.sockets.iter().map(|socket| socket.local_addr().unwrap()).collect()
    }

    /// Throws away what a socket has received.
    pub fn discard(&self, index: usize, datagrams: usize) {
        let mut buffer = [0; 2_048];
        for _ in 0..datagrams {
            let _ = self.sockets[index].recv(&mut buffer);
        }
    }

    fn step(&mut self, act: impl FnOnce(&mut Shard)) {
        let Self { shard, sender, sent, events, .. } = self;
        let start = cpu();
        act(shard);
        while let Some(output) = shard.poll_output() {
            match output {
                Output::Transmit(transmit) => {
                    match sent.last_mut().filter(|(address, _)| *address == transmit.destination) {
                        Some((_, count)) => *count += 1,
                        None => sent.push((transmit.destination, 1)),
                    }
                    sender.send(transmit);
                }
                Output::Event(event) => events.push(event),
                // There is only one shard, and UDP carries everything.
                Output::Note { .. } | Output::Stream { .. } => {}
            }
        }
        sender.flush();
        self.spent += cpu() - start;
        self.deliver();
        self.signal();
    }

    /// Takes what has left off the wire.
    fn deliver(&mut self) {
        let mut buffer = [0; 2_048];
        for (address, count) in std::mem::take(&mut self.sent) {
            let Some(index) = self.by_address.get(&address).copied() else { continue };
            for _ in 0..count {
                let Ok(length) = self.sockets[index].recv(&mut buffer) else { break };
                self.flying.push_back((self.now + DELAY, index, buffer[..length].to_vec()));
            }
        }
    }

    /// Gives the callers what has arrived, and the shard what they say to it.
    fn arrive(&mut self) {
        let now = self.now;
        let mut answers: BTreeMap<usize, Vec<Vec<u8>>> = BTreeMap::new();
        while let Some((_, index, contents)) = self.flying.pop_front_if(|(at, ..)| *at <= now) {
            if let Some(caller) = &mut self.callers[index] {
                caller.take_datagram(now, &contents, answers.entry(index).or_default());
            }
        }
        answers.iter().for_each(|(index, datagrams)| self.feed(*index, datagrams));
    }

    fn signal(&mut self) {
        for event in std::mem::take(&mut self.events) {
            let Some(index) = self.by_id.get(&event.participant).copied() else { continue };
            let Some(caller) = &mut self.callers[index] else { continue };
            match event.kind {
                EventKind::Answer { sdp, .. } => caller.take_answer(&sdp),
                EventKind::Offer { id, sdp, .. } => {
                    if let Some(answer) = caller.take_offer(id, &sdp) {
                        self.command(answer);
                    }
                }
                EventKind::Refused { refusal, .. } => panic!("refused: {refusal}"),
                EventKind::Left(reason) => panic!("left: {reason:?}"),
                _ => {}
            }
            // What it has to send after it has learnt something.
            let mut datagrams = Vec::new();
            if let Some(caller) = &mut self.callers[index] {
                caller.wake(self.now, &mut datagrams);
            }
            self.feed(index, &datagrams);
        }
    }

    fn next(&self) -> Option<Instant> {
        let callers = self.callers.iter().flatten().map(|caller| caller.deadline);
        let flying = self.flying.front().map(|(at, ..)| *at);
        callers.chain(flying).chain(self.shard.poll_timeout().map(|(deadline, _)| deadline)).min()
    }

    fn all_connected(&self, from: usize) -> bool {
        self.callers[from..].iter().flatten().all(|caller| caller.connected)
    }
}

/// What callers may do: everything. `adapts`: whether their bandwidth is estimated.
#[must_use]
pub fn profile(caller: &Caller, adapts: bool) -> Profile {
    Profile {
        fingerprint: Some(caller.fingerprint),
        may_send: Source::ALL.into_iter().collect(),
        codecs: vec![Codec::Opus, Codec::Vp8],
        red: false,
        stream: format!("{:032x}", caller.id.0),
        adapts,
        reports_sound: false,
        max_voices: 8,
        max_cameras: 25,
        keyframe_gap: Duration::from_millis(500),
        manners: Manners::default(),
    }
}
