//! Faults as data and as decisions: the records and their written forms, and which of them a connection or a call
//! gets. Pure: no clock, no dice, no I/O; what a fault does is done by the edges.

mod armed;
mod draw;
mod glob;
mod kinds;
mod matcher;
mod node;
mod param;
mod position;
mod rule;
mod stub;
pub(crate) use stub::parse_bare;

pub use armed::Counts;
pub use glob::{BadGlob, Glob};
pub use kinds::{CallFault, ConnectionFault, Stage};
pub use param::{Code, Errno, HttpStatus, Json, Length, Pairs, Payload, Processes, Rate, Signal, Size, Wait};
pub use position::{Output, Position, Which};
pub use rule::{CallRule, CallWhen, ConnectionRule, Nth, Often, Operation, Script};

#[cfg(test)]
pub(crate) use armed::decided;
pub(crate) use armed::{Armed, Chosen, ChosenCall, ChosenConnection, Rule, Rules};
pub(crate) use kinds::Place;
pub(crate) use matcher::{Call, Head, Message};
