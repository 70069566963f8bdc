//! The report for people: every case that did not pass, with what was expected, what was seen, the wire and a command
//! that shows it again; then the sum.

use std::collections::BTreeMap;
use std::io::{self, Write};

use super::progress::Progress;
use super::wire;
use crate::matrix::{Nearest, NearestMutant};
use crate::observation::Observation;
use crate::runner::{Began, Event, Outcome, Summary};
use crate::verdict::{Finding, Verdict};

/// Writes to any stream.
#[derive(Debug)]
pub struct Terminal<W> {
    out: W,
    progress: Progress,
    /// How many cases were not run, by verdict and reason.
    unrun: BTreeMap<String, usize>,
    nearest: NearestMutant,
}

impl<W: Write> Terminal<W> {
    /// A report to `out`.
    pub fn new(out: W) -> Self {
        Self {
            out,
            progress: Progress::new(false),
            unrun: BTreeMap::new(),
            nearest: NearestMutant::default(),
        }
    }

    /// The same, with a bar on standard error that shows what runs now.
    pub fn with_bar(out: W) -> Self {
        Self { progress: Progress::new(true), ..Self::new(out) }
    }

    /// Takes one event.
    ///
    /// # Errors
    /// When `out` cannot be written.
    pub fn event(&mut self, event: &Event) -> io::Result<()> {
        self.progress.event(event);
        self.nearest.event(event);
        let Self { out, progress, unrun, nearest } = self;
        progress.aside(|| match event {
            Event::Began(began) => self::began(out, began),
            Event::Started { .. } => Ok(()),
            Event::Finished(outcome) => finished(out, unrun, outcome),
            Event::Ended(summary) => ended(out, unrun, nearest, summary),
        })
    }
}

fn began(out: &mut impl Write, began: &Began) -> io::Result<()> {
    let Began { subject, cases, profile, seed } = began;
    let drawn = seed.map(|seed| format!(", in the order of seed {seed}")).unwrap_or_default();
    writeln!(out, "{cases} cases against {subject}, generation {}{drawn}", profile.generation)?;
    for (feature, note) in &profile.notes {
        let has = if profile.features.contains(feature) { "has" } else { "lacks" };
        writeln!(out, "it {has} {}: {note}", feature.word())?;
    }
    Ok(())
}

fn finished(out: &mut impl Write, unrun: &mut BTreeMap<String, usize>, outcome: &Outcome) -> io::Result<()> {
    let (id, verdict) = (outcome.case.id, &outcome.verdict);
    if let Some(reason) = &outcome.known {
        *unrun.entry(format!("known ({}): {reason}", verdict.word())).or_default() += 1;
        return Ok(());
    }
    match verdict {
        Verdict::Pass => Ok(()),
        Verdict::Fail(finding) => failure(out, outcome, finding),
        Verdict::Inconclusive(why) => writeln!(out, "\nINCONCLUSIVE {id}\n  {why}"),
        Verdict::Blocked(need) => writeln!(out, "blocked {id}: {need} did not pass"),
        Verdict::Unsupported(_) | Verdict::Skip(_) => {
            *unrun.entry(format!("{}: {}", verdict.word(), verdict.message())).or_default() += 1;
            Ok(())
        }
    }
}

fn ended(
    out: &mut impl Write,
    unrun: &BTreeMap<String, usize>,
    nearest: &NearestMutant,
    summary: &Summary,
) -> io::Result<()> {
    if let Some(why) = &summary.broken {
        writeln!(out, "\nthe run ended early: {why}")?;
    }
    for (why, count) in unrun {
        writeln!(out, "{count} {why}")?;
    }
    for complaint in &summary.stale {
        writeln!(out, "known failures: {complaint}")?;
    }
    if let Some(Nearest { id, bug, similarity }) = nearest.nearest() {
        writeln!(out, "\nclosest known bug: {id}: {bug} (similarity {similarity:.2})")?;
    }
    let verdict = match summary.exit_code() {
        0 => "conforms",
        1 => "does not conform",
        _ => "cannot be told",
    };
    let Summary { passed, failed, advised, known, inconclusive, blocked, unsupported, skipped, .. } = summary;
    let (blocked, took) = (blocked + summary.blocked_by_known, summary.took.as_secs_f64());
    writeln!(
        out,
        "\n{verdict}: {passed} passed, {failed} failed, {advised} failed that need not hold, {known} known, \
         {inconclusive} inconclusive, {blocked} blocked, {unsupported} unsupported, {skipped} skipped, in {took:.1} s"
    )
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
    let (how, commands) = match (at, wire::script(&observation.steps[..=at]), wire::curl(exchange)) {
        (0, _, Some(curl)) => ("see it again:", curl),
        (_, Some(script), _) => ("see it again, with the steps before it:", script),
        (_, None, Some(curl)) => ("see it again (after the steps before it):", curl),
        (_, None, None) => return out,
    };
    out.push(how.to_owned());
    out.extend(commands.lines().map(|line| format!("  {line}")));
    out
}
