//! The service on a real hub and a real store, with an engine that only listens.

use std::collections::BTreeMap;
use std::sync::Arc;

use backend::{AuditRecord, NewInvite, NewRoom, NewSession, Outcome};
use hub::Event as HubEvent;
use identity::{
    Fingerprint, Grant, InviteId, Permission, Permissions, Principal, PublicKey, RoomKey, Session, SessionId,
    TokenHash, TokenKind, UnixMillis, UserId, hash, mint,
};
use sfu::{EventKind, LeaveReason, SignalRefusal};
use tempfile::TempDir;

use super::*;
use crate::audit::{Act, entry};
use crate::http::peer::Peer;
use crate::hub_driver::{HubDriver, ROOM_LIMITS};
use crate::outbox::{Next, Outlet, outbox};
use crate::services::Complaint;

const ROOM: RoomKey = RoomKey(1);
const INVITE: InviteId = InviteId(2);
/// The point of RFC 6979 §A.2.5.
const KEY: &str = "BGD-1LolWp0xyWHrdMY1bWjASbiSO2H6bOZpYi5g8p-2eQP-EAi4vJmkGunpVii8ZPLxsgwtfp9Rd6PClNRGIpk";

#[tokio::test]
async fn an_offer_with_another_label_makes_media_anew() {
    let stage = Stage::new().await;
    let (ana, mut outlet) = stage.enter(1, 1).await;
    stage.calls.mute(ana, Source::Camera, true).await.unwrap();
    stage.offer(ana, "m1", 1);
    assert_eq!(stage.commands(), ["repeat", "join 1 1 without Camera", "offer 1"]);
    stage.offer(ana, "m1", 1);
    stage.offer(ana, "m1", 2);
    stage.offer(ana, "m2", 1);
    assert_eq!(stage.commands(), ["offer 2", "join 1 4 without Camera", "offer 1"]);
    stage.calls.answer(ana, "m1", 1, String::new()).unwrap();
    stage.calls.candidate(ana, "m1", "candidate:".into()).unwrap();
    assert!(stage.commands().is_empty(), "of an old media connection");
    stage.calls.answer(ana, "m2", 1, String::new()).unwrap();
    stage.calls.candidate(ana, "m2", "candidate:".into()).unwrap();
    stage.calls.candidate(ana, "m2", String::new()).unwrap();
    assert_eq!(stage.commands(), ["answer 1", "candidate"]);
    assert!(matches!(outlet.next().await, Next::Say(_)));
}

#[tokio::test]
async fn an_offer_with_a_foreign_fingerprint_leaves_the_media_alone() {
    let stage = Stage::new().await;
    let (ana, mut outlet) = stage.enter(1, 1).await;
    stage.offer(ana, "m1", 1);
    stage.commands();
    stage.hear(&mut outlet).await;
    for fingerprints in [&[][..], &[fingerprint(2)], &[fingerprint(1), fingerprint(2)]] {
        stage.offer_with(ana, "m2", 1, fingerprints);
        assert_eq!(stage.hear(&mut outlet).await, ["refused Offer Fingerprint"]);
    }
    assert!(stage.commands().is_empty());
    stage.offer(ana, "m1", 2);
    assert_eq!(stage.commands(), ["offer 2"]);
}

#[tokio::test]
async fn what_the_engine_says_reaches_whoever_it_is_about() {
    let stage = Stage::new().await;
    let (ana, mut outlet) = stage.enter(1, 1).await;
    stage.offer(ana, "m1", 1);
    stage.hear(&mut outlet).await;
    stage.event(1, 7, EventKind::Answer { id: 1, sdp: "of another connection".into() }).await;
    stage.event(1, 1, EventKind::Answer { id: 1, sdp: "v".into() }).await;
    stage.event(1, 1, EventKind::Refused { id: 9, refusal: SignalRefusal::Fingerprint }).await;
    stage.offer(ana, "m1", 1);
    stage.event(1, 1, EventKind::Left(LeaveReason::TransportLost)).await;
    stage.event(1, 1, EventKind::Answer { id: 1, sdp: "too late".into() }).await;
    let heard = stage.hear(&mut outlet).await;
    assert_eq!(heard, ["answer 1", "refused Answer Fingerprint", "answer 1", "lost TransportLost"]);
    stage.offer(ana, "m1", 5);
    assert_eq!(stage.commands(), ["repeat", "join 1 1", "offer 1", "join 1 3", "offer 5"]);
}

#[tokio::test]
async fn a_second_socket_takes_the_session_and_its_media_over() {
    let stage = Stage::new().await;
    let (first, mut old) = stage.enter(1, 1).await;
    stage.offer(first, "m1", 1);
    stage.event(1, 1, EventKind::Answer { id: 1, sdp: "v".into() }).await;
    stage.hear(&mut old).await;
    let (_, mut new) = stage.enter(1, 2).await;
    assert_eq!(stage.hear(&mut old).await, ["closed Replaced"]);
    let heard = stage.hear(&mut new).await;
    assert!(heard.contains(&"welcome m1".to_owned()) && heard.contains(&"answer 1".to_owned()), "{heard:?}");
    assert_eq!(stage.calls.mute(first, Source::Voice, true).await, Err(Refusal::Denied));
    assert_eq!(stage.calls.leave(first, peer()).await, Err(Refusal::Denied));
    stage.calls.disconnected(first.connection, Some(first)).await;
    assert_eq!(stage.commands(), ["repeat", "join 1 1", "offer 1", "repeat"]);
}

#[tokio::test]
async fn who_is_removed_is_gone_everywhere() {
    let stage = Stage::new().await;
    let (ana, mut hers) = stage.enter(1, 1).await;
    let (ben, mut his) = stage.enter(2, 2).await;
    stage.offer(ben, "m1", 1);
    stage.hear(&mut his).await;
    stage.commands();
    assert_eq!(stage.calls.remove(ben, ana.session, peer()).await, Err(Refusal::Forbidden));
    assert_eq!(stage.calls.remove(ana, SessionId(9), peer()).await, Err(Refusal::NotFound));
    stage.calls.remove(ana, ben.session, peer()).await.unwrap();
    assert_eq!(stage.commands(), ["leave 2"]);
    assert_eq!(stage.hear(&mut his).await, ["closed Removed"]);
    assert_eq!(stage.hear(&mut hers).await.last().unwrap(), "roster 1");
    let (sender, _) = outbox();
    let again = stage.calls.attach(stage.admitted(2), ConnectionId(3), sender).await;
    assert_eq!(again, Err(Refusal::Denied), "believed before, revoked since");
    assert_eq!(stage.hear(&mut hers).await.last().unwrap(), "roster 1");
    let lines = stage.calls.store.audit_page(None, 1).await.unwrap();
    assert_eq!(lines[0].entry.action, "session.remove");
}

#[tokio::test]
async fn a_revoked_invite_takes_all_who_came_by_it() {
    let stage = Stage::new().await;
    let (_, mut hers) = stage.enter(1, 1).await;
    let operator = operator();
    let missing = stage.calls.revoke_invite(&operator, ROOM, InviteId(9), peer()).await;
    assert_eq!(missing, Err(Refusal::NotFound));
    stage.calls.revoke_invite(&operator, ROOM, INVITE, peer()).await.unwrap();
    assert_eq!(stage.hear(&mut hers).await.last().unwrap(), "closed Revoked");
    let guest = stage.admitted(2).session.grant;
    assert_eq!(stage.calls.revoke_invite(&guest, ROOM, INVITE, peer()).await, Err(Refusal::Forbidden));
}

#[tokio::test]
async fn a_room_that_ends_ends_for_everybody() {
    let stage = Stage::new().await;
    let (ana, mut hers) = stage.enter(1, 1).await;
    let (ben, mut his) = stage.enter(2, 2).await;
    stage.offer(ben, "m1", 1);
    stage.commands();
    assert_eq!(stage.calls.end(ben, peer()).await, Err(Refusal::Forbidden));
    stage.calls.end(ana, peer()).await.unwrap();
    assert_eq!(stage.commands(), ["leave 2"]);
    assert_eq!(stage.hear(&mut hers).await.last().unwrap(), "closed Ended");
    assert_eq!(stage.hear(&mut his).await.last().unwrap(), "closed Ended");
    assert_eq!(stage.calls.end_as_operator(&operator(), ROOM, peer()).await, Err(Refusal::NotFound));
    for actor in [SessionId(2).to_string(), "operator".to_owned()] {
        stage.recorded(&actor, "room.end", Outcome::Refused).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_two_sockets_that_come_at_once_the_one_that_stays_open_is_heard() {
    let stage = Stage::new().await;
    for round in 0..400 {
        let arrivals = [round * 2, round * 2 + 1].map(|number| {
            let (calls, admitted, (sender, outlet)) = (stage.calls.clone(), stage.admitted(1), outbox());
            let open = sender.clone();
            let attached = async move { calls.attach(admitted, ConnectionId(number), sender).await.unwrap() };
            (tokio::spawn(attached), open, outlet)
        });
        let [(first, one, _hears), (second, other, _hears_too)] = arrivals;
        let seats = [(first.await.unwrap(), one), (second.await.unwrap(), other)];
        // What the hub has replaced it closes before it takes the next question.
        stage.calls.hub.present(channel(ROOM)).await.unwrap();
        for (seat, outbox) in seats {
            let heard = stage.calls.candidate(seat, "m", "candidate:".into());
            assert_eq!(heard.is_ok(), !outbox.is_closed(), "round {round}");
        }
    }
}

#[tokio::test]
async fn a_grant_that_ends_ends_the_session() {
    let stage = Stage::new().await;
    let mut admitted = stage.admitted(1);
    let permissions = admitted.session.grant.permissions();
    admitted.session.grant = Grant::new(Principal::guest(SessionId(1)), permissions, now());
    let (sender, mut outlet) = outbox();
    stage.calls.attach(admitted, ConnectionId(1), sender).await.unwrap();
    let (_events, none) = mpsc::channel(1);
    let calls = stage.calls.clone();
    let running = tokio::spawn(async move { calls.run(none).await });
    loop {
        if let Next::Close(reason) = outlet.next().await {
            assert_eq!(reason, PuntReason::Expired);
            break;
        }
    }
    running.abort();
}

#[tokio::test]
async fn who_does_not_come_back_loses_the_media() {
    let brief = hub::Limits { linger: Duration::ZERO, linger_without_media: Duration::ZERO, ..ROOM_LIMITS };
    let stage = Stage::with_limits(brief).await;
    let (ana, _hers) = stage.enter(1, 1).await;
    let (ben, mut his) = stage.enter(2, 2).await;
    stage.offer(ana, "m1", 1);
    stage.hear(&mut his).await;
    stage.commands();
    stage.calls.disconnected(ana.connection, Some(ana)).await;
    let heard = stage.hear(&mut his).await;
    assert_eq!(heard, ["roster 1 2", "roster 2"]);
    assert_eq!(stage.commands(), ["leave 1"]);
    stage.calls.mute(ben, Source::Voice, true).await.unwrap();
    assert_eq!(stage.calls.mute(ana, Source::Voice, true).await, Err(Refusal::Denied));
}

#[tokio::test]
async fn an_engine_that_takes_no_command_is_told_later() {
    let stage = Stage::new().await;
    let (ana, _outlet) = stage.enter(1, 1).await;
    stage.offer(ana, "m1", 1);
    stage.commands();
    stage.engine.lock().unwrap().busy = 3;
    let busy = stage.calls.candidate(ana, "m1", "candidate:".into());
    assert_eq!(busy, Err(Refusal::Busy { retry_after: BUSY }));
    stage.calls.leave(ana, peer()).await.unwrap();
    assert_eq!(stage.commands(), ["leave 1"]);
}

#[tokio::test]
async fn what_one_shows_reaches_the_engine() {
    let stage = Stage::new().await;
    let (ana, _outlet) = stage.enter(1, 1).await;
    stage.calls.view(ana, None).unwrap();
    assert_eq!(stage.commands(), ["repeat"], "there is no media connection");
    stage.offer(ana, "m1", 1);
    stage.commands();
    let tile = Tile { publisher: sfu::ParticipantId(2), source: Source::Camera, height: 720 };
    stage.calls.view(ana, Some(vec![tile])).unwrap();
    stage.calls.view(ana, Some(vec![])).unwrap();
    stage.calls.view(ana, None).unwrap();
    assert_eq!(stage.commands(), ["view Some(1)", "view Some(0)", "view None"]);
    let other = Seat { connection: ConnectionId(9), ..ana };
    assert_eq!(stage.calls.view(other, None), Err(Refusal::Denied));
}

#[tokio::test]
async fn everybody_is_told_who_speaks_as_long_as_they_are_there() {
    let stage = Stage::new().await;
    let (ana, mut hers) = stage.enter(1, 1).await;
    let (ben, mut his) = stage.enter(2, 2).await;
    stage.offer(ana, "m1", 1);
    stage.offer(ben, "m1", 1);
    stage.hear(&mut hers).await;
    stage.hear(&mut his).await;
    stage.event(1, 1, EventKind::Speaking(true)).await;
    stage.event(1, 1, EventKind::Speaking(true)).await;
    stage.event(1, 1, EventKind::ActiveSpeaker).await;
    stage.event(2, 7, EventKind::Speaking(true)).await;
    stage.event(2, 2, EventKind::Speaking(true)).await;
    let expected = ["speaking 1 active 0", "speaking 1 active 1", "speaking 1 2 active 1"];
    assert_eq!(stage.hear(&mut hers).await, expected);
    assert_eq!(stage.hear(&mut his).await, expected);
    let (_, mut late) = stage.enter(3, 3).await;
    let heard = stage.hear(&mut late).await;
    assert!(heard.contains(&"speaking 1 2 active 1".to_owned()), "{heard:?}");
    stage.hear(&mut his).await;
    stage.event(1, 1, EventKind::Left(LeaveReason::TransportLost)).await;
    assert_eq!(stage.hear(&mut his).await, ["speaking 2 active 0"]);
    stage.calls.leave(ben, peer()).await.unwrap();
    stage.event(9, 9, EventKind::Connected).await;
    let heard = stage.hear(&mut hers).await;
    assert!(heard.contains(&"speaking  active 0".to_owned()), "{heard:?}");
}

#[tokio::test]
async fn who_comes_by_a_new_connection_speaks_no_more() {
    let stage = Stage::new().await;
    let (ana, _outlet) = stage.enter(1, 1).await;
    let (_, mut his) = stage.enter(2, 2).await;
    stage.offer(ana, "m1", 1);
    stage.event(1, 1, EventKind::Speaking(true)).await;
    stage.event(1, 1, EventKind::ActiveSpeaker).await;
    stage.hear(&mut his).await;
    stage.offer(ana, "m2", 2);
    stage.event(9, 9, EventKind::Connected).await;
    assert_eq!(stage.hear(&mut his).await, ["speaking  active 0"]);
}

#[tokio::test]
async fn who_speaks_is_not_told_more_often_than_people_can_see() {
    let stage = Stage::new().await;
    let (ana, mut outlet) = stage.enter(1, 1).await;
    stage.offer(ana, "m1", 1);
    stage.hear(&mut outlet).await;
    let (events, queue) = mpsc::channel(64);
    for turn in 0..50 {
        let kind = EventKind::Speaking(turn % 2 == 0);
        events.send(Event { participant: sfu::ParticipantId(1), incarnation: 1, kind }).await.unwrap();
    }
    drop(events);
    stage.calls.run(queue).await;
    // One at the first change, perhaps one of a beat in between, and one at the end.
    let told = stage.hear(&mut outlet).await.len();
    assert!(told <= 3, "{told}");
}

#[tokio::test]
async fn what_is_said_reaches_all_whose_channel_is_open() {
    let stage = Stage::new().await;
    let mut outlets = Vec::new();
    for number in 1..=3 {
        let (seat, outlet) = stage.enter(number, number.into()).await;
        stage.offer(seat, "m1", 1);
        outlets.push(outlet);
    }
    for (participant, label) in [(1, "room"), (2, "room"), (3, "other")] {
        stage.event(participant, u32::try_from(participant).unwrap(), open(label)).await;
    }
    stage.commands();
    stage.event(1, 1, data("room", "hello, all")).await;
    let told = ["room 1 1 says Chat(\"hello, all\")", "room 2 1 says Chat(\"hello, all\")"];
    assert_eq!(stage.commands(), told);
    stage.event(1, 1, data("other", "hello")).await;
    stage.event(1, 9, data("room", "of another connection")).await;
    stage.event(7, 1, data("room", "of nobody")).await;
    assert!(stage.commands().is_empty());
    stage.event(1, 1, data("room", "?")).await;
    let binary = EventKind::Data { label: "room".into(), binary: true, bytes: b"hello".to_vec() };
    stage.event(1, 1, binary).await;
    assert_eq!(stage.commands(), ["room 1 Malformed(\"question\")"; 2]);
}

#[tokio::test]
async fn who_has_gone_says_nothing_more() {
    let stage = Stage::new().await;
    let (ana, _hers) = stage.enter(1, 1).await;
    let (ben, _his) = stage.enter(2, 2).await;
    for (seat, participant) in [(ana, 1), (ben, 2)] {
        stage.offer(seat, "m1", 1);
        stage.event(participant, u32::try_from(participant).unwrap(), open("room")).await;
    }
    stage.calls.remove(ana, ben.session, peer()).await.unwrap();
    stage.commands();
    stage.event(2, 2, data("room", "I am still here")).await;
    assert!(stage.commands().is_empty());
    stage.event(1, 1, data("room", "he is gone")).await;
    assert_eq!(stage.commands().len(), 1);
    stage.event(1, 1, EventKind::Left(LeaveReason::Closed)).await;
    stage.event(1, 1, data("room", "too late")).await;
    assert!(stage.commands().is_empty());
}

#[tokio::test]
async fn a_flood_of_sayings_is_answered_once_and_delays_nobody_else() {
    let stage = Stage::new().await;
    for number in 1..=2 {
        let (seat, _outlet) = stage.enter(number, number.into()).await;
        stage.offer(seat, "m1", 1);
        stage.event(number.into(), number.into(), open("room")).await;
    }
    stage.commands();
    for _ in 0..100 {
        stage.event(1, 1, data("room", "spam")).await;
    }
    let commands = stage.commands();
    let answers = commands.iter().filter(|command| *command == "room 1 busy").count();
    let heard = commands.len() - answers;
    // Five a second come back while the test runs; each may let one pass and one answer follow.
    assert!((40..140).contains(&heard) && heard < 200, "{heard}");
    assert!((1..=1 + (heard - 40) / 2).contains(&answers), "{answers} of {heard}");
    stage.event(2, 2, data("room", "may I?")).await;
    assert_eq!(stage.commands().len(), 2);
}

fn open(label: &str) -> EventKind {
    EventKind::DataOpen { label: label.into() }
}

fn data(label: &str, text: &str) -> EventKind {
    EventKind::Data { label: label.into(), binary: false, bytes: text.into() }
}

struct Stage {
    calls: Arc<Calls>,
    engine: Arc<Mutex<Listener>>,
    _folder: TempDir,
}

#[derive(Default)]
struct Listener {
    heard: Vec<String>,
    /// How many commands are refused.
    busy: usize,
}

impl Stage {
    async fn new() -> Self {
        Self::with_limits(ROOM_LIMITS).await
    }

    async fn with_limits(limits: hub::Limits) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("store.db")).await.unwrap();
        fill(&store).await;
        let (driver, hub, expired) = HubDriver::new(limits);
        tokio::spawn(driver.run());
        let engine = Arc::new(Mutex::new(Listener::default()));
        let listener = engine.clone();
        let send = move |_: RoomId, command: Command| {
            let mut listener = listener.lock().unwrap();
            if listener.busy > 0 {
                listener.busy -= 1;
                return Err(Busy);
            }
            listener.heard.push(tell(&command));
            Ok(())
        };
        let (audit, task) = Audit::new(store.clone());
        tokio::spawn(task.run());
        let dialect = Dialect {
            label: "room",
            read,
            tell: |said| format!("{} says {:?}", said.by.0, said.saying),
            refuse,
        };
        let parts = Parts { store, audit, hub, limits: Arc::new(Limits::new()), dialect };
        let calls = Arc::new(Calls::with_engine(parts, Box::new(send)));
        tokio::spawn(Calls::forget(Arc::downgrade(&calls), expired));
        Self { calls, engine, _folder: folder }
    }

    /// Session 1 moderates; the others only speak.
    fn admitted(&self, number: u8) -> Admitted {
        let id = SessionId(number.into());
        let speak = Permissions::NONE.with(Permission::Speak);
        let permissions = if number == 1 { speak.with(Permission::Moderate) } else { speak };
        let grant = Grant::new(Principal::guest(id), permissions, UnixMillis::MAX).bind(fingerprint(id.0));
        Admitted {
            session: Session { id, name: number.to_string(), grant },
            room: ROOM,
            room_name: "Standup".into(),
            invite: INVITE,
            token: token(number),
        }
    }

    async fn enter(&self, number: u8, connection: u64) -> (Seat, Outlet<Told>) {
        let (sender, outlet) = outbox();
        let connection = ConnectionId(connection);
        let seat = self.calls.attach(self.admitted(number), connection, sender).await.unwrap();
        (seat, outlet)
    }

    /// Waits until such a line is on record.
    async fn recorded(&self, actor: &str, action: &str, outcome: Outcome) {
        let is_it = |AuditRecord { entry, .. }: &AuditRecord| {
            (entry.actor.as_str(), entry.action.as_str(), entry.outcome) == (actor, action, outcome)
        };
        let written = async {
            while !self.calls.store.audit_page(None, 200).await.unwrap().iter().any(is_it) {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), written).await.expect("it is not on record");
    }

    fn offer(&self, seat: Seat, label: &str, id: u32) {
        self.offer_with(seat, label, id, &[fingerprint(seat.session.0)]);
    }

    fn offer_with(&self, seat: Seat, label: &str, id: u32, fingerprints: &[Fingerprint]) {
        let lines = fingerprints.iter().map(|fingerprint| format!("a=fingerprint:{fingerprint}\r\n"));
        let offer = Offer { label: label.into(), id, sdp: lines.collect(), sources: BTreeMap::new() };
        self.calls.offer(seat, offer).unwrap();
    }

    async fn event(&self, participant: u128, incarnation: u32, kind: EventKind) {
        let (events, queue) = mpsc::channel(1);
        events.send(Event { participant: sfu::ParticipantId(participant), incarnation, kind }).await.unwrap();
        drop(events);
        self.calls.run(queue).await;
    }

    fn commands(&self) -> Vec<String> {
        std::mem::take(&mut self.engine.lock().unwrap().heard)
    }

    /// All that waits in an outlet; the hub has done what came before.
    async fn hear(&self, outlet: &mut Outlet<Told>) -> Vec<String> {
        self.calls.hub.present(channel(ROOM)).await.unwrap();
        let mut heard = Vec::new();
        while let Ok(next) = tokio::time::timeout(Duration::from_millis(20), outlet.next()).await {
            match next {
                Next::Say(told) => heard.push(said(told)),
                Next::Close(reason) => {
                    heard.push(format!("closed {reason:?}"));
                    break;
                }
            }
        }
        heard
    }
}

fn said(told: Told) -> String {
    match told {
        Told::Welcome(welcome) => format!("welcome {}", welcome.media.unwrap_or_default()),
        Told::Event(HubEvent::Presence { present, .. }) => {
            let ids: Vec<_> = present.iter().map(|member| member.session.id.0.to_string()).collect();
            format!("roster {}", ids.join(" "))
        }
        Told::Media(MediaNews::Answer { id, .. }) => format!("answer {id}"),
        Told::Media(MediaNews::Refused { described, refusal, .. }) => {
            format!("refused {described:?} {refusal:?}")
        }
        Told::Media(MediaNews::Lost { reason, .. }) => format!("lost {reason:?}"),
        Told::Speakers(Speakers { active, speaking }) => {
            let ids: Vec<_> = speaking.iter().map(|session| session.0.to_string()).collect();
            format!("speaking {} active {}", ids.join(" "), active.map_or(0, |active| active.0))
        }
        other => format!("{other:?}"),
    }
}

fn tell(command: &Command) -> String {
    match command {
        Command::Join { participant, incarnation, muted, .. } => {
            let silent: String = Source::ALL
                .into_iter()
                .filter(|source| muted.contains(*source))
                .map(|source| format!(" without {source:?}"))
                .collect();
            format!("join {} {incarnation}{silent}", participant.0)
        }
        Command::Offer { id, .. } => format!("offer {id}"),
        Command::Answer { id, .. } => format!("answer {id}"),
        Command::Repeat { .. } => "repeat".into(),
        Command::Candidate { .. } => "candidate".into(),
        Command::Mute { source, muted, .. } => format!("mute {source:?} {muted}"),
        Command::Leave { participant } => format!("leave {}", participant.0),
        Command::View { tiles, .. } => format!("view {:?}", tiles.as_ref().map(Vec::len)),
        Command::Data { participant, label, bytes, .. } => {
            format!("{label} {} {}", participant.0, String::from_utf8_lossy(bytes))
        }
        Command::CloseRoom(_) => "close room".into(),
        other => format!("{other:?}"),
    }
}

/// A dialect in which everything but "?" is a chat text.
fn read(bytes: &[u8], binary: bool) -> Result<Saying, Complaint> {
    let text = String::from_utf8(bytes.to_vec()).unwrap();
    if binary || text == "?" {
        let refusal = Refusal::Malformed("question");
        return Err(Complaint { refusal, about: None, said: String::new() });
    }
    Ok(Saying::Chat(text))
}

fn refuse(complaint: &Complaint) -> String {
    match complaint.refusal {
        Refusal::Busy { .. } => "busy".into(),
        _ => format!("{:?}", complaint.refusal),
    }
}

/// A room, an invite, and sessions 1 to 4 that came by it.
async fn fill(store: &Store) {
    let entry = entry(Act::by("test", "test", "", peer()));
    let room = NewRoom { id: ROOM, name: "Standup".into(), created_at: now() };
    store.create_room(&room, &entry).await.unwrap();
    let secret = hash(TokenKind::Invite, &mint(TokenKind::Invite, [0; 32])).unwrap();
    let invite = NewInvite {
        id: INVITE,
        room: ROOM,
        token: secret,
        uses: 4,
        permissions: Permissions::NONE,
        created_at: now(),
        expires_at: UnixMillis(i64::MAX.unsigned_abs()),
    };
    store.create_invite(&invite, &entry).await.unwrap();
    for number in 1..=4 {
        let session = NewSession {
            id: SessionId(number.into()),
            token: token(number),
            name: number.to_string(),
            fingerprint: fingerprint(number.into()),
            key: PublicKey::parse(KEY).unwrap(),
            expires_at: UnixMillis(i64::MAX.unsigned_abs()),
        };
        store.redeem_invite(&secret, &session, now(), |_| entry.clone()).await.unwrap().unwrap();
    }
}

fn fingerprint(number: u128) -> Fingerprint {
    Fingerprint::from_bytes([u8::try_from(number).unwrap(); 32])
}

fn token(number: u8) -> TokenHash {
    hash(TokenKind::Session, &mint(TokenKind::Session, [number; 32])).unwrap()
}

fn operator() -> Grant {
    let permissions = Permissions::NONE.with(Permission::ManageRealm);
    Grant::new(Principal::operator(UserId::new("operator")), permissions, UnixMillis::MAX)
}

fn peer() -> Peer {
    Peer::new([127, 0, 0, 1].into())
}
