//! Faults as data and as decisions: the records and their written forms, and which of them a connection or a call
//! gets. Pure: no clock, no dice, no I/O; what a fault does is done by the edges.

mod kinds;
pub(crate) mod node;
pub(crate) mod param;
mod position;
mod rule;

use crate::glob;

pub use glob::{BadGlob, Glob};
pub use kinds::{CallFault, ConnectionFault, Stage};
pub use param::{Code, Errno, HttpStatus, Json, Length, Pairs, Payload, Processes, Rate, Signal, Size, Wait};
pub use position::{Output, Position, Which};
pub use rule::{CallRule, CallWhen, ConnectionRule, Nth, Often, Operation, Script};
