//! The command line: what was asked, as a run of the library. Exit codes: 0 conforms, 1 does not, 2 usage, 3 cannot be
//! told.

mod compare;
mod look;
mod past;
mod run;

use std::io::Write as _;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::select::Selection;

const USAGE: u8 = 2;
const UNTOLD: u8 = 3;

/// Judges an envd by its wire contract. Without --url or --spawn it judges an embedded mock.
#[derive(Debug, Parser)]
#[command(name = "envd-conformance", version, args_conflicts_with_subcommands = true)]
#[command(after_help = "Exit codes: 0 conforms, 1 does not, 2 usage, 3 cannot be told.")]
pub struct Cli {
    #[command(subcommand)]
    command: Option<Ask>,
    #[command(flatten)]
    run: run::Run,
}

#[derive(Debug, Subcommand)]
enum Ask {
    /// Lists the cases.
    List(look::List),
    /// Tells all about a case, with what it sends and what the embedded mock answers.
    Explain(look::Explain),
    /// Writes a file of known failures from reports.
    Accept(past::Accept),
    /// Judges the transcripts of a bundle again, without a subject.
    Regrade(past::Regrade),
    /// Compares two JSON reports, or two subjects in lockstep.
    Diff(compare::Diff),
}

#[derive(Debug, Clone, clap::Args)]
struct Which {
    /// Only cases whose id or tag matches; may be given more than once.
    #[arg(long, value_name = "GLOB")]
    only: Vec<String>,
    /// Not the cases whose id or tag matches; may be given more than once.
    #[arg(long, value_name = "GLOB")]
    skip: Vec<String>,
}

/// Does what was asked.
pub async fn main(cli: Cli) -> ExitCode {
    let done = match cli.command {
        Some(Ask::List(list)) => list.done(),
        Some(Ask::Explain(explain)) => explain.done().await,
        Some(Ask::Accept(accept)) => accept.done(),
        Some(Ask::Regrade(regrade)) => regrade.done(),
        Some(Ask::Diff(diff)) => diff.done().await,
        None => cli.run.done().await,
    };
    done.unwrap_or_else(|refusal| {
        eprintln!("envd-conformance: {}", refusal.text);
        ExitCode::from(refusal.code)
    })
}

struct Refusal {
    code: u8,
    text: String,
}

fn usage(error: impl std::fmt::Display) -> Refusal {
    Refusal { code: USAGE, text: error.to_string() }
}

fn untold(error: impl std::fmt::Display) -> Refusal {
    Refusal { code: UNTOLD, text: error.to_string() }
}

fn print(text: &str) -> Result<ExitCode, Refusal> {
    // A reader that has seen enough is no failure.
    let _ = std::io::stdout().write_all(text.as_bytes());
    Ok(ExitCode::SUCCESS)
}

impl Which {
    fn selection(&self) -> Selection {
        Selection { only: self.only.clone(), skip: self.skip.clone() }
    }
}
