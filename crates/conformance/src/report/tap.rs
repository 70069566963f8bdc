//! The report in version 14 of the Test Anything Protocol.

use std::io::{self, Write};

use crate::runner::{Event, Outcome};
use crate::verdict::Verdict;

/// Writes to any stream.
#[derive(Debug)]
pub struct Tap<W> {
    out: W,
    count: usize,
}

impl<W: Write> Tap<W> {
    /// A report to `out`.
    pub fn new(out: W) -> Self {
        Self { out, count: 0 }
    }

    /// Takes one event.
    ///
    /// # Errors
    /// When `out` cannot be written.
    pub fn event(&mut self, event: &Event) -> io::Result<()> {
        match event {
            Event::Began(began) => writeln!(self.out, "TAP version 14\n1..{}", began.cases)?,
            Event::Started { .. } => return Ok(()),
            Event::Finished(outcome) => self.point(outcome)?,
            Event::Ended(summary) => {
                if let Some(why) = &summary.broken {
                    writeln!(self.out, "Bail out! {}", plain(why))?;
                }
            }
        }
        self.out.flush()
    }

    fn point(&mut self, outcome: &Outcome) -> io::Result<()> {
        self.count += 1;
        let message = plain(&outcome.verdict.message());
        let (ok, directive) = match (&outcome.verdict, &outcome.known) {
            (Verdict::Fail(_) | Verdict::Inconclusive(_), Some(reason)) => {
                ("not ok", format!(" # TODO known: {}", plain(reason)))
            }
            (Verdict::Pass, _) => ("ok", String::new()),
            (Verdict::Fail(_) | Verdict::Inconclusive(_), None) => ("not ok", String::new()),
            (verdict, _) => ("ok", format!(" # SKIP {}: {message}", verdict.word())),
        };
        writeln!(self.out, "{ok} {} - {}{directive}", self.count, outcome.case.id)?;
        if ok == "not ok" {
            let message = serde_json::to_string(&message)?;
            let (verdict, level) = (outcome.verdict.word(), outcome.case.level.word());
            writeln!(self.out, "  ---\n  verdict: {verdict}\n  level: {level}\n  message: {message}\n  ...")?;
        }
        Ok(())
    }
}

/// On one line, without what would begin a directive.
fn plain(text: &str) -> String {
    text.replace('\n', " ").replace('#', "\\#")
}
