//! Checks the conformance suite itself: mocks with one seeded bug each ("mutants"), and the kill matrix, which records
//! which cases catch which mutant. Development only: no run of the suite uses this crate.
//!
//! - [`table`](all) lists the mutants; [`Mutant`] and [`Change`] describe one.
//! - [`Mutated`] starts a mock behind a proxy that applies the change.
//! - [`KillRun`] runs cases against mutants; [`measure`](fingerprint) and [`smoke`](cover) evaluate the result.

pub mod cli;
mod frames;
mod http;
mod kill_run;
mod measure;
mod mutant;
mod proxy;
mod recorded;
mod smoke;
mod table;
mod upward;

pub use kill_run::{FirstKill, KillRun, Target};
pub use measure::{fingerprint, idle, measured, needs, only_late, put, subtle, survivors, tidy};
pub use mutant::{Change, Mutant};
pub use proxy::Mutated;
pub use recorded::Recorded;
pub use smoke::{SMOKE, cover};
pub use table::all;
