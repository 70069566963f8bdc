//! What a run tells, as data: events in order, the outcome of each case, and the sum. Runs nothing and prints nothing.

use std::time::Duration;

use crate::case::{Case, Level};
use crate::observation::Observation;
use crate::profile::Profile;
use crate::verdict::Verdict;

/// What happens in a run, in order.
#[derive(Debug)]
pub enum Event {
    /// The run begins.
    Began(Box<Began>),
    /// A case begins.
    Started {
        /// Which.
        case: &'static str,
        /// Whether it runs again, alone.
        again: bool,
    },
    /// A case is over.
    Finished(Box<Outcome>),
    /// The run is over.
    Ended(Summary),
}

/// What is known when a run begins.
#[derive(Debug, Clone, Default)]
pub struct Began {
    /// What the subject is called.
    pub subject: String,
    /// How many cases there are, each as often as it is repeated.
    pub cases: usize,
    /// The wire generation and what the subject has.
    pub profile: Profile,
    /// What the order was drawn from, if it was.
    pub seed: Option<u64>,
}

/// One go of a case at a subject.
#[derive(Debug, Clone)]
pub struct AttemptOutcome {
    /// What it came to.
    pub verdict: Verdict,
    /// What was seen.
    pub observation: Observation,
    /// How long it took.
    pub took: Duration,
    /// The longest that the harness itself was kept from running meanwhile.
    pub starved: Duration,
    /// Whether it failed because something did not come in time.
    pub late: bool,
}

/// What became of a case.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The case.
    pub case: Case,
    /// Which repetition this is, from 0.
    pub round: usize,
    /// What it came to.
    pub verdict: Verdict,
    /// What was seen.
    pub observation: Observation,
    /// How long it took.
    pub took: Duration,
    /// What it came to among others, when it was run again alone.
    pub earlier: Option<Box<AttemptOutcome>>,
    /// The reason in the file of known failures, when it is one.
    pub known: Option<String>,
}

impl Outcome {
    /// A case that was not run.
    pub(super) fn unrun(case: Case, round: usize, verdict: Verdict) -> Self {
        let (observation, took) = (Observation::default(), Duration::ZERO);
        Self { case, round, verdict, observation, took, earlier: None, known: None }
    }

    /// A case that was run.
    pub(super) fn of(case: Case, round: usize, attempt: AttemptOutcome) -> Self {
        let AttemptOutcome { verdict, observation, took, .. } = attempt;
        Self { case, round, verdict, observation, took, earlier: None, known: None }
    }
}

/// What became of a run.
#[derive(Debug, Clone, Default)]
pub struct Summary {
    /// Cases that hold.
    pub passed: usize,
    /// Failed cases of level must that nobody knew of.
    pub failed: usize,
    /// Failed cases of level should or may.
    pub advised: usize,
    /// Failures that the file of known failures names.
    pub known: usize,
    /// Cases that could not tell.
    pub inconclusive: usize,
    /// Cases that were not run for a failed one.
    pub blocked: usize,
    /// Cases that were not run for a known failure.
    pub blocked_by_known: usize,
    /// Cases that are not for this generation, or for what the subject lacks.
    pub unsupported: usize,
    /// Cases that were not run for another reason.
    pub skipped: usize,
    /// What is wrong with the file of known failures.
    pub stale: Vec<String>,
    /// Why the run ended before its time.
    pub broken: Option<String>,
    /// How long it took.
    pub took: Duration,
}

impl Summary {
    /// 0 conforms, 1 does not, 3 cannot be told.
    pub fn exit_code(&self) -> u8 {
        if self.broken.is_some() {
            3
        } else if self.failed > 0 || !self.stale.is_empty() {
            1
        } else if self.inconclusive + self.blocked > 0 || self.passed == 0 {
            3
        } else {
            0
        }
    }

    pub(super) fn count(&mut self, outcome: &Outcome) {
        let known = outcome.known.is_some();
        let counter = match (&outcome.verdict, outcome.case.level) {
            (Verdict::Blocked(_), _) if known => &mut self.blocked_by_known,
            (_, _) if known => &mut self.known,
            (Verdict::Pass, _) => &mut self.passed,
            (Verdict::Fail(_), Level::Must) => &mut self.failed,
            (Verdict::Fail(_), Level::Should | Level::May) => &mut self.advised,
            (Verdict::Inconclusive(_), _) => &mut self.inconclusive,
            (Verdict::Blocked(_), _) => &mut self.blocked,
            (Verdict::Unsupported(_), _) => &mut self.unsupported,
            (Verdict::Skip(_), _) => &mut self.skipped,
        };
        *counter += 1;
    }
}
