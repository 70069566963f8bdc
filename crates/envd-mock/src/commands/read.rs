//! The command line of the commands that do not serve. Does nothing.

use clap::Parser;
use clap::error::ErrorKind;

use crate::cli::Stop;

/// Tools of the mock that serve nothing.
#[derive(Debug, Parser, PartialEq, Eq)]
#[command(name = "envd-mock", version)]
pub enum Asked {
    /// Prove every fault over bare sockets: disarmed twice, armed once; exits with 1 when one is not as declared
    SelfCheck {
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
    /// List every kind of fault, with one line and one example each
    Faults {
        /// Print a JSON list
        #[arg(long)]
        json: bool,
        /// Print the table of docs/faults.md
        #[arg(long, conflicts_with = "json")]
        markdown: bool,
    },
}

/// Reads the arguments if they name one of these commands.
///
/// # Errors
/// [`Stop`], with the text to print.
pub fn read(args: &[std::ffi::OsString]) -> Result<Option<Asked>, Stop> {
    let first = args.get(1).and_then(|first| first.to_str());
    if !matches!(first, Some("self-check" | "faults")) {
        return Ok(None);
    }
    Asked::try_parse_from(args).map(Some).map_err(|error| match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => Stop::Told(error.to_string()),
        _ => Stop::Refused(
            error.to_string().lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned(),
        ),
    })
}
