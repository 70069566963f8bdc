//! Faults as data and as decisions: the records and their written forms, and which of them a connection or a call
//! gets. Pure: no clock, no dice, no I/O; what a fault does is done by the edges.

mod armed;
mod buckets;
mod build;
mod check;
mod condition;
mod dead;
mod draw;
mod expect;
mod grammar;
mod index;
mod json_form;
mod kinds;
mod lexer;
mod matcher;
mod names;
mod nearest;
pub(crate) mod node;
mod operation;
mod operations;
pub(crate) mod param;
mod position;
mod print;
mod record;
mod replay;
mod rule;
mod schema;
mod source;
mod table;
#[cfg(test)]
mod tests;
mod toml_form;
mod write;

use crate::glob;

pub use armed::Counts;
pub use build::RuleBuilder;
pub use expect::Expect;
pub use glob::{BadGlob, Glob};
pub use kinds::{CallFault, ConnectionFault, Stage};
pub use param::{Code, Errno, HttpStatus, Json, Length, Pairs, Payload, Processes, Rate, Signal, Size, Wait};
pub use position::{Output, Position, Which};
pub use rule::{CallRule, CallWhen, ConnectionRule, Nth, Often, Operation, Script};

#[cfg(test)]
pub(crate) use armed::decided;
pub(crate) use armed::{Armed, Chosen, ChosenCall, ChosenConnection, Rule};
pub(crate) use condition::{Key, OF_CALLS};
pub(crate) use dead::{in_script as dead_rules, of_call as dead_for_call};
pub(crate) use expect::{Expected, OF_EXPECTATIONS};
pub(crate) use kinds::{Kind, On, ParamInfo, Place};
pub(crate) use matcher::{Call, Head, Message, unmet};
pub(crate) use nearest::nearest as nearest_of;
pub(crate) use record::Checks;
pub(crate) use replay::{Recorded, RecordedCall, RecordedConnection, Replay};
pub(crate) use schema::schema;
pub use source::ScriptError;
pub(crate) use source::{Form, from_json, from_toml, problems, read};
pub(crate) use table::{Removed, Rules};
