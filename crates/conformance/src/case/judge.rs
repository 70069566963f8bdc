//! The verdict of a case over what was seen. Pure.

use super::Case;
use crate::observation::{Ended, Observation};
use crate::verdict::{Finding, Objection, Verdict};

/// The verdict of `case` over what was seen. A refusal counts only where the twin, the same request without its defect,
/// was answered as it should; and who passes has seen all that the case waited for.
pub fn judge(case: &Case, observation: &Observation) -> Verdict {
    match case.positive_control.map_or(Ok(()), |twin| twin(observation)) {
        Err(Objection::Wrong(finding)) => return Verdict::Inconclusive(control_failed(&finding)),
        Err(Objection::Unclear(why)) => return Verdict::Inconclusive(why),
        Ok(()) => {}
    }
    match (case.judge)(observation) {
        Ok(()) => in_vain(observation).map_or(Verdict::Pass, Verdict::Fail),
        Err(Objection::Wrong(finding)) => Verdict::Fail(finding),
        Err(Objection::Unclear(why)) => Verdict::Inconclusive(why),
    }
}

/// A step in which the case waited for something that did not come.
fn in_vain(observation: &Observation) -> Option<Finding> {
    observation.steps.iter().find_map(|step| match &step.exchange.ended {
        Ended::Late(after) => Some(Finding {
            step: step.label.clone(),
            expected: format!("what the case waits for within {after:?}"),
            observed: "an answer without it".to_owned(),
        }),
        _ => None,
    })
}

fn control_failed(finding: &Finding) -> String {
    let Finding { step, expected, observed } = finding;
    format!("its twin, the repaired request {step:?}, fails too: expected {expected}, observed {observed}")
}
