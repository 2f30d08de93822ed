//! Chooses, viewer by viewer, which layer of which picture goes out.

use std::time::{Duration, Instant};

use str0m::bwe::Bitrate;

use crate::allocate::{Available, Want};
use crate::command::{ParticipantId, Source, Tile};
use crate::participant::Participant;
use crate::shard::{Seat, Shard};
use crate::track::{Outgoing, Picture, Published};

/// How often the choice is looked at again while pictures flow.
const ADAPT_EVERY: Duration = Duration::from_millis(500);
/// What a viewer is taken to be able to use at least, in bit/s: probes for less tell nothing, and take an idle link for a narrow one.
const LEAST_DESIRED: u64 = 2_000_000;
/// Tiles that one participant may name; more fit no screen.
const MAX_TILES: usize = 64;

impl Shard {
    /// Takes what a participant shows.
    pub(crate) fn view(&mut self, now: Instant, id: ParticipantId, tiles: Option<Vec<Tile>>) {
        let Some(seat) = self.by_id.get(&id).copied() else { return };
        let Some(participant) = self.seats.get_mut(seat) else { return };
        participant.view = tiles.map(|tiles| tiles.into_iter().take(MAX_TILES).collect());
        self.adapt(now, seat);
    }

    /// Chooses the layers for a viewer anew, and asks for the key frames that new ones begin with.
    pub(crate) fn adapt(&mut self, now: Instant, viewer: Seat) {
        let Some(participant) = self.seats.get(viewer) else { return };
        let order = self.order(viewer, participant);
        let wants: Vec<Want<Picture>> =
            order.iter().filter_map(|(index, height)| self.want(now, participant, *index, *height)).collect();
        let flowing = wants.iter().any(|want| !want.layers.is_empty());
        let sound = self.sound(now, participant);
        let Some(participant) = self.seats.get_mut(viewer) else { return };
        let budget = participant.estimate.map(|estimate| estimate.saturating_sub(sound));
        let chosen = participant.allocator.allocate(now, budget, &wants);
        for track in participant.outgoing.iter_mut().filter(|track| !track.source.is_audio()) {
            let key = (track.publisher, track.source);
            track.target = chosen.iter().find(|(chosen, _)| *chosen == key).and_then(|(_, layer)| *layer);
        }
        participant.adapt_at = flowing.then(|| now + ADAPT_EVERY);
        let desired = participant.allocator.desired(&wants).saturating_add(sound).max(LEAST_DESIRED);
        if participant.estimate.is_some() && participant.desired != desired {
            participant.desired = desired;
            self.change(viewer, |participant| {
                participant.rtc.bwe().set_bitrate(Bitrate::ZERO, Bitrate::bps(desired));
                participant.tick(now)
            });
        }
        self.schedule(viewer);
        self.want_layers(now, viewer);
    }

    /// The pictures for a viewer, the most important first, with the height that is needed (`None`: any).
    fn order(&self, viewer: Seat, participant: &Participant) -> Vec<(usize, Option<u16>)> {
        let pictures =
            || participant.outgoing.iter().enumerate().filter(|(_, track)| !track.source.is_audio());
        if let Some(tiles) = &participant.view {
            let shown = |tile: &Tile| {
                let same =
                    |track: &Outgoing| (track.publisher, track.source) == (tile.publisher, tile.source);
                pictures().find(|(_, track)| same(track)).map(|(index, _)| (index, Some(tile.height)))
            };
            return tiles.iter().filter_map(shown).collect();
        }
        let screens = pictures().filter(|(_, track)| track.source == Source::Screen).map(|(index, _)| index);
        let mut cameras: Vec<usize> =
            pictures().filter(|(_, track)| track.source == Source::Camera).map(|(index, _)| index).collect();
        if let Some(room) = self.rooms.get(&participant.room) {
            let speakers: Vec<Seat> =
                room.speaking.recent(usize::MAX).filter(|seat| *seat != viewer).collect();
            let place = |index: &usize| {
                let publisher = participant.outgoing.get(*index).map(|track| track.publisher);
                let seat = publisher.and_then(|publisher| self.by_id.get(&publisher));
                speakers.iter().position(|speaker| Some(speaker) == seat).unwrap_or(usize::MAX)
            };
            cameras.sort_by_key(place);
        }
        cameras.truncate(participant.profile.max_cameras);
        screens.chain(cameras).map(|index| (index, None)).collect()
    }

    fn want(
        &self,
        now: Instant,
        participant: &Participant,
        index: usize,
        height: Option<u16>,
    ) -> Option<Want<Picture>> {
        let track = participant.outgoing.get(index).filter(|track| track.is_open())?;
        let (publisher, published) = self.published_for(track)?;
        let muted = publisher.muted.contains(published.source);
        let layers = published.layers.iter().enumerate().filter(|(_, layer)| !muted && layer.flows(now));
        let mut layers: Vec<Available> = layers
            .map(|(index, layer)| Available {
                index,
                bits_per_second: layer.rate.bits_per_second(now),
                height: layer.height,
            })
            .collect();
        layers.sort_by_key(|layer| (layer.height, layer.bits_per_second));
        Some(Want { key: (track.publisher, track.source), height, layers })
    }

    fn published_for(&self, track: &Outgoing) -> Option<(&Participant, &Published)> {
        let publisher = self.seats.get(*self.by_id.get(&track.publisher)?)?;
        let published = publisher.published.iter().find(|found| found.source == track.source)?;
        Some((publisher, published))
    }

    /// What the sound that goes to a participant takes, in bit/s.
    fn sound(&self, now: Instant, participant: &Participant) -> u64 {
        let sounds = participant.outgoing.iter().filter(|track| track.source.is_audio() && track.is_open());
        let published = sounds.filter_map(|track| self.published_for(track));
        let heard = published.filter(|(_, published)| published.rank < participant.profile.max_voices);
        heard.flat_map(|(_, published)| &published.layers).map(|layer| layer.rate.bits_per_second(now)).sum()
    }

    /// Asks for key frames of the layers that a viewer is to be sent and is not.
    fn want_layers(&mut self, now: Instant, viewer: Seat) {
        let Some(participant) = self.seats.get(viewer) else { return };
        let tracks = participant.outgoing.iter().filter(|track| track.is_open() && !track.source.is_audio());
        let lacking: Vec<_> = tracks
            .filter_map(|track| {
                let (_, published) = self.published_for(track)?;
                let layer = track.target?;
                let ssrc = published.layers.get(layer)?.ssrc;
                (!track.rewriter.follows(*ssrc)).then_some((track.publisher, track.source, layer))
            })
            .collect();
        for (publisher, source, layer) in lacking {
            self.want_keyframe(now, publisher, source, layer);
        }
    }
}
