//! Tracks: what a participant publishes, layer by layer, and what it is sent of the others.

use std::time::Instant;

use str0m::format::PayloadParams;
use str0m::media::{Mid, Pt, Rid};
use str0m::rtp::Ssrc;

use crate::allocate::ABSENT_AFTER;
use crate::command::{Codec, ParticipantId, Source};
use crate::forward::keyframe::KeyframeThrottle;
use crate::forward::rewriter::Rewriter;
use crate::names::Name;
use crate::rate::Rate;
use crate::shard::Seat;

/// Layers of one m-line that are told apart. Browsers send three at most.
const MAX_LAYERS: usize = 4;

/// What a payload is, as far as a receiver must agree: the codec, and its profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Format {
    pub codec: Codec,
    /// Wrapped with redundancy (RFC 2198).
    pub red: bool,
    /// H.264: profile and packetization mode; VP9 and AV1: profile.
    profile: u32,
}

impl Format {
    /// The same without redundancy.
    pub(crate) fn without_red(self) -> Self {
        Self { red: false, ..self }
    }

    #[cfg(test)]
    pub(crate) fn plain_of(codec: Codec) -> Self {
        Self { codec, red: false, profile: 0 }
    }

    /// The format of a payload type among negotiated parameters.
    pub(crate) fn of(params: &[PayloadParams], pt: Pt) -> Option<Self> {
        let found = params.iter().find(|params| params.pt() == pt || params.red() == Some(pt))?;
        Self::plain(found).map(|format| Self { red: found.red() == Some(pt), ..format })
    }

    /// What is negotiated, with the payload type to send it under.
    pub(crate) fn all<'a>(
        params: &'a [PayloadParams],
        pts: &'a [Pt],
    ) -> impl Iterator<Item = (Self, Pt)> + 'a {
        let agreed = pts.iter().filter_map(|pt| params.iter().find(|params| params.pt() == *pt));
        agreed.filter_map(|params| Some((params, Self::plain(params)?))).flat_map(|(params, format)| {
            let red = params.red().map(|pt| (Self { red: true, ..format }, pt));
            [Some((format, params.pt())), red].into_iter().flatten()
        })
    }

    fn plain(params: &PayloadParams) -> Option<Self> {
        let spec = params.spec();
        let (codec, profile) = match spec.codec {
            str0m::format::Codec::Opus => (Codec::Opus, 0),
            str0m::format::Codec::Vp8 => (Codec::Vp8, 0),
            str0m::format::Codec::Vp9 => (Codec::Vp9, spec.format.profile_id.unwrap_or(0)),
            str0m::format::Codec::H264 => {
                // Without the level, which only bounds the sender.
                let profile = spec.format.profile_level_id.unwrap_or(0x42_00_0A) & 0xFF_FF_00;
                (Codec::H264, profile | u32::from(spec.format.packetization_mode.unwrap_or(0)))
            }
            str0m::format::Codec::Av1 => (Codec::Av1, u32::from(spec.format.profile.unwrap_or(0))),
            _ => return None,
        };
        Some(Self { codec, red: false, profile })
    }
}

/// A track that the participant sends us, on several m-lines if it sends the picture in several codecs.
#[derive(Debug)]
pub(crate) struct Published {
    pub mids: Vec<Mid>,
    pub source: Source,
    /// In the order in which they appeared. One, unless the participant sends the picture in several sizes (simulcast) or codecs.
    pub layers: Vec<Layer>,
    /// Place among the voices of the room, the loudest first; 0 for everything else.
    pub rank: usize,
    /// Seats and their index in `outgoing`.
    pub viewers: Vec<(Seat, usize)>,
}

/// One encoding of a published track.
#[derive(Debug)]
pub(crate) struct Layer {
    pub mid: Mid,
    /// What it has last come in.
    pub codec: Option<Codec>,
    pub rid: Option<Rid>,
    pub ssrc: Ssrc,
    /// The SSRC before; what still comes of it is not for anybody.
    retired: Option<Ssrc>,
    pub keyframe: KeyframeThrottle,
    pub rate: Rate,
    /// Of the picture, where a key frame has told.
    pub height: Option<u16>,
    /// When its last packet came.
    pub last_at: Option<Instant>,
    /// Its highest rate, by which layers are told apart that do not tell their size.
    pub peak: u64,
}

impl Published {
    pub(crate) fn new(mids: Vec<Mid>, source: Source) -> Self {
        Self { mids, source, layers: Vec::new(), rank: 0, viewers: Vec::new() }
    }

    /// Places of the layers of a codec from the lowest to the highest: by height if all have told theirs, else by what they send at most.
    pub(crate) fn by_rank(&self, codec: Option<Codec>) -> Vec<usize> {
        let told = self.tells_heights(codec);
        let layers = self.layers.iter().enumerate().filter(|(_, layer)| layer.codec == codec);
        let mut places: Vec<usize> = layers.map(|(place, _)| place).collect();
        places.sort_by_key(|place| {
            self.layers.get(*place).map(|layer| (layer.height.filter(|_| told), layer.peak))
        });
        places
    }

    /// Whether every layer of a codec has told its height; otherwise none is of use.
    pub(crate) fn tells_heights(&self, codec: Option<Codec>) -> bool {
        self.layers.iter().filter(|layer| layer.codec == codec).all(|layer| layer.height.is_some())
    }

    /// The layer that a stream belongs to; made when it is new. `None`: a stream that has had its time, or one layer too many.
    pub(crate) fn layer_of(&mut self, mid: Mid, rid: Option<Rid>, ssrc: Ssrc) -> Option<usize> {
        let Some(index) = self.layers.iter().position(|layer| (layer.mid, layer.rid) == (mid, rid)) else {
            if self.layers.iter().filter(|layer| layer.mid == mid).count() >= MAX_LAYERS {
                return None;
            }
            self.layers.push(Layer::new(mid, rid, ssrc));
            return Some(self.layers.len() - 1);
        };
        let layer = self.layers.get_mut(index)?;
        if layer.retired == Some(ssrc) {
            return None;
        }
        // A known stream is looked up again after every offer, and is not its own successor.
        if layer.ssrc != ssrc {
            layer.retired = Some(std::mem::replace(&mut layer.ssrc, ssrc));
        }
        Some(index)
    }
}

impl Layer {
    fn new(mid: Mid, rid: Option<Rid>, ssrc: Ssrc) -> Self {
        Self {
            mid,
            codec: None,
            rid,
            ssrc,
            retired: None,
            keyframe: KeyframeThrottle::default(),
            rate: Rate::default(),
            height: None,
            last_at: None,
            peak: 0,
        }
    }

    /// Notes a packet. Returns whether it is the first, or the first in a while.
    pub(crate) fn heard(&mut self, now: Instant, bytes: usize) -> bool {
        let appeared = self.last_at.is_none_or(|last| now.saturating_duration_since(last) > ABSENT_AFTER);
        self.rate.add(now, bytes);
        self.peak = self.peak.max(self.rate.bits_per_second(now));
        self.last_at = Some(now);
        appeared
    }
}

/// A picture as a viewer knows it: whose, and what it shows.
pub(crate) type Picture = (ParticipantId, Source);

/// A track of somebody else that we send to the participant. It keeps its m-line as long as its publisher is in the room: receivers tie an
/// m-line to the track they first saw on it.
#[derive(Debug)]
pub(crate) struct Outgoing {
    pub publisher: ParticipantId,
    pub name: Name,
    pub source: Source,
    pub mid: Option<Mid>,
    pub wanted: bool,
    /// Whether the participant has agreed to receive it.
    pub active: bool,
    /// Whether its publisher has left the room.
    pub gone: bool,
    /// Whether its m-line is stopped on our side; then it is never wanted again.
    pub stopped: bool,
    /// Whether the participant has answered that it does not want it; asked again only after something has changed.
    pub declined: bool,
    pub ssrc: Option<Ssrc>,
    pub pts: Vec<(Format, Pt)>,
    /// The layer that it should be sent; `None`: nothing of it now. Of sound there is only one.
    pub target: Option<usize>,
    pub rewriter: Rewriter,
}

impl Outgoing {
    pub(crate) fn new(publisher: ParticipantId, name: Name, source: Source, first_seq: u16) -> Self {
        Self {
            publisher,
            name,
            source,
            mid: None,
            wanted: false,
            active: false,
            gone: false,
            stopped: false,
            declined: false,
            ssrc: None,
            pts: Vec::new(),
            target: source.is_audio().then_some(0),
            rewriter: Rewriter::new(first_seq),
        }
    }

    /// Whether packets of it may go out.
    pub(crate) fn is_open(&self) -> bool {
        self.active && self.wanted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layers_are_ordered_by_height_only_if_all_have_told_it() {
        // (height, peak) in order of appearance → places from the lowest
        type Row<'a> = (&'a [(Option<u16>, u64)], &'a [usize]);
        let rows: [Row<'_>; 3] = [
            (&[(Some(720), 9), (Some(180), 1), (Some(360), 20)], &[1, 2, 0]),
            (&[(None, 2_000), (Some(180), 75), (Some(360), 450)], &[1, 2, 0]),
            (&[(None, 450), (None, 75)], &[1, 0]),
        ];
        for (layers, expected) in rows {
            let mid = Mid::from("0");
            let mut track = Published::new(vec![mid], Source::Camera);
            for (ssrc, (height, peak)) in (1_u32..).zip(layers) {
                let rid = Rid::from(ssrc.to_string().as_str());
                let place = track.layer_of(mid, Some(rid), Ssrc::from(ssrc)).unwrap();
                (track.layers[place].height, track.layers[place].peak) = (*height, *peak);
            }
            assert_eq!(track.by_rank(None), expected, "{layers:?}");
        }
    }

    #[test]
    fn an_empty_beginning_makes_a_layer_appear_once() {
        let now = Instant::now();
        let mut layer = Layer::new(Mid::from("0"), None, Ssrc::from(1));
        assert!(layer.heard(now, 0));
        assert!(!layer.heard(now, 0) && !layer.heard(now + ABSENT_AFTER, 0));
        assert!(layer.heard(now + 3 * ABSENT_AFTER, 0));
    }
}
