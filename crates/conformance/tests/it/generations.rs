//! Mocks of the other generations conform in what differs between generations, each told by its own answers. The rest,
//! and how they fail as they were built, is `just conformance`'s to see.

use std::collections::BTreeSet;
use std::sync::Arc;

use conformance::Report;
use conformance::case::Case;
use conformance::profile::Claims;
use conformance::runner::{Config, Outcome};
use conformance::subject::{Playing, Subjects};
use conformance::suites;
use conformance::verdict::Verdict;

fn config(subjects: Arc<dyn Subjects>, claims: Claims) -> Config {
    let differs = |case: &Case| {
        let area = case.id.split('/').next().unwrap_or_default();
        let other = ["files", "init", "snapshot", "routes", "browsers"].contains(&area);
        other || !case.generations.is_empty() || !case.features.is_empty()
    };
    let all = suites::all();
    let chosen = all.iter().filter(|case| !case.bulk && differs(case));
    // With what they rest on.
    let needed: BTreeSet<&str> = chosen.flat_map(|case| with_needs(&all, case)).collect();
    let cases = all.iter().filter(|case| needed.contains(case.id)).copied().collect();
    Config { claims, disposable: true, ..Config::new(subjects, cases) }
}

fn with_needs<'a>(all: &'a [Case], case: &'a Case) -> Vec<&'a str> {
    let needs = case.needs.iter().filter_map(|id| all.iter().find(|case| case.id == *id));
    needs.flat_map(|case| with_needs(all, case)).chain([case.id]).collect()
}

/// The generation is told by the mock's answers.
async fn conforms(generation: u8) {
    let playing = Playing::generation(generation).unwrap();
    let Report { outcomes, summary } = conformance::run(config(Arc::new(playing), Claims::default())).await;
    let fits = |outcome: &&Outcome| playing.unfit(&outcome.case).is_none();
    for outcome in &outcomes {
        let fine = matches!(outcome.verdict, Verdict::Pass | Verdict::Unsupported(_));
        assert!(fine, "{}: {:?}", outcome.case.id, outcome.verdict);
    }
    assert_eq!(summary.exit_code(), 0);
    let own = |outcome: &&Outcome| outcome.case.generations == [generation];
    for outcome in outcomes.iter().filter(own).filter(fits) {
        assert_eq!(outcome.verdict, Verdict::Pass, "{}", outcome.case.id);
    }
    assert!(summary.passed >= 200, "{}", summary.passed);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mock_of_generation_1_conforms() {
    conforms(1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mock_of_generation_3_conforms() {
    conforms(3).await;
}
