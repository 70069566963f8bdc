//! The shaper against what each fault promises, however the guest's bytes happen to be cut.

use bytes::{Bytes, BytesMut};
use proptest::prelude::*;

use super::act::{Act, Acts, Break};
use super::envelope::Envelope;
use super::framing::{Codec, Framing, Marks};
use super::output;
use super::shaper::Shaper;
use crate::fault::{CallFault, ChosenCall, Output, Position, Size, Which, decided};

const CONNECT: Framing = Framing::Envelopes(Marks::EndStream, Codec::Proto);

/// What came out: bytes up to the end, how it ended, and how many faults were done.
#[derive(Debug, PartialEq)]
struct Seen {
    bytes: Vec<u8>,
    broken: Option<Break>,
    done: usize,
}

fn shape(plan: &[ChosenCall], framing: Framing, bytes: &[u8], piece: usize) -> Seen {
    let (mut shaper, mut acts) = (Shaper::new(plan, framing), Acts::new());
    for piece in bytes.chunks(piece.max(1)) {
        shaper.data(Bytes::copy_from_slice(piece), &mut acts);
    }
    shaper.end(None, &mut acts);
    let mut seen = Seen { bytes: vec![], broken: None, done: 0 };
    for act in acts {
        match act {
            Act::Bytes(bytes) => seen.bytes.extend_from_slice(&bytes),
            Act::Done(..) => seen.done += 1,
            Act::Break(by, ..) => {
                seen.broken = Some(by);
                seen.done += 1;
                break;
            }
            Act::End => break,
            Act::Sleep(_) | Act::Trailers(_) => {}
        }
    }
    seen
}

fn written(envelopes: &[Envelope]) -> Vec<u8> {
    let mut bytes = BytesMut::new();
    envelopes.iter().for_each(|envelope| envelope.write(&mut bytes));
    bytes.to_vec()
}

fn four() -> Vec<Envelope> {
    let message = |text: &str| Envelope::new(0, Bytes::copy_from_slice(text.as_bytes()));
    vec![message("one"), message("twice"), message("three"), Envelope::new(2, Bytes::from_static(b"{}"))]
}

fn nth(n: u64) -> Option<Position> {
    Some(Position::DownEnvelope(Which::Nth(n), 0))
}

/// The envelopes that a fault makes of the four.
fn made(fault: CallFault, at: Option<Position>) -> Vec<u8> {
    let seen = shape(&[decided(fault, at)], CONNECT, &written(&four()), 3);
    assert_eq!((seen.broken, seen.done), (None, 1));
    seen.bytes
}

#[test]
fn envelopes_are_dropped_doubled_swapped_and_split() {
    let [one, two, three, end] = <[Envelope; 4]>::try_from(four()).unwrap();
    let all = |envelopes: &[&Envelope]| {
        written(&envelopes.iter().map(|envelope| (*envelope).clone()).collect::<Vec<_>>())
    };
    assert_eq!(made(CallFault::Drop {}, nth(2)), all(&[&one, &three, &end]));
    assert_eq!(made(CallFault::Duplicate {}, nth(1)), all(&[&one, &one, &two, &three, &end]));
    assert_eq!(made(CallFault::Swap {}, nth(1)), all(&[&two, &one, &three, &end]));
    assert_eq!(made(CallFault::Swap {}, nth(4)), all(&[&one, &two, &three, &end]));
    let halves = [Envelope::new(0, &b"tw"[..]), Envelope::new(0, &b"ice"[..])];
    assert_eq!(
        made(CallFault::Split { size: None }, nth(2)),
        all(&[&one, &halves[0], &halves[1], &three, &end])
    );
    assert_eq!(made(CallFault::EndMissing {}, None), all(&[&one, &two, &three]));
    assert_eq!(made(CallFault::EndTwice {}, None), all(&[&one, &two, &three, &end, &end]));
}

#[test]
fn prefixes_say_what_they_are_told_to() {
    let prefix = |bytes: &[u8]| -> [u8; 5] { bytes[8..13].try_into().unwrap() };
    assert_eq!(prefix(&made(CallFault::LengthLonger { by: Some(2) }, nth(2))), [0, 0, 0, 0, 7]);
    assert_eq!(prefix(&made(CallFault::LengthShorter { by: None }, nth(2))), [0, 0, 0, 0, 4]);
    assert_eq!(prefix(&made(CallFault::LengthAbsurd {}, nth(2))), [0, 255, 255, 255, 255]);
    assert_eq!(prefix(&made(CallFault::FalseCompressed {}, nth(2))), [1, 0, 0, 0, 5]);
    assert_eq!(prefix(&made(CallFault::Flag { flag: 64 }, nth(2))), [64, 0, 0, 0, 5]);
}

#[test]
fn an_error_at_an_envelope_is_the_last_that_comes() {
    let code = crate::fault::Code::Unavailable;
    let bytes = made(CallFault::EndError { code, message: Some("gone".into()) }, nth(2));
    let end = Envelope::new(2, &br#"{"error":{"code":"unavailable","message":"gone"}}"#[..]);
    assert_eq!(bytes, written(&[four()[0].clone(), end]));
}

#[test]
fn a_break_in_an_envelope_comes_after_so_many_bytes_of_it() {
    let at = Some(Position::DownEnvelope(Which::Nth(2), 3));
    let seen = shape(&[decided(CallFault::Reset {}, at)], CONNECT, &written(&four()), 100);
    assert_eq!((seen.bytes.len(), seen.broken, seen.done), (8 + 3, Some(Break::Reset), 1));
}

#[test]
fn each_envelope_is_drawn_for_itself() {
    let at = Some(Position::DownEnvelope(Which::Each, 0));
    let seen = shape(&[decided(CallFault::Duplicate {}, at)], CONNECT, &written(&four()), 5);
    assert_eq!(seen.done, 3);
}

/// Events with this output, and END_STREAM.
fn said(chunks: &[Vec<u8>], codec: Codec) -> Vec<u8> {
    let mut all: Vec<Envelope> =
        chunks.iter().map(|chunk| output::write(Output::Stdout, chunk.clone().into(), codec)).collect();
    all.push(Envelope::new(2, &b"{}"[..]));
    written(&all)
}

/// The output in whole envelopes.
fn heard(bytes: &[u8], codec: Codec) -> Vec<u8> {
    let (mut rest, mut all) = (BytesMut::from(bytes), Vec::new());
    while let Some(envelope) = Envelope::take(&mut rest) {
        if let Some((_, bytes)) = output::read(&envelope, codec) {
            all.extend_from_slice(&bytes);
        }
    }
    assert!(rest.is_empty(), "{} bytes behind the last envelope", rest.len());
    all
}

proptest! {
    #[test]
    fn a_break_at_a_byte_lets_exactly_those_before_it_through(
        bytes in proptest::collection::vec(any::<u8>(), 0..300), at in 0u64..320, piece in 1usize..80,
    ) {
        let plan = [decided(CallFault::Cut {}, Some(Position::Down(at)))];
        let seen = shape(&plan, Framing::Plain, &bytes, piece);
        let through = usize::try_from(at).unwrap().min(bytes.len());
        prop_assert_eq!(&seen.bytes[..], &bytes[..through]);
        prop_assert_eq!(seen.broken.is_some(), at <= bytes.len() as u64);
    }

    #[test]
    fn a_flip_changes_one_bit_of_one_byte(
        bytes in proptest::collection::vec(any::<u8>(), 1..200), at in any::<prop::sample::Index>(), bit in 0u8..8, piece in 1usize..60,
    ) {
        let at = at.index(bytes.len());
        let plan = [decided(CallFault::Flip { bit: Some(bit) }, Some(Position::Down(at as u64)))];
        let mut expected = bytes.clone();
        expected[at] ^= 1 << bit;
        prop_assert_eq!(shape(&plan, Framing::Plain, &bytes, piece).bytes, expected);
    }

    #[test]
    fn slices_and_held_back_bytes_are_the_same_bytes(
        bytes in proptest::collection::vec(any::<u8>(), 0..300), size in 1u64..50, piece in 1usize..80,
    ) {
        for fault in [
            CallFault::Slice { size: Size(size), gap: None },
            CallFault::Coalesce { size: Some(Size(size)) },
            CallFault::Coalesce { size: None },
            CallFault::Slow { rate: crate::fault::Rate(size) },
        ] {
            prop_assert_eq!(&shape(&[decided(fault, None)], Framing::Plain, &bytes, piece).bytes, &bytes);
        }
    }

    #[test]
    fn output_breaks_at_its_byte_however_it_was_chunked(
        chunks in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 1..40), 0..12),
        at in 0u64..300, piece in 1usize..90, json in any::<bool>(),
    ) {
        let codec = if json { Codec::Json } else { Codec::Proto };
        let plan = [decided(CallFault::Abort {}, Some(Position::Output(Output::Stdout, at)))];
        let seen = shape(&plan, Framing::Envelopes(Marks::EndStream, codec), &said(&chunks, codec), piece);
        let all = chunks.concat();
        let reached = at <= all.len() as u64 && !chunks.is_empty();
        prop_assert_eq!(seen.broken.is_some(), reached);
        let through = usize::try_from(at).unwrap().min(all.len());
        prop_assert_eq!(&heard(&seen.bytes, codec)[..], &all[..through]);
    }

    #[test]
    fn envelopes_pass_however_they_are_cut(
        messages in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..30), 0..10), piece in 1usize..50,
    ) {
        let all: Vec<Envelope> = messages.into_iter().map(|message| Envelope::new(0, message)).collect();
        let plan = [decided(CallFault::Drop {}, Some(Position::DownEnvelope(Which::Nth(1000), 0)))];
        let seen = shape(&plan, CONNECT, &written(&all), piece);
        prop_assert_eq!(seen, Seen { bytes: written(&all), broken: None, done: 0 });
    }
}
