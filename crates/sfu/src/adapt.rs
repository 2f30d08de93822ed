//! Chooses, viewer by viewer, which layer of which picture goes out.

use std::time::{Duration, Instant};

use str0m::bwe::Bitrate;

use crate::allocate::{self, Layer, Means, Need, Wish};
use crate::codecs;
use crate::command::{ParticipantId, Source, Tile};
use crate::estimate::Estimate;
use crate::participant::{Link, Participant};
use crate::shard::{Seat, Shard};
use crate::track::{Outgoing, Picture, Published};

/// How often the choice is looked at again while pictures flow.
const ADAPT_EVERY: Duration = Duration::from_millis(500);
/// Pictures that have not moved for so long need no looking at.
const STILL: Duration = Duration::from_secs(3);
/// What a viewer is taken to be able to use at least, in bit/s: probes for less tell nothing, and take an idle link for a narrow one.
const LEAST_DESIRED: u64 = 2_000_000;
const SEEK_STEP: u64 = 250_000;
/// Where an estimate begins anew at least, in bit/s. Its first probes go at three and six times as much, in five packets or a little more;
/// slower ones would hold more sound, which is not reported, than packets that are.
const LEAST_PROBED: u64 = 300_000;
/// An estimator that has last seen overuse or loss sends no probes, and may see nothing else for ever: without pictures there is little to
/// report, or nothing. A viewer who has been short for so long is measured anew: one without any picture, and one with some.
const STUCK_BLIND: Duration = Duration::from_secs(5);
const STUCK: Duration = Duration::from_secs(15);
/// A viewer who has too little sends just enough not to look idle, and gets no probe of str0m's own: its estimate creeps, and stops at one
/// and a half times what is sent. An increase of what is desired makes it probe; so often it is told one.
const PROBE_EVERY: Duration = Duration::from_secs(5);
/// Tiles that one participant may name; more fit no screen.
const MAX_TILES: usize = 64;

/// The tiles, each picture once, where it is named first and as large as it is shown at all.
fn each_once(tiles: Vec<Tile>) -> Vec<Tile> {
    let mut shown: Vec<Tile> = Vec::new();
    for tile in tiles.into_iter().take(MAX_TILES) {
        let same = |had: &&mut Tile| (had.publisher, had.source) == (tile.publisher, tile.source);
        match shown.iter_mut().find(same) {
            Some(had) => had.height = had.height.max(tile.height),
            None => shown.push(tile),
        }
    }
    shown
}

/// In coarse steps: every increase makes a probe.
fn rounded(bits_per_second: u64) -> u64 {
    bits_per_second.div_ceil(SEEK_STEP).saturating_mul(SEEK_STEP)
}

/// A picture for a viewer.
struct Shown {
    key: Picture,
    need: Need,
    /// From the lowest to the highest.
    layers: Vec<Layer>,
    /// Their places among the layers of the published track.
    by_rank: Vec<usize>,
}

impl Shown {
    /// Whether a viewer with all the bandwidth would get more than the layer of this rank.
    fn is_more_than(&self, now: Instant, rank: Option<usize>) -> bool {
        allocate::best(now, &self.wish()).is_some_and(|best| rank.is_none_or(|rank| rank < best))
    }

    fn wish(&self) -> Wish<'_, Picture> {
        Wish { key: self.key, need: self.need, layers: &self.layers }
    }
}

impl Participant {
    /// What str0m is told of `desired`: now and then less, so that it goes up again.
    fn told_to_desire(&mut self, now: Instant, desired: u64) -> u64 {
        if !self.short {
            self.probe_at = None;
        } else if *self.probe_at.get_or_insert(now + PROBE_EVERY) <= now {
            self.probe_at = Some(now + PROBE_EVERY);
            return desired / 2;
        }
        desired
    }

    /// Whether it has been short of bandwidth for long. Told once in a while.
    fn is_stuck(&mut self, now: Instant, sees: bool) -> bool {
        if !self.short || self.link != Link::Up {
            self.short_since = None;
            return false;
        }
        let since = self.short_since.get_or_insert(now);
        let stuck = now.saturating_duration_since(*since) > if sees { STUCK } else { STUCK_BLIND };
        if stuck {
            *since = now;
        }
        stuck
    }
}

impl Shard {
    /// Takes what a participant shows.
    pub(crate) fn view(&mut self, now: Instant, id: ParticipantId, tiles: Option<Vec<Tile>>) {
        let Some(seat) = self.by_id.get(&id).copied() else { return };
        let Some(participant) = self.seats.get_mut(seat) else { return };
        participant.view = tiles.map(each_once);
        self.adapt(now, seat);
    }

    /// Takes an estimate of what a viewer can take, in bit/s.
    pub(crate) fn estimated(&mut self, now: Instant, viewer: Seat, estimate: u64) {
        let Some(participant) = self.seats.get_mut(viewer) else { return };
        let changed = match &mut participant.estimate {
            Some(before) => before.take(now, estimate),
            none => none.replace(Estimate::new(now, estimate)).is_none(),
        };
        if changed {
            participant.adapt_at = Some(now);
            self.schedule(viewer);
        }
    }

    /// Chooses the layers for a viewer anew, and asks for the key frames that new ones begin with.
    pub(crate) fn adapt(&mut self, now: Instant, viewer: Seat) {
        let Some(participant) = self.seats.get(viewer) else { return };
        let order = self.order(viewer, participant);
        let shown: Vec<Shown> =
            order.iter().filter_map(|(index, need)| self.shown(participant, *index, *need)).collect();
        let wishes: Vec<Wish<'_, Picture>> = shown.iter().map(Shown::wish).collect();
        let flowing = shown.iter().flat_map(|shown| &shown.layers).any(|layer| layer.seen + STILL > now);
        let desired = allocate::desired(now, &wishes);
        let sound = if participant.profile.reports_sound { self.sound(now, participant) } else { 0 };
        let Some(participant) = self.seats.get_mut(viewer) else { return };
        let budget = participant.estimate.as_ref().map(|estimate| Means {
            latest: estimate.latest().saturating_sub(sound),
            held: estimate.held().saturating_sub(sound),
        });
        let chosen = participant.allocation.allocate(now, budget, &wishes);
        let mut changed = false;
        for track in participant.outgoing.iter_mut().filter(|track| !track.source.is_audio()) {
            let key = (track.publisher, track.source);
            let before = track.target;
            let chosen = shown.iter().zip(&chosen).find(|(shown, _)| shown.key == key);
            track.target = chosen.and_then(|(shown, rank)| shown.by_rank.get((*rank)?).copied());
            changed |= track.target != before;
        }
        if changed {
            tracing::debug!(?budget, desired, ?chosen, "layers of a viewer");
        }
        let more = shown.iter().zip(&chosen).any(|(shown, rank)| shown.is_more_than(now, *rank));
        // Of what stands still nothing is missing: a climb that is still to come waits for it to move.
        participant.short = budget.is_some() && flowing && more;
        participant.adapt_at = flowing.then(|| now + ADAPT_EVERY);
        let stuck = participant.is_stuck(now, chosen.iter().any(Option::is_some));
        let desired = participant.told_to_desire(now, rounded(desired + sound).max(LEAST_DESIRED));
        self.seek(now, viewer, desired);
        if stuck {
            self.measure_anew(now, viewer);
        }
        self.schedule(viewer);
        self.stop_early(now, viewer);
        self.want_layers(now, viewer);
        self.tell_tracks(viewer);
    }

    /// Tells str0m what bandwidth is worth looking for. It is not told to fill the link up to that: padding and the probes that follow it
    /// take what a picture on a narrow link needs.
    fn seek(&mut self, now: Instant, viewer: Seat, desired: u64) {
        let Some(participant) = self.seats.get_mut(viewer) else { return };
        if participant.estimate.is_none() || participant.desired == desired {
            return;
        }
        participant.desired = desired;
        self.change(viewer, |participant| {
            participant.rtc.bwe().set_bitrate(Bitrate::ZERO, Bitrate::bps(desired));
            participant.tick(now)
        });
    }

    /// Begins the estimate anew from about where it is, which makes str0m probe; until a probe has got through nothing more is sent.
    fn measure_anew(&mut self, now: Instant, viewer: Seat) {
        self.change(viewer, |participant| {
            participant.written_at = now;
            let from =
                participant.estimate.as_ref().map_or(LEAST_DESIRED, Estimate::latest).max(LEAST_PROBED);
            participant.rtc.bwe().reset(Bitrate::bps(from));
            participant.tick(now)
        });
    }

    /// The pictures for a viewer, the most important first, with what is needed of them.
    fn order(&self, viewer: Seat, participant: &Participant) -> Vec<(usize, Need)> {
        let is_open_picture = |track: &Outgoing| track.is_open() && !track.source.is_audio();
        let pictures =
            || participant.outgoing.iter().enumerate().filter(move |(_, track)| is_open_picture(track));
        if let Some(tiles) = &participant.view {
            let shown = |tile: &Tile| {
                let same =
                    |track: &Outgoing| (track.publisher, track.source) == (tile.publisher, tile.source);
                pictures().find(|(_, track)| same(track)).map(|(index, _)| (index, Need::Height(tile.height)))
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
            cameras.sort_by_cached_key(place);
        }
        cameras.truncate(participant.profile.max_cameras);
        screens.chain(cameras).map(|index| (index, Need::Any)).collect()
    }

    fn shown(&self, participant: &Participant, index: usize, need: Need) -> Option<Shown> {
        let track = participant.outgoing.get(index)?;
        let (publisher, published) = self.published_for(track)?;
        let need = if publisher.muted.contains(published.source) { Need::Hidden } else { need };
        let codec = codecs::pick(self.now, published, track, &participant.profile.codecs);
        let (by_rank, told) = (published.by_rank(codec), published.tells_heights(codec));
        let layers = by_rank.iter().filter_map(|index| published.layers.get(*index)).enumerate();
        let layers = layers.map(|(rank, layer)| Layer {
            index: rank,
            bitrate: layer.rate.bits_per_second(self.now),
            height: layer.height.filter(|_| told),
            seen: layer.last_at.unwrap_or(self.now),
        });
        let layers = layers.collect();
        Some(Shown { key: (track.publisher, track.source), need, layers, by_rank })
    }

    pub(crate) fn published_for(&self, track: &Outgoing) -> Option<(&Participant, &Published)> {
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

    /// Where bandwidth is short, a layer that gives way to a lower one stops at once: until the key frame of that has come, it would take from
    /// the sound.
    fn stop_early(&mut self, now: Instant, viewer: Seat) {
        let Some(participant) = self.seats.get(viewer).filter(|viewer| viewer.short) else { return };
        let early: Vec<bool> = participant.outgoing.iter().map(|track| self.gives_way(now, track)).collect();
        let Some(participant) = self.seats.get_mut(viewer) else { return };
        let tracks = participant.outgoing.iter_mut().zip(early).filter(|(_, early)| *early);
        // Without an origin the stream waits for the key frame, and its numbers go on without a hole.
        let stopped = tracks.filter_map(|(track, _)| track.ssrc.filter(|_| track.rewriter.restart()));
        let stopped: Vec<_> = stopped.collect();
        stopped.into_iter().for_each(|ssrc| participant.forget_sent(ssrc));
    }

    /// Whether a viewer is sent a layer that costs more than the one it is meant to be sent.
    fn gives_way(&self, now: Instant, track: &Outgoing) -> bool {
        let Some((_, published)) = self.published_for(track).filter(|_| !track.source.is_audio()) else {
            return false;
        };
        let Some(target) = track.target.and_then(|target| published.layers.get(target)) else { return false };
        let sent = published.layers.iter().find(|layer| track.rewriter.follows(*layer.ssrc));
        sent.is_some_and(|sent| sent.rate.bits_per_second(now) > target.rate.bits_per_second(now))
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
