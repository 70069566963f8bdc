//! `envd-mock replay`: a guest again, and the decisions of a run that is over in place of rules.

use std::path::{Path, PathBuf};

use clap::Args;

use super::command::Failed;
use super::serve::ServeArgs;
use super::up::Up;
use crate::builder::Builder;

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
        let file = self.run.display().to_string();
        let text = read(&self.run)?;
        self.serve.start_with(Some((file, text))).await
    }
}

fn read(file: &Path) -> Result<String, Failed> {
    std::fs::read_to_string(file).map_err(|error| Failed {
        line: format!("cannot read the journal {}: {error}", file.display()),
        code: 2,
    })
}

/// Tells a builder to make the decisions of a journal again: its name and its text.
pub(super) fn tell<Of>(
    builder: Builder<Of>,
    journal: Option<(String, String)>,
) -> Result<Builder<Of>, Failed> {
    let Some((file, text)) = journal else { return Ok(builder) };
    builder.replay(&file, &text).map_err(|bad| Failed { line: bad.to_string(), code: 2 })
}
