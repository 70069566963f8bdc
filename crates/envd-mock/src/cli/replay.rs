//! `envd-mock replay`: a guest again, and the decisions of a run that is over in place of rules.

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use clap::Args;

use super::command::Failed;
use super::serve::ServeArgs;
use super::up::Up;
use crate::builder::Builder;
use crate::replay::PastRun;

/// What a replay can be told.
#[derive(Debug, Args)]
pub struct ReplayArgs {
    /// The journal of that run, as `--journal` or GET /journal/export wrote it
    #[arg(value_name = "JOURNAL")]
    run: PathBuf,
    #[command(flatten)]
    pub(super) serve: ServeArgs,
}

impl ReplayArgs {
    pub(super) async fn start(self) -> Result<Up, Failed> {
        // Read first: the new journal may take its place.
        let past = read(&self.run)?;
        self.serve.start_with(Some(past)).await
    }
}

fn read(file: &Path) -> Result<PastRun, Failed> {
    let failed = |line: String| Failed { line, code: 2 };
    let journal = File::open(file)
        .map_err(|error| failed(format!("cannot read the journal {}: {error}", file.display())))?;
    PastRun::read(&file.display().to_string(), BufReader::new(journal)).map_err(|bad| failed(bad.to_string()))
}

/// Tells a builder to make the decisions of a journal again.
pub(super) fn tell<Of>(builder: Builder<Of>, past: Option<PastRun>) -> Builder<Of> {
    match past {
        Some(past) => builder.past(past),
        None => builder,
    }
}
