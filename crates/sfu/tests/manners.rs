//! Clients that want more of the engine than the house's own: names that tell, a lock, sources that are named late.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test code: a broken assumption should fail the test, loudly"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use sfu::Source::{Camera, Screen, ScreenAudio, Voice};
use sfu::{Codec, Command, EventKind, LeaveReason, Profile, SignalRefusal, Source, Sources};
use str0m::media::KeyframeRequestKind;
use testkit::stage::{DEMANDING, Encoding, Loudness, ROOM, SERVER, Say, Stage, Stamp, Weather, profile};

const AV1_FIRST: [Codec; 3] = [Codec::Opus, Codec::Av1, Codec::Vp8];
const VP8_FIRST: [Codec; 3] = [Codec::Opus, Codec::Vp8, Codec::Av1];

#[test]
fn three_hear_and_see_each_other_by_names_that_tell() {
    let mut stage = Stage::new(60, Weather::FAIR);
    enter(&mut stage, &[Voice, Camera]);
    enter(&mut stage, &[Voice, Screen, ScreenAudio]);
    enter(&mut stage, &[Voice]);
    stage.run(seconds(3));
    let published: [&[(Source, &str)]; 3] = [
        &[(Voice, "voice"), (Camera, "video")],
        &[(Voice, "voice"), (Screen, "screen"), (ScreenAudio, "screen-audio")],
        &[(Voice, "voice")],
    ];
    for viewer in 0..3 {
        let mut expected = BTreeSet::new();
        for publisher in (0..3).filter(|publisher| *publisher != viewer) {
            for (source, kind) in published[publisher] {
                assert!(
                    stage.heard(viewer, publisher, *source).packets > 50,
                    "{viewer} {publisher} {source:?}"
                );
                expected.insert(((*kind).to_owned(), name_of(publisher)));
            }
        }
        let named: BTreeSet<_> =
            names_in(stage.clients[viewer].offered.as_ref().unwrap()).into_iter().collect();
        assert_eq!(named, expected, "{viewer}");
    }
    // Who leaves is named no more; the others keep their m-lines and their names.
    let before = stage.clients[2].offered.clone().unwrap();
    stage.leave(1);
    stage.run(seconds(1));
    let after = stage.clients[2].offered.clone().unwrap();
    assert_eq!(names_in(&after).len(), 2);
    assert!(msids(&after).iter().all(|msid| msids(&before).contains(msid)));
    assert!(!after.contains(&name_of(1)));
}

#[test]
fn a_source_that_comes_again_has_its_m_line_and_its_name_again() {
    let mut stage = Stage::new(61, Weather::FAIR);
    enter(&mut stage, &[Voice, Screen]);
    enter(&mut stage, &[]);
    stage.run(seconds(2));
    let screen = |stage: &Stage| {
        let sending = &stage.clients[1].sending;
        sending.iter().find(|sending| sending.source == Screen).map(|sending| sending.mid.clone())
    };
    let mid = screen(&stage).unwrap();
    let offered = stage.clients[1].offered.clone().unwrap();
    let names = msids(&offered);
    stage.withdraw(0, Screen);
    stage.run(seconds(1));
    assert_eq!(screen(&stage), None);
    assert_eq!(msids(stage.clients[1].offered.as_ref().unwrap()).len(), names.len() - 1);
    let came = stage.heard(1, 0, Voice).packets;
    stage.offer(0, &[Screen]);
    stage.run(seconds(2));
    assert_eq!(screen(&stage).as_ref(), Some(&mid));
    assert_eq!(msids(stage.clients[1].offered.as_ref().unwrap()), names);
    assert!(stage.heard(1, 0, Screen).packets > 100);
    assert!(stage.heard(1, 0, Voice).packets >= came + 90);
}

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
    for _ in 0..10 {
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
fn loudness_is_told_under_the_number_that_each_viewer_knows() {
    let mut stage = Stage::new(83, Weather::FAIR);
    let speaker = prepare(&mut stage);
    stage.enter_altered(speaker, &[Voice], |sdp| {
        let level = "urn:ietf:params:rtp-hdrext:ssrc-audio-level";
        assert!(sdp.contains(&format!("a=extmap:1 {level}")));
        sdp.replace(&format!("a=extmap:1 {level}"), &format!("a=extmap:13 {level}"))
    });
    let viewer = enter(&mut stage, &[]);
    stage.clients[speaker].loudness = Some(Loudness { dbov: -37, voice: true });
    stage.run(seconds(2));
    let Some(EventKind::Answer { sdp, .. }) = stage.events_of(speaker).first().cloned() else { panic!() };
    assert!(sdp.contains("a=extmap:13 urn:ietf:params:rtp-hdrext:ssrc-audio-level"), "{sdp}");
    let offered = stage.clients[viewer].offered.as_ref().unwrap();
    assert!(offered.contains("a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level"), "{offered}");
    assert_eq!(stage.heard(viewer, speaker, Voice).level, Some(-37));
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
fn mute_tells_that_a_voice_ceased_whether_it_spoke_or_not() {
    let mut stage = Stage::new(72, Weather::FAIR);
    let speaker = enter(&mut stage, &[Voice]);
    let mute = |stage: &mut Stage, muted| {
        stage.say_as(speaker, |participant| Command::Mute { participant, source: Voice, muted });
        stage.run(Duration::from_millis(100));
    };
    stage.run(seconds(3));
    assert!(spoke(&stage, speaker).is_empty(), "a steady tone is no speech");
    mute(&mut stage, true);
    assert_eq!(spoke(&stage, speaker), [false]);
    mute(&mut stage, false);
    // Syllables.
    for syllable in 0..20 {
        let dbov = if syllable % 2 == 0 { -20 } else { -80 };
        stage.clients[speaker].loudness = Some(Loudness { dbov, voice: true });
        stage.run(Duration::from_millis(150));
    }
    assert_eq!(spoke(&stage, speaker), [false, true]);
    mute(&mut stage, true);
    assert_eq!(spoke(&stage, speaker), [false, true, false]);
    assert!(stage.shard.stats().panics == 0);
}

#[test]
fn the_sound_of_a_screen_moves_nobodys_speaking_indicator() {
    let mut stage = Stage::new(73, Weather::FAIR);
    let sharer = enter(&mut stage, &[ScreenAudio]);
    for syllable in 0..30 {
        let dbov = if syllable % 2 == 0 { -20 } else { -80 };
        stage.clients[sharer].loudness = Some(Loudness { dbov, voice: true });
        stage.run(Duration::from_millis(150));
    }
    assert!(spoke(&stage, sharer).is_empty());
}

#[test]
fn a_connection_that_the_client_closes_ends_at_once() {
    let mut stage = Stage::new(74, Weather::FAIR);
    let first = enter(&mut stage, &[Voice]);
    let second = enter(&mut stage, &[Voice]);
    stage.run(seconds(2));
    stage.clients[first].close();
    stage.flush_client(first);
    stage.run(Duration::from_millis(200));
    assert_eq!(stage.events_of(first).last(), Some(&EventKind::Left(LeaveReason::Closed)));
    stage.run(seconds(1));
    assert!(names_in(stage.clients[second].offered.as_ref().unwrap()).is_empty());
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

#[test]
fn a_track_of_ours_that_ends_leaves_what_the_client_sends_on_its_m_line() {
    let mut stage = Stage::new(78, Weather::FAIR);
    let speaker = enter(&mut stage, &[Voice]);
    let viewer = enter(&mut stage, &[]);
    stage.run(seconds(2));
    // As browsers do, it puts its microphone on the m-line that brought another's voice.
    let mid = stage.clients[viewer].sending[0].mid.clone();
    stage.send_on(viewer, &mid, Voice);
    stage.run(seconds(2));
    assert!(stage.heard(speaker, viewer, Voice).packets > 50);
    let names = names_of(&stage, viewer);
    assert_eq!(names, [("voice".to_owned(), name_of(speaker))]);
    for _ in 0..2 {
        stage.withdraw(speaker, Voice);
        stage.run(seconds(1));
        let before = stage.heard(speaker, viewer, Voice).packets;
        stage.run(seconds(1));
        assert!(stage.heard(speaker, viewer, Voice).packets > before + 40, "its sound goes on");
        assert_eq!(direction(&stage, viewer, &mid), "a=recvonly");
        let before = stage.heard(viewer, speaker, Voice).packets;
        stage.offer(speaker, &[Voice]);
        stage.run(seconds(2));
        assert_eq!(stage.clients[viewer].sending[0].mid, mid);
        assert_eq!(direction(&stage, viewer, &mid), "a=sendrecv");
        assert!(stage.heard(viewer, speaker, Voice).packets > before + 50);
    }
    assert!(stage.heard(speaker, viewer, Voice).packets > 300);
}

#[test]
fn who_joins_a_call_of_more_than_a_hundred_tracks_gets_them_all() {
    let mut stage = Stage::new(80, Weather::FAIR);
    for _ in 0..51 {
        let publisher = prepare(&mut stage);
        stage.clients[publisher].pictures_every = seconds(1);
        stage.enter(publisher, &[Camera, Screen]);
    }
    stage.run(seconds(1));
    let late = prepare(&mut stage);
    stage.clients[late].max_cameras = 100;
    stage.enter(late, &[]);
    stage.run(seconds(6));
    assert_eq!(stage.clients[late].sending.len(), 102);
    for publisher in 0..51 {
        for source in [Camera, Screen] {
            assert!(stage.heard(late, publisher, source).packets > 0, "{publisher} {source:?}");
        }
    }
}

#[test]
fn a_client_without_a_promise_shows_the_certificate_of_its_description_or_never_connects() {
    type Row<'a> = (&'a str, fn(&str) -> String, Option<SignalRefusal>);
    let fingerprints: [Row<'_>; 4] = [
        ("another certificate", |sdp| with_fingerprint(sdp, "sha-256", &["AB"; 32].join(":")), None),
        ("md5", |sdp| with_fingerprint(sdp, "md5", &["AB"; 16].join(":")), Some(SignalRefusal::Fingerprint)),
        (
            "sha-1",
            |sdp| with_fingerprint(sdp, "sha-1", &["AB"; 20].join(":")),
            Some(SignalRefusal::Fingerprint),
        ),
        ("none", |sdp| without_fingerprint(sdp).join("\r\n") + "\r\n", Some(SignalRefusal::Fingerprint)),
    ];
    for (what, alter, refusal) in fingerprints {
        let mut stage = Stage::new(81, Weather::FAIR);
        let honest = enter(&mut stage, &[Voice]);
        let index = prepare(&mut stage);
        let unbound = Profile { fingerprint: None, ..profile(&stage.clients[index], [0; 32]) };
        let (participant, now) = (stage.clients[index].id, stage.now);
        stage.say(Command::Join {
            room: ROOM,
            participant,
            incarnation: 2,
            profile: unbound,
            muted: Sources::default(),
        });
        let Say::Offer { id, sdp, sources } = stage.clients[index].offer(now, &[Voice]) else { panic!() };
        stage.say(Command::Offer { participant, id, sdp: alter(&sdp), sources });
        stage.run(seconds(8));
        let events = stage.events_of(index);
        assert!(!events.contains(&EventKind::Connected), "{what}");
        let told = match refusal {
            Some(refusal) => EventKind::Refused { id, refusal },
            None => EventKind::Left(LeaveReason::CertificateMismatch),
        };
        assert!(events.contains(&told), "{what}: {events:?}");
        assert_eq!(stage.heard(honest, index, Voice).packets, 0, "{what}");
    }
}

#[test]
fn records_that_nobody_sealed_end_no_data_channel() {
    let mut stage = Stage::new(82, Weather::FAIR);
    let index = enter(&mut stage, &[Voice]);
    let other = enter(&mut stage, &[Voice]);
    stage.run(seconds(2));
    let victim = stage.clients[index].address;
    let record = |kind: u8, epoch: u8, body: &[u8]| {
        let mut record =
            vec![kind, 0xfe, 0xfd, 0, epoch, 0, 0, 0, 0, 0, 200, 0, u8::try_from(body.len()).unwrap()];
        record.extend_from_slice(body);
        record
    };
    let forged = [
        ("close_notify", record(21, 0, &[1, 0])),
        ("a fatal alert", record(21, 0, &[2, 40])),
        ("application data of epoch 0", record(23, 0, b"ping")),
        ("a ChangeCipherSpec of epoch 1", record(20, 1, &[1])),
        ("a ChangeCipherSpec of epoch 0", record(20, 0, &[1])),
        ("a close_notify of epoch 1 that is not sealed", record(21, 1, &[1, 0])),
    ];
    for (what, datagram) in forged {
        let now = stage.now;
        stage.net.inject(now, victim, SERVER, &datagram);
        stage.run(Duration::from_millis(200));
        let said = stage.events_of(index).len();
        let now = stage.now;
        assert!(stage.clients[index].write(now, true, what.as_bytes()), "{what}");
        stage.flush_client(index);
        stage.run(Duration::from_millis(200));
        let heard = EventKind::Data { label: "room".into(), binary: true, bytes: what.as_bytes().to_vec() };
        assert!(
            stage.events_of(index)[said..].contains(&heard),
            "{what}: {:?}",
            stage.events_of(index).last()
        );
    }
    let before = stage.heard(other, index, Voice).packets;
    stage.run(seconds(1));
    assert!(stage.heard(other, index, Voice).packets > before + 40);
}

#[test]
fn a_voice_that_is_taken_back_does_not_speak_on() {
    let mut stage = Stage::new(79, Weather::FAIR);
    let speaker = enter(&mut stage, &[Voice]);
    for syllable in 0..20 {
        let dbov = if syllable % 2 == 0 { -20 } else { -80 };
        stage.clients[speaker].loudness = Some(Loudness { dbov, voice: true });
        stage.run(Duration::from_millis(150));
    }
    assert_eq!(spoke(&stage, speaker), [true]);
    stage.withdraw(speaker, Voice);
    stage.run(seconds(1));
    assert_eq!(spoke(&stage, speaker), [true, false]);
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

fn without_fingerprint(sdp: &str) -> Vec<&str> {
    sdp.lines().filter(|line| !line.starts_with("a=fingerprint")).collect()
}

fn with_fingerprint(sdp: &str, hash: &str, digits: &str) -> String {
    let line = format!("a=fingerprint:{hash} {digits}");
    let mut lines = without_fingerprint(sdp);
    let first = lines.iter().position(|line| line.starts_with("m=")).unwrap();
    lines.insert(first, &line);
    lines.join("\r\n") + "\r\n"
}

/// Of an m-line in the server's last offer.
fn direction(stage: &Stage, index: usize, mid: &str) -> String {
    let offered = stage.clients[index].offered.as_ref().unwrap();
    let section =
        offered.split("\r\nm=").find(|section| section.contains(&format!("a=mid:{mid}\r\n"))).unwrap();
    let directions = ["a=sendrecv", "a=sendonly", "a=recvonly", "a=inactive"];
    section.lines().find(|line| directions.contains(line)).unwrap().to_owned()
}

fn names_of(stage: &Stage, index: usize) -> Vec<(String, String)> {
    names_in(stage.clients[index].offered.as_ref().unwrap())
}

fn prepare(stage: &mut Stage) -> usize {
    let index = stage.prepare();
    let client = &mut stage.clients[index];
    client.manners = DEMANDING;
    client.wants_channel = true;
    client.codecs = VP8_FIRST.to_vec();
    index
}

fn enter(stage: &mut Stage, sources: &[Source]) -> usize {
    let index = prepare(stage);
    stage.enter(index, sources);
    index
}

/// How the stage names a client's stream.
fn name_of(index: usize) -> String {
    format!("{:032x}", index + 1)
}

fn msids(sdp: &str) -> Vec<&str> {
    sdp.lines().filter_map(|line| line.strip_prefix("a=msid:")).collect()
}

/// Kind and publisher of every track that a description names, after looking at its form.
fn names_in(sdp: &str) -> Vec<(String, String)> {
    let mut names = Vec::new();
    for msid in msids(sdp) {
        let (stream, track) = msid.split_once(' ').unwrap();
        let parts: Vec<&str> = track.split('_').collect();
        let [kind, publisher, suffix] = parts[..] else { panic!("{track}") };
        assert_eq!((publisher, suffix.len()), (stream, 8), "{msid}");
        let line = format!(" msid:{msid}");
        let ssrc = sdp.lines().find_map(|had| had.strip_suffix(&line)).expect("an SSRC is named, too");
        assert!(sdp.contains(&format!("{ssrc} cname:{stream}\r\n")), "{ssrc}");
        names.push((kind.to_owned(), publisher.to_owned()));
    }
    let streams = sfu::streams(sdp).unwrap();
    assert_eq!(streams.len(), names.len(), "every m-line on which we send is named, and no other");
    assert!(streams.values().all(|stream| names.iter().any(|(_, publisher)| *publisher == stream.id)));
    names
}

fn count(stage: &Stage, index: usize, which: impl Fn(&EventKind) -> bool) -> usize {
    stage.events_of(index).iter().filter(|kind| which(kind)).count()
}

fn offers(stage: &Stage, index: usize) -> usize {
    count(stage, index, |kind| matches!(kind, EventKind::Offer { .. }))
}

fn answers(stage: &Stage, index: usize) -> usize {
    count(stage, index, |kind| matches!(kind, EventKind::Answer { .. }))
}

fn locks(stage: &Stage, index: usize) -> Vec<bool> {
    let kinds = stage.events_of(index).into_iter();
    kinds
        .filter_map(|kind| if let EventKind::Lock { granted } = kind { Some(granted) } else { None })
        .collect()
}

fn spoke(stage: &Stage, index: usize) -> Vec<bool> {
    let kinds = stage.events_of(index).into_iter();
    kinds
        .filter_map(|kind| if let EventKind::Speaking(speaks) = kind { Some(speaks) } else { None })
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

fn stamps(stage: &Stage, viewer: usize, from: usize) -> impl Iterator<Item = Stamp> + '_ {
    stage.clients[viewer].trace[from..].iter().filter_map(|packet| packet.stamp)
}

fn sources_in(stage: &Stage, viewer: usize, from: usize) -> BTreeSet<Source> {
    stamps(stage, viewer, from).map(|stamp| stamp.source).collect()
}

fn carried(stage: &Stage, viewer: usize) -> BTreeSet<Source> {
    sources_in(stage, viewer, 0)
}

fn layers_in(stage: &mut Stage, viewer: usize, time: Duration) -> BTreeSet<u8> {
    let from = stage.clients[viewer].trace.len();
    stage.run(time);
    stamps(stage, viewer, from).filter(|stamp| stamp.source == Screen).map(|stamp| stamp.layer).collect()
}

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}
