//! Speech told from noise by how much the loudness varies: speech comes in syllables, a fan does not.

use std::time::{Duration, Instant};

/// Packets looked at, each 20 ms of sound: about a second.
const SAMPLES: usize = 50;
/// Standard deviation above which speech begins, and below which it ends, in dB.
const BEGINS_ABOVE: u32 = 10;
const ENDS_BELOW: u32 = 4;
/// Speech lasts at least this long.
const AT_LEAST: Duration = Duration::from_secs(2);

/// What one voice does.
#[derive(Debug)]
pub(crate) struct Variation {
    rules: Rules,
    /// The latest levels, in a ring.
    levels: Vec<u8>,
    oldest: usize,
    since: Option<Instant>,
}

#[derive(Debug, Clone, Copy)]
struct Rules {
    samples: usize,
    begins_above: u32,
    ends_below: u32,
    at_least: Duration,
}

impl Default for Variation {
    fn default() -> Self {
        Self::with(Rules {
            samples: SAMPLES,
            begins_above: BEGINS_ABOVE,
            ends_below: ENDS_BELOW,
            at_least: AT_LEAST,
        })
    }
}

impl Variation {
    fn with(rules: Rules) -> Self {
        Self { rules, levels: Vec::with_capacity(rules.samples), oldest: 0, since: None }
    }

    /// Takes the loudness of one packet, from 0, the loudest, to −127 (RFC 6464). Returns whether its sender speaks, if that has changed.
    pub(crate) fn hear(&mut self, now: Instant, level_dbov: i8) -> Option<bool> {
        let level = level_dbov.clamp(-127, 0).unsigned_abs();
        // Nothing is known before the ring is full.
        if self.levels.len() < self.rules.samples {
            self.levels.push(level);
            return None;
        }
        if let Some(oldest) = self.levels.get_mut(self.oldest) {
            *oldest = level;
        }
        self.oldest = (self.oldest + 1) % self.rules.samples;
        let deviation = deviation(&self.levels);
        match self.since {
            None if deviation > self.rules.begins_above => {
                self.since = Some(now);
                Some(true)
            }
            Some(since)
                if deviation < self.rules.ends_below
                    && now.saturating_duration_since(since) >= self.rules.at_least =>
            {
                self.since = None;
                Some(false)
            }
            _ => None,
        }
    }

    /// Forgets everything: the voice is muted, or gone. Returns whether it spoke.
    pub(crate) fn reset(&mut self) -> bool {
        std::mem::replace(self, Self::with(self.rules)).since.is_some()
    }
}

/// The standard deviation of a sample, about a mean in whole dB, itself in whole dB.
fn deviation(levels: &[u8]) -> u32 {
    let count = u32::try_from(levels.len()).unwrap_or(u32::MAX);
    if count < 2 {
        return 0;
    }
    let mean = mean(levels, count);
    let squares: u32 = levels.iter().map(|level| u32::from(*level).abs_diff(mean).pow(2)).sum();
    // The root of a fraction, rounded: the largest whole n with (n - 1/2)² ≤ fraction.
    (1..=127).take_while(|root| (2 * root - 1_u32).pow(2) * (count - 1) <= 4 * squares).last().unwrap_or(0)
}

fn mean(levels: &[u8], count: u32) -> u32 {
    let sum: u32 = levels.iter().map(|level| u32::from(*level)).sum();
    (2 * sum + count) / (2 * count).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As [`deviation`] with the library's root.
    fn root(levels: &[u8]) -> f64 {
        let mean = (levels.iter().map(|level| f64::from(*level)).sum::<f64>() / levels.len() as f64).round();
        let squares: f64 = levels.iter().map(|level| (f64::from(*level) - mean).powi(2)).sum();
        (squares / (levels.len() - 1) as f64).sqrt().round()
    }

    #[test]
    fn mean_and_deviation_are_whole_numbers() {
        // Levels, mean, deviation.
        type Row<'a> = (&'a [u8], u32, u32);
        let rows: [Row<'_>; 7] = [
            (&[], 0, 0),
            (&[45], 45, 0),
            (&[45, 45, 45], 45, 0),
            (&[10, 20, 30], 20, 10),
            (&[55, 45, 55, 45, 55, 45, 55, 45, 55, 45], 50, 5),
            (&[1, 2], 2, 1),
            (&[0, 127], 64, 90),
        ];
        for (levels, expected_mean, expected) in rows {
            let count = u32::try_from(levels.len()).unwrap();
            assert_eq!((mean(levels, count), deviation(levels)), (expected_mean, expected), "{levels:?}");
        }
        let mut rng = fastrand::Rng::with_seed(1);
        for _ in 0..2_000 {
            let most = rng.u8(1..=127);
            let levels: Vec<u8> = (0..rng.usize(2..60)).map(|_| rng.u8(0..=most)).collect();
            assert_eq!(f64::from(deviation(&levels)), root(&levels), "{levels:?}");
        }
    }

    #[test]
    fn speech_begins_with_variation_and_ends_with_calm_after_a_while() {
        let at_least = Duration::from_millis(250);
        let mut voice = Variation::with(Rules { samples: 10, begins_above: 10, ends_below: 5, at_least });
        let now = Instant::now();
        let told = |voice: &mut Variation, now, levels: &[i8]| -> Vec<bool> {
            levels.iter().filter_map(|level| voice.hear(now, -level)).collect()
        };
        let calm: Vec<i8> = [55, 45].repeat(15);
        assert_eq!(told(&mut voice, now, &calm), []);
        assert_eq!(told(&mut voice, now, &[30; 4]), [true]);
        assert_eq!(told(&mut voice, now, &[40; 8]), []);
        assert_eq!(told(&mut voice, now + at_least, &[40]), [false]);
    }

    #[test]
    fn a_reset_forgets_state_and_levels() {
        let now = Instant::now();
        let mut voice = Variation::default();
        let speak = |voice: &mut Variation, packets: i32| -> Vec<bool> {
            (0..packets).filter_map(|at| voice.hear(now, if at / 5 % 2 == 0 { -20 } else { -80 })).collect()
        };
        assert_eq!(speak(&mut voice, 50), [], "the ring is being filled");
        assert_eq!(speak(&mut voice, 1), [true]);
        assert!(voice.reset() && !voice.reset());
        assert_eq!(speak(&mut voice, 50), []);
        assert_eq!(speak(&mut voice, 1), [true], "it had ceased");
    }

    #[test]
    fn steady_noise_is_no_speech_however_loud() {
        let now = Instant::now();
        let mut voice = Variation::default();
        assert!((0..1_000).all(|at| voice.hear(now, -10 - (at % 8) as i8).is_none()));
    }
}
