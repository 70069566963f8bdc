//! The command `envd-conformance`. Everything is in the library.

use std::process::ExitCode;

use clap::Parser as _;
use conformance::cli::{self, Cli};

#[tokio::main]
async fn main() -> ExitCode {
    cli::main(Cli::parse()).await
}
