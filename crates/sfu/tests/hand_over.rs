//! Two shards behind one port: everything comes to the first, the room is on the second.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]
#![allow(clippy::disallowed_methods, reason = "a test needs some time to begin with")]

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use sfu::{
    Command, Datagram, Event, EventKind, Note, Output, ParticipantId, Shard, ShardConfig, ShardIndex, Source,
    Transport, provider, shard_of,
};
use testkit::stage::{Client, ROOM, SERVER, Say, profile, server_certificate};

const GATE: usize = 0;
const HOME: usize = 1;

#[test]
fn a_call_on_the_other_shard_connects_and_flows_and_leaves_nothing_behind() {
    let mut pair = Pair::new(2);
    let sources = [[Source::Voice, Source::Camera]; 2];
    (0..2).for_each(|index| pair.join(index, &sources[index]));
    pair.run(Duration::from_secs(3));
    for client in &pair.clients {
        assert!(client.connected);
        let packets: Vec<u64> = client.heard.values().map(|heard| heard.packets).collect();
        assert!(packets.len() == 2 && packets.iter().all(|packets| *packets > 60), "{packets:?}");
    }
    let (gate, home) = (pair.shards[GATE].stats(), pair.shards[HOME].stats());
    assert_eq!((gate.participants, gate.strangers, gate.not_handed_over), (0, 0, 0));
    assert_eq!((gate.datagrams_in, home.datagrams_in), (gate.handed_over, 0));
    assert_eq!((home.taken_over, home.strangers), (gate.handed_over, 0));
    assert_eq!(pair.sent_untold, 0, "what answers a check finds its way");
    assert!(
        pair.notes.iter().all(|(from, to, note)| (*from, *to, matches!(note, Note::Mine(_))) == (1, 0, true))
    );

    let paths: Vec<SocketAddr> = pair.clients.iter().map(|client| client.address).collect();
    assert!(paths.iter().all(|source| pair.is_handed_over(*source, &[128; 40])));
    pair.command(HOME, Command::CloseRoom(ROOM));
    assert!(!paths.iter().any(|source| pair.is_handed_over(*source, &[128; 40])));
}

#[test]
fn a_forged_source_moves_nothing() {
    let mut pair = Pair::new(2);
    (0..2).for_each(|index| pair.join(index, &[Source::Voice]));
    pair.run(Duration::from_secs(2));
    let victim = pair.clients[0].address;
    let request = pair.last_request.clone().unwrap();
    assert_eq!(shard_of(&request), Some(ShardIndex(1)));
    // A request of another participant with a bit of its integrity turned, under addresses that are the victim's and nobody's.
    let mut broken = request;
    *broken.last_mut().unwrap() ^= 1;
    let end = broken.len() - 9;
    broken[end] ^= 1;
    pair.notes.clear();
    let before = pair.heard(0);
    for source in [victim, SocketAddr::from(([192, 0, 2, 66], 6_666))] {
        pair.arrive(source, &broken);
        pair.drain(HOME);
    }
    let stray = SocketAddr::from(([192, 0, 2, 66], 6_666));
    assert!(!pair.is_handed_over(stray, &[128; 40]) && pair.is_handed_over(victim, &[128; 40]));
    assert!(!pair.notes.iter().any(|(_, _, note)| matches!(note, Note::Mine(path) if path.source == stray)));
    pair.run(Duration::from_secs(1));
    assert!(pair.heard(0) > before + 40 && pair.clients.iter().all(|client| !client.closed));
}

#[test]
fn a_lost_note_is_told_again_and_a_lost_end_is_found_out() {
    let mut pair = Pair::new(2);
    pair.lose_notes = true;
    (0..2).for_each(|index| pair.join(index, &[Source::Voice]));
    pair.run(Duration::from_millis(100));
    assert!(!pair.notes.is_empty() && pair.clients.iter().all(|client| !client.connected));
    pair.lose_notes = false;
    pair.run(Duration::from_secs(10));
    assert!(pair.clients.iter().all(|client| client.connected));
    pair.lose_notes = true;
    let source = pair.clients[0].address;
    pair.command(HOME, Command::CloseRoom(ROOM));
    pair.lose_notes = false;
    assert!(pair.is_handed_over(source, &[128; 40]), "the end was lost");
    pair.arrive(source, &[128; 40]);
    pair.drain(HOME);
    assert!(!pair.is_handed_over(source, &[128; 40]), "and is told by the next datagram");
}

#[test]
fn nothing_is_handed_over_twice() {
    let mut pair = Pair::new(2);
    (0..2).for_each(|index| pair.join(index, &[Source::Voice]));
    pair.run(Duration::from_secs(2));
    let request = pair.last_request.clone().unwrap();
    let now = pair.now;
    let before = pair.shards[GATE].stats();
    let datagram = Datagram {
        transport: Transport::Udp,
        source: pair.clients[0].address,
        destination: SERVER,
        contents: &request,
    };
    pair.shards[GATE].handle_handed_over(now, ShardIndex(1), datagram);
    let after = pair.shards[GATE].stats();
    assert_eq!((after.handed_over, after.strangers), (before.handed_over, before.strangers + 1));
}

struct Pair {
    now: Instant,
    shards: [Shard; 2],
    clients: Vec<Client>,
    signals: VecDeque<Event>,
    notes: Vec<(u8, u8, Note)>,
    lose_notes: bool,
    /// Datagrams that left on a path before the other shard was told of it.
    sent_untold: usize,
    last_request: Option<Vec<u8>>,
}

impl Pair {
    fn new(clients: u16) -> Self {
        let now = Instant::now();
        let certificate = server_certificate();
        let shard = |index: u8| {
            let config = ShardConfig {
                index: ShardIndex(index),
                candidates: vec![SERVER],
                tcp_candidates: Vec::new(),
                dtls_1_3: false,
                certificate: certificate.clone(),
                max_participants: 10,
                max_in_room: 10,
            };
            let mut shard = Shard::new(config, [index; 32], now).unwrap();
            shard.set_shards(2);
            shard
        };
        let crypto = provider().unwrap();
        let client = |number: u16| {
            let address = SocketAddr::from(([203, 0, 113, 1], 5_000 + number));
            Client::new(ParticipantId(number.into()), address, &crypto, now)
        };
        Self {
            now,
            shards: [shard(0), shard(1)],
            clients: (0..clients).map(client).collect(),
            signals: VecDeque::new(),
            notes: Vec::new(),
            lose_notes: false,
            sent_untold: 0,
            last_request: None,
        }
    }

    fn join(&mut self, index: usize, sources: &[Source]) {
        let client = &mut self.clients[index];
        let profile = profile(client, client.fingerprint);
        let participant = client.id;
        let said = client.offer(self.now, sources);
        self.command(
            HOME,
            Command::Join {
                room: ROOM,
                participant,
                incarnation: 1,
                profile,
                muted: sfu::Sources::default(),
            },
        );
        self.say(participant, said);
    }

    fn say(&mut self, participant: ParticipantId, said: Say) {
        let command = match said {
            Say::Offer { id, sdp, sources } => Command::Offer { participant, id, sdp, sources },
            Say::Answer { id, sdp } => Command::Answer { participant, id, sdp },
        };
        self.command(HOME, command);
    }

    fn command(&mut self, shard: usize, command: Command) {
        self.shards[shard].handle_command(self.now, command);
        self.drain(shard);
    }

    /// A datagram comes to the gate, and is handed over.
    fn arrive(&mut self, source: SocketAddr, contents: &[u8]) {
        let datagram = Datagram { transport: Transport::Udp, source, destination: SERVER, contents };
        let handed = self.shards[GATE].handle_datagram(self.now, datagram);
        if shard_of(contents).is_some() {
            self.last_request = Some(contents.to_vec());
        }
        if let Some(handed) = handed {
            self.shards[usize::from(handed.to.0)].handle_handed_over(self.now, ShardIndex(0), datagram);
        }
    }

    fn is_handed_over(&mut self, source: SocketAddr, contents: &[u8]) -> bool {
        let datagram = Datagram { transport: Transport::Udp, source, destination: SERVER, contents };
        self.shards[GATE].handle_datagram(self.now, datagram).is_some()
    }

    fn drain(&mut self, shard: usize) {
        while let Some(output) = self.shards[shard].poll_output() {
            match output {
                Output::Transmit(transmit) => {
                    let is_of =
                        |note: &Note| matches!(note, Note::Mine(path) if path.source == transmit.destination);
                    self.sent_untold += usize::from(!self.notes.iter().any(|(_, _, note)| is_of(note)));
                    let client =
                        self.clients.iter_mut().find(|client| client.address == transmit.destination);
                    client.unwrap().take_datagram(self.now, transmit.source, &transmit.contents);
                }
                Output::Event(event) => self.signals.push_back(event),
                Output::Note { to, note } => {
                    self.notes.push((u8::try_from(shard).unwrap(), to.0, note));
                    if !self.lose_notes {
                        self.shards[usize::from(to.0)]
                            .handle_note(ShardIndex(u8::try_from(shard).unwrap()), note);
                    }
                }
                Output::Stream { .. } => panic!("there is no connection"),
            }
        }
    }

    fn run(&mut self, time: Duration) {
        let end = self.now + time;
        while self.now < end {
            self.now += Duration::from_millis(5);
            for shard in [GATE, HOME] {
                self.shards[shard].handle_timeout(self.now);
                self.drain(shard);
            }
            while let Some(event) = self.signals.pop_front() {
                self.tell(event);
            }
            for index in 0..self.clients.len() {
                self.turn(index);
            }
        }
    }

    fn tell(&mut self, event: Event) {
        let Some(client) = self.clients.iter_mut().find(|client| client.id == event.participant) else {
            return;
        };
        match event.kind {
            EventKind::Answer { id, sdp } => client.take_answer(id, &sdp),
            EventKind::Offer { id, sdp, sending, .. } => {
                if let Some(said) = client.take_offer(id, &sdp, sending) {
                    self.say(event.participant, said);
                }
            }
            EventKind::Refused { refusal, .. } => panic!("{refusal}"),
            EventKind::Connected
            | EventKind::Speaking(_)
            | EventKind::ActiveSpeaker
            | EventKind::DataOpen { .. }
            | EventKind::Data { .. }
            | EventKind::Lock { .. }
            | EventKind::Tracks { .. }
            | EventKind::TakenUp { .. }
            | EventKind::Delivered { .. }
            | EventKind::Left(_) => {}
        }
    }

    fn turn(&mut self, index: usize) {
        let mut sent = Vec::new();
        let client = &mut self.clients[index];
        client.wake(self.now);
        client.drain(|_, contents| sent.push(contents.to_vec()));
        while client.publish_one(self.now) {
            client.drain(|_, contents| sent.push(contents.to_vec()));
        }
        let source = client.address;
        for contents in sent {
            self.arrive(source, &contents);
            self.drain(HOME);
        }
    }

    fn heard(&self, index: usize) -> u64 {
        self.clients[index].heard.values().map(|heard| heard.packets).sum()
    }
}
