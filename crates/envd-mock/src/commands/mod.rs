//! What the command can do besides serving; one file each.

mod incidents;

pub(crate) use incidents::Incidents;
