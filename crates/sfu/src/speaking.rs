//! Who speaks, whom the room listens to, and which voices and cameras matter most.
//!
//! Loudness comes with every packet of sound (RFC 6464) from 0, the loudest, to −127, silence; a client may lie about it, which gains
//! it the floor and nothing else. One room each. A silent member's packet costs a look-up and a comparison.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// As loud as this is speech. Speech with gain control is around −30, a quiet room below −60.
const LOUD: i16 = -40 * SCALE;
/// Who speaks goes on speaking down to this.
const QUIET: i16 = -50 * SCALE;
/// Clearly louder.
const LOUDER: i16 = 6 * SCALE;
/// Steps of the smoothed level in one dBov.
const SCALE: i16 = 16;
/// A packet's share in the smoothed level is one in this many: with one each 20 ms, it follows within a syllable or two.
const SMOOTHING: i16 = 8;

/// Loud time that makes a beginning: a click is shorter.
const BEGIN_AFTER: u16 = 60;
/// Without loudness for this long, one has ceased to speak: longer than the pause between two words.
const CEASE_AFTER: Duration = Duration::from_millis(500);
/// Longer than between syllables: meanwhile another may gain on who has the floor.
const PAUSE: Duration = Duration::from_millis(200);
/// Ahead of who has the floor for this long, one takes it: a cough is shorter.
const LEAD: u16 = 400;
/// Least time between two changes of the floor.
const FLOOR_HELD: Duration = Duration::from_secs(1);
/// How often those who speak at the same time are put in order of loudness.
const SORT_EVERY: Duration = Duration::from_millis(500);
/// A packet stands for no more time than the longest Opus frame (RFC 6716 §2.1.4).
const LONGEST_PACKET: Duration = Duration::from_millis(60);

/// Something to tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change<K> {
    Began(K),
    Ceased(K),
    /// Who has the floor; keeps it in silence until another takes it. `None`: who had it is gone.
    Active(Option<K>),
    /// [`Speaking::loudest`] has a new order.
    Voices,
    /// [`Speaking::recent`] has a new order.
    Speakers,
}

/// The voices of one room.
#[derive(Debug)]
pub(crate) struct Speaking<K> {
    /// By key.
    voices: Vec<Voice<K>>,
    /// Those who speak, then the others, the latest to speak first.
    loudest: Vec<K>,
    /// The first `speakers` of `loudest` speak.
    speakers: usize,
    /// By when they last had, or nearly had, the floor.
    recent: Vec<K>,
    active: Option<K>,
    active_since: Option<Instant>,
    sort_at: Option<Instant>,
    /// Not later than the next thing to happen by itself.
    due: Option<Instant>,
    changes: VecDeque<Change<K>>,
}

#[derive(Debug)]
struct Voice<K> {
    key: K,
    heard_at: Instant,
    loud_at: Instant,
    /// Smoothed, in steps of 1/16 dBov.
    level: i16,
    /// Milliseconds of loudness, less those of quiet.
    warmth: u16,
    /// Milliseconds ahead of who has the floor, less those behind.
    lead: u16,
    speaks: bool,
}

impl<K: Copy + Ord> Speaking<K> {
    pub(crate) fn new() -> Self {
        Self {
            voices: Vec::new(),
            loudest: Vec::new(),
            speakers: 0,
            recent: Vec::new(),
            active: None,
            active_since: None,
            sort_at: None,
            due: None,
            changes: VecDeque::new(),
        }
    }

    /// Takes in who may never be heard.
    #[cfg(test)]
    pub(crate) fn join(&mut self, now: Instant, key: K) {
        self.place_of(now, key);
    }

    /// Takes the loudness of one packet, and whether its sender takes it for a voice (RFC 6464's V bit: what is not known counts as one).
    pub(crate) fn hear(&mut self, now: Instant, key: K, level_dbov: i8, voice: Option<bool>) {
        let index = self.place_of(now, key);
        let Some(found) = self.voices.get_mut(index) else { return };
        let passed = found.hear(now, level_dbov, voice);
        if found.speaks {
            self.contend(now, index, passed);
        } else if found.warmth >= BEGIN_AFTER {
            found.speaks = true;
            self.begin(now, key);
            self.contend(now, index, passed);
        }
    }

    /// A voice that is muted speaks no more, at once.
    pub(crate) fn hush(&mut self, key: K) {
        let Some(voice) = self.index_of(key).and_then(|index| self.voices.get_mut(index)) else { return };
        (voice.warmth, voice.lead) = (0, 0);
        if std::mem::take(&mut voice.speaks) {
            self.cease(key);
        }
    }

    /// Forgets who has left. Of what it did before, nothing is told any more.
    pub(crate) fn leave(&mut self, key: K) {
        let Some(index) = self.index_of(key) else { return };
        let gone = self.voices.remove(index);
        self.speakers -= usize::from(gone.speaks);
        self.loudest.retain(|had| *had != key);
        self.recent.retain(|had| *had != key);
        self.changes.retain(|change| !change.is_about(key));
        self.changes.extend([Change::Voices, Change::Speakers]);
        if self.active == Some(key) {
            (self.active, self.active_since) = (None, None);
            self.changes.push_back(Change::Active(None));
        }
    }

    /// Lets who has fallen silent cease, and sorts who speaks.
    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        if self.due.is_none_or(|due| due > now) {
            return;
        }
        let silent = |voice: &Voice<K>| voice.speaks && voice.loud_at + CEASE_AFTER <= now;
        while let Some(voice) = self.voices.iter_mut().find(|voice| silent(voice)) {
            (voice.speaks, voice.warmth, voice.lead) = (false, 0, 0);
            let key = voice.key;
            self.cease(key);
        }
        if self.speakers < 2 {
            self.sort_at = None;
        } else if self.sort_at.is_none_or(|at| at <= now) {
            self.sort();
            self.sort_at = Some(now + SORT_EVERY);
        }
        let ends = self.voices.iter().filter(|voice| voice.speaks).map(|voice| voice.loud_at + CEASE_AFTER);
        self.due = ends.chain(self.sort_at).min();
    }

    /// When to call [`Speaking::handle_timeout`] at the latest.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        self.due
    }

    /// What has changed; `None`: nothing more.
    pub(crate) fn poll_change(&mut self) -> Option<Change<K>> {
        self.changes.pop_front()
    }

    /// The voices to forward where at most `n` are: those who speak, and then the latest to have spoken. So a voice leaves the set only
    /// when as many others have spoken after it.
    pub(crate) fn loudest(&self, n: usize) -> impl Iterator<Item = K> {
        self.loudest.iter().copied().take(n)
    }

    /// Whose cameras to show where at most `n` are. One comes in who had the floor, or spoke long enough to gain it: a cough moves no picture.
    pub(crate) fn recent(&self, n: usize) -> impl Iterator<Item = K> {
        self.recent.iter().copied().take(n)
    }

    #[cfg(test)]
    pub(crate) fn active(&self) -> Option<K> {
        self.active
    }

    #[cfg(test)]
    pub(crate) fn speaks(&self, key: K) -> bool {
        self.index_of(key).and_then(|index| self.voices.get(index)).is_some_and(|voice| voice.speaks)
    }

    /// Makes room for who is heard for the first time, behind all who have spoken.
    fn place_of(&mut self, now: Instant, key: K) -> usize {
        match self.voices.binary_search_by(|voice| voice.key.cmp(&key)) {
            Ok(index) => index,
            Err(index) => {
                self.voices.insert(index, Voice::new(now, key));
                self.loudest.push(key);
                self.recent.push(key);
                self.changes.extend([Change::Voices, Change::Speakers]);
                index
            }
        }
    }

    fn index_of(&self, key: K) -> Option<usize> {
        self.voices.binary_search_by(|voice| voice.key.cmp(&key)).ok()
    }

    fn begin(&mut self, now: Instant, key: K) {
        // Behind those who speak already: it must be louder to get ahead of them.
        move_to(&mut self.loudest, key, self.speakers);
        self.speakers += 1;
        let ends = now + CEASE_AFTER;
        self.due = Some(self.due.map_or(ends, |due| due.min(ends)));
        self.changes.extend([Change::Began(key), Change::Voices]);
    }

    fn cease(&mut self, key: K) {
        self.speakers -= 1;
        move_to(&mut self.loudest, key, self.speakers);
        self.changes.extend([Change::Ceased(key), Change::Voices]);
    }

    /// One who speaks gains on who has the floor, or falls behind.
    fn contend(&mut self, now: Instant, index: usize, passed: u16) {
        let holder = self.active.and_then(|key| self.index_of(key)).and_then(|index| self.voices.get(index));
        let standing = holder.map(|holder| (holder.level, holder.speaks && !holder.pauses(now)));
        let Some(voice) = self.voices.get_mut(index) else { return };
        if self.active == Some(voice.key) {
            return;
        }
        let ahead = standing.is_none_or(|(level, audible)| !audible || voice.level >= level + LOUDER);
        if !ahead || voice.loud_at != now {
            // An empty floor is taken even by short words.
            let behind = if standing.is_some() { passed } else { 0 };
            voice.lead = voice.lead.saturating_sub(behind);
            return;
        }
        voice.lead = voice.lead.saturating_add(passed).min(LEAD);
        let held = self.active_since.is_some_and(|since| now < since + FLOOR_HELD);
        if voice.lead < LEAD {
            return;
        }
        let key = voice.key;
        if self.recent.first() != Some(&key) {
            move_to(&mut self.recent, key, 0);
            self.changes.push_back(Change::Speakers);
        }
        if held {
            return;
        }
        self.voices.iter_mut().for_each(|voice| voice.lead = 0);
        (self.active, self.active_since) = (Some(key), Some(now));
        self.changes.push_back(Change::Active(Some(key)));
    }

    /// Moves who is clearly louder ahead of others who speak.
    fn sort(&mut self) {
        let mut moved = false;
        for index in (1..self.speakers).rev() {
            let level = |index: usize| {
                let key = self.loudest.get(index).copied()?;
                self.voices.get(self.index_of(key)?).map(|voice| voice.level)
            };
            let (Some(ahead), Some(behind)) = (level(index - 1), level(index)) else { return };
            if behind >= ahead + LOUDER {
                self.loudest.swap(index - 1, index);
                moved = true;
            }
        }
        if moved {
            self.changes.push_back(Change::Voices);
        }
    }
}

impl<K> Voice<K> {
    fn new(now: Instant, key: K) -> Self {
        let level = -127 * SCALE;
        Self { key, heard_at: now, loud_at: now, level, warmth: 0, lead: 0, speaks: false }
    }

    /// Returns for how many milliseconds the packet stands.
    fn hear(&mut self, now: Instant, level_dbov: i8, voice: Option<bool>) -> u16 {
        let passed = now.saturating_duration_since(self.heard_at).min(LONGEST_PACKET);
        let passed = u16::try_from(passed.as_millis()).unwrap_or(0);
        self.heard_at = now;
        let level = i16::from(level_dbov.clamp(-127, 0)) * SCALE;
        self.level += (level - self.level) / SMOOTHING;
        let threshold = if self.speaks { QUIET } else { LOUD };
        if level >= threshold && voice != Some(false) {
            self.loud_at = now;
            self.warmth = self.warmth.saturating_add(passed).min(BEGIN_AFTER);
        } else {
            // Half as fast as it came: two loud packets and a quiet one are still a word.
            self.warmth = self.warmth.saturating_sub(passed / 2);
        }
        passed
    }

    fn pauses(&self, now: Instant) -> bool {
        self.loud_at + PAUSE <= now
    }
}

impl<K: Copy + PartialEq> Change<K> {
    fn is_about(&self, key: K) -> bool {
        match self {
            Self::Began(about) | Self::Ceased(about) | Self::Active(Some(about)) => *about == key,
            Self::Active(None) | Self::Voices | Self::Speakers => false,
        }
    }
}

fn move_to<K: Copy + PartialEq>(list: &mut [K], key: K, to: usize) {
    let Some(from) = list.iter().position(|had| *had == key) else { return };
    if from < to {
        list.get_mut(from..=to).into_iter().for_each(|part| part.rotate_left(1));
    } else {
        list.get_mut(to..=from).into_iter().for_each(|part| part.rotate_right(1));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TICK: Duration = Duration::from_millis(20);
    const SPEECH: i8 = -28;
    const NOISE: i8 = -75;

    #[test]
    fn one_who_speaks_is_told_begins_gains_the_floor_and_ceases() {
        let mut room = Room::new(2);
        room.run(1_000, |_, _| NOISE);
        room.run(1_000, |_, who| if who == 0 { SPEECH } else { NOISE });
        room.run(2_000, |_, _| NOISE);
        let told = [(1_060, Change::Began(0)), (1_440, Change::Active(Some(0))), (2_500, Change::Ceased(0))];
        assert_eq!(room.told, told);
        assert_eq!((room.speaking.active(), room.speaking.speaks(0)), (Some(0), false));
        assert_eq!(room.speaking.next_deadline(), None);
    }

    #[test]
    fn pauses_between_words_do_not_end_speech() {
        let mut room = Room::new(1);
        room.run(10_000, |at, _| if at % 700 < 300 { SPEECH } else { NOISE });
        assert_eq!(room.count(|change| matches!(change, Change::Began(_))), 1);
        assert_eq!(room.count(|change| matches!(change, Change::Ceased(_))), 0);
    }

    #[test]
    fn a_sender_that_falls_silent_without_a_packet_ceases_too() {
        let mut room = Room::new(1);
        room.run(1_000, |_, _| SPEECH);
        assert!(room.speaking.speaks(0));
        room.senders = 0;
        room.run(1_000, |_, _| SPEECH);
        assert!(!room.speaking.speaks(0));
    }

    #[test]
    fn a_cough_neither_takes_the_floor_nor_moves_a_camera() {
        let mut room = Room::new(3);
        room.run(2_000, |_, who| if who == 0 { SPEECH } else { NOISE });
        let cameras: Vec<_> = room.speaking.recent(3).collect();
        // Loud, and also while the speaker draws breath.
        room.run(3_000, |at, who| match who {
            0 if at % 1_500 > 300 => SPEECH,
            2 if at % 1_500 <= 300 => -5,
            _ => NOISE,
        });
        assert_eq!(room.count(|change| matches!(change, Change::Active(_))), 1);
        assert!(room.count(|change| *change == Change::Began(2)) >= 1);
        assert_eq!(room.speaking.recent(3).collect::<Vec<_>>(), cameras);
    }

    #[test]
    fn a_click_does_not_begin_speech() {
        let mut room = Room::new(1);
        room.run(5_000, |at, _| if at % 500 < 40 { -3 } else { NOISE });
        assert_eq!(room.told, []);
    }

    #[test]
    fn two_who_interrupt_each_other_do_not_flicker() {
        type Row<'a> = (&'a str, fn(u64, u64) -> bool, usize);
        let rows: [Row<'_>; 3] = [
            ("both at once", |_, _| true, 1),
            ("by turns, quickly", |at, who| at / 300 % 2 == who, 1),
            ("by turns, each a sentence", |at, who| at / 3_000 % 2 == who, 4),
        ];
        for (what, speaks, changes) in rows {
            let mut room = Room::new(2);
            room.run(12_000, |at, who| if speaks(at, who) { SPEECH } else { NOISE });
            assert_eq!(room.count(|change| matches!(change, Change::Active(_))), changes, "{what}");
        }
    }

    #[test]
    fn who_is_clearly_louder_takes_the_floor_from_who_goes_on() {
        let mut room = Room::new(2);
        room.run(2_000, |_, who| if who == 0 { -38 } else { NOISE });
        room.run(2_000, |_, who| if who == 0 { -38 } else { -20 });
        assert_eq!(room.speaking.active(), Some(1));
        assert_eq!(room.speaking.loudest(2).collect::<Vec<_>>(), [1, 0]);
    }

    #[test]
    fn a_sender_that_knows_better_is_believed() {
        let mut room = Room::new(1);
        for _ in 0..100 {
            room.now += TICK;
            room.speaking.hear(room.now, 0, -10, Some(false));
        }
        assert!(!room.speaking.speaks(0));
    }

    #[test]
    fn leaving_clears() {
        let mut room = Room::new(2);
        room.run(2_000, |_, who| if who == 0 { SPEECH } else { NOISE });
        room.told.clear();
        room.speaking.leave(0);
        room.senders = 0;
        room.run(2_000, |_, _| NOISE);
        assert_eq!(room.told, [(2_020, Change::Active(None))]);
        assert_eq!((room.speaking.active(), room.speaking.speaks(0)), (None, false));
        assert_eq!(room.speaking.loudest(9).collect::<Vec<_>>(), [1]);
        assert_eq!(room.speaking.recent(9).collect::<Vec<_>>(), [1]);
    }

    #[test]
    fn who_is_muted_ceases_at_once() {
        let mut room = Room::new(1);
        room.run(1_000, |_, _| SPEECH);
        room.speaking.hush(0);
        room.senders = 0;
        room.run(20, |_, _| NOISE);
        assert_eq!(room.told.last(), Some(&(1_020, Change::Ceased(0))));
        room.speaking.hush(0);
        room.speaking.hush(7);
    }

    #[test]
    fn of_a_hundred_the_speakers_are_in_and_the_latest_stay() {
        let mut room = Room::new(100);
        // Everybody speaks for a second, one after the other.
        room.run(100_000, |at, who| if at / 1_000 == who { SPEECH } else { NOISE });
        let latest: Vec<_> = (92..100).rev().collect();
        assert_eq!(room.speaking.loudest(8).collect::<Vec<_>>(), latest);
        assert_eq!(room.speaking.recent(8).collect::<Vec<_>>(), latest);
        assert_eq!(room.speaking.loudest(500).count(), 100);
        // One who was out comes in with the first word; of the others nobody who spoke lately goes.
        room.run(600, |_, who| if who == 3 { SPEECH } else { NOISE });
        let loudest: Vec<_> = room.speaking.loudest(8).collect();
        assert_eq!(loudest, [vec![3], latest[..7].to_vec()].concat());
    }

    #[test]
    fn where_more_speak_than_fit_the_louder_get_in() {
        let mut room = Room::new(20);
        room.run(2_000, |_, who| if who < 10 { -38 } else { NOISE });
        assert!(room.speaking.loudest(8).all(|who| who < 10));
        room.run(8_000, |_, who| if who < 10 { -38 } else { -20 });
        assert!(room.speaking.loudest(8).all(|who| who >= 10));
        let before = room.count(|change| *change == Change::Voices);
        // As loud as each other, more or less: nothing moves.
        room.run(10_000, |at, who| if who < 10 { -38 } else { -20 - (at / 20 % 5) as i8 });
        assert_eq!(room.count(|change| *change == Change::Voices), before);
    }

    proptest! {
        #[test]
        fn whoever_speaks_ceases_and_the_floor_changes_once_a_second(
            turns in proptest::collection::vec((0_u64..4, 1_u64..60, -127_i8..=0), 1..80),
        ) {
            let mut room = Room::new(4);
            for (speaker, ticks, level) in turns {
                room.run(ticks * 20, |_, who| if who == speaker { level } else { NOISE });
            }
            room.senders = 0;
            room.run(1_000, |_, _| NOISE);
            let floor: Vec<_> =
                room.told.iter().filter(|(_, change)| matches!(change, Change::Active(_))).collect();
            prop_assert!(floor.windows(2).all(|pair| pair[1].0 >= pair[0].0 + 1_000), "{floor:?}");
            for who in 0..4 {
                let mut about = room.told.iter().filter(|(_, change)| {
                    matches!(change, Change::Began(of) | Change::Ceased(of) if *of == who)
                });
                while let Some((began, change)) = about.next() {
                    prop_assert_eq!(*change, Change::Began(who));
                    let Some((ceased, Change::Ceased(_))) = about.next() else {
                        return Err(TestCaseError::fail("never ceased"));
                    };
                    prop_assert!(*ceased >= began + 500);
                }
            }
            prop_assert_eq!(room.speaking.speakers, 0);
            prop_assert_eq!(room.speaking.next_deadline(), None);
        }
    }

    /// Members 0, 1, …, who send a packet of sound every 20 ms.
    struct Room {
        speaking: Speaking<u64>,
        start: Instant,
        now: Instant,
        senders: u64,
        /// Milliseconds from the start, and what was told; without changes of order.
        told: Vec<(u64, Change<u64>)>,
        reordered: usize,
    }

    impl Room {
        fn new(senders: u64) -> Self {
            let now = Instant::now();
            let mut speaking = Speaking::new();
            (0..senders).for_each(|who| speaking.join(now, who));
            while speaking.poll_change().is_some() {}
            Self { speaking, start: now, now, senders, told: Vec::new(), reordered: 0 }
        }

        fn run(&mut self, millis: u64, level: impl Fn(u64, u64) -> i8) {
            let end = self.now + Duration::from_millis(millis);
            while self.now < end {
                self.now += TICK;
                let at = u64::try_from((self.now - self.start).as_millis()).unwrap();
                for who in 0..self.senders {
                    self.speaking.hear(self.now, who, level(at, who), None);
                }
                if self.speaking.next_deadline().is_some_and(|due| due <= self.now) {
                    self.speaking.handle_timeout(self.now);
                    assert!(self.speaking.next_deadline().is_none_or(|due| due > self.now));
                }
                while let Some(change) = self.speaking.poll_change() {
                    self.told.push((at, change));
                }
            }
            self.reordered += self.told.iter().filter(|(_, change)| is_order(change)).count();
            self.told.retain(|(_, change)| !is_order(change));
        }

        fn count(&self, which: impl Fn(&Change<u64>) -> bool) -> usize {
            if which(&Change::Voices) {
                return self.reordered;
            }
            self.told.iter().filter(|(_, change)| which(change)).count()
        }
    }

    fn is_order(change: &Change<u64>) -> bool {
        matches!(change, Change::Voices | Change::Speakers)
    }
}
