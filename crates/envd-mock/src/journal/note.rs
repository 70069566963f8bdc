//! The notes that connections and calls carry about: each completes its own entry.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::entry::{CallEntry, ConnectionEntry, Done, Entry, millis};
use super::store::Journal;
use super::tally::Known;

/// How a call ended whose client left.
pub(crate) const ABANDONED: &str = "abandoned";

/// One connection's entry.
#[derive(Debug)]
pub(crate) struct ConnectionNote {
    journal: Arc<Journal>,
    number: u64,
    /// From 1.
    pub(crate) ordinal: u64,
    known: Known,
}

impl ConnectionNote {
    pub(super) fn new(journal: Arc<Journal>, number: u64, ordinal: u64, known: Known) -> Self {
        Self { journal, number, ordinal, known }
    }

    /// Notes what was done because of a rule.
    pub(crate) fn done(&self, rule: &str, what: impl Into<String>) {
        let done =
            Done { rule: rule.to_owned(), what: what.into(), envelope: None, at_ms: self.journal.at() };
        self.journal.amend(self.number, |entry, tally| {
            tally.done(&self.known, rule);
            if let Some(entry) = of_connection(entry) {
                entry.done.push(done);
            }
        });
    }

    /// Notes its end and what went through it.
    pub(crate) fn end(&self, end: &str, sent: u64, received: u64) {
        self.journal.amend(self.number, |entry, tally| {
            tally.open_connections -= 1;
            (tally.sent, tally.received) = (tally.sent + sent, tally.received + received);
            if let Some(entry) = of_connection(entry) {
                (entry.sent, entry.received, entry.end) = (sent, received, Some(end.to_owned()));
            }
        });
    }
}

fn of_connection(entry: Option<&mut Entry>) -> Option<&mut ConnectionEntry> {
    match entry? {
        Entry::Connection(connection) => Some(connection),
        _ => None,
    }
}

/// One call's entry; a call whose note is dropped was abandoned, unless its end was noted.
#[derive(Debug)]
pub(crate) struct CallNote {
    line: CallLine,
    started: Duration,
    ended: Mutex<bool>,
}

/// The place of a call in the journal, whether the call is still going on or not; cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct CallLine {
    journal: Arc<Journal>,
    number: u64,
    known: Arc<Known>,
}

impl CallLine {
    pub(crate) fn amend(&self, change: impl FnOnce(&mut CallEntry)) {
        self.journal.amend(self.number, |entry, _| {
            if let Some(call) = of_call(entry) {
                change(call);
            }
        });
    }

    /// Notes what was done because of a rule.
    pub(crate) fn done(&self, rule: &str, what: impl Into<String>, envelope: Option<u64>) {
        let done = Done { rule: rule.to_owned(), what: what.into(), envelope, at_ms: self.journal.at() };
        self.journal.amend(self.number, |entry, tally| {
            tally.done(&self.known, rule);
            if let Some(call) = of_call(entry) {
                call.done.push(done);
            }
        });
    }
}

fn of_call(entry: Option<&mut Entry>) -> Option<&mut CallEntry> {
    match entry? {
        Entry::Call(call) => Some(call),
        _ => None,
    }
}

impl CallNote {
    pub(super) fn new(journal: Arc<Journal>, number: u64, started: Duration, known: Known) -> Self {
        let line = CallLine { journal, number, known: Arc::new(known) };
        Self { line, started, ended: Mutex::new(false) }
    }

    /// For those who outlive the call.
    pub(crate) fn line(&self) -> CallLine {
        self.line.clone()
    }

    pub(crate) fn amend(&self, change: impl FnOnce(&mut CallEntry)) {
        self.line.amend(change);
    }

    /// Notes what was done because of a rule.
    pub(crate) fn done(&self, rule: &str, what: impl Into<String>, envelope: Option<u64>) {
        self.line.done(rule, what, envelope);
    }

    /// Milliseconds since the call came.
    pub(crate) fn elapsed(&self) -> f64 {
        millis(self.line.journal.time.now().saturating_sub(self.started))
    }

    /// Notes how it ended; the first who says so is right.
    pub(crate) fn end(&self, end: &str, change: impl FnOnce(&mut CallEntry)) {
        let mut ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        if std::mem::replace(&mut *ended, true) {
            return;
        }
        drop(ended);
        let took = self.elapsed();
        let CallLine { journal, number, known } = &self.line;
        let stopped = journal.is_stopping() && end == ABANDONED;
        let end = if stopped { "stopped" } else { end };
        journal.amend(*number, |entry, tally| {
            tally.open_calls -= 1;
            // What was dropped meanwhile is counted all the same.
            let mut gone = CallEntry::default();
            let call = of_call(entry).unwrap_or(&mut gone);
            change(call);
            (call.end, call.took_ms) = (Some(end.to_owned()), Some(took));
            tally.ended(&known.operation, call);
        });
    }
}

impl Drop for CallNote {
    fn drop(&mut self) {
        self.end(ABANDONED, |_| {});
    }
}
