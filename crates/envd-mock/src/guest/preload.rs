//! The memory preload: idle, running, then done, failed or cancelled, once for each life cycle. Progress is
//! worked out from the time at which it is asked for; nothing runs in the background.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

const PAGE: u64 = 4096;
/// How many pages pass between two steps of the counters.
const STEP: u64 = 1024;
const REGIONS: u64 = 1;
const SOURCE: &str = "/dev/mem";

/// What a run of the preload pretends to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PreloadConfig {
    /// Bytes of memory to go through; rounded up to whole pages of 4096 bytes.
    pub size: u64,
    /// How long a run takes.
    pub duration: Duration,
    /// With a text, every run fails with it when its time is over, half of the pages done.
    pub failure: Option<String>,
}

impl Default for PreloadConfig {
    fn default() -> Self {
        Self { size: 256 << 20, duration: Duration::from_millis(300), failure: None }
    }
}

/// Where a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum State {
    Idle,
    Running,
    Done,
    Failed,
    Cancelled,
}

/// What the guest says of its preload, in the words of the wire.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub(crate) struct Status {
    pub(crate) state: State,
    pub(crate) regions: u64,
    pub(crate) pages: u64,
    pub(crate) bytes: u64,
    pub(crate) elapsed_sec: f64,
    pub(crate) source: &'static str,
    pub(crate) error: Option<String>,
}

/// The state machine.
#[derive(Debug)]
pub(crate) struct Preload {
    config: PreloadConfig,
    run: Mutex<Option<Run>>,
}

#[derive(Debug, Clone, Copy)]
struct Run {
    started: Instant,
    cancelled: Option<Instant>,
}

impl Preload {
    pub(crate) fn new(config: PreloadConfig) -> Self {
        Self { config, run: Mutex::new(None) }
    }

    /// Starts the one run of this life cycle; a later call only reports.
    pub(crate) fn start(&self, now: Instant) -> Status {
        self.run().get_or_insert(Run { started: now, cancelled: None });
        self.status(now)
    }

    /// Ends a run that is still going on; anything else stays as it is.
    pub(crate) fn cancel(&self, now: Instant) {
        if let Some(run) = self.run().as_mut().filter(|run| self.is_running(run, now)) {
            run.cancelled = Some(now);
        }
    }

    /// Back to idle, for a new life cycle.
    pub(crate) fn reset(&self) {
        *self.run() = None;
    }

    pub(crate) fn status(&self, now: Instant) -> Status {
        let Some(run) = *self.run() else { return idle() };
        let elapsed = run.cancelled.unwrap_or(now).saturating_duration_since(run.started);
        match (run.cancelled, &self.config.failure) {
            (Some(_), _) => ended(State::Cancelled, self.pages_at(elapsed), elapsed),
            (None, _) if elapsed < self.config.duration => running(self.pages_at(elapsed)),
            (None, None) => ended(State::Done, self.total_pages(), self.config.duration),
            (None, Some(text)) => Status {
                error: Some(text.clone()),
                source: "",
                regions: 0,
                ..ended(State::Failed, self.pages_at(self.config.duration), self.config.duration)
            },
        }
    }

    fn is_running(&self, run: &Run, now: Instant) -> bool {
        run.cancelled.is_none() && now.saturating_duration_since(run.started) < self.config.duration
    }

    fn total_pages(&self) -> u64 {
        self.config.size.div_ceil(PAGE)
    }

    /// Whole steps that fit into `elapsed`; a run that will fail gets half as far.
    fn pages_at(&self, elapsed: Duration) -> u64 {
        let whole = self.config.duration.as_nanos().max(1);
        let reach = u128::from(self.total_pages()) / if self.config.failure.is_some() { 2 } else { 1 };
        let pages = (reach * elapsed.as_nanos().min(whole)) / whole;
        u64::try_from(pages).unwrap_or(u64::MAX) / STEP * STEP
    }

    fn run(&self) -> MutexGuard<'_, Option<Run>> {
        self.run.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn idle() -> Status {
    Status { state: State::Idle, regions: 0, pages: 0, bytes: 0, elapsed_sec: 0.0, source: "", error: None }
}

fn running(pages: u64) -> Status {
    Status { state: State::Running, pages, bytes: pages.saturating_mul(PAGE), ..idle() }
}

fn ended(state: State, pages: u64, elapsed: Duration) -> Status {
    let elapsed_sec = elapsed.as_secs_f64();
    Status { state, regions: REGIONS, elapsed_sec, source: SOURCE, ..running(pages) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MIB: u64 = 1 << 20;

    fn preload(failure: Option<&str>) -> (Preload, Instant) {
        let failure = failure.map(str::to_owned);
        let config = PreloadConfig { size: 40 * MIB, duration: Duration::from_secs(10), failure };
        (Preload::new(config), Instant::now())
    }

    fn secs(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    #[test]
    fn a_run_goes_from_idle_to_done_in_steps() {
        let (preload, start) = preload(None);
        assert_eq!(preload.status(start), idle());
        assert_eq!(preload.start(start).state, State::Running);
        let half = preload.status(start + secs(5));
        assert_eq!((half.state, half.pages, half.bytes), (State::Running, 5120, 20 * MIB));
        assert_eq!((half.regions, half.source, half.elapsed_sec), (0, "", 0.0));
        let done = preload.status(start + secs(60));
        assert_eq!((done.state, done.bytes, done.elapsed_sec), (State::Done, 40 * MIB, 10.0));
        assert_eq!((done.regions, done.source), (1, "/dev/mem"));
    }

    #[test]
    fn a_second_start_only_reports() {
        let (preload, start) = preload(None);
        preload.start(start);
        assert_eq!(preload.start(start + secs(11)).state, State::Done);
        preload.reset();
        assert_eq!(preload.status(start + secs(12)).state, State::Idle);
        assert_eq!(preload.start(start + secs(12)).state, State::Running);
    }

    #[test]
    fn cancelling_ends_only_a_run_that_goes_on() {
        let (preload, start) = preload(None);
        preload.cancel(start);
        assert_eq!(preload.start(start).state, State::Running);
        preload.cancel(start + secs(5));
        let cancelled = preload.status(start + secs(60));
        assert_eq!((cancelled.state, cancelled.bytes), (State::Cancelled, 20 * MIB));
        assert_eq!(preload.start(start + secs(61)).state, State::Cancelled);
        preload.reset();
        preload.start(start);
        preload.cancel(start + secs(11));
        assert_eq!(preload.status(start + secs(12)).state, State::Done);
    }

    #[test]
    fn a_failing_run_keeps_its_progress_and_its_text() {
        let (preload, start) = preload(Some("iomem: denied"));
        assert_eq!(preload.start(start).state, State::Running);
        let failed = preload.status(start + secs(10));
        assert_eq!((failed.state, failed.bytes), (State::Failed, 20 * MIB));
        assert_eq!(failed.error.as_deref(), Some("iomem: denied"));
        assert_eq!(failed.elapsed_sec, 10.0);
    }

    #[test]
    fn the_wire_form_has_every_field() {
        let json = serde_json::to_string(&idle()).unwrap();
        let expected =
            r#"{"state":"idle","regions":0,"pages":0,"bytes":0,"elapsed_sec":0.0,"source":"","error":null}"#;
        assert_eq!(json, expected);
    }

    proptest! {
        #[test]
        fn progress_never_goes_back_and_never_past_the_size(
            size in 0..u64::MAX, duration in 0..100_000u64, times in proptest::collection::vec(0..200_000u64, 1..20),
        ) {
            let config = PreloadConfig { size, duration: Duration::from_millis(duration), failure: None };
            let (preload, start) = (Preload::new(config), Instant::now());
            preload.start(start);
            let mut times = times;
            times.sort_unstable();
            let pages: Vec<u64> =
                times.iter().map(|ms| preload.status(start + Duration::from_millis(*ms)).pages).collect();
            prop_assert!(pages.is_sorted());
            prop_assert!(pages.iter().all(|pages| *pages <= size.div_ceil(PAGE)));
        }
    }
}
