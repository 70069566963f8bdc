//! What was decided about a call, done to it: the edges between `fault`, which knows no HTTP, and the calls.

mod early;
mod head;
mod message;
mod named;
mod reply;
mod upward;

pub(crate) use early::{error, status};
pub(crate) use head::Asked;
pub(crate) use message::look;
#[cfg(test)]
pub(crate) use named::names_something;
pub(crate) use named::{Named, of as named, started_pid};
pub(crate) use reply::{change_head, lay_over};
pub(crate) use upward::{Outcome, Upward, Watch};
