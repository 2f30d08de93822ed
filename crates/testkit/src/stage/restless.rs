//! What restless people do besides: they reload and come back while signalling is under way, which takes its time, withdraw what they publish
//! again, and some say what they show.

use std::time::Duration;

use sfu::Source::{Camera, Screen};
use sfu::{Command, Glare, ParticipantId, Source, Tile};

use super::story::Story;
use super::{DEMANDING, Encoding};

/// By how much the signalling of somebody may be late.
const SLOWNESS: [Duration; 5] = [
    Duration::ZERO,
    Duration::from_millis(100),
    Duration::from_millis(500),
    Duration::from_millis(1_500),
    Duration::from_secs(3),
];
/// The longest of these.
pub(super) const SLOWEST: Duration = Duration::from_secs(3);
const HEIGHTS: [u16; 4] = [0, 180, 360, 720];
/// How long somebody is away who comes back.
const LONGEST_ABSENCE: Duration = Duration::from_secs(2);

/// How somebody behaves who is restless.
#[derive(Debug, Default)]
pub(super) struct Restless {
    /// What it shows, if it is one of those who say so.
    screen: Option<Screenful>,
    /// What the server has been told, on this connection.
    told: Option<Option<Vec<Tile>>>,
    /// When it comes back, and with what.
    returns: Option<(Duration, Vec<Source>)>,
    /// When it gives back the lock, if it remembers to.
    unlocks: Option<Duration>,
}

/// What is on somebody's screen.
#[derive(Debug, Default)]
struct Screenful {
    /// Whether it has no tiles of its own choice for the moment.
    unsaid: bool,
    /// By person: the height of its tiles; nothing: it is hidden.
    heights: Vec<Option<u16>>,
    /// Whether who has no camera, or is not there, has its tile all the same.
    of_everybody: bool,
    /// The first of the tiles.
    first: usize,
}

impl Story {
    /// A cast of restless people.
    #[must_use]
    pub fn of_restless_people(seed: u64) -> Self {
        let mut story = Self::new(seed);
        let mut rng = fastrand::Rng::with_seed(seed ^ 0x4E57);
        for (client, person) in story.stage.clients.iter_mut().zip(&mut story.people) {
            client.slowness = rng.choice(SLOWNESS).unwrap();
            if rng.u8(..4) == 0 {
                client.manners = DEMANDING;
                client.wants_channel = true;
            }
            if rng.u8(..4) == 0 {
                client.encodings = Encoding::USUAL.to_vec();
            }
            let screen = (rng.u8(..3) > 0).then(Screenful::default);
            person.restless = Some(Restless { screen, ..Restless::default() });
        }
        story.rng = rng;
        for index in 0..story.people.len() {
            story.look_elsewhere(index);
        }
        story
    }

    /// Somebody does something that the others do not do.
    pub(super) fn somebody_is_restless(&mut self) {
        let index = self.rng.usize(..self.people.len());
        let may_offer = self.people[index].inside && self.stage.clients[index].may_offer();
        match self.rng.u8(..13) {
            10 | 11 | 0..=3 if self.people[index].inside => self.reload(index),
            4 if may_offer => {
                // It stays what it should publish, so it is published again as soon as may be.
                let published = self.stage.clients[index].published();
                if let Some(source) = self.rng.choice(published) {
                    self.stage.withdraw(index, source);
                }
            }
            5 | 6 => self.look_elsewhere(index),
            7 if self.people[index].inside => self.lock(index),
            8 => self.publish(index),
            9 => self.withdraw(index),
            12 if may_offer && self.stage.clients[index].connected && self.may_repeat(index) => {
                self.break_signalling(index);
            }
            _ => {}
        }
    }

    /// The page of somebody is loaded again, or it leaves and comes back.
    fn reload(&mut self, index: usize) {
        let (now, sources) = (self.stage.now, self.people[index].sources.clone());
        if self.rng.bool() {
            self.stage.clients[index].close();
            self.stage.flush_client(index);
            self.stage.clients[index].wake(now);
        }
        if self.rng.bool() {
            self.stage.lose_signals(index);
        }
        let absence = match self.rng.u8(..3) {
            0 => Duration::ZERO,
            _ => LONGEST_ABSENCE.mul_f64(self.rng.f64() * self.rng.f64()),
        };
        if self.rng.bool() {
            self.leave(index);
        } else if absence > Duration::ZERO {
            self.people[index].inside = false;
        }
        if absence.is_zero() {
            self.come_back(index, sources);
        } else if let Some(restless) = &mut self.people[index].restless {
            restless.returns = Some((self.stage.elapsed() + absence, sources));
        }
    }

    fn come_back(&mut self, index: usize, sources: Vec<Source>) {
        self.people[index].sources = sources;
        self.people[index].inside = true;
        self.connect(index);
    }

    /// The signalling connection of somebody breaks, and it has another one: what was on its way is lost, and said again.
    fn break_signalling(&mut self, index: usize) {
        self.stage.lose_signals(index);
        self.forget_told(index);
        let muted = self.stage.clients[index].muted;
        for source in Source::ALL {
            let muted = muted.contains(source);
            self.stage.say_as(index, |participant| Command::Mute { participant, source, muted });
        }
        let time = self.stage.elapsed();
        self.people[index].silence_begins_anew(time);
        self.stage.say_as(index, |participant| Command::Repeat { participant });
    }

    /// Another screenful.
    fn look_elsewhere(&mut self, index: usize) {
        let people = self.people.len();
        let Self { rng, people: all, .. } = self;
        let Some(screen) = all[index].restless.as_mut().and_then(|restless| restless.screen.as_mut()) else {
            return;
        };
        *screen = Screenful {
            unsaid: rng.u8(..8) == 0,
            heights: (0..people).map(|_| rng.choice(HEIGHTS).filter(|_| rng.u8(..4) > 0)).collect(),
            of_everybody: rng.bool(),
            first: rng.usize(..people),
        };
    }

    /// Its turn to change its tracks: it forgets to say that it is over, now and then.
    fn lock(&mut self, index: usize) {
        self.stage.say_as(index, |participant| Command::Lock { participant });
        let length = Duration::from_millis(self.rng.u64(..4_000));
        let until = (self.rng.u8(..4) > 0).then(|| self.stage.elapsed() + length);
        if let Some(restless) = &mut self.people[index].restless {
            restless.unlocks = until;
        }
    }

    /// What is due: who wanted to come back does, and who shows something else says so.
    pub(super) fn restless_go_on(&mut self) {
        let time = self.stage.elapsed();
        for index in 0..self.people.len() {
            let Some(restless) = &mut self.people[index].restless else { continue };
            let unlocks = restless.unlocks.take_if(|until| *until <= time).is_some();
            let returns = restless.returns.take_if(|(at, _)| *at <= time);
            if unlocks {
                self.stage.say_as(index, |participant| Command::Unlock { participant });
            }
            if let Some((_, sources)) = returns.filter(|_| !self.people[index].inside) {
                self.come_back(index, sources);
            }
            if self.people[index].inside {
                self.say_view(index);
            }
        }
    }

    /// Those who would come back do so.
    pub(super) fn hurry_back(&mut self) {
        for restless in self.people.iter_mut().filter_map(|person| person.restless.as_mut()) {
            restless.returns.iter_mut().for_each(|(at, _)| *at = Duration::ZERO);
        }
        self.restless_go_on();
    }

    fn say_view(&mut self, index: usize) {
        let Some(tiles) = self.tiles(index).filter(|_| self.honest(index)) else { return };
        let Some(restless) = &mut self.people[index].restless else { return };
        if restless.told.as_ref() != Some(&tiles) {
            restless.told = Some(tiles.clone());
            self.stage.say_as(index, |participant| Command::View { participant, tiles });
        }
    }

    /// What somebody shows, if it is one who says so.
    fn tiles(&self, viewer: usize) -> Option<Option<Vec<Tile>>> {
        let screen = self.people[viewer].restless.as_ref()?.screen.as_ref()?;
        if screen.unsaid {
            return Some(None);
        }
        let room = self.stage.clients[viewer].room;
        let mut tiles = Vec::new();
        for step in 0..self.people.len() {
            let index = (screen.first + step) % self.people.len();
            let (person, client) = (&self.people[index], &self.stage.clients[index]);
            let Some(height) = screen.heights[index].filter(|_| index != viewer && client.room == room)
            else {
                continue;
            };
            let shows = |source: &Source| {
                screen.of_everybody && *source == Camera || person.inside && person.sources.contains(source)
            };
            let sources = [Screen, Camera].into_iter().filter(shows);
            tiles.extend(sources.map(|source| Tile { publisher: client.id, source, height }));
        }
        Some(Some(tiles))
    }

    /// A new connection has been told nothing.
    pub(super) fn forget_told(&mut self, index: usize) {
        if let Some(restless) = &mut self.people[index].restless {
            (restless.told, restless.unlocks) = (None, None);
        }
    }

    /// Whether a viewer does without a picture.
    pub(super) fn does_not_show(&self, viewer: usize, publisher: ParticipantId, source: Source) -> bool {
        let told =
            self.people[viewer].restless.as_ref().and_then(|restless| restless.told.as_ref()?.as_ref());
        let same = |tile: &Tile| (tile.publisher, tile.source) == (publisher, source);
        !source.is_audio() && told.is_some_and(|tiles| !tiles.iter().any(same))
    }

    /// Whether somebody may have an offer said again. Where the server insists and words are slow, what is said again may make the client
    /// roll back an offer that the server has just accepted: the connection ends then, and that is all.
    pub(super) fn may_repeat(&self, index: usize) -> bool {
        self.stage.clients[index].manners.glare == Glare::Yield || self.people[index].restless.is_none()
    }
}
