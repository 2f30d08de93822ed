//! One packet in, one packet out for every viewer.

use std::sync::Arc;
use std::time::Instant;

use str0m::rtp::{ExtensionValues, RtpPacket, RtpWrite, Vp8Descriptor};

use crate::command::Codec;
use crate::forward::rewriter::{Incoming, Origin, Skip};
use crate::participant::{Link, Outgoing};
use crate::shard::{Seat, Shard};

impl Shard {
    /// Forwards a publisher's packet. Read once; per viewer only the numbers differ, and the payload is shared.
    pub(crate) fn forward(&mut self, now: Instant, from: Seat, packet: &RtpPacket) {
        let Some(publisher) = self.seats.get_mut(from) else { return };
        let Some(codec) = publisher.codec_of(packet.header.payload_type) else { return };
        let Some(index) = publisher.track_of(packet.header.ssrc) else { return };
        let origin = Origin { incarnation: publisher.incarnation, ssrc: *packet.header.ssrc };
        let Some(incoming) = read(origin, codec, packet) else { return };
        let muted = publisher.muted;
        let Some(track) = publisher.published.get_mut(index).filter(|track| !muted.contains(track.source))
        else {
            return;
        };
        let viewers = std::mem::take(&mut track.viewers);
        let mut needs_keyframe = false;
        for (viewer, index) in &viewers {
            needs_keyframe |= self.forward_to(now, *viewer, *index, codec, &incoming, packet);
        }
        let Some(track) = self.seats.get_mut(from).and_then(|publisher| publisher.published.get_mut(index))
        else {
            return;
        };
        track.viewers = viewers;
        if needs_keyframe {
            track.keyframe.want();
            self.ask_keyframes(now, from);
        }
    }

    /// Returns whether the viewer waits for a key frame.
    fn forward_to(
        &mut self,
        now: Instant,
        viewer: Seat,
        index: usize,
        codec: Codec,
        incoming: &Incoming,
        packet: &RtpPacket,
    ) -> bool {
        let Some(participant) = self.seats.get_mut(viewer).filter(|viewer| viewer.link == Link::Up) else {
            return false;
        };
        let Some(track) = participant.outgoing.get_mut(index).filter(|track| track.active && track.wanted)
        else {
            return false;
        };
        let Some(((_, pt), ssrc)) = track.pts.iter().find(|(had, _)| *had == codec).copied().zip(track.ssrc)
        else {
            return false;
        };
        let out = match track.rewriter.rewrite(now, incoming) {
            Ok(out) => out,
            Err(skip) => return skip == Skip::AwaitingKeyFrame,
        };
        let write = RtpWrite::new(pt, out.seq.into(), out.time, now, Arc::clone(&packet.payload))
            .marker(packet.header.marker)
            .ext_vals(kept_extensions(&packet.header.ext_vals))
            .nackable(codec == Codec::Vp8);
        let write = match out.vp8 {
            Some(patch) => write.vp8_patch(patch),
            None => write,
        };
        self.stats.forwarded += 1;
        self.write(viewer, |participant| {
            if let Some(stream) = participant.rtc.direct_api().stream_tx(&ssrc) {
                stream.write_rtp(write);
            }
        });
        false
    }

    /// A viewer lacks a key frame of the tracks that `which` picks.
    pub(crate) fn keyframe_wanted(&mut self, now: Instant, viewer: Seat, which: impl Fn(&Outgoing) -> bool) {
        let Some(participant) = self.seats.get(viewer) else { return };
        let picked = participant
            .outgoing
            .iter()
            .filter(|track| track.active && !track.source.is_audio() && which(track));
        let wanted: Vec<_> = picked.map(|track| (track.publisher, track.source)).collect();
        for (publisher, source) in wanted {
            let Some(seat) = self.by_id.get(&publisher).copied() else { continue };
            let Some(publisher) = self.seats.get_mut(seat) else { continue };
            if let Some(track) = publisher.published.iter_mut().find(|track| track.source == source) {
                track.keyframe.want();
                self.ask_keyframes(now, seat);
            }
        }
    }

    /// A viewer has new tracks, or has just connected. What it sees already goes on as it is.
    pub(crate) fn want_keyframes(&mut self, now: Instant, viewer: Seat) {
        self.keyframe_wanted(now, viewer, |track| track.rewriter.awaits_start());
    }

    pub(crate) fn ask_keyframes(&mut self, now: Instant, publisher: Seat) {
        let mut asked = 0;
        self.change(publisher, |participant| {
            asked = participant.request_keyframes(now);
            if asked > 0 { participant.tick(now) } else { Ok(()) }
        });
        self.stats.keyframes_asked += asked;
    }
}

/// Reads what every viewer's numbers depend on. A VP8 payload without a readable descriptor is nobody's.
fn read(origin: Origin, codec: Codec, packet: &RtpPacket) -> Option<Incoming> {
    let vp8 = match codec {
        Codec::Vp8 => Some(Vp8Descriptor::parse(&packet.payload).ok()?),
        Codec::Opus | Codec::Vp9 | Codec::H264 | Codec::Av1 => None,
    };
    let start = vp8.is_none_or(|descriptor| descriptor.starts_keyframe(&packet.payload));
    let clock = match codec {
        Codec::Vp8 | Codec::Vp9 | Codec::H264 | Codec::Av1 => 90_000,
        Codec::Opus => 48_000,
    };
    Some(Incoming { origin, seq: *packet.seq_no, time: packet.header.timestamp, clock, start, vp8 })
}

/// Extensions that mean the same to a viewer; the rest belong to one transport.
fn kept_extensions(values: &ExtensionValues) -> ExtensionValues {
    ExtensionValues {
        audio_level: values.audio_level,
        voice_activity: values.voice_activity,
        video_orientation: values.video_orientation,
        ..ExtensionValues::default()
    }
}
