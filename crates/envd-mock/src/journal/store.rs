//! Keeps the entries: in the order in which connections and calls came, each completed in place, within a bound.

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use super::entry::{CallEntry, ConnectionEntry, Decision, Done, Entry, Event, millis};
use super::note::{CallNote, ConnectionNote};
use super::tally::{CONNECTION, Known, Tally, UNKNOWN};
use crate::time::Time;

/// The journal of one mock.
#[derive(Debug)]
pub(crate) struct Journal {
    state: Mutex<State>,
    /// The most bytes that entries may take, roughly.
    limit: usize,
    pub(super) time: Time,
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
    tally: Tally,
    /// Whoever is still there from now on was not the one to leave.
    stopping: bool,
}

#[derive(Debug)]
struct Slot {
    entry: Entry,
    size: usize,
}

/// A part of the journal.
#[derive(Debug)]
pub(crate) struct Page {
    /// Each with its number, counted from 0 over all that ever were.
    pub(crate) entries: Vec<(u64, Entry)>,
    /// The number to go on from.
    pub(crate) next: u64,
    /// How many entries were dropped to keep the bound.
    pub(crate) dropped: u64,
}

/// Somebody who wants each entry once it is complete.
#[derive(Debug, Default)]
pub(crate) struct Follower {
    next: u64,
    /// Those that were seen and are not complete.
    open: BTreeSet<u64>,
    /// Nothing more will come.
    pub(crate) over: bool,
}

impl Follower {
    /// From the `from`th entry of all on.
    pub(crate) fn new(from: u64) -> Self {
        Self { next: from, ..Self::default() }
    }
}

impl Journal {
    pub(crate) fn new(limit: u64, time: Time) -> Arc<Self> {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        Arc::new(Self { state: Mutex::default(), limit, time, changed: watch::Sender::new(()) })
    }

    fn state(&self) -> MutexGuard<'_, State> {
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
        let number = state.push(Entry::Connection(entry), self.limit);
        drop(state);
        self.changed.send_replace(());
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
        let number = state.push(Entry::Call(Box::new(entry)), self.limit);
        drop(state);
        self.changed.send_replace(());
        Arc::new(CallNote::new(Arc::clone(self), number, started, known))
    }

    /// Enters something that happened to the mock itself.
    pub(crate) fn event(&self, event: impl Into<String>) {
        let event = Event { event: event.into(), at_ms: self.at() };
        self.state().push(Entry::Event(event), self.limit);
        self.changed.send_replace(());
    }

    /// All entries that are kept, from the `from`th of all on, and the number of the one behind the last.
    pub(crate) fn entries(&self, from: u64) -> (Vec<Entry>, u64) {
        let page = self.page(from, usize::MAX, |_| true);
        (page.entries.into_iter().map(|(_, entry)| entry).collect(), page.next)
    }

    /// The first `most` of the entries from the `from`th of all on that are wanted, each with its number.
    pub(crate) fn page(&self, from: u64, most: usize, wanted: impl Fn(&Entry) -> bool) -> Page {
        let state = self.state();
        let end = state.first + state.entries.len() as u64;
        let next = from.clamp(state.first, end);
        let mut page = Page { entries: Vec::new(), next, dropped: state.dropped };
        for (number, entry) in state.from(from) {
            if page.entries.len() >= most {
                break;
            }
            page.next = number + 1;
            if wanted(entry) {
                page.entries.push((number, entry.clone()));
            }
        }
        page
    }

    /// The entries that have become complete since this was asked the last time, or were dropped before that.
    pub(crate) fn completed(&self, follower: &mut Follower) -> Vec<(u64, Entry)> {
        let state = self.state();
        let new = state.from(follower.next).map(|(number, _)| number);
        follower.open.extend(new);
        follower.next = follower.next.max(state.first + state.entries.len() as u64);
        let mut completed = Vec::new();
        follower.open.retain(|number| match state.get(*number) {
            Some(entry) if entry.is_complete() => {
                completed.push((*number, entry.clone()));
                false
            }
            kept => kept.is_some(),
        });
        follower.over = state.stopping && follower.open.is_empty();
        completed
    }

    /// Totals, which no bound takes away.
    pub(crate) fn tally(&self) -> Tally {
        self.state().tally.clone()
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
        let Tally { open_connections, open_calls, .. } = state.tally;
        state.tally = Tally { open_connections, open_calls, ..Tally::default() };
    }

    /// Whatever ends from now on ends because the mock does.
    pub(crate) fn stop(&self) {
        self.state().stopping = true;
        self.changed.send_replace(());
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

    fn index(&self, number: u64) -> Option<usize> {
        let index = usize::try_from(number.checked_sub(self.first)?).ok()?;
        (index < self.entries.len()).then_some(index)
    }

    fn get(&self, number: u64) -> Option<&Entry> {
        self.index(number).map(|index| &self.entries[index].entry)
    }

    /// The entries from the `from`th of all on, each with its number.
    fn from(&self, from: u64) -> impl Iterator<Item = (u64, &Entry)> {
        let skip = usize::try_from(from.saturating_sub(self.first)).unwrap_or(usize::MAX);
        let first = self.first;
        self.entries
            .iter()
            .enumerate()
            .skip(skip)
            .map(move |(index, slot)| (first + index as u64, &slot.entry))
    }

    fn amend(&mut self, number: u64, change: impl FnOnce(Option<&mut Entry>, &mut Tally)) {
        let Some(index) = self.index(number) else { return change(None, &mut self.tally) };
        let slot = &mut self.entries[index];
        change(Some(&mut slot.entry), &mut self.tally);
        let size = size_of_entry(&slot.entry);
        self.bytes = self.bytes + size - slot.size;
        slot.size = size;
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
