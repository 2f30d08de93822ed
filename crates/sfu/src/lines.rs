//! The m-lines that we open on a connection: one for each track while its publisher is in the room, and its place for another one then.

use std::collections::VecDeque;

use str0m::change::SdpPendingOffer;
use str0m::media::{Direction, Media, MediaKind, Mid};

use crate::negotiate::MAX_PUBLISHED;
use crate::participant::Participant;
use crate::sdp::{self, MAX_SECTIONS, Outline};
use crate::sources::Promise;

/// M-lines that we have open on one connection: enough for a room of 100 with two tracks each, and some screens. None is ever used for
/// another publisher's track; the place of one whose publisher has left the room is, under another mid.
const MAX_OPENED: usize = MAX_SECTIONS - MAX_PUBLISHED - MAX_CEASED - 1;
/// M-lines of its own on which a participant has sent and does no more, before we stop them. Some clients send on such a one again, others
/// open one for each picture that they show (calls-common src/rtc_peer.ts: `addTransceiver`), and have more of them at every offer.
const MAX_CEASED: usize = 31;
/// M-lines of those who are there and publish no more that make a new connection worth its while when there is room for no more.
const MANY_ABSENT: usize = MAX_OPENED / 4;
/// Mids and SSRCs of before that are not used again, the newest: those of a thousand people with two tracks each, and more.
const REMEMBERED: usize = 8_192;
/// Draws until none is one of before. Of 238,328 mids the remembered are one in thirty.
const MAX_DRAWS: usize = 64;

/// What is known of m-lines that we have opened.
#[derive(Default)]
pub(crate) struct Lines {
    /// Stopped on both sides: their places may be taken by others (RFC 8829 §5.2.2).
    free: Vec<Mid>,
    /// Of an offer that was voided, and that the participant may have applied: its answer was lost.
    voided: Vec<Mid>,
    /// The participant's own, on which it has sent and does no more.
    ceased: Vec<Mid>,
    /// Some receivers keep a stopped m-line, and would take another one of its name for it.
    mids: VecDeque<Mid>,
    /// An SSRC that is used again repeats numbers over other bytes, which gives AES-GCM's authentication key away.
    ssrcs: VecDeque<u32>,
}

/// An offer that is not made yet.
pub(crate) struct Plan {
    /// Its text.
    pub sdp: String,
    pub pending: SdpPendingOffer,
    /// M-lines that it asks the participant to receive on.
    pub asking: Vec<Mid>,
    /// Stopped m-lines, and those that take their places.
    pub replaced: Vec<(Mid, Mid)>,
    /// M-lines of ours on which it lets the participant send what it would have sent by an offer that was passed over.
    pub inviting: Vec<Mid>,
    opened: Vec<Mid>,
}

impl Lines {
    /// Takes note of what a plan opens, unless some of it was there before.
    fn take(&mut self, plan: &Plan) -> bool {
        if plan.opened.is_empty() {
            return true;
        }
        let ssrcs = sdp::ssrcs(&plan.sdp, |mid| plan.opened.iter().any(|new| &**new == mid));
        let is_new = !plan.opened.iter().any(|mid| self.mids.contains(mid))
            && !ssrcs.iter().any(|ssrc| self.ssrcs.contains(ssrc));
        if is_new {
            self.mids.extend(&plan.opened);
            self.ssrcs.extend(ssrcs);
            self.mids.drain(..self.mids.len().saturating_sub(REMEMBERED));
            self.ssrcs.drain(..self.ssrcs.len().saturating_sub(REMEMBERED));
        }
        is_new
    }
}

impl Participant {
    /// Brings the m-lines in line with what is wanted. `None`: they are, or the connection is spent.
    pub(crate) fn line_up(&mut self) -> Option<Plan> {
        for _ in 0..MAX_DRAWS {
            let plan = self.plan()?;
            if self.negotiation.lines.take(&plan) {
                return Some(plan);
            }
            // What is not answered is dropped without a trace.
            for track in &mut self.outgoing {
                track.mid = track.mid.filter(|mid| !plan.opened.contains(mid));
            }
        }
        self.spent = true;
        None
    }

    fn plan(&mut self) -> Option<Plan> {
        let agreed_to_send =
            |mid: &Mid| self.rtc.media(*mid).is_some_and(|media| media.direction().is_sending());
        let open: Vec<Mid> =
            self.outgoing.iter().filter_map(|track| track.mid).filter(agreed_to_send).collect();
        let mut free = self.free_lines();
        let (mut asking, mut replaced, mut opened) = (Vec::new(), Vec::new(), Vec::new());
        let taken = self.outgoing.iter().filter(|track| track.mid.is_some()).count()
            + free.len()
            + self.negotiation.lines.voided.len();
        let mut room = MAX_OPENED.saturating_sub(taken);
        let absent = self.outgoing.iter().filter(|track| track.mid.is_some() && !track.wanted).count();
        // It may send on an m-line that we opened.
        let it_sends: Vec<Mid> = self.negotiation.promises.iter().map(|promise| promise.mid).collect();
        let passed_over = self.negotiation.passed_over.iter().flat_map(|offer| &offer.promises);
        let would_send: Vec<Mid> = passed_over.map(|promise| promise.mid).collect();
        let mut inviting = Vec::new();
        let mut changes = self.rtc.sdp_api();
        let voided = self.negotiation.lines.voided.iter().filter(|mid| !it_sends.contains(mid));
        voided.for_each(|mid| changes.stop_media(*mid));
        for track in &mut self.outgoing {
            match track.mid {
                None if track.wanted && free.is_empty() && room == 0 => self.spent |= absent >= MANY_ABSENT,
                None if track.wanted => {
                    let kind = if track.source.is_audio() { MediaKind::Audio } else { MediaKind::Video };
                    // What str0m takes for the track's name is the CNAME of its reports, too.
                    let (stream, cname) = (track.name.stream.clone(), track.name.cname.clone());
                    let mid = changes.add_media(kind, Direction::SendOnly, Some(stream), Some(cname), None);
                    match free.pop() {
                        Some(old) => replaced.push((old, mid)),
                        None => room -= 1,
                    }
                    track.mid = Some(mid);
                    asking.push(mid);
                    opened.push(mid);
                }
                // Nobody comes back to it.
                Some(mid) if track.gone && !it_sends.contains(&mid) && !would_send.contains(&mid) => {
                    changes.stop_media(mid);
                    track.stopped = true;
                }
                Some(mid) if would_send.contains(&mid) => {
                    let both = if track.wanted { Direction::SendRecv } else { Direction::RecvOnly };
                    changes.set_direction(mid, both);
                    inviting.push(mid);
                    asking.extend(Some(mid).filter(|_| track.wanted && !track.active));
                }
                Some(mid) if track.wanted && !track.active && !track.declined => {
                    let both = it_sends.contains(&mid);
                    changes.set_direction(mid, if both { Direction::SendRecv } else { Direction::SendOnly });
                    asking.push(mid);
                }
                // Not `active`: a track may have become unwanted while another offer waited for its answer.
                Some(mid) if !track.wanted && open.contains(&mid) => {
                    let still = it_sends.contains(&mid);
                    changes.set_direction(mid, if still { Direction::RecvOnly } else { Direction::Inactive });
                }
                _ => {}
            }
        }
        if self.spent {
            return None;
        }
        let (offer, pending) = changes.apply()?;
        Some(Plan { sdp: offer.to_sdp_string(), pending, asking, replaced, inviting, opened })
    }

    /// The places that may be taken. The participant may have taken some itself.
    fn free_lines(&mut self) -> Vec<Mid> {
        let Self { rtc, negotiation, .. } = self;
        negotiation.lines.free.retain(|mid| rtc.media(*mid).is_some_and(Media::stopped));
        negotiation.lines.free.clone()
    }

    /// Takes note of the m-lines of an offer that is void.
    pub(crate) fn void_lines(&mut self) {
        let Self { rtc, outgoing, negotiation, .. } = self;
        let unknown = |mid: &mut Mid| rtc.media(*mid).is_none();
        negotiation.lines.voided.extend(outgoing.iter_mut().filter_map(|track| track.mid.take_if(unknown)));
    }

    /// The participant's own offer has shown which of a voided offer it has applied all the same. Nobody's track is on them, so they are stopped.
    pub(crate) fn settle_voided(&mut self) {
        let Self { rtc, negotiation, .. } = self;
        negotiation.lines.voided.retain(|mid| rtc.media(*mid).is_some());
    }

    /// Stops the m-lines on which the participant has sent and by this offer does no more, once they are many: the answer tells it so, and
    /// others take their places. The first one stays, since it may be what all are bundled with (RFC 8843 §7.3.1).
    pub(crate) fn stop_ceased(&mut self, outline: &Outline, promises: &[Promise]) {
        let Self { rtc, negotiation, outgoing, .. } = self;
        let Lines { free, ceased, .. } = &mut negotiation.lines;
        ceased.extend(negotiation.promises.iter().map(|promise| promise.mid));
        ceased.sort_unstable();
        ceased.dedup();
        let first = outline.mids().next();
        ceased.retain(|mid| {
            let sends = promises.iter().any(|promise| promise.mid == *mid);
            let is_ours = outgoing.iter().any(|track| track.mid == Some(*mid));
            let is_there = rtc.media(*mid).is_some_and(|media| !media.stopped());
            is_there && !sends && !is_ours && first != Some(&**mid)
        });
        if ceased.len() > MAX_CEASED {
            let mut changes = rtc.sdp_api();
            ceased.iter().for_each(|mid| changes.stop_media(*mid));
            free.append(ceased);
        }
    }

    /// What we have stopped is stopped on both sides, since a description of each has said so. Its publisher may be back with a track of the
    /// same source, which this one never becomes.
    pub(crate) fn settle_stopped(&mut self) {
        for track in self.outgoing.iter_mut().filter(|track| track.stopped) {
            self.negotiation.lines.free.extend(track.mid.take());
        }
        let Self { rtc, negotiation, .. } = self;
        let Lines { free, voided, .. } = &mut negotiation.lines;
        free.extend(voided.extract_if(.., |mid| rtc.media(*mid).is_some_and(Media::stopped)));
    }
}
