//! The machine that the mock pretends to be: file tree, users, processes, life cycle, preload, clock. It answers
//! questions and runs commands; it knows neither HTTP nor Connect, nor the faults that are laid over it.

mod boot;
pub(crate) mod clock;
mod config;
pub(crate) mod disk;
mod furnish;
pub(crate) mod habits;
pub(crate) mod ids;
pub(crate) mod life;
mod limits;
pub(crate) mod mishap;
mod ns;
pub(crate) mod path;
mod place;
mod plain;
pub(crate) mod preload;
pub(crate) mod process;
pub(crate) mod program;
mod protected;
mod reach;
mod skeleton;
pub(crate) mod stats;
pub(crate) mod tree;
pub(crate) mod users;
pub(crate) mod volumes;
pub(crate) mod watch;

pub use boot::{BootError, Guest};
pub use config::{GuestConfig, Network, RootSpec, UnreadOutput};
pub use ns::LaunchError;
pub(crate) use program::Lasting;
pub use program::{Program, ProgramRun, ProgramRuns, ProgramWhen, Programs, RealRun};
