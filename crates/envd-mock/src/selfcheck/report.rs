//! What a self-check found, for people and for programs. Decides nothing.

use std::fmt;
use std::time::Duration;

use serde_json::{Value, json};

use super::judge::Difference;
use super::row::{Protocol, Row};

/// A row that was checked on one protocol.
#[derive(Debug)]
pub(crate) struct Checked {
    pub(crate) row: Row,
    pub(crate) protocol: Protocol,
    /// Empty when all was as declared.
    pub(crate) findings: Vec<Finding>,
    pub(crate) took: Duration,
}

/// Something that is not as declared.
#[derive(Debug)]
pub(crate) struct Finding {
    /// "disarmed", "armed", "disarmed again", "journal".
    pub(crate) when: &'static str,
    pub(crate) one: Difference,
}

/// All of it.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) checked: Vec<Checked>,
    /// What the mocks logged above the level of debugging.
    pub(crate) log: Vec<String>,
    pub(crate) took: Duration,
}

impl Report {
    pub(crate) fn is_ok(&self) -> bool {
        self.log.is_empty() && self.failed() == 0
    }

    fn failed(&self) -> usize {
        self.checked.iter().filter(|one| !one.findings.is_empty()).count()
    }

    /// As `envd-mock self-check --json` prints it.
    pub(crate) fn to_json(&self) -> Value {
        let checks: Vec<Value> = self.checked.iter().map(Checked::to_json).collect();
        json!({
            "ok": self.is_ok(),
            "took_ms": millis(self.took),
            "checks": checks,
            "log": self.log,
        })
    }
}

impl Checked {
    fn to_json(&self) -> Value {
        let Row { of, kind, case, rules, .. } = self.row;
        let finding = |finding: &Finding| {
            let Difference { what, expected, seen } = &finding.one;
            json!({ "when": finding.when, "what": what, "expected": expected, "seen": seen })
        };
        json!({
            "of": of.to_string(),
            "kind": kind,
            "case": case,
            "rules": rules,
            "protocol": self.protocol.to_string(),
            "ok": self.findings.is_empty(),
            "findings": self.findings.iter().map(finding).collect::<Vec<_>>(),
            "took_ms": millis(self.took),
        })
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.checked.iter().try_for_each(|one| one.fmt(f))?;
        for line in &self.log {
            writeln!(f, "FAILED  the log: expected nothing above debug, seen {line}")?;
        }
        let (failed, all) = (self.failed(), self.checked.len());
        let took = self.took.as_secs_f64();
        writeln!(f, "self-check: {} of {all} as declared, {failed} not, {took:.1} s", all - failed)
    }
}

impl fmt::Display for Checked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Row { of, kind, case, rules, .. } = self.row;
        let word = if self.findings.is_empty() { "ok" } else { "FAILED" };
        let name = format!("{kind} {case}");
        writeln!(f, "{word:7} {:9} {of:10} {:48} {rules}", self.protocol.to_string(), name.trim_end())?;
        for Finding { when, one } in &self.findings {
            writeln!(f, "        {when}: {}: expected {}, seen {}", one.what, one.expected, one.seen)?;
        }
        Ok(())
    }
}
