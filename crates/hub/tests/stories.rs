//! What sessions hear, step by step.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::disallowed_methods, reason = "a test starts somewhere in time")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use hub::{
    Channel, ConnectionId, Event, Hub, Input, Limits, Media, Output, PuntReason, Refused, Standing, State,
};
use identity::{Grant, Permissions, Principal, RealmId, Session, SessionId, Subject, UnixMillis};

const ANA: SessionId = SessionId(1);
const BEN: SessionId = SessionId(2);
const LIMITS: Limits = Limits {
    linger: Duration::from_secs(30),
    linger_without_media: Duration::from_secs(10),
    members: 3,
    channels: 2,
};

#[test]
fn each_member_sees_the_others_in_order_of_joining() {
    let mut stage = Stage::new();
    assert_eq!(stage.enter(BEN, 2), ["2 sees: 2"]);
    assert_eq!(stage.enter(ANA, 1), ["2 sees: 2 1", "1 sees: 2 1"]);
    assert_eq!(stage.leave(BEN), ["1 sees: 1"]);
    assert_eq!(stage.say(ANA), [""; 0]);
    assert_eq!(stage.enter(ANA, 1), [""; 0], "it has joined");
}

#[test]
fn a_message_reaches_the_other_members() {
    let mut stage = Stage::with([ANA, BEN]);
    assert_eq!(stage.say(ANA), ["2 hears 1"]);
    stage.input(Input::Drop { connection: ConnectionId(2) }).unwrap();
    assert_eq!(stage.heard(), ["1 sees: 1 2~"]);
    assert_eq!(stage.say(ANA), [""; 0]);
    assert_eq!(stage.refused(send(BEN, "elsewhere")), Refused::NotAMember);
    assert_eq!(stage.refused(send(SessionId(9), "standup")), Refused::NoSession);
}

#[test]
fn a_state_is_shown_once_it_changes() {
    let mut stage = Stage::with([ANA, BEN]);
    let set = |state| Input::SetState { session: ANA, state: State(state) };
    stage.input(set(5)).unwrap();
    assert_eq!(stage.heard(), ["1 sees: 1=5 2", "2 sees: 1=5 2"]);
    stage.input(set(5)).unwrap();
    assert_eq!(stage.heard(), [""; 0]);
}

#[test]
fn a_session_that_returns_in_time_keeps_its_place_and_state() {
    let mut stage = Stage::with([ANA, BEN]);
    stage.input(Input::SetMedia { session: ANA, media: Media::Up }).unwrap();
    stage.input(Input::SetState { session: ANA, state: State(1) }).unwrap();
    stage.input(Input::Drop { connection: ConnectionId(1) }).unwrap();
    stage.heard();
    assert_eq!(stage.deadline(), Some(30));
    assert_eq!(stage.pass(29), [""; 0]);
    stage.attach(ANA, 11).unwrap();
    assert_eq!(stage.heard(), ["1 sees: 1=1 2", "2 sees: 1=1 2"]);
    assert_eq!((stage.pass(60), stage.deadline()), (vec![], None));
}

#[test]
fn a_session_that_does_not_return_expires() {
    let mut stage = Stage::with([ANA, BEN]);
    stage.input(Input::Drop { connection: ConnectionId(1) }).unwrap();
    assert_eq!(stage.heard(), ["2 sees: 1~ 2"]);
    assert_eq!(stage.deadline(), Some(10), "without media it is waited for less long");
    assert_eq!(stage.pass(10), ["1 expired", "2 sees: 2"]);
    assert_eq!(stage.refused(Input::SetState { session: ANA, state: State(1) }), Refused::NoSession);
}

#[test]
fn media_that_goes_shortens_the_wait() {
    let mut stage = Stage::with([ANA]);
    stage.input(Input::SetMedia { session: ANA, media: Media::Up }).unwrap();
    stage.input(Input::Drop { connection: ConnectionId(1) }).unwrap();
    stage.pass(5);
    stage.input(Input::SetMedia { session: ANA, media: Media::Gone }).unwrap();
    assert_eq!(stage.deadline(), Some(15));
    stage.pass(9);
    stage.input(Input::SetMedia { session: ANA, media: Media::Gone }).unwrap();
    assert_eq!(stage.deadline(), Some(15), "said again, it does not lengthen it");
}

#[test]
fn a_second_connection_takes_the_session_over() {
    let mut stage = Stage::with([ANA, BEN]);
    stage.attach(ANA, 11).unwrap();
    assert_eq!(stage.heard(), ["close 1 Replaced", "1 sees: 1 2", "2 sees: 1 2"]);
    stage.input(Input::Drop { connection: ConnectionId(1) }).unwrap();
    assert_eq!((stage.heard(), stage.deadline()), (vec![], None), "the old socket is of no matter");
}

#[test]
fn nobody_takes_the_session_of_another_over() {
    let mut stage = Stage::with([ANA]);
    let eve = Principal::guest(SessionId(66));
    let connection = ConnectionId(66);
    stage.input(Input::Open { connection, principal: eve.clone() }).unwrap();
    assert_eq!(
        stage.refused(Input::Attach { session: guest(ANA, RealmId::installation()), connection }),
        Refused::OtherPrincipal
    );
    let grant = Grant::new(eve, Permissions::NONE, UnixMillis::MAX);
    let session = Session { id: ANA, name: "1".into(), grant };
    assert_eq!(stage.refused(Input::Attach { session, connection }), Refused::OtherPrincipal);
    assert_eq!(stage.heard(), [""; 0]);
}

#[test]
fn a_punted_session_is_gone_at_once() {
    let mut stage = Stage::with([ANA, BEN]);
    stage.input(Input::Punt { session: BEN, reason: PuntReason::Removed }).unwrap();
    assert_eq!(stage.heard(), ["close 2 Removed", "1 sees: 1"]);
    stage.input(Input::Drop { connection: ConnectionId(1) }).unwrap();
    stage.heard();
    stage.input(Input::Punt { session: ANA, reason: PuntReason::Removed }).unwrap();
    assert_eq!((stage.heard(), stage.deadline()), (vec![], None), "also while it lingers");
    assert_eq!(stage.refused(Input::Punt { session: ANA, reason: PuntReason::Removed }), Refused::NoSession);
}

#[test]
fn a_connection_outlives_one_of_its_sessions() {
    let mut stage = Stage::new();
    let (connection, principal) = (ConnectionId(1), service());
    let of = |id| Session {
        id,
        name: String::new(),
        grant: Grant::new(principal.clone(), Permissions::NONE, UnixMillis::MAX),
    };
    stage.input(Input::Open { connection, principal: principal.clone() }).unwrap();
    stage.input(Input::Attach { session: of(ANA), connection }).unwrap();
    stage.input(Input::Attach { session: of(BEN), connection }).unwrap();
    stage.input(Input::Punt { session: ANA, reason: PuntReason::Removed }).unwrap();
    assert_eq!(stage.heard(), ["1 punted Removed"]);
    stage.input(Input::Revoke { principal: principal.clone(), reason: PuntReason::Revoked }).unwrap();
    assert_eq!(stage.heard(), ["close 1 Revoked"]);
    assert_eq!(stage.refused(Input::Attach { session: of(BEN), connection }), Refused::NotOpen);
}

#[test]
fn limits_and_realms_hold() {
    let mut stage = Stage::with([ANA, BEN, SessionId(3)]);
    stage.attach(SessionId(4), 4).unwrap();
    assert_eq!(stage.refused(join(SessionId(4), "standup")), Refused::ChannelFull);
    stage.input(join(ANA, "two")).unwrap();
    assert_eq!(stage.refused(join(ANA, "three")), Refused::TooManyChannels);
    let channel = Channel::call(&RealmId::new("elsewhere"), "standup");
    assert_eq!(stage.refused(Input::Join { session: BEN, channel }), Refused::OtherRealm);
    let open = Input::Open { connection: ConnectionId(1), principal: Principal::guest(ANA) };
    assert_eq!(stage.refused(open), Refused::AlreadyOpen);
    let leave = Input::Leave { session: BEN, channel: call("two") };
    assert_eq!(stage.refused(leave), Refused::NotAMember);
}

struct Stage {
    hub: Hub,
    start: Instant,
    now: Instant,
}

impl Stage {
    fn new() -> Self {
        let start = Instant::now();
        Self { hub: Hub::new(LIMITS), start, now: start }
    }

    /// All in one call, each on the connection of its own number.
    fn with(sessions: impl IntoIterator<Item = SessionId>) -> Self {
        let mut stage = Self::new();
        for session in sessions {
            stage.enter(session, u64::try_from(session.0).unwrap());
        }
        stage
    }

    fn enter(&mut self, session: SessionId, connection: u64) -> Vec<String> {
        let _ = self.attach(session, connection);
        self.input(join(session, "standup")).unwrap();
        self.heard()
    }

    fn attach(&mut self, session: SessionId, connection: u64) -> Result<(), Refused> {
        let connection = ConnectionId(connection);
        self.input(Input::Open { connection, principal: Principal::guest(session) })?;
        self.input(Input::Attach { session: guest(session, RealmId::installation()), connection })
    }

    fn leave(&mut self, session: SessionId) -> Vec<String> {
        self.input(Input::Leave { session, channel: call("standup") }).unwrap();
        self.heard()
    }

    fn say(&mut self, from: SessionId) -> Vec<String> {
        self.input(send(from, "standup")).unwrap();
        self.heard()
    }

    fn input(&mut self, input: Input) -> Result<(), Refused> {
        self.hub.handle_input(self.now, input)
    }

    fn refused(&mut self, input: Input) -> Refused {
        self.input(input).unwrap_err()
    }

    fn pass(&mut self, seconds: u64) -> Vec<String> {
        self.now += Duration::from_secs(seconds);
        self.hub.handle_timeout(self.now);
        self.heard()
    }

    /// In seconds since the start.
    fn deadline(&self) -> Option<u64> {
        self.hub.poll_timeout().map(|(until, _)| (until - self.start).as_secs())
    }

    fn heard(&mut self) -> Vec<String> {
        std::iter::from_fn(|| self.hub.poll_output()).map(|output| tell(&output)).collect()
    }
}

fn tell(output: &Output) -> String {
    match output {
        Output::Deliver { session, event, .. } => match event {
            Event::Message { from, .. } => match &from.subject {
                Subject::Guest(from) => format!("{} hears {}", session.0, from.0),
                Subject::Operator(_) | Subject::Service | Subject::Client(_) => unreachable!(),
            },
            Event::Presence { present, .. } => {
                let members: Vec<_> = present
                    .iter()
                    .map(|member| {
                        let state =
                            if member.state.0 == 0 { String::new() } else { format!("={}", member.state.0) };
                        let standing = if member.standing == Standing::Lingering { "~" } else { "" };
                        format!("{}{state}{standing}", member.session.id.0)
                    })
                    .collect();
                format!("{} sees: {}", session.0, members.join(" "))
            }
            Event::Punted(reason) => format!("{} punted {reason:?}", session.0),
        },
        Output::Close { connection, reason } => format!("close {} {reason:?}", connection.0),
        Output::Expired(session) => format!("{} expired", session.0),
    }
}

fn guest(id: SessionId, realm: RealmId) -> Session {
    let principal = Principal { realm, subject: Subject::Guest(id) };
    Session { id, name: id.to_string(), grant: Grant::new(principal, Permissions::NONE, UnixMillis::MAX) }
}

fn service() -> Principal {
    Principal::operator(identity::UserId::new("ops"))
}

fn call(name: &str) -> Channel {
    Channel::call(&RealmId::installation(), name)
}

fn join(session: SessionId, name: &str) -> Input {
    Input::Join { session, channel: call(name) }
}

fn send(from: SessionId, name: &str) -> Input {
    Input::Send { from, to: call(name), body: Arc::from("hello") }
}
