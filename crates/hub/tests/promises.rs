//! What holds whatever comes: nothing crosses a realm, and a session is on at most one connection.

#![allow(clippy::indexing_slicing, reason = "a test fails by panicking")]
#![allow(clippy::disallowed_methods, reason = "a test starts somewhere in time")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use hub::{Channel, ConnectionId, Event, Hub, Input, Limits, Media, Output, PuntReason, State};
use identity::{Grant, Permissions, Principal, RealmId, Session, SessionId, Subject, UnixMillis};
use proptest::collection::vec;
use proptest::prelude::*;

const LIMITS: Limits = Limits {
    linger: Duration::from_secs(30),
    linger_without_media: Duration::from_secs(10),
    members: 4,
    channels: 2,
};

/// Sessions 0–3 are of realm 0 and 1 in turn; a principal's number is its session's, so that any two are strangers.
#[derive(Debug, Clone)]
enum Step {
    Open { connection: u64, who: u128 },
    Attach { session: u128, as_who: u128, connection: u64 },
    Drop(u64),
    SetMedia(u128, bool),
    Join(u128, usize),
    Leave(u128, usize),
    Send(u128, usize),
    SetState(u128, u64),
    Punt(u128),
    Revoke(u128),
    Wait(u64),
}

/// What a hub has to remember, written as plainly as possible.
#[derive(Debug, Default)]
struct Reference {
    /// Connection → whose.
    open: BTreeMap<u64, u128>,
    /// Session → its connection, or none while it lingers until that second.
    sessions: BTreeMap<u128, Result<u64, u64>>,
    media: BTreeSet<u128>,
    /// In order of joining.
    members: [Vec<u128>; 2],
    now: u64,
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn the_hub_does_what_the_reference_does(steps in vec(step(), 0..60)) {
        let (start, mut hub, mut reference) = (Instant::now(), Hub::new(LIMITS), Reference::default());
        for step in steps {
            let accepted = reference.accepts(&step);
            let before = reference.members.clone();
            reference.take(&step);
            let now = start + Duration::from_secs(reference.now);
            match input(&step) {
                Some(input) => {
                    let done = hub.handle_input(now, input);
                    prop_assert_eq!(done.is_ok(), accepted, "{:?} {:?}", step, done);
                }
                None => hub.handle_timeout(now),
            }
            let outputs: Vec<_> = std::iter::from_fn(|| hub.poll_output()).collect();
            if !accepted {
                prop_assert_eq!(&outputs, &[], "{:?} was refused", step);
            }
            check_outputs(&reference, &before, &step, &outputs)?;
            for realm in 0..2 {
                let present = hub.present(&channel(realm));
                let shown: Vec<_> = present.iter().map(|member| member.session.id.0).collect();
                prop_assert_eq!(&shown, &reference.members[realm], "{:?}", step);
            }
            let deadline = hub.poll_timeout().map(|(until, _)| (until - start).as_secs());
            let expected = reference.sessions.values().filter_map(|place| place.err()).min();
            prop_assert_eq!(deadline, expected);
        }
    }
}

fn check_outputs(
    reference: &Reference,
    before: &[Vec<u128>; 2],
    step: &Step,
    outputs: &[Output],
) -> Result<(), TestCaseError> {
    let mut seen = BTreeSet::new();
    for output in outputs {
        match output {
            Output::Deliver { connection, session, event } => {
                prop_assert_eq!(reference.sessions.get(&session.0), Some(&Ok(connection.0)));
                let (channel_of, heard) = match event {
                    Event::Presence { channel, present } => {
                        for member in present.iter() {
                            prop_assert_eq!(realm_of(member.session.id.0), realm_of(session.0));
                        }
                        (channel, None)
                    }
                    Event::Message { from, channel, .. } => {
                        let Subject::Guest(from_session) = &from.subject else { unreachable!() };
                        prop_assert_eq!(&from.realm, &realm(realm_of(session.0)));
                        (channel, Some(from_session.0))
                    }
                    Event::Punted(_) => {
                        return Err(TestCaseError::fail("connections here carry one session"));
                    }
                };
                prop_assert_eq!(channel_of, &channel(realm_of(session.0)));
                prop_assert!(seen.insert((*session, heard)), "told twice: {:?}", output);
            }
            Output::Close { connection, .. } => prop_assert!(!reference.open.contains_key(&connection.0)),
            Output::Expired(session) => prop_assert!(!reference.sessions.contains_key(&session.0)),
        }
    }
    if let Step::Send(from, to) = step
        && reference.accepts(step)
    {
        let expected: BTreeSet<_> = reference.members[*to]
            .iter()
            .filter(|member| *member != from && reference.sessions[*member].is_ok())
            .map(|member| (SessionId(*member), Some(*from)))
            .collect();
        prop_assert_eq!(seen, expected);
    } else {
        for (before, after) in before.iter().zip(&reference.members) {
            if before != after {
                let told = |member: &&u128| reference.sessions[*member].is_ok();
                for member in after.iter().filter(told) {
                    prop_assert!(seen.contains(&(SessionId(*member), None)), "{} was not told", member);
                }
            }
        }
    }
    Ok(())
}

impl Reference {
    fn accepts(&self, step: &Step) -> bool {
        match step {
            Step::Open { connection, .. } => !self.open.contains_key(connection),
            // A principal holds one session here, so a session of another number is another principal's.
            Step::Attach { session, as_who, connection } => {
                let holder = self.open.get(connection);
                let stranger = self.sessions.contains_key(session) && session != as_who;
                holder == Some(as_who) && !stranger && session == as_who
            }
            Step::Drop(_) | Step::Revoke(_) | Step::Wait(_) => true,
            Step::SetMedia(session, _) | Step::SetState(session, _) | Step::Punt(session) => {
                self.sessions.contains_key(session)
            }
            Step::Join(session, to) => self.sessions.contains_key(session) && realm_of(*session) == *to,
            Step::Leave(session, to) | Step::Send(session, to) => self.members[*to].contains(session),
        }
    }

    fn take(&mut self, step: &Step) {
        if !self.accepts(step) {
            return;
        }
        match *step {
            Step::Open { connection, who } => _ = self.open.insert(connection, who),
            Step::Attach { session, connection, .. } => {
                let older = self.sessions.insert(session, Ok(connection));
                if let Some(Ok(older)) = older
                    && older != connection
                {
                    self.open.remove(&older);
                }
            }
            Step::Drop(connection) => {
                self.open.remove(&connection);
                for (session, place) in &mut self.sessions {
                    if *place == Ok(connection) {
                        let patience = if self.media.contains(session) { 30 } else { 10 };
                        *place = Err(self.now + patience);
                    }
                }
            }
            Step::SetMedia(session, true) => _ = self.media.insert(session),
            Step::SetMedia(session, false) => {
                self.media.remove(&session);
                if let Some(Err(until)) = self.sessions.get_mut(&session) {
                    *until = (*until).min(self.now + 10);
                }
            }
            Step::Join(session, to) => {
                if !self.members[to].contains(&session) {
                    self.members[to].push(session);
                }
            }
            Step::Leave(session, to) => self.members[to].retain(|member| *member != session),
            Step::Send(..) | Step::SetState(..) => (),
            Step::Punt(session) => {
                let on = self.sessions.get(&session).copied();
                self.end(session);
                if let Some(Ok(connection)) = on {
                    self.open.remove(&connection);
                }
            }
            Step::Revoke(who) => {
                self.end(who);
                self.open.retain(|_, holder| *holder != who);
            }
            Step::Wait(seconds) => {
                self.now += seconds;
                let sessions = self.sessions.iter();
                let over = sessions.filter(|(_, place)| place.is_err_and(|until| until <= self.now));
                for session in over.map(|(session, _)| *session).collect::<Vec<_>>() {
                    self.end(session);
                }
            }
        }
    }

    fn end(&mut self, session: u128) {
        self.sessions.remove(&session);
        self.media.remove(&session);
        for members in &mut self.members {
            members.retain(|member| *member != session);
        }
    }
}

fn step() -> impl Strategy<Value = Step> {
    let (session, connection, channel) = (0..4_u128, 0..5_u64, 0..2_usize);
    prop_oneof![
        3 => (connection.clone(), session.clone()).prop_map(|(connection, who)| Step::Open { connection, who }),
        6 => (session.clone(), connection.clone()).prop_map(|(session, connection)| {
            Step::Attach { session, as_who: session, connection }
        }),
        1 => (session.clone(), session.clone(), connection.clone()).prop_map(|(session, as_who, connection)| {
            Step::Attach { session, as_who, connection }
        }),
        2 => connection.prop_map(Step::Drop),
        1 => (session.clone(), any::<bool>()).prop_map(|(session, up)| Step::SetMedia(session, up)),
        5 => (session.clone(), channel.clone()).prop_map(|(session, channel)| Step::Join(session, channel)),
        1 => (session.clone(), channel.clone()).prop_map(|(session, channel)| Step::Leave(session, channel)),
        4 => (session.clone(), channel).prop_map(|(session, channel)| Step::Send(session, channel)),
        1 => (session.clone(), any::<u64>()).prop_map(|(session, state)| Step::SetState(session, state)),
        1 => session.clone().prop_map(Step::Punt),
        1 => session.prop_map(Step::Revoke),
        2 => (0..20_u64).prop_map(Step::Wait),
    ]
}

fn input(step: &Step) -> Option<Input> {
    let input = match *step {
        Step::Open { connection, who } => {
            Input::Open { connection: ConnectionId(connection), principal: principal(who) }
        }
        Step::Attach { session, as_who, connection } => {
            let grant = Grant::new(principal(as_who), Permissions::NONE, UnixMillis::MAX);
            // The hub is told who somebody is; a session of another principal's number stands for a stolen id.
            let stolen = session != as_who;
            let grant = if stolen {
                Grant::new(principal(as_who + 100), Permissions::NONE, UnixMillis::MAX)
            } else {
                grant
            };
            let session = Session { id: SessionId(session), name: String::new(), grant };
            Input::Attach { session, connection: ConnectionId(connection) }
        }
        Step::Drop(connection) => Input::Drop { connection: ConnectionId(connection) },
        Step::SetMedia(session, up) => {
            Input::SetMedia { session: SessionId(session), media: if up { Media::Up } else { Media::Gone } }
        }
        Step::Join(session, to) => Input::Join { session: SessionId(session), channel: channel(to) },
        Step::Leave(session, to) => Input::Leave { session: SessionId(session), channel: channel(to) },
        Step::Send(from, to) => {
            Input::Send { from: SessionId(from), to: channel(to), body: Arc::from("hello") }
        }
        Step::SetState(session, state) => {
            Input::SetState { session: SessionId(session), state: State(state) }
        }
        Step::Punt(session) => Input::Punt { session: SessionId(session), reason: PuntReason::Removed },
        Step::Revoke(who) => Input::Revoke { principal: principal(who), reason: PuntReason::Revoked },
        Step::Wait(_) => return None,
    };
    Some(input)
}

fn realm_of(session: u128) -> usize {
    usize::from(session % 2 == 1)
}

fn realm(number: usize) -> RealmId {
    RealmId::new(format!("realm {number}"))
}

fn principal(who: u128) -> Principal {
    Principal { realm: realm(realm_of(who)), subject: Subject::Guest(SessionId(who)) }
}

/// One call in each realm, both of the same name: only the realm keeps them apart.
fn channel(number: usize) -> Channel {
    Channel::call(&realm(number), "standup")
}
