//! What the command can do besides serving; one file each.

mod faults;
mod incidents;
mod self_check;
mod validate;

pub(crate) use faults::Faults;
pub(crate) use incidents::Incidents;
pub use self_check::self_check;
pub(crate) use validate::Validate;
pub use validate::Validated;
