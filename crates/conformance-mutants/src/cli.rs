//! The command line: runs the suite against the mutants. Exit code 0 if every mutant is caught and every case catches one,
//! 1 if not, 2 for a usage error, 3 if it could not be decided.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;
use conformance::case::Case;
use conformance::matrix::{Matrix, Row};
use conformance::select::Selection;
use conformance::subject::{Embedded, Subjects as _};
use conformance::suites;
use globset::Glob;

use crate::kill_run::{FirstKill, KillRun};
use crate::measure::{idle, measured, needs, only_late, put, subtle, survivors, tidy};
use crate::mutant::Mutant;
use crate::table;

const USAGE: u8 = 2;
const UNDECIDED: u8 = 3;
/// How much of the reason for an inconclusive verdict is printed.
const WIDTH: usize = 200;

/// Runs the conformance suite against mocks with one seeded bug each, and prints which cases catch which bug.
#[derive(Debug, Parser)]
#[command(name = "conformance-mutants", version)]
#[command(after_help = "Exit codes: 0 all mutants caught, 1 not all, 2 usage error, 3 undecided.")]
pub struct Cli {
    /// Run only mutants whose id matches; can be repeated.
    #[arg(long, value_name = "GLOB")]
    only: Vec<String>,
    /// Run only cases whose id or tag matches; can be repeated.
    #[arg(long, value_name = "GLOB", conflicts_with = "write")]
    cases: Vec<String>,
    /// Stop at the first kill of each mutant; the cases that caught it last time run first.
    #[arg(long, conflicts_with = "write")]
    first_kill: bool,
    /// Write the kill matrix; rows of mutants that were not run are kept.
    #[arg(long, value_name = "FILE")]
    write: Option<PathBuf>,
    /// Number of mutants to run in parallel.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=16))]
    jobs: u16,
}

struct Failure {
    code: u8,
    text: String,
}

fn usage(error: impl std::fmt::Display) -> Failure {
    Failure { code: USAGE, text: error.to_string() }
}

fn undecided(error: impl std::fmt::Display) -> Failure {
    Failure { code: UNDECIDED, text: error.to_string() }
}

impl Cli {
    /// Runs what the arguments ask for.
    pub async fn run(self) -> ExitCode {
        self.try_run().await.unwrap_or_else(|failure| {
            eprintln!("conformance-mutants: {}", failure.text);
            ExitCode::from(failure.code)
        })
    }

    async fn try_run(self) -> Result<ExitCode, Failure> {
        let all = measured(&suites::all());
        let selection = Selection { only: self.cases.clone(), skip: Vec::new() };
        let cases: Vec<Case> = selection.of(&all).map_err(usage)?.into_iter().copied().collect();
        let mutants = selected(&self.only)?;
        if self.first_kill {
            Ok(self.first_kills(&cases, &mutants).await)
        } else {
            self.whole_matrix(&all, &cases, &mutants).await
        }
    }

    async fn whole_matrix(
        &self,
        all: &[Case],
        cases: &[Case],
        mutants: &[Mutant],
    ) -> Result<ExitCode, Failure> {
        let since = Instant::now();
        let run = KillRun::prepare(cases, self.jobs.into()).await.map_err(undecided)?;
        let mut matrix = Matrix::checked_in();
        if cases.len() == all.len() {
            matrix.slow = run.slow().collect();
        }
        run.all_kills(mutants, |mutant, row| {
            println!("{}", summary_line(mutant, &row));
            put(&mut matrix, row);
        })
        .await;
        tidy(&mut matrix, all, &table::all());
        if let Some(path) = &self.write {
            write(path, &matrix)?;
        }
        println!("{}in {:.0} s", totals(&matrix, all), since.elapsed().as_secs_f64());
        Ok(ExitCode::from(u8::from(!survivors(&matrix).is_empty() || !idle(&matrix, all).is_empty())))
    }

    async fn first_kills(&self, cases: &[Case], mutants: &[Mutant]) -> ExitCode {
        let since = Instant::now();
        let last = Matrix::checked_in();
        let left_out = |case: &Case| case.bulk || Embedded.unfit(case).is_some();
        let (hidden, mutants): (Vec<Mutant>, Vec<Mutant>) =
            mutants.iter().partition(|mutant| needs(&last, mutant, cases, left_out));
        for mutant in hidden {
            println!("{:<40} left out: only bulk cases, or a mock run by root, can show it", mutant.id);
        }
        let kills =
            KillRun::unprepared(cases, self.jobs.into()).first_kills(&mutants, &last, report_first).await;
        let caught = kills.iter().filter(|kill| kill.by.is_some()).count();
        println!("{caught} of {} mutants caught, in {:.0} s", kills.len(), since.elapsed().as_secs_f64());
        ExitCode::from(u8::from(caught < kills.len()))
    }
}

fn write(path: &Path, matrix: &Matrix) -> Result<(), Failure> {
    let failed = |error| undecided(format!("cannot write {}: {error}", path.display()));
    std::fs::write(path, matrix.to_text()).map_err(failed)
}

fn selected(only: &[String]) -> Result<Vec<Mutant>, Failure> {
    let all = table::all();
    let mut globs = Vec::new();
    for pattern in only {
        let glob = Glob::new(pattern).map_err(usage)?.compile_matcher();
        if !all.iter().any(|mutant| glob.is_match(mutant.id)) {
            return Err(usage(format!("pattern {pattern:?} matches no mutant")));
        }
        globs.push(glob);
    }
    let wanted = |mutant: &Mutant| globs.is_empty() || globs.iter().any(|glob| glob.is_match(mutant.id));
    Ok(all.into_iter().filter(wanted).collect())
}

/// Prints a mutant that was not caught by the first case.
fn report_first(kill: &FirstKill) {
    if kill.by.is_some() && kill.tried == 1 {
        return;
    }
    println!("{:<40} {} after {} cases", kill.id, kill.by.unwrap_or("SURVIVES"), kill.tried);
    for why in &kill.inconclusive {
        println!("    inconclusive: {}", why.chars().take(WIDTH).collect::<String>());
    }
}

fn summary_line(mutant: &Mutant, row: &Row) -> String {
    let (caught, late) = (row.caught.len(), row.late.len());
    let by: Vec<&str> = row.caught.iter().chain(&row.late).take(3).map(String::as_str).collect();
    let more = if caught + late > by.len() { ", ..." } else { "" };
    let by = if by.is_empty() { "SURVIVES".to_owned() } else { format!("{}{more}", by.join(", ")) };
    let other = row.noticed - caught - late;
    format!("{:<36} {caught:>3} caught {late:>3} late {other:>3} blocked or inconclusive  {by}", mutant.id)
}

fn totals(matrix: &Matrix, cases: &[Case]) -> String {
    let (survivors, idle) = (survivors(matrix), idle(matrix, cases));
    let mut text = String::new();
    for id in &survivors {
        let _ = writeln!(text, "survives: {id}");
    }
    for id in &idle {
        let _ = writeln!(text, "catches nothing: {id}");
    }
    let (all, caught) = (matrix.mutants.len(), matrix.mutants.len() - survivors.len());
    let smoke = cases.iter().filter(|case| case.smoke).count();
    let _ = writeln!(
        text,
        "\n{caught} of {all} mutants caught, {} of them subtle, {} only by a timeout; {} cases, {} catch nothing, \
         {smoke} plain smoke cases",
        subtle(matrix),
        only_late(matrix).len(),
        cases.len(),
        idle.len(),
    );
    text
}
