//! Draws: numbers from 0 to 1 made from what they are for, and from nothing else. The first eight bytes of the SHA-256
//! of seed, rule, coordinate and purpose, so that order, threads and other draws change nothing, and anyone can redo it.

use std::time::Duration;

use sha2::{Digest as _, Sha256};

use super::param::Wait;

/// What a draw is for: one rule at one coordinate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Key {
    seed: u64,
    rule: String,
    coordinate: String,
}

impl Key {
    pub(crate) fn new(seed: u64, rule: &str, coordinate: &str) -> Self {
        Self { seed, rule: rule.to_owned(), coordinate: coordinate.to_owned() }
    }

    /// At least 0, less than 1; the same for the same purpose.
    pub(crate) fn draw(&self, purpose: &str) -> f64 {
        let mut hash = Sha256::new();
        hash.update(self.seed.to_be_bytes());
        for part in [self.rule.as_str(), &self.coordinate, purpose] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        let bytes = hash.finalize();
        let number = bytes[..8].iter().fold(0u64, |number, byte| number << 8 | u64::from(*byte));
        // The 53 bits that a double holds exactly.
        (number >> 11) as f64 / (1u64 << 53) as f64
    }

    /// How long a wait is this time, in whole microseconds: as exact as it is recorded.
    pub(crate) fn wait(&self, wait: &Wait) -> Duration {
        let wait = self.exact_wait(wait);
        Duration::from_micros(u64::try_from(wait.as_micros()).unwrap_or(u64::MAX))
    }

    fn exact_wait(&self, wait: &Wait) -> Duration {
        match *wait {
            Wait::Fixed(time) => time,
            Wait::Uniform(low, high) => low + (high - low).mul_f64(self.draw("wait")),
            Wait::Lognormal(median, sigma) => {
                // Box and Muller: two even draws make a normal one.
                let (a, b) = (1.0 - self.draw("wait"), self.draw("wait, second"));
                let normal = (-2.0 * a.ln()).sqrt() * (2.0 * std::f64::consts::PI * b).cos();
                Duration::try_from_secs_f64(median.as_secs_f64() * (sigma * normal).exp())
                    .unwrap_or(Duration::MAX)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn key(coordinate: u64) -> Key {
        Key::new(7, "rule", &coordinate.to_string())
    }

    /// Kind: draws that change from one release to the next, so that a seed no longer means the same run. Never to be
    /// changed; computed apart, from the SHA-256 that the module describes.
    #[test]
    fn draws_are_the_same_in_every_release() {
        for (seed, rule, coordinate, purpose, expected) in [
            (7, "rule", "1", "call", 0.6776004091955604),
            (7, "rule", "2", "call", 0.966883697183158),
            (0, "GET /files %0.5: cut", "1", "call", 0.6981381883108062),
            (7, "rule", "upload/1", "call", 0.15976748394731166),
            (7, "rule", "1", "wait", 0.6105765070377368),
            (7, "rule", "1", "wait, second", 0.6561670072442164),
            (u64::MAX, "slow disk", "é/3", "envelope 4", 0.16335674535596567),
        ] {
            let draw: f64 = Key::new(seed, rule, coordinate).draw(purpose);
            assert_eq!(
                draw.to_bits(),
                f64::to_bits(expected),
                "{seed} {rule} {coordinate} {purpose}: {draw}"
            );
        }
    }

    #[test]
    fn a_draw_is_what_it_was() {
        // Computed apart: sha256 over the eight-byte seed and length-prefixed parts.
        assert_eq!(key(1).draw("fire"), key(1).draw("fire"));
        assert_ne!(key(1).draw("fire"), key(2).draw("fire"));
        assert_ne!(key(1).draw("fire"), key(1).draw("wait"));
        assert_ne!(Key::new(8, "rule", "1").draw("fire"), key(1).draw("fire"));
    }

    #[test]
    fn draws_are_even_and_waits_have_their_median() {
        let draws: Vec<f64> = (0..4000).map(|n| key(n).draw("fire")).collect();
        let below = draws.iter().filter(|draw| **draw < 0.05).count();
        assert!((140..260).contains(&below), "{below} of 4000 below 0.05");
        let median = Duration::from_millis(50);
        let longer = (0..4000).filter(|n| key(*n).wait(&Wait::Lognormal(median, 0.5)) > median).count();
        assert!((1800..2200).contains(&longer), "{longer} of 4000 above the median");
    }

    proptest! {
        #[test]
        fn a_uniform_wait_stays_between(low in 0u64..1000, more in 0u64..1000, n in any::<u64>()) {
            let (low, high) = (Duration::from_millis(low), Duration::from_millis(low + more));
            let wait = key(n).wait(&Wait::Uniform(low, high));
            prop_assert!(low <= wait && wait <= high);
        }
    }
}
