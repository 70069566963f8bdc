//! Keeps the entries: in the order in which connections and calls came, each completed in place, within a bound.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use super::entry::{CallEntry, ConnectionEntry, Decision, Done, Entry, Event, millis};
use crate::time::Time;

/// How a call ended whose client left.
pub(crate) const ABANDONED: &str = "abandoned";

/// The journal of one mock.
#[derive(Debug)]
pub(crate) struct Journal {
    state: Mutex<State>,
    /// The most bytes that entries may take, roughly.
    limit: usize,
    time: Time,
    /// Told at each change.
    changed: watch::Sender<()>,
}

#[derive(Debug, Default)]
struct State {
    entries: VecDeque<Slot>,
    /// The number of the first entry that is kept, from 0.
    first: u64,
    bytes: usize,
    dropped: u64,
    connections: u64,
    calls: u64,
    /// Calls that have not ended.
    open: u64,
    /// Whoever is still there from now on was not the one to leave.
    stopping: bool,
}

#[derive(Debug)]
struct Slot {
    entry: Entry,
    size: usize,
}

impl Journal {
    pub(crate) fn new(limit: u64, time: Time) -> Arc<Self> {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        Arc::new(Self { state: Mutex::default(), limit, time, changed: watch::Sender::new(()) })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn at(&self) -> f64 {
        millis(self.time.now())
    }

    /// Enters a connection; its ordinal is in the note.
    pub(crate) fn connection(self: &Arc<Self>, peer: String) -> ConnectionNote {
        let at_ms = self.at();
        let mut state = self.state();
        state.connections += 1;
        let ordinal = state.connections;
        let entry = ConnectionEntry { connection: ordinal, peer, at_ms, ..Default::default() };
        let number = state.push(Entry::Connection(entry), self.limit);
        drop(state);
        self.changed.send_replace(());
        ConnectionNote { journal: Arc::clone(self), number, ordinal }
    }

    /// Enters a call; `entry` has everything but its ordinal and time.
    pub(crate) fn call(self: &Arc<Self>, mut entry: CallEntry) -> Arc<CallNote> {
        let started = self.time.now();
        entry.at_ms = millis(started);
        let mut state = self.state();
        state.calls += 1;
        state.open += 1;
        entry.call = state.calls;
        let number = state.push(Entry::Call(Box::new(entry)), self.limit);
        drop(state);
        self.changed.send_replace(());
        let line = CallLine { journal: Arc::clone(self), number };
        Arc::new(CallNote { line, started, ended: Mutex::new(false) })
    }

    /// Enters something that happened to the mock itself.
    pub(crate) fn event(&self, event: impl Into<String>) {
        let event = Event { event: event.into(), at_ms: self.at() };
        self.state().push(Entry::Event(event), self.limit);
        self.changed.send_replace(());
    }

    /// All entries that are kept, from the `from`th of all on, and the number of the one behind the last.
    pub(crate) fn entries(&self, from: u64) -> (Vec<Entry>, u64) {
        let state = self.state();
        let skip = usize::try_from(from.saturating_sub(state.first)).unwrap_or(usize::MAX);
        let entries: Vec<Entry> = state.entries.iter().skip(skip).map(|slot| slot.entry.clone()).collect();
        (entries, state.first + state.entries.len() as u64)
    }

    /// How many entries were dropped to keep the bound.
    pub(crate) fn dropped(&self) -> u64 {
        self.state().dropped
    }

    /// Bytes that the entries take, roughly.
    pub(crate) fn size(&self) -> usize {
        self.state().bytes
    }

    /// Forgets all entries; ordinals go on.
    pub(crate) fn clear(&self) {
        let mut state = self.state();
        state.first += state.entries.len() as u64;
        state.entries.clear();
        state.bytes = 0;
        drop(state);
        self.changed.send_replace(());
    }

    /// Forgets all entries and counts from 1 again.
    pub(crate) fn reset(&self) {
        self.clear();
        let mut state = self.state();
        (state.connections, state.calls, state.dropped) = (0, 0, 0);
    }

    /// Whatever ends from now on ends because the mock does.
    pub(crate) fn stop(&self) {
        self.state().stopping = true;
    }

    /// Told at each change of any entry.
    pub(crate) fn changes(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    /// Waits until no call is going on, at most so long (real time); false when some still are.
    pub(crate) async fn settled(&self, longest: Duration) -> bool {
        let mut changes = self.changes();
        let quiet = async {
            // The sender lives as long as `self`.
            while self.state().open > 0 && changes.changed().await.is_ok() {}
        };
        tokio::time::timeout(longest, quiet).await.is_ok()
    }

    fn amend(&self, number: u64, change: impl FnOnce(&mut Entry)) {
        let mut state = self.state();
        state.amend(number, change);
        state.shrink(self.limit);
        drop(state);
        self.changed.send_replace(());
    }
}

impl State {
    fn push(&mut self, entry: Entry, limit: usize) -> u64 {
        let size = size_of_entry(&entry);
        self.entries.push_back(Slot { entry, size });
        self.bytes += size;
        self.shrink(limit);
        self.first + self.entries.len() as u64 - 1
    }

    fn shrink(&mut self, limit: usize) {
        while self.bytes > limit && self.entries.len() > 1 {
            let Some(slot) = self.entries.pop_front() else { return };
            self.bytes -= slot.size;
            self.first += 1;
            self.dropped += 1;
        }
    }

    fn amend(&mut self, number: u64, change: impl FnOnce(&mut Entry)) {
        let Some(index) = number.checked_sub(self.first).and_then(|index| usize::try_from(index).ok()) else {
            return;
        };
        if let Some(slot) = self.entries.get_mut(index) {
            change(&mut slot.entry);
            let size = size_of_entry(&slot.entry);
            self.bytes = self.bytes + size - slot.size;
            slot.size = size;
        }
    }
}

/// What an entry takes in memory, roughly: its texts, and a little for each part.
fn size_of_entry(entry: &Entry) -> usize {
    const PART: usize = 64;
    let decisions =
        |all: &[Decision]| all.iter().map(|one| one.rule.len() + one.fault.len() + 2 * PART).sum::<usize>();
    let done = |all: &[Done]| all.iter().map(|one| one.rule.len() + one.what.len() + 2 * PART).sum::<usize>();
    match entry {
        Entry::Connection(one) => 4 * PART + one.peer.len() + decisions(&one.decisions) + done(&one.done),
        Entry::Call(one) => {
            let headers: usize =
                one.headers.iter().map(|(name, value)| name.len() + value.len() + PART).sum();
            let texts = one.operation.len()
                + one.target.len()
                + one.name.as_ref().map_or(0, String::len)
                + [&one.path, &one.tag, &one.command].into_iter().flatten().map(String::len).sum::<usize>()
                + one.bodies.as_ref().map_or(0, |bodies| bodies.iter().map(String::len).sum());
            8 * PART + texts + headers + decisions(&one.decisions) + done(&one.done)
        }
        Entry::Event(one) => 2 * PART + one.event.len(),
    }
}

/// One connection's entry.
#[derive(Debug)]
pub(crate) struct ConnectionNote {
    journal: Arc<Journal>,
    number: u64,
    /// From 1.
    pub(crate) ordinal: u64,
}

impl ConnectionNote {
    pub(crate) fn amend(&self, change: impl FnOnce(&mut ConnectionEntry)) {
        self.journal.amend(self.number, |entry| {
            if let Entry::Connection(connection) = entry {
                change(connection);
            }
        });
    }

    /// Notes what was done because of a rule.
    pub(crate) fn done(&self, rule: &str, what: impl Into<String>) {
        let done =
            Done { rule: rule.to_owned(), what: what.into(), envelope: None, at_ms: self.journal.at() };
        self.amend(|connection| connection.done.push(done));
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
}

impl CallLine {
    pub(crate) fn amend(&self, change: impl FnOnce(&mut CallEntry)) {
        self.journal.amend(self.number, |entry| {
            if let Entry::Call(call) = entry {
                change(call);
            }
        });
    }

    /// Notes what was done because of a rule.
    pub(crate) fn done(&self, rule: &str, what: impl Into<String>, envelope: Option<u64>) {
        let done = Done { rule: rule.to_owned(), what: what.into(), envelope, at_ms: self.journal.at() };
        self.amend(|call| call.done.push(done));
    }
}

impl CallNote {
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
        let mut state = self.line.journal.state();
        state.open -= 1;
        let end = if state.stopping && end == ABANDONED { "stopped" } else { end };
        drop(state);
        self.amend(|call| {
            change(call);
            (call.end, call.took_ms) = (Some(end.to_owned()), Some(took));
        });
    }
}

impl Drop for CallNote {
    fn drop(&mut self) {
        self.end(ABANDONED, |_| {});
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_go_first_and_are_counted() {
        let journal = Journal::new(100 * 1024, Time::default());
        for n in 0..10_000 {
            journal.event(format!("event {n}"));
        }
        assert!(journal.size() <= 100 * 1024);
        let (entries, next) = journal.entries(0);
        assert_eq!((journal.dropped() + entries.len() as u64, next), (10_000, 10_000));
        assert!(matches!(entries.last(), Some(Entry::Event(event)) if event.event == "event 9999"));
        assert_eq!(journal.entries(9_998).0.len(), 2);
    }

    #[tokio::test]
    async fn a_call_is_completed_in_place_and_once() {
        let journal = Journal::new(1 << 20, Time::default());
        let call = journal.call(CallEntry { operation: "GET /health".into(), ..Default::default() });
        assert!(!journal.settled(Duration::from_millis(1)).await);
        call.end("complete", |entry| entry.status = Some(200));
        call.end("aborted", |entry| entry.status = None);
        drop(call);
        assert!(journal.settled(Duration::from_secs(5)).await);
        let (entries, _) = journal.entries(0);
        let [Entry::Call(call)] = entries.as_slice() else { panic!("{entries:?}") };
        assert_eq!((call.call, call.status, call.end.as_deref()), (1, Some(200), Some("complete")));
    }
}
