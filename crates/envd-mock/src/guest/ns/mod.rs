//! The walls of a guest: namespaces of its own, set up once by a holder that is their init, spawns every command
//! and takes all of them with it when it ends. Knows processes by number only; what they say is `process`'s.

mod holder;
mod janitor;
mod launch;
mod link;
mod message;
mod nursery;
mod plan;
mod setup;
mod spawn;
mod sys;

pub(crate) use janitor::{Janitor, remove};
pub use launch::LaunchError;
pub(crate) use launch::{choose_ids, launch};
pub(crate) use link::{Exit, Link, Spawned, register};
pub(crate) use plan::{Plan, Root};
pub(crate) use spawn::Command;
