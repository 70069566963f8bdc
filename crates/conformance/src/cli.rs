//! The command line: what was asked, as a run of the library. Exit codes: 0 conforms, 1 does not, 2 usage, 3 cannot be
//! told.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::{Parser, Subcommand};
use tokio_util::sync::CancellationToken;

use crate::case::Case;
use crate::report::{Junit, Terminal};
use crate::runner::{self, Config};
use crate::select::Selection;
use crate::subject::{At, Embedded, Spawn, Subjects};
use crate::suites;

const USAGE: u8 = 2;
const UNTOLD: u8 = 3;

/// Judges an envd by its wire contract (generation 2). Without --url or --spawn it judges an embedded mock.
#[derive(Debug, Parser)]
#[command(name = "envd-conformance", version, args_conflicts_with_subcommands = true)]
#[command(after_help = "Exit codes: 0 conforms, 1 does not, 2 usage, 3 cannot be told.")]
pub struct Cli {
    #[command(subcommand)]
    command: Option<Ask>,
    #[command(flatten)]
    run: Run,
}

#[derive(Debug, Subcommand)]
enum Ask {
    /// Lists the cases.
    List {
        #[command(flatten)]
        which: Which,
    },
    /// Tells all about a case.
    Explain {
        /// The id, as `list` prints it.
        id: String,
    },
}

#[derive(Debug, clap::Args)]
struct Which {
    /// Only cases whose id matches; may be given more than once.
    #[arg(long, value_name = "GLOB")]
    only: Vec<String>,
    /// Not the cases whose id matches; may be given more than once.
    #[arg(long, value_name = "GLOB")]
    skip: Vec<String>,
}

#[derive(Debug, clap::Args)]
struct Run {
    /// A guest that is already up. Cases that need a fresh one are skipped.
    #[arg(long, value_name = "http://HOST:PORT", conflicts_with = "spawn")]
    url: Option<String>,
    /// A shell command that starts a build; {port} is replaced. It is killed with its process group at the end.
    #[arg(long, value_name = "COMMAND")]
    spawn: Option<String>,
    #[command(flatten)]
    which: Which,
    /// How many cases at once.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=64))]
    jobs: u16,
    /// How many seconds one case may take; one answer may take half of it.
    #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..))]
    case_deadline: u16,
    /// Writes a report in JUnit XML.
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
}

/// Does what was asked.
pub async fn main(cli: Cli) -> ExitCode {
    let done = match cli.command {
        Some(Ask::List { which }) => list(which),
        Some(Ask::Explain { id }) => explain(&id),
        None => run(cli.run).await,
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

fn list(which: Which) -> Result<ExitCode, Refusal> {
    let all = suites::all();
    let lines = which.selection().of(&all).map_err(usage)?;
    let mut text = String::new();
    for case in lines {
        let _ = writeln!(text, "{:<40} {:<7} {}", case.id, case.level.word(), case.requirement);
    }
    print(&text)
}

fn explain(id: &str) -> Result<ExitCode, Refusal> {
    let all = suites::all();
    let unknown = || usage(format!("no case is called {id:?}; `envd-conformance list` shows them all"));
    let case = all.iter().find(|case| case.id == id).ok_or_else(unknown)?;
    let needs = if case.needs.is_empty() { "nothing".to_owned() } else { case.needs.join(", ") };
    let ground = match case.ground {
        crate::case::Ground::Shared => "any, and leaves it as it was",
        crate::case::Ground::Own => "a fresh one of its own",
    };
    let (requirement, why, source, level) = (case.requirement, case.why, case.source, case.level.word());
    print(&format!(
        "{id}\n  requirement  {requirement}\n  why          {why}\n  source       {source}\n  level        {level}\n  \
         needs        {needs}\n  subject      {ground}\n"
    ))
}

fn print(text: &str) -> Result<ExitCode, Refusal> {
    // A reader that has seen enough is no failure.
    let _ = std::io::stdout().write_all(text.as_bytes());
    Ok(ExitCode::SUCCESS)
}

async fn run(asked: Run) -> Result<ExitCode, Refusal> {
    let subjects = asked.subjects()?;
    let all = suites::all();
    let cases: Vec<Case> = asked.which.selection().of(&all).map_err(usage)?.into_iter().copied().collect();
    let stop = CancellationToken::new();
    tokio::spawn(stop_on_signal(stop.clone()));
    let case_deadline = Duration::from_secs(asked.case_deadline.into());
    let config = Config { subjects, cases, jobs: asked.jobs.into(), case_deadline, stop };
    let (mut terminal, mut junit) = (Terminal::new(std::io::stdout()), Junit::default());
    let summary = runner::run(config, &mut |event| {
        // A reader that has seen enough does not end the run.
        let _ = terminal.event(event);
        junit.event(event);
    })
    .await;
    if let Some(path) = asked.junit {
        let failed =
            |why: String| Refusal { code: UNTOLD, text: format!("cannot write {}: {why}", path.display()) };
        let xml = junit.xml().map_err(|error| failed(error.to_string()))?;
        std::fs::write(&path, xml).map_err(|error| failed(error.to_string()))?;
    }
    Ok(ExitCode::from(summary.exit_code()))
}

async fn stop_on_signal(stop: CancellationToken) {
    let terminated = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate());
    let Ok(mut terminated) = terminated else { return };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminated.recv() => {}
    }
    stop.cancel();
}

impl Run {
    fn subjects(&self) -> Result<Arc<dyn Subjects>, Refusal> {
        Ok(match (&self.url, &self.spawn) {
            (Some(url), _) => Arc::new(At::url(url).map_err(usage)?),
            (None, Some(command)) => Arc::new(Spawn::command(command).map_err(usage)?),
            (None, None) => Arc::new(Embedded),
        })
    }
}

impl Which {
    fn selection(&self) -> Selection {
        Selection { only: self.only.clone(), skip: self.skip.clone() }
    }
}
