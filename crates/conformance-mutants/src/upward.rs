//! Requests that are changed as they come: the chunks of a body, and calls over HTTP/2, which are marked. Knows no socket.

use super::frames::chunked;
use super::http::chunk;
use super::mutant::OnChunk;

/// What a fault rule says to be of marked calls alone.
pub(super) const MARKED: &str = "header.x-over=http2";
/// The mark: a literal that nobody remembers (RFC 7541, 6.2.2).
const MARK: &[u8] = b"\0\x06x-over\x05http2";

const PREFACE: usize = 24;
const HEAD: usize = 9;
const HEADERS: u8 = 1;
const END_HEADERS: u8 = 4;
const PADDED: u8 = 8;

/// The chunks of a request.
pub(super) struct Chunks {
    edit: OnChunk,
    raw: Vec<u8>,
}

impl Chunks {
    pub(super) fn new(edit: OnChunk) -> Self {
        Self { edit, raw: Vec::new() }
    }

    /// Takes bytes from the client; gives what goes on to the mock.
    pub(super) fn feed(&mut self, bytes: &[u8]) -> Vec<u8> {
        self.raw.extend_from_slice(bytes);
        let mut out = Vec::new();
        while let Some(data) = chunk(&mut self.raw) {
            out.extend(if data.is_empty() { b"0\r\n\r\n".to_vec() } else { chunked(&(self.edit)(&data)) });
        }
        out
    }
}

/// The frames of a client's connection.
#[derive(Default)]
pub(super) struct Marks {
    begun: bool,
    raw: Vec<u8>,
}

impl Marks {
    /// Takes bytes from the client; gives what goes on to the mock, once frames are whole.
    pub(super) fn feed(&mut self, bytes: &[u8]) -> Vec<u8> {
        self.raw.extend_from_slice(bytes);
        let mut out = Vec::new();
        if !self.begun && self.raw.len() >= PREFACE {
            out.extend(self.raw.drain(..PREFACE));
            self.begun = true;
        }
        while let Some(frame) = self.frame().filter(|_| self.begun) {
            self.raw.drain(..frame.len());
            out.extend(marked(frame));
        }
        out
    }

    fn frame(&self) -> Option<Vec<u8>> {
        let head = self.raw.get(..HEAD)?;
        let length = head[..3].iter().fold(0, |length, byte| length << 8 | usize::from(*byte));
        self.raw.get(..HEAD + length).map(<[u8]>::to_vec)
    }
}

/// A whole block of headers with the mark behind it; anything else as it is.
fn marked(mut frame: Vec<u8>) -> Vec<u8> {
    if frame[3] == HEADERS && frame[4] & (END_HEADERS | PADDED) == END_HEADERS {
        frame.extend_from_slice(MARK);
        let length = (frame.len() - HEAD).to_be_bytes();
        frame[..3].copy_from_slice(&length[length.len() - 3..]);
    }
    frame
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_block_of_headers_is_marked_wherever_the_bytes_are_cut() {
        let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".as_slice();
        let (settings, data) = (&[0, 0, 0, 4, 0, 0, 0, 0, 0], &[0, 0, 1, 0, 1, 0, 0, 0, 1, b'x']);
        let headers = [0, 0, 1, 1, 4, 0, 0, 0, 1, 0x82];
        let all = [preface, settings, &headers, data].concat();
        let expected = [preface, settings, &[0, 0, 15], &headers[3..], MARK, data].concat();
        for cut in 0..all.len() {
            let mut marks = Marks::default();
            assert_eq!([marks.feed(&all[..cut]), marks.feed(&all[cut..])].concat(), expected, "cut at {cut}");
        }
    }

    #[test]
    fn each_chunk_is_changed_by_itself() {
        let mut chunks = Chunks::new(|data| data.to_ascii_uppercase());
        let out = [chunks.feed(b"2\r\nab"), chunks.feed(b"\r\n1\r\nc\r\n0\r\n\r\n")].concat();
        assert_eq!(out, b"2\r\nAB\r\n1\r\nC\r\n0\r\n\r\n");
    }
}
