//! Connections of a realm: which of them is told what, and what becomes of what a broken one was not told.

use super::*;

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
fn an_end_is_told_once_on_each_connection_however_many_others_break() {
    let mut stage = Stage::new();
    let mut lines: Vec<_> = (0..3).map(|_| stage.open("a")).collect();
    stage.join(&lines[0], "c", "s");
    stage.hosting.leave(&lines[0], "s");
    assert_eq!(heard(&lines[0]), ["c s: ended"]);
    let mut told = [0; 13];
    for round in 0..10 {
        // No pong has proven anything when the next one breaks.
        stage.hosting.close(&lines[round]);
        lines.push(stage.open("a"));
        for (told, line) in told[round + 1..].iter_mut().zip(&lines[round + 1..]) {
            *told += heard(line).len();
        }
    }
    assert_eq!(told[1..12], [1; 11]);
    // The same user's next session ends as well.
    let last = &lines[12];
    stage.join(last, "c", "s");
    stage.hosting.leave(last, "s");
    assert_eq!(heard(last), ["c s: ended"]);
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
