//! What has come of one answer so far. Data.

use std::time::Instant;

/// How the peer ended a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WireEnd {
    /// In order.
    Fin,
    /// `ECONNRESET`.
    Rst,
}

/// An answer, as far as it came.
#[derive(Debug, Clone, Default)]
pub(crate) struct Answer {
    /// `100 Continue` came before it.
    pub(crate) continued: bool,
    pub(crate) status: Option<u16>,
    /// Without those that begin with a colon.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    /// Bytes of each chunk or DATA frame that holds any.
    pub(crate) pieces: Vec<usize>,
    pub(crate) trailers: Vec<(String, String)>,
    /// It has ended as its framing says.
    pub(crate) whole: bool,
    /// The code of RST_STREAM.
    pub(crate) reset: Option<u32>,
    pub(crate) head_at: Option<Instant>,
    pub(crate) last_at: Option<Instant>,
}

impl Answer {
    /// Nothing more is to be expected of it.
    pub(crate) fn is_over(&self) -> bool {
        self.whole || self.reset.is_some()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}
