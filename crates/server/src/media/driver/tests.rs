use std::collections::BTreeMap;
use std::net::SocketAddr;

use sfu::{Codec, Event, EventKind, Manners, ParticipantId, Profile, RoomId, Source, Sources};

use super::*;
use crate::media::pool::Prepared;
use crate::media::{MediaConfig, MediaPool, StartedMedia};

const ROOM: RoomId = RoomId(1);
const ANA: ParticipantId = ParticipantId(1);
const BEN: ParticipantId = ParticipantId(2);

/// A media thread that takes its turns when it is told.
struct Stage {
    driver: Driver,
    media: StartedMedia,
}

impl Stage {
    fn new() -> Self {
        let config = MediaConfig {
            shards: 1,
            dtls_1_3: false,
            listen_udp: vec![SocketAddr::from(([127, 0, 0, 1], 0))],
            listen_tcp: Vec::new(),
            advertise: Vec::new(),
            advertise_port: None,
            stun: Vec::new(),
        };
        let Prepared { media, mut drivers, .. } = MediaPool::prepare(&config, [3; 32]).unwrap();
        Self { driver: drivers.pop().unwrap(), media }
    }

    fn send(&self, command: Command) -> bool {
        self.media.pool.send(ROOM, command).is_ok()
    }

    fn join(&self, participant: ParticipantId, incarnation: u32) {
        let profile = Profile {
            fingerprint: None,
            may_send: Sources::from_iter([Source::Voice]),
            codecs: vec![Codec::Opus],
            red: false,
            stream: "one".to_owned(),
            adapts: false,
            reports_sound: false,
            max_voices: 1,
            max_cameras: 1,
            keyframe_gap: Duration::from_secs(1),
            manners: Manners::default(),
        };
        let muted = Sources::default();
        assert!(self.send(Command::Join { room: ROOM, participant, incarnation, profile, muted }));
    }

    /// An offer that is looked at, and refused.
    fn offer(&self, participant: ParticipantId, id: u32) -> bool {
        self.send(Command::Offer { participant, id, sdp: "v=0".to_owned(), sources: BTreeMap::new() })
    }

    /// What has been told since the last time.
    fn told(&mut self) -> Vec<EventKind> {
        std::iter::from_fn(|| self.media.events.try_recv().ok()).map(|Event { kind, .. }| kind).collect()
    }

    /// Which offers have been refused since the last time.
    fn refused(&mut self) -> Vec<u32> {
        let refused = |kind| if let EventKind::Refused { id, .. } = kind { Some(id) } else { None };
        self.told().into_iter().filter_map(refused).collect()
    }
}

#[test]
fn the_end_overtakes_whatever_waits() {
    let mut stage = Stage::new();
    stage.join(ANA, 1);
    while stage.offer(ANA, 1) {}
    stage.media.pool.stop();
    stage.driver.turn_until_stopped().unwrap();
    assert_eq!(stage.told(), []);
}

#[test]
fn after_a_description_it_is_the_packets_turn() {
    let mut stage = Stage::new();
    stage.join(ANA, 1);
    for id in 1..=3 {
        assert!(stage.offer(ANA, id));
    }
    for _ in 0..10 {
        assert!(stage.send(Command::Mute { participant: ANA, source: Source::Voice, muted: true }));
    }
    for id in 1..=3 {
        assert_eq!(stage.driver.take_commands(), Taken::Some);
        assert_eq!(stage.refused(), [id]);
    }
    assert_eq!(stage.driver.take_commands(), Taken::All, "what is cheap is taken in one turn");
}

#[test]
fn what_somebody_said_before_leaving_costs_nothing() {
    let mut stage = Stage::new();
    stage.join(ANA, 1);
    stage.join(BEN, 1);
    for id in 1..=5 {
        assert!(stage.offer(ANA, id));
        assert!(stage.send(Command::Answer { participant: ANA, id, sdp: "v=0".to_owned() }));
    }
    assert!(stage.send(Command::Leave { participant: ANA }));
    assert!(stage.offer(BEN, 6));
    assert_eq!(stage.driver.take_commands(), Taken::Some);
    assert_eq!(stage.refused(), [6], "somebody else's, in the first turn");
    stage.join(ANA, 2);
    assert!(stage.offer(ANA, 7));
    assert_eq!(stage.driver.take_commands(), Taken::Some);
    assert_eq!(stage.refused(), [7], "she is back");
}
