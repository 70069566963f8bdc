//! Reading a journal a part at a time: the lock is held for one part, and nobody holds more than that.

use std::collections::BTreeSet;

use super::entry::Entry;
use super::size;
use super::store::Journal;

/// The most entries of a part.
const MOST: usize = 256;
/// A part ends behind the entry with which it takes so many bytes.
const LARGEST: usize = 128 * 1024;

/// Entries, each with its number, counted from 0 over all that ever were.
pub(crate) type Part = Vec<(u64, Entry)>;

/// Somebody who reads all entries that there were when this was made.
#[derive(Debug)]
pub(crate) struct Cursor {
    next: u64,
    end: u64,
    missed: u64,
}

impl Cursor {
    /// The number to go on from.
    pub(crate) fn next(&self) -> u64 {
        self.next
    }

    /// How many entries were dropped before they were read.
    pub(crate) fn missed(&self) -> u64 {
        self.missed
    }

    /// Goes on with this entry of the last part.
    pub(crate) fn back_to(&mut self, number: u64) {
        self.next = self.next.min(number);
    }
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
    /// Begins to read at the `from`th entry of all, or at the first that is kept.
    pub(crate) fn cursor(&self, from: u64) -> Cursor {
        let state = self.state();
        Cursor { next: from.clamp(state.first, state.next), end: state.next, missed: 0 }
    }

    /// The next entries of a cursor; none once all were read.
    pub(crate) fn read(&self, cursor: &mut Cursor) -> Part {
        let state = self.state();
        let first = state.first.min(cursor.end);
        cursor.missed += first.saturating_sub(cursor.next);
        cursor.next = cursor.next.max(first);
        let (mut part, mut size) = (Vec::new(), 0);
        while cursor.next < cursor.end && part.len() < MOST && size < LARGEST {
            if let Some(entry) = state.get(cursor.next) {
                size += size::of_entry(&entry);
                part.push((cursor.next, entry));
            }
            cursor.next += 1;
        }
        part
    }

    /// Some of the entries that have become complete since this was asked the last time; none when there is no such entry at
    /// the moment.
    pub(crate) fn completed(&self, follower: &mut Follower) -> Part {
        let state = self.state();
        let (mut part, mut size, mut seen) = (Vec::new(), 0, Vec::new());
        let new = follower.next.max(state.first)..state.next;
        for number in follower.open.iter().copied().chain(new) {
            if part.len() >= MOST || size >= LARGEST {
                break;
            }
            seen.push(number);
            if state.is_open(number) {
                continue;
            }
            if let Some(entry) = state.get(number) {
                size += size::of_entry(&entry);
                part.push((number, entry));
            }
        }
        for number in seen {
            if state.is_open(number) {
                follower.open.insert(number);
            } else {
                follower.open.remove(&number);
            }
            follower.next = follower.next.max(number + 1);
        }
        follower.over = state.stopping && follower.open.is_empty() && follower.next >= state.next;
        part
    }
}
