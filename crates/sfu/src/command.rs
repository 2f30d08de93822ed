//! What the signalling side says to a shard, and hears from it.

use std::collections::BTreeMap;
use std::time::Duration;

/// A call's media on one shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RoomId(pub u128);

/// One member of a room; stays the same when its media connection is made anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ParticipantId(pub u128);

/// Which media thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ShardIndex(pub u8);

/// What a track carries, as the signalling side names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Source {
    /// A microphone.
    Voice,
    /// A camera.
    Camera,
    /// A shared screen.
    Screen,
    /// The sound of a shared screen.
    ScreenAudio,
}

impl Source {
    /// All sources, in order.
    pub const ALL: [Self; 4] = [Self::Voice, Self::Camera, Self::Screen, Self::ScreenAudio];

    /// Whether the source is sound; otherwise it is a picture.
    #[must_use]
    pub fn is_audio(self) -> bool {
        matches!(self, Self::Voice | Self::ScreenAudio)
    }
}

/// A set of sources.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sources(u8);

impl Sources {
    /// The set with one more source.
    #[must_use]
    pub fn with(self, source: Source) -> Self {
        Self(self.0 | Self::bit(source))
    }

    /// The set with one source less.
    #[must_use]
    pub fn without(self, source: Source) -> Self {
        Self(self.0 & !Self::bit(source))
    }

    /// Whether the source is in the set.
    #[must_use]
    pub fn contains(self, source: Source) -> bool {
        self.0 & Self::bit(source) != 0
    }

    fn bit(source: Source) -> u8 {
        match source {
            Source::Voice => 1,
            Source::Camera => 2,
            Source::Screen => 4,
            Source::ScreenAudio => 8,
        }
    }
}

impl FromIterator<Source> for Sources {
    fn from_iter<I: IntoIterator<Item = Source>>(sources: I) -> Self {
        sources.into_iter().fold(Self::default(), Self::with)
    }
}

/// A codec that a face offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Codec {
    /// Opus, RFC 7587.
    Opus,
    /// VP8, RFC 7741, with RTX.
    Vp8,
    /// VP9, RFC 9628, with RTX.
    Vp9,
    /// H.264, RFC 6184, with RTX.
    H264,
    /// AV1, with RTX.
    Av1,
}

impl Codec {
    /// All codecs, in order.
    pub const ALL: [Self; 5] = [Self::Opus, Self::Vp8, Self::Vp9, Self::H264, Self::Av1];
}

/// What a face wants of the engine for one participant. Data, not code: the core has no branch per face.
#[derive(Debug, Clone)]
pub struct Profile {
    /// SHA-256 of the DTLS certificate that must stand in every description and be presented at the handshake. `None`: any one
    /// certificate, as long as it stays the same.
    pub fingerprint: Option<[u8; 32]>,
    /// What this participant may publish; m-lines of other sources are refused.
    pub may_send: Sources,
    /// Codecs offered and answered. Of a picture that is published in several it is sent the first of these that flows.
    pub codecs: Vec<Codec>,
    /// Whether sound may travel with redundancy (RED, RFC 2198), passed through as it comes.
    pub red: bool,
    /// Stream name that this participant's tracks carry at the others (msid), at most 64 token characters.
    pub stream: String,
    /// Whether what it is sent follows an estimate of its bandwidth (where it reports arrivals, TWCC).
    pub adapts: bool,
    /// Whether arrivals of sound are reported too, in both directions (TWCC): up to 20 messages a second for each who hears or speaks. What
    /// is estimated then is room for everything, else room for pictures.
    pub reports_sound: bool,
    /// Voices forwarded to it at once; the loudest are chosen.
    pub max_voices: usize,
    /// Cameras forwarded to it at once as long as it has not said what it shows; those of the latest speakers.
    pub max_cameras: usize,
    /// Least time between two key-frame requests to one of its tracks.
    pub keyframe_gap: Duration,
    /// How it expects descriptions and tracks to be treated.
    pub manners: Manners,
}

/// What kinds of clients differ in beyond what they may do. By default as the house's own clients want it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Manners {
    /// How the tracks of others are named to it.
    pub names: Names,
    /// Who gives way when both sides offer.
    pub glare: Glare,
    /// Whether, after the first answer, no offer of ours is made and no further one of its own is processed until the data channel that the
    /// first offer announces is open. What it offers meanwhile is kept, the newest only.
    pub waits_for_channel: bool,
    /// Whether it may send on m-lines of which [`Command::Offer`] names no source, or none that may be: [`Command::Name`] does later. Until
    /// then nothing of them is forwarded.
    pub late_sources: bool,
    /// Whether our answers list the codecs of a picture in the order of its offer, so that it sends the one that it prefers.
    pub prefers_its_codecs: bool,
    /// Which RTP header extensions are negotiated.
    pub extensions: Extensions,
    /// What counts as speaking.
    pub activity: Activity,
    /// Whether [`EventKind::Tracks`] is told.
    pub tells_tracks: bool,
}

/// How tracks of others are named in what a participant is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Names {
    /// Stream = the publisher's [`Profile::stream`], with a suffix for a screen and its sound; track = kind and stream; CNAME = track.
    #[default]
    Plain,
    /// Stream = CNAME = the publisher's [`Profile::stream`], whatever the track; track = `<kind>_<stream>_<8 random characters>`, with the
    /// kinds `voice`, `screen`, `screen-audio` and `video`. An m-line on which we do not send names nothing.
    Telling,
}

/// What becomes of a participant's offer while one of ours waits for its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Glare {
    /// We are polite: ours is void, and made anew later.
    #[default]
    Yield,
    /// We are not: the participant's is ignored, without a word, for as long as its clients wait for an answer (10 s). An answer whose
    /// m-lines are not those of our offer is one to an earlier offer, and ignored too.
    Insist,
}

/// RTP header extensions that are negotiated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Extensions {
    /// Those that the engine knows.
    #[default]
    All,
    /// The sound's level, m-line and simulcast ids, and the numbers by which arrivals are reported (TWCC).
    Few,
}

/// What counts as speaking.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Activity {
    /// Loudness.
    #[default]
    Loudness,
    /// A loudness that varies over a second, as speech does and noise does not.
    Variation,
}

/// An order to a shard. Commands for a participant take effect in the order given.
#[derive(Debug, Clone)]
pub enum Command {
    /// Makes a media connection, whose first offer follows. A participant that has one already gets a new one in its place, without
    /// [`Event::Left`]. `incarnation` comes back in every event of this connection.
    Join {
        /// The room to be in; made when it is the first.
        room: RoomId,
        /// Who.
        participant: ParticipantId,
        /// Number of the media connection, chosen by the caller.
        incarnation: u32,
        /// What it may do, and how it is named.
        profile: Profile,
        /// What it has silenced before, and stays silent.
        muted: Sources,
    },
    /// The participant's offer; answered by [`Event::Answer`] or [`Event::Refused`].
    Offer {
        /// Who offers.
        participant: ParticipantId,
        /// Comes back in the answer.
        id: u32,
        /// RFC 8866 text.
        sdp: String,
        /// Mid → source of every m-line on which the participant means to send, where [`Manners::late_sources`] does not say otherwise.
        /// Two may carry the same picture in different codecs.
        sources: BTreeMap<String, Source>,
    },
    /// Names what m-lines of the participant carry (`Some`), or that nothing is known of it any more (`None`). What is not listed stays
    /// as it is; m-lines on which the participant does not send, and sources that the profile does not permit, are ignored. The next
    /// [`Command::Offer`] names all of them anew. Only for [`Manners::late_sources`].
    Name {
        /// Whose.
        participant: ParticipantId,
        /// Mid → source.
        sources: BTreeMap<String, Option<Source>>,
    },
    /// The participant wants to change its tracks, and no offer of ours meanwhile; answered by [`EventKind::Lock`].
    Lock {
        /// Who.
        participant: ParticipantId,
    },
    /// The participant is done with that. Without a lock of its own it has no effect.
    Unlock {
        /// Who.
        participant: ParticipantId,
    },
    /// The participant's answer to [`Event::Offer`] `id`; an answer to a voided offer is ignored.
    Answer {
        /// Who answers.
        participant: ParticipantId,
        /// Of the offer.
        id: u32,
        /// RFC 8866 text.
        sdp: String,
    },
    /// Repeats [`EventKind::Offer`] if one waits for its answer: the participant has a new signalling connection, and may not have got it.
    Repeat {
        /// Whose.
        participant: ParticipantId,
    },
    /// A trickled candidate, as `candidate:…`. Not looked at: the participant checks, and we answer (ICE-lite).
    Candidate {
        /// Whose.
        participant: ParticipantId,
        /// RFC 8839 text.
        candidate: String,
    },
    /// Stops or resumes the forwarding of a source, without renegotiation.
    Mute {
        /// Whose.
        participant: ParticipantId,
        /// Which.
        source: Source,
        /// `true`: nobody receives it.
        muted: bool,
    },
    /// What the participant shows now, all of it. What is not listed is not sent to it.
    View {
        /// Whose screen.
        participant: ParticipantId,
        /// The tiles, the most important first; `None`: it does not say, and gets what it would get without ever saying.
        tiles: Option<Vec<Tile>>,
    },
    /// Writes to a data channel of the participant. Where the channel is not open, or more than its bound waits there, the message is
    /// dropped and counted.
    Data {
        /// Whose.
        participant: ParticipantId,
        /// Of the channel.
        label: String,
        /// Whether the bytes are not a text.
        binary: bool,
        /// The message.
        bytes: Vec<u8>,
    },
    /// Asks for [`EventKind::Delivered`]. One question a channel: a later one takes the place of one that is not answered.
    Deliver {
        /// Who is to have it.
        participant: ParticipantId,
        /// Of the channel.
        label: String,
        /// Comes back in the answer.
        id: u32,
    },
    /// Ends the participant's media at once; answered by [`Event::Left`].
    Leave {
        /// Who.
        participant: ParticipantId,
    },
    /// Ends the media of everybody in the room; each gets [`Event::Left`].
    CloseRoom(RoomId),
}

/// A picture on a participant's screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tile {
    /// Whose.
    pub publisher: ParticipantId,
    /// What it shows; a camera or a screen.
    pub source: Source,
    /// Its height in device pixels.
    pub height: u16,
}

/// Something that the signalling side should know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Whom it is about.
    pub participant: ParticipantId,
    /// Of which media connection.
    pub incarnation: u32,
    /// What happened.
    pub kind: EventKind,
}

/// Kinds of [`Event`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EventKind {
    /// Our answer to the participant's offer `id`.
    Answer {
        /// Of the offer.
        id: u32,
        /// RFC 8866 text.
        sdp: String,
    },
    /// Our offer; voids every earlier one of ours.
    Offer {
        /// To be repeated in the answer.
        id: u32,
        /// RFC 8866 text.
        sdp: String,
        /// Everything that we send after this offer.
        sending: Vec<Sending>,
        /// How long the participant's lock ([`Command::Lock`]) kept it; nothing where it is said again.
        waited: Duration,
    },
    /// A description was refused and changed nothing; or it did, and [`LeaveReason::Spent`] follows. `id` is that of the offer or answer.
    Refused {
        /// Of the description.
        id: u32,
        /// Why.
        refusal: SignalRefusal,
    },
    /// An offer of the participant that had given way to one of ours has come about all the same, by an answer: it counts as its last one.
    TakenUp {
        /// Of that offer.
        id: u32,
    },
    /// ICE and DTLS are up, and the certificate presented is the promised one.
    Connected,
    /// The participant has begun, or ceased, to speak.
    Speaking(bool),
    /// The participant is the one whom the room listens to now.
    ActiveSpeaker,
    /// A data channel of the participant is open.
    DataOpen {
        /// As the participant named it.
        label: String,
    },
    /// Whether the participant has now the lock that [`Command::Lock`] asked for: until [`Command::Unlock`], or until it has held it too
    /// long.
    Lock {
        /// If not: an offer of ours is under way, or it has the lock already.
        granted: bool,
    },
    /// Which tracks flow, where [`Manners::tells_tracks`] and it has changed.
    Tracks {
        /// Tracks that the participant sends us, by codec.
        incoming: BTreeMap<Codec, usize>,
        /// Tracks that we send it, by codec.
        outgoing: BTreeMap<Codec, usize>,
    },
    /// A message by a data channel.
    Data {
        /// Of the channel.
        label: String,
        /// Whether the bytes are not a text.
        binary: bool,
        /// The message, at most 64 KiB.
        bytes: Vec<u8>,
    },
    /// Everything that was written to the data channel has arrived (RFC 9260 §6.2: it is acknowledged), or there is no such channel.
    Delivered {
        /// That of [`Command::Deliver`].
        id: u32,
    },
    /// The media connection is gone.
    Left(LeaveReason),
}

/// A track that we send to a participant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sending {
    /// The m-line.
    pub mid: String,
    /// Who publishes it.
    pub publisher: ParticipantId,
    /// What it carries.
    pub source: Source,
}

/// Why a media connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeaveReason {
    /// [`Command::Leave`] or [`Command::CloseRoom`].
    Asked,
    /// The participant closed it (DTLS close_notify).
    Closed,
    /// No consent for longer than ICE allows (RFC 7675), or the first connection took too long.
    TransportLost,
    /// The certificate presented is not the promised one.
    CertificateMismatch,
    /// The connection cannot go on, but a new one can: a description was applied only in part, or its m-lines are used up by people
    /// who have gone.
    Spent,
    /// The join was refused.
    Refused(JoinRefusal),
    /// More data-channel messages, or more sound or pictures, than anybody needs.
    Flooding,
    /// Our own code failed in this participant's step.
    Failed,
}

/// Why a join was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JoinRefusal {
    /// The room has as many participants as it may.
    RoomFull,
    /// The shard has.
    ShardFull,
}

/// Why an offer or an answer was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignalRefusal {
    /// There is no such media connection.
    #[error("no media connection")]
    NotJoined,
    /// Not parseable, or not answerable.
    #[error("unusable description")]
    BadSdp,
    /// No fingerprint, several, or not the promised one.
    #[error("fingerprint not accepted")]
    Fingerprint,
    /// Sends what the profile does not allow, or an m-line that names no source.
    #[error("source not permitted")]
    SourceNotPermitted,
    /// More m-lines, codecs or bytes than allowed.
    #[error("description too large")]
    TooLarge,
}
