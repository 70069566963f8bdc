//! One suite of cases that judges any envd. Responsible for assembling the parts: a [`case`] acts through the
//! [`probe`], which writes down an [`observation`]; a pure function makes a [`verdict`] of it; the [`runner`] says
//! what happened as events, and a [`report`] prints them.

pub mod case;
pub mod cli;
pub mod feature;
pub mod observation;
pub mod probe;
pub mod report;
pub mod runner;
pub mod select;
pub mod subject;
pub mod suites;
pub mod verdict;
