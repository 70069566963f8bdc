//! One go of a case at a subject: acts under a deadline, judges, and notes whether the harness starved or the subject
//! died meanwhile. Decides nothing about a second go.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::FutureExt as _;
use tokio::time::timeout;

use super::event::AttemptOutcome;
use super::redact::redact;
use super::scheduler_lag::LagLog;
use crate::case::{Case, Isolation, judge};
use crate::observation::{Ended, Observation};
use crate::probe::{CleanupList, Dialect, Probe, SetupError};
use crate::subject::{Subject, Subjects};
use crate::verdict::{Finding, Verdict};

/// What is expected of a subject at which a case could not finish.
pub const UNFINISHED: &str = "answers with which the case can go on";

/// What one go needs.
pub(super) struct Attempt {
    pub(super) case: Case,
    /// The name under which it leaves its traces; another one for each go.
    pub(super) name: String,
    pub(super) mark: String,
    pub(super) cleanup: CleanupList,
    pub(super) dialect: Dialect,
    pub(super) subjects: Arc<dyn Subjects>,
    /// The envd of the whole run.
    pub(super) shared: Arc<Subject>,
    /// Whether it gets an envd of its own, whatever its isolation.
    pub(super) fresh: bool,
    pub(super) deadline: Duration,
    /// What the subject may take beyond it, for one answer; twice that for the case.
    pub(super) waits: Duration,
    pub(super) ticks: Arc<LagLog>,
}

/// What one go came to.
pub(super) struct AttemptReport {
    pub(super) attempt: AttemptOutcome,
    /// Whether the subject was reached.
    pub(super) reached: bool,
    /// How the subject died, if it did.
    pub(super) died: Option<String>,
}

impl Attempt {
    pub(super) async fn run(self) -> AttemptReport {
        let since = Instant::now();
        let subject = if self.fresh || self.case.isolation == Isolation::Fresh {
            self.subjects.start().await.map(Arc::new)
        } else {
            Ok(Arc::clone(&self.shared))
        };
        let (mut observation, mut verdict, reached, died) = match subject {
            Ok(subject) => self.at(&subject).await,
            Err(trouble) => (Observation::default(), Verdict::Inconclusive(trouble.to_string()), false, None),
        };
        redact(&mut observation, &mut verdict);
        let (starved, took) = (self.ticks.worst(since), since.elapsed());
        let late = is_late(&verdict, &observation) || took >= self.deadline + self.waits * 2;
        AttemptReport { attempt: AttemptOutcome { verdict, observation, took, starved, late }, reached, died }
    }

    async fn at(&self, subject: &Subject) -> (Observation, Verdict, bool, Option<String>) {
        let at = (subject.address, subject.host.clone());
        let patience = self.deadline / 2 + self.waits;
        let probe = Probe::new(at, &self.mark, &self.name, patience, Arc::clone(&self.cleanup))
            .speaking(self.dialect);
        let deadline = self.deadline + self.waits * 2;
        let (observation, verdict, reached) = one(&self.case, probe, deadline).await;
        let cut = |observation: &Observation| {
            observation.steps.iter().any(|step| matches!(step.exchange.ended, Ended::Cut(_)))
        };
        let died = if reached && !cut(&observation) { subject.ended() } else { subject.ends_soon().await };
        (observation, verdict, reached, died)
    }
}

/// Acts and judges; the flag says whether the subject was reached.
async fn one(case: &Case, mut probe: Probe, deadline: Duration) -> (Observation, Verdict, bool) {
    let acting = AssertUnwindSafe(timeout(deadline, (case.act)(&mut probe))).catch_unwind().await;
    let observation = probe.into_observation();
    let (verdict, reached) = match acting {
        Err(_) => (Verdict::Inconclusive("harness: the case panicked while it acted".to_owned()), true),
        Ok(Ok(Ok(()))) => (judge(case, &observation), true),
        Ok(Ok(Err(trouble @ (SetupError::Connect { .. } | SetupError::Start(_))))) => {
            (Verdict::Inconclusive(trouble.to_string()), false)
        }
        Ok(Ok(Err(trouble))) => {
            (unfinished(judge(case, &observation), &trouble.to_string(), &observation), true)
        }
        Ok(Err(_)) => {
            let why = format!("its answers did not all come within {deadline:?}");
            (unfinished(judge(case, &observation), &why, &observation), true)
        }
    };
    (observation, verdict, reached)
}

/// Whether the step that shows the failure did not end in time.
fn is_late(verdict: &Verdict, observation: &Observation) -> bool {
    let Verdict::Fail(finding) = verdict else { return false };
    let mut steps = observation.steps.iter();
    steps.any(|step| step.label == finding.step && matches!(step.exchange.ended, Ended::Late(_)))
}

/// A case that could not finish does not pass; what its judge has seen wrong goes first.
fn unfinished(verdict: Verdict, why: &str, observation: &Observation) -> Verdict {
    match verdict {
        Verdict::Fail(finding) => Verdict::Fail(finding),
        _ => Verdict::Fail(Finding {
            step: observation.steps.last().map(|step| step.label.clone()).unwrap_or_default(),
            expected: UNFINISHED.to_owned(),
            observed: why.to_owned(),
        }),
    }
}
