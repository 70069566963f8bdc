//! Runs the suite against mutants and records which cases catch which. Judges nothing itself.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use futures::stream::{self, StreamExt as _};

use super::mutant::{Change, Mutant};
use super::proxy::Mutated;
use super::recorded::Recorded;
use conformance::Report;
use conformance::case::Case;
use conformance::matrix::{Matrix, Row};
use conformance::profile::Claims;
use conformance::runner::{self, Config, Event, Outcome, UNFINISHED};
use conformance::verdict::Verdict;

/// Cases that take longer than this alone are slow.
const SLOW: Duration = Duration::from_millis(250);

/// A mutant that this many cases notice needs no further cases.
const GROSS: usize = 60;

/// Time limit of a case against a mutant; longer than usual, because some cases have to wait 5 s.
const DEADLINE: Duration = Duration::from_secs(14);
/// Time limit of a case while its calls are recorded.
const RECORDING_DEADLINE: Duration = Duration::from_secs(60);
/// How often a case that does not pass is recorded again.
const RECORDINGS: usize = 3;

/// A run of cases against mutants.
#[derive(Debug)]
pub struct KillRun {
    targets: Vec<Target>,
    jobs: usize,
}

/// A case and the calls that it makes to an unchanged mock.
#[derive(Debug, Clone)]
pub struct Target {
    /// The case.
    pub case: Case,
    /// Its calls.
    pub calls: Vec<Recorded>,
    /// Whether it took long.
    pub slow: bool,
}

/// The first kill of a mutant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FirstKill {
    /// The mutant.
    pub id: &'static str,
    /// The case that catches it.
    pub by: Option<&'static str>,
    /// The reasons of inconclusive verdicts.
    pub inconclusive: Vec<String>,
    /// How many cases were run for that.
    pub tried: usize,
}

impl KillRun {
    /// Records what each case does, so that only cases that a mutant can affect are run.
    ///
    /// # Errors
    /// The cases that fail against an unchanged mock behind the proxy: their failures against mutants would mean nothing.
    pub async fn prepare(cases: &[Case], jobs: usize) -> Result<Self, String> {
        let looked: Vec<_> =
            stream::iter(cases.iter().copied()).map(record).buffered(jobs.max(1)).collect().await;
        let wrong: Vec<&str> =
            looked.iter().filter_map(|seen| seen.as_ref().err()).map(String::as_str).collect();
        if !wrong.is_empty() {
            return Err(format!("an unchanged mock behind the proxy does not pass:\n{}", wrong.join("\n")));
        }
        Ok(Self { targets: looked.into_iter().flatten().collect(), jobs })
    }

    /// Without recordings: every case is run against every mutant.
    pub fn unprepared(cases: &[Case], jobs: usize) -> Self {
        let target = |case: &Case| Target { case: *case, calls: Vec::new(), slow: false };
        Self { targets: cases.iter().map(target).collect(), jobs }
    }

    /// The cases that take too long for a smoke run.
    pub fn slow(&self) -> impl Iterator<Item = String> {
        self.targets.iter().filter(|target| target.slow).map(|target| target.case.id.to_owned())
    }

    /// Runs every case that a mutant can affect against it, bulk cases only for defects of real builds; `tell` gets each
    /// result.
    pub async fn all_kills(&self, mutants: &[Mutant], mut tell: impl FnMut(&Mutant, Row)) {
        let rows = stream::iter(mutants).map(|mutant| async move { (mutant, self.kills(mutant).await) });
        let mut rows = std::pin::pin!(rows.buffer_unordered(self.jobs.max(1)));
        while let Some((mutant, row)) = rows.next().await {
            tell(mutant, row);
        }
    }

    async fn kills(&self, mutant: &Mutant) -> Row {
        let bulky = matches!(mutant.change, Change::Defect(_));
        let shows = |target: &&Target| (bulky || !target.case.bulk) && mutant.change.shows_in(&target.calls);
        let cases: Vec<Case> = self.targets.iter().filter(shows).map(|target| target.case).collect();
        let mut row = Row { id: mutant.id.to_owned(), bug: mutant.bug.to_owned(), ..Row::default() };
        let config = config(Mutated::by(mutant.change), cases);
        let stop = config.stop.clone();
        runner::run(config, &mut |event| {
            if let Event::Finished(outcome) = event {
                add(&mut row, outcome);
                if row.noticed > GROSS {
                    stop.cancel();
                }
            }
        })
        .await;
        row
    }

    /// Runs cases against each mutant until one fails: those that caught it last time, then those that timed out, then
    /// all others except bulk cases; `tell` gets each result.
    pub async fn first_kills(
        &self,
        mutants: &[Mutant],
        last: &Matrix,
        mut tell: impl FnMut(&FirstKill),
    ) -> Vec<FirstKill> {
        let found = stream::iter(mutants).map(|mutant| self.first_kill(mutant, last));
        let mut found = std::pin::pin!(found.buffer_unordered(self.jobs.max(1)));
        let mut all = Vec::new();
        while let Some(first) = found.next().await {
            tell(&first);
            all.push(first);
        }
        all
    }

    async fn first_kill(&self, mutant: &Mutant, last: &Matrix) -> FirstKill {
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
        let mut first = FirstKill { id: mutant.id, by: None, inconclusive: Vec::new(), tried: 0 };
        for case in order {
            first.tried += 1;
            for Outcome { verdict, .. } in run(mutant.change, vec![case]).await.outcomes {
                match verdict {
                    Verdict::Fail(_) => first.by = Some(case.id),
                    Verdict::Inconclusive(why) => first.inconclusive.push(format!("{}: {why}", case.id)),
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
    conformance::run(config(Mutated::by(change), cases)).await
}

fn config(mutated: Mutated, cases: Vec<Case>) -> Config {
    let claims = Claims::generation(2);
    // The clock that such a case changes is a mock's own.
    Config { claims, case_deadline: DEADLINE, disposable: true, ..Config::new(Arc::new(mutated), cases) }
}

/// Records a case, again if it does not pass: on a busy machine one of hundreds may be late.
async fn record(case: Case) -> Result<Target, String> {
    let mut last = String::new();
    for _ in 0..RECORDINGS {
        match record_once(case).await {
            Ok(target) => return Ok(target),
            Err(why) => last = why,
        }
    }
    Err(last)
}

async fn record_once(case: Case) -> Result<Target, String> {
    let (mutated, record) = Mutated::recording();
    let report =
        conformance::run(Config { case_deadline: RECORDING_DEADLINE, ..config(mutated, vec![case]) }).await;
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

/// Adds a verdict to a row.
fn add(row: &mut Row, outcome: &Outcome) {
    let id = outcome.case.id.to_owned();
    match &outcome.verdict {
        Verdict::Pass | Verdict::Unsupported(_) => return,
        Verdict::Fail(_) if by_claim(outcome) => drop(row.caught.insert(id)),
        Verdict::Fail(_) => drop(row.late.insert(id)),
        _ => {}
    }
    row.noticed += 1;
}

/// Whether the claim failed, as opposed to a timeout.
fn by_claim(outcome: &Outcome) -> bool {
    let Verdict::Fail(finding) = &outcome.verdict else { return false };
    let waited =
        finding.expected.contains(" within ") || finding.observed.contains("did not all come within");
    !waited && !finding.step.is_empty() && finding.expected != UNFINISHED
}
