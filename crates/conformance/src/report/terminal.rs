//! The report for people: every case that did not pass, with what was expected, what was seen, the wire and a command
//! that shows it again; then the sum.

use std::collections::BTreeMap;
use std::io::{self, Write};

use super::wire;
use crate::observation::Observation;
use crate::runner::{Event, Outcome, Summary};
use crate::verdict::{Finding, Verdict};

/// Writes to any stream.
#[derive(Debug)]
pub struct Terminal<W> {
    out: W,
    /// How many cases were skipped, by reason.
    skipped: BTreeMap<String, usize>,
}

impl<W: Write> Terminal<W> {
    /// A report to `out`.
    pub fn new(out: W) -> Self {
        Self { out, skipped: BTreeMap::new() }
    }

    /// Takes one event.
    ///
    /// # Errors
    /// When `out` cannot be written.
    pub fn event(&mut self, event: &Event) -> io::Result<()> {
        match event {
            Event::Began { subject, cases } => writeln!(self.out, "{cases} cases against {subject}"),
            Event::Finished(outcome) => self.finished(outcome),
            Event::Ended(summary) => self.ended(summary),
        }
    }

    fn finished(&mut self, outcome: &Outcome) -> io::Result<()> {
        let (out, id) = (&mut self.out, outcome.case.id);
        match &outcome.verdict {
            Verdict::Pass => Ok(()),
            Verdict::Fail(finding) => failure(out, outcome, finding),
            Verdict::Inconclusive(why) => writeln!(out, "\nINCONCLUSIVE {id}\n  {why}"),
            Verdict::Blocked(need) => writeln!(out, "blocked {id}: {need} did not pass"),
            Verdict::Skip(why) => {
                *self.skipped.entry(why.clone()).or_default() += 1;
                Ok(())
            }
        }
    }

    fn ended(&mut self, summary: &Summary) -> io::Result<()> {
        let Summary { passed, failed, advised, inconclusive, blocked, skipped, .. } = summary;
        if let Some(why) = &summary.broken {
            writeln!(self.out, "\nthe run ended early: {why}")?;
        }
        for (why, count) in &self.skipped {
            writeln!(self.out, "skipped {count}: {why}")?;
        }
        let verdict = match summary.exit_code() {
            0 => "conforms",
            1 => "does not conform",
            _ => "cannot be told",
        };
        writeln!(
            self.out,
            "\n{verdict}: {passed} passed, {failed} failed, {advised} failed that only should hold, {inconclusive} \
             inconclusive, {blocked} blocked, {skipped} skipped, in {:.1} s",
            summary.took.as_secs_f64()
        )
    }
}

fn failure(out: &mut impl Write, outcome: &Outcome, finding: &Finding) -> io::Result<()> {
    let case = &outcome.case;
    writeln!(out, "\nFAIL {} ({}, {})", case.id, case.level.word(), case.source)?;
    for (name, text) in [
        ("requirement", case.requirement),
        ("why", case.why),
        ("expected", &finding.expected),
        ("observed", &finding.observed),
    ] {
        writeln!(out, "  {:<12} {text}", format!("{name}:"))?;
    }
    for line in evidence(&outcome.observation, finding) {
        writeln!(out, "  {line}")?;
    }
    Ok(())
}

/// The wire of the step that a finding speaks of, and how to see it again.
pub(super) fn evidence(observation: &Observation, finding: &Finding) -> Vec<String> {
    let Some(at) = observation.steps.iter().position(|step| step.label == finding.step) else {
        return Vec::new();
    };
    let exchange = &observation.steps[at].exchange;
    let mut out = vec![format!("step {:?}:", finding.step)];
    out.extend(wire::lines(exchange).into_iter().map(|line| format!("  {line}")));
    if let Some(curl) = wire::curl(exchange) {
        let before = if at == 0 { "" } else { " (after the steps before it)" };
        out.push(format!("see it again{before}:"));
        out.push(format!("  {curl}"));
    }
    out
}
