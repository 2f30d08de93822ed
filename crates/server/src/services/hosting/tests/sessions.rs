//! Sessions: how they begin, and every way in which they end.

use super::*;

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
fn a_join_that_cannot_be_is_told_unless_there_is_that_session() {
    let mut stage = Stage::new();
    let line = stage.open("a");
    stage.hosting.refuse(&line, "a b".into());
    assert_eq!(heard(&line), [" a b: ended"]);
    stage.join(&line, "c", "s");
    stage.hosting.refuse(&line, "s".into());
    assert!(heard(&line).is_empty(), "it goes on, and its end would be believed");
    assert!(stage.hosting.session(&RealmId::new("a"), "c", "s").is_ok());
    stage.hosting.end_realm(&line.realm);
    stage.hosting.refuse(&line, "t".into());
    assert!(heard(&line).is_empty(), "nobody of before is told anything");
}
