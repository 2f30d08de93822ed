//! A whole call out of one seed: people come, go, mute and move while the weather changes and one of them is hostile; and what must
//! hold whatever happens.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

use sfu::Source::{Camera, Screen, ScreenAudio, Voice};
use sfu::{Command, EventKind, LeaveReason, ParticipantId, RoomId, Source};

use super::hostile::{Attack, Hostile};
use super::restless::{Restless, SLOWEST};
use super::{DEMANDING, Stage, Stamp, Weather};

/// How often something may happen.
const STEP: Duration = Duration::from_millis(500);
/// How long trouble lasts.
const TROUBLE: Duration = Duration::from_secs(20);
/// Within which everything is well again: 15 s until a silent connection is given up, and a handshake.
const RECOVERY: Duration = Duration::from_secs(45);
/// How long a client waits for answers before it makes a new connection, as browsers do.
const PATIENCE: Duration = Duration::from_secs(8);
/// How long a handshake may take before a client begins anew.
const HANDSHAKE: Duration = Duration::from_secs(12);
/// From the word to its effect.
const SETTLED: Duration = Duration::from_millis(200);
/// What was sent while silenced may arrive, and be forwarded, after the silence.
const LONGEST_WAY: Duration = Duration::from_secs(1);
/// What a story does not end with less of.
const LEAST_SOUND: u64 = 60;

/// The same among restless people, who have trouble of their own later on.
const TROUBLE_OF_THE_RESTLESS: Duration = Duration::from_secs(8);
/// How often they do a few things, and are then waited for. Most faults of who sees whom last until the next one does something.
const RESTLESS_MOMENTS: usize = 6;
/// What a story does not end with less of, of a picture in several sizes.
const LEAST_OF_A_LAYER: u64 = 8;

/// What the story knows of somebody.
#[derive(Debug, Default)]
pub(super) struct Person {
    /// Whether it should be in the call.
    pub inside: bool,
    pub sources: Vec<Source>,
    pub restless: Option<Restless>,
    muted: BTreeSet<Source>,
    /// When it was silenced, and when that ended.
    silences: Vec<(Source, Duration, Option<Duration>)>,
    began: Duration,
    cut_until: Option<Duration>,
    weather_until: Option<Duration>,
    /// Events of this person that have been looked at.
    looked_at: usize,
}

/// A story in the making.
pub struct Story {
    /// Where it plays.
    pub stage: Stage,
    seed: u64,
    pub(super) rng: fastrand::Rng,
    pub(super) people: Vec<Person>,
    hostile: Option<Hostile>,
    attack: Attack,
    checked: Checked,
    began: std::time::Instant,
}

/// What has been checked of the packets that arrived.
#[derive(Debug, Default)]
struct Checked {
    events: usize,
    looked_at: Vec<usize>,
    /// By client, connection, m-line and number.
    carried: BTreeMap<(usize, u16, String, u64), Stamp>,
    /// By client, connection and m-line.
    owners: BTreeMap<(usize, u16, String), (ParticipantId, Source)>,
    /// Newest number and time of each.
    newest: BTreeMap<(usize, u16, String), (u64, u32)>,
}

impl Story {
    /// The cast of a seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let mut rng = fastrand::Rng::with_seed(seed ^ 0x5EED);
        let mut stage = Stage::new(seed, Weather::FAIR);
        let began = stage.now;
        let people = rng.usize(3..=8);
        for index in 0..people {
            stage.prepare();
            stage.clients[index].room = RoomId(1 + u128::from(index >= 5));
            stage.clients[index].wants_channel = rng.bool();
            stage.clients[index].pictures_every = Duration::from_millis(100);
        }
        let hostile = (rng.u8(..4) > 0).then(|| {
            let index = rng.usize(..people);
            Hostile::new(&mut stage, index, seed)
        });
        let attack = rng.choice(Attack::ALL).unwrap();
        let people = (0..people).map(|_| Person::default()).collect();
        Self { stage, seed, rng, people, hostile, attack, checked: Checked::default(), began }
    }

    /// The same cast, of which about half are demanding clients.
    #[must_use]
    pub fn of_demanding_clients(seed: u64) -> Self {
        let mut story = Self::new(seed);
        let mut rng = fastrand::Rng::with_seed(seed ^ 0x0DE3);
        for client in story.stage.clients.iter_mut().filter(|_| rng.bool()) {
            client.manners = DEMANDING;
            client.wants_channel = true;
        }
        story
    }

    /// Plays it, and checks as it goes.
    ///
    /// # Panics
    /// With the seed, when something does not hold.
    pub fn play(&mut self) {
        for index in 0..self.people.len() {
            if self.rng.u8(..4) > 0 {
                self.come(index);
            }
        }
        let trouble = if self.is_restless() { TROUBLE_OF_THE_RESTLESS } else { TROUBLE };
        while self.time() < trouble {
            for _ in 0..self.rng.usize(..3) {
                self.something_happens();
                if self.is_restless() {
                    self.somebody_is_restless();
                }
            }
            self.misbehave();
            self.pass(STEP);
        }
        self.trouble_ends();
        self.all_is_well_again();
        if self.is_restless() {
            (0..RESTLESS_MOMENTS).for_each(|_| self.a_restless_moment());
        }
    }

    fn is_restless(&self) -> bool {
        self.people.iter().any(|person| person.restless.is_some())
    }

    fn a_restless_moment(&mut self) {
        for _ in 0..self.rng.usize(1..=3) {
            self.somebody_is_restless();
            self.misbehave();
            let time = Duration::from_millis(self.rng.u64(10..800));
            self.pass(time);
        }
        self.hurry_back();
        self.all_is_well_again();
    }

    fn time(&self) -> Duration {
        self.stage.now - self.began
    }

    fn pass(&mut self, time: Duration) {
        self.stage.run(time);
        self.clear_up();
        self.keep_in_call();
        self.restless_go_on();
        self.check();
    }

    pub(super) fn honest(&self, index: usize) -> bool {
        self.hostile.as_ref().is_none_or(|hostile| hostile.index != index)
    }

    fn come(&mut self, index: usize) {
        let kinds: [&[Source]; 5] =
            [&[Voice], &[Voice, Camera], &[Voice, Camera], &[Camera, Screen, ScreenAudio], &[]];
        let sources = self.rng.choice(kinds).unwrap().to_vec();
        self.people[index].sources.clone_from(&sources);
        self.people[index].inside = true;
        self.connect(index);
    }

    pub(super) fn connect(&mut self, index: usize) {
        let before = self.stage.clients[index].address;
        self.stage.remake(index);
        self.forget_told(index);
        let address = self.stage.clients[index].address;
        self.stage.net.seen_as.remove(&before);
        if self.stage.net.cut_off.remove(&before) {
            self.stage.net.cut_off.insert(address);
        }
        if let Some(weather) = self.stage.net.local.remove(&before) {
            self.stage.net.local.insert(address, weather);
        }
        let sources = self.people[index].sources.clone();
        self.stage.enter(index, &sources);
        let time = self.time();
        let person = &mut self.people[index];
        person.began = time;
    }

    fn something_happens(&mut self) {
        let index = self.rng.usize(..self.people.len());
        let address = self.stage.clients[index].address;
        let now = self.stage.now;
        match self.rng.u8(..14) {
            0 if self.people[index].inside => self.leave(index),
            0 | 1 if !self.people[index].inside => self.come(index),
            1 if self.people[index].inside => self.connect(index),
            2 => self.publish(index),
            3 => self.withdraw(index),
            4..=6 => self.mute(index),
            7 => self.rain_on(index),
            8 => self.cut_off(index),
            9 => {
                let outside = SocketAddr::from(([192, 0, 2, self.rng.u8(..)], self.rng.u16(1_024..)));
                self.stage.net.seen_as.insert(address, outside);
            }
            10 => self.stage.net.weather = self.some_weather(),
            11 => self.stage.net.weather = Weather::FAIR,
            12 => {
                let length = self.rng.usize(1..4_000);
                self.stage.clients[index].write(now, false, &vec![0x61; length]);
                self.stage.flush_client(index);
            }
            _ if self.may_repeat(index) => {
                self.stage.say_as(index, |participant| Command::Repeat { participant });
            }
            _ => {}
        }
    }

    pub(super) fn leave(&mut self, index: usize) {
        let time = self.time();
        let person = &mut self.people[index];
        person.inside = false;
        person.sources.clear();
        person.muted.clear();
        person.silences.iter_mut().for_each(|(.., until)| _ = until.get_or_insert(time));
        self.stage.leave(index);
    }

    fn rain_on(&mut self, index: usize) {
        let weather = self.some_weather();
        self.stage.net.local.insert(self.stage.clients[index].address, weather);
        let until = self.time() + Duration::from_millis(self.rng.u64(1_000..8_000));
        self.people[index].weather_until = Some(until);
    }

    fn cut_off(&mut self, index: usize) {
        self.stage.net.cut_off.insert(self.stage.clients[index].address);
        let until = self.time() + Duration::from_millis(self.rng.u64(200..20_000));
        self.people[index].cut_until = Some(until.min(TROUBLE));
    }

    fn some_weather(&mut self) -> Weather {
        Weather {
            loss: 0.3 * self.rng.f64() * self.rng.f64(),
            duplicate: 0.1 * self.rng.f64(),
            delay: Duration::from_millis(self.rng.u64(1..300)),
            jitter: Duration::from_millis(self.rng.u64(..200)),
            rate: (self.rng.u8(..4) == 0).then(|| self.rng.u64(200_000..5_000_000)),
        }
    }

    pub(super) fn publish(&mut self, index: usize) {
        let missing: Vec<Source> =
            Source::ALL.into_iter().filter(|source| !self.people[index].sources.contains(source)).collect();
        let Some(source) = self.rng.choice(missing) else { return };
        if self.people[index].inside && self.stage.clients[index].may_offer() {
            self.people[index].sources.push(source);
            self.stage.offer(index, &[source]);
        }
    }

    pub(super) fn withdraw(&mut self, index: usize) {
        if self.people[index].inside && self.stage.clients[index].may_offer() {
            let Some(source) = self.people[index].sources.pop() else { return };
            self.stage.withdraw(index, source);
        }
    }

    fn mute(&mut self, index: usize) {
        if !self.people[index].inside {
            return;
        }
        let source = self.rng.choice(Source::ALL).unwrap();
        let (time, person) = (self.time(), &mut self.people[index]);
        let muted = person.muted.insert(source);
        if muted {
            person.silences.push((source, time, None));
        } else {
            person.muted.remove(&source);
            let open = person.silences.iter_mut().rfind(|(had, ..)| *had == source);
            open.unwrap().2 = Some(time);
        }
        self.stage.say_as(index, |participant| Command::Mute { participant, source, muted });
    }

    fn misbehave(&mut self) {
        if self.rng.u8(..8) == 0 {
            self.attack = self.rng.choice(Attack::ALL).unwrap();
        }
        let Self { stage, hostile: Some(hostile), attack, .. } = self else { return };
        if stage.clients[hostile.index].connected {
            hostile.attack(stage, *attack);
        }
    }

    /// Ends what was to last for some time only.
    fn clear_up(&mut self) {
        let time = self.time();
        for (person, client) in self.people.iter_mut().zip(&self.stage.clients) {
            if person.cut_until.take_if(|until| *until <= time).is_some() {
                self.stage.net.cut_off.remove(&client.address);
            }
            if person.weather_until.take_if(|until| *until <= time).is_some() {
                self.stage.net.local.remove(&client.address);
            }
        }
    }

    /// What a client does by itself: it comes again when its connection is gone, and asks nobody.
    fn keep_in_call(&mut self) {
        let (time, now) = (self.time(), self.stage.now);
        for index in 0..self.people.len() {
            let left = self.was_left(index);
            let (client, person) = (&self.stage.clients[index], &self.people[index]);
            let silent = client.silent_since.is_some_and(|since| now - since > PATIENCE);
            let slow = !client.connected && time - person.began > HANDSHAKE;
            if person.inside && (left || client.closed || silent || slow) && !person.silent_again(time) {
                self.connect(index);
            } else if person.inside
                && client.may_offer()
                && client.published() != person.sources.iter().copied().collect()
            {
                // An offer was refused, or crossed ours.
                let missing: Vec<Source> = person
                    .sources
                    .iter()
                    .copied()
                    .filter(|source| !client.published().contains(source))
                    .collect();
                if !missing.is_empty() {
                    self.stage.offer(index, &missing);
                }
            }
        }
    }

    /// Whether the server has said that the current connection is over.
    fn was_left(&mut self, index: usize) -> bool {
        let (incarnation, id) = (self.stage.clients[index].incarnation, self.stage.clients[index].id);
        let events = &self.stage.events;
        let seen = std::mem::replace(&mut self.people[index].looked_at, events.len());
        events.iter().skip(seen).any(|(_, event)| {
            event.participant == id
                && event.incarnation == incarnation
                && matches!(event.kind, EventKind::Left(_))
        })
    }

    fn trouble_ends(&mut self) {
        self.stage.net.weather = Weather::FAIR;
        self.stage.net.local.clear();
        self.stage.net.cut_off.clear();
        for person in &mut self.people {
            person.cut_until = None;
            person.weather_until = None;
        }
        self.hurry_back();
    }

    /// The hostile one goes on all the while.
    fn all_is_well_again(&mut self) {
        let end = self.time() + RECOVERY;
        loop {
            let before = self.sound();
            for _ in 0..4 {
                self.misbehave();
                self.pass(STEP);
            }
            let lacking = self.lacking(&before);
            if lacking.is_empty() {
                return;
            }
            assert!(self.time() < end, "seed {}: not well again: {lacking:?}", self.seed);
        }
    }

    /// Packets that each has of each other, by what they say of themselves.
    fn sound(&self) -> BTreeMap<(usize, ParticipantId, Source), u64> {
        let mut sound = BTreeMap::new();
        for (index, client) in self.stage.clients.iter().enumerate() {
            for stamp in client.trace.iter().filter_map(|packet| packet.stamp) {
                *sound.entry((index, stamp.publisher, stamp.source)).or_default() += 1;
            }
        }
        sound
    }

    fn lacking(&self, before: &BTreeMap<(usize, ParticipantId, Source), u64>) -> Vec<String> {
        let after = self.sound();
        let mut lacking = Vec::new();
        let insiders: Vec<usize> = (0..self.people.len())
            .filter(|index| self.people[*index].inside && self.honest(*index))
            .collect();
        for viewer in &insiders {
            if !self.stage.clients[*viewer].connected || self.stage.clients[*viewer].closed {
                lacking.push(format!("{viewer} is not connected"));
            }
            for publisher in insiders.iter().filter(|publisher| *publisher != viewer) {
                let (from, to) = (&self.stage.clients[*publisher], &self.stage.clients[*viewer]);
                let person = &self.people[*publisher];
                for source in person.sources.iter().filter(|source| !person.muted.contains(source)) {
                    let key = (*viewer, from.id, *source);
                    let gained = after.get(&key).unwrap_or(&0) - before.get(&key).unwrap_or(&0);
                    let least = match source {
                        Voice | ScreenAudio => LEAST_SOUND,
                        Camera if !from.encodings.is_empty() => LEAST_OF_A_LAYER,
                        Camera | Screen => LEAST_SOUND / 2,
                    };
                    let shows = !self.does_not_show(*viewer, from.id, *source);
                    if from.room == to.room && if shows { gained < least } else { gained > 0 } {
                        let word = if shows { "shows" } else { "does not show" };
                        lacking.push(format!("{viewer} {word} {publisher}'s {source:?} and gets {gained}"));
                    }
                }
            }
        }
        lacking
    }

    fn check(&mut self) {
        let stats = self.stage.shard.stats();
        // Of a lying report of arrivals str0m may panic; then the liar is taken out, and nobody else.
        let failed =
            self.stage.events.iter().filter(|(_, event)| event.kind == EventKind::Left(LeaveReason::Failed));
        assert_eq!(stats.panics, failed.count() as u64, "seed {}: a step panicked", self.seed);
        assert!(stats.participants <= self.people.len() as u64, "seed {}: too many", self.seed);
        self.check_events();
        self.checked.looked_at.resize(self.people.len(), 0);
        for index in 0..self.people.len() {
            if self.honest(index) {
                self.check_client(index);
            }
        }
    }

    /// Nobody loses its connection by what it said, who says what is right.
    fn check_events(&mut self) {
        let events = &self.stage.events;
        let seen = std::mem::replace(&mut self.checked.events, events.len());
        for (at, event) in &events[seen..] {
            let index = self.stage.clients.iter().position(|client| client.id == event.participant);
            let honest = index.is_some_and(|index| self.honest(index));
            let spent = matches!(
                event.kind,
                EventKind::Left(LeaveReason::Spent | LeaveReason::Flooding | LeaveReason::Failed)
            );
            let refused = matches!(event.kind, EventKind::Refused { .. });
            assert!(!(honest && (spent || refused)), "seed {}: {at:?} {event:?}", self.seed);
        }
    }

    fn check_client(&mut self, viewer: usize) {
        let client = &self.stage.clients[viewer];
        let new = client.trace.get(self.checked.looked_at[viewer]..).unwrap_or_default();
        for packet in new {
            let at = format!("seed {}: {viewer} got {packet:?}", self.seed);
            let place = (viewer, packet.connection, packet.mid.to_string());
            let Some(stamp) = packet.stamp else {
                // Only the hostile one could have made it, and it has not got the means.
                panic!("{at}, which nobody has sent");
            };
            let publisher = self.stage.clients.iter().position(|from| from.id == stamp.publisher);
            let publisher = publisher.unwrap_or_else(|| panic!("{at}, of nobody"));
            assert_eq!(self.stage.clients[publisher].room, client.room, "{at}: another room");
            assert_ne!(publisher, viewer, "{at}: its own");
            let owner = (stamp.publisher, stamp.source);
            let had = *self.checked.owners.entry(place.clone()).or_insert(owner);
            assert_eq!(had, owner, "{at}: an m-line changed hands");
            let number = (viewer, packet.connection, packet.mid.to_string(), packet.seq);
            let before = self.checked.carried.insert(number, stamp);
            assert_eq!(before, None, "{at}: a number twice");
            let newest = self.checked.newest.entry(place).or_insert((packet.seq, packet.time));
            if packet.seq > newest.0 {
                let ahead = packet.time.wrapping_sub(newest.1);
                assert!(ahead < 1 << 31, "{at}: time went back by {}", ahead.wrapping_neg());
                *newest = (packet.seq, packet.time);
            }
            let silent = self.honest(publisher) && self.people[publisher].is_silent(&stamp);
            assert!(!silent, "{at}, silenced: {:?}", self.people[publisher].silences);
        }
        self.checked.looked_at[viewer] = client.trace.len();
    }
}

impl Person {
    /// Whether something with this stamp should not have come.
    fn is_silent(&self, stamp: &Stamp) -> bool {
        let settled = if self.restless.is_some() { SETTLED + SLOWEST } else { SETTLED };
        self.silences.iter().any(|(source, from, until)| {
            stamp.source == *source
                && stamp.at > *from + settled
                && until.is_none_or(|until| stamp.at + LONGEST_WAY < until)
        })
    }

    /// What silences it may have been lost on the way, and is said again at `time`.
    pub(super) fn silence_begins_anew(&mut self, time: Duration) {
        let open =
            self.silences.iter_mut().filter(|(_, from, until)| until.is_none() && *from + SLOWEST > time);
        open.for_each(|(_, from, _)| *from = time);
    }

    /// One new connection a second is enough.
    fn silent_again(&self, time: Duration) -> bool {
        time - self.began < Duration::from_secs(1)
    }
}
