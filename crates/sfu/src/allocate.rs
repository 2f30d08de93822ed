//! Which layer of which picture a viewer gets, as far as its bandwidth goes.
//!
//! First every shown picture gets its lowest layer, the most important first; then each goes one layer up, in the same order, again and
//! again. What a viewer has it keeps as long as all of it fits, and loses at once when it does not; what it has not must fit with room to
//! spare, and where climbing has failed, waits longer each time. A picture off the screen, or a layer larger than its tile, gets nothing.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// A layer of which nothing has come for this long is not there: publishers stop layers whenever they like.
pub(crate) const ABSENT_AFTER: Duration = Duration::from_secs(1);
/// Height of a picture that does not say; each lower layer has half of the one above.
const ASSUMED_HEIGHT: u16 = 720;
/// After a layer was lost: how long until the next try, at first and at most.
const FIRST_WAIT: Duration = Duration::from_millis(1_500);
const LONGEST_WAIT: Duration = Duration::from_secs(20);
/// How long a picture stays that does not fit even as its lowest layer. Estimates dip.
const GRACE: Duration = Duration::from_millis(700);
/// After this long without a loss the waits begin anew.
const FORGIVEN_AFTER: Duration = Duration::from_secs(30);
/// A budget that has clearly grown is believed at once, but only so often: a link that comes and goes would flicker.
const LEAP_EVERY: Duration = Duration::from_secs(5);
/// A leap goes on while probes still find more.
const LEAP_LASTS: Duration = Duration::from_millis(1_500);
/// A budget has stood when it has for so many spans.
const SPANS: usize = 4;
const SPAN: Duration = Duration::from_millis(500);
/// Bits per second from which a budget rises that was nothing.
const LEAST_RISE: u64 = 50_000;

/// A layer of a published picture, as measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Layer {
    /// Its name for the caller.
    pub index: usize,
    /// Bits per second.
    pub bitrate: u64,
    /// Pixels, where known.
    pub height: Option<u16>,
    /// When something of it last came.
    pub seen: Instant,
}

/// How much of a picture a viewer shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    /// Nothing.
    Hidden,
    /// It does not say: all of it.
    Any,
    /// A tile of this many pixels' height.
    Height(u16),
}

/// A picture that a viewer could get.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wish<'a, K> {
    pub key: K,
    pub need: Need,
    /// From the lowest to the highest.
    pub layers: &'a [Layer],
}

/// Bits per second for pictures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Means {
    /// As told last: for what a viewer has not.
    pub latest: u64,
    /// Without what may be a dip: for what it has.
    pub held: u64,
}

/// What a viewer has, and how it came to it.
#[derive(Debug)]
pub(crate) struct Allocation<K> {
    tracks: BTreeMap<K, Track>,
    budget: Budget,
}

#[derive(Debug, Clone, Copy, Default)]
struct Track {
    target: Option<usize>,
    wait: Option<Wait>,
    /// Whether it has gone up since it was last lost.
    climbed: bool,
    leapt: Option<Instant>,
    /// Since when its lowest layer does not fit, after a dip of the budget.
    over_since: Option<Instant>,
}

/// The loss of a layer.
#[derive(Debug, Clone, Copy)]
struct Wait {
    since: Instant,
    length: Duration,
}

impl<K: Copy + Ord> Allocation<K> {
    pub(crate) fn new() -> Self {
        Self { tracks: BTreeMap::new(), budget: Budget::default() }
    }

    /// Returns for each wish the index of the layer to send. `wishes`: all of them, the most important first. `budget`: `None`:
    /// nobody knows, and everything fits.
    pub(crate) fn allocate(
        &mut self,
        now: Instant,
        budget: Option<Means>,
        wishes: &[Wish<'_, K>],
    ) -> Vec<Option<usize>> {
        let kept = |key: &K| self.tracks.get(key).copied().unwrap_or_default();
        let mut offers: Vec<Offer> =
            wishes.iter().map(|wish| Offer::new(now, wish, kept(&wish.key))).collect();
        match budget {
            Some(budget) => self.share(now, budget, &mut offers),
            None => {
                self.budget = Budget::default();
                offers.iter_mut().for_each(|offer| offer.given = offer.steps.len());
            }
        }
        self.tracks = wishes.iter().zip(&offers).map(|(wish, offer)| (wish.key, offer.settle(now))).collect();
        offers.iter().map(Offer::target).collect()
    }

    fn share(&mut self, now: Instant, budget: Means, offers: &mut [Offer]) {
        let Means { latest, held } = budget;
        let had: u64 = offers.iter().map(Offer::cost_of_had).sum();
        let fits = had <= held;
        let dips = latest < self.budget.last;
        self.budget.observe(now, latest);
        // When something must go, a little more goes, or the next dip would take the next.
        let keep = match fits {
            _ if Offer::only_the_first_is_on(offers) => held,
            _ if self.budget.collapses() => part(held, 75),
            true => held,
            false => part(held, 92),
        };
        let climb = self.budget.believed;
        let mut purse = Purse { keep, climb, leap: latest, spent: 0, owed: had, dips, grown: false };
        let most = offers.iter().map(|offer| offer.steps.len()).max().unwrap_or(0);
        let mut first = true;
        for level in 0..most {
            for offer in offers.iter_mut().filter(|offer| offer.given == level) {
                let Some(step) = offer.steps.get(level).copied() else { continue };
                let alone = std::mem::take(&mut first);
                let Some(how) = purse.affords(now, offer, step, alone) else { continue };
                purse.spent = purse.spent.saturating_add(step.more);
                purse.grown |= how != How::Keep;
                match how {
                    How::Keep => purse.owed = purse.owed.saturating_sub(step.more),
                    // What it takes from those behind it must not come back to them, or the next dip would cost them more.
                    How::Climb => purse.keep = purse.keep.min(purse.climb.saturating_mul(100) / 115),
                    How::Leap => offer.leaps = true,
                }
                offer.given += 1;
            }
        }
    }
}

/// Returns what all wanted pictures would cost at their best, with room for a climb: what a bandwidth estimator should look for.
pub(crate) fn desired<K: Copy>(now: Instant, wishes: &[Wish<'_, K>]) -> u64 {
    let best = wishes.iter().map(|wish| Offer::new(now, wish, Track::default()).cost(usize::MAX));
    let total: u64 = best.sum();
    total.saturating_add(total / 3)
}

/// Returns the layer that a wish would get if bandwidth were no question.
pub(crate) fn best<K: Copy>(now: Instant, wish: &Wish<'_, K>) -> Option<usize> {
    Offer::new(now, wish, Track::default()).steps.last().map(|step| step.index)
}

/// One wish with its layers as steps of a stair.
#[derive(Debug)]
struct Offer {
    steps: Vec<Step>,
    /// Steps that it has already, of those that are there and of use.
    had: usize,
    /// Steps that it gets.
    given: usize,
    leaps: bool,
    /// Since when its lowest layer does not fit.
    over_since: Option<Instant>,
    track: Track,
}

#[derive(Debug, Clone, Copy)]
struct Step {
    index: usize,
    /// Bits per second, on top of the step below.
    more: u64,
}

impl Offer {
    fn new<K: Copy>(now: Instant, wish: &Wish<'_, K>, track: Track) -> Self {
        let steps = steps(now, wish.need, wish.layers);
        let had = track.target.map_or(0, |target| steps.iter().filter(|step| step.index <= target).count());
        Self { steps, had, given: 0, leaps: false, over_since: None, track }
    }

    fn cost(&self, count: usize) -> u64 {
        self.steps.iter().take(count).map(|step| step.more).sum()
    }

    fn cost_of_had(&self) -> u64 {
        self.cost(self.had)
    }

    fn target(&self) -> Option<usize> {
        self.steps.get(self.given.checked_sub(1)?).map(|step| step.index)
    }

    /// A picture that is alone on its lowest layer may cost more than there is.
    fn only_the_first_is_on(offers: &[Self]) -> bool {
        let mut on = offers.iter().filter(|offer| !offer.steps.is_empty());
        on.next().is_some_and(|first| first.had <= 1) && on.all(|offer| offer.had == 0)
    }

    /// A lowest layer waits no longer than the first time: without it there is no picture at all.
    fn may_climb(&self, now: Instant) -> bool {
        let longest = if self.given == 0 { FIRST_WAIT } else { LONGEST_WAIT };
        self.track.wait.is_none_or(|wait| wait.since + wait.length.min(longest) <= now)
    }

    fn may_leap(&self, now: Instant) -> bool {
        self.leaps_on(now) || self.track.leapt.is_none_or(|leapt| leapt + LEAP_EVERY <= now)
    }

    fn leaps_on(&self, now: Instant) -> bool {
        self.track.leapt.is_some_and(|leapt| now < leapt + LEAP_LASTS)
    }

    /// What to remember of it.
    fn settle(&self, now: Instant) -> Track {
        let mut track = Track { target: self.target(), over_since: self.over_since, ..self.track };
        if self.given > self.had {
            track.climbed = true;
            track.leapt = if self.leaps && !self.leaps_on(now) { Some(now) } else { track.leapt };
        } else if self.given < self.had {
            let before = track.wait.filter(|wait| now < wait.since + FORGIVEN_AFTER);
            let length = match before {
                Some(before) if track.climbed => (before.length * 2).min(LONGEST_WAIT),
                Some(before) => before.length,
                None => FIRST_WAIT,
            };
            track.wait = Some(Wait { since: now, length });
            track.climbed = false;
        }
        track
    }
}

/// The layers that are there and of use.
fn steps(now: Instant, need: Need, layers: &[Layer]) -> Vec<Step> {
    let wanted = match need {
        Need::Hidden => return Vec::new(),
        Need::Any => u16::MAX,
        Need::Height(height) => height,
    };
    let there = |layer: &Layer| now.saturating_duration_since(layer.seen) < ABSENT_AFTER;
    // A still screen may send nothing for seconds, and must not lose its viewers for it.
    let all_rest = !layers.iter().any(there);
    let mut steps = Vec::new();
    let (mut below, mut enough) = (0, false);
    for (rank, layer) in layers.iter().enumerate() {
        if enough || !(all_rest || there(layer)) {
            continue;
        }
        // A layer that has hardly begun costs no less than the one below.
        let cost = layer.bitrate.max(below);
        steps.push(Step { index: layer.index, more: cost - below });
        below = cost;
        enough = height(layer, layers.len() - 1 - rank) >= wanted;
    }
    steps
}

fn height(layer: &Layer, ranks_below_the_top: usize) -> u16 {
    let shift = u32::try_from(ranks_below_the_top).unwrap_or(u32::MAX);
    layer.height.unwrap_or_else(|| ASSUMED_HEIGHT.checked_shr(shift).unwrap_or(0))
}

/// Bits per second that may be given away.
struct Purse {
    /// For what a viewer has.
    keep: u64,
    /// For what it has not.
    climb: u64,
    /// For what it has not, where there is clearly more: half as much again as everything together.
    leap: u64,
    spent: u64,
    /// What others have and is yet to be given to them.
    owed: u64,
    /// Whether the budget has just become less.
    dips: bool,
    /// Whether something has been given that was not had.
    grown: bool,
}

/// Why a step is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum How {
    Keep,
    Climb,
    Leap,
}

impl Purse {
    /// A most important picture that hardly moves is better than none: its lowest layer stays down to two fifths of its cost, and comes
    /// from three.
    fn affords(&self, now: Instant, offer: &mut Offer, step: Step, most_important: bool) -> Option<How> {
        let after = self.spent.saturating_add(step.more);
        let within = |limit: u64, percent: u64, alone: u64| {
            part(after, percent) <= limit || (most_important && part(after, alone) <= limit)
        };
        if offer.given < offer.had {
            // A picture is taken away only when it clearly does not fit, and not for a dip of the estimate.
            let percent = if offer.given == 0 { 80 } else { 100 };
            let fits = within(self.keep, percent, 40);
            if offer.given > 0 || fits {
                return fits.then_some(How::Keep);
            }
            // What gives way to a more important picture goes at once: both together would crowd out the sound.
            if self.grown {
                return None;
            }
            let since = offer.track.over_since.or(self.dips.then_some(now))?;
            offer.over_since = Some(since);
            return (now.saturating_duration_since(since) < GRACE).then_some(How::Keep);
        }
        if offer.may_climb(now) && within(self.climb, 115, 60) {
            return Some(How::Climb);
        }
        let all = after.saturating_add(self.owed);
        (offer.may_leap(now) && part(all, 150) <= self.leap).then_some(How::Leap)
    }
}

/// What can be built on: down with every dip at once, up only with what has stood for a while and is worth it.
#[derive(Debug, Default)]
struct Budget {
    /// The least of each span, the newest first.
    least: [Option<u64>; SPANS],
    newest_at: Option<Instant>,
    believed: u64,
    last: u64,
}

impl Budget {
    fn observe(&mut self, now: Instant, budget: u64) {
        self.last = budget;
        let Some(newest_at) = self.newest_at else {
            *self =
                Self { least: [Some(budget); SPANS], newest_at: Some(now), believed: budget, last: budget };
            return;
        };
        if now >= newest_at + SPAN {
            self.least.rotate_right(1);
            self.least[0] = None;
            self.newest_at = Some(now);
        }
        self.least[0] = Some(self.least[0].map_or(budget, |had| had.min(budget)));
        let stood = self.least.iter().flatten().copied().min().unwrap_or(budget);
        let risen = part(self.believed, 110).max(LEAST_RISE);
        if budget < self.believed {
            self.believed = budget;
        } else if stood >= risen {
            // Not all of it: four high estimates in a row may be chance.
            self.believed = risen;
        }
    }

    /// Whether it has fallen to less than a quarter within two seconds: then the link is still narrower than the estimate, which takes a few
    /// reports to come down, while what is too much crowds out the sound.
    fn collapses(&self) -> bool {
        let most = self.least.iter().flatten().copied().max().unwrap_or(0);
        self.least[0].is_some_and(|newest| newest < most / 4)
    }
}

fn part(of: u64, percent: u64) -> u64 {
    of.saturating_mul(percent) / 100
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn steady(budget: u64) -> Means {
        Means { latest: budget, held: budget }
    }

    const KBIT: u64 = 1_000;
    /// Low, middle, high of a camera.
    const CAMERA: [u64; 3] = [150 * KBIT, 500 * KBIT, 1_700 * KBIT];

    #[test]
    fn tiles_say_how_much_is_of_use() {
        // (need, heights, which layers are there) → layer with all the bandwidth in the world
        let known = [Some(180), Some(360), Some(720)];
        let all = [true; 3];
        let rows = [
            (Need::Hidden, known, all, None),
            (Need::Any, known, all, Some(2)),
            (Need::Height(100), known, all, Some(0)),
            (Need::Height(180), known, all, Some(0)),
            (Need::Height(181), known, all, Some(1)),
            (Need::Height(361), known, all, Some(2)),
            (Need::Height(2_000), known, all, Some(2)),
            // Nobody said how high: 180, 360, 720.
            (Need::Height(180), [None; 3], all, Some(0)),
            (Need::Height(200), [None; 3], all, Some(1)),
            // What is not there cannot be chosen; what is larger than needed must do.
            (Need::Any, known, [true, true, false], Some(1)),
            (Need::Height(180), known, [false, true, true], Some(1)),
            (Need::Height(360), known, [true, false, true], Some(2)),
            // A still screen.
            (Need::Any, known, [false; 3], Some(2)),
        ];
        let now = Instant::now();
        let long_ago = now.checked_sub(ABSENT_AFTER).unwrap();
        for (need, heights, there, expected) in rows {
            let layers: Vec<Layer> = (0..3)
                .map(|index| Layer {
                    index,
                    bitrate: CAMERA[index],
                    height: heights[index],
                    seen: if there[index] { now } else { long_ago },
                })
                .collect();
            let wish = Wish { key: 1, need, layers: &layers };
            for budget in [None, Some(1_000_000 * KBIT)] {
                let given = Allocation::new().allocate(now, budget.map(steady), &[wish]);
                assert_eq!(given, [expected], "{need:?} {heights:?} {there:?} {budget:?}");
            }
        }
    }

    #[test]
    fn the_lowest_for_everybody_comes_before_more_for_anybody() {
        // Kilobits for three cameras.
        let rows = [
            (50, [None, None, None]),
            (100, [Some(0), None, None]),
            (200, [Some(0), None, None]),
            (400, [Some(0), Some(0), None]),
            (550, [Some(0), Some(0), Some(0)]),
            (1_000, [Some(1), Some(0), Some(0)]),
            (1_800, [Some(1), Some(1), Some(1)]),
            (3_200, [Some(2), Some(1), Some(1)]),
            (6_000, [Some(2), Some(2), Some(2)]),
        ];
        for (budget, expected) in rows {
            let mut viewer = Viewer::new(&[&CAMERA[..]; 3]);
            assert_eq!(viewer.tell(Some(budget * KBIT)), expected, "{budget} kbit/s");
        }
    }

    #[test]
    fn a_slow_link_gets_the_low_layer_at_once_and_the_high_one_when_it_grows() {
        let mut viewer = Viewer::new(&[&CAMERA[..]]);
        assert_eq!(viewer.tell(Some(2_500 * KBIT)), [Some(2)]);
        assert_eq!(viewer.tell(Some(300 * KBIT)), [Some(0)]);
        viewer.hold(20_000, 300);
        assert_eq!(viewer.targets, [Some(0)]);
        // As estimators climb: 8 % a second.
        let mut budget = 300;
        let mut seconds = 0;
        while viewer.targets != [Some(2)] {
            budget = (budget * 108 / 100).min(4_000);
            viewer.hold(1_000, budget);
            seconds += 1;
            assert!(budget < 2_400, "after {seconds} s");
        }
        viewer.tell(Some(300 * KBIT));
        viewer.hold(5_000, 300);
        viewer.tell(Some(4_000 * KBIT));
        assert_eq!(viewer.targets, [Some(2)], "at once when the link has clearly grown");
    }

    #[test]
    fn climbing_that_fails_is_tried_ever_more_rarely_and_forgiven_after_peace() {
        let mut viewer = Viewer::new(&[&CAMERA[..]]);
        viewer.hold(3_000, 600);
        assert_eq!(viewer.targets, [Some(1)]);
        let mut tries = Vec::new();
        for _ in 0..7 {
            viewer.tell(Some(450 * KBIT));
            assert_eq!(viewer.targets, [Some(0)]);
            let lost = viewer.now;
            // Enough, but not clearly more.
            while viewer.targets == [Some(0)] {
                viewer.hold(100, 600);
            }
            tries.push((viewer.now - lost).as_secs());
        }
        assert_eq!(tries, [2, 3, 6, 12, 20, 20, 20]);
        viewer.hold(31_000, 600);
        viewer.tell(Some(450 * KBIT));
        let lost = viewer.now;
        while viewer.targets == [Some(0)] {
            viewer.hold(100, 600);
        }
        assert!(viewer.now - lost < Duration::from_secs(3));
    }

    #[test]
    fn a_link_that_comes_and_goes_does_not_flicker_at_its_pace() {
        let mut viewer = Viewer::new(&[&CAMERA[..]]);
        for _ in 0..30 {
            viewer.hold(1_000, 4_000);
            viewer.hold(1_000, 300);
        }
        assert!(viewer.changes[0] <= 30, "{:?} in a minute", viewer.changes);
    }

    #[test]
    fn what_goes_and_comes_by_its_publishers_will_is_nobodys_failure() {
        let mut viewer = Viewer::new(&[&CAMERA[..]]);
        viewer.hold(3_000, 2_500);
        for _ in 0..5 {
            viewer.costs[0].truncate(2);
            viewer.hold(200, 2_500);
            assert_eq!(viewer.targets, [Some(1)]);
            viewer.costs[0] = CAMERA.to_vec();
            viewer.hold(200, 2_500);
            assert_eq!(viewer.targets, [Some(2)]);
        }
    }

    #[test]
    fn the_speakers_picture_takes_from_the_others() {
        let mut viewer = Viewer::new(&[&CAMERA[..]; 3]);
        viewer.hold(3_000, 1_000);
        assert_eq!(viewer.targets, [Some(1), Some(0), Some(0)]);
        viewer.order = vec![2, 0, 1];
        viewer.hold(200, 1_000);
        assert_eq!(viewer.targets, [Some(0), Some(0), Some(1)]);
    }

    #[test]
    fn what_is_wished_for_is_what_all_would_cost() {
        let now = Instant::now();
        let layers = layers(now, &CAMERA);
        let wish = |need| Wish { key: 0, need, layers: &layers };
        let wishes = [wish(Need::Any), wish(Need::Hidden), wish(Need::Height(180))];
        assert_eq!(desired(now, &wishes), (1_700 + 150) * KBIT * 4 / 3);
        assert_eq!(desired::<u8>(now, &[]), 0);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn a_budget_that_only_trembles_changes_little(
            budget in 50 * KBIT..20_000 * KBIT,
            tracks in proptest::collection::vec(
                proptest::collection::vec(30 * KBIT..3_000 * KBIT, 1..4), 1..9),
            seed in any::<u64>(),
            every in prop::sample::select(vec![100_u64, 500]),
        ) {
            let mut rng = fastrand::Rng::with_seed(seed);
            let sorted: Vec<Vec<u64>> = tracks.into_iter().map(|mut track| { track.sort_unstable(); track }).collect();
            let costs: Vec<&[u64]> = sorted.iter().map(Vec::as_slice).collect();
            let mut viewer = Viewer::new(&costs);
            for _ in 0..60_000 / every {
                viewer.now += Duration::from_millis(every - 100);
                viewer.tell(Some(budget * rng.u64(900..=1_100) / 1_000));
            }
            // One change is the beginning. Of fewer estimates, more in a row are high by chance.
            let most = if every == 100 { 4 } else { 6 };
            prop_assert!(viewer.changes.iter().all(|changes| *changes <= most), "{:?}", viewer.changes);
        }

        #[test]
        fn the_budget_is_kept_but_for_the_most_important(
            steps in proptest::collection::vec((0_u64..5_000, 1_u64..4_000), 1..60),
            tracks in proptest::collection::vec(
                proptest::collection::vec(30 * KBIT..3_000 * KBIT, 1..4), 1..6),
        ) {
            let sorted: Vec<Vec<u64>> = tracks.into_iter().map(|mut track| { track.sort_unstable(); track }).collect();
            let costs: Vec<&[u64]> = sorted.iter().map(Vec::as_slice).collect();
            let mut viewer = Viewer::new(&costs);
            for (budget, pause) in steps {
                viewer.now += Duration::from_millis(pause);
                viewer.tell(Some(budget * KBIT));
                // What comes may put another over, which then has its grace.
                for _ in 0..=2 * sorted.len() {
                    viewer.now += GRACE;
                    viewer.tell(Some(budget * KBIT));
                }
                let cost = |(track, target): (&Vec<u64>, &Option<usize>)| target.map_or(0, |layer| track[layer]);
                let spent: u64 = sorted.iter().zip(&viewer.targets).map(cost).sum();
                let alone = viewer.targets[0] == Some(0) && viewer.targets[1..].iter().all(Option::is_none);
                let lowest = viewer.targets.iter().all(|target| target.is_none_or(|layer| layer == 0));
                let limit = if alone {
                    budget * KBIT * 5 / 2 + KBIT
                } else if lowest {
                    budget * KBIT * 5 / 4 + KBIT
                } else {
                    budget * KBIT
                };
                prop_assert!(spent <= limit, "{spent} of {budget} kbit/s: {:?}", viewer.targets);
            }
        }
    }

    /// Somebody who watches pictures numbered from 0, all of which flow.
    struct Viewer {
        allocation: Allocation<usize>,
        now: Instant,
        costs: Vec<Vec<u64>>,
        /// The most important first.
        order: Vec<usize>,
        targets: Vec<Option<usize>>,
        changes: Vec<usize>,
    }

    impl Viewer {
        fn new(costs: &[&[u64]]) -> Self {
            Self {
                allocation: Allocation::new(),
                now: Instant::now(),
                costs: costs.iter().map(|track| track.to_vec()).collect(),
                order: (0..costs.len()).collect(),
                targets: vec![None; costs.len()],
                changes: vec![0; costs.len()],
            }
        }

        /// Kilobits a second for some milliseconds.
        fn hold(&mut self, millis: u64, kbit: u64) {
            for _ in 0..millis / 100 {
                self.tell(Some(kbit * KBIT));
            }
        }

        fn tell(&mut self, budget: Option<u64>) -> Vec<Option<usize>> {
            self.now += Duration::from_millis(100);
            let flowing: Vec<Vec<Layer>> = self.costs.iter().map(|track| layers(self.now, track)).collect();
            let wish = |key: &usize| Wish { key: *key, need: Need::Any, layers: &flowing[*key] };
            let wishes: Vec<_> = self.order.iter().map(wish).collect();
            let given = self.allocation.allocate(self.now, budget.map(steady), &wishes);
            for (key, target) in self.order.iter().zip(given) {
                self.changes[*key] += usize::from(self.targets[*key] != target);
                self.targets[*key] = target;
            }
            self.targets.clone()
        }
    }

    fn layers(now: Instant, costs: &[u64]) -> Vec<Layer> {
        let layer =
            |(index, bitrate): (usize, &u64)| Layer { index, bitrate: *bitrate, height: None, seen: now };
        costs.iter().enumerate().map(layer).collect()
    }
}
