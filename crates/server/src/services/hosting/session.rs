//! One user in a call: where its media is, and what its streams are.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Description;
use super::tally::Tally;
use hub::ConnectionId;
use identity::{RealmId, RoomKey, SessionId};
use sfu::{
    Codec, Extensions, Glare, Manners, Names, ParticipantId, Profile, RoomId, Source, Sources, Stream,
};

/// Offers of a client that may wait for the engine; rtcd has as many (service/rtc/session.go).
const MAX_OFFERS: usize = 20;
/// Streams that were a session's screen once, and are not taken for a voice later.
const MAX_PAST_SCREENS: usize = 8;
/// What a client's offers, and all its descriptions by its data channel when they are inflated, may come to, in bytes: in a second, and at
/// once. The largest calls come to some hundred KiB a description.
const READ_A_SECOND: usize = 2 * 1024 * 1024;
const READ_AT_ONCE: usize = 4 * 1024 * 1024;
/// What each of them costs at least: the engine works on it too. And what one costs that cannot be read.
const MIN_READ: usize = 100 * 1024;
pub(super) const MAX_READ: usize = 1024 * 1024;
/// rtcd service/rtc/sfu.go: one request a second to one source.
const KEYFRAME_GAP: Duration = Duration::from_secs(1);

/// Who a session is, as its realm names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Whose client.
    pub realm: RealmId,
    /// Which call of it.
    pub call: String,
    /// Which user of it.
    pub user: String,
    /// The session's name, unique in its realm.
    pub name: String,
}

impl Place {
    /// The session's number.
    #[must_use]
    pub fn session(&self) -> SessionId {
        SessionId::named(&self.realm, &self.name)
    }

    pub(super) fn participant(&self) -> ParticipantId {
        ParticipantId(self.session().0)
    }

    pub(super) fn room(&self) -> RoomId {
        RoomId(RoomKey::named(&self.realm, &self.call).0)
    }
}

/// What a client said of itself when it joined.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Props {
    /// Where the call is shown.
    pub channel: Option<String>,
    /// Whether it sends and takes AV1.
    pub av1: Option<bool>,
    /// Whether our offers go by its data channel.
    pub by_channel: Option<bool>,
}

/// By which way a description came, and its answer goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Way {
    Line,
    /// The data channel with this label.
    Channel(String),
}

/// A user in a call.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) place: Arc<Place>,
    pub(super) props: Props,
    pub(super) incarnation: u32,
    /// By which connection it was last heard of; that may be gone.
    pub(super) line: Option<ConnectionId>,
    pub(super) joined: Instant,
    pub(super) answered: Option<Instant>,
    /// The data channel, once it is open.
    pub(super) channel: Option<String>,
    /// Our latest offer.
    pub(super) offered: Option<u32>,
    /// That offer, where it goes by a line and brings a new m-line: until its map has arrived by the data channel.
    pub(super) held: Option<HeldOffer>,
    /// The m-lines that its client knows by the map of our last offer.
    pub(super) mapped: BTreeSet<String>,
    /// Its own offers that the engine has not answered.
    offers: BTreeMap<u32, Offered>,
    last_offer: u32,
    /// What it sends since its last answered offer, and what the engine was told of it.
    streams: BTreeMap<String, Stream>,
    named: BTreeMap<String, Option<Source>>,
    screen: Option<String>,
    past_screens: VecDeque<String>,
    video: Option<String>,
    /// Of offers, and of all descriptions by the data channel, as a bucket that leaks.
    read: usize,
    read_at: Instant,
    pub(super) tally: Tally,
}

/// An offer of ours that waits for its map to arrive.
#[derive(Debug)]
pub(super) struct HeldOffer {
    pub(super) id: u32,
    pub(super) offer: Description,
    /// The m-lines of its map.
    pub(super) mids: BTreeSet<String>,
    pub(super) since: Instant,
}

/// An offer that the engine has not answered.
#[derive(Debug)]
pub(super) struct Offered {
    pub(super) way: Way,
    streams: BTreeMap<String, Stream>,
    named: BTreeMap<String, Option<Source>>,
}

impl Session {
    pub(super) fn new(
        place: Arc<Place>,
        props: Props,
        incarnation: u32,
        line: ConnectionId,
        at: Instant,
    ) -> Self {
        Self {
            place,
            props,
            incarnation,
            line: Some(line),
            joined: at,
            answered: None,
            channel: None,
            offered: None,
            held: None,
            mapped: BTreeSet::new(),
            offers: BTreeMap::new(),
            last_offer: 0,
            streams: BTreeMap::new(),
            named: BTreeMap::new(),
            screen: None,
            past_screens: VecDeque::new(),
            video: None,
            read: 0,
            read_at: at,
            tally: Tally::default(),
        }
    }

    /// What the engine is to know of it: rtcd's rules (service/rtc/sfu.go).
    pub(super) fn profile(&self) -> Profile {
        let av1 = self.props.av1 == Some(true);
        let codecs = [Some(Codec::Opus), av1.then_some(Codec::Av1), Some(Codec::Vp8)];
        Profile {
            fingerprint: None,
            may_send: Source::ALL.into_iter().collect::<Sources>(),
            codecs: codecs.into_iter().flatten().collect(),
            red: false,
            stream: self.place.name.clone(),
            adapts: true,
            // As rtcd negotiates it: `transport-cc` on sound too.
            reports_sound: true,
            // Everybody is heard and seen: transcribers and recorders are sessions like others.
            max_voices: usize::MAX,
            max_cameras: usize::MAX,
            keyframe_gap: KEYFRAME_GAP,
            manners: Manners {
                names: Names::Telling,
                glare: Glare::Insist,
                waits_for_channel: true,
                late_sources: true,
                prefers_its_codecs: true,
                extensions: Extensions::Few,
                activity: sfu::Activity::Variation,
                tells_tracks: true,
            },
        }
    }

    /// Whether it has offered nothing yet.
    pub(super) fn is_new(&self) -> bool {
        self.last_offer == 0
    }

    /// Whether one more description is too much.
    pub(super) fn is_too_much(&mut self, at: Instant) -> bool {
        let since = at.saturating_duration_since(self.read_at).as_millis();
        let gone = usize::try_from(since).unwrap_or(usize::MAX).saturating_mul(READ_A_SECOND / 1_000);
        (self.read, self.read_at) = (self.read.saturating_sub(gone), at);
        self.read >= READ_AT_ONCE
    }

    /// Notes the size of a description.
    pub(super) fn has_described(&mut self, size: usize) {
        self.read = self.read.saturating_add(size.max(MIN_READ));
    }

    /// Notes a description of so many bytes, unless it is too much.
    pub(super) fn may_describe(&mut self, size: usize, at: Instant) -> bool {
        let may = !self.is_too_much(at);
        if may {
            self.has_described(size);
        }
        may
    }

    /// Notes an offer; returns its number, and what its m-lines carry as far as it is known.
    pub(super) fn offers(
        &mut self,
        way: Way,
        streams: BTreeMap<String, Stream>,
        shares: bool,
    ) -> (u32, BTreeMap<String, Source>) {
        self.last_offer = self.last_offer.wrapping_add(1).max(1);
        if self.offers.len() >= MAX_OFFERS {
            self.offers.pop_first();
        }
        let named = self.classify(&streams, shares);
        let sources = named.iter().filter_map(|(mid, source)| Some((mid.clone(), (*source)?))).collect();
        self.offers.insert(self.last_offer, Offered { way, streams, named });
        (self.last_offer, sources)
    }

    /// Notes that the engine has answered an offer; those before it never are. Returns the way back.
    pub(super) fn answered_offer(&mut self, id: u32) -> Option<Way> {
        let offered = self.offers.remove(&id)?;
        self.offers = self.offers.split_off(&id);
        (self.streams, self.named) = (offered.streams, offered.named);
        Some(offered.way)
    }

    /// Notes that the engine has refused an offer, or returns that it was none.
    pub(super) fn refused(&mut self, id: u32) -> bool {
        self.offers.remove(&id).is_some()
    }

    /// Notes which stream is its screen.
    pub(super) fn shares(&mut self, stream: Option<String>) {
        if let Some(before) = std::mem::replace(&mut self.screen, stream) {
            if self.past_screens.len() >= MAX_PAST_SCREENS {
                self.past_screens.pop_front();
            }
            self.past_screens.push_back(before);
        }
    }

    /// Notes which stream is its camera.
    pub(super) fn shows(&mut self, stream: String) {
        self.video = Some(stream);
    }

    /// Whether the engine was told of a voice.
    pub(super) fn has_voice(&self) -> bool {
        let offered = self.offers.values().flat_map(|offered| offered.named.values());
        self.named.values().chain(offered).any(|source| *source == Some(Source::Voice))
    }

    /// Returns what has changed in what its m-lines carry. `shares` tells whether it holds the call's screen.
    pub(super) fn renamed(&mut self, shares: bool) -> BTreeMap<String, Option<Source>> {
        let named = self.classify(&self.streams, shares);
        let before = std::mem::replace(&mut self.named, named);
        let now = self.named.iter();
        now.filter(|(mid, source)| before.get(*mid) != Some(source))
            .map(|(mid, source)| (mid.clone(), *source))
            .collect()
    }

    /// Says what each sending m-line carries: the table of reference rtcd service/rtc/sfu.go, but that a picture which is not announced
    /// waits to be.
    fn classify(&self, streams: &BTreeMap<String, Stream>, shares: bool) -> BTreeMap<String, Option<Source>> {
        let is_screen = |id: &str| shares && self.screen.as_deref() == Some(id);
        let was_screen = |id: &str| self.past_screens.iter().any(|past| past == id);
        let announced = |id: &str| self.screen.as_deref() == Some(id) || was_screen(id);
        // The voice of before stays the voice; a second sound waits to be announced as that of a screen.
        let may_be_voice = |stream: &&Stream| stream.is_audio && !announced(&stream.id);
        let held = self.named.iter().find(|(mid, source)| {
            **source == Some(Source::Voice) && streams.get(*mid).is_some_and(|stream| may_be_voice(&stream))
        });
        let first = streams.iter().filter(|(_, stream)| may_be_voice(stream));
        let first = first.min_by_key(|(mid, _)| (mid.len(), *mid)).map(|(mid, _)| mid);
        let voice = held.map(|(mid, _)| mid).or(first);
        let source = |mid: &String, stream: &Stream| match stream.is_audio {
            true if is_screen(&stream.id) => Some(Source::ScreenAudio),
            true => (voice == Some(mid)).then_some(Source::Voice),
            false if is_screen(&stream.id) => Some(Source::Screen),
            false if self.video.as_deref() == Some(stream.id.as_str()) => Some(Source::Camera),
            false => None,
        };
        streams.iter().map(|(mid, stream)| (mid.clone(), source(mid, stream))).collect()
    }
}
