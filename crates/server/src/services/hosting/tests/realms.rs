//! A realm that is away, or is registered no more.

use super::*;

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
