//! The report for programs: one event a line, in JSON, as it happens. `docs/conformance.md` tells its schema.

use std::io::{self, BufRead as _, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::terminal::evidence;
use crate::matrix::{Nearest, NearestMutant};
use crate::runner::{Began, Event, Outcome, Summary};
use crate::verdict::Verdict;

/// Changes when a field changes its meaning or goes away.
pub const SCHEMA: u32 = 1;

/// Writes to any stream.
#[derive(Debug)]
pub struct Json<W> {
    out: W,
    nearest: NearestMutant,
}

/// What a report says of one case.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Record {
    /// The case.
    pub id: String,
    /// The repetition, from 0.
    pub round: usize,
    /// The first part of the id.
    pub area: String,
    /// must, should or may.
    pub level: String,
    /// Where the requirement comes from.
    pub source: String,
    /// The requirement.
    pub requirement: String,
    /// Words beside the id.
    pub tags: Vec<String>,
    /// pass, fail, inconclusive, blocked, unsupported or skip.
    pub verdict: String,
    /// What there is to say of it; empty for a pass.
    pub message: String,
    /// For a failure: the step that shows it.
    pub step: Option<String>,
    /// For a failure.
    pub expected: Option<String>,
    /// For a failure.
    pub observed: Option<String>,
    /// For a failure: the wire, and a command that shows it again.
    pub evidence: Vec<String>,
    /// The reason in the file of known failures.
    pub known: Option<String>,
    /// Whether it ran a second time, alone.
    pub again: bool,
    /// How long it took, in milliseconds.
    pub took_ms: f64,
}

impl Record {
    /// Of an outcome.
    pub fn of(outcome: &Outcome) -> Self {
        let case = &outcome.case;
        let finding = match &outcome.verdict {
            Verdict::Fail(finding) => Some(finding),
            _ => None,
        };
        Self {
            id: case.id.to_owned(),
            round: outcome.round,
            area: case.area().to_owned(),
            level: case.level.word().to_owned(),
            source: case.source.to_owned(),
            requirement: case.requirement.to_owned(),
            tags: case.tags.iter().map(|&tag| tag.to_owned()).collect(),
            verdict: outcome.verdict.word().to_owned(),
            message: outcome.verdict.message(),
            step: finding.map(|finding| finding.step.clone()),
            expected: finding.map(|finding| finding.expected.clone()),
            observed: finding.map(|finding| finding.observed.clone()),
            evidence: finding.map(|finding| evidence(&outcome.observation, finding)).unwrap_or_default(),
            known: outcome.known.clone(),
            again: outcome.earlier.is_some(),
            took_ms: outcome.took.as_secs_f64() * 1000.0,
        }
    }
}

impl<W: Write> Json<W> {
    /// A report to `out`.
    pub fn new(out: W) -> Self {
        Self { out, nearest: NearestMutant::default() }
    }

    /// Takes one event.
    ///
    /// # Errors
    /// When `out` cannot be written.
    pub fn event(&mut self, event: &Event) -> io::Result<()> {
        self.nearest.event(event);
        let line = match event {
            Event::Began(began) => began_line(began),
            Event::Started { case, again } => json!({ "event": "started", "id": case, "again": again }),
            Event::Finished(outcome) => finished_line(outcome)?,
            Event::Ended(summary) => ended_line(summary, &self.nearest),
        };
        writeln!(self.out, "{line}")?;
        self.out.flush()
    }
}

fn began_line(began: &Began) -> Value {
    let Began { subject, cases, profile, seed } = began;
    let (generation, features) = (profile.generation, &profile.features);
    json!({
        "event": "began", "schema": SCHEMA, "kit": env!("CARGO_PKG_VERSION"), "subject": subject, "cases": cases,
        "generation": generation, "features": features, "seed": seed,
    })
}

fn finished_line(outcome: &Outcome) -> io::Result<Value> {
    let mut line = serde_json::to_value(Record::of(outcome))?;
    line["event"] = "finished".into();
    Ok(line)
}

fn ended_line(summary: &Summary, nearest: &NearestMutant) -> Value {
    let nearest = nearest
        .nearest()
        .map(|Nearest { id, bug, similarity }| json!({ "mutant": id, "bug": bug, "likeness": similarity }));
    let Summary { passed, failed, advised, known, inconclusive, blocked, blocked_by_known, .. } = summary;
    json!({
        "event": "ended", "exit_code": summary.exit_code(), "passed": passed, "failed": failed, "advised": advised,
        "known": known, "inconclusive": inconclusive, "blocked": blocked, "blocked_by_known": blocked_by_known,
        "unsupported": summary.unsupported, "skipped": summary.skipped, "stale": summary.stale,
        "broken": summary.broken, "looks_like": nearest, "took_ms": summary.took.as_secs_f64() * 1000.0,
    })
}

/// The cases of a report, in the order in which they ended.
///
/// # Errors
/// When the file cannot be read or is no report of this schema.
pub fn read(path: &Path) -> io::Result<Vec<Record>> {
    let bad = |why: String| io::Error::new(io::ErrorKind::InvalidData, format!("{}: {why}", path.display()));
    let file = std::fs::File::open(path).map_err(|error| bad(error.to_string()))?;
    let lines = io::BufReader::new(file).lines().map(|line| {
        let line: Value = serde_json::from_str(&line?).map_err(|error| bad(error.to_string()))?;
        Ok(line)
    });
    let lines = lines.collect::<io::Result<Vec<_>>>()?;
    let schema = lines.first().map(|line| line["schema"].clone()).unwrap_or_default();
    if schema != SCHEMA {
        return Err(bad(format!("expected a report of schema {SCHEMA}, found {schema}")));
    }
    let finished = lines.into_iter().filter(|line| line["event"] == "finished");
    finished.map(|line| serde_json::from_value(line).map_err(|error| bad(error.to_string()))).collect()
}
