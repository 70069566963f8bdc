//! What happened, in order: each connection and each call with its coordinate, the decisions that were made about it,
//! and what was really done on the wire. Bounded; the oldest go first, and are counted.

mod entry;
mod redact;
mod store;

pub use entry::{CallEntry, ConnectionEntry, Decision, Done, Entry, Event, Size};
pub(crate) use entry::{base64, millis};
pub(crate) use redact::{headers, target};
pub(crate) use store::{ABANDONED, CallNote, ConnectionNote, Journal};
