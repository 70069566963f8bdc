//! `mutants`: the suite against mocks with one bug each. Exit code 1 if a mutant survives or a case catches nothing.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use globset::Glob;

use super::{Refusal, print, untold, usage};
use crate::case::Case;
use crate::mutants::{self, First, Hunt, Matrix, Mutant};
use crate::select::Selection;
use crate::subject::{Embedded, Subjects as _};
use crate::suites;

/// How much of why a case could not tell is printed.
const WIDTH: usize = 200;

#[derive(Debug, clap::Args)]
pub(super) struct Mutants {
    /// Only mutants whose id matches; may be given more than once. What was measured of the others stays.
    #[arg(long, value_name = "GLOB")]
    only: Vec<String>,
    /// Only cases whose id or tag matches; may be given more than once. What was measured of the others stays.
    #[arg(long, value_name = "GLOB")]
    cases: Vec<String>,
    /// Stops at each mutant's first kill; the cases go in the order of the last matrix.
    #[arg(long, conflicts_with = "json")]
    first_kill: bool,
    /// Writes the matrix.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// How many mutants at once.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=16))]
    jobs: u16,
}

impl Mutants {
    pub(super) async fn done(self) -> Result<ExitCode, Refusal> {
        let all = mutants::measured(&suites::all());
        let only = self.cases.clone();
        let cases: Vec<Case> =
            Selection { only, skip: Vec::new() }.of(&all).map_err(usage)?.into_iter().copied().collect();
        let chosen = chosen(&self.only)?;
        if self.first_kill {
            self.first(&cases, &chosen).await
        } else {
            self.whole(&all, &cases, &chosen).await
        }
    }

    async fn whole(&self, all: &[Case], cases: &[Case], chosen: &[Mutant]) -> Result<ExitCode, Refusal> {
        let since = Instant::now();
        let hunt = Hunt::prepare(cases, self.jobs.into()).await.map_err(untold)?;
        let mut matrix = Matrix::last();
        let ids: BTreeSet<&str> = cases.iter().map(|case| case.id).collect();
        matrix.slow.retain(|id| !ids.contains(id.as_str()));
        matrix.slow.extend(hunt.slow());
        hunt.whole(chosen, |mutant, row| {
            println!("{}", line(mutant, &row));
            matrix.put(row, &ids);
            // With the old fingerprint it counts as stale until all is measured; a failure is told at the end.
            let _ = self.write(&matrix);
        })
        .await;
        matrix.tidy(all, &mutants::all());
        self.write(&matrix)?;
        print(&format!("{}in {:.0} s\n", told(&matrix, all), since.elapsed().as_secs_f64()))?;
        Ok(ExitCode::from(u8::from(!matrix.survivors().is_empty() || !matrix.idle(all).is_empty())))
    }

    fn write(&self, matrix: &Matrix) -> Result<(), Refusal> {
        let Some(path) = &self.json else { return Ok(()) };
        let failed = |error| untold(format!("cannot write {}: {error}", path.display()));
        std::fs::write(path, matrix.text()).map_err(failed)
    }

    async fn first(&self, cases: &[Case], chosen: &[Mutant]) -> Result<ExitCode, Refusal> {
        let since = Instant::now();
        let last = Matrix::last();
        let left_out = |case: &Case| case.bulk || Embedded.unfit(case).is_some();
        let (hidden, chosen): (Vec<Mutant>, Vec<Mutant>) =
            chosen.iter().partition(|mutant| last.needs(mutant, cases, left_out));
        for mutant in hidden {
            println!("{:<40} left out: only big data shows it, or only a mock of root", mutant.id);
        }
        let tell = |first: &First| {
            if first.by.is_none() || first.tried > 1 {
                println!("{:<40} {} after {} cases", first.id, first.by.unwrap_or("SURVIVES"), first.tried);
                for why in &first.untold {
                    println!("    could not tell: {}", why.chars().take(WIDTH).collect::<String>());
                }
            }
        };
        let found = Hunt::blind(cases, self.jobs.into()).first(&chosen, &last, tell).await;
        let caught = found.iter().filter(|first| first.by.is_some()).count();
        let took = since.elapsed().as_secs_f64();
        print(&format!("{caught} of {} mutants caught, in {took:.0} s\n", found.len()))?;
        Ok(ExitCode::from(u8::from(caught < found.len())))
    }
}

fn chosen(only: &[String]) -> Result<Vec<Mutant>, Refusal> {
    let all = mutants::all();
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

fn line(mutant: &Mutant, row: &mutants::Row) -> String {
    let by: Vec<&str> = row.caught.iter().chain(&row.late).take(3).map(String::as_str).collect();
    let more = if row.caught.len() + row.late.len() > 3 { ", ..." } else { "" };
    let by = if by.is_empty() { "SURVIVES".to_owned() } else { format!("{}{more}", by.join(", ")) };
    let (late, untold) = (row.late.len(), row.untold.len());
    let id = mutant.id;
    format!("{id:<36} {:>3} by claim {late:>3} late {untold:>3} untold  {by}", row.caught.len())
}

fn told(matrix: &Matrix, cases: &[Case]) -> String {
    let (survivors, idle) = (matrix.survivors(), matrix.idle(cases));
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
        "\n{caught} of {all} mutants caught, {} of them subtle, {} only by waiting in vain; {} cases, {} catch nothing, \
         {smoke} plain smoke cases",
        matrix.subtle(),
        matrix.only_late().len(),
        cases.len(),
        idle.len(),
    );
    text
}
