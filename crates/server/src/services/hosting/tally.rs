//! What is counted of one session, as far as it must be remembered.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use identity::RealmId;
use sfu::Codec;

use crate::metrics::rtcd::{RtcdFigures, Way};

/// Tracks by codec.
type Tracks = BTreeMap<Codec, usize>;

/// What was counted of a session.
#[derive(Debug, Default)]
pub(super) struct Tally {
    incoming: Tracks,
    outgoing: Tracks,
    locked: Option<Instant>,
    /// Since when it is ours, for an offer that waits for its answer.
    ours: Option<Instant>,
}

impl Tally {
    /// Notes that the client has the signaling lock.
    pub(super) fn locked(&mut self, at: Instant) {
        self.locked = Some(at);
    }

    /// Notes that we have it, for an offer.
    pub(super) fn offered(&mut self, at: Instant) {
        self.ours = Some(at);
    }

    /// Notes that our offer is answered; returns how long we had the lock.
    pub(super) fn answered(&mut self, at: Instant) -> Option<Duration> {
        self.ours.take().map(|since| at.saturating_duration_since(since))
    }

    /// Notes that it has not any more; returns how long it had it.
    pub(super) fn unlocked(&mut self, at: Instant) -> Option<Duration> {
        self.locked.take().map(|since| at.saturating_duration_since(since))
    }

    /// Counts what flows now.
    pub(super) fn tracks(
        &mut self,
        realm: &RealmId,
        incoming: Tracks,
        outgoing: Tracks,
        figures: &RtcdFigures,
    ) {
        let ways = [(Way::In, &mut self.incoming, incoming), (Way::Out, &mut self.outgoing, outgoing)];
        for (way, before, now) in ways {
            for codec in Codec::ALL {
                let count = |tracks: &Tracks| {
                    tracks.get(&codec).and_then(|count| i64::try_from(*count).ok()).unwrap_or(0)
                };
                let more = count(&now).saturating_sub(count(before));
                if more != 0 {
                    figures.tracks(realm, way, media_type(codec), more);
                }
            }
            *before = now;
        }
    }

    /// Counts that nothing flows any more.
    pub(super) fn end(mut self, realm: &RealmId, figures: &RtcdFigures) {
        self.tracks(realm, Tracks::new(), Tracks::new(), figures);
    }
}

fn media_type(codec: Codec) -> &'static str {
    match codec {
        Codec::Opus => "audio/opus",
        Codec::Vp8 => "video/VP8",
        Codec::Av1 => "video/AV1",
        Codec::Vp9 | Codec::H264 => "unknown",
    }
}
