//! What happened, in order: each connection and each call with its coordinate, the decisions that were made about it,
//! and what was really done on the wire. Bounded; the oldest go first, and are counted.

mod chunks;
mod entry;
mod export;
mod note;
mod pack;
mod read;
mod redact;
mod size;
mod state;
mod store;
mod tally;

pub use entry::{CallEntry, ConnectionEntry, Decision, Done, Entry, Event, Size};
pub(crate) use entry::{base64, millis};
pub use export::{BadJournal, Header};
pub(crate) use export::{Export, Lines, json, line};
pub(crate) use note::{ABANDONED, CallNote, ConnectionNote};
pub(crate) use read::{Cursor, Follower};
pub(crate) use redact::{headers, target};
pub(crate) use store::Journal;
pub(crate) use tally::{CONNECTION, Tally};
