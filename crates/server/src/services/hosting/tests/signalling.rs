//! Offers, answers, maps and the lock, by either way.

use super::*;

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
