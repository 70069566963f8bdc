//! What a second go says of the first: a case that fails among others is run again alone before it is called failed.
//! Pure.

use super::event::AttemptOutcome;
use super::scheduler_lag::{STALLED, STARVED};
use crate::case::Case;
use crate::verdict::{Finding, Verdict};

/// The verdict over both goes; `void` says that the first one does not count, since the subject died under it.
pub(super) fn settled(case: &Case, first: &AttemptOutcome, void: bool, second: &AttemptOutcome) -> Verdict {
    match (&first.verdict, &second.verdict) {
        (_, Verdict::Fail(_)) if excused(case, second) => Verdict::Inconclusive(starving(second)),
        (Verdict::Fail(finding), Verdict::Pass) if !void && !excused(case, first) => {
            Verdict::Inconclusive(format!("passes alone; among others it was: {}", told(finding)))
        }
        (_, second) => second.clone(),
    }
}

/// A failure that will not be run again, taken at its word unless the harness starved.
pub(super) fn at_its_word(case: &Case, only: &AttemptOutcome) -> Verdict {
    match &only.verdict {
        Verdict::Fail(_) if excused(case, only) => Verdict::Inconclusive(starving(only)),
        verdict => verdict.clone(),
    }
}

/// A case that was late in a run that does not wait any more.
pub(super) fn hasty(only: &AttemptOutcome) -> Verdict {
    let why = "it was not waited for longer, since others had been waited for in vain";
    Verdict::Inconclusive(format!("{}; {why}", only.verdict.message()))
}

/// A failure alone that took the subject with it.
pub(super) fn with_death(verdict: Verdict, death: &str) -> Verdict {
    Verdict::Fail(match verdict {
        Verdict::Fail(Finding { step, expected, observed }) => {
            Finding { step, expected, observed: format!("{observed}; the subject died: {death}") }
        }
        _ => Finding {
            step: String::new(),
            expected: "a subject that stays up".to_owned(),
            observed: format!("the subject died: {death}"),
        },
    })
}

/// Whether the harness was kept from running for so long that the failure may be its own: an answer that was waited
/// for in vain needs more than one that came at the wrong time.
fn excused(case: &Case, attempt: &AttemptOutcome) -> bool {
    let enough = if attempt.late { STALLED } else { STARVED };
    attempt.starved >= enough && (case.timing || attempt.late)
}

fn starving(attempt: &AttemptOutcome) -> String {
    let told = match &attempt.verdict {
        Verdict::Fail(finding) => told(finding),
        _ => String::new(),
    };
    format!("the harness itself was kept from running for {:?}: {told}", attempt.starved)
}

fn told(finding: &Finding) -> String {
    format!("expected {}, observed {}", finding.expected, finding.observed)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::observation::Observation;

    const TIMED: Case = Case { timing: true, ..Case::BASE };

    fn attempt(verdict: Verdict, starved: u64) -> AttemptOutcome {
        let starved = Duration::from_millis(starved);
        AttemptOutcome {
            verdict,
            observation: Observation::default(),
            took: Duration::ZERO,
            starved,
            late: false,
        }
    }

    fn fail() -> Verdict {
        let text = String::new;
        Verdict::Fail(Finding { step: text(), expected: "a".into(), observed: "b".into() })
    }

    #[test]
    fn a_failure_is_one_only_if_it_fails_alone_too() {
        let among = attempt(fail(), 0);
        assert_eq!(settled(&Case::BASE, &among, false, &attempt(fail(), 0)), fail());
        let passes = settled(&Case::BASE, &among, false, &attempt(Verdict::Pass, 0));
        assert!(matches!(passes, Verdict::Inconclusive(why) if why.starts_with("passes alone")));
    }

    #[test]
    fn a_first_go_under_a_dying_subject_does_not_count() {
        let among = attempt(fail(), 0);
        assert_eq!(settled(&Case::BASE, &among, true, &attempt(Verdict::Pass, 0)), Verdict::Pass);
    }

    #[test]
    fn a_claim_about_time_never_fails_while_the_harness_starves() {
        let starved = attempt(fail(), 150);
        assert!(matches!(settled(&TIMED, &starved, false, &starved), Verdict::Inconclusive(_)));
        assert!(matches!(at_its_word(&TIMED, &starved), Verdict::Inconclusive(_)));
        assert_eq!(settled(&TIMED, &starved, false, &attempt(Verdict::Pass, 0)), Verdict::Pass);
        assert_eq!(settled(&TIMED, &starved, false, &attempt(fail(), 0)), fail());
        assert_eq!(at_its_word(&Case::BASE, &starved), fail(), "another claim is not excused");
    }

    #[test]
    fn what_never_came_is_excused_by_a_long_stall_alone() {
        let waited = |starved| AttemptOutcome { late: true, ..attempt(fail(), starved) };
        for case in [&TIMED, &Case::BASE] {
            assert_eq!(at_its_word(case, &waited(150)), fail());
            assert!(matches!(at_its_word(case, &waited(1000)), Verdict::Inconclusive(_)));
        }
    }

    #[test]
    fn a_death_is_a_failure_whatever_the_judge_said() {
        let dead = with_death(Verdict::Pass, "signal: 6");
        assert!(matches!(dead, Verdict::Fail(finding) if finding.observed.contains("signal: 6")));
    }
}
