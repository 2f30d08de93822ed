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

mod members;
mod pictures;
mod turns;

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

fn stamps(stage: &Stage, viewer: usize, from: usize) -> impl Iterator<Item = Stamp> + '_ {
    stage.clients[viewer].trace[from..].iter().filter_map(|packet| packet.stamp)
}

fn sources_in(stage: &Stage, viewer: usize, from: usize) -> BTreeSet<Source> {
    stamps(stage, viewer, from).map(|stamp| stamp.source).collect()
}

fn carried(stage: &Stage, viewer: usize) -> BTreeSet<Source> {
    sources_in(stage, viewer, 0)
}

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}
