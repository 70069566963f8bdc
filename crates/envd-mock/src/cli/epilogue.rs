//! What is done when a run is over: the journal is written, a strict run is judged, and the line that runs it again is
//! printed.

use std::ffi::OsString;
use std::path::PathBuf;

use super::common::{Common, FAULTS};
use super::up::Up;

/// What a run leaves to be done at its end.
#[derive(Debug)]
pub struct Epilogue {
    journal: Option<PathBuf>,
    args: Vec<String>,
    /// The seed is among `args`.
    seeded: bool,
}

/// How a run ended: lines for stderr, and what the command exits with.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// What to print.
    pub lines: Vec<String>,
    /// 0, 1 when a strict run has complaints, 2 when the journal cannot be written.
    pub code: u8,
}

impl Epilogue {
    /// Of the run that this command line, the program's name first, describes.
    pub(super) fn new(common: &Common, args: impl IntoIterator<Item = OsString>) -> Self {
        let args = args.into_iter().skip(1).map(|arg| arg.to_string_lossy().into_owned()).collect();
        Self { journal: common.journal.clone(), args, seeded: common.is_seeded() }
    }

    /// Ends the run.
    pub async fn end(self, up: Up) -> Verdict {
        let faults = up.faults();
        let judged = up.finish().await;
        let mut verdict = Verdict::default();
        if let Some(file) = &self.journal
            && let Err(error) = std::fs::File::create(file).and_then(|file| faults.export_to(file))
        {
            verdict.lines.push(format!("cannot write the journal {}: {error}", file.display()));
            verdict.code = 2;
        }
        if let Err(report) = judged {
            verdict.lines.extend(report.to_string().lines().map(str::to_owned));
            verdict.lines.push(format!("run it again: {}", self.again(faults.script().seed)));
            verdict.code = 1;
        }
        verdict
    }

    /// The line that runs it again.
    fn again(&self, seed: u64) -> String {
        if let Some(file) = &self.journal {
            return format!("envd-mock replay {}", quoted(&file.to_string_lossy()));
        }
        let environment = std::env::var(FAULTS).map(|faults| format!("{FAULTS}={} ", quoted(&faults)));
        let args: String = self.args.iter().map(|arg| format!(" {}", quoted(arg))).collect();
        let seed = if self.seeded { String::new() } else { format!(" --seed {seed}") };
        format!("{}envd-mock{args}{seed}", environment.unwrap_or_default())
    }
}

/// As a shell reads it.
fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,@%+".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn again(journal: Option<&str>, args: &[&str], seeded: bool) -> String {
        let args = args.iter().map(|arg| (*arg).to_owned()).collect();
        Epilogue { journal: journal.map(PathBuf::from), args, seeded }.again(7)
    }

    #[test]
    fn the_line_to_paste_runs_it_again() {
        assert_eq!(again(Some("/tmp/a b.jsonl"), &["--strict"], false), "envd-mock replay '/tmp/a b.jsonl'");
        let args = ["--strict", "--fault", "GET /files name='x': cut"];
        assert_eq!(
            again(None, &args, false),
            r"envd-mock --strict --fault 'GET /files name='\''x'\'': cut' --seed 7"
        );
        assert_eq!(again(None, &["--seed", "3"], true), "envd-mock --seed 3");
    }
}
