//! Whose turn it is to offer, and what was said before.

use super::*;

#[test]
fn nothing_but_the_first_answer_comes_before_the_data_channel() {
    let mut stage = Stage::new(62, Weather::FAIR);
    enter(&mut stage, &[Voice]);
    stage.run(seconds(1));
    let late = prepare(&mut stage);
    let address = stage.clients[late].address;
    stage.net.cut_off.insert(address);
    stage.enter(late, &[]);
    stage.run(seconds(1));
    // The plugin's way carries descriptions, but nothing else comes through.
    stage.offer(late, &[Voice]);
    stage.run(seconds(3));
    let kinds = stage.events_of(late);
    assert!(matches!(kinds[..], [EventKind::Answer { id: 1, .. }]), "{kinds:?}");
    stage.net.cut_off.remove(&address);
    stage.run(seconds(5));
    let kinds = stage.events_of(late);
    let open = kinds.iter().position(|kind| matches!(kind, EventKind::DataOpen { .. })).unwrap();
    assert!(matches!(kinds[open + 1], EventKind::Answer { id: 2, .. }), "{kinds:?}");
    assert!(stage.heard(late, 0, Voice).packets > 50);
    assert!(stage.heard(0, late, Voice).packets > 50);
}

#[test]
fn our_offers_wait_for_the_lock_of_a_client_and_then_come() {
    for (what, unlocks_after) in [("released", Some(seconds(3))), ("expired", None)] {
        let mut stage = Stage::new(63, Weather::FAIR);
        let holder = enter(&mut stage, &[Voice]);
        stage.run(seconds(2));
        stage.say_as(holder, |participant| Command::Lock { participant });
        stage.run(Duration::from_millis(100));
        stage.say_as(holder, |participant| Command::Lock { participant });
        let other = enter(&mut stage, &[Voice]);
        let locked = stage.elapsed();
        stage.run(seconds(3));
        assert_eq!(locks(&stage, holder), [true, false], "{what}: it has it, and asks once more");
        assert_eq!(offers(&stage, holder), 0, "{what}");
        assert!(stage.heard(other, holder, Voice).packets > 50, "{what}: the other waits for nobody");
        if unlocks_after.is_some() {
            // Of its own doing the client may offer meanwhile.
            stage.offer(holder, &[Camera]);
            stage.run(Duration::from_millis(200));
            assert_eq!(answers(&stage, holder), 2, "{what}");
            stage.say_as(holder, |participant| Command::Unlock { participant });
        }
        stage.run(seconds(9));
        assert_eq!(offers(&stage, holder), 1, "{what}");
        assert!(stage.heard(holder, other, Voice).packets > 50, "{what}");
        let offered = stage.events.iter().find(|(_, event)| {
            event.participant == stage.clients[holder].id && matches!(event.kind, EventKind::Offer { .. })
        });
        let waited = offered.unwrap().0 - locked;
        let expected = unlocks_after.unwrap_or(seconds(10));
        assert!(waited + seconds(1) > expected && waited < expected + seconds(1), "{what}: {waited:?}");
        let EventKind::Offer { waited: told, .. } = &offered.unwrap().1.kind else { panic!() };
        assert!(*told <= waited && *told + seconds(1) > expected, "{what}: {told:?} of {waited:?}");
    }
}

#[test]
fn who_asks_for_the_lock_in_vain_has_the_next_turn_and_unlocking_what_is_ours_does_nothing() {
    let mut stage = Stage::new(64, Weather::FAIR);
    let first = enter(&mut stage, &[Voice]);
    stage.run(seconds(2));
    // An offer of ours waits for an answer that is a long way off.
    stage.clients[first].deaf = true;
    enter(&mut stage, &[Voice]);
    stage.run(seconds(1));
    stage.say_as(first, |participant| Command::Lock { participant });
    stage.say_as(first, |participant| Command::Unlock { participant });
    stage.say_as(first, |participant| Command::Lock { participant });
    stage.run(Duration::from_millis(100));
    assert_eq!(locks(&stage, first), [false, false]);
    enter(&mut stage, &[Voice]);
    stage.run(seconds(1));
    assert_eq!(offers(&stage, first), 1);
    // It asks every 50 ms, as clients do, and answers at last.
    stage.clients[first].deaf = false;
    stage.say_as(first, |participant| Command::Repeat { participant });
    for _ in 0..25 {
        stage.say_as(first, |participant| Command::Lock { participant });
        stage.run(Duration::from_millis(50));
    }
    assert!(locks(&stage, first).contains(&true), "{:?}", locks(&stage, first));
    assert_eq!(offers(&stage, first), 2, "the repeated one, and no other before the client's turn");
    stage.say_as(first, |participant| Command::Unlock { participant });
    stage.run(seconds(2));
    assert_eq!(offers(&stage, first), 3);
    assert!((1..3).all(|publisher| stage.heard(first, publisher, Voice).packets > 40));
}

#[test]
fn where_both_offer_at_once_ours_stands_and_the_clients_comes_again() {
    let mut stage = Stage::new(65, Weather::FAIR);
    enter(&mut stage, &[Voice]);
    enter(&mut stage, &[Voice]);
    stage.run(seconds(3));
    let before = [0, 1].map(|index| answers(&stage, index));
    // Without a lock, at the same time: what either offers makes an offer for the other, which crosses its own next one.
    stage.offer(0, &[Camera]);
    stage.run(Duration::from_millis(30));
    stage.offer(1, &[Camera]);
    stage.run(seconds(3));
    assert!(stage.clients[1].rolled_back_offers > 0, "they crossed");
    for (index, other) in [(0, 1), (1, 0)] {
        assert_eq!(answers(&stage, index), before[index] + 1, "the ignored offer has no answer");
        assert!(stage.heard(index, other, Camera).packets > 100);
        assert_eq!(stage.heard(index, other, Voice).missing(), 0);
        assert!(!stage.events_of(index).iter().any(|kind| matches!(kind, EventKind::Refused { .. })));
    }
    assert_eq!(stage.shard.stats().panics, 0);
}

#[test]
fn an_offer_that_nobody_answers_does_not_make_the_client_dumb_for_ever() {
    let mut stage = Stage::new(66, Weather::FAIR);
    let first = enter(&mut stage, &[Voice]);
    stage.run(seconds(2));
    stage.clients[first].deaf = true;
    let second = enter(&mut stage, &[Voice]);
    stage.run(seconds(3));
    stage.offer(first, &[Camera]);
    stage.run(seconds(1));
    assert_eq!(answers(&stage, first), 1, "ignored");
    stage.run(seconds(9));
    let said = stage.clients[first].offer_anew().unwrap();
    stage.say_for(first, said);
    stage.clients[first].deaf = false;
    stage.run(seconds(3));
    assert_eq!(answers(&stage, first), 2);
    assert!(stage.heard(second, first, Camera).packets > 50);
    assert!(stage.heard(first, second, Voice).packets > 50);
}

#[test]
fn an_answer_to_an_earlier_offer_is_not_taken_for_one_to_the_last() {
    let mut stage = Stage::new(67, Weather::FAIR);
    let first = enter(&mut stage, &[Voice]);
    stage.run(seconds(2));
    stage.clients[first].keeps_answers = true;
    enter(&mut stage, &[Voice]);
    stage.run(seconds(1));
    let (_, stale) = stage.clients[first].kept_answers.pop().unwrap();
    stage.clients[first].keeps_answers = false;
    stage.say_as(first, |participant| Command::Answer { participant, id: 0, sdp: stale.clone() });
    stage.run(seconds(1));
    stage.clients[first].keeps_answers = true;
    enter(&mut stage, &[Voice]);
    stage.run(seconds(1));
    let (id, sdp) = stage.clients[first].kept_answers.pop().unwrap();
    stage.say_as(first, |participant| Command::Answer { participant, id, sdp: stale });
    stage.run(Duration::from_millis(100));
    stage.say_as(first, |participant| Command::Answer { participant, id, sdp });
    stage.run(seconds(2));
    assert!((1..3).all(|publisher| stage.heard(first, publisher, Voice).packets > 50));
    assert!(!stage.events_of(first).iter().any(|kind| matches!(kind, EventKind::Left(_))));
}

#[test]
fn nobody_begins_anything_while_a_copy_of_our_offer_may_be_on_its_way() {
    for (what, comes) in [("answered", true), ("lost", false)] {
        let mut stage = Stage::new(69, Weather::FAIR);
        let first = enter(&mut stage, &[Voice]);
        stage.run(seconds(2));
        stage.clients[first].keeps_answers = true;
        enter(&mut stage, &[Voice]);
        stage.run(seconds(1));
        // Its signalling broke after it had our offer, before we had its answer.
        stage.say_as(first, |participant| Command::Repeat { participant });
        stage.run(Duration::from_millis(100));
        let kept = std::mem::take(&mut stage.clients[first].kept_answers);
        assert_eq!((kept.len(), offers(&stage, first)), (2, 2), "{what}");
        let mut kept = kept.into_iter().map(|(id, sdp)| Say::Answer { id, sdp });
        stage.say_for(first, kept.next().unwrap());
        enter(&mut stage, &[Voice]);
        // It asks every 50 ms, as clients do.
        let ask = |stage: &mut Stage, times| {
            for _ in 0..times {
                stage.say_as(first, |participant| Command::Lock { participant });
                stage.run(Duration::from_millis(50));
            }
            locks(stage, first)
        };
        assert_eq!(ask(&mut stage, 10), [false; 10], "{what}: it may not have seen the copy yet");
        if comes {
            stage.say_for(first, kept.next().unwrap());
        } else {
            stage.run(Duration::from_millis(500));
        }
        assert_eq!(offers(&stage, first), 2, "{what}: it would not tell what it answers");
        assert_eq!(ask(&mut stage, 1).last(), Some(&true), "{what}");
        stage.clients[first].keeps_answers = false;
        stage.say_as(first, |participant| Command::Unlock { participant });
        stage.run(seconds(2));
        assert_eq!(offers(&stage, first), 3, "{what}");
        assert!((1..3).all(|publisher| stage.heard(first, publisher, Voice).packets > 40), "{what}");
    }
}

/// A browser puts what it begins to send on an m-line of ours that is free in that direction. Where its offer gave way it answers ours,
/// by which it may only receive there, and thinks that all is said.
#[test]
fn what_a_passed_over_offer_would_send_on_an_m_line_of_ours_is_asked_for() {
    let mut stage = Stage::new(70, Weather::FAIR);
    let speaker = enter(&mut stage, &[Voice]);
    let listener = enter(&mut stage, &[]);
    stage.run(seconds(2));
    let ours = stage.clients[listener].sending[0].mid.clone();
    assert_eq!(direction(&stage, listener, &ours), "a=sendonly");
    stage.clients[listener].keeps_answers = true;
    enter(&mut stage, &[Voice]);
    stage.run(seconds(1));
    let (id, answer) = stage.clients[listener].kept_answers.pop().unwrap();
    let speaks = |sdp: &str| on_m_line(sdp, &ours, "a=sendrecv\r\na=msid:s t");
    let sdp = speaks(&answer).replace("a=setup:active", "a=setup:actpass");
    let sources = BTreeMap::from([(ours.clone(), Voice)]);
    stage.say_as(listener, |participant| Command::Offer { participant, id: 77, sdp, sources });
    stage.run(Duration::from_millis(100));
    assert_eq!(answers(&stage, listener), 1, "passed over");
    stage.say_as(listener, |participant| Command::Answer { participant, id, sdp: answer });
    stage.run(seconds(1));
    assert_eq!(direction(&stage, listener, &ours), "a=sendrecv");
    let (id, answer) = stage.clients[listener].kept_answers.pop().unwrap();
    let before = offers(&stage, speaker);
    stage.say_as(listener, |participant| Command::Answer { participant, id, sdp: speaks(&answer) });
    stage.run(Duration::from_millis(500));
    let taken_up = |kind: &EventKind| *kind == EventKind::TakenUp { id: 77 };
    assert_eq!(count(&stage, listener, taken_up), 1);
    assert_eq!(offers(&stage, speaker), before + 1, "the others are told");
    assert!(
        stage.clients[speaker].sending.iter().any(|sending| sending.publisher == stage.clients[listener].id)
    );
}

/// Puts these lines in the place of the direction of an m-line.
fn on_m_line(sdp: &str, mid: &str, lines: &str) -> String {
    let mut sections: Vec<String> = sdp.split("\r\nm=").map(str::to_owned).collect();
    let named = |section: &&mut String| section.contains(&format!("a=mid:{mid}\r\n"));
    let section = sections.iter_mut().find(named).unwrap();
    let directions = ["a=recvonly", "a=sendrecv", "a=inactive"];
    let before = directions.iter().find(|direction| section.contains(**direction)).unwrap();
    *section = section.replace(before, lines);
    sections.join("\r\nm=")
}
