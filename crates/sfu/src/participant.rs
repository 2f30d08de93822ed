//! One member of a room: its str0m connection, what it publishes, and what it is sent.

use std::time::{Duration, Instant};

use str0m::config::CryptoProvider;
use str0m::format::PayloadParams;
use str0m::media::{Mid, Pt};
use str0m::rtp::Ssrc;
use str0m::{Candidate, IceCreds, Input, Reason, Rtc, RtcError};

use crate::command::{Codec, ParticipantId, Profile, RoomId, Source, Sources};
use crate::crypto::Certificate;
use crate::data::{self, Channels};
use crate::forward::keyframe::KeyframeThrottle;
use crate::forward::rewriter::Rewriter;
use crate::negotiate::Negotiation;
use crate::shard::Seat;

/// From the join until ICE and DTLS must be up.
const CONNECT_WITHIN: Duration = Duration::from_secs(30);
/// How long media may stay away before the connection counts as lost; RFC 7675 lets consent live 30 s, browsers give up after about 15.
const LOST_AFTER: Duration = Duration::from_secs(15);
/// How far the pacer of str0m moves the time between two packets that leave together.
const PACER_STEP: Duration = Duration::from_micros(1);
/// Packets kept for retransmission to one viewer of one picture: about a second of 2.5 Mbit/s.
const RESEND_PACKETS: usize = 256;
const RESEND_PACKETS_AUDIO: usize = 64;

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
    pub negotiation: Negotiation,
    pub channels: Channels,
    /// Whether the connection must end, so that the participant makes a new one.
    pub spent: bool,
    /// Whether packets have been written that are not yet drained.
    pub dirty: bool,
    /// Newest time that str0m was given; it takes none that goes back.
    pub clock: Instant,
    /// When str0m wants to be woken.
    pub rtc_deadline: Instant,
    /// The earliest entry for this participant in the shard's timers.
    pub scheduled: Option<Instant>,
    /// SSRC → index in `published`, filled as packets come: asking str0m costs a full poll.
    pub origins: Vec<(Ssrc, usize)>,
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

/// A track that the participant sends us.
#[derive(Debug)]
pub(crate) struct Published {
    pub mid: Mid,
    pub source: Source,
    pub ssrc: Option<Ssrc>,
    /// The SSRC before; what still comes of it is not for anybody.
    pub retired: Option<Ssrc>,
    pub keyframe: KeyframeThrottle,
    /// Seats and their index in `outgoing`.
    pub viewers: Vec<(Seat, usize)>,
}

/// A track of somebody else that we send to the participant. It keeps its m-line for good: receivers tie an m-line to the track they first saw on it.
#[derive(Debug)]
pub(crate) struct Outgoing {
    pub publisher: ParticipantId,
    /// The publisher's stream name.
    pub stream: String,
    pub source: Source,
    pub mid: Option<Mid>,
    pub wanted: bool,
    /// Whether the participant has agreed to receive it.
    pub active: bool,
    /// Whether the participant has answered that it does not want it; asked again only after something has changed.
    pub declined: bool,
    pub ssrc: Option<Ssrc>,
    pub pts: Vec<(Codec, Pt)>,
    pub rewriter: Rewriter,
}

impl Participant {
    pub(crate) fn new(join: Joining, creds: IceCreds, setup: &Setup<'_>, now: Instant) -> Self {
        let mut rtc = build_rtc(&join.profile, creds, setup, now);
        for candidate in setup.candidates {
            rtc.add_local_candidate(candidate.clone());
        }
        Self {
            id: join.participant,
            room: join.room,
            incarnation: join.incarnation,
            profile: join.profile,
            rtc,
            link: Link::Connecting { until: now + CONNECT_WITHIN },
            muted: Sources::default(),
            published: Vec::new(),
            outgoing: Vec::new(),
            negotiation: Negotiation::default(),
            channels: Channels::default(),
            dirty: false,
            clock: now,
            spent: false,
            rtc_deadline: now,
            scheduled: None,
            origins: Vec::new(),
            #[cfg(test)]
            panic_next: false,
        }
    }

    /// When the participant wants to be woken, for whatever reason.
    pub(crate) fn deadline(&self) -> Instant {
        let link = match self.link {
            Link::Connecting { until } | Link::Silent { until } => Some(until),
            Link::Up => None,
        };
        let keyframes = self.published.iter().filter_map(|track| track.keyframe.deadline());
        let own = link.into_iter().chain(self.negotiation.deadline()).chain(keyframes).min();
        own.map_or(self.rtc_deadline, |own| own.min(self.rtc_deadline))
    }

    /// Tells str0m the time.
    pub(crate) fn tick(&mut self, now: Instant) -> Result<(), RtcError> {
        self.clock = self.clock.max(now);
        self.rtc.handle_input(Input::Timeout(self.clock))
    }

    /// Whether str0m's pacer wants to be woken at once for the next of its packets.
    pub(crate) fn is_immediate(&self, deadline: Instant) -> bool {
        matches!(self.rtc.last_timeout_reason(), Reason::Pacer(_)) && deadline <= self.clock + PACER_STEP
    }

    pub(crate) fn went_silent(&mut self, now: Instant) {
        if self.link == Link::Up {
            self.link = Link::Silent { until: now + LOST_AFTER };
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

    /// The published track that an SSRC belongs to.
    pub(crate) fn track_of(&mut self, ssrc: Ssrc) -> Option<usize> {
        if let Some((_, index)) = self.origins.iter().find(|(had, _)| *had == ssrc) {
            return Some(*index);
        }
        let mid = self.rtc.direct_api().stream_rx(&ssrc)?.mid();
        let index = self.published.iter().position(|track| track.mid == mid)?;
        let track = self.published.get_mut(index)?;
        if track.retired == Some(ssrc) {
            return None;
        }
        // A known stream is looked up again after every offer, and is not its own successor.
        if track.ssrc != Some(ssrc) {
            track.retired = track.ssrc.replace(ssrc);
        }
        self.origins.retain(|(_, had)| *had != index);
        self.origins.push((ssrc, index));
        Some(index)
    }

    /// Asks for the key frames that are due.
    pub(crate) fn request_keyframes(&mut self, now: Instant) -> u64 {
        let mut asked = 0;
        for track in &mut self.published {
            let Some(ssrc) = track.ssrc else { continue };
            if track.keyframe.take_due(now)
                && let Some(stream) = self.rtc.direct_api().stream_rx(&ssrc)
            {
                stream.request_keyframe(str0m::media::KeyframeRequestKind::Pli);
                asked += 1;
            }
        }
        asked
    }

    /// The codec that a payload type of this participant names.
    pub(crate) fn codec_of(&self, pt: Pt) -> Option<Codec> {
        self.rtc.codec_config().params().iter().find(|params| params.pt() == pt).and_then(codec_of)
    }
}

/// Who joins, and as what.
pub(crate) struct Joining {
    pub room: RoomId,
    pub participant: ParticipantId,
    pub incarnation: u32,
    pub profile: Profile,
}

/// What all participants of a shard have in common.
pub(crate) struct Setup<'a> {
    pub candidates: &'a [Candidate],
    pub certificate: &'a Certificate,
    pub crypto: &'a std::sync::Arc<CryptoProvider>,
}

pub(crate) fn codec_of(params: &PayloadParams) -> Option<Codec> {
    match params.spec().codec {
        str0m::format::Codec::Opus => Some(Codec::Opus),
        str0m::format::Codec::Vp8 => Some(Codec::Vp8),
        _ => None,
    }
}

fn build_rtc(profile: &Profile, creds: IceCreds, setup: &Setup<'_>, now: Instant) -> Rtc {
    Rtc::builder()
        .set_crypto_provider(std::sync::Arc::clone(setup.crypto))
        .set_dtls_cert(setup.certificate.to_dtls())
        .set_local_ice_credentials(creds)
        .set_ice_lite(true)
        .set_rtp_mode(true)
        .clear_codecs()
        .enable_opus(profile.codecs.contains(&Codec::Opus), false)
        .enable_vp8(profile.codecs.contains(&Codec::Vp8))
        .set_send_buffer_audio(RESEND_PACKETS_AUDIO)
        .set_send_buffer_video(RESEND_PACKETS)
        .set_sctp_max_message_size(data::MAX_MESSAGE)
        .set_sctp_max_buffered_amount(data::MAX_BUFFERED)
        .build(now)
}
