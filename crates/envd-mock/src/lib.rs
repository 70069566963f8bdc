//! A fake guest: it speaks envd's wire contract, runs real commands over a file tree of its own, and is driven
//! in-process by tests or as a command by anything that speaks HTTP. Responsible for assembling the parts; each
//! module says what it does.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let mock = envd_mock::MockEnvd::start().await?;
//! mock.guest().write_file("/home/user/a.txt", b"hello")?;
//! println!("drive it at {}", mock.url());
//! # Ok(())
//! # }
//! ```

mod body;
mod builder;
#[doc(hidden)]
pub mod cli;
#[doc(hidden)]
pub mod commands;
mod connection;
mod control;
mod course;
mod effect;
pub mod fault;
mod generation;
pub mod guest;
mod handle;
pub mod journal;
mod levers;
mod live;
mod mishaps;
mod mock;
mod pipeline;
pub(crate) mod routes;
mod selfcheck;
mod server;
mod time;
mod units;

pub use builder::Builder;
pub use generation::{Generation, UnknownGeneration};
pub use guest::{BootError, GuestConfig, RootSpec};
pub use handle::{GuestHandle, ProcessSummary};
pub use levers::{Clock, Faults, NameTaken, Refusing};
pub use live::RuleReport;
pub use mock::MockEnvd;
pub use routes::origin::Origin;
pub use server::StartError;
pub use time::{NotManual, Pace};
