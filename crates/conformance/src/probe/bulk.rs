//! Adds up what is too much to keep: the bytes of a body, or of a process's standard output in a binary stream.

use envd_proto::process::StartResponse;
use envd_proto::process::process_event::Event;
use envd_proto::process::process_event::data_event::Output;
use prost::Message as _;
use sha2::{Digest as _, Sha256};

use crate::observation::{Exchange, Sum};
use crate::stream::envelope;

/// What is added up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// The body.
    Body,
    /// Standard output in the data events of a binary stream; all other envelopes are kept.
    Stdout,
}

/// A sum that grows.
#[derive(Debug)]
pub(super) struct Adding {
    what: What,
    bytes: u64,
    hash: Sha256,
    kept: usize,
}

impl Adding {
    pub(super) fn new(what: What) -> Self {
        Self { what, bytes: 0, hash: Sha256::new(), kept: 0 }
    }

    /// Moves what can be added from the body into the sum.
    pub(super) fn take(&mut self, seen: &mut Exchange) {
        match self.what {
            What::Body => {
                self.add(&seen.body);
                seen.body.clear();
            }
            What::Stdout => self.take_output(&mut seen.body),
        }
        seen.arrivals.clear();
        let sha256 = hex(&self.hash.clone().finalize());
        seen.sum = Some(Sum { bytes: self.bytes, sha256 });
    }

    fn add(&mut self, bytes: &[u8]) {
        self.bytes += bytes.len() as u64;
        self.hash.update(bytes);
    }

    fn take_output(&mut self, body: &mut Vec<u8>) {
        let fresh = body.split_off(self.kept);
        let (frames, rest) = envelope::read(&fresh);
        for frame in frames {
            match output(&frame) {
                Some(bytes) => self.add(&bytes),
                None => body.extend(envelope::write(frame.flag, &frame.data)),
            }
        }
        self.kept = body.len();
        body.extend_from_slice(&fresh[fresh.len() - rest..]);
    }
}

fn output(frame: &envelope::Frame) -> Option<prost::bytes::Bytes> {
    let message = StartResponse::decode(frame.data.as_slice()).ok().filter(|_| frame.flag == 0)?;
    let Some(Event::Data(data)) = message.event?.event else { return None };
    let Some(Output::Stdout(bytes)) = data.output else { return None };
    Some(bytes)
}

/// The SHA-256 of `bytes`, as sums have it.
pub fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
