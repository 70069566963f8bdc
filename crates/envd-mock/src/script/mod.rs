//! The written form of what a script holds besides faults. Edge: the one place that knows both the records of `fault` and
//! the programs of `guest`.

mod forms;
pub(crate) mod program;
mod run;
mod schema;
mod step;
mod take;

pub use forms::script_schema;
