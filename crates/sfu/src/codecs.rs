//! Pictures that are published in several codecs, and what flows in which.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use str0m::rtp::{Extension, ExtensionMap};

use crate::command::{Codec, EventKind};
use crate::participant::Participant;
use crate::shard::{Seat, Shard};
use crate::track::{Outgoing, Published};

/// A codec of which nothing has come for so long gives way to another. A still screen is repeated about once a second.
const FLOWS: Duration = Duration::from_secs(2);

/// What flows, by codec.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Tracks {
    incoming: BTreeMap<Codec, usize>,
    outgoing: BTreeMap<Codec, usize>,
}

/// The extensions that every client of few manners knows, under the numbers that Chromium gives them.
pub(crate) fn few_extensions() -> ExtensionMap {
    let mut map = ExtensionMap::empty();
    map.set(1, Extension::AudioLevel);
    map.set(3, Extension::TransportSequenceNumber);
    map.set(4, Extension::RtpMid);
    map.set(10, Extension::RtpStreamId);
    map.set(11, Extension::RepairedRtpStreamId);
    map
}

/// The codec in which a viewer is sent a picture: the first of those it `prefers`, and has agreed to, that flows. Where none does, as of a
/// still screen, that which it has now.
pub(crate) fn pick(
    now: Instant,
    published: &Published,
    viewed: &Outgoing,
    prefers: &[Codec],
) -> Option<Codec> {
    let agreed = |codec: &Codec| viewed.pts.iter().any(|(format, _)| format.codec == *codec);
    let of = |codec: Codec| published.layers.iter().filter(move |layer| layer.codec == Some(codec));
    let there = || prefers.iter().copied().filter(agreed).filter(|codec| of(*codec).next().is_some());
    let flows = |codec: &Codec| {
        let last = of(*codec).filter_map(|layer| layer.last_at).max();
        last.is_some_and(|last| now.saturating_duration_since(last) < FLOWS)
    };
    let had = viewed.target.and_then(|target| published.layers.get(target)?.codec);
    let had = || had.filter(|had| there().any(|codec| codec == *had));
    there().find(flows).or_else(had).or_else(|| there().next())
}

impl Shard {
    /// Tells which tracks of a participant flow, if it is to be told and has changed.
    pub(crate) fn tell_tracks(&mut self, seat: Seat) {
        let Some(participant) = self.seats.get(seat).filter(|had| had.profile.manners.tells_tracks) else {
            return;
        };
        let tracks = Tracks { incoming: incoming(participant), outgoing: self.outgoing(participant) };
        if participant.told_tracks == tracks {
            return;
        }
        let Tracks { incoming, outgoing } = tracks.clone();
        if let Some(participant) = self.seats.get_mut(seat) {
            participant.told_tracks = tracks;
        }
        self.tell_seat(seat, EventKind::Tracks { incoming, outgoing });
    }

    fn outgoing(&self, participant: &Participant) -> BTreeMap<Codec, usize> {
        let open = participant.outgoing.iter().filter(|track| track.is_open());
        count(open.filter_map(|track| {
            let (_, published) = self.published_for(track)?;
            published.layers.get(track.target?)?.codec
        }))
    }
}

fn incoming(participant: &Participant) -> BTreeMap<Codec, usize> {
    let layers = participant.published.iter().flat_map(|track| &track.layers);
    count(layers.filter_map(|layer| layer.codec))
}

fn count(codecs: impl Iterator<Item = Codec>) -> BTreeMap<Codec, usize> {
    let mut counts = BTreeMap::new();
    codecs.for_each(|codec| *counts.entry(codec).or_insert(0) += 1);
    counts
}

#[cfg(test)]
mod tests {
    use str0m::media::{Mid, Pt};
    use str0m::rtp::Ssrc;

    use super::*;
    use crate::command::{Names, ParticipantId, Source};
    use crate::names::Name;
    use crate::track::Format;

    #[test]
    fn the_preferred_codec_that_flows_is_sent() {
        use Codec::{Av1, Vp8};
        // Age of the last packet in ms by codec, preferred, agreed, sent before, expected.
        type Row<'a> = (&'a [(Codec, u64)], &'a [Codec], &'a [Codec], Option<Codec>, Option<Codec>);
        let both: &[Codec] = &[Av1, Vp8];
        let rows: [Row<'_>; 10] = [
            (&[(Vp8, 0), (Av1, 100)], both, both, None, Some(Av1)),
            (&[(Vp8, 0), (Av1, 100)], &[Vp8, Av1], both, None, Some(Vp8)),
            (&[(Vp8, 0)], both, both, None, Some(Vp8)),
            (&[(Vp8, 0), (Av1, 1_999)], both, both, Some(Av1), Some(Av1)),
            (&[(Vp8, 0), (Av1, 2_000)], both, both, Some(Av1), Some(Vp8)),
            (&[(Vp8, 9_000), (Av1, 9_000)], both, both, Some(Vp8), Some(Vp8)),
            (&[(Vp8, 9_000), (Av1, 9_000)], both, both, None, Some(Av1)),
            (&[(Vp8, 0), (Av1, 0)], both, &[Vp8], Some(Av1), Some(Vp8)),
            (&[(Av1, 0)], &[Vp8], both, None, None),
            (&[], both, both, None, None),
        ];
        let now = Instant::now() + Duration::from_secs(60);
        for (ages, prefers, agreed, before, expected) in rows {
            let mut published = Published::new(vec![Mid::from("0"), Mid::from("1")], Source::Screen);
            for ((codec, age), mid) in ages.iter().zip(["0", "1"]) {
                let ssrc = Ssrc::from(mid.parse::<u32>().unwrap());
                let place = published.layer_of(Mid::from(mid), None, ssrc).unwrap();
                published.layers[place].codec = Some(*codec);
                published.layers[place].last_at = Some(now - Duration::from_millis(*age));
            }
            let mut rng = <rand::rngs::StdRng as rand::SeedableRng>::from_seed([0; 32]);
            let name = Name::new(Names::Plain, "s", Source::Screen, &mut rng);
            let mut viewed = Outgoing::new(ParticipantId(1), name, Source::Screen, 0);
            viewed.pts = agreed.iter().map(|codec| (Format::plain_of(*codec), Pt::from(96))).collect();
            viewed.target =
                published.layers.iter().position(|layer| before.is_some() && layer.codec == before);
            assert_eq!(pick(now, &published, &viewed, prefers), expected, "{ages:?} {prefers:?} {before:?}");
        }
    }
}
