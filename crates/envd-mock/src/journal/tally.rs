//! Totals that stay when entries go: what ended how, what was done because of which rule, what nobody knew. Bounded,
//! since clients choose some of the words.

use std::collections::{BTreeMap, BTreeSet};

use super::entry::{CallEntry, Decision};

/// More different words than these are counted under one.
const MOST: usize = 4096;
/// So many of a kind are told apart in a list.
const LISTED: usize = 100;
/// What is counted under when there are too many words.
const OTHERS: &str = "(others)";
/// The operation of requests that no route knows.
pub(super) const UNKNOWN: &str = "(unknown)";
/// The operation of what happens to connections.
pub(crate) const CONNECTION: &str = "connection";

/// How often what happened, since the start or the last reset.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tally {
    /// Calls by operation and end.
    pub(crate) calls: BTreeMap<(String, String), u64>,
    /// Faults that were done, by rule and kind.
    pub(crate) faults: BTreeMap<(String, String), u64>,
    /// Faults that were done, by operation and kind.
    pub(crate) fired: BTreeSet<(String, String)>,
    pub(crate) connections: u64,
    pub(crate) open_connections: u64,
    /// Calls that have not ended.
    pub(crate) open_calls: u64,
    /// Bytes towards peers, over connections that have ended.
    pub(crate) sent: u64,
    /// Bytes from peers, over connections that have ended.
    pub(crate) received: u64,
    /// Requests that no route knows.
    pub(crate) unknown: Listed,
    /// Calls that the client left and should not have.
    pub(crate) abandoned: Listed,
}

/// Things of one sort, the first of them by name.
#[derive(Debug, Clone, Default)]
pub(crate) struct Listed {
    pub(crate) count: u64,
    pub(crate) first: Vec<String>,
}

impl Listed {
    fn add(&mut self, what: String) {
        self.count += 1;
        if self.first.len() < LISTED && !self.first.contains(&what) {
            self.first.push(what);
        }
    }
}

/// What the tally has to know of a call or connection whose entry may be gone.
#[derive(Debug, Default)]
pub(super) struct Known {
    pub(super) operation: String,
    /// Rules that were chosen, each with the kind of its fault.
    kinds: Vec<(String, String)>,
}

impl Known {
    pub(super) fn of(operation: &str, decisions: &[Decision]) -> Self {
        let kind = |decision: &Decision| {
            let word = decision.fault.split(' ').next().unwrap_or_default();
            (decision.rule.clone(), word.to_owned())
        };
        Self { operation: operation.to_owned(), kinds: decisions.iter().map(kind).collect() }
    }
}

impl Tally {
    /// A fault of this rule was done.
    pub(super) fn done(&mut self, known: &Known, rule: &str) {
        let Some(pair) = known.kinds.iter().find(|(name, _)| name == rule) else { return };
        add(&mut self.faults, pair);
        if self.fired.len() < MOST {
            self.fired.insert((known.operation.clone(), pair.1.clone()));
        }
    }

    pub(super) fn came(&mut self, call: &CallEntry) {
        if !call.known {
            self.unknown.add(call.operation.clone());
        }
    }

    /// A call has ended; its entry says how.
    pub(super) fn ended(&mut self, operation: &str, call: &CallEntry) {
        let end = call.end.as_deref().unwrap_or_default();
        add(&mut self.calls, &(operation.to_owned(), end.to_owned()));
        if end == super::ABANDONED && !was_meant(operation, call) {
            self.abandoned.add(format!("{operation} (call {})", call.call));
        }
    }
}

/// Whether a client may leave such a call: something went wrong on purpose, or a process was started or found, and lives
/// on by itself.
fn was_meant(operation: &str, call: &CallEntry) -> bool {
    let process = matches!(operation, "process.Process/Start" | "process.Process/Connect");
    let begun = call.sent.envelopes.is_some_and(|envelopes| envelopes > 0);
    !call.done.is_empty() || (process && begun)
}

fn add(counts: &mut BTreeMap<(String, String), u64>, pair: &(String, String)) {
    if let Some(count) = counts.get_mut(pair) {
        *count += 1;
    } else {
        let pair = if counts.len() < MOST { pair.clone() } else { (OTHERS.to_owned(), pair.1.clone()) };
        *counts.entry(pair).or_default() += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::Size;

    fn left(operation: &str, envelopes: Option<u64>) -> Listed {
        let mut tally = Tally::default();
        let sent = Size { bytes: 9, envelopes };
        let end = Some(crate::journal::ABANDONED.to_owned());
        tally.ended(operation, &CallEntry { call: 4, sent, end, ..CallEntry::default() });
        tally.abandoned
    }

    #[test]
    fn a_start_may_be_left_after_its_first_event() {
        assert_eq!(left("process.Process/Start", Some(1)).count, 0);
        assert_eq!(left("process.Process/Start", Some(0)).first, ["process.Process/Start (call 4)"]);
        assert_eq!(left("filesystem.Filesystem/WatchDir", Some(1)).count, 1);
        assert_eq!(left("GET /files", None).count, 1);
    }

    #[test]
    fn words_that_clients_choose_are_bounded() {
        let mut tally = Tally::default();
        for n in 0..10_000 {
            let end = Some("complete".to_owned());
            let call = CallEntry { operation: format!("GET /{n}"), end, ..CallEntry::default() };
            tally.came(&call);
            tally.ended(&call.operation, &call);
        }
        assert_eq!((tally.unknown.count, tally.unknown.first.len()), (10_000, LISTED));
        assert_eq!(tally.calls.len(), MOST + 1);
        assert_eq!(tally.calls.values().sum::<u64>(), 10_000);
    }
}
