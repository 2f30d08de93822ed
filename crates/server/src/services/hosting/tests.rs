//! The service beside an engine that only notes what it is told.

use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::FutureExt;
use sfu::{Command, EventKind, JoinRefusal, LeaveReason, ParticipantId, RoomId, Sending, SignalRefusal};

use super::*;
use crate::media::Busy;

const FINGERPRINT: &str = "a=fingerprint:sha-256 00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF\r\n";
const QUOTAS: Quotas = Quotas { sessions: 6, sessions_of_realm: 4, sessions_of_call: 3 };

/// A service, and what its engine was told.
struct Stage {
    hosting: Hosting,
    told: Arc<Mutex<Vec<(RoomId, Command)>>>,
    full: Arc<AtomicBool>,
    connections: u64,
}

impl Stage {
    fn new() -> Self {
        let told = Arc::<Mutex<Vec<_>>>::default();
        let full = Arc::<AtomicBool>::default();
        let (noting, deaf) = (told.clone(), full.clone());
        let engine: Engine = Box::new(move |room, command| {
            if deaf.load(Ordering::Relaxed) {
                return Err(Busy);
            }
            noting.lock().unwrap().push((room, command));
            Ok(())
        });
        let hosting = Hosting::with_engine(engine, DIALECT, QUOTAS, RtcdFigures::new());
        Self { hosting, told, full, connections: 0 }
    }

    fn open(&mut self, realm: &str) -> Arc<Line> {
        self.connections += 1;
        self.hosting.open(&RealmId::new(realm), ConnectionId(self.connections))
    }

    fn join(&self, line: &Line, call: &str, session: &str) {
        self.join_as(line, call, session, Props::default());
    }

    fn join_as(&self, line: &Line, call: &str, session: &str, props: Props) {
        let user = format!("user of {session}");
        self.hosting.join(line, Joining { call: call.into(), user, session: session.into(), props });
    }

    /// What the engine was told since the last time.
    fn told(&self) -> Vec<String> {
        self.take().into_iter().map(|(_, command)| shorten(&command)).collect()
    }

    fn take(&self) -> Vec<(RoomId, Command)> {
        std::mem::take(&mut self.told.lock().unwrap())
    }

    fn event(&self, realm: &str, session: &str, kind: EventKind) {
        let incarnation = self.incarnation(realm, session);
        self.event_of(realm, session, incarnation, kind);
    }

    fn incarnation(&self, realm: &str, session: &str) -> u32 {
        let id = SessionId::named(&RealmId::new(realm), session);
        self.hosting.table().sessions[&id].incarnation
    }

    fn event_of(&self, realm: &str, session: &str, incarnation: u32, kind: EventKind) {
        let participant = participant(realm, session);
        let other = self.hosting.take(Event { participant, incarnation, kind }, Instant::now());
        assert_eq!(other, None);
    }

    fn offer(&self, line: &Line, session: &str, sdp: &str) {
        self.hosting.signal(line, session, Signal::Described(Description::Offer(sdp.into())));
    }

    fn later(&self, time: Duration) {
        self.hosting.table().tick(Instant::now() + time);
    }
}

/// Everything that waits on a connection.
fn heard(line: &Line) -> Vec<String> {
    let mut heard = Vec::new();
    while let Some(Next::Say(Said { place, news })) = line.next().now_or_never() {
        let news = match news {
            News::Candidate(text) => format!("candidate {text}"),
            News::Described(Description::Offer(sdp)) => format!("offer {sdp}"),
            News::Described(Description::Answer(sdp)) => {
                format!("answer {}", sdp.lines().next().unwrap_or_default())
            }
            News::Speaks(speaks) => format!("speaks {speaks}"),
            News::Ended => "ended".into(),
        };
        heard.push(format!("{} {}: {news}", place.call, place.name));
    }
    heard
}

fn participant(realm: &str, session: &str) -> ParticipantId {
    ParticipantId(SessionId::named(&RealmId::new(realm), session).0)
}

fn shorten(command: &Command) -> String {
    match command {
        Command::Join { profile, .. } => format!("join {}", profile.stream),
        Command::Offer { id, sources, .. } => format!("offer {id} {sources:?}"),
        Command::Answer { id, sdp, .. } => format!("answer {id} {sdp}"),
        Command::Name { sources, .. } => format!("name {sources:?}"),
        Command::Mute { source, muted, .. } => format!("mute {source:?} {muted}"),
        Command::Candidate { candidate, .. } => format!("candidate {candidate}"),
        Command::Data { label, bytes, .. } => format!("data {label} {}", String::from_utf8_lossy(bytes)),
        Command::Repeat { .. } => "repeat".into(),
        Command::Lock { .. } => "lock".into(),
        Command::Unlock { .. } => "unlock".into(),
        Command::Deliver { label, id, .. } => format!("deliver {label} {id}"),
        Command::Leave { .. } => "leave".into(),
        other => panic!("{other:?}"),
    }
}

/// A dialect for reading with one's eyes.
const DIALECT: Dialect = Dialect {
    is_description: |bytes| bytes.starts_with(b"offer"),
    read: |bytes| match bytes {
        b"ping" => Some(FromChannel::Ping),
        b"lock" => Some(FromChannel::Lock),
        b"unlock" => Some(FromChannel::Unlock),
        other => {
            let sdp = String::from_utf8(other.strip_prefix(b"offer ")?.to_vec()).ok()?;
            Some(FromChannel::Described(Description::Offer(sdp)))
        }
    },
    write: |words| {
        let text = match words {
            ToChannel::Map(tracks) => {
                let tracks =
                    tracks.iter().map(|track| format!("{} {:?} {}", track.mid, track.source, track.sender));
                format!("map {}", tracks.collect::<Vec<_>>().join(","))
            }
            ToChannel::Described(Description::Offer(sdp)) => format!("offer {sdp}"),
            ToChannel::Described(Description::Answer(sdp)) => format!("answer {sdp}"),
            other => format!("{other:?}"),
        };
        (text.into_bytes(), true)
    },
};

#[test]
fn waiting_for_the_lock_and_holding_it_are_counted_once_an_offer() {
    let mut stage = Stage::new();
    let line = stage.open("a");
    stage.join(&line, "c", "s");
    stage.offer(&line, "s", &sdp(&[]));
    stage.event("a", "s", answer(1));
    let offer = |id, waited| EventKind::Offer { id, sdp: "o".into(), sending: Vec::new(), waited };
    let answered = || stage.hosting.signal(&line, "s", Signal::Described(Description::Answer("a".into())));
    // Said again, answered twice; then another.
    stage.event("a", "s", offer(1, Duration::from_millis(300)));
    stage.event("a", "s", offer(1, Duration::ZERO));
    answered();
    answered();
    stage.event("a", "s", offer(2, Duration::ZERO));
    let text = stage.hosting.table().figures.text();
    for line in [
        "rtcd_rtc_signaling_lock_grab_time_sum{groupID=\"a\"} 0.3",
        "rtcd_rtc_signaling_lock_grab_time_count{groupID=\"a\"} 2",
        "rtcd_rtc_signaling_lock_locked_time_count{groupID=\"a\"} 1",
    ] {
        assert!(text.contains(&format!("{line}\n")), "{line} in {text}");
    }
}

/// An offer that sends these: mid, whether it is sound, stream.
fn sdp(sends: &[(&str, bool, &str)]) -> String {
    let section = |(mid, audio, stream): &(&str, bool, &str)| {
        let (kind, pt) = if *audio { ("audio", 111) } else { ("video", 96) };
        format!("m={kind} 9 UDP/TLS/RTP/SAVPF {pt}\r\na=mid:{mid}\r\na=sendrecv\r\na=msid:{stream} t\r\n")
    };
    format!("v=0\r\n{FINGERPRINT}{}", sends.iter().map(section).collect::<String>())
}

fn our_offer(id: u32, sdp: String, sending: Vec<Sending>) -> EventKind {
    EventKind::Offer { id, sdp, sending, waited: Duration::ZERO }
}

fn answer(id: u32) -> EventKind {
    let candidates = "a=candidate:1 1 udp 1 192.0.2.1 8443 typ host\r\na=candidate:2 1 tcp 1 192.0.2.1 8443 typ host tcptype passive\r\n";
    EventKind::Answer {
        id,
        sdp: format!("answer-{id}\r\nm=application 9\r\n{candidates}m=audio 9\r\na=candidate:3 x\r\n"),
    }
}

#[test]
fn a_session_is_made_negotiated_and_ended() {
    let mut stage = Stage::new();
    let line = stage.open("a");
    stage.join(&line, "c", "s");
    let (room, Command::Join { profile, participant: who, .. }) = stage.take().remove(0) else { panic!() };
    assert_eq!((profile.stream.as_str(), who), ("s", participant("a", "s")));
    stage.hosting.signal(&line, "s", Signal::Candidate("candidate:9".into()));
    stage.hosting.signal(&line, "s", Signal::Candidate(String::new()));
    stage.offer(&line, "s", &sdp(&[]));
    assert_eq!(stage.told(), ["candidate candidate:9", "offer 1 {}"]);
    stage.event("a", "s", answer(1));
    let candidates = [
        "candidate:1 1 udp 1 192.0.2.1 8443 typ host",
        "candidate:2 1 tcp 1 192.0.2.1 8443 typ host tcptype passive",
    ];
    let expected = [
        "c s: answer answer-1".to_owned(),
        format!("c s: candidate {}", candidates[0]),
        format!("c s: candidate {}", candidates[1]),
    ];
    assert_eq!(heard(&line), expected);
    stage.offer(&line, "s", &sdp(&[]));
    stage.event("a", "s", answer(2));
    assert_eq!(heard(&line), ["c s: answer answer-2"], "candidates are told once");
    stage.event("a", "s", EventKind::Speaking(true));
    stage.hosting.leave(&line, "s");
    stage.hosting.leave(&line, "s");
    assert_eq!(heard(&line), ["c s: speaks true", "c s: ended"]);
    let last = stage.take().pop();
    assert!(
        matches!(last, Some((left, Command::Leave { participant })) if left == room && participant == who)
    );
    assert_eq!(
        (stage.hosting.count(), stage.hosting.sessions(&RealmId::new("a"), "c")),
        ((0, 0), Err(Absent::Realm))
    );
}

#[test]
fn every_end_of_a_session_is_told_once() {
    let mut stage = Stage::new();
    let line = stage.open("a");
    type End = fn(&Stage, &Line);
    let end: [(&str, End); 5] = [
        ("closed by the client", |stage, _| stage.event("a", "s", EventKind::Left(LeaveReason::Closed))),
        ("no room", |stage, _| {
            stage.event("a", "s", EventKind::Left(LeaveReason::Refused(JoinRefusal::RoomFull)));
        }),
        ("no offer", |stage, _| stage.later(Duration::from_millis(10_001))),
        ("a bad first offer", |stage, line| {
            stage.offer(line, "s", "nonsense");
            stage.event("a", "s", EventKind::Refused { id: 1, refusal: SignalRefusal::BadSdp });
        }),
        ("leave", |stage, line| stage.hosting.leave(line, "s")),
    ];
    for (what, end) in end {
        stage.join(&line, "c", "s");
        let incarnation = stage.incarnation("a", "s");
        end(&stage, &line);
        assert_eq!(heard(&line), ["c s: ended"], "{what}");
        let leaves = stage.told().iter().filter(|told| *told == "leave").count();
        assert_eq!(leaves, usize::from(!matches!(what, "closed by the client" | "no room")), "{what}");
        // The engine's own farewell follows.
        let gone = Event {
            participant: participant("a", "s"),
            incarnation,
            kind: EventKind::Left(LeaveReason::Asked),
        };
        assert_eq!(stage.hosting.take(gone.clone(), Instant::now()), Some(gone), "{what}");
        assert!(heard(&line).is_empty(), "{what}");
    }
    stage.join(&line, "c", "s");
    stage.later(Duration::from_millis(9_900));
    assert!(heard(&line).is_empty(), "not before its time");
    stage.offer(&line, "s", &sdp(&[]));
    stage.event("a", "s", answer(1));
    stage.offer(&line, "s", "nonsense");
    stage.event("a", "s", EventKind::Refused { id: 2, refusal: SignalRefusal::BadSdp });
    stage.later(Duration::from_secs(60));
    assert_eq!(
        heard(&line).iter().filter(|heard| heard.ends_with("ended")).count(),
        0,
        "a later one is passed over"
    );
}

#[test]
fn no_name_reaches_another_realms_session() {
    let mut stage = Stage::new();
    let (ours, theirs) = (stage.open("a"), stage.open("b"));
    stage.join(&ours, "c", "s");
    let join = stage.take();
    stage.join(&theirs, "c", "other");
    let other_room = stage.take()[0].0;
    assert_ne!(join[0].0, other_room, "calls of one name are two");
    stage.hosting.leave(&theirs, "s");
    stage.hosting.reconnect(&theirs, "s");
    for signal in
        [Signal::Mute, Signal::ScreenOn("x".into()), Signal::Described(Description::Offer(sdp(&[])))]
    {
        stage.hosting.signal(&theirs, "s", signal);
    }
    assert!(stage.told().is_empty());
    assert_eq!(stage.hosting.session(&RealmId::new("b"), "c", "s"), Err(Absent::Session));
    stage.event("a", "s", EventKind::Speaking(true));
    assert_eq!((heard(&ours).len(), heard(&theirs).len()), (1, 0));
    // The same name in another realm is another session, with media of its own.
    stage.join(&theirs, "c", "s");
    let (room, command) = stage.take().remove(0);
    assert_eq!(room, other_room);
    assert!(matches!(command, Command::Join { participant: who, .. } if who == participant("b", "s")));
    stage.hosting.leave(&theirs, "s");
    assert!(heard(&ours).is_empty());
    assert!(stage.hosting.session(&RealmId::new("a"), "c", "s").is_ok());
}

#[test]
fn what_is_said_finds_a_live_connection() {
    let mut stage = Stage::new();
    let (first, second) = (stage.open("a"), stage.open("a"));
    stage.join(&first, "c", "s");
    stage.join(&first, "c", "t");
    stage.event("a", "s", EventKind::Speaking(true));
    assert_eq!((heard(&first).len(), heard(&second).len()), (1, 0), "that of the join");
    stage.hosting.reconnect(&second, "s");
    stage.event("a", "s", EventKind::Speaking(false));
    assert_eq!((heard(&first).len(), heard(&second).len()), (0, 1), "that of the reconnect");
    stage.hosting.close(&first);
    stage.event("a", "t", EventKind::Speaking(true));
    assert_eq!(heard(&second), ["c t: speaks true"], "any other");
    let third = stage.open("a");
    stage.event("a", "t", EventKind::Speaking(false));
    assert_eq!((heard(&second).len(), heard(&third).len()), (0, 1), "one alone");
    stage.event("a", "t", EventKind::Left(LeaveReason::TransportLost));
    assert_eq!(
        (heard(&second), heard(&third)),
        (vec!["c t: ended".to_owned()], vec!["c t: ended".to_owned()]),
        "all, at the end"
    );
    for line in [&second, &third] {
        line.asks();
        line.is_answered();
        stage.hosting.close(line);
    }
    stage.event("a", "s", EventKind::Speaking(true));
    stage.event("a", "s", EventKind::Left(LeaveReason::Closed));
    let fourth = stage.open("a");
    assert_eq!(heard(&fourth), ["c s: speaks true", "c s: ended"], "what waited");
    let other = stage.open("b");
    assert!(heard(&other).is_empty());
}

#[test]
fn what_a_broken_connection_was_not_told_is_said_on_the_next() {
    let mut stage = Stage::new();
    let first = stage.open("a");
    stage.join(&first, "c", "s");
    stage.event("a", "s", EventKind::Speaking(true));
    stage.event("a", "s", EventKind::Speaking(false));
    let Some(Next::Say(_)) = first.next().now_or_never() else { panic!() };
    // The first is being said when it breaks.
    stage.hosting.close(&first);
    let second = stage.open("a");
    assert_eq!(heard(&second), ["c s: speaks true", "c s: speaks false"]);
    stage.hosting.signal(&first, "s", Signal::Unmute);
    stage.event("a", "s", EventKind::Speaking(true));
    assert_eq!(heard(&second).len(), 1);
}

#[test]
fn an_end_that_perhaps_nobody_read_is_told_again() {
    let mut stage = Stage::new();
    let line = stage.open("a");
    for session in ["s", "t", "u"] {
        stage.join(&line, "c", session);
    }
    stage.hosting.leave(&line, "s");
    assert_eq!(heard(&line), ["c s: ended"]);
    line.asks();
    // An answer to a question that was asked before proves nothing of what was said after it.
    stage.hosting.leave(&line, "t");
    stage.hosting.leave(&line, "u");
    assert_eq!(heard(&line), ["c t: ended", "c u: ended"]);
    line.is_answered();
    line.is_answered();
    // One of them is back: its end would be taken for that of the new one.
    stage.join(&line, "c", "u");
    stage.hosting.close(&line);
    assert_eq!(heard(&stage.open("a")), ["c t: ended"]);
}

#[test]
fn who_does_not_read_is_cut_off_and_others_hear_it() {
    let mut stage = Stage::new();
    let (slow, other) = (stage.open("a"), stage.open("a"));
    stage.join(&slow, "c", "s");
    for _ in 0..=line::MAX_WAITING {
        stage.event("a", "s", EventKind::Speaking(true));
    }
    assert_eq!(slow.over(), Some(Over::Slow));
    assert_eq!(heard(&other).len(), 1);
    let text = "x".repeat(1024 * 1024);
    stage.hosting.reconnect(&other, "s");
    stage.join(&other, "c", "t");
    stage.hosting.leave(&other, "t");
    for _ in 0..16 {
        stage.event("a", "s", our_offer(1, text.clone(), Vec::new()));
    }
    assert_eq!(other.over(), Some(Over::Slow));
    let third = stage.open("a");
    assert_eq!(heard(&third).len(), 1);
    stage.hosting.close(&other);
    assert_eq!(heard(&third), ["c t: ended"], "the rest would make the next one slow");
}

#[test]
fn what_is_kept_for_a_realm_that_is_away_is_bounded_and_forgotten() {
    let mut stage = Stage::new();
    let line = stage.open("a");
    stage.join(&line, "c", "s");
    stage.join(&line, "c", "t");
    stage.hosting.close(&line);
    let text = "x".repeat(1024 * 1024);
    stage.event("a", "t", EventKind::Left(LeaveReason::Closed));
    for _ in 0..100 {
        stage.event("a", "s", our_offer(1, text.clone(), Vec::new()));
    }
    let line = stage.open("a");
    let said = heard(&line);
    assert_eq!((said.len(), said[0].as_str()), (4, "c t: ended"), "the end is not lost");
    stage.hosting.close(&line);
    stage.event("a", "s", EventKind::Left(LeaveReason::Closed));
    stage.later(Duration::from_secs(601));
    assert!(heard(&stage.open("a")).is_empty());
}

#[test]
fn answers_go_the_way_of_their_offers_and_a_map_before_every_offer() {
    let mut stage = Stage::new();
    let line = stage.open("a");
    let by_channel = Props { by_channel: Some(true), ..Props::default() };
    stage.join_as(&line, "c", "s", by_channel);
    stage.join(&line, "c", "t");
    for session in ["s", "t"] {
        stage.offer(&line, session, &sdp(&[]));
        stage.event("a", session, answer(1));
        stage.event("a", session, EventKind::DataOpen { label: "calls-dc".into() });
        stage.event("a", session, EventKind::DataOpen { label: "another".into() });
    }
    stage.take();
    heard(&line);
    let sending = vec![
        Sending { mid: "1".into(), publisher: participant("a", "t"), source: Source::Voice },
        Sending { mid: "2".into(), publisher: participant("a", "t"), source: Source::ScreenAudio },
    ];
    stage.event("a", "s", our_offer(7, "o7".into(), sending));
    assert_eq!(stage.told(), ["data calls-dc map 1 Voice t,2 ScreenAudio t", "data calls-dc offer o7"]);
    assert!(heard(&line).is_empty());
    // An answer may come by either way.
    stage.hosting.signal(&line, "s", Signal::Described(Description::Answer("a7".into())));
    assert_eq!(stage.told(), ["answer 7 a7"]);
    stage.event("a", "t", our_offer(8, "o8".into(), Vec::new()));
    // By a line it would overtake its map.
    assert_eq!(stage.told(), ["data calls-dc map ", "deliver calls-dc 8"]);
    assert!(heard(&line).is_empty());
    stage.event("a", "t", EventKind::Delivered { id: 7 });
    assert!(heard(&line).is_empty(), "that was another");
    for _ in 0..2 {
        stage.event("a", "t", EventKind::Delivered { id: 8 });
    }
    assert_eq!(heard(&line), ["c t: offer o8"]);
    stage.event("a", "t", our_offer(9, "o9".into(), Vec::new()));
    stage.take();
    stage.later(Duration::from_millis(1_900));
    assert!(heard(&line).is_empty());
    stage.later(Duration::from_millis(2_000));
    assert_eq!(heard(&line), ["c t: offer o9"], "a map that does not arrive is not waited for");
    let data = |text: &str| EventKind::Data {
        label: "calls-dc".into(),
        binary: true,
        bytes: text.as_bytes().to_vec(),
    };
    stage.event("a", "t", data(&format!("offer {}", sdp(&[]))));
    stage.event("a", "t", answer(2));
    let told = stage.told();
    assert!(
        told[0].starts_with("offer 2") && told[1].starts_with("data calls-dc answer answer-2"),
        "{told:?}"
    );
    assert!(heard(&line).is_empty());
    stage.event("a", "s", data("ping"));
    stage.event("a", "s", data("lock"));
    stage.event("a", "s", EventKind::Lock { granted: false });
    stage.event("a", "s", data("unlock"));
    assert_eq!(stage.told(), ["data calls-dc Pong", "lock", "data calls-dc Lock(false)", "unlock"]);
    stage.event("a", "s", data("what?"));
    assert!(stage.told().is_empty());
    stage.hosting.reconnect(&line, "t");
    stage.hosting.reconnect(&line, "s");
    assert_eq!(stage.told(), ["repeat"], "what may be lost with a connection of the plugin");
}

#[test]
fn what_a_client_may_describe_by_its_channel_is_bounded() {
    let mut stage = Stage::new();
    let line = stage.open("a");
    for session in ["s", "t"] {
        stage.join(&line, "c", session);
        stage.offer(&line, session, &sdp(&[]));
        stage.event("a", session, answer(1));
    }
    stage.take();
    let data = |bytes: Vec<u8>| EventKind::Data { label: "calls-dc".into(), binary: true, bytes };
    let offers = |stage: &Stage, session| {
        for _ in 0..60 {
            stage.event("a", session, data(format!("offer {}", sdp(&[])).into_bytes()));
        }
        stage.told().len()
    };
    let taken = offers(&stage, "s");
    assert!((41..50).contains(&taken), "{taken}");
    // What cannot be read costs as much as the largest that can.
    for _ in 0..4 {
        stage.event("a", "t", data(b"offer \xff".to_vec()));
    }
    assert!(offers(&stage, "t") < 10);
    stage.event("a", "t", data(b"ping".to_vec()));
    assert_eq!(stage.told(), ["data calls-dc Pong"], "all else goes on");
}

#[test]
fn streams_are_named_when_they_are_announced() {
    let mut stage = Stage::new();
    let line = stage.open("a");
    stage.join(&line, "c", "s");
    stage.join(&line, "c", "t");
    let offer = sdp(&[("0", true, "mic"), ("1", false, "scr"), ("2", true, "scr"), ("3", false, "cam")]);
    let say = |signal| {
        stage.take();
        stage.hosting.signal(&line, "s", signal);
        stage.told()
    };
    // The announcement after the media.
    stage.offer(&line, "s", &offer);
    stage.event("a", "s", answer(1));
    assert_eq!(stage.told()[2..], [r#"offer 1 {"0": Voice}"#]);
    assert_eq!(say(Signal::ScreenOn("scr".into())), [r#"name {"1": Some(Screen), "2": Some(ScreenAudio)}"#]);
    assert_eq!(say(Signal::VideoOn("cam".into())), [r#"name {"3": Some(Camera)}"#]);
    assert!(say(Signal::VideoOff).is_empty());
    assert_eq!(say(Signal::ScreenOff), [r#"name {"1": None, "2": None}"#]);
    // Before it.
    assert!(say(Signal::ScreenOn("next".into())).is_empty());
    stage.offer(&line, "s", &sdp(&[("0", true, "mic"), ("1", false, "next"), ("4", false, "next")]));
    assert_eq!(stage.told(), [r#"offer 2 {"0": Voice, "1": Screen, "4": Screen}"#]);
    // Another stream on the m-line of one that was named.
    stage.offer(&line, "s", &sdp(&[("0", true, "mic"), ("1", false, "next"), ("4", false, "who")]));
    assert_eq!(stage.told(), [r#"offer 3 {"0": Voice, "1": Screen}"#]);
    stage.event("a", "s", answer(2));
    stage.event("a", "s", answer(3));
    assert!(stage.told().is_empty(), "an offer names all of them anew");
    // Between an offer and its answer.
    stage.offer(&line, "s", &sdp(&[("0", true, "mic"), ("1", false, "third")]));
    assert_eq!(say(Signal::ScreenOn("third".into())), [r#"name {"1": None}"#], "the stream of before");
    stage.event("a", "s", answer(4));
    assert_eq!(stage.told(), [r#"name {"1": Some(Screen)}"#]);
    // The stream of one's screen is no voice when the screen is off.
    stage.offer(&line, "s", &sdp(&[("0", true, "third")]));
    assert_eq!(say(Signal::ScreenOff), [r#"name {"1": None}"#]);
    stage.event("a", "s", answer(5));
    assert_eq!(stage.told(), [r#"name {"0": None}"#]);
}

#[test]
fn one_screen_is_shared_and_then_the_next() {
    let mut stage = Stage::new();
    let line = stage.open("a");
    for session in ["s", "t"] {
        stage.join(&line, "c", session);
        stage.offer(&line, session, &sdp(&[("0", false, "scr")]));
        stage.event("a", session, answer(1));
    }
    stage.take();
    stage.hosting.signal(&line, "s", Signal::ScreenOn("scr".into()));
    stage.hosting.signal(&line, "t", Signal::ScreenOn("scr".into()));
    let named = |command: &Command| matches!(command, Command::Name { participant: who, .. } if *who == participant("a", "s"));
    let told = stage.take();
    assert!(told.len() == 1 && named(&told[0].1), "only the holder's: {told:?}");
    stage.hosting.signal(&line, "s", Signal::ScreenOff);
    assert_eq!(stage.told(), [r#"name {"0": Some(Screen)}"#, r#"name {"0": None}"#]);
    stage.hosting.signal(&line, "s", Signal::ScreenOn("scr".into()));
    assert!(stage.told().is_empty());
    stage.hosting.leave(&line, "t");
    assert_eq!(stage.told(), ["leave", r#"name {"0": Some(Screen)}"#]);
}

#[test]
fn a_mute_without_a_voice_is_of_no_matter() {
    let mut stage = Stage::new();
    let line = stage.open("a");
    stage.join(&line, "c", "s");
    stage.take();
    stage.hosting.signal(&line, "s", Signal::Mute);
    assert!(stage.told().is_empty());
    stage.offer(&line, "s", &sdp(&[("0", true, "mic")]));
    stage.hosting.signal(&line, "s", Signal::Mute);
    stage.hosting.signal(&line, "s", Signal::Unmute);
    assert_eq!(stage.told()[1..], ["mute Voice true", "mute Voice false"]);
}

#[test]
fn a_name_is_one_session() {
    let mut stage = Stage::new();
    let (line, other) = (stage.open("a"), stage.open("a"));
    stage.join(&line, "c", "s");
    let join = stage.take();
    stage.join(&other, "c", "s");
    assert!(stage.told().is_empty(), "in this call it is already");
    stage.event("a", "s", EventKind::Speaking(true));
    assert_eq!((heard(&line).len(), heard(&other).len()), (0, 1));
    let old = stage.incarnation("a", "s");
    stage.join(&line, "d", "s");
    let told = stage.take();
    assert!(matches!(told[0], (room, Command::Leave { .. }) if room == join[0].0));
    assert!(matches!(told[1], (room, Command::Join { .. }) if room != join[0].0));
    stage.event_of("a", "s", old, EventKind::Left(LeaveReason::Asked));
    assert!(
        heard(&line).is_empty() && heard(&other).is_empty(),
        "an end would be taken for that of the new one"
    );
    let realm = RealmId::new("a");
    assert_eq!(stage.hosting.sessions(&realm, "c"), Err(Absent::Call));
    assert_eq!(stage.hosting.sessions(&realm, "d").map(|sessions| sessions.len()), Ok(1));
}

#[test]
fn there_are_not_more_sessions_than_there_may_be() {
    let mut stage = Stage::new();
    let (line, other) = (stage.open("a"), stage.open("b"));
    for session in ["1", "2", "3", "4"] {
        stage.join(&line, "c", session);
    }
    assert_eq!(heard(&line), ["c 4: ended"], "of one call");
    for session in ["5", "6"] {
        stage.join(&line, "d", session);
    }
    assert_eq!(heard(&line), ["d 6: ended"], "of one realm");
    stage.join(&other, "c", "1");
    stage.join(&other, "c", "2");
    assert!(heard(&other).is_empty(), "another realm has its own");
    stage.join(&other, "d", "3");
    assert_eq!(heard(&other), ["d 3: ended"], "of all realms");
    stage.hosting.leave(&line, "5");
    stage.join(&line, "d", "6");
    assert_eq!(heard(&line), ["d 5: ended"]);
    stage.hosting.drain();
    stage.hosting.leave(&line, "6");
    stage.join(&line, "d", "7");
    assert_eq!(heard(&line), ["d 6: ended", "d 7: ended"], "before a stop nobody joins");
}

#[test]
fn an_unregistered_realm_ends_whole() {
    let mut stage = Stage::new();
    let (line, other) = (stage.open("a"), stage.open("b"));
    stage.join(&line, "c", "s");
    stage.join(&line, "d", "t");
    stage.join(&other, "c", "s");
    stage.event("a", "s", EventKind::Speaking(true));
    stage.take();
    stage.hosting.end_realm(&RealmId::new("a"));
    assert_eq!(stage.told(), ["leave", "leave"]);
    assert_eq!((line.over(), other.over()), (Some(Over::Unregistered), None));
    assert_eq!(stage.hosting.count(), (1, 1));
    stage.join(&line, "c", "s");
    assert_eq!(stage.hosting.count(), (1, 1), "what comes by its connection before that has closed");
    stage.hosting.close(&line);
    assert!(heard(&stage.open("a")).is_empty(), "the next of that name may be another's");
}

#[test]
fn a_connection_of_before_reaches_nothing_of_the_next_realm_of_its_name() {
    let mut stage = Stage::new();
    let before = stage.open("a");
    stage.hosting.end_realm(&RealmId::new("a"));
    let line = stage.open("a");
    stage.join(&line, "c", "s");
    stage.take();
    stage.hosting.reconnect(&before, "s");
    stage.hosting.signal(&before, "s", Signal::Candidate("candidate:1".into()));
    stage.hosting.leave(&before, "s");
    assert!(stage.told().is_empty());
    stage.event("a", "s", EventKind::Speaking(true));
    assert_eq!((heard(&line).len(), heard(&before).len()), (1, 0));
}

#[test]
fn what_waits_for_a_realm_is_not_for_the_next_of_its_name() {
    let mut stage = Stage::new();
    let line = stage.open("a");
    stage.join(&line, "c", "s");
    stage.event("a", "s", EventKind::Speaking(true));
    stage.hosting.close(&line);
    stage.event("a", "s", EventKind::Speaking(false));
    stage.hosting.end_realm(&RealmId::new("a"));
    assert!(heard(&stage.open("a")).is_empty());
}

#[test]
fn orders_wait_for_an_engine_that_is_busy_and_keep_their_order() {
    let mut stage = Stage::new();
    let line = stage.open("a");
    stage.full.store(true, Ordering::Relaxed);
    stage.join(&line, "c", "s");
    stage.offer(&line, "s", &sdp(&[]));
    assert!(stage.told().is_empty());
    stage.full.store(false, Ordering::Relaxed);
    stage.hosting.leave(&line, "s");
    assert!(stage.told().is_empty(), "nothing overtakes");
    stage.later(Duration::ZERO);
    assert_eq!(stage.told(), ["join s", "offer 1 {}", "leave"]);
}

#[tokio::test]
async fn who_floods_a_busy_engine_waits_for_it() {
    let mut stage = Stage::new();
    let line = stage.open("a");
    stage.join(&line, "c", "s");
    stage.full.store(true, Ordering::Relaxed);
    let mut said = 0;
    while stage.hosting.ready().now_or_never().is_some() {
        stage.hosting.signal(&line, "s", Signal::Candidate("candidate:1".into()));
        said += 1;
    }
    assert_eq!(said, 1_024);
    stage.full.store(false, Ordering::Relaxed);
    stage.later(Duration::ZERO);
    stage.hosting.ready().await;
    assert_eq!(stage.told().len(), 1 + said, "nothing is lost");
}

#[test]
fn events_of_others_are_handed_on() {
    let stage = Stage::new();
    let event = Event { participant: ParticipantId(1), incarnation: 1, kind: EventKind::Connected };
    assert_eq!(stage.hosting.take(event.clone(), Instant::now()), Some(event));
}
