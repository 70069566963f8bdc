//! The mock's clock: what every delay, timeout and timestamp of the mock itself runs on. Real, faster than real, or
//! moved by hand; the host's clock is only read. Knows nothing of the guest's wall-clock time (`guest::clock`).

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

/// How the mock's clock goes.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[non_exhaustive]
pub enum Pace {
    /// With the host's.
    #[default]
    Real,
    /// So many times as fast as the host's.
    Scaled(f64),
    /// Only when it is told to.
    Manual,
}

/// The clock of one mock, which starts at zero; cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Time(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    pace: Pace,
    /// The runtime's own, so that tests may pause it.
    start: Instant,
    /// Moved by hand; stays at zero otherwise.
    hand: watch::Sender<Duration>,
    /// How many sleep until when, on a clock that is moved by hand.
    sleepers: Mutex<BTreeMap<Duration, usize>>,
    /// Told at each change of `sleepers`.
    changed: watch::Sender<()>,
}

/// The clock goes by itself and cannot be moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the clock goes by itself; only a manual one can be advanced (--clock manual)")]
pub struct NotManual;

impl Default for Time {
    fn default() -> Self {
        Self::new(Pace::Real)
    }
}

impl Time {
    pub(crate) fn new(pace: Pace) -> Self {
        let (hand, changed) = (watch::Sender::new(Duration::ZERO), watch::Sender::new(()));
        Self(Arc::new(Inner { pace, start: Instant::now(), hand, sleepers: Mutex::default(), changed }))
    }

    pub(crate) fn pace(&self) -> Pace {
        self.0.pace
    }

    /// Since the start.
    pub(crate) fn now(&self) -> Duration {
        match self.0.pace {
            Pace::Real => self.0.start.elapsed(),
            Pace::Scaled(factor) => self.0.start.elapsed().mul_f64(factor),
            Pace::Manual => *self.0.hand.borrow(),
        }
    }

    pub(crate) async fn sleep(&self, time: Duration) {
        self.sleep_until(self.now().saturating_add(time)).await;
    }

    pub(crate) async fn sleep_until(&self, when: Duration) {
        match self.0.pace {
            Pace::Real => tokio::time::sleep(when.saturating_sub(self.now())).await,
            Pace::Scaled(factor) => {
                tokio::time::sleep(when.saturating_sub(self.now()).div_f64(factor)).await;
            }
            Pace::Manual => {
                let _sleeper = Sleeper::new(&self.0, when);
                // The sender lives as long as `self`.
                let _ = self.0.hand.subscribe().wait_for(|now| *now >= when).await;
            }
        }
    }

    /// Sleeps until then, and tells whether it did so to the end: whoever sleeps may be dropped before.
    pub(crate) async fn sleep_until_telling(&self, when: Duration, tell: impl FnOnce(bool)) {
        let mut telling = Telling { tell: Some(tell), whole: false };
        self.sleep_until(when).await;
        telling.whole = true;
    }

    /// Waits for `future`, but not longer than `time`; `None` when the time is over first.
    pub(crate) async fn timeout<T>(&self, time: Duration, future: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            done = future => Some(done),
            () = self.sleep(time) => None,
        }
    }

    /// Moves a manual clock.
    pub(crate) fn advance(&self, by: Duration) -> Result<Duration, NotManual> {
        if self.0.pace != Pace::Manual {
            return Err(NotManual);
        }
        self.0.hand.send_modify(|now| *now = now.saturating_add(by));
        Ok(self.now())
    }

    /// When the next sleeper of a manual clock wakes; those whose time has come are awake.
    pub(crate) fn next(&self) -> Option<Duration> {
        let (now, sleepers) = (self.now(), self.0.sleepers());
        sleepers.keys().find(|until| **until > now).copied()
    }

    /// Waits until somebody sleeps on a manual clock; the time at which the first one wakes.
    pub(crate) async fn sleeping(&self) -> Duration {
        let mut changed = self.0.changed.subscribe();
        loop {
            if let Some(next) = self.next() {
                return next;
            }
            // The sender lives as long as `self`.
            let _ = changed.changed().await;
        }
    }
}

/// Tells when it is dropped.
struct Telling<F: FnOnce(bool)> {
    tell: Option<F>,
    whole: bool,
}

impl<F: FnOnce(bool)> Drop for Telling<F> {
    fn drop(&mut self) {
        if let Some(tell) = self.tell.take() {
            tell(self.whole);
        }
    }
}

impl Inner {
    fn sleepers(&self) -> MutexGuard<'_, BTreeMap<Duration, usize>> {
        self.sleepers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Somebody who sleeps on a manual clock, for as long as it lives.
struct Sleeper<'t> {
    inner: &'t Inner,
    until: Duration,
}

impl<'t> Sleeper<'t> {
    fn new(inner: &'t Inner, until: Duration) -> Self {
        *inner.sleepers().entry(until).or_default() += 1;
        inner.changed.send_replace(());
        Self { inner, until }
    }
}

impl Drop for Sleeper<'_> {
    fn drop(&mut self) {
        let mut sleepers = self.inner.sleepers();
        if let Some(count) = sleepers.get_mut(&self.until) {
            *count -= 1;
            if *count == 0 {
                sleepers.remove(&self.until);
            }
        }
    }
}

impl FromStr for Pace {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let refused =
            || format!("expected real, manual or scale=N (N above 0, at most 1000000), got {text:?}");
        match text {
            "real" => Ok(Self::Real),
            "manual" => Ok(Self::Manual),
            _ => {
                let factor: Option<f64> = text.strip_prefix("scale=").and_then(|factor| factor.parse().ok());
                let sane = |factor: &f64| *factor > 0.0 && *factor <= 1e6;
                factor.filter(sane).map(Self::Scaled).ok_or_else(refused)
            }
        }
    }
}

impl fmt::Display for Pace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Real => f.write_str("real"),
            Self::Scaled(factor) => write!(f, "scale={factor}"),
            Self::Manual => f.write_str("manual"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    #[tokio::test]
    async fn a_manual_clock_stands_until_it_is_moved() {
        let time = Time::new(Pace::Manual);
        let sleeper = tokio::spawn({
            let time = time.clone();
            async move { time.sleep(15 * MINUTE).await }
        });
        assert_eq!(time.sleeping().await, 15 * MINUTE);
        time.advance(14 * MINUTE).unwrap();
        assert!(!sleeper.is_finished());
        assert_eq!(time.advance(MINUTE), Ok(15 * MINUTE));
        sleeper.await.unwrap();
        assert_eq!(time.next(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_scaled_clock_sleeps_shorter() {
        let (time, before) = (Time::new(Pace::Scaled(60.0)), tokio::time::Instant::now());
        time.sleep(MINUTE).await;
        let slept = before.elapsed();
        assert!(slept <= Duration::from_millis(1001), "{slept:?}");
    }

    #[tokio::test]
    async fn a_clock_that_goes_by_itself_cannot_be_moved() {
        assert_eq!(Time::default().advance(MINUTE), Err(NotManual));
    }

    #[tokio::test]
    async fn a_timeout_gives_up() {
        let time = Time::new(Pace::Manual);
        let waiting = time.timeout(MINUTE, std::future::pending::<()>());
        let moved = async {
            time.sleeping().await;
            time.advance(MINUTE).unwrap();
        };
        assert_eq!(tokio::join!(waiting, moved).0, None);
        assert_eq!(time.timeout(MINUTE, async { 1 }).await, Some(1));
    }

    #[test]
    fn paces_are_read_as_they_are_printed() {
        for text in ["real", "manual", "scale=100", "scale=0.5"] {
            assert_eq!(text.parse::<Pace>().unwrap().to_string(), text);
        }
        for text in ["", "fast", "scale=", "scale=0", "scale=-1", "scale=inf", "scale=nan"] {
            assert!(text.parse::<Pace>().is_err(), "{text}");
        }
    }
}
