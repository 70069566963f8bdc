//! Keeps the entries: in the order in which connections and calls came, each completed in place, within a bound.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use super::entry::{CallEntry, ConnectionEntry, Decision, Entry, Event, millis};
use super::note::{CallNote, ConnectionNote};
use super::state::State;
use super::tally::{CONNECTION, Known, Tally, UNKNOWN};
use crate::time::Time;

/// The journal of one mock.
#[derive(Debug)]
pub(crate) struct Journal {
    state: Mutex<State>,
    pub(super) time: Time,
    /// Told at each change.
    changed: watch::Sender<()>,
}

impl Journal {
    pub(crate) fn new(limit: u64, time: Time) -> Arc<Self> {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        Arc::new(Self { state: Mutex::new(State::new(limit)), time, changed: watch::Sender::new(()) })
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn at(&self) -> f64 {
        millis(self.time.now())
    }

    /// Enters a connection; its ordinal is in the note.
    pub(crate) fn connection(self: &Arc<Self>, peer: String, decisions: Vec<Decision>) -> ConnectionNote {
        let (at_ms, known) = (self.at(), Known::of(CONNECTION, &decisions));
        let mut state = self.state();
        state.connections += 1;
        (state.tally.connections, state.tally.open_connections) =
            (state.tally.connections + 1, state.tally.open_connections + 1);
        let ordinal = state.connections;
        let entry = ConnectionEntry { connection: ordinal, peer, at_ms, decisions, ..Default::default() };
        let number = state.push(Entry::Connection(entry));
        drop(state);
        self.tell_change();
        ConnectionNote::new(Arc::clone(self), number, ordinal, known)
    }

    /// Enters a call; `entry` has everything but its ordinal and time.
    pub(crate) fn call(self: &Arc<Self>, mut entry: CallEntry) -> Arc<CallNote> {
        let started = self.time.now();
        entry.at_ms = millis(started);
        let known = Known::of(if entry.known { &entry.operation } else { UNKNOWN }, &entry.decisions);
        let mut state = self.state();
        state.calls += 1;
        state.tally.open_calls += 1;
        state.tally.came(&entry);
        entry.call = state.calls;
        let number = state.push(Entry::Call(Box::new(entry)));
        drop(state);
        self.tell_change();
        Arc::new(CallNote::new(Arc::clone(self), number, started, known))
    }

    /// Enters something that happened to the mock itself.
    pub(crate) fn event(&self, event: impl Into<String>) {
        let event = Event { event: event.into(), at_ms: self.at() };
        self.state().push(Entry::Event(event));
        self.tell_change();
    }

    /// All entries that are kept, from the `from`th of all on, and the number of the one behind the last.
    pub(crate) fn entries(&self, from: u64) -> (Vec<Entry>, u64) {
        let mut cursor = self.cursor(from);
        let mut entries = Vec::new();
        loop {
            let part = self.read(&mut cursor);
            if part.is_empty() {
                return (entries, cursor.next());
            }
            entries.extend(part.into_iter().map(|(_, entry)| entry));
        }
    }

    /// Totals, which no bound takes away.
    pub(crate) fn tally(&self) -> Tally {
        self.state().tally.clone()
    }

    /// How many entries were dropped to keep the bound.
    pub(crate) fn dropped(&self) -> u64 {
        self.state().dropped
    }

    /// Bytes that the entries take on the heap.
    pub(crate) fn size(&self) -> usize {
        self.state().size()
    }

    /// Forgets all entries; ordinals go on.
    pub(crate) fn clear(&self) {
        self.state().clear();
        self.tell_change();
    }

    /// Forgets all entries and counts from 1 again.
    pub(crate) fn reset(&self) {
        self.clear();
        let mut state = self.state();
        (state.connections, state.calls, state.dropped) = (0, 0, 0);
        let Tally { open_connections, open_calls, .. } = state.tally;
        state.tally = Tally { open_connections, open_calls, ..Tally::default() };
    }

    /// Whatever ends from now on ends because the mock does.
    pub(crate) fn stop(&self) {
        self.state().stopping = true;
        self.tell_change();
    }

    /// Waking nobody is not free. A listener that subscribes after this has looked also reads the state after it was
    /// changed, because both happen under the lock or before it is taken.
    fn tell_change(&self) {
        if self.changed.receiver_count() > 0 {
            self.changed.send_replace(());
        }
    }

    /// Told at each change of any entry; subscribe first, then read.
    pub(crate) fn changes(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    /// Waits until no call is going on, at most so long (real time); false when some still are.
    pub(crate) async fn settled(&self, longest: Duration) -> bool {
        let mut changes = self.changes();
        let quiet = async {
            // The sender lives as long as `self`.
            while self.state().tally.open_calls > 0 && changes.changed().await.is_ok() {}
        };
        tokio::time::timeout(longest, quiet).await.is_ok()
    }

    /// Whether the mock is ending.
    pub(crate) fn is_stopping(&self) -> bool {
        self.state().stopping
    }

    /// Changes an entry, if it is still kept, and the totals with it.
    pub(super) fn amend(&self, number: u64, change: impl FnOnce(Option<&mut Entry>, &mut Tally)) {
        self.state().amend(number, change);
        self.tell_change();
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
        let call =
            journal.call(CallEntry { operation: "GET /health".into(), known: true, ..Default::default() });
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
