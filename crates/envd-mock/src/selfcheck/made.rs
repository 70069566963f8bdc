//! The bytes that a declaration speaks of, made of the usual ones: envelopes taken apart and put together again. Pure.

use super::ask::envelope;
use super::row::Piece;

const PREFIX: usize = 5;

/// One envelope: flag and message.
pub(crate) type Envelope = (u8, Vec<u8>);

/// The whole envelopes of a body.
pub(crate) fn envelopes(mut bytes: &[u8]) -> Vec<Envelope> {
    let mut all = Vec::new();
    while let Some([flag, length @ ..]) = bytes.first_chunk::<PREFIX>() {
        let length = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX);
        let Some(message) = bytes.get(PREFIX..PREFIX.saturating_add(length)) else { break };
        all.push((*flag, message.to_vec()));
        bytes = &bytes[PREFIX + length..];
    }
    all
}

/// A body of these pieces.
pub(crate) fn of(pieces: &[Piece], usual: &[Envelope]) -> Vec<u8> {
    pieces.iter().flat_map(|piece| one(piece, usual)).collect()
}

fn one(piece: &Piece, usual: &[Envelope]) -> Vec<u8> {
    let nth = |n: &usize| usual.get(n - 1).cloned().unwrap_or_default();
    let whole = |n: &usize| {
        let (flag, message) = nth(n);
        envelope(flag, &message)
    };
    let with_length = |n: &usize, length: u32| {
        let mut bytes = whole(n);
        bytes[1..PREFIX].copy_from_slice(&length.to_be_bytes());
        bytes
    };
    match piece {
        Piece::Whole(n) => whole(n),
        Piece::First(n, size) => whole(n)[..*size].to_vec(),
        Piece::Flag(n, flag) => envelope(*flag, &nth(n).1),
        Piece::Longer(n, by) => {
            let length = i64::try_from(nth(n).1.len()).unwrap_or(i64::MAX).saturating_add(*by);
            with_length(n, u32::try_from(length).unwrap_or(0))
        }
        Piece::Length(n, length) => with_length(n, *length),
        Piece::Part(n, from, to) => {
            let (flag, message) = nth(n);
            envelope(flag, message.get(*from..message.len().min(*to)).unwrap_or_default())
        }
        Piece::Flipped(n, byte, bit) => flipped(&whole(n), *byte, *bit),
        Piece::Made(flag, message) => envelope(*flag, message),
        Piece::Raw(bytes) => bytes.to_vec(),
    }
}

/// The same with one bit the other way round.
pub(crate) fn flipped(bytes: &[u8], byte: usize, bit: u8) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    if let Some(byte) = bytes.get_mut(byte) {
        *byte ^= 1 << bit;
    }
    bytes
}

/// The usual body with the pid that `seen` has: no two processes share one.
pub(crate) fn as_in(usual: &[u8], seen: &[u8]) -> Vec<u8> {
    let (Some(own), Some(other)) = (pid(usual), pid(seen)) else { return usual.to_vec() };
    let replaced = |(flag, message): &Envelope| {
        let text = String::from_utf8_lossy(message).replace(&own, &other);
        envelope(*flag, text.as_bytes())
    };
    envelopes(usual).iter().flat_map(replaced).collect()
}

/// `"pid":7`
fn pid(bytes: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(bytes);
    let at = text.find("\"pid\":")?;
    let digits = text[at + 6..].find(|c: char| !c.is_ascii_digit())?;
    Some(text[at..at + 6 + digits].to_owned())
}
