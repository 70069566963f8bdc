//! How a body is framed, told by its content type: plain, or in the envelopes of Connect, gRPC or gRPC-Web; and a
//! counter of envelopes that looks at prefixes only.

use http::{HeaderMap, header};

/// The bytes before a message: a flag and four of length, big-endian.
pub(super) const PREFIX: usize = 5;

/// The flag of gRPC-Web's last envelope (gRPC-Web, "Protocol differences vs gRPC over HTTP2").
pub(super) const WEB_TRAILERS: u8 = 128;

/// How messages are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Codec {
    Proto,
    Json,
}

/// Which envelope is the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Marks {
    /// Connect: flag 2 (END_STREAM).
    EndStream,
    /// gRPC-Web: flag 128, with trailers in it.
    WebTrailers,
    /// gRPC: none; HTTP trailers follow.
    Trailers,
}

/// How a body is framed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Framing {
    /// No envelopes: REST and unary Connect.
    Plain,
    Envelopes(Marks, Codec),
}

impl Framing {
    /// As the content type says.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        let kind = kind.split(';').next().unwrap_or_default().trim();
        let codec = if kind.ends_with("json") { Codec::Json } else { Codec::Proto };
        match kind {
            _ if kind.starts_with("application/connect+") => Self::Envelopes(Marks::EndStream, codec),
            _ if kind.starts_with("application/grpc-web") => Self::Envelopes(Marks::WebTrailers, codec),
            _ if kind.starts_with("application/grpc") => Self::Envelopes(Marks::Trailers, codec),
            _ => Self::Plain,
        }
    }

    /// Whether HTTP trailers end it.
    pub(crate) fn has_trailers(self) -> bool {
        matches!(self, Self::Envelopes(Marks::Trailers, _))
    }

    /// The flag of the last envelope.
    pub(super) fn end_flag(self) -> u8 {
        if matches!(self, Self::Envelopes(Marks::WebTrailers, _)) { WEB_TRAILERS } else { 2 }
    }

    /// Whether an envelope with this flag is the last.
    pub(crate) fn is_end(self, flag: u8) -> bool {
        match self {
            Self::Envelopes(Marks::EndStream, _) => flag & 2 != 0,
            Self::Envelopes(Marks::WebTrailers, _) => flag & WEB_TRAILERS != 0,
            _ => false,
        }
    }
}

/// Counts whole envelopes as they pass.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Counter {
    prefix: [u8; PREFIX],
    have: usize,
    left: u64,
    pub(crate) envelopes: u64,
}

impl Counter {
    /// Whether the next byte is the first of an envelope.
    pub(crate) fn is_between(&self) -> bool {
        self.have == 0
    }

    /// Bytes until something changes: the end of the prefix, or of the message.
    pub(crate) fn room(&self) -> usize {
        if self.have < PREFIX { PREFIX - self.have } else { usize::try_from(self.left).unwrap_or(usize::MAX) }
    }

    pub(crate) fn pass(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            if self.have < PREFIX {
                let taken = bytes.len().min(PREFIX - self.have);
                self.prefix[self.have..self.have + taken].copy_from_slice(&bytes[..taken]);
                self.have += taken;
                bytes = &bytes[taken..];
                let [_, length @ ..] = self.prefix;
                self.left = u32::from_be_bytes(length).into();
            } else {
                let taken = bytes.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
                self.left -= taken as u64;
                bytes = &bytes[taken..];
            }
            if self.have == PREFIX && self.left == 0 {
                self.envelopes += 1;
                self.have = 0;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn envelopes_are_counted_however_they_are_cut(
            lengths in proptest::collection::vec(0usize..40, 0..20), piece in 1usize..30,
        ) {
            let mut bytes = Vec::new();
            for length in &lengths {
                bytes.push(0);
                bytes.extend(u32::try_from(*length).unwrap().to_be_bytes());
                bytes.extend(vec![7; *length]);
            }
            let mut counter = Counter::default();
            bytes.chunks(piece).for_each(|piece| counter.pass(piece));
            prop_assert_eq!(counter.envelopes, lengths.len() as u64);
        }
    }
}
