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
    assert_eq!(
        (stage.told(), heard(&line)),
        (vec!["data calls-dc map ".into()], vec!["c t: offer o8".into()])
    );
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
fn an_offer_by_the_plugin_waits_for_its_map_where_it_brings_a_new_m_line() {
    let mut stage = Stage::new();
    let line = stage.open("a");
    stage.join(&line, "c", "s");
    stage.offer(&line, "s", &sdp(&[]));
    stage.event("a", "s", answer(1));
    stage.event("a", "s", EventKind::DataOpen { label: "calls-dc".into() });
    heard(&line);
    let offer = |stage: &Stage, id, sources: &[Source]| {
        stage.take();
        let publisher = participant("a", "s");
        let sending = |source| Sending { mid: format!("{source:?}"), publisher, source };
        let sending = sources.iter().copied().map(sending).collect();
        stage.event("a", "s", our_offer(id, format!("o{id}"), sending));
        let told = stage.told();
        assert!(told[0].starts_with("data calls-dc map "), "the map goes first: {told:?}");
        told.len() > 1 && told[1] == format!("deliver calls-dc {id}")
    };
    let (voice, camera) = ([Source::Voice], [Source::Voice, Source::Camera]);
    assert!(!offer(&stage, 1, &[]));
    assert_eq!(heard(&line), ["c s: offer o1"]);
    assert!(offer(&stage, 2, &camera));
    assert!(heard(&line).is_empty());
    stage.event("a", "s", EventKind::Delivered { id: 1 });
    assert!(heard(&line).is_empty(), "that was another");
    for _ in 0..2 {
        stage.event("a", "s", EventKind::Delivered { id: 2 });
    }
    assert_eq!(heard(&line), ["c s: offer o2"]);
    // Said again, and with less, or as much: nothing of it is new.
    for (id, sources) in [(2, camera.as_slice()), (3, &voice)] {
        assert!(!offer(&stage, id, sources));
        assert_eq!(heard(&line), [format!("c s: offer o{id}")]);
    }
    // A map that does not arrive is not waited for; being said again prolongs nothing.
    assert!(offer(&stage, 4, &camera) && offer(&stage, 4, &camera));
    stage.later(Duration::from_millis(1_400));
    assert!(heard(&line).is_empty());
    stage.later(Duration::from_millis(1_500));
    assert_eq!(heard(&line), ["c s: offer o4"]);
    // What has a successor is not said any more.
    assert!(offer(&stage, 5, &[Source::Screen]) && !offer(&stage, 6, &voice));
    assert_eq!(heard(&line), ["c s: offer o6"]);
    stage.later(Duration::from_secs(2));
    stage.event("a", "s", EventKind::Delivered { id: 5 });
    assert!(heard(&line).is_empty());
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
    assert!((40..50).contains(&taken), "{taken}");
    // What cannot be read costs as much as the largest that can.
    for _ in 0..4 {
        stage.event("a", "t", data(b"offer \xff".to_vec()));
    }
    assert!(offers(&stage, "t") < 10);
    stage.event("a", "t", data(b"ping".to_vec()));
    assert_eq!(stage.told(), ["data calls-dc Pong"], "all else goes on");
}
