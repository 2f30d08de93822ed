//! The media engine: one that is busy, and what it says of others.

use super::*;

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
