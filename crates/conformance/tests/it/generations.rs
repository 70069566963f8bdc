//! Mocks of the other generations conform, each told by its own answers. How they fail as they were built is
//! `just conformance`'s to see.

use std::sync::Arc;

use conformance::Report;
use conformance::profile::Claims;
use conformance::runner::{Config, Outcome};
use conformance::subject::{Playing, Subjects};
use conformance::suites;
use conformance::verdict::Verdict;

fn config(subjects: Arc<dyn Subjects>, claims: Claims) -> Config {
    let cases = suites::all().into_iter().filter(|case| !case.bulk).collect();
    Config { claims, disposable: true, ..Config::new(subjects, cases) }
}

/// Everything but big data; the generation is told by the mock's answers.
async fn conforms(generation: u8) {
    let playing = Playing::generation(generation).unwrap();
    let Report { outcomes, summary } = conformance::run(config(Arc::new(playing), Claims::default())).await;
    for outcome in &outcomes {
        let fine = matches!(outcome.verdict, Verdict::Pass | Verdict::Unsupported(_));
        assert!(fine, "{}: {:?}", outcome.case.id, outcome.verdict);
    }
    assert_eq!(summary.exit_code(), 0);
    let own = |outcome: &&Outcome| outcome.case.generations == [generation];
    for outcome in outcomes.iter().filter(own) {
        assert_eq!(outcome.verdict, Verdict::Pass, "{}", outcome.case.id);
    }
    assert!(summary.passed >= 400, "{}", summary.passed);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mock_of_generation_1_conforms() {
    conforms(1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mock_of_generation_3_conforms() {
    conforms(3).await;
}
