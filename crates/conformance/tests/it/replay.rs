//! Judges are pure: a saved observation has the same verdict without a subject, and another one once a line of it is
//! changed.

use std::sync::Arc;

use conformance::observation::{Ended, Observation};
use conformance::subject::Embedded;
use conformance::verdict::{Verdict, judge};

use crate::mock::outcomes;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_saved_observation_is_judged_the_same() {
    for outcome in outcomes(Arc::new(Embedded), &["*"]).await {
        let saved = serde_json::to_string(&outcome.observation).unwrap();
        let read: Observation = serde_json::from_str(&saved).unwrap();
        assert_eq!(judge(&outcome.case, &read), Verdict::Pass, "{}", outcome.case.id);
    }
}

/// A judge that does not care whether its answers came is none.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_case_passes_without_answers() {
    for outcome in outcomes(Arc::new(Embedded), &["*"]).await {
        let mut silent = outcome.observation.clone();
        for step in &mut silent.steps {
            let exchange = &mut step.exchange;
            (exchange.status, exchange.ended) = (None, Ended::Cut("closed".into()));
            exchange.headers.clear();
            exchange.body.clear();
        }
        assert!(matches!(judge(&outcome.case, &silent), Verdict::Fail(_)), "{}", outcome.case.id);
        let never = judge(&outcome.case, &Observation::default());
        assert!(matches!(never, Verdict::Inconclusive(_)), "{}", outcome.case.id);
    }
}
