//! The self-check: every fault declares what a bare socket must observe, and a probe looks. Disarmed twice and armed once,
//! on every protocol that a fault is meant for. Knows the mock from outside, and the names of its faults.

mod ask;
mod events;
mod judge;
mod made;
mod probe;
mod report;
mod row;
mod rows;
mod run;
mod seen;
#[cfg(test)]
mod tests;
mod wire;
mod words;

pub(crate) use report::Report;
pub(crate) use row::{Of, Protocol, Row};
pub(crate) use rows::ALL;
pub(crate) use run::run;
pub(crate) use words::sight;
