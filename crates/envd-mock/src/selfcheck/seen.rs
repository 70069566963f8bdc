//! What a probe saw. Data.

use std::time::Duration;

use super::row::{Early, End, First, Rest, Writes};
use super::wire::Answer;

/// What was seen on one connection, and on the one after it.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) first: First,
    pub(crate) early: Early,
    pub(crate) writes: Writes,
    pub(crate) answer: Answer,
    pub(crate) end: End,
    pub(crate) rest: Rest,
    /// What came of a call on a new connection.
    pub(crate) anew: Option<String>,
    pub(crate) max_streams: Option<u32>,
    pub(crate) received: usize,
    pub(crate) segments: Option<u32>,
    /// From when the first call began to the head.
    pub(crate) head_after: Duration,
    /// From then to the last byte of the answer.
    pub(crate) end_after: Duration,
    /// From our FIN to the peer's.
    pub(crate) close_after: Duration,
}
