//! How long the kit takes at the embedded mock: the whole suite, the smoke subset, and every mutant to its first kill.
//! A run takes seconds, so each figure is of a few runs and not of the hundreds that a statistics library wants.

use std::sync::Arc;
use std::time::{Duration, Instant};

use conformance::case::Case;
use conformance::matrix::Matrix;
use conformance::runner::Config;
use conformance::subject::{Embedded, Subjects as _};
use conformance::suites;
use conformance_mutants::{self as mutants, KillRun};

const RUNS: usize = 5;
const JOBS: usize = 6;

#[tokio::main]
async fn main() {
    let all: Vec<Case> = suites::all();
    let last = Matrix::checked_in();
    let smoke: Vec<Case> = all.iter().filter(|case| last.smoke.contains(case.id)).copied().collect();
    // The smoke subset first: a process that has grown takes longer to fork.
    for (name, cases) in [("smoke subset", &smoke), ("whole suite", &all)] {
        let mut took = Vec::new();
        for _ in 0..RUNS {
            took.push(suite(cases.clone()).await);
        }
        took.sort();
        let (least, median, most) = (took[0], took[RUNS / 2], took[RUNS - 1]);
        println!("{name:<24} {:>4} cases    {least:>9.2?} {median:>9.2?} {most:>9.2?}", cases.len());
    }
    let since = Instant::now();
    let mut chosen = mutants::all();
    chosen.retain(|mutant| {
        !mutants::needs(&last, mutant, &all, |case| case.bulk || Embedded.unfit(case).is_some())
    });
    let found = KillRun::unprepared(&mutants::measured(&all), JOBS).first_kills(&chosen, &last, |_| {}).await;
    let caught = found.iter().filter(|first| first.by.is_some()).count();
    println!(
        "{:<24} {:>4} mutants  {:>9.2?} ({caught} caught)",
        "to the first kill",
        found.len(),
        since.elapsed()
    );
}

async fn suite(cases: Vec<Case>) -> Duration {
    let since = Instant::now();
    let config = Config { disposable: true, ..Config::new(Arc::new(Embedded), cases) };
    let report = conformance::run(config).await;
    assert_eq!(report.summary.exit_code(), 0, "{:?}", report.summary);
    since.elapsed()
}
