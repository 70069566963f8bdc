//! The command line of `envd-mock`: flags to a builder, and errors to one line. Starts nothing but what was asked for.

mod command;
mod common;
mod epilogue;
mod proxy;
pub(crate) mod ready;
mod replay;
mod serve;
#[cfg(test)]
mod tests;
mod up;

pub use command::{Cli, Failed, Stop};
pub use common::{Common, LogFormat, Strict};
pub use epilogue::{Epilogue, Verdict};
pub use proxy::ProxyArgs;
pub use ready::ReadyFile;
pub use replay::ReplayArgs;
pub use serve::ServeArgs;
pub use up::Up;
