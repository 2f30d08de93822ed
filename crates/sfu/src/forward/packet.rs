//! One packet in, one packet out for every viewer.

use std::cell::OnceCell;
use std::sync::Arc;
use std::time::Instant;

use str0m::rtp::{ExtensionValues, RtpPacket, RtpWrite, Vp8Descriptor};

use crate::command::{Codec, LeaveReason, ParticipantId, Source};
use crate::forward::codec;
use crate::forward::rewriter::{Incoming, Origin, Skip};
use crate::participant::Link;
use crate::shard::{Seat, Shard};
use crate::track::{Format, Outgoing};

/// What a publisher may send on one layer, in bit/s over two seconds: Opus' most twice, with redundancy; far more than a browser encodes.
const MOST_SOUND: u64 = 1_500_000;
const MOST_PICTURE: u64 = 30_000_000;

/// A packet, read once, as every viewer needs it.
struct Read<'a> {
    packet: &'a RtpPacket,
    format: Format,
    incoming: Incoming,
    /// Redundant sound without its redundancy.
    plain: OnceCell<Option<Arc<[u8]>>>,
    /// Index among the layers of its track.
    layer: usize,
    /// Place of its voice in the room.
    rank: usize,
}

impl Shard {
    /// Forwards a publisher's packet. Read once; per viewer only the numbers differ, and the payload is shared.
    pub(crate) fn forward(&mut self, now: Instant, from: Seat, packet: &RtpPacket) {
        let Some(publisher) = self.seats.get_mut(from) else { return };
        let params = publisher.rtc.codec_config().params();
        let Some(format) = Format::of(params, packet.header.payload_type) else { return };
        let layer = publisher.layer_of(packet.header.ssrc);
        if publisher.ssrcs.are_too_many() {
            return self.leaving.push((from, LeaveReason::Flooding));
        }
        let Some((index, layer_index)) = layer else { return };
        let origin = Origin { incarnation: publisher.incarnation, ssrc: *packet.header.ssrc };
        let Some(incoming) = read(origin, format, packet) else { return };
        let muted = publisher.muted;
        let Some(track) = publisher.published.get_mut(index).filter(|track| !muted.contains(track.source))
        else {
            return;
        };
        let Some(layer) = track.layers.get_mut(layer_index).filter(|_| !packet.payload.is_empty()) else {
            return;
        };
        let other_codec = layer.codec.replace(format.codec) != Some(format.codec);
        let appeared = layer.heard(now, packet.payload.len()) || other_codec;
        let most = if track.source.is_audio() { MOST_SOUND } else { MOST_PICTURE };
        if layer.peak > most {
            return self.leaving.push((from, LeaveReason::Flooding));
        }
        if incoming.start && !track.source.is_audio() {
            layer.height = codec::height(format.codec, &packet.payload).or(layer.height);
        }
        let (source, viewers) = (track.source, std::mem::take(&mut track.viewers));
        if source == Source::Voice {
            self.hear(now, from, packet);
        }
        if appeared {
            self.tell_tracks(from);
        }
        if appeared && !source.is_audio() {
            viewers.iter().for_each(|(viewer, _)| self.adapt(now, *viewer));
        }
        let rank = self.published_at(from, index).map_or(0, |track| track.rank);
        let read = Read { packet, format, plain: OnceCell::new(), incoming, layer: layer_index, rank };
        let mut needs_keyframe = false;
        for (viewer, outgoing) in &viewers {
            needs_keyframe |= self.forward_to(now, *viewer, *outgoing, &read);
        }
        let Some(track) = self.published_at(from, index) else { return };
        track.viewers = viewers;
        if needs_keyframe && let Some(layer) = track.layers.get_mut(layer_index) {
            layer.keyframe.want();
            self.ask_keyframes(now, from);
        }
    }

    /// Returns whether the viewer waits for a key frame of this layer.
    fn forward_to(&mut self, now: Instant, viewer: Seat, index: usize, read: &Read<'_>) -> bool {
        let Some(participant) = self.seats.get_mut(viewer).filter(|viewer| viewer.link == Link::Up) else {
            return false;
        };
        let heard = read.rank < participant.profile.max_voices;
        let Some(track) = participant.outgoing.get_mut(index).filter(|track| track.is_open()) else {
            return false;
        };
        let Some(target) = track.target.filter(|_| heard) else {
            // What is left out must not look like loss when it goes on.
            if track.rewriter.restart()
                && !track.source.is_audio()
                && let Some(ssrc) = track.ssrc
            {
                participant.forget_sent(ssrc);
            }
            return false;
        };
        let Some(((pt, payload), ssrc)) = payload_for(track, read, participant.short).zip(track.ssrc) else {
            return false;
        };
        let out = match track.rewriter.rewrite(now, &read.incoming, target == read.layer) {
            Ok(out) => out,
            Err(skip) => return skip == Skip::AwaitingKeyFrame,
        };
        let write = RtpWrite::new(pt, out.seq.into(), out.time, now, payload)
            .marker(read.packet.header.marker)
            .ext_vals(kept_extensions(&read.packet.header.ext_vals))
            .nackable(read.format.codec != Codec::Opus);
        let write = match out.vp8 {
            Some(patch) => write.vp8_patch(patch),
            None => write,
        };
        self.stats.forwarded += 1;
        self.write(viewer, |participant| {
            if out.begins && read.format.codec != Codec::Opus {
                participant.forget_sent(ssrc);
            }
            if let Some(stream) = participant.rtc.direct_api().stream_tx(&ssrc) {
                stream.write_rtp(write);
            }
        });
        false
    }

    /// A viewer lacks a key frame of the tracks that `which` picks.
    pub(crate) fn keyframe_wanted(&mut self, now: Instant, viewer: Seat, which: impl Fn(&Outgoing) -> bool) {
        let Some(participant) = self.seats.get(viewer) else { return };
        let pictures =
            participant.outgoing.iter().filter(|track| track.is_open() && !track.source.is_audio());
        let picked = pictures.filter(|track| which(track));
        let wanted: Vec<_> =
            picked.filter_map(|track| Some((track.publisher, track.source, track.target?))).collect();
        for (publisher, source, layer) in wanted {
            self.want_keyframe(now, publisher, source, layer);
        }
    }

    /// Somebody waits for a key frame of a layer.
    pub(crate) fn want_keyframe(&mut self, now: Instant, id: ParticipantId, source: Source, layer: usize) {
        let Some(seat) = self.by_id.get(&id).copied() else { return };
        let Some(publisher) = self.seats.get_mut(seat) else { return };
        let track = publisher.published.iter_mut().find(|track| track.source == source);
        if let Some(layer) = track.and_then(|track| track.layers.get_mut(layer)) {
            layer.keyframe.want();
            self.ask_keyframes(now, seat);
        }
    }

    pub(crate) fn ask_keyframes(&mut self, now: Instant, publisher: Seat) {
        let mut asked = 0;
        self.change(publisher, |participant| {
            asked = participant.request_keyframes(now);
            if asked > 0 { participant.tick(now) } else { Ok(()) }
        });
        self.stats.keyframes_asked += asked;
    }

    fn published_at(&mut self, seat: Seat, index: usize) -> Option<&mut crate::track::Published> {
        self.seats.get_mut(seat)?.published.get_mut(index)
    }
}

/// Payload type and payload for a viewer. Redundant sound is unwrapped for those who did not agree to it, or are `short` of bandwidth.
fn payload_for(track: &Outgoing, read: &Read<'_>, short: bool) -> Option<(str0m::media::Pt, Arc<[u8]>)> {
    let pt_of = |format: Format| track.pts.iter().find(|(had, _)| *had == format).map(|(_, pt)| *pt);
    let whole = || pt_of(read.format).map(|pt| (pt, Arc::clone(&read.packet.payload)));
    let newest = || {
        let pt = pt_of(read.format.without_red()).filter(|_| read.format.red)?;
        let plain = read.plain.get_or_init(|| codec::red_primary(&read.packet.payload).map(Arc::from));
        plain.as_ref().map(|plain| (pt, Arc::clone(plain)))
    };
    if short { newest().or_else(whole) } else { whole().or_else(newest) }
}

/// Reads what every viewer's numbers depend on. A VP8 payload without a readable descriptor is nobody's.
fn read(origin: Origin, format: Format, packet: &RtpPacket) -> Option<Incoming> {
    let vp8 = match format.codec {
        Codec::Vp8 => Some(Vp8Descriptor::parse(&packet.payload).ok()?),
        Codec::Opus | Codec::Vp9 | Codec::H264 | Codec::Av1 => None,
    };
    let start = format.codec == Codec::Opus || codec::starts_keyframe(format.codec, &packet.payload);
    let clock = codec::clock(format.codec);
    Some(Incoming { origin, seq: *packet.seq_no, time: packet.header.timestamp, clock, start, vp8 })
}

/// Extensions that mean the same to a viewer; the rest belong to one transport.
fn kept_extensions(values: &ExtensionValues) -> ExtensionValues {
    ExtensionValues {
        audio_level: values.audio_level,
        voice_activity: values.voice_activity,
        video_orientation: values.video_orientation,
        video_content_type: values.video_content_type,
        play_delay_min: values.play_delay_min,
        play_delay_max: values.play_delay_max,
        ..ExtensionValues::default()
    }
}
