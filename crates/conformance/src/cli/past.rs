//! `accept` and `regrade`: what is made of runs that are over.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use super::{Refusal, USAGE, print, untold, usage};
use crate::accept;
use crate::case::judge;
use crate::known::{Known, Lines};
use crate::report::{Saved, json, saved};
use crate::suites;

#[derive(Debug, clap::Args)]
pub(super) struct Accept {
    /// A report of `--json`; given more than once, each text is pinned to what all runs share.
    #[arg(long, value_name = "FILE", required = true)]
    report: Vec<PathBuf>,
    /// Why the failures are borne; those that the written file knows already keep their reasons.
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// The last day on which they are, such as 2027-01-31.
    #[arg(long, value_name = "DATE")]
    expires: Option<String>,
    /// Where to write; without it, standard output.
    #[arg(short, long, value_name = "FILE")]
    out: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
pub(super) struct Regrade {
    /// A directory that `--bundle` has written.
    bundle: PathBuf,
}

impl Accept {
    pub(super) fn done(self) -> Result<ExitCode, Refusal> {
        let reports: Vec<_> =
            self.report.iter().map(|path| json::read(path)).collect::<Result<_, _>>().map_err(usage)?;
        let lines = accept::lines(&reports, &self.reason, self.expires.as_deref());
        let lines = accept::keeping(lines, &self.old()?);
        // What is written must be what can be read.
        Known::of(lines.clone(), &suites::all(), jiff::civil::Date::MIN).map_err(usage)?;
        let text = toml::to_string(&lines).map_err(untold)?;
        match self.out {
            None => print(&text),
            Some(path) => {
                let failed = |error| untold(format!("cannot write {}: {error}", path.display()));
                std::fs::write(&path, text).map_err(failed)?;
                print(&format!("{} known failures in {}\n", lines.known.len(), path.display()))
            }
        }
    }
}

impl Accept {
    /// What the file to be written says already.
    fn old(&self) -> Result<Lines, Refusal> {
        let Some(path) = self.out.as_ref().filter(|path| path.exists()) else { return Ok(Lines::default()) };
        let bad = |error: String| usage(format!("{}: {error}", path.display()));
        let text = std::fs::read_to_string(path).map_err(|error| bad(error.to_string()))?;
        toml::from_str(&text).map_err(|error| bad(error.to_string()))
    }
}

impl Regrade {
    pub(super) fn done(self) -> Result<ExitCode, Refusal> {
        let bundle = saved(&self.bundle)
            .map_err(|error| Refusal { code: USAGE, text: format!("{}: {error}", self.bundle.display()) })?;
        if bundle.is_empty() {
            return Err(usage(format!("{} holds no transcript", self.bundle.display())));
        }
        let mut text = String::new();
        let mut sum = Sum::default();
        for saved in &bundle {
            sum.add(saved, &mut text);
        }
        let Sum { passed, failed, unclear, kept, .. } = sum;
        let _ =
            writeln!(text, "{passed} passed, {failed} failed, {unclear} inconclusive, {kept} were not run");
        print(&text)?;
        Ok(ExitCode::from(sum.exit_code()))
    }
}

#[derive(Default)]
struct Sum {
    passed: usize,
    failed: usize,
    failed_must: usize,
    unclear: usize,
    kept: usize,
}

impl Sum {
    fn add(&mut self, saved: &Saved, text: &mut String) {
        let record = &saved.record;
        let all = suites::all();
        let case = all.iter().find(|case| case.id == record.id);
        let Some(case) = case.filter(|_| !saved.observation.steps.is_empty()) else {
            self.kept += 1;
            return;
        };
        let verdict = judge(case, &saved.observation);
        match verdict.word() {
            "pass" => self.passed += 1,
            "fail" => {
                self.failed += 1;
                self.failed_must += usize::from(case.level.word() == "must" && record.known.is_none());
            }
            _ => self.unclear += 1,
        }
        let (word, before) = (verdict.word(), &record.verdict);
        if word != "pass" || word != before {
            let was = if word == before { String::new() } else { format!(" (was {before})") };
            let _ = writeln!(text, "{word}{was} {}: {}", case.id, verdict.message());
        }
    }

    fn exit_code(&self) -> u8 {
        match (self.failed_must, self.unclear, self.passed) {
            (0, 0, 1..) => 0,
            (0, _, _) => 3,
            _ => 1,
        }
    }
}
