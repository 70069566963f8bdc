//! Connect's envelopes: five bytes (flags, big-endian length), then a message. Puts them together again from
//! pieces of any size. Knows neither compression nor what a message means.

use bytes::{Buf, BufMut, Bytes, BytesMut};

/// The flag of a compressed message.
pub(crate) const COMPRESSED: u8 = 0b01;
/// The flag of the last envelope of a stream.
pub(crate) const END_STREAM: u8 = 0b10;

const HEAD: usize = 5;

/// One envelope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Envelope {
    pub(crate) flags: u8,
    pub(crate) data: Bytes,
}

/// Why bytes are not envelopes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum EnvelopeError {
    /// The length prefix passes the cap; judged before the bytes behind it.
    TooLarge,
    /// A flag that the protocol does not know.
    UnknownFlags(u8),
    /// The bytes end inside an envelope.
    Cut { have: usize, need: usize },
}

impl Envelope {
    /// The envelope's bytes.
    pub(crate) fn encode(flags: u8, data: &[u8]) -> Bytes {
        let length = u32::try_from(data.len()).expect("messages are capped far below 4 GiB");
        let mut out = BytesMut::with_capacity(HEAD + data.len());
        out.put_u8(flags);
        out.put_u32(length);
        out.put_slice(data);
        out.freeze()
    }

    pub(crate) fn is_end(&self) -> bool {
        self.flags & END_STREAM != 0
    }

    pub(crate) fn is_compressed(&self) -> bool {
        self.flags & COMPRESSED != 0
    }
}

/// Makes envelopes of pieces.
#[derive(Debug)]
pub(crate) struct Reassembler {
    buffer: BytesMut,
    limit: usize,
}

impl Reassembler {
    /// Takes messages of at most `limit` bytes.
    pub(crate) fn new(limit: usize) -> Self {
        Self { buffer: BytesMut::new(), limit }
    }

    pub(crate) fn push(&mut self, piece: &[u8]) {
        self.buffer.extend_from_slice(piece);
    }

    /// The next whole envelope, if it is there.
    pub(crate) fn next(&mut self) -> Result<Option<Envelope>, EnvelopeError> {
        let Some((flags, length)) = self.head()? else { return Ok(None) };
        if self.buffer.len() < HEAD + length {
            return Ok(None);
        }
        self.buffer.advance(HEAD);
        Ok(Some(Envelope { flags, data: self.buffer.split_to(length).freeze() }))
    }

    /// How many bytes wait for the rest of their envelope.
    pub(crate) fn left(&self) -> usize {
        self.buffer.len()
    }

    /// Judges an end of the bytes here.
    pub(crate) fn finish(&self) -> Result<(), EnvelopeError> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let need = HEAD + self.head()?.map_or(0, |(_, length)| length);
        Err(EnvelopeError::Cut { have: self.buffer.len(), need })
    }

    fn head(&self) -> Result<Option<(u8, usize)>, EnvelopeError> {
        let Some((&flags, rest)) = self.buffer.split_first() else { return Ok(None) };
        if flags & !(COMPRESSED | END_STREAM) != 0 {
            return Err(EnvelopeError::UnknownFlags(flags));
        }
        let Some(length) = rest.first_chunk::<4>() else { return Ok(None) };
        let length = usize::try_from(u32::from_be_bytes(*length)).map_err(|_| EnvelopeError::TooLarge)?;
        if length > self.limit { Err(EnvelopeError::TooLarge) } else { Ok(Some((flags, length))) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn drain(reassembler: &mut Reassembler) -> Vec<Envelope> {
        std::iter::from_fn(|| reassembler.next().unwrap()).collect()
    }

    fn envelopes() -> impl Strategy<Value = Vec<Envelope>> {
        let one = (0u8..4, proptest::collection::vec(any::<u8>(), 0..40))
            .prop_map(|(flags, data)| Envelope { flags, data: data.into() });
        proptest::collection::vec(one, 0..5)
    }

    fn wire(envelopes: &[Envelope]) -> Vec<u8> {
        envelopes.iter().flat_map(|e| Envelope::encode(e.flags, &e.data)).collect()
    }

    proptest! {
        #[test]
        fn envelopes_come_back_whatever_the_cut(sent in envelopes()) {
            let bytes = wire(&sent);
            for cut in 0..=bytes.len() {
                let mut reassembler = Reassembler::new(64);
                reassembler.push(&bytes[..cut]);
                let mut seen = drain(&mut reassembler);
                reassembler.push(&bytes[cut..]);
                seen.extend(drain(&mut reassembler));
                prop_assert_eq!(&seen, &sent);
                prop_assert_eq!(reassembler.finish(), Ok(()));
            }
        }

        #[test]
        fn an_end_inside_an_envelope_is_told(sent in envelopes(), at in any::<prop::sample::Index>()) {
            let bytes = wire(&sent);
            prop_assume!(!bytes.is_empty());
            let cut = at.index(bytes.len());
            let mut reassembler = Reassembler::new(64);
            reassembler.push(&bytes[..cut]);
            let whole = wire(&drain(&mut reassembler)).len();
            prop_assert_eq!(reassembler.finish().is_ok(), whole == cut);
        }

        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut reassembler = Reassembler::new(64);
            reassembler.push(&bytes);
            while let Ok(Some(envelope)) = reassembler.next() {
                prop_assert!(envelope.data.len() <= 64);
            }
        }
    }

    #[test]
    fn a_length_is_judged_before_its_bytes() {
        let mut reassembler = Reassembler::new(64);
        reassembler.push(&[0, 0xff, 0xff, 0xff, 0xff]);
        assert_eq!(reassembler.next(), Err(EnvelopeError::TooLarge));
    }

    #[test]
    fn an_unknown_flag_is_judged_at_once() {
        let mut reassembler = Reassembler::new(64);
        reassembler.push(&[0x80]);
        assert_eq!(reassembler.next(), Err(EnvelopeError::UnknownFlags(0x80)));
    }
}
