//! One suite of cases that judges any envd. Responsible for assembling the parts: a [`case`] acts through the
//! [`probe`], which writes down an [`observation`]; a pure function makes a [`verdict`] of it; the [`runner`] says
//! what happened as events, and a [`report`] prints them.
//!
//! As a library it is [`run`] for a whole run, and [`harness`], the one line of `main` in a test target with
//! `harness = false`, for every case as a test of its own.

pub mod accept;
pub mod case;
pub mod cli;
pub mod compare;
pub mod feature;
pub mod known;
mod library;
pub mod matrix;
pub mod observation;
pub mod probe;
pub mod profile;
pub mod report;
pub mod requirements;
pub mod runner;
pub mod select;
pub mod stream;
pub mod subject;
pub mod suites;
pub mod verdict;

pub use library::{Harness, Report, harness, run};
