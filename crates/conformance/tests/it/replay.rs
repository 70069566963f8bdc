//! Judges are pure: a saved observation has the same verdict without a subject, and another one once a line of it is
//! changed.

use conformance::case::judge;
use conformance::observation::{Ended, Observation};
use conformance::suites;
use conformance::verdict::Verdict;

use crate::mock::all;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_saved_observation_is_judged_the_same() {
    for outcome in all().await.0.iter().filter(|outcome| !outcome.observation.steps.is_empty()) {
        let saved = serde_json::to_string(&outcome.observation).unwrap();
        let read: Observation = serde_json::from_str(&saved).unwrap();
        assert_eq!(judge(&outcome.case, &read), Verdict::Pass, "{}", outcome.case.id);
    }
}

#[derive(serde::Deserialize)]
struct Saved {
    case: String,
    verdict: String,
    expected: Option<String>,
    observed: Option<String>,
    observation: Observation,
}

#[test]
fn the_saved_observations_have_the_saved_verdicts() {
    let directory = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/observations");
    let files: Vec<_> = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(files.len() >= 10, "{files:?}");
    for file in files {
        let saved: Saved = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
        let all = suites::all();
        let case = all.iter().find(|case| case.id == saved.case).unwrap();
        let (verdict, expected, observed) = match judge(case, &saved.observation) {
            Verdict::Pass => ("pass", None, None),
            Verdict::Fail(finding) => ("fail", Some(finding.expected), Some(finding.observed)),
            other => panic!("{}: {other:?}", file.display()),
        };
        assert_eq!(
            (verdict, expected, observed),
            (saved.verdict.as_str(), saved.expected, saved.observed),
            "{}",
            file.display()
        );
    }
}

/// Whoever passes has seen all that the case waited for.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_case_passes_that_waited_in_vain() {
    for outcome in all().await.0.iter().filter(|outcome| !outcome.observation.steps.is_empty()) {
        let mut late = outcome.observation.clone();
        let last = late.steps.last_mut().unwrap();
        last.exchange.ended = Ended::Late(std::time::Duration::from_secs(5));
        assert!(!matches!(judge(&outcome.case, &late), Verdict::Pass), "{}", outcome.case.id);
    }
}

/// A judge that does not care whether its answers came is none.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_case_passes_without_answers() {
    for outcome in all().await.0.iter().filter(|outcome| !outcome.observation.steps.is_empty()) {
        let mut silent = outcome.observation.clone();
        for step in &mut silent.steps {
            let exchange = &mut step.exchange;
            (exchange.status, exchange.ended) = (None, Ended::Cut("closed".into()));
            exchange.headers.clear();
            exchange.body.clear();
            exchange.after.clear();
            exchange.sum = None;
        }
        // Where the twin is silent too, the refusal that did not come says nothing.
        let silence = judge(&outcome.case, &silent);
        let untold = outcome.case.positive_control.is_some() && matches!(silence, Verdict::Inconclusive(_));
        assert!(untold || matches!(silence, Verdict::Fail(_)), "{}: {silence:?}", outcome.case.id);
        let never = judge(&outcome.case, &Observation::default());
        assert!(matches!(never, Verdict::Inconclusive(_)), "{}", outcome.case.id);
    }
}
