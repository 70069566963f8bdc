//! What the command can do beside serving: one function for each, from flags to an exit code.

mod faults;
mod read;
mod self_check;

pub use faults::{Shape, faults};
pub use read::{Asked, read};
pub use self_check::self_check;
