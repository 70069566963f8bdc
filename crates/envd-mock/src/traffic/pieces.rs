//! A body in the pieces that a recording has: whole envelopes, however they came; without envelopes, what came at once.
//! Pure.

use bytes::{Bytes, BytesMut};

use crate::body::Framing;

const PREFIX: usize = 5;
/// The longest envelope that is held until it is whole, in bytes.
const LONGEST: usize = 16 << 20;

/// What has come and makes no whole piece yet.
#[derive(Debug)]
pub(super) struct Pieces {
    framed: bool,
    held: BytesMut,
}

impl Pieces {
    pub(super) fn new(framing: Framing) -> Self {
        Self { framed: framing != Framing::Plain, held: BytesMut::new() }
    }

    /// The pieces that `data` completes.
    pub(super) fn push(&mut self, data: &Bytes) -> Vec<Bytes> {
        if !self.framed {
            return if data.is_empty() { vec![] } else { vec![data.clone()] };
        }
        self.held.extend_from_slice(data);
        let mut whole = Vec::new();
        while let Some(length) = envelope(&self.held) {
            if length > LONGEST {
                // It passes as it comes, and so does all that follows.
                self.framed = false;
                whole.extend(self.rest());
                break;
            }
            if self.held.len() < length {
                break;
            }
            whole.push(self.held.split_to(length).freeze());
        }
        whole
    }

    /// What is left at the end of the body.
    pub(super) fn rest(&mut self) -> Option<Bytes> {
        (!self.held.is_empty()).then(|| self.held.split().freeze())
    }
}

/// How long the first envelope is, once its prefix is there.
pub(super) fn envelope(bytes: &[u8]) -> Option<usize> {
    let [_, length @ ..] = bytes.first_chunk::<PREFIX>()?;
    usize::try_from(u32::from_be_bytes(*length)).ok().map(|length| PREFIX.saturating_add(length))
}
