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

mod answerer;
mod body;
mod builder;
#[doc(hidden)]
pub mod cli;
#[doc(hidden)]
pub mod commands;
mod connection;
mod control;
mod course;
mod coverage;
mod defect;
mod effect;
pub mod fault;
mod generation;
mod glob;
pub mod guest;
mod handle;
pub mod incident;
pub mod journal;
mod levers;
mod live;
mod mishaps;
mod mock;
mod pipeline;
mod playback;
mod proxy;
mod query;
mod random;
mod refusal;
mod replay;
pub(crate) mod routes;
mod script;
mod selfcheck;
mod served;
mod server;
mod strict;
mod time;
mod traffic;
mod units;
mod upstream;
pub mod verify;

pub use builder::Builder;
pub use coverage::{Coverage, Covered};
pub use defect::{Defect, NotShown, UnknownDefect};
pub use generation::{Generation, UnknownGeneration};
pub use guest::preload::{BadClaim, State as PreloadState};
pub use guest::{
    BootError, GuestConfig, Network, Program, ProgramRun, ProgramRuns, ProgramWhen, Programs, RealRun,
    RootSpec, UnreadOutput,
};
pub use handle::{GuestHandle, ProcessSummary};
pub use levers::{Clock, Faults, Refusing};
pub use live::{RuleReport, ScriptRefused, Unfit};
pub use mock::MockEnvd;
pub use playback::Playback;
pub use proxy::Proxy;
pub use routes::origin::Origin;
pub use script::script_schema;
pub use server::StartError;
pub use strict::{StrictReport, Strictness};
pub use time::{NotManual, Pace};
pub use traffic::{BadPace, BadRecording, ReplayPace};
pub use upstream::{BadTarget, OwnUpstream, Target, UpstreamProtocol};
