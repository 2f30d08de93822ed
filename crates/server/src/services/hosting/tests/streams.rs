//! What a session's streams are, as they are announced.

use super::*;

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
