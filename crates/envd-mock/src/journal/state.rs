//! The entries that are kept, by number: those that go on as they are, complete ones packed. The limit counts what both
//! take on the heap.

use std::collections::{HashMap, VecDeque};

use super::chunks::{Chunks, Place};
use super::entry::Entry;
use super::size;
use super::tally::Tally;

/// Entries of a block of places.
const BLOCK: usize = 256;
/// A map of entries that go on is made smaller when it has room for more than this and is nearly empty.
const ROOMY: usize = 1024;

type Block = Box<[Place; BLOCK]>;

#[derive(Debug)]
pub(super) struct State {
    /// Where each entry lies, from the block of `first` on.
    places: VecDeque<Block>,
    /// Entries that go on, which lie nowhere yet.
    open: HashMap<u64, Open>,
    /// Bytes that those take.
    open_size: usize,
    chunks: Chunks,
    limit: usize,
    /// The number of the first entry that is kept, from 0.
    pub(super) first: u64,
    /// The number of the next entry.
    pub(super) next: u64,
    pub(super) dropped: u64,
    pub(super) connections: u64,
    pub(super) calls: u64,
    pub(super) tally: Tally,
    /// Whoever is still there from now on was not the one to leave.
    pub(super) stopping: bool,
}

#[derive(Debug)]
struct Open {
    entry: Entry,
    size: usize,
}

impl State {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            places: VecDeque::new(),
            open: HashMap::new(),
            open_size: 0,
            chunks: Chunks::new(limit),
            limit,
            first: 0,
            next: 0,
            dropped: 0,
            connections: 0,
            calls: 0,
            tally: Tally::default(),
            stopping: false,
        }
    }

    /// Bytes on the heap.
    pub(super) fn size(&self) -> usize {
        let blocks = self.places.len() * size::of_heap(size_of::<[Place; BLOCK]>());
        let list = self.places.capacity() * size_of::<Block>();
        let map = self.open.capacity() / 7 * 8 * (size_of::<(u64, Open)>() + 1);
        self.chunks.size() + self.open_size + map + blocks + list
    }

    /// Enters an entry; its number.
    pub(super) fn push(&mut self, entry: Entry) -> u64 {
        let number = self.next;
        self.next += 1;
        while self.places.len() <= self.block(number) {
            self.places.push_back(Box::new([Place::NONE; BLOCK]));
        }
        self.put(number, entry);
        self.shrink();
        number
    }

    /// Changes an entry, if it is still kept, and the totals with it.
    pub(super) fn amend(&mut self, number: u64, change: impl FnOnce(Option<&mut Entry>, &mut Tally)) {
        if let Some(open) = self.open.get_mut(&number) {
            change(Some(&mut open.entry), &mut self.tally);
            if !open.entry.is_complete() {
                let size = size::of_entry(&open.entry);
                self.open_size = self.open_size + size - open.size;
                open.size = size;
                return self.shrink();
            }
            if let Some(entry) = self.close(number) {
                self.put(number, entry);
            }
        } else if let Some(mut entry) = self.take(number) {
            change(Some(&mut entry), &mut self.tally);
            self.put(number, entry);
        } else {
            return change(None, &mut self.tally);
        }
        self.shrink();
    }

    /// A copy of an entry, if it is still kept.
    pub(super) fn get(&self, number: u64) -> Option<Entry> {
        match self.place(number)? {
            Place::NONE => self.open.get(&number).map(|open| open.entry.clone()),
            place => self.chunks.get(place),
        }
    }

    /// Whether an entry is kept and goes on.
    pub(super) fn is_open(&self, number: u64) -> bool {
        self.open.contains_key(&number)
    }

    /// Forgets all entries; numbers go on.
    pub(super) fn clear(&mut self) {
        self.first = self.next;
        self.places = VecDeque::new();
        self.open = HashMap::new();
        self.open_size = 0;
        self.chunks.clear();
    }

    fn put(&mut self, number: u64, entry: Entry) {
        let place = if entry.is_complete() {
            self.chunks.push(&entry)
        } else {
            let size = size::of_entry(&entry);
            self.open_size += size;
            self.open.insert(number, Open { entry, size });
            Place::NONE
        };
        let block = self.block(number);
        if let Some(block) = self.places.get_mut(block) {
            block[number as usize % BLOCK] = place;
        }
    }

    /// Takes an entry out, to put another one in its place.
    fn take(&mut self, number: u64) -> Option<Entry> {
        match self.place(number)? {
            Place::NONE => self.close(number),
            place => {
                let entry = self.chunks.get(place);
                self.chunks.release(place);
                entry
            }
        }
    }

    /// Takes out an entry that goes on.
    fn close(&mut self, number: u64) -> Option<Entry> {
        let open = self.open.remove(&number)?;
        self.open_size -= open.size;
        if self.open.capacity() > ROOMY && self.open.len() * 8 < self.open.capacity() {
            self.open.shrink_to(2 * self.open.len());
        }
        Some(open.entry)
    }

    fn shrink(&mut self) {
        while self.size() > self.limit && self.next - self.first > 1 {
            self.drop_first();
            self.dropped += 1;
        }
    }

    fn drop_first(&mut self) {
        match self.place(self.first) {
            Some(Place::NONE) => drop(self.close(self.first)),
            Some(place) => self.chunks.release(place),
            None => {}
        }
        self.first += 1;
        if self.first.is_multiple_of(BLOCK as u64) {
            self.places.pop_front();
        }
    }

    fn place(&self, number: u64) -> Option<Place> {
        if !(self.first..self.next).contains(&number) {
            return None;
        }
        self.places.get(self.block(number)).map(|block| block[number as usize % BLOCK])
    }

    /// The index of the block of a number that is not below `first`.
    fn block(&self, number: u64) -> usize {
        (number / BLOCK as u64 - self.first / BLOCK as u64) as usize
    }
}
