//! The report for CI: JUnit XML, one test suite for each area.

use std::collections::BTreeMap;

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use super::terminal::evidence;
use crate::runner::{Event, Outcome};
use crate::verdict::Verdict;

/// Collects a run.
#[derive(Debug, Default)]
pub struct Junit {
    areas: BTreeMap<&'static str, Vec<TestCase>>,
}

impl Junit {
    /// Takes one event.
    pub fn event(&mut self, event: &Event) {
        if let Event::Finished(outcome) = event {
            self.areas.entry(outcome.case.area()).or_default().push(test(outcome));
        }
    }

    /// The XML of what was collected.
    ///
    /// # Errors
    /// When it cannot be serialised.
    pub fn xml(self) -> Result<String, quick_junit::SerializeError> {
        let mut report = Report::new("envd-conformance");
        for (area, tests) in self.areas {
            let mut suite = TestSuite::new(area);
            suite.add_test_cases(tests);
            report.add_test_suite(suite);
        }
        report.to_string()
    }
}

fn test(outcome: &Outcome) -> TestCase {
    let case = &outcome.case;
    let round = if outcome.round == 0 { String::new() } else { format!("#{}", outcome.round + 1) };
    let mut test = TestCase::new(format!("{}{round}", case.id), status(outcome));
    test.set_classname(format!("conformance.{}", case.area())).set_time(outcome.took);
    test
}

fn status(outcome: &Outcome) -> TestCaseStatus {
    let other = |kind, why: &str| {
        let mut status = TestCaseStatus::non_success(kind);
        status.set_message(why);
        status
    };
    if let Some(reason) = &outcome.known {
        return skipped(&format!("known: {reason}; {}", outcome.verdict.message()));
    }
    match &outcome.verdict {
        Verdict::Pass => TestCaseStatus::success(),
        Verdict::Fail(finding) => {
            let mut status = other(NonSuccessKind::Failure, &outcome.verdict.message());
            let text = [outcome.case.requirement.to_owned(), format!("why: {}", outcome.case.why)];
            let lines = text.into_iter().chain(evidence(&outcome.observation, finding));
            status.set_description(lines.collect::<Vec<_>>().join("\n"));
            status.set_type(outcome.case.level.word());
            status
        }
        Verdict::Inconclusive(why) => other(NonSuccessKind::Error, why),
        Verdict::Blocked(need) => skipped(&format!("blocked: {need} did not pass")),
        Verdict::Unsupported(why) => skipped(&format!("unsupported: {why}")),
        Verdict::Skip(why) => skipped(why),
    }
}

fn skipped(why: &str) -> TestCaseStatus {
    let mut status = TestCaseStatus::skipped();
    status.set_message(why);
    status
}
