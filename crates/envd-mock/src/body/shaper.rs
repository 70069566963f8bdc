//! What a body is made into: envelopes changed, dropped and doubled, then faults at bytes. Pure: bytes in, steps out.

use bytes::{Bytes, BytesMut};
use http::HeaderMap;

use super::act::{Act, Acts};
use super::bytes::ByteStage;
use super::envelope::{Envelope, change, grpc_trailers};
use super::framing::{Codec, Framing};
use super::output;
use crate::fault::{CallFault, ChosenCall, Output, Position, Which};

/// The longest message that is held until it is whole, in bytes; longer ones pass untouched.
const LONGEST: usize = 16 << 20;
const OUTPUTS: [Output; 3] = [Output::Stdout, Output::Stderr, Output::Pty];

/// A body's plan and how far it is.
#[derive(Debug)]
pub(super) struct Shaper {
    framing: Framing,
    envelopes: Vec<(Which, u64, ChosenCall)>,
    outputs: Vec<(Output, u64, ChosenCall)>,
    bytes: ByteStage,
    buffer: BytesMut,
    /// Envelopes seen.
    index: u64,
    /// Bytes of output seen.
    said: [u64; 3],
    /// What comes behind the next envelope.
    held: Vec<Envelope>,
    /// Envelopes can no longer be told apart.
    untouched: bool,
}

impl Shaper {
    pub(super) fn new(plan: &[ChosenCall], framing: Framing) -> Self {
        let (mut envelopes, mut outputs, mut points) = (vec![], vec![], vec![]);
        for chosen in plan {
            match chosen.rule().at {
                None => match default_position(&chosen.rule().fault) {
                    Some(which) => envelopes.push((which, 0, chosen.clone())),
                    None => points.push((0, chosen.clone())),
                },
                Some(Position::Down(byte)) => points.push((byte, chosen.clone())),
                Some(Position::DownEnvelope(which, byte)) => envelopes.push((which, byte, chosen.clone())),
                Some(Position::Output(output, byte)) => outputs.push((output, byte, chosen.clone())),
                Some(Position::Up(_) | Position::UpEnvelope(..)) => {}
            }
        }
        // By byte, so that the first one is met first.
        outputs.sort_by_key(|(_, byte, _)| *byte);
        Self {
            framing,
            envelopes,
            outputs,
            bytes: ByteStage::new(points),
            buffer: BytesMut::new(),
            index: 0,
            said: [0; 3],
            held: Vec::new(),
            untouched: false,
        }
    }

    /// Whether the length of the body may change.
    pub(super) fn changes_length(&self) -> bool {
        self.framing != Framing::Plain && !(self.envelopes.is_empty() && self.outputs.is_empty())
    }

    fn codec(&self) -> Option<Codec> {
        match self.framing {
            Framing::Plain => None,
            Framing::Envelopes(_, codec) => Some(codec),
        }
    }

    pub(super) fn data(&mut self, data: Bytes, out: &mut Acts) {
        if self.untouched || self.framing == Framing::Plain || !self.changes_length() {
            return self.bytes.bytes(data, out);
        }
        self.buffer.extend_from_slice(&data);
        while !self.bytes.over
            && let Some(envelope) = Envelope::take(&mut self.buffer)
        {
            self.index += 1;
            self.envelope(envelope, out);
        }
        if self.buffer.len() > LONGEST {
            self.untouched = true;
            self.bytes.bytes(self.buffer.split().freeze(), out);
        }
    }

    /// The end of the guest's body, with its trailers.
    pub(super) fn end(&mut self, trailers: Option<HeaderMap>, out: &mut Acts) {
        self.release(out);
        self.bytes.bytes(self.buffer.split().freeze(), out);
        self.bytes.end(out);
        if self.bytes.over {
            return;
        }
        if let Some(trailers) = trailers.and_then(|trailers| self.trailers(trailers, out)) {
            out.push_back(Act::Trailers(trailers));
        }
        out.push_back(Act::End);
    }

    /// The trailers of gRPC are its END_STREAM.
    fn trailers(&mut self, mut trailers: HeaderMap, out: &mut Acts) -> Option<HeaderMap> {
        if !self.framing.has_trailers() {
            return Some(trailers);
        }
        for (_, _, chosen) in self.envelopes.iter().filter(|(which, ..)| *which == Which::End) {
            let what = match &chosen.rule().fault {
                CallFault::TrailersLost {} | CallFault::EndMissing {} | CallFault::Drop {} => {
                    out.push_back(Act::Done(chosen.clone(), "trailers left out".to_owned(), None));
                    return None;
                }
                CallFault::EndError { code, message } => {
                    trailers = grpc_trailers(*code, message.as_deref());
                    format!("trailers with {}", code.as_str())
                }
                _ => continue,
            };
            out.push_back(Act::Done(chosen.clone(), what, None));
        }
        Some(trailers)
    }

    fn envelope(&mut self, envelope: Envelope, out: &mut Acts) {
        let end = self.framing.is_end(envelope.flag);
        if !end && !self.outputs.is_empty() && self.said(&envelope, out) {
            return;
        }
        let here: Vec<(u64, ChosenCall)> = self
            .envelopes
            .iter()
            .filter(|(which, _, chosen)| which.covers(self.index, end) && chosen.acts_at(self.index))
            .map(|(_, byte, chosen)| (*byte, chosen.clone()))
            .collect();
        self.changed(envelope, here, out);
    }

    fn changed(&mut self, envelope: Envelope, here: Vec<(u64, ChosenCall)>, out: &mut Acts) {
        let (mut all, mut tail, mut swap, mut last) = (vec![envelope], Bytes::new(), false, false);
        let mut points = Vec::new();
        for (byte, chosen) in here {
            let fault = &chosen.rule().fault;
            let what = match fault {
                CallFault::Swap {} => {
                    swap = true;
                    "behind the next one".to_owned()
                }
                CallFault::EndTrailing { payload } => {
                    let payload = payload.as_ref().map_or_else(|| b"trailing".to_vec(), |it| it.0.clone());
                    tail = payload.into();
                    format!("{} bytes behind END_STREAM", tail.len())
                }
                _ => {
                    let (made, what) = change_all(all, fault, self.framing.end_flag());
                    all = made;
                    last |= matches!(fault, CallFault::EndError { .. });
                    let Some(what) = what else {
                        points.push((byte, chosen));
                        continue;
                    };
                    what
                }
            };
            out.push_back(Act::Done(chosen, what, Some(self.index)));
        }
        if swap {
            self.release(out);
            self.held = all;
            return;
        }
        self.send(&all, &tail, points, out);
        self.release(out);
        if last && !self.bytes.over {
            // What comes behind an END_STREAM is not the guest's to say.
            self.bytes.end(out);
            self.bytes.over = true;
            out.push_back(Act::End);
        }
    }

    /// Sends what was held back.
    fn release(&mut self, out: &mut Acts) {
        let held = std::mem::take(&mut self.held);
        self.send(&held, &Bytes::new(), Vec::new(), out);
    }

    fn send(
        &mut self,
        envelopes: &[Envelope],
        tail: &Bytes,
        mut points: Vec<(u64, ChosenCall)>,
        out: &mut Acts,
    ) {
        let mut written = BytesMut::new();
        envelopes.iter().for_each(|envelope| envelope.write(&mut written));
        written.extend_from_slice(tail);
        let mut written = written.freeze();
        points.sort_by_key(|(byte, _)| *byte);
        let mut passed = 0;
        for (byte, chosen) in points {
            let room = usize::try_from(byte - passed).unwrap_or(usize::MAX).min(written.len());
            self.bytes.bytes(written.split_to(room), out);
            passed = byte;
            if let CallFault::Flip { bit } = chosen.rule().fault {
                if !written.is_empty() {
                    let bit = bit.unwrap_or(0);
                    let what = format!("bit {bit} of byte {byte} flipped");
                    let flipped = Bytes::copy_from_slice(&[written.split_to(1)[0] ^ (1 << bit)]);
                    out.push_back(Act::Done(chosen, what, Some(self.index)));
                    self.bytes.bytes(flipped, out);
                    passed += 1;
                }
            } else if !self.bytes.over {
                self.bytes.act(chosen, Some(self.index), out);
            }
        }
        self.bytes.bytes(written, out);
    }

    /// Acts on bytes of output; whether the envelope has been sent by that.
    fn said(&mut self, envelope: &Envelope, out: &mut Acts) -> bool {
        let Some(codec) = self.codec() else { return false };
        let Some((output, mut bytes)) = output::read(envelope, codec) else { return false };
        let slot = OUTPUTS.iter().position(|one| *one == output).unwrap_or(0);
        let mut cut = false;
        while let Some(index) = self.outputs.iter().position(|(one, byte, chosen)| {
            // A flip needs its byte; anything else acts as soon as what comes before it is there.
            let more = u64::from(matches!(chosen.rule().fault, CallFault::Flip { .. }));
            *one == output && *byte + more <= self.said[slot] + bytes.len() as u64
        }) {
            let (_, byte, chosen) = self.outputs.remove(index);
            let before = usize::try_from(byte - self.said[slot]).unwrap_or(usize::MAX);
            let first = bytes.split_to(before.min(bytes.len()));
            self.say(output, first, codec, slot, out);
            cut = true;
            if let CallFault::Flip { bit } = chosen.rule().fault {
                bytes = flipped(bytes, bit.unwrap_or(0));
                out.push_back(Act::Done(chosen, format!("a bit of byte {byte} flipped"), Some(self.index)));
            } else {
                self.bytes.act(chosen, Some(self.index), out);
            }
        }
        if cut {
            self.say(output, bytes, codec, slot, out);
        } else {
            self.said[slot] += bytes.len() as u64;
        }
        cut
    }

    fn say(&mut self, output: Output, bytes: Bytes, codec: Codec, slot: usize, out: &mut Acts) {
        if bytes.is_empty() {
            return;
        }
        self.said[slot] += bytes.len() as u64;
        let envelope = output::write(output, bytes, codec);
        self.send(&[envelope], &Bytes::new(), Vec::new(), out);
    }
}

fn flipped(bytes: Bytes, bit: u8) -> Bytes {
    let mut changed = bytes.to_vec();
    if let Some(first) = changed.first_mut() {
        *first ^= 1 << bit;
    }
    changed.into()
}

/// Does to each of them what a fault says; words only where it says something about envelopes.
fn change_all(all: Vec<Envelope>, fault: &CallFault, flag_of_end: u8) -> (Vec<Envelope>, Option<String>) {
    let (mut made, mut what) = (Vec::new(), None);
    for one in all {
        match change(one.clone(), fault, flag_of_end) {
            Some((changed, words)) => {
                made.extend(changed);
                what = Some(words);
            }
            None => made.push(one),
        }
    }
    (made, what)
}

/// The envelope that a fault is about when its rule names no position.
fn default_position(fault: &CallFault) -> Option<Which> {
    matches!(
        fault,
        CallFault::EndMissing {}
            | CallFault::EndMalformed { .. }
            | CallFault::EndError { .. }
            | CallFault::EndTwice {}
            | CallFault::EndTrailing { .. }
            | CallFault::TrailersLost {}
    )
    .then_some(Which::End)
}
