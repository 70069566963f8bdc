//! What the command can do besides serving; one file each.

mod allocator;
mod faults;
mod incidents;
mod self_check;
mod validate;
mod wait;

pub use allocator::{give_back, tune};
pub(crate) use faults::Faults;
pub(crate) use incidents::Incidents;
pub use self_check::self_check;
pub(crate) use validate::Validate;
pub use validate::Validated;
pub use wait::Wait;
