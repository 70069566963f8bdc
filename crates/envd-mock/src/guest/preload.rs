//! The memory preload: idle, running, then done, failed or cancelled, once for each life cycle. Progress is
//! worked out from the time of the mock's clock at which it is asked for; nothing runs in the background.

mod claim;

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::mishap::{Mishap, MishapKind};

pub use claim::BadClaim;
pub(crate) use claim::Claim;

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

/// What goes wrong with one run of the preload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Plight {
    /// It runs for ever and gets nowhere.
    Stuck,
    /// It takes this long.
    Slow(Duration),
    /// It fails with this text when its time is over.
    Fails(String),
    /// It is done at once, with nothing read.
    Lies,
}

/// Where a run of the memory preload is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum State {
    /// None has begun.
    Idle,
    /// It goes on.
    Running,
    /// It has gone through all pages.
    Done,
    /// It ended with an error.
    Failed,
    /// Somebody ended it.
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

/// The state machine; all times are the mock's clock's.
#[derive(Debug)]
pub(crate) struct Preload {
    config: PreloadConfig,
    /// A cancel counts whenever it comes, until the next life cycle.
    sticky: bool,
    progress: Mutex<Progress>,
}

#[derive(Debug, Default)]
struct Progress {
    run: Option<Run>,
    /// What was set in place of a run.
    claimed: Option<Status>,
    cancelled: bool,
}

#[derive(Debug, Clone)]
struct Run {
    /// What it pretends to do; without a duration it never ends.
    size: u64,
    duration: Option<Duration>,
    failure: Option<String>,
    regions: u64,
    started: Duration,
    cancelled: Option<Duration>,
}

impl Preload {
    pub(crate) fn new(config: PreloadConfig, sticky: bool) -> Self {
        Self { config, sticky, progress: Mutex::default() }
    }

    /// Starts the one run of this life cycle, with what goes wrong with it; a later call only reports.
    pub(crate) fn start(&self, now: Duration, mishap: Option<&Mishap>) -> Status {
        let mut progress = self.progress();
        if progress.run.is_some() || progress.claimed.is_some() {
            return progress.status(now);
        }
        // Of a run that was cancelled before it began, the first answer still is that it runs.
        progress.run.insert(Run::new(&self.config, now, mishap)).status(now)
    }

    /// Ends a run that is still going on; anything else stays as it is, unless cancelling is sticky.
    pub(crate) fn cancel(&self, now: Duration) {
        let mut progress = self.progress();
        progress.cancelled |= self.sticky;
        if let Some(run) = progress.run.as_mut().filter(|run| run.is_running(now)) {
            run.cancelled = Some(now);
        }
        if let Some(claimed) = progress.claimed.as_mut().filter(|claimed| claimed.state == State::Running) {
            (claimed.state, claimed.regions, claimed.source) = (State::Cancelled, REGIONS, SOURCE);
        }
    }

    /// Says this from now on, until the next life cycle.
    ///
    /// # Errors
    /// [`BadClaim`], when no preload can be like that.
    pub(crate) fn claim(&self, claim: Claim) -> Result<(), BadClaim> {
        let claimed = claim.status(&self.config)?;
        *self.progress() = Progress { claimed, ..Progress::default() };
        Ok(())
    }

    /// Back to idle, for a new life cycle.
    pub(crate) fn reset(&self) {
        *self.progress() = Progress::default();
    }

    pub(crate) fn status(&self, now: Duration) -> Status {
        self.progress().status(now)
    }

    fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Progress {
    fn status(&self, now: Duration) -> Status {
        let ran = || self.run.as_ref().map_or_else(idle, |run| run.status(now));
        let status = self.claimed.clone().unwrap_or_else(ran);
        match status.state {
            State::Done if self.cancelled => Status { state: State::Cancelled, ..status },
            State::Running if self.cancelled => Status { state: State::Cancelled, ..running(0) },
            _ => status,
        }
    }
}

impl Run {
    fn new(config: &PreloadConfig, started: Duration, mishap: Option<&Mishap>) -> Self {
        let PreloadConfig { size, duration, failure } = config.clone();
        let run =
            Self { size, duration: Some(duration), failure, regions: REGIONS, started, cancelled: None };
        match mishap {
            Some(Mishap { kind: MishapKind::Preload(plight), acted }) => {
                acted.tell(|| plight.to_string());
                run.with(plight)
            }
            _ => run,
        }
    }

    fn with(self, plight: &Plight) -> Self {
        match plight {
            Plight::Stuck => Self { duration: None, ..self },
            Plight::Slow(duration) => Self { duration: Some(*duration), ..self },
            Plight::Fails(text) => Self { failure: Some(text.clone()), ..self },
            Plight::Lies => {
                Self { size: 0, duration: Some(Duration::ZERO), failure: None, regions: 0, ..self }
            }
        }
    }

    fn status(&self, now: Duration) -> Status {
        let elapsed = self.cancelled.unwrap_or(now).saturating_sub(self.started);
        match (self.cancelled, self.duration, &self.failure) {
            (Some(_), ..) => self.ended(State::Cancelled, self.pages_at(elapsed), elapsed),
            (None, Some(duration), None) if elapsed >= duration => {
                self.ended(State::Done, self.total_pages(), duration)
            }
            (None, Some(duration), Some(text)) if elapsed >= duration => Status {
                error: Some(text.clone()),
                source: "",
                regions: 0,
                ..self.ended(State::Failed, self.pages_at(duration), duration)
            },
            _ => running(self.pages_at(elapsed)),
        }
    }

    fn is_running(&self, now: Duration) -> bool {
        let elapsed = now.saturating_sub(self.started);
        self.cancelled.is_none() && self.duration.is_none_or(|duration| elapsed < duration)
    }

    fn total_pages(&self) -> u64 {
        self.size.div_ceil(PAGE)
    }

    /// Whole steps that fit into `elapsed`; a run that will fail gets half as far, one that never ends nowhere.
    fn pages_at(&self, elapsed: Duration) -> u64 {
        let Some(duration) = self.duration else { return 0 };
        let whole = duration.as_nanos().max(1);
        let reach = u128::from(self.total_pages()) / if self.failure.is_some() { 2 } else { 1 };
        let pages = (reach * elapsed.as_nanos().min(whole)) / whole;
        u64::try_from(pages).unwrap_or(u64::MAX) / STEP * STEP
    }

    fn ended(&self, state: State, pages: u64, elapsed: Duration) -> Status {
        let elapsed_sec = elapsed.as_secs_f64();
        Status { state, regions: self.regions, elapsed_sec, source: SOURCE, ..running(pages) }
    }
}

impl fmt::Display for Plight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stuck => f.write_str("the preload will never end"),
            Self::Slow(duration) => write!(f, "the preload takes {duration:?}"),
            Self::Fails(text) => write!(f, "the preload will fail: {text}"),
            Self::Lies => f.write_str("the preload is done, with nothing read"),
        }
    }
}

fn idle() -> Status {
    Status { state: State::Idle, regions: 0, pages: 0, bytes: 0, elapsed_sec: 0.0, source: "", error: None }
}

fn running(pages: u64) -> Status {
    Status { state: State::Running, pages, bytes: pages.saturating_mul(PAGE), ..idle() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guest::mishap::tests::Told;
    use proptest::prelude::*;

    const MIB: u64 = 1 << 20;

    /// The mock's clock has run for a while when the preload starts.
    const START: Duration = Duration::from_secs(1000);

    fn preload(failure: Option<&str>) -> (Preload, Duration) {
        let failure = failure.map(str::to_owned);
        let config = PreloadConfig { size: 40 * MIB, duration: Duration::from_secs(10), failure };
        (Preload::new(config, false), START)
    }

    fn secs(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    #[test]
    fn a_run_goes_from_idle_to_done_in_steps() {
        let (preload, start) = preload(None);
        assert_eq!(preload.status(start), idle());
        assert_eq!(preload.start(start, None).state, State::Running);
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
        preload.start(start, None);
        assert_eq!(preload.start(start + secs(11), None).state, State::Done);
        preload.reset();
        assert_eq!(preload.status(start + secs(12)).state, State::Idle);
        assert_eq!(preload.start(start + secs(12), None).state, State::Running);
    }

    #[test]
    fn cancelling_ends_only_a_run_that_goes_on() {
        let (preload, start) = preload(None);
        preload.cancel(start);
        assert_eq!(preload.start(start, None).state, State::Running);
        preload.cancel(start + secs(5));
        let cancelled = preload.status(start + secs(60));
        assert_eq!((cancelled.state, cancelled.bytes), (State::Cancelled, 20 * MIB));
        assert_eq!(preload.start(start + secs(61), None).state, State::Cancelled);
        preload.reset();
        preload.start(start, None);
        preload.cancel(start + secs(11));
        assert_eq!(preload.status(start + secs(12)).state, State::Done);
    }

    #[test]
    fn a_failing_run_keeps_its_progress_and_its_text() {
        let (preload, start) = preload(Some("iomem: denied"));
        assert_eq!(preload.start(start, None).state, State::Running);
        let failed = preload.status(start + secs(10));
        assert_eq!((failed.state, failed.bytes), (State::Failed, 20 * MIB));
        assert_eq!(failed.error.as_deref(), Some("iomem: denied"));
        assert_eq!(failed.elapsed_sec, 10.0);
    }

    fn afflicted(plight: Plight) -> (Preload, Status, Vec<String>) {
        let (preload, told) = (preload(None).0, Told::default());
        let mishap = told.mishap(MishapKind::Preload(plight));
        let status = preload.start(START, Some(&mishap));
        (preload, status, told.words())
    }

    #[test]
    fn a_stuck_run_gets_nowhere_and_can_be_cancelled() {
        let (preload, _, told) = afflicted(Plight::Stuck);
        assert_eq!(preload.status(START + secs(1_000_000)), running(0));
        preload.cancel(START + secs(1_000_000));
        assert_eq!(preload.status(START + secs(1_000_000)).state, State::Cancelled);
        assert_eq!(told, ["the preload will never end"]);
    }

    #[test]
    fn a_slow_run_takes_its_time() {
        let (preload, _, told) = afflicted(Plight::Slow(secs(900)));
        assert_eq!(preload.status(START + secs(899)).state, State::Running);
        let done = preload.status(START + secs(900));
        assert_eq!((done.state, done.bytes, done.elapsed_sec), (State::Done, 40 * MIB, 900.0));
        assert_eq!(told, ["the preload takes 900s"]);
    }

    #[test]
    fn a_run_fails_with_the_text_that_it_was_given() {
        let (preload, status, told) = afflicted(Plight::Fails("/dev/mem: no".to_owned()));
        assert_eq!(status.state, State::Running);
        let failed = preload.status(START + secs(10));
        assert_eq!((failed.state, failed.error.as_deref()), (State::Failed, Some("/dev/mem: no")));
        assert_eq!(told, ["the preload will fail: /dev/mem: no"]);
    }

    #[test]
    fn a_lying_run_is_done_at_once_with_nothing() {
        let (_, status, told) = afflicted(Plight::Lies);
        assert_eq!((status.state, status.pages, status.bytes, status.regions), (State::Done, 0, 0, 0));
        assert_eq!(told, ["the preload is done, with nothing read"]);
    }

    #[test]
    fn a_mishap_that_starts_no_run_does_not_act() {
        let (preload, told) = (preload(None).0, Told::default());
        preload.start(START, None);
        let mishap = told.mishap(MishapKind::Preload(Plight::Lies));
        assert_eq!(preload.start(START, Some(&mishap)).state, State::Running);
        assert!(told.words().is_empty());
        preload.reset();
        assert_eq!(preload.start(START, None).state, State::Running);
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
            let (preload, start) = (Preload::new(config, false), START);
            preload.start(start, None);
            let mut times = times;
            times.sort_unstable();
            let pages: Vec<u64> =
                times.iter().map(|ms| preload.status(start + Duration::from_millis(*ms)).pages).collect();
            prop_assert!(pages.is_sorted());
            prop_assert!(pages.iter().all(|pages| *pages <= size.div_ceil(PAGE)));
        }
    }
}
