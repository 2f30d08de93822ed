//! Stories of sessions with one connection each, of their topics and their dialogs.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]
#![allow(clippy::disallowed_methods, reason = "a beginning for virtual time")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use hub::{
    ConnectionId, Dialogs, Heard, NoSeat, OutOfTurn, Passage, PuntReason, Speaker, Step, Subscribed,
    TopicLimits, TopicOutput, Topics,
};
use identity::{RealmId, SessionId};
use proptest::prelude::*;

const LIMITS: TopicLimits =
    TopicLimits { topics: 3, takeover_pause: Duration::from_secs(5), takeovers_per_minute: 3 };
const ANA: SessionId = SessionId(1);
const BEN: SessionId = SessionId(2);

struct Stage {
    topics: Topics,
    now: Instant,
    realm: RealmId,
}

impl Stage {
    fn new() -> Self {
        Self { topics: Topics::new(LIMITS), now: Instant::now(), realm: RealmId::new("here") }
    }

    fn come(&mut self, session: SessionId, connection: u64) -> Result<(), NoSeat> {
        let realm = self.realm.clone();
        self.topics.reserve(self.now, &realm, session, 2)?;
        self.topics.attach(self.now, &realm, session, ConnectionId(connection))
    }

    fn subscribe(&mut self, connection: u64, topic: &str) -> Subscribed {
        self.topics.subscribe(ConnectionId(connection), &Arc::from(topic))
    }

    fn publish(&mut self, connection: u64, topic: &str) {
        self.topics.publish(ConnectionId(connection), topic, &Arc::from("x"));
    }

    fn outputs(&mut self) -> Vec<TopicOutput> {
        std::iter::from_fn(|| self.topics.poll_output()).collect()
    }

    /// Who heard something: connection, topic and number.
    fn heard(&mut self) -> Vec<(u64, String, u64)> {
        let heard = |output| match output {
            TopicOutput::Hear { connection, heard } => (connection.0, heard.topic.to_string(), heard.serial),
            closed @ TopicOutput::Close { .. } => panic!("{closed:?}"),
        };
        self.outputs().into_iter().map(heard).collect()
    }
}

fn closed(connection: u64, reason: PuntReason) -> TopicOutput {
    TopicOutput::Close { connection: ConnectionId(connection), reason }
}

#[test]
fn a_speaker_is_heard_by_all_who_listen_itself_too() {
    let mut stage = Stage::new();
    stage.come(ANA, 1).unwrap();
    stage.come(BEN, 2).unwrap();
    assert_eq!(stage.subscribe(1, "c"), Subscribed::Newly);
    assert_eq!(stage.subscribe(1, "c"), Subscribed::Already);
    stage.subscribe(2, "c");
    stage.publish(1, "c");
    let hear = |connection, speaker| TopicOutput::Hear {
        connection: ConnectionId(connection),
        heard: Heard { topic: "c".into(), serial: 0, speaker, body: "x".into() },
    };
    assert_eq!(stage.outputs(), [hear(1, Speaker::Itself), hear(2, Speaker::Other(ANA))]);
    assert!(stage.topics.unsubscribe(ConnectionId(1), "c"));
    assert!(!stage.topics.unsubscribe(ConnectionId(1), "c"));
    stage.publish(1, "c");
    assert_eq!(stage.heard(), [(2, "c".to_owned(), 1)], "one speaks where it does not listen");
}

#[test]
fn something_may_be_said_for_a_session_that_is_gone() {
    let mut stage = Stage::new();
    stage.come(ANA, 1).unwrap();
    stage.come(BEN, 2).unwrap();
    stage.subscribe(1, "t");
    stage.subscribe(2, "t");
    let realm = stage.realm.clone();
    stage.topics.revoke(&realm, ANA);
    assert_eq!(stage.outputs(), [closed(1, PuntReason::Revoked)]);
    stage.topics.publish_for(&realm, ANA, "t", &Arc::from("x"));
    let (topic, body) = (Arc::from("t"), Arc::from("x"));
    let heard = Heard { topic, serial: 0, speaker: Speaker::Other(ANA), body };
    assert_eq!(stage.outputs(), [TopicOutput::Hear { connection: ConnectionId(2), heard }]);
    stage.topics.publish_for(&RealmId::new("elsewhere"), ANA, "t", &Arc::from("x"));
    assert_eq!(stage.outputs(), []);
}

#[test]
fn a_part_is_heard_by_those_of_the_whole_and_by_nobody_twice() {
    let mut stage = Stage::new();
    stage.come(ANA, 1).unwrap();
    stage.come(BEN, 2).unwrap();
    stage.subscribe(1, "c");
    stage.subscribe(1, "c.x");
    stage.subscribe(2, "c");
    stage.publish(2, "c.x");
    assert_eq!(stage.heard(), [(1, "c.x".to_owned(), 0), (2, "c".to_owned(), 0)]);
    stage.publish(2, "c.x.y");
    assert_eq!(stage.heard(), [(1, "c".to_owned(), 0), (2, "c".to_owned(), 1)]);
    stage.publish(2, "d");
    assert!(stage.heard().is_empty());
    assert_eq!(stage.subscribe(1, "c.y"), Subscribed::Newly);
    assert_eq!(stage.subscribe(1, "c.z"), Subscribed::TooMany);
    assert_eq!(stage.subscribe(9, "c"), Subscribed::NotAttached);
}

#[test]
fn a_takeover_closes_the_older_connection_and_begins_without_subscriptions() {
    let mut stage = Stage::new();
    stage.come(ANA, 1).unwrap();
    stage.subscribe(1, "c");
    stage.come(ANA, 2).unwrap();
    assert_eq!(stage.outputs(), [closed(1, PuntReason::Replaced)]);
    stage.publish(2, "c");
    stage.publish(1, "c");
    assert!(stage.heard().is_empty());
    assert_eq!(stage.subscribe(1, "c"), Subscribed::NotAttached);
    assert_eq!(stage.topics.drop_connection(ConnectionId(1)), None, "the older one takes nothing with it");
    assert_eq!(stage.topics.find(&stage.realm, ANA), Some(ConnectionId(2)));
    assert_eq!(stage.topics.drop_connection(ConnectionId(2)), Some(ANA));
    assert_eq!((stage.topics.find(&stage.realm, ANA), stage.topics.count()), (None, 0));
}

#[test]
fn takeovers_have_a_pause_and_a_number_and_whoever_holds_keeps() {
    let mut stage = Stage::new();
    stage.come(ANA, 1).unwrap();
    stage.come(ANA, 2).unwrap();
    stage.now += Duration::from_millis(4_999);
    assert_eq!(stage.come(ANA, 3), Err(NoSeat::InUse));
    assert_eq!(stage.topics.find(&stage.realm, ANA), Some(ConnectionId(2)));
    stage.now += Duration::from_millis(1);
    stage.come(ANA, 3).unwrap();
    stage.now += Duration::from_secs(5);
    stage.come(ANA, 4).unwrap();
    stage.now += Duration::from_secs(5);
    assert_eq!(stage.come(ANA, 5), Err(NoSeat::InUse), "three within the minute");
    stage.now += Duration::from_secs(45);
    stage.come(ANA, 5).unwrap();
}

#[test]
fn seats_count_and_are_given_back() {
    let mut stage = Stage::new();
    let realm = stage.realm.clone();
    stage.topics.reserve(stage.now, &realm, ANA, 2).unwrap();
    assert_eq!(stage.topics.reserve(stage.now, &realm, ANA, 2), Err(NoSeat::InUse), "two at once");
    stage.come(BEN, 2).unwrap();
    assert_eq!(stage.come(SessionId(3), 3), Err(NoSeat::Full));
    stage.come(BEN, 4).unwrap();
    stage.topics.release(&realm, ANA);
    stage.come(SessionId(3), 3).unwrap();
    assert_eq!(stage.topics.attach(stage.now, &realm, ANA, ConnectionId(1)), Err(NoSeat::TakenBack));
}

#[test]
fn who_is_revoked_is_closed_and_its_seat_taken_back() {
    let mut stage = Stage::new();
    let realm = stage.realm.clone();
    stage.come(ANA, 1).unwrap();
    stage.topics.reserve(stage.now, &realm, BEN, 2).unwrap();
    stage.topics.revoke(&realm, ANA);
    stage.topics.revoke(&realm, BEN);
    assert_eq!(stage.outputs(), [closed(1, PuntReason::Revoked)]);
    assert_eq!(stage.topics.attach(stage.now, &realm, BEN, ConnectionId(2)), Err(NoSeat::TakenBack));
    stage.come(ANA, 3).unwrap();
    stage.topics.revoke_realm(&realm);
    assert_eq!(stage.outputs(), [closed(3, PuntReason::Revoked)]);
    assert_eq!(stage.topics.count(), 0);
}

proptest! {
    /// Whatever happens: one connection a session, no more than there is room for, and nothing crosses realms or reaches the gone.
    #[test]
    fn nothing_crosses(acts in prop::collection::vec((0_u8..6, 0_u8..2, 0_u128..4, 0_u64..8), 1..120)) {
        let mut topics = Topics::new(TopicLimits { takeover_pause: Duration::ZERO, ..LIMITS });
        let now = Instant::now();
        let realms = [RealmId::new("a"), RealmId::new("b")];
        let mut places = BTreeMap::new();
        let mut next = 0;
        for (act, realm, session, which) in acts {
            let (realm, session) = (&realms[usize::from(realm)], SessionId(session));
            let connection = ConnectionId(next.max(which) - which);
            match act {
                0 | 1 => {
                    if topics.reserve(now, realm, session, 2).is_ok() {
                        next += 1;
                        topics.attach(now, realm, session, ConnectionId(next)).unwrap();
                        places.insert(ConnectionId(next), (realm.clone(), session));
                    }
                }
                2 => _ = topics.subscribe(connection, &Arc::from("c")),
                3 => topics.publish(connection, "c.x", &Arc::from(places.get(&connection).map_or("", |(realm, _)| realm.as_str()))),
                4 => _ = topics.drop_connection(connection),
                _ => topics.revoke(realm, session),
            }
            while let Some(output) = topics.poll_output() {
                if let TopicOutput::Hear { connection, heard } = output {
                    let (realm, session) = &places[&connection];
                    prop_assert_eq!(realm.as_str(), &*heard.body);
                    prop_assert_eq!(topics.find(realm, *session), Some(connection));
                }
            }
            let mut held = BTreeSet::new();
            for realm in &realms {
                let here: Vec<_> = topics.attached(realm).collect();
                prop_assert!(here.len() <= 2);
                for session in here {
                    prop_assert!(held.insert(topics.find(realm, session)));
                }
            }
            prop_assert_eq!(held.len(), topics.count());
        }
    }
}

#[test]
fn a_dialog_is_an_offer_that_was_accepted() {
    let (mut dialogs, now) = (Dialogs::default(), Instant::now());
    let keys = |text: &str| vec![text.to_owned()];
    let day = Duration::from_secs(24 * 60 * 60);
    let (anas, bens, others) = (keys("a"), keys("b"), keys("c"));
    let rows = [
        (now, ANA, BEN, Step::Describe(&anas), Err(OutOfTurn::NoDialog)),
        (now, BEN, ANA, Step::Accept, Err(OutOfTurn::NoOffer)),
        (now, ANA, BEN, Step::Offer, Ok(Passage::Moves)),
        (now, ANA, BEN, Step::Candidate, Err(OutOfTurn::NoDialog)),
        (now, ANA, BEN, Step::Accept, Err(OutOfTurn::NoOffer)),
        (now, BEN, SessionId(3), Step::Accept, Err(OutOfTurn::NoOffer)),
        (now, BEN, ANA, Step::Accept, Ok(Passage::Moves)),
        (now, ANA, BEN, Step::Describe(&anas), Ok(Passage::Moves)),
        (now, BEN, ANA, Step::Describe(&bens), Ok(Passage::Moves)),
        (now, ANA, BEN, Step::Describe(&others), Err(OutOfTurn::OtherCertificate)),
        (now, ANA, BEN, Step::Describe(&anas), Ok(Passage::Through)),
        (now, ANA, SessionId(3), Step::Candidate, Err(OutOfTurn::NoDialog)),
        (now + day / 2, ANA, BEN, Step::Candidate, Ok(Passage::Through)),
        (now + day, ANA, BEN, Step::Candidate, Err(OutOfTurn::NoDialog)),
        (now, BEN, ANA, Step::End, Ok(Passage::Moves)),
        (now, BEN, ANA, Step::Candidate, Err(OutOfTurn::NoDialog)),
        (now, BEN, ANA, Step::End, Ok(Passage::Through)),
    ];
    for (index, (now, from, to, step, expected)) in rows.into_iter().enumerate() {
        assert_eq!(dialogs.handle_step(now, from, to, step), expected, "row {index}");
    }
}

#[test]
fn offers_to_one_are_spared_until_it_accepts() {
    let (mut dialogs, now) = (Dialogs::default(), Instant::now());
    let mut offer = |now, to| dialogs.handle_step(now, ANA, to, Step::Offer).unwrap();
    assert!((0..4).all(|_| offer(now, BEN) == Passage::Moves));
    assert_eq!(offer(now, BEN), Passage::Spared);
    assert_eq!(offer(now, SessionId(3)), Passage::Moves, "another recipient");
    assert_eq!(offer(now + Duration::from_secs(60), BEN), Passage::Moves);
    dialogs.handle_step(now, BEN, ANA, Step::Accept).unwrap();
    assert_eq!(dialogs.handle_step(now, ANA, BEN, Step::Offer), Ok(Passage::Moves));
    for _ in 0..3 {
        dialogs.handle_step(now, ANA, BEN, Step::End).unwrap();
        dialogs.handle_step(now, ANA, BEN, Step::Offer).unwrap();
    }
    assert_eq!(
        dialogs.handle_step(now, ANA, BEN, Step::Offer),
        Ok(Passage::Spared),
        "though it took them back"
    );
    dialogs.forget(BEN);
    assert_eq!(dialogs.handle_step(now, BEN, ANA, Step::Accept), Err(OutOfTurn::NoOffer));
}

#[test]
fn dialogs_are_bounded_and_the_silent_one_is_forgotten() {
    let (mut dialogs, now) = (Dialogs::default(), Instant::now());
    for number in 0..5_000_u64 {
        let other = SessionId(u128::from(number) + 10);
        dialogs.handle_step(now + Duration::from_millis(number), ANA, other, Step::Offer).unwrap();
    }
    let mut accept = |number: u128| dialogs.handle_step(now, SessionId(number + 10), ANA, Step::Accept);
    assert_eq!(accept(0), Err(OutOfTurn::NoOffer));
    assert_eq!(accept(4_999), Ok(Passage::Moves));
}
