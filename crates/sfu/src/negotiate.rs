//! Offers and answers of one participant.
//!
//! The participant makes the first offer. After that we offer whenever what it should receive has changed, one offer at a time, and not
//! while the participant has the lock. Where we yield, an offer of the participant voids ours, is answered, and ours is made anew from
//! what is wanted then (RFC 8829 §4.1.8.2 has no rollback in str0m, so a voided offer is dropped, and nothing of it may have been applied
//! by the other side). Where we insist, the participant's offer is ignored for a while.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use str0m::change::{SdpAnswer, SdpOffer, SdpPendingOffer};
use str0m::media::Mid;

use crate::command::{Glare, Names, Sending, SignalRefusal, Source};
use crate::lines::{Lines, Plan};
use crate::lock::Lock;
use crate::names;
use crate::participant::Participant;
use crate::sdp::{self, Kind, Outline};
use crate::sources::{PassedOver, Promise};
use crate::track::Format;

/// An offer that has not been answered is repeated, word for word, since the participant may have applied it and its answer be lost.
const REPEAT_AFTER: Duration = Duration::from_secs(10);
/// For how long after an answer those to the other copies of the offer may come; until then neither side begins anything. Were the
/// participant to offer meanwhile, a copy that is still on its way would make it take that back, after we had accepted it.
const ECHOES_WITHIN: Duration = Duration::from_secs(1);
/// Answers of one participant that may be refused.
const MOST_BAD_ANSWERS: u32 = 8;
/// M-lines that one participant may send on.
pub(crate) const MAX_PUBLISHED: usize = 16;

#[derive(Default)]
pub(crate) struct Negotiation {
    /// Whether the participant's first offer has been answered.
    started: bool,
    next_id: u32,
    pending: Option<Pending>,
    /// Answers to offers of ours that could not be read, or were another's.
    bad_answers: u32,
    /// Answers to further copies of our last offer that may yet come, and until when.
    echoes: Option<(u32, Instant)>,
    /// Since when what the participant should receive may have changed.
    due: Option<Instant>,
    /// Since when no offer of ours waits for its answer.
    idle_from: Option<Instant>,
    /// Whether everything after the first answer waits for a data channel.
    pub awaits_channel: bool,
    /// The newest offer that came meanwhile.
    pub held: Option<HeldOffer>,
    pub lock: Lock,
    /// What the participant sends on its m-lines, in their order.
    pub promises: Vec<Promise>,
    pub lines: Lines,
    /// The last offer that gave way to ours, as far as ours did not let the participant do what it wanted.
    pub passed_over: Option<PassedOver>,
    /// That offer, once it has been made good.
    pub taken_up: Option<u32>,
}

/// An offer of the participant that is yet to be looked at.
pub(crate) struct HeldOffer {
    pub id: u32,
    pub sdp: String,
    pub sources: BTreeMap<String, Source>,
}

struct Pending {
    id: u32,
    offer: SdpPendingOffer,
    sdp: String,
    /// M-lines that it asks the participant to receive on.
    asking: Vec<Mid>,
    /// Stopped m-lines whose places it gives to others.
    replaced: Vec<Mid>,
    /// M-lines of ours on which it lets the participant send.
    inviting: Vec<Mid>,
    repeat_at: Instant,
    /// How often it has been repeated.
    repeats: u32,
    /// For how long the participant's own offers give way to it.
    insists_until: Instant,
}

/// An offer for the participant.
pub(crate) struct OurOffer {
    pub id: u32,
    pub sdp: String,
    pub sending: Vec<Sending>,
    /// How long the participant's lock kept it.
    pub waited: Duration,
}

impl Negotiation {
    /// Notes that an answer has come.
    pub(crate) fn is_answered(&mut self, now: Instant) {
        if self.pending.is_none() {
            self.idle_from = Some(now);
        }
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        match &self.pending {
            Some(pending) => Some(pending.repeat_at),
            None => self
                .due
                .filter(|_| self.may_offer())
                .map(|due| self.ours_from().map_or(due, |from| from.max(due))),
        }
    }

    /// Whether we may offer at all; the lock is another matter.
    fn may_offer(&self) -> bool {
        self.started && !self.awaits_channel && self.pending.is_none()
    }

    /// Whether the participant must wait with an offer of its own: ours waits for its answer, or copies of it may still be on their way.
    pub(crate) fn is_ours(&self, now: Instant) -> bool {
        self.pending.is_some() || self.echoes.is_some_and(|(_, until)| now < until)
    }

    /// Whether the participant's first offer has been answered.
    pub(crate) fn has_started(&self) -> bool {
        self.started
    }

    /// An offer may be due; it is looked at when the participant is woken.
    pub(crate) fn offer_soon(&mut self, now: Instant) {
        self.due.get_or_insert(now);
    }

    pub(crate) fn is_due(&self, now: Instant) -> bool {
        self.due.is_some() && self.may_offer_at(now)
    }

    fn may_offer_at(&self, now: Instant) -> bool {
        self.may_offer() && self.ours_from().is_none_or(|from| from <= now)
    }

    /// From when on we may make an offer, if none of ours waits for its answer; `None`: at once.
    fn ours_from(&self) -> Option<Instant> {
        self.lock.ours_from().max(self.echoes.map(|(_, until)| until))
    }

    /// Whether an offer of the participant gives way to ours.
    pub(crate) fn insists(&self, now: Instant, glare: Glare) -> bool {
        glare == Glare::Insist && self.pending.as_ref().is_some_and(|pending| now < pending.insists_until)
    }

    /// Notes an answer that nothing waits for.
    fn hear_echo(&mut self) {
        self.echoes = self.echoes.filter(|(left, _)| *left > 1).map(|(left, until)| (left - 1, until));
    }
}

impl Participant {
    /// Answers the participant's offer, after checking all of it. Refused, nothing has changed, or the connection is spent.
    ///
    /// # Errors
    /// As [`SignalRefusal`] says.
    pub(crate) fn accept_offer(
        &mut self,
        sdp: &str,
        sources: &BTreeMap<String, Source>,
    ) -> Result<String, SignalRefusal> {
        let outline = self.check(sdp)?;
        let promises = self.check_sources(&outline, sources)?;
        let text = sdp::keep_only_our_sending(&self.readable(sdp), |mid| self.sends_on(mid));
        let offer = SdpOffer::from_sdp_string(&text).map_err(|_| SignalRefusal::BadSdp)?;
        self.void_our_offer();
        self.profile.fingerprint = Some(outline.fingerprint);
        self.stop_ceased(&outline, &promises);
        let Ok(answer) = self.rtc.sdp_api().accept_offer(offer) else {
            // str0m applies as it reads: what both sides had agreed is no longer known. Before the first answer there is nothing to lose.
            self.spent = self.negotiation.started;
            return Err(SignalRefusal::BadSdp);
        };
        if !std::mem::replace(&mut self.negotiation.started, true) {
            // A channel that is not offered yet could only come with a further offer.
            let comes = outline.sections.iter().any(|section| section.kind == Kind::Application);
            self.negotiation.awaits_channel =
                comes && self.profile.manners.waits_for_channel && !self.channels.any_open();
        }
        self.negotiation.promises = promises;
        self.negotiation.passed_over = None;
        self.publish();
        self.settle_outgoing();
        self.settle_voided();
        self.settle_stopped();
        self.outgoing.iter_mut().for_each(|track| track.declined = false);
        let answer = self.dress(&answer.to_sdp_string());
        Ok(if self.profile.manners.prefers_its_codecs { sdp::in_order_of(&text, &answer) } else { answer })
    }

    /// Gives a description of ours the form in which it goes out.
    fn dress(&self, sdp: &str) -> String {
        let sdp = sdp::without_candidate_ufrag(sdp);
        let name_of = |mid: &str| {
            let track = self.outgoing.iter().find(|track| track.mid.is_some_and(|had| &*had == mid));
            track.map(|track| &track.name)
        };
        match self.profile.manners.names {
            Names::Plain => sdp,
            Names::Telling => names::write(&sdp, name_of),
        }
    }

    /// Applies the participant's answer. An answer to a voided offer is ignored. Refused, nothing has changed, or the connection is spent.
    ///
    /// # Errors
    /// As [`SignalRefusal`] says.
    pub(crate) fn accept_answer(&mut self, now: Instant, id: u32, sdp: &str) -> Result<(), SignalRefusal> {
        if self.negotiation.pending.as_ref().is_none_or(|pending| pending.id != id) {
            self.negotiation.hear_echo();
            return Ok(());
        }
        let read = self.check(sdp).and_then(|outline| {
            let answer = SdpAnswer::from_sdp_string(&self.readable(sdp));
            Ok((outline, answer.map_err(|_| SignalRefusal::BadSdp)?))
        });
        let (outline, answer) = read.inspect_err(|_| {
            // Who cannot answer does not learn it, and each attempt costs.
            self.negotiation.bad_answers += 1;
            self.spent |= self.negotiation.bad_answers > MOST_BAD_ANSWERS;
        })?;
        let insists = self.profile.manners.glare == Glare::Insist;
        let is_answered = |pending: &mut Pending| !insists || sdp::mids(&pending.sdp).eq(outline.mids());
        let Some(pending) = self.negotiation.pending.take_if(is_answered) else {
            self.negotiation.hear_echo();
            return Ok(());
        };
        if insists {
            self.negotiation.echoes = (pending.repeats > 0).then(|| (pending.repeats, now + ECHOES_WITHIN));
        }
        // str0m has the new ones in their places only when it has the old ones no more.
        pending.replaced.iter().for_each(|mid| self.rtc.direct_api().remove_media(*mid));
        if self.rtc.sdp_api().accept_answer(pending.offer, answer).is_err() {
            // The participant has the m-lines of our offer, and we do not.
            self.spent = true;
            return Err(SignalRefusal::BadSdp);
        }
        self.negotiation.taken_up = self.take_up(&outline, &pending.inviting);
        self.settle_outgoing();
        self.settle_stopped();
        for track in self.outgoing.iter_mut().filter(|track| track.wanted && !track.active) {
            track.declined |= track.mid.is_some_and(|mid| pending.asking.contains(&mid));
        }
        Ok(())
    }

    /// Makes the offer that brings the m-lines in line with what is wanted, if one is due.
    pub(crate) fn make_offer(&mut self, now: Instant) -> Option<OurOffer> {
        if !self.negotiation.may_offer_at(now) {
            return None;
        }
        let due = self
            .negotiation
            .due
            .take()
            .map(|due| self.negotiation.idle_from.map_or(due, |idle| idle.max(due)));
        let waited = due.map_or(Duration::ZERO, |due| self.negotiation.lock.kept_since(due));
        let Plan { sdp, pending, asking, replaced, inviting, .. } = self.line_up()?;
        for track in self.outgoing.iter_mut().filter(|track| !track.wanted) {
            track.active = false;
        }
        let sdp = sdp::in_place_of(&self.dress(&sdp), &replaced);
        let (id, replaced) = (self.negotiation.next_id, replaced.into_iter().map(|(old, _)| old).collect());
        self.negotiation.next_id = id.wrapping_add(1);
        let (text, later) = (sdp.clone(), now + REPEAT_AFTER);
        let (repeat_at, insists_until) = (later, later);
        self.negotiation.pending = Some(Pending {
            id,
            offer: pending,
            sdp: text,
            asking,
            replaced,
            inviting,
            repeat_at,
            repeats: 0,
            insists_until,
        });
        Some(OurOffer { id, sdp, sending: self.sending(), waited })
    }

    /// The unanswered offer once more: when it is due, or at once when the participant has a new signalling connection.
    pub(crate) fn repeat_offer(&mut self, now: Instant, at_once: bool) -> Option<OurOffer> {
        let pending =
            self.negotiation.pending.as_mut().filter(|pending| at_once || pending.repeat_at <= now)?;
        pending.repeat_at = now + REPEAT_AFTER;
        pending.repeats += 1;
        let (id, sdp) = (pending.id, pending.sdp.clone());
        Some(OurOffer { id, sdp, sending: self.sending(), waited: Duration::ZERO })
    }

    fn sending(&self) -> Vec<Sending> {
        let wanted = self.outgoing.iter().filter(|track| track.wanted);
        wanted
            .filter_map(|track| {
                let mid = track.mid?.to_string();
                Some(Sending { mid, publisher: track.publisher, source: track.source })
            })
            .collect()
    }

    pub(crate) fn check(&self, sdp: &str) -> Result<Outline, SignalRefusal> {
        let outline = sdp::outline(sdp)?;
        let foreign = self.profile.fingerprint.is_some_and(|bound| bound != outline.fingerprint);
        if foreign { Err(SignalRefusal::Fingerprint) } else { Ok(outline) }
    }

    /// What str0m is shown of a description.
    fn readable(&self, sdp: &str) -> String {
        if self.profile.reports_sound {
            sdp::without_candidates(sdp)
        } else {
            sdp::without_reports_of_sound(sdp)
        }
    }

    fn sends_on(&self, mid: &str) -> bool {
        self.outgoing
            .iter()
            .any(|track| track.active && track.wanted && track.mid.is_some_and(|had| &*had == mid))
    }

    fn void_our_offer(&mut self) {
        if self.negotiation.pending.take().is_some() {
            self.void_lines();
        }
    }

    /// Reads off str0m what was agreed for the tracks we send.
    fn settle_outgoing(&mut self) {
        for track in &mut self.outgoing {
            let agreed =
                track.mid.and_then(|mid| self.rtc.media(mid)).filter(|media| media.direction().is_sending());
            let Some(media) = agreed.filter(|_| track.wanted) else {
                track.active = false;
                continue;
            };
            if track.active {
                continue;
            }
            track.pts = Format::all(self.rtc.codec_config().params(), media.remote_pts()).collect();
            let mid = media.mid();
            track.ssrc = self.rtc.direct_api().stream_tx_by_mid(mid, None).map(|stream| {
                // The publisher has paced it. What a pacer of ours held back, of a layer that is too much, would go out all the same.
                stream.set_unpaced(true);
                stream.ssrc()
            });
            _ = track.rewriter.restart();
            track.active = true;
        }
    }
}
