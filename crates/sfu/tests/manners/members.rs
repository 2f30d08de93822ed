//! Who is there, under which names, and what they do.

use super::*;

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
