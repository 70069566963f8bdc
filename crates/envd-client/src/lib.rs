//! A client for envd, the agent inside a sandbox VM: boot it, run commands, move files, watch directories, prepare
//! a snapshot, warm memory. The modules name the parts; `transport` alone knows HTTP.
//!
//! ```no_run
//! # async fn run() -> envd_client::Result<()> {
//! use envd_client::{Client, Init};
//! use std::time::Duration;
//!
//! let guest = Client::new("10.0.0.1")?;
//! guest.wait_until_ready(Duration::from_secs(30)).await?;
//! guest.init(&Init::new().sandbox_id("sb-1").env("LANG", "C.UTF-8")).await?;
//! guest.write_file("/root/a.txt", "hello\n").await?;
//! let output = guest.command("wc").arg("-c").arg("/root/a.txt").output().await?;
//! assert!(output.exit.success());
//! println!("{}", output.stdout_text());
//! # Ok(())
//! # }
//! ```
//!
//! A call is cancelled by dropping its future or stream; a command goes on in the guest then, as envd has it.
//! An [`Error`] says who is to blame ([`Error::blame`]), whether the same call may be made again
//! ([`Error::retry`]) and the Connect code ([`Error::code`]).

mod builder;
mod client;
mod error;
mod files;
mod filesystem;
mod generation;
mod lifecycle;
mod preload;
mod process;
mod signature;
mod stats;
mod transport;
mod volumes;
mod watch;

pub use builder::ClientBuilder;
pub use client::Client;
pub use error::{Blame, BoxError, Code, Detail, Error, ErrorKind, Phase, Result, Retry, Wait};
pub use files::{FileStream, Range, Written};
pub use filesystem::{Entry, FileType};
pub use generation::Generation;
pub use lifecycle::Init;
pub use preload::{PreloadState, PreloadStatus};
pub use process::{
    Command, Event, EventStream, Exit, Output, Process, ProcessInfo, Selector, Signal, Size, Terminal,
};
pub use signature::{FileOperation, FileUrl};
pub use stats::{Activity, Metrics};
pub use transport::Codec;
pub use watch::{FsEvent, FsEventKind, Watch, Watcher};
