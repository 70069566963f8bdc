//! Decisions as the journal has them.

use crate::fault::{CallFault, Chosen, ChosenCall, ConnectionFault, Rule};
use crate::journal::{Decision, millis};

/// A decision about a connection, as the journal has it.
pub(crate) fn decision(chosen: &crate::fault::ChosenConnection) -> Decision {
    let wait = match &chosen.rule().fault {
        ConnectionFault::Delay { time } | ConnectionFault::SlowClose { time } => {
            Some(millis(chosen.key.wait(time)))
        }
        _ => None,
    };
    entered(chosen, chosen.rule().fault.to_string(), wait)
}

pub(super) fn decision_of_call(chosen: &ChosenCall) -> Decision {
    let wait = match &chosen.rule().fault {
        CallFault::Delay { time } | CallFault::StartLate { time } => Some(millis(chosen.key.wait(time))),
        _ => None,
    };
    entered(chosen, chosen.rule().fault.to_string(), wait)
}

fn entered<R: Rule>(chosen: &Chosen<R>, fault: String, wait_ms: Option<f64>) -> Decision {
    let at = chosen.rule().at().map(|at| at.to_string());
    Decision { rule: chosen.name().to_owned(), n: chosen.n, fault, at, wait_ms }
}
