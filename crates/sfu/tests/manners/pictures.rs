//! Pictures: their codecs, their qualities, their key frames.

use super::*;

#[test]
fn a_picture_that_is_named_late_is_held_and_then_begins_well() {
    let mut stage = Stage::new(68, Weather::FAIR);
    let publisher = prepare(&mut stage);
    stage.clients[publisher].unnamed = [Camera, Screen].into_iter().collect();
    stage.enter(publisher, &[Voice, Camera, Screen]);
    let viewer = enter(&mut stage, &[]);
    stage.run(seconds(3));
    assert_eq!(carried(&stage, viewer), [Voice].into(), "what nobody knows is nobody's");
    let mids = stage.clients[publisher].mids();
    let name = |stage: &mut Stage, source: Source, named: Option<Source>| {
        let sources = BTreeMap::from([(mids[&source].clone(), named)]);
        stage.say_as(publisher, |participant| Command::Name { participant, sources });
    };
    let asked = stage.clients[publisher].keyframes_asked;
    name(&mut stage, Camera, Some(Camera));
    stage.run(seconds(2));
    let heard = stage.heard(viewer, publisher, Camera);
    assert!(heard.began_well && heard.packets > 100, "{heard:?}");
    assert!(stage.clients[publisher].keyframes_asked > asked, "a key frame was asked for");
    assert_eq!(carried(&stage, viewer), [Voice, Camera].into());
    // What a sound is called does not make it a picture, and nobody has two voices.
    name(&mut stage, Screen, Some(ScreenAudio));
    name(&mut stage, Voice, Some(Screen));
    stage.run(seconds(1));
    let voices = stage.heard(viewer, publisher, Voice).packets;
    assert_eq!(carried(&stage, viewer), [Voice, Camera].into());
    name(&mut stage, Voice, Some(Voice));
    name(&mut stage, Screen, Some(Screen));
    name(&mut stage, Camera, None);
    stage.run(Duration::from_millis(500));
    let before = stage.clients[viewer].trace.len();
    stage.run(seconds(2));
    let lately: BTreeSet<_> = sources_in(&stage, viewer, before);
    assert_eq!(lately, [Voice, Screen].into(), "the camera's name was taken back");
    assert!(stage.heard(viewer, publisher, Voice).packets > voices);
    assert_eq!(stage.shard.stats().panics, 0);
}

#[test]
fn av1_is_sent_to_those_who_prefer_it_and_vp8_where_it_does_not_flow() {
    for source in [Screen, Camera] {
        av1_or_vp8(source);
    }
}

fn av1_or_vp8(source: Source) {
    let mut stage = Stage::new(69, Weather::FAIR);
    let publisher = prepare(&mut stage);
    let both = vec![Codec::Av1, Codec::Vp8];
    (stage.clients[publisher].screen_codecs, stage.clients[publisher].camera_codecs) = (both.clone(), both);
    stage.enter(publisher, &[Voice, source]);
    let mut viewers = [0; 2];
    for (index, codecs) in [AV1_FIRST, VP8_FIRST].into_iter().enumerate() {
        viewers[index] = prepare(&mut stage);
        stage.clients[viewers[index]].codecs = codecs.to_vec();
        stage.enter(viewers[index], &[]);
    }
    stage.run(seconds(5));
    let codecs = |stage: &Stage, viewer: usize| stage.heard(viewer, publisher, source).codecs;
    assert_eq!(codecs(&stage, viewers[0]).last(), Some(&Codec::Av1));
    assert_eq!(codecs(&stage, viewers[1]), [Codec::Vp8]);
    let (lines, offered) = (codecs(&stage, viewers[0]), offers(&stage, viewers[0]));
    for (on, expected) in [(false, Codec::Vp8), (true, Codec::Av1)] {
        let now = stage.now;
        stage.clients[publisher].send_codec(now, Codec::Av1, on);
        stage.run(seconds(4));
        assert_eq!(codecs(&stage, viewers[0]).last(), Some(&expected));
    }
    assert_eq!(codecs(&stage, viewers[0]), [lines, vec![Codec::Vp8, Codec::Av1]].concat());
    assert_eq!(codecs(&stage, viewers[1]), [Codec::Vp8]);
    assert_eq!(offers(&stage, viewers[0]), offered, "in place, without a word");
    for viewer in viewers {
        let heard = stage.heard(viewer, publisher, source);
        assert!(heard.began_well && heard.missing() == 0, "{heard:?}");
    }
    assert_eq!(tracks_of(&stage, viewers[0]).1, BTreeMap::from([(Codec::Opus, 1), (Codec::Av1, 1)]));
    assert_eq!(
        tracks_of(&stage, publisher).0,
        BTreeMap::from([(Codec::Opus, 1), (Codec::Vp8, 1), (Codec::Av1, 1)])
    );
}

#[test]
fn a_publisher_is_answered_in_its_own_order_of_codecs() {
    let mut stage = Stage::new(70, Weather::FAIR);
    let publisher = prepare(&mut stage);
    stage.enter_altered(publisher, &[Voice, Screen], |sdp| {
        // As a browser that prefers AV1.
        let at = sdp.find("m=video").unwrap();
        let line = sdp[at..].lines().next().unwrap().to_owned();
        let mut parts: Vec<&str> = line.split(' ').collect();
        parts[3..].reverse();
        sdp.replace(&line, &parts.join(" "))
    });
    stage.run(seconds(1));
    let Some(EventKind::Answer { sdp, .. }) = stage.events_of(publisher).first().cloned() else { panic!() };
    let line = sdp.lines().find(|line| line.starts_with("m=video")).unwrap();
    let first_pt = line.split(' ').nth(3).unwrap();
    let rtx_of_av1 = format!("a=rtpmap:{first_pt} rtx/90000");
    assert!(sdp.contains(&rtx_of_av1), "{line}");
    assert!(line.split(' ').count() > 5, "{line}");
}

#[test]
fn a_screen_in_two_qualities_switches_in_place() {
    let mut stage = Stage::new(71, Weather::FAIR);
    let publisher = prepare(&mut stage);
    stage.clients[publisher].screen_encodings = Encoding::SCREEN.to_vec();
    stage.enter(publisher, &[Voice, Screen]);
    let viewer = enter(&mut stage, &[]);
    stage.run(seconds(10));
    let (offered, ssrcs) = (offers(&stage, viewer), stage.clients[viewer].ssrcs.clone());
    assert_eq!(layers_in(&mut stage, viewer, seconds(2)), [1].into());
    let address = stage.clients[viewer].address;
    for (rate, layer) in [(Some(1_200_000), 0), (None, 1)] {
        stage.net.local.insert(address, Weather { rate, ..Weather::FAIR });
        stage.run(seconds(12));
        assert_eq!(layers_in(&mut stage, viewer, seconds(3)), [layer].into(), "{rate:?}");
    }
    assert_eq!(offers(&stage, viewer), offered, "no new m-line, and no new offer");
    let new: Vec<_> = stage.clients[viewer].ssrcs.difference(&ssrcs).collect();
    assert!(new.is_empty(), "the same streams: {new:?}");
    let pictures = stage.heard(viewer, publisher, Screen).pictures;
    assert!(pictures.windows(2).all(|pair| pair[0] < pair[1]), "picture ids go up");
}

#[test]
fn many_viewers_cost_the_publisher_one_key_frame_a_second() {
    let mut stage = Stage::new(75, Weather::FAIR);
    let sharer = prepare(&mut stage);
    stage.clients[sharer].keyframe_gap = seconds(1);
    stage.enter(sharer, &[Screen]);
    let viewers: Vec<usize> = (0..10).map(|_| enter(&mut stage, &[])).collect();
    stage.run(seconds(4));
    let before = stage.clients[sharer].keyframes_asked;
    for _ in 0..20 {
        for viewer in &viewers {
            let now = stage.now;
            stage.clients[*viewer].request_keyframes(now);
        }
        stage.run(Duration::from_millis(100));
    }
    let asked = stage.clients[sharer].keyframes_asked - before;
    assert!((1..=3).contains(&asked), "{asked} in two seconds");
    assert!(viewers.iter().all(|viewer| stage.heard(*viewer, sharer, Screen).began_well));
}

#[test]
fn a_full_intra_request_is_passed_on_as_a_picture_loss_is() {
    for kind in [KeyframeRequestKind::Pli, KeyframeRequestKind::Fir] {
        let mut stage = Stage::new(76, Weather::FAIR);
        let sharer = enter(&mut stage, &[Screen]);
        let viewer = enter(&mut stage, &[]);
        stage.run(seconds(3));
        let before = stage.clients[sharer].keyframes_asked;
        let now = stage.now;
        stage.clients[viewer].request_keyframes_by(now, kind);
        stage.run(seconds(1));
        assert_eq!(stage.clients[sharer].keyframes_asked, before + 1, "{kind:?}");
    }
}

#[test]
fn who_has_no_rtx_is_sent_nothing_twice_and_sees_on_by_key_frames() {
    let mut stage = Stage::new(77, Weather::FAIR);
    let sharer = enter(&mut stage, &[Screen]);
    let viewer = prepare(&mut stage);
    // As pion, which strikes it out.
    stage.clients[viewer].alter_answer = Some(without_rtx);
    stage.enter(viewer, &[]);
    stage.run(seconds(2));
    let address = stage.clients[viewer].address;
    stage.net.local.insert(address, Weather { loss: 0.05, ..Weather::FAIR });
    for _ in 0..5 {
        let now = stage.now;
        stage.clients[viewer].request_keyframes(now);
        stage.run(seconds(2));
    }
    let heard = stage.heard(viewer, sharer, Screen);
    assert!(heard.missing() > 10, "what was lost stays lost: {}", heard.missing());
    assert!(heard.key_frames > 3, "{}", heard.key_frames);
    // Nothing came under a number that had come before: str0m drops what SRTP has seen, and so do others.
    assert_eq!(heard.packets, heard.numbers.len() as u64);
    assert_eq!(stage.shard.stats().panics, 0);
}

fn without_rtx(sdp: &str) -> String {
    let rtx: Vec<&str> =
        sdp.lines().filter_map(|line| line.strip_prefix("a=rtpmap:")?.strip_suffix(" rtx/90000")).collect();
    let about_it = |line: &str| {
        ["a=rtpmap:", "a=fmtp:", "a=rtcp-fb:"]
            .iter()
            .filter_map(|prefix| line.strip_prefix(prefix))
            .any(|rest| rest.split(' ').next().is_some_and(|pt| rtx.contains(&pt)))
    };
    let kept = sdp.lines().filter(|line| !about_it(line));
    kept.map(|line| {
        let parts = line.split(' ').enumerate();
        let keep =
            |(at, part): &(usize, &str)| !line.starts_with("m=video") || *at < 3 || !rtx.contains(part);
        let parts: Vec<&str> = parts.filter(keep).map(|(_, part)| part).collect();
        parts.join(" ") + "\r\n"
    })
    .collect()
}

type Counts = BTreeMap<Codec, usize>;

/// The last that was told of a client's tracks.
fn tracks_of(stage: &Stage, index: usize) -> (Counts, Counts) {
    let mut kinds = stage.events_of(index).into_iter().rev();
    kinds
        .find_map(|kind| match kind {
            EventKind::Tracks { incoming, outgoing } => Some((incoming, outgoing)),
            _ => None,
        })
        .unwrap()
}

fn layers_in(stage: &mut Stage, viewer: usize, time: Duration) -> BTreeSet<u8> {
    let from = stage.clients[viewer].trace.len();
    stage.run(time);
    stamps(stage, viewer, from).filter(|stamp| stamp.source == Screen).map(|stamp| stamp.layer).collect()
}
