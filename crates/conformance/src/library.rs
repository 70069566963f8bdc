//! The kit as a library: a whole run as one call, and every case as a test of its own for `cargo test`.

use std::sync::Arc;
use std::time::Duration;

use libtest_mimic::{Arguments, Failed, Trial};

use crate::case::{Case, Level};
use crate::profile::Claims;
use crate::runner::{self, Config, Event, Outcome, Summary};
use crate::subject::{Embedded, Subjects};
use crate::suites;
use crate::verdict::Verdict;

/// What a run came to.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// Each case, in the order in which they ended.
    pub outcomes: Vec<Outcome>,
    /// The sum.
    pub summary: Summary,
}

/// Runs `config` to its end. It needs a Tokio runtime with time and I/O.
pub async fn run(config: Config) -> Report {
    let mut outcomes = Vec::new();
    let summary = runner::run(config, &mut |event| {
        if let Event::Finished(outcome) = event {
            outcomes.push((**outcome).clone());
        }
    })
    .await;
    Report { outcomes, summary }
}

/// A suite as tests: which cases, at what.
#[derive(Clone)]
pub struct Harness {
    subjects: Arc<dyn Subjects>,
    cases: Vec<Case>,
    claims: Claims,
    case_deadline: Duration,
}

/// Every case against the embedded mock, as a test of its own: the body of `main` in a test target with `harness = false`.
pub fn harness() -> ! {
    Harness::of(Arc::new(Embedded)).run()
}

impl Harness {
    /// Every case of the suite, each at a fresh subject of `subjects`.
    pub fn of(subjects: Arc<dyn Subjects>) -> Self {
        let config = Config::new(subjects, suites::all());
        let Config { subjects, cases, claims, case_deadline, .. } = config;
        Self { subjects, cases, claims, case_deadline }
    }

    /// Only cases for which `keep` says so.
    #[must_use]
    pub fn only(mut self, keep: impl Fn(&Case) -> bool) -> Self {
        self.cases.retain(|case| keep(case));
        self
    }

    /// What is said of the subject; the rest is asked.
    #[must_use]
    pub fn claims(mut self, claims: Claims) -> Self {
        self.claims = claims;
        self
    }

    /// Runs them with the arguments of `cargo test`, and ends the process.
    pub fn run(self) -> ! {
        let arguments = Arguments::from_args();
        let trials = self.cases.iter().map(|case| self.trial(*case)).collect();
        libtest_mimic::run(&arguments, trials).exit()
    }

    /// A case whose verdict depends on the subject is no ignored test: it passes, as one that does not apply.
    fn trial(&self, case: Case) -> Trial {
        let this = self.clone();
        Trial::test(case.id, move || this.one(case)).with_kind(case.level.word())
    }

    fn one(&self, case: Case) -> Result<(), Failed> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (claims, case_deadline) = (self.claims.clone(), self.case_deadline);
        let config = Config { claims, case_deadline, ..Config::new(Arc::clone(&self.subjects), vec![case]) };
        let report = runtime.block_on(run(config));
        match report.outcomes.first() {
            Some(outcome) => verdict(outcome),
            None => Err(report.summary.broken.unwrap_or_else(|| "not run".to_owned()).into()),
        }
    }
}

fn verdict(outcome: &Outcome) -> Result<(), Failed> {
    let (case, verdict) = (&outcome.case, &outcome.verdict);
    match verdict {
        Verdict::Fail(_) if case.level == Level::Must => {
            Err(format!("{}\n{}\n{}", case.requirement, verdict.message(), case.why).into())
        }
        Verdict::Inconclusive(_) => Err(format!("inconclusive: {}", verdict.message()).into()),
        _ => Ok(()),
    }
}
