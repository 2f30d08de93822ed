//! What a participant's m-lines carry, as it or the signalling side says.

use std::collections::BTreeMap;
use std::time::Instant;

use str0m::media::Mid;

use crate::command::{ParticipantId, SignalRefusal, Source};
use crate::negotiate::{HeldOffer, MAX_PUBLISHED};
use crate::participant::Participant;
use crate::sdp::{Kind, Outline, Section};
use crate::shard::Shard;
use crate::track::Published;

/// M-lines that may carry the same picture, in different codecs.
const MAX_ALTERNATIVES: usize = 2;

/// An m-line on which the participant sends.
#[derive(Debug)]
pub(crate) struct Promise {
    pub mid: Mid,
    is_audio: bool,
    /// What it carries, as far as that is known and permitted.
    source: Option<Source>,
}

/// What an offer that gave way to ours would have sent on m-lines that we opened. Its author has taken it back, and has answered ours by
/// what ours let it do; that it has more to send there it does not find out by itself (W3C WebRTC §4.7.3: what we did not offer to receive
/// needs no negotiation). So we ask.
#[derive(Debug)]
pub(crate) struct PassedOver {
    id: u32,
    pub promises: Vec<Promise>,
}

impl Participant {
    /// Passes over an offer of the participant.
    pub(crate) fn pass_over(&mut self, now: Instant, offer: &HeldOffer) {
        let outline = self.check(&offer.sdp);
        let promises = outline.and_then(|outline| self.check_sources(&outline, &offer.sources));
        let is_new_on_ours = |promise: &Promise| {
            self.outgoing.iter().any(|track| track.mid == Some(promise.mid))
                && !self.negotiation.promises.iter().any(|had| had.mid == promise.mid)
        };
        let promises: Vec<Promise> =
            promises.unwrap_or_default().into_iter().filter(is_new_on_ours).collect();
        self.negotiation.passed_over = None;
        if !promises.is_empty() {
            self.negotiation.passed_over = Some(PassedOver { id: offer.id, promises });
            self.negotiation.offer_soon(now);
        }
    }

    /// Takes what an answer sends on m-lines on which an offer of ours let it. Returns the offer that had promised it.
    pub(crate) fn take_up(&mut self, outline: &Outline, inviting: &[Mid]) -> Option<u32> {
        let PassedOver { id, promises } = self.negotiation.passed_over.take()?;
        let sends = |mid: Mid| outline.sections.iter().any(|section| section.sends && section.mid == *mid);
        let (invited, others): (Vec<_>, Vec<_>) =
            promises.into_iter().partition(|promise| inviting.contains(&promise.mid));
        self.negotiation.passed_over = (!others.is_empty()).then_some(PassedOver { id, promises: others });
        let mut taken = false;
        for mut promise in invited.into_iter().filter(|promise| sends(promise.mid)) {
            let had = &self.negotiation.promises;
            if had.len() >= MAX_PUBLISHED || had.iter().any(|had| had.mid == promise.mid) {
                continue;
            }
            promise.source = promise.source.filter(|source| self.may_carry(had, promise.is_audio, *source));
            self.negotiation.promises.push(promise);
            taken = true;
        }
        if taken {
            self.publish();
        }
        taken.then_some(id)
    }

    /// What an offer promises.
    ///
    /// # Errors
    /// An m-line that names no source, or one that it may not, unless sources may come late; too many m-lines.
    pub(crate) fn check_sources(
        &self,
        outline: &Outline,
        sources: &BTreeMap<String, Source>,
    ) -> Result<Vec<Promise>, SignalRefusal> {
        let mut promises: Vec<Promise> = Vec::new();
        for section in outline.sections.iter().filter(|section| section.sends) {
            let mid = Mid::from(section.mid.as_str());
            let is_audio = section.kind == Kind::Audio;
            let source = sources.get(&section.mid).copied();
            let source = source.filter(|source| self.may_carry(&promises, is_audio, *source));
            if source.is_none() && self.is_only_shown(mid, section) {
                continue;
            }
            if source.is_none() && !self.profile.manners.late_sources {
                return Err(SignalRefusal::SourceNotPermitted);
            }
            promises.push(Promise { mid, is_audio, source });
        }
        if promises.len() > MAX_PUBLISHED { Err(SignalRefusal::TooLarge) } else { Ok(promises) }
    }

    /// Whether a picture of ours is all that an m-line carries, though the participant says that it sends on it: calls-common does so of
    /// every one that it is sent (src/rtc_peer.ts: `onTrack`), and names no stream there.
    fn is_only_shown(&self, mid: Mid, section: &Section) -> bool {
        let is_ours = self.outgoing.iter().any(|track| track.mid == Some(mid));
        self.profile.manners.late_sources && is_ours && section.kind == Kind::Video && !section.streamed
    }

    /// Whether one more m-line may carry a source. A sound comes on one, since there is nothing to choose by.
    fn may_carry(&self, others: &[Promise], is_audio: bool, source: Source) -> bool {
        let already = others.iter().filter(|promise| promise.source == Some(source)).count();
        let most = if is_audio { 1 } else { MAX_ALTERNATIVES };
        self.profile.may_send.contains(source) && source.is_audio() == is_audio && already < most
    }

    /// Names m-lines later than their offer. Returns whether that changes anything.
    fn name(&mut self, sources: &BTreeMap<String, Option<Source>>) -> bool {
        let mut promises = std::mem::take(&mut self.negotiation.promises);
        let before: Vec<_> = promises.iter().map(|promise| promise.source).collect();
        let new_name = |promise: &Promise| sources.get(&*promise.mid).copied();
        // What is un-named, or named anew, stands in nobody's way.
        for promise in &mut promises {
            promise.source = promise.source.filter(|_| new_name(promise).is_none());
        }
        for index in 0..promises.len() {
            let Some(promise) = promises.get(index) else { break };
            let source = new_name(promise).flatten();
            let allowed = source.filter(|source| self.may_carry(&promises, promise.is_audio, *source));
            if let Some(promise) = promises.get_mut(index).filter(|_| allowed.is_some()) {
                promise.source = allowed;
            }
        }
        let changed = promises.iter().map(|promise| promise.source).ne(before);
        self.negotiation.promises = promises;
        if changed {
            self.publish();
        }
        changed
    }

    /// Brings what is published in line with what is promised and named.
    pub(crate) fn publish(&mut self) {
        let mut tracks: Vec<(Source, Vec<Mid>)> = Vec::new();
        for Promise { mid, source, .. } in &self.negotiation.promises {
            let Some(source) = *source else { continue };
            match tracks.iter_mut().find(|(had, _)| *had == source) {
                Some((_, mids)) => mids.push(*mid),
                None => tracks.push((source, vec![*mid])),
            }
        }
        let of = |source: Source| tracks.iter().find(|(had, _)| *had == source).map(|(_, mids)| mids);
        self.published.retain_mut(|track| {
            let Some(mids) = of(track.source) else { return false };
            mids.clone_into(&mut track.mids);
            track.layers.retain(|layer| mids.contains(&layer.mid));
            true
        });
        for (source, mids) in tracks {
            if !self.published.iter().any(|had| had.source == source) {
                self.published.push(Published::new(mids, source));
            }
        }
        self.origins.clear();
    }
}

impl Shard {
    /// Takes what m-lines of a participant carry, after they were offered.
    pub(crate) fn name(
        &mut self,
        now: Instant,
        id: ParticipantId,
        sources: &BTreeMap<String, Option<Source>>,
    ) {
        let Some(seat) = self.by_id.get(&id).copied() else { return };
        let Some(participant) = self.seats.get_mut(seat) else { return };
        if !participant.profile.manners.late_sources {
            return;
        }
        if let Some(held) = &mut participant.negotiation.held {
            for (mid, source) in sources {
                match source {
                    Some(source) => _ = held.sources.insert(mid.clone(), *source),
                    None => _ = held.sources.remove(mid),
                }
            }
        }
        if participant.name(sources) {
            self.settle_activity(seat);
            self.rewire_room_of(now, seat);
        }
    }
}
