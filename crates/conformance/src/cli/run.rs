//! `envd-conformance` without a subcommand: a run, its reports and its exit code.

use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::{Refusal, Which, untold, usage};
use crate::case::Case;
use crate::known::Known;
use crate::matrix::Matrix;
use crate::profile::Claims;
use crate::report::{Files, Terminal, Wanted};
use crate::runner::{self, Config};
use crate::subject::{At, Playing, Spawn, Subjects, adopt_orphans};
use crate::suites;

#[derive(Debug, clap::Args)]
pub(super) struct Run {
    /// A guest that is already up. Cases that need a fresh one are skipped.
    #[arg(long, value_name = "http://HOST:PORT", conflicts_with = "spawn")]
    url: Option<String>,
    /// A shell command that starts a build; {port} is replaced. It is started again when it dies, and killed with all
    /// that it has started at the end.
    #[arg(long, value_name = "COMMAND")]
    spawn: Option<String>,
    /// Every case gets a build of its own.
    #[arg(long, conflicts_with = "url")]
    spawn_per_case: bool,
    /// The wire generation, which an embedded mock then plays; auto tells it by the subject's answers.
    #[arg(long, value_name = "auto|1|2|3", default_value = "auto", value_parser = generation)]
    generation: Generation,
    /// The embedded mock does what builds of its generation get wrong.
    #[arg(long, conflicts_with_all = ["url", "spawn"])]
    as_built: bool,
    /// What is said of the subject, in TOML: generation, has, lacks.
    #[arg(long, value_name = "FILE")]
    claims: Option<PathBuf>,
    /// Failures that are known, in TOML; one that does not fail as it says fails the run.
    #[arg(long, value_name = "FILE")]
    known: Option<PathBuf>,
    #[command(flatten)]
    which: Which,
    /// Only the few cases that together catch nearly all mutants.
    #[arg(long)]
    smoke: bool,
    /// Runs the cases that change the machine, such as its clock, too.
    #[arg(long)]
    disposable: bool,
    /// Ends the run at the first failure of level must.
    #[arg(long)]
    fail_fast: bool,
    /// How often everything is run.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..))]
    repeat: u16,
    /// Draws the order from a seed.
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// How many cases at once.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=64))]
    jobs: u16,
    /// How many seconds one case may take; one answer may take half of it.
    #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..))]
    case_deadline: u16,
    #[command(flatten)]
    reports: Wanted,
}

#[derive(Debug, Clone, Copy)]
struct Generation(Option<u8>);

fn generation(text: &str) -> Result<Generation, String> {
    match text {
        "auto" => Ok(Generation(None)),
        "1" | "2" | "3" => Ok(Generation(text.parse().ok())),
        other => Err(format!("expected auto, 1, 2 or 3, found {other:?}")),
    }
}

impl Run {
    pub(super) async fn done(self) -> Result<ExitCode, Refusal> {
        let (config, reports) = (self.config()?, self.reports);
        tokio::spawn(stop_on_signal(config.stop.clone()));
        let mut files = Files::open(reports).map_err(usage)?;
        let bar = std::io::stderr().is_terminal();
        let out = std::io::stdout();
        let mut terminal = if bar { Terminal::with_bar(out) } else { Terminal::new(out) };
        let summary = runner::run(config, &mut |event| {
            // A reader that has seen enough does not end the run.
            let _ = terminal.event(event);
            files.event(event);
        })
        .await;
        files.finish().map_err(untold)?;
        Ok(ExitCode::from(summary.exit_code()))
    }

    fn config(&self) -> Result<Config, Refusal> {
        let all = suites::all();
        let matrix = self.smoke.then(Matrix::checked_in);
        let offered = |case: &&Case| matrix.as_ref().is_none_or(|matrix| matrix.smoke.contains(case.id));
        let some: Vec<Case> = all.iter().filter(offered).copied().collect();
        let cases: Vec<Case> =
            self.which.selection().of(&some).map_err(usage)?.into_iter().copied().collect();
        Ok(Config {
            claims: self.claims()?,
            known: self.known(&all)?,
            jobs: self.jobs.into(),
            case_deadline: Duration::from_secs(self.case_deadline.into()),
            fresh: self.spawn_per_case,
            disposable: self.disposable,
            fail_fast: self.fail_fast,
            repeat: self.repeat.into(),
            seed: self.seed,
            ..Config::new(self.subjects()?, cases)
        })
    }

    fn claims(&self) -> Result<Claims, Refusal> {
        let claims = self.claims.as_deref().map(Claims::read).transpose().map_err(usage)?.unwrap_or_default();
        Ok(Claims { generation: self.generation.0.or(claims.generation), ..claims })
    }

    fn known(&self, all: &[Case]) -> Result<Known, Refusal> {
        let today = jiff::Timestamp::now().to_zoned_datetime(jiff::tz::TimeZone::UTC).date();
        let read = self.known.as_deref().map(|path| Known::read(path, all, today));
        Ok(read.transpose().map_err(usage)?.unwrap_or_default())
    }

    fn subjects(&self) -> Result<Arc<dyn Subjects>, Refusal> {
        Ok(match (&self.url, &self.spawn) {
            (Some(url), _) => Arc::new(At::url(url).map_err(usage)?),
            (None, Some(command)) => {
                adopt_orphans();
                Arc::new(Spawn::command(command).map_err(usage)?)
            }
            (None, None) => Arc::new(self.embedded()),
        })
    }
}

impl Run {
    fn embedded(&self) -> Playing {
        let playing = self.generation.0.and_then(Playing::generation).unwrap_or_default();
        if self.as_built { playing.as_built() } else { playing }
    }
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
