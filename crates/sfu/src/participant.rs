//! One member of a room: its str0m connection, what it publishes, and what it is sent.

use std::time::{Duration, Instant};

use str0m::bwe::Bitrate;
use str0m::config::{CryptoProvider, DtlsVersion};
use str0m::rtp::Ssrc;
use str0m::{Candidate, IceCreds, Input, PacerReason, Reason, Rtc, RtcError};

use crate::activity::Variation;
use crate::allocate::Allocation;
use crate::codecs::{self, Tracks};
use crate::command::{Codec, Extensions, ParticipantId, Profile, RoomId, Sources, Tile};
use crate::crypto::Certificate;
use crate::data::{self, Channels};
use crate::demux::is_rtcp;
use crate::estimate::Estimate;
use crate::negotiate::Negotiation;
use crate::roam::Roaming;
use crate::ssrcs::Ssrcs;
use crate::track::{Outgoing, Picture, Published};

/// From the join until ICE and DTLS must be up.
const CONNECT_WITHIN: Duration = Duration::from_secs(30);
/// How long media may stay away before the connection counts as lost; RFC 7675 lets consent live 30 s, browsers give up after about 15.
const LOST_AFTER: Duration = Duration::from_secs(15);
/// The same where its last TCP connection has been closed: a browser makes another within a round trip, or not at all.
const STRANDED_FOR: Duration = Duration::from_secs(5);
/// What a viewer is thought able to take before it has reported anything.
const FIRST_ESTIMATE: Bitrate = Bitrate::kbps(1_500);
/// Nothing sent for so long: the probes for what was sent last are over.
const QUIET_AFTER: Duration = Duration::from_secs(2);
/// How often a participant to whom nothing is sent is looked at for its pacer's sake.
const QUIET_WAKE: Duration = Duration::from_secs(5);
/// How long the books of a pacer may wait for the next packet; a little longer than sound takes for one.
const BOOKS_WAIT: Duration = Duration::from_millis(25);
/// How far the pacer of str0m moves the time between two packets that leave together.
const PACER_STEP: Duration = Duration::from_micros(1);
/// Packets kept for retransmission to one viewer of one picture: about a second of 2.5 Mbit/s.
const RESEND_PACKETS: usize = 256;
/// How old a packet may be that is sent again, and how much of what is sent may be again.
const RESEND_WITHIN: Duration = Duration::from_secs(2);
const RESEND_SHARE: f32 = 0.15;
const RESEND_PACKETS_AUDIO: usize = 64;
/// How often the estimate is read. What str0m tells of by itself is smoothed over 3 s, and late by as much.
const ESTIMATE_EVERY: Duration = Duration::from_millis(300);
/// Time between two reports of ours (RFC 3550 §6.2). What needs haste, arrivals and losses, is told apart from them.
const REPORT_EVERY: Duration = Duration::from_secs(5);

pub(crate) struct Participant {
    pub id: ParticipantId,
    pub room: RoomId,
    pub incarnation: u32,
    pub profile: Profile,
    pub rtc: Rtc,
    pub link: Link,
    /// What the participant has silenced; outlives its media connection.
    pub muted: Sources,
    pub published: Vec<Published>,
    pub outgoing: Vec<Outgoing>,
    /// What it shows; `None`: it has not said.
    pub view: Option<Vec<Tile>>,
    /// What it can take; `None`: nothing is known that would bound it.
    pub estimate: Option<Estimate>,
    /// What str0m was told to look for, in bit/s.
    pub desired: u64,
    pub allocation: Allocation<Picture>,
    /// When the layers are to be chosen anew.
    pub adapt_at: Option<Instant>,
    /// Since when it has been short of bandwidth, or was measured anew.
    pub short_since: Option<Instant>,
    /// When its bandwidth is to be probed, since it is short.
    pub probe_at: Option<Instant>,
    pub negotiation: Negotiation,
    pub channels: Channels,
    /// What its voice does, where that is looked at (`Activity::Variation`).
    pub variation: Variation,
    /// What was last told of its tracks, where that is told.
    pub told_tracks: Tracks,
    pub roaming: Roaming,
    /// Whether its bandwidth is too short for what it shows: sound comes without redundancy then.
    pub short: bool,
    /// Whether the connection must end, so that the participant makes a new one.
    pub spent: bool,
    /// When a packet was last written for it, or it was connected, or measured anew. What str0m fills a link up with does not count, or it
    /// would never end.
    pub written_at: Instant,
    /// Packets written for it that have not gone out.
    pub unsent: usize,
    /// Whether its pacer sends probes, and must be woken in time.
    pub probes: bool,
    /// Whether packets have been written that are not yet drained.
    pub dirty: bool,
    /// Newest time that str0m was given; it takes none that goes back.
    pub clock: Instant,
    /// When str0m wants to be woken.
    pub rtc_deadline: Instant,
    /// The earliest entry for this participant in the shard's timers.
    pub scheduled: Option<Instant>,
    /// SSRC → index in `published` and in its `layers`, filled as packets come: asking str0m costs a full poll.
    pub origins: Vec<(Ssrc, (usize, usize))>,
    pub ssrcs: Ssrcs,
    #[cfg(test)]
    pub panic_next: bool,
}

/// State of the transport.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Link {
    Connecting {
        until: Instant,
    },
    Up,
    /// No answer to our checks: nothing is sent (RFC 7675), and `until` ends the patience.
    Silent {
        until: Instant,
    },
}

impl Participant {
    pub(crate) fn new(join: Joining, creds: IceCreds, setup: &Setup<'_>, now: Instant) -> Self {
        let rtc = build_rtc(&join.profile, creds, setup, now);
        Self {
            id: join.participant,
            room: join.room,
            incarnation: join.incarnation,
            profile: join.profile,
            rtc,
            link: Link::Connecting { until: now + CONNECT_WITHIN },
            muted: join.muted,
            published: Vec::new(),
            outgoing: Vec::new(),
            view: None,
            estimate: None,
            desired: 0,
            allocation: Allocation::new(),
            adapt_at: None,
            short_since: None,
            probe_at: None,
            negotiation: Negotiation::default(),
            channels: Channels::default(),
            variation: Variation::default(),
            told_tracks: Tracks::default(),
            roaming: Roaming::default(),
            short: false,
            written_at: now,
            unsent: 0,
            probes: false,
            dirty: false,
            clock: now,
            spent: false,
            rtc_deadline: now,
            scheduled: None,
            origins: Vec::new(),
            ssrcs: Ssrcs::default(),
            #[cfg(test)]
            panic_next: false,
        }
    }

    /// Takes down when str0m wants to be woken. Its pacer and its estimate want that 25 times a second, for ever; where nothing is sent
    /// there is nothing to pace or to estimate.
    pub(crate) fn wake_at(&mut self, deadline: Instant) {
        let for_sending = matches!(
            self.rtc.last_timeout_reason(),
            Reason::Pacer(_)
                | Reason::Stats
                | Reason::BweDelayControl
                | Reason::BweProbeControl
                | Reason::BweProbeEstimator
        );
        let quiet = self.is_quiet();
        let books_only = deadline <= self.clock + PACER_STEP && self.unsent == 0 && !self.probes;
        self.rtc_deadline = match self.rtc.last_timeout_reason() {
            _ if for_sending && quiet => deadline.max(self.clock + QUIET_WAKE),
            Reason::Pacer(PacerReason::Immediate) if books_only => self.clock + BOOKS_WAIT,
            _ => deadline,
        };
    }

    /// Whether nothing has been sent to it for so long that there is nothing to pace, to estimate or to report.
    pub(crate) fn is_quiet(&self) -> bool {
        self.link == Link::Up && self.clock.saturating_duration_since(self.written_at) > QUIET_AFTER
    }

    /// When the participant wants to be woken, for whatever reason.
    pub(crate) fn deadline(&self) -> Instant {
        let link = match self.link {
            Link::Connecting { until } | Link::Silent { until } => Some(until),
            Link::Up => None,
        };
        let gap = self.profile.keyframe_gap;
        let layers = self.published.iter().flat_map(|track| &track.layers);
        let keyframes = layers.filter_map(|layer| layer.keyframe.deadline(gap));
        let others = self.negotiation.deadline().into_iter().chain(self.adapt_at);
        let own = link.into_iter().chain(others).chain(keyframes).min();
        own.map_or(self.rtc_deadline, |own| own.min(self.rtc_deadline))
    }

    /// Tells str0m the time.
    pub(crate) fn tick(&mut self, now: Instant) -> Result<(), RtcError> {
        self.clock = self.clock.max(now);
        self.rtc.handle_input(Input::Timeout(self.clock))
    }

    /// Whether str0m's pacer wants to be woken at once, and has something to let go. After each packet it wants that, if only for its
    /// books, which can wait unless it probes. `sent`: a packet has gone out since the last input.
    pub(crate) fn has_more_for(&mut self, deadline: Instant, sent: bool) -> bool {
        let reason = self.rtc.last_timeout_reason();
        let at_once = matches!(reason, Reason::Pacer(_)) && deadline <= self.clock + PACER_STEP;
        match reason {
            Reason::Pacer(PacerReason::Immediate) if sent && self.unsent == 0 && !self.probes => false,
            Reason::Pacer(PacerReason::Immediate) => at_once,
            Reason::Pacer(PacerReason::Probe1 | PacerReason::Probe2) => {
                self.probes = true;
                at_once
            }
            Reason::Pacer(PacerReason::Handle | PacerReason::Paced | PacerReason::Padding) => {
                self.probes = false;
                at_once
            }
            // Something else comes first; a probe may be under way all the same, and must go on in time, or it finds too little.
            _ => at_once,
        }
    }

    /// Packets of a picture that is sent no more, or as another layer, are not sent again, whoever asks: there are many of them just when
    /// bandwidth is short.
    pub(crate) fn forget_sent(&mut self, ssrc: Ssrc) {
        if let Some(stream) = self.rtc.direct_api().stream_tx(&ssrc) {
            stream.set_rtx_cache(RESEND_PACKETS, RESEND_WITHIN, Some(RESEND_SHARE));
        }
    }

    /// Notes a packet that has gone out; returns whether it was media.
    pub(crate) fn has_sent(&mut self, contents: &[u8]) -> bool {
        let media = matches!(contents, [128..=191, ..]) && !is_rtcp(contents);
        self.unsent = self.unsent.saturating_sub(usize::from(media));
        media
    }

    pub(crate) fn went_silent(&mut self, now: Instant) {
        if self.link == Link::Up {
            self.link = Link::Silent { until: now + LOST_AFTER };
        }
    }

    /// It has no way left: a new one comes soon, or never.
    pub(crate) fn stranded(&mut self, now: Instant) {
        if self.link == Link::Up {
            self.link = Link::Silent { until: now + STRANDED_FOR };
        }
    }

    pub(crate) fn came_back(&mut self) {
        if matches!(self.link, Link::Silent { .. }) {
            self.link = Link::Up;
        }
    }

    /// Whether the patience with a missing transport is over.
    pub(crate) fn is_lost(&self, now: Instant) -> bool {
        matches!(self.link, Link::Connecting { until } | Link::Silent { until } if until <= now)
    }

    /// The published track and the layer that an SSRC belongs to.
    pub(crate) fn layer_of(&mut self, ssrc: Ssrc) -> Option<(usize, usize)> {
        if let Some((_, at)) = self.origins.iter().find(|(had, _)| *had == ssrc) {
            return Some(*at);
        }
        self.ssrcs.heard(ssrc);
        let mut direct = self.rtc.direct_api();
        let stream = direct.stream_rx(&ssrc)?;
        let (mid, rid) = (stream.mid(), stream.rid());
        let index = self.published.iter().position(|track| track.mids.contains(&mid))?;
        let Some(layer) = self.published.get_mut(index)?.layer_of(mid, rid, ssrc) else {
            // Of an SSRC that has been replaced str0m makes another stream when something comes late, and would keep it.
            direct.remove_stream_rx(ssrc);
            return None;
        };
        let at = (index, layer);
        self.origins.retain(|(_, had)| *had != at);
        self.origins.push((ssrc, at));
        Some(at)
    }

    /// Asks for the key frames that are due.
    pub(crate) fn request_keyframes(&mut self, now: Instant) -> u64 {
        let mut asked = 0;
        let gap = self.profile.keyframe_gap;
        for layer in self.published.iter_mut().flat_map(|track| &mut track.layers) {
            if layer.keyframe.take_due(now, gap)
                && let Some(stream) = self.rtc.direct_api().stream_rx(&layer.ssrc)
            {
                stream.request_keyframe(str0m::media::KeyframeRequestKind::Pli);
                asked += 1;
            }
        }
        asked
    }
}

/// Who joins, and as what.
pub(crate) struct Joining {
    pub room: RoomId,
    pub participant: ParticipantId,
    pub incarnation: u32,
    pub profile: Profile,
    pub muted: Sources,
}

/// What all participants of a shard have in common.
pub(crate) struct Setup<'a> {
    pub candidates: &'a [Candidate],
    pub certificate: &'a Certificate,
    pub dtls_1_3: bool,
    pub crypto: &'a std::sync::Arc<CryptoProvider>,
}

pub(crate) fn build_rtc(profile: &Profile, creds: IceCreds, setup: &Setup<'_>, now: Instant) -> Rtc {
    let config = Rtc::builder()
        .set_crypto_provider(std::sync::Arc::clone(setup.crypto))
        .set_dtls_cert(setup.certificate.to_dtls())
        .set_local_ice_credentials(creds)
        .set_dtls_version(if setup.dtls_1_3 { DtlsVersion::Auto } else { DtlsVersion::Dtls12 })
        .set_ice_lite(true)
        .set_rtp_mode(true)
        .clear_codecs()
        .enable_opus(profile.codecs.contains(&Codec::Opus), profile.red)
        .enable_vp8(profile.codecs.contains(&Codec::Vp8))
        .enable_vp9(profile.codecs.contains(&Codec::Vp9))
        .enable_h264(profile.codecs.contains(&Codec::H264))
        .enable_av1(profile.codecs.contains(&Codec::Av1))
        .set_rtcp_report_interval_audio(REPORT_EVERY)
        .set_rtcp_report_interval_video(REPORT_EVERY)
        .set_send_buffer_audio(RESEND_PACKETS_AUDIO)
        .set_send_buffer_video(RESEND_PACKETS)
        .set_sctp_max_message_size(data::MAX_MESSAGE)
        .set_sctp_max_buffered_amount(data::MAX_BUFFERED);
    let config = match profile.manners.extensions {
        Extensions::All => config,
        Extensions::Few => config.set_extension_map(codecs::few_extensions()),
    };
    let config = if profile.adapts {
        config.enable_bwe(Some(FIRST_ESTIMATE)).set_stats_interval(Some(ESTIMATE_EVERY))
    } else {
        config
    };
    let mut rtc = config.build(now);
    for candidate in setup.candidates {
        rtc.add_local_candidate(candidate.clone());
    }
    rtc
}
