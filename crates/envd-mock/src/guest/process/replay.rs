//! The newest output of a process, kept for readers that come later: whole chunks, up to a number of bytes.

use std::collections::VecDeque;

use super::output::Chunk;

/// What is kept.
#[derive(Debug)]
pub(super) struct Replay {
    most: usize,
    kept: usize,
    chunks: VecDeque<Chunk>,
}

impl Replay {
    /// Keeps at most so many bytes.
    pub(super) fn new(most: usize) -> Self {
        Self { most, kept: 0, chunks: VecDeque::new() }
    }

    /// Keeps one more, and forgets the oldest that are too many.
    pub(super) fn keep(&mut self, chunk: &Chunk) {
        if self.most == 0 {
            return;
        }
        self.kept += chunk.len();
        self.chunks.push_back(chunk.clone());
        while self.kept > self.most {
            let Some(oldest) = self.chunks.pop_front() else { return };
            self.kept -= oldest.len();
        }
    }

    /// What a new reader gets first.
    pub(super) fn chunks(&self) -> VecDeque<Chunk> {
        self.chunks.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_whole_chunks_are_kept() {
        let chunk = |n: usize, byte: u8| Chunk::Stdout(vec![byte; n].into());
        let mut replay = Replay::new(10);
        for (size, byte) in [(4, 1), (4, 2), (3, 3), (7, 4)] {
            replay.keep(&chunk(size, byte));
        }
        assert_eq!(replay.chunks(), [chunk(3, 3), chunk(7, 4)]);
        replay.keep(&chunk(11, 5));
        assert!(replay.chunks().is_empty());
        let mut none = Replay::new(0);
        none.keep(&chunk(1, 1));
        assert!(none.chunks().is_empty());
    }
}
