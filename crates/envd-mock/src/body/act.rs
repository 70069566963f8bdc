//! What a shaped body does, step by step: the shaper writes it down, the edge does it.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;

use crate::fault::ChosenCall;

/// One step.
#[derive(Debug)]
pub(super) enum Act {
    /// Bytes, in a chunk or frame of their own.
    Bytes(Bytes),
    /// HTTP trailers.
    Trailers(HeaderMap),
    /// Waits on the mock's clock.
    Sleep(Duration),
    /// Notes that a fault was done, in words.
    Done(ChosenCall, String, Option<u64>),
    /// The clean end that the framing allows.
    End,
    /// An end that somebody asked for.
    Break(Break, ChosenCall, Option<u64>),
}

/// How a body is broken off. All that came before it reaches the peer first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Break {
    /// As if that were all.
    Cut,
    /// FIN, or RST_STREAM.
    Abort,
    /// RST of the connection.
    Reset,
    /// Nothing more.
    Stall,
    /// With the whole daemon.
    Crash,
}

/// Steps that are to be done, in order.
pub(super) type Acts = VecDeque<Act>;
