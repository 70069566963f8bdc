//! What a strict run does not let pass: a rule or a program that was of no use, a fault asked for in vain, a request that
//! nobody knew, a call that was left. Says so; judges nothing that the tally, the rules and the programs do not tell.

use std::fmt;

use serde::Serialize;

use crate::journal::Tally;
use crate::live::RuleReport;

/// How strict a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
#[non_exhaustive]
pub enum Strictness {
    /// Whatever happens is fine.
    #[default]
    Off,
    /// Each rule must fire (for a probability: be drawn), each program run, and each request be known.
    On,
    /// Moreover, no call may be left by its client, unless something was done to it on purpose; a `Start` or `Connect`
    /// may be, once it has begun.
    Abandoned,
}

impl From<bool> for Strictness {
    fn from(strict: bool) -> Self {
        if strict { Self::On } else { Self::Off }
    }
}

/// What a strict run found.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[non_exhaustive]
pub struct StrictReport {
    /// Rules that never fired or, for a probability, were never drawn.
    pub dead_rules: Vec<String>,
    /// Programs that never ran, by name.
    pub idle_programs: Vec<String>,
    /// Operations that were called with a header `X-Envd-Fault` while it was not honored, such as `GET /health`; the first
    /// hundred different ones.
    pub ignored_headers: Vec<String>,
    /// Requests that no route knows, such as `GET /nowhere`; the first hundred different ones.
    pub unknown: Vec<String>,
    /// Calls that were left, such as `GET /files (call 3)`; the first hundred.
    pub abandoned: Vec<String>,
}

impl StrictReport {
    pub(crate) fn new(
        strictness: Strictness,
        rules: Vec<RuleReport>,
        idle_programs: Vec<String>,
        ignored_headers: Vec<String>,
        tally: Tally,
    ) -> Self {
        if strictness == Strictness::Off {
            return Self::default();
        }
        let dead_rules = rules.into_iter().filter(|rule| rule.dead).map(told).collect();
        let abandoned = if strictness == Strictness::Abandoned { tally.abandoned.first } else { Vec::new() };
        Self { dead_rules, idle_programs, ignored_headers, unknown: tally.unknown.first, abandoned }
    }

    /// Whether there is nothing to complain about.
    pub fn is_clean(&self) -> bool {
        let lists =
            [&self.dead_rules, &self.idle_programs, &self.ignored_headers, &self.unknown, &self.abandoned];
        lists.into_iter().all(Vec::is_empty)
    }
}

/// A rule by its name, and by what it says where that is something else.
fn told(RuleReport { name, rule, .. }: RuleReport) -> String {
    let same = rule == name || rule.is_empty();
    if same { name } else { format!("{name} ({rule})") }
}

impl fmt::Display for StrictReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lists = [
            ("a rule that never fired", &self.dead_rules),
            ("a program that never ran", &self.idle_programs),
            ("X-Envd-Fault without --faults-from-header", &self.ignored_headers),
            ("a request that no route knows", &self.unknown),
            ("a call that its client left", &self.abandoned),
        ];
        let lines =
            lists.iter().flat_map(|(what, list)| list.iter().map(move |one| format!("{what}: {one}")));
        f.write_str(&lines.collect::<Vec<_>>().join("\n"))
    }
}

impl std::error::Error for StrictReport {}
