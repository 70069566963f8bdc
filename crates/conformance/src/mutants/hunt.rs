//! Runs the suite against mutants, and writes down which cases catch which. Judges nothing itself.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use futures::stream::{self, StreamExt as _};

use super::matrix::{Matrix, Row};
use super::mutant::{Change, Mutant};
use super::proxy::Mutated;
use super::recorded::Recorded;
use crate::case::Case;
use crate::library::{self, Report};
use crate::profile::Claims;
use crate::runner::{self, Config, Event, Outcome, UNFINISHED};
use crate::verdict::Verdict;

/// Cases that take longer than this alone are slow.
const SLOW: Duration = Duration::from_millis(250);

/// A mutant that so many cases notice is known well enough.
const GROSS: usize = 60;

/// How long a case may take at a mutant; a case that waits 5 s by nature needs more than the usual time.
const DEADLINE: Duration = Duration::from_secs(14);
/// How long a case may take when it is looked at.
const PATIENT: Duration = Duration::from_secs(60);
/// How often a case that does not pass is looked at.
const LOOKS: usize = 3;

/// What a hunt needs.
#[derive(Debug)]
pub struct Hunt {
    targets: Vec<Target>,
    jobs: usize,
}

/// A case, and what it was seen to do at a true mock.
#[derive(Debug, Clone)]
pub struct Target {
    /// The case.
    pub case: Case,
    /// Its calls.
    pub calls: Vec<Recorded>,
    /// Whether it took long.
    pub slow: bool,
}

/// What a hunt to the first kill says of a mutant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct First {
    /// The mutant.
    pub id: &'static str,
    /// The case that catches it.
    pub by: Option<&'static str>,
    /// What those said that could not tell.
    pub untold: Vec<String>,
    /// How many cases were run for that.
    pub tried: usize,
}

impl Hunt {
    /// Looks at what each case does, so that only cases are run that a mutant can reach.
    ///
    /// # Errors
    /// The cases that a true mock behind the proxy does not pass: what they say of mutants would mean nothing.
    pub async fn prepare(cases: &[Case], jobs: usize) -> Result<Self, String> {
        let looked: Vec<_> =
            stream::iter(cases.iter().copied()).map(look).buffered(jobs.max(1)).collect().await;
        let wrong: Vec<&str> =
            looked.iter().filter_map(|seen| seen.as_ref().err()).map(String::as_str).collect();
        if !wrong.is_empty() {
            return Err(format!("a true mock behind the proxy does not pass:\n{}", wrong.join("\n")));
        }
        Ok(Self { targets: looked.into_iter().flatten().collect(), jobs })
    }

    /// Without a look: every case is run at every mutant, in vain where the mutant does not reach it.
    pub fn blind(cases: &[Case], jobs: usize) -> Self {
        let target = |case: &Case| Target { case: *case, calls: Vec::new(), slow: false };
        Self { targets: cases.iter().map(target).collect(), jobs }
    }

    /// The cases that take too long for a smoke run.
    pub fn slow(&self) -> impl Iterator<Item = String> {
        self.targets.iter().filter(|target| target.slow).map(|target| target.case.id.to_owned())
    }

    /// Every case in which it shows, at every mutant, big data only where real builds lost some; `tell` gets what comes
    /// of each.
    pub async fn whole(&self, mutants: &[Mutant], mut tell: impl FnMut(&Mutant, Row)) {
        let rows = stream::iter(mutants).map(|mutant| async move { (mutant, self.at(mutant).await) });
        let mut rows = std::pin::pin!(rows.buffer_unordered(self.jobs.max(1)));
        while let Some((mutant, row)) = rows.next().await {
            tell(mutant, row);
        }
    }

    async fn at(&self, mutant: &Mutant) -> Row {
        let bulky = matches!(mutant.change, Change::Defect(_));
        let shows = |target: &&Target| (bulky || !target.case.bulk) && mutant.change.shows_in(&target.calls);
        let cases: Vec<Case> = self.targets.iter().filter(shows).map(|target| target.case).collect();
        let mut row = Row { id: mutant.id.to_owned(), ..Row::default() };
        let config = config(Mutated::by(mutant.change), cases);
        let stop = config.stop.clone();
        runner::run(config, &mut |event| {
            if let Event::Finished(outcome) = event {
                row.add(outcome);
                if row.noticed() > GROSS {
                    stop.cancel();
                }
            }
        })
        .await;
        row
    }

    /// For each mutant the cases that caught it last time, then those that waited in vain, then all others, until one
    /// fails, big data left out; `tell` hears of each.
    pub async fn first(&self, mutants: &[Mutant], last: &Matrix, mut tell: impl FnMut(&First)) -> Vec<First> {
        let found = stream::iter(mutants).map(|mutant| self.first_at(mutant, last));
        let mut found = std::pin::pin!(found.buffer_unordered(self.jobs.max(1)));
        let mut all = Vec::new();
        while let Some(first) = found.next().await {
            tell(&first);
            all.push(first);
        }
        all
    }

    async fn first_at(&self, mutant: &Mutant, last: &Matrix) -> First {
        let row = last.mutants.iter().find(|row| row.id == mutant.id);
        let caught = |case: &Case| row.is_some_and(|row| row.caught.contains(case.id));
        let late = |case: &Case| row.is_some_and(|row| row.late.contains(case.id));
        let all = self.targets.iter().map(|target| target.case);
        let mut order: Vec<Case> = all.filter(|case| !case.bulk).collect();
        // A slow case is asked only when no quick one catches it.
        order.sort_by_key(|case| (!caught(case), !late(case), last.slow.contains(case.id)));
        // On a busy machine one that is about time may not tell: it is asked again before all others are.
        let again: Vec<Case> = order.iter().take_while(|case| caught(case)).copied().collect();
        order.splice(0..0, again);
        let mut first = First { id: mutant.id, by: None, untold: Vec::new(), tried: 0 };
        for case in order {
            first.tried += 1;
            for Outcome { verdict, .. } in run(mutant.change, vec![case]).await.outcomes {
                match verdict {
                    Verdict::Fail(_) => first.by = Some(case.id),
                    Verdict::Inconclusive(why) => first.untold.push(format!("{}: {why}", case.id)),
                    _ => {}
                }
            }
            if first.by.is_some() {
                break;
            }
        }
        first
    }
}

async fn run(change: Change, cases: Vec<Case>) -> Report {
    library::run(config(Mutated::by(change), cases)).await
}

fn config(mutated: Mutated, cases: Vec<Case>) -> Config {
    let claims = Claims::generation(2);
    // The clock that such a case changes is a mock's own.
    Config { claims, case_deadline: DEADLINE, disposable: true, ..Config::new(Arc::new(mutated), cases) }
}

/// Looks at a case, again if it does not pass: on a busy machine one of hundreds may be too late.
async fn look(case: Case) -> Result<Target, String> {
    let mut last = String::new();
    for _ in 0..LOOKS {
        match look_once(case).await {
            Ok(target) => return Ok(target),
            Err(why) => last = why,
        }
    }
    Err(last)
}

async fn look_once(case: Case) -> Result<Target, String> {
    let (mutated, record) = Mutated::recording();
    let report = library::run(Config { case_deadline: PATIENT, ..config(mutated, vec![case]) }).await;
    let outcome = report.outcomes.first().ok_or_else(|| format!("{}: not run", case.id))?;
    if !matches!(outcome.verdict, Verdict::Pass | Verdict::Unsupported(_)) {
        return Err(format!("{}: {}: {}", case.id, outcome.verdict.word(), outcome.verdict.message()));
    }
    let mut calls = record.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let seen = outcome.observation.steps.iter().map(|step| &step.exchange);
    calls.extend(seen.map(|exchange| Recorded {
        http2: exchange.http2,
        ..Recorded::bare(&exchange.method, &exchange.target)
    }));
    Ok(Target { case, calls, slow: outcome.took > SLOW })
}

impl Row {
    fn add(&mut self, outcome: &Outcome) {
        let id = outcome.case.id.to_owned();
        match &outcome.verdict {
            Verdict::Pass | Verdict::Unsupported(_) => {}
            Verdict::Fail(_) if by_claim(outcome) => drop(self.caught.insert(id)),
            Verdict::Fail(_) => drop(self.late.insert(id)),
            _ => drop(self.untold.insert(id)),
        }
    }
}

/// Whether it failed, and not because the case waited for an answer in vain.
fn by_claim(outcome: &Outcome) -> bool {
    let Verdict::Fail(finding) = &outcome.verdict else { return false };
    let waited =
        finding.expected.contains(" within ") || finding.observed.contains("did not all come within");
    !waited && !finding.step.is_empty() && finding.expected != UNFINISHED
}
