//! The command `conformance-mutants`. Everything is in the library.

use std::process::ExitCode;

use clap::Parser as _;
use conformance_mutants::cli::Cli;

#[tokio::main]
async fn main() -> ExitCode {
    Cli::parse().run().await
}
