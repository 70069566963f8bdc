//! Where packed entries lie: chunks of bytes, each allocated once, filled in the order in which entries are completed,
//! and freed once none of its entries is kept.

use std::collections::VecDeque;

use super::entry::Entry;
use super::pack::{Words, bound, pack, unpack};
use super::size::of_heap;

/// Large enough that allocators give chunks back to the system one by one.
const LARGEST: usize = 256 * 1024;
const SMALLEST: usize = 512;
/// A chunk takes at most this part of the limit, since a chunk is freed as a whole.
const PART: usize = 32;

/// Packed entries.
#[derive(Debug)]
pub(super) struct Chunks {
    chunks: VecDeque<Chunk>,
    /// The number of the first chunk, from 0.
    first: u32,
    capacity: usize,
    /// Texts of the last chunk.
    words: Words,
    /// Bytes that chunks take on the heap.
    size: usize,
}

#[derive(Debug)]
struct Chunk {
    bytes: Vec<u8>,
    /// How many of its entries are kept.
    kept: usize,
}

/// Where an entry lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    chunk: u32,
    at: u32,
}

impl Place {
    /// Where nothing lies.
    pub(super) const NONE: Self = Self { chunk: u32::MAX, at: u32::MAX };
}

impl Chunks {
    /// For a journal of so many bytes.
    pub(super) fn new(limit: usize) -> Self {
        let capacity = (limit / PART).clamp(SMALLEST, LARGEST);
        Self { chunks: VecDeque::new(), first: 0, capacity, words: Words::new(capacity / 4), size: 0 }
    }

    /// Bytes on the heap.
    pub(super) fn size(&self) -> usize {
        self.size + self.words.size() + self.chunks.capacity() * size_of::<Chunk>()
    }

    pub(super) fn push(&mut self, entry: &Entry) -> Place {
        let most = bound(entry);
        let fits = |chunk: &Chunk| chunk.bytes.len() + most <= chunk.bytes.capacity();
        if !self.chunks.back().is_some_and(fits) {
            self.begin(most);
        }
        let number = self.first + self.chunks.len() as u32 - 1;
        let chunk = self.chunks.back_mut().expect("one was begun where there was none");
        let at = chunk.bytes.len() as u32;
        pack(entry, &mut chunk.bytes, &mut self.words);
        chunk.kept += 1;
        Place { chunk: number, at }
    }

    fn begin(&mut self, least: usize) {
        let bytes = Vec::with_capacity(self.capacity.max(least));
        self.size += of_heap(bytes.capacity());
        self.chunks.push_back(Chunk { bytes, kept: 0 });
        self.words.clear();
        // The last one may have lost all of its entries while it was filled.
        self.free(self.chunks.len().wrapping_sub(2));
    }

    pub(super) fn get(&self, place: Place) -> Option<Entry> {
        let chunk = self.chunks.get(self.index(place)?)?;
        Some(unpack(&chunk.bytes, place.at as usize))
    }

    /// The entry at this place is not kept any longer.
    pub(super) fn release(&mut self, place: Place) {
        let Some(index) = self.index(place) else { return };
        let Some(chunk) = self.chunks.get_mut(index) else { return };
        chunk.kept = chunk.kept.saturating_sub(1);
        if index + 1 < self.chunks.len() {
            self.free(index);
        }
    }

    /// Frees a chunk of which nothing is kept.
    fn free(&mut self, index: usize) {
        let Some(chunk) = self.chunks.get_mut(index).filter(|chunk| chunk.kept == 0) else { return };
        let bytes = std::mem::take(&mut chunk.bytes);
        self.size -= of_heap(bytes.capacity());
        while self.chunks.len() > 1 && self.chunks.front().is_some_and(|chunk| chunk.bytes.capacity() == 0) {
            self.chunks.pop_front();
            self.first += 1;
        }
    }

    fn index(&self, place: Place) -> Option<usize> {
        Some(place.chunk.checked_sub(self.first)? as usize)
    }

    /// Forgets all entries.
    pub(super) fn clear(&mut self) {
        // Places of before lead nowhere.
        self.first += self.chunks.len() as u32;
        self.chunks = VecDeque::new();
        self.words.clear();
        self.size = 0;
    }
}
