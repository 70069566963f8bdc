//! Decisions that were recorded, made again without the rules that made them: the nth call of an operation, or the nth of
//! the name that its client gave it, gets exactly what it had. Pure.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::armed::{Armed, Chosen, ChosenCall, ChosenConnection, Rule};
use super::draw::Key;
use super::kinds::{CallFault, ConnectionFault};
use super::matcher::Call;
use super::node::{Problem, Table, Value};
use super::param::Wait;
use super::position::{Position, Which};
use super::record;
use super::rule::{CallRule, ConnectionRule};

/// One decision, as a journal has it.
#[derive(Debug, Clone)]
pub(crate) struct Recorded {
    pub(crate) rule: String,
    pub(crate) n: u64,
    pub(crate) fault: String,
    pub(crate) at: Option<String>,
    pub(crate) wait: Option<Duration>,
    /// Whether it was really done.
    pub(crate) done: bool,
    /// The envelopes at which it was done.
    pub(crate) envelopes: Vec<u64>,
}

/// One call and what was decided about it.
#[derive(Debug, Clone)]
pub(crate) struct RecordedCall {
    pub(crate) operation: String,
    pub(crate) name: Option<String>,
    /// Its ordinal among the calls of this operation and name, from 1.
    pub(crate) nth: u64,
    pub(crate) decisions: Vec<Recorded>,
}

/// What was decided about one connection.
pub(crate) type RecordedConnection = Vec<Recorded>;

/// The operation of a call and the name that its client gave it.
type Coordinate = (String, Option<String>);

/// Decisions by coordinate, and how far each coordinate has come.
#[derive(Debug, Default)]
pub(crate) struct Replay {
    calls: HashMap<Coordinate, Turns>,
    connections: Vec<Vec<ChosenConnection>>,
    connection: AtomicUsize,
    /// Those that were really done, so that they are to be done again.
    done_calls: Vec<Arc<Armed<CallRule>>>,
    done_connections: Vec<Arc<Armed<ConnectionRule>>>,
}

#[derive(Debug, Default)]
struct Turns {
    /// By ordinal, from 1; calls about which nothing was decided have none.
    plans: HashMap<u64, Vec<ChosenCall>>,
    met: Mutex<u64>,
}

impl Replay {
    /// Adds a call of a recording about which something was decided.
    ///
    /// # Errors
    /// What is wrong with one of its decisions.
    pub(crate) fn call(&mut self, call: &RecordedCall) -> Result<(), String> {
        let turns = self.calls.entry((call.operation.clone(), call.name.clone())).or_default();
        let nth = call.nth;
        let mut plan = Vec::new();
        for decision in &call.decisions {
            let made = calls(&call.operation, nth, decision).map_err(|problem| problem.to_string())?;
            if decision.done {
                self.done_calls.extend(made.iter().map(|chosen| Arc::clone(&chosen.armed)));
            }
            plan.extend(made);
        }
        turns.plans.insert(nth, plan);
        Ok(())
    }

    /// Adds the next connection of a recording.
    ///
    /// # Errors
    /// What is wrong with one of its decisions.
    pub(crate) fn connection(&mut self, decisions: &RecordedConnection) -> Result<(), String> {
        let nth = self.connections.len() as u64 + 1;
        let plan: Result<Vec<_>, Problem> =
            decisions.iter().map(|decision| connection(nth, decision)).collect();
        let plan = plan.map_err(|problem| problem.to_string())?;
        let done = plan.iter().zip(decisions).filter(|(_, decision)| decision.done);
        self.done_connections.extend(done.map(|(chosen, _)| Arc::clone(&chosen.armed)));
        self.connections.push(plan);
        Ok(())
    }

    /// What the next call of its coordinate had.
    pub(super) fn decide(&self, call: &Call<'_>) -> Vec<ChosenCall> {
        let coordinate = (call.head.operation(), call.name.map(str::to_owned));
        let Some(turns) = self.calls.get(&coordinate) else { return Vec::new() };
        let mut met = turns.met.lock().unwrap_or_else(PoisonError::into_inner);
        *met += 1;
        let plan = turns.plans.get(&*met).cloned().unwrap_or_default();
        plan.iter().for_each(|chosen| chosen.armed.note_chosen());
        plan
    }

    /// What the next connection had.
    pub(super) fn decide_connection(&self) -> Vec<ChosenConnection> {
        let plan = self.connections.get(self.connection.fetch_add(1, Ordering::Relaxed));
        let plan = plan.cloned().unwrap_or_default();
        plan.iter().for_each(|chosen| chosen.armed.note_chosen());
        plan
    }

    /// Each decision about a connection that was really done.
    pub(crate) fn armed_connections(&self) -> &[Arc<Armed<ConnectionRule>>] {
        &self.done_connections
    }

    /// Each decision about a call that was really done, in the order of the recording.
    pub(crate) fn armed_calls(&self) -> &[Arc<Armed<CallRule>>] {
        &self.done_calls
    }
}

/// One decision as a rule of its own; as many as there are envelopes, where it could be done at more than one.
fn calls(operation: &str, nth: u64, decision: &Recorded) -> Result<Vec<ChosenCall>, Problem> {
    let mut table = record_of(nth, decision);
    table.put("operation", Value::Text(literal(operation)));
    let mut rule = record::call(table)?;
    if let (CallFault::Delay { time } | CallFault::StartLate { time }, Some(wait)) =
        (&mut rule.fault, decision.wait)
    {
        *time = Wait::Fixed(wait);
    }
    let places = |which: Which, place: fn(Which, u64) -> Position, byte: u64| -> Vec<Option<Position>> {
        let nth = |envelope: &u64| Some(place(Which::Nth(*envelope), byte));
        if which.is_many() {
            decision.envelopes.iter().map(nth).collect()
        } else {
            vec![Some(place(which, byte))]
        }
    };
    let positions = match rule.at {
        Some(Position::DownEnvelope(which, byte)) => places(which, Position::DownEnvelope, byte),
        Some(Position::UpEnvelope(which, byte)) => places(which, Position::UpEnvelope, byte),
        at => vec![at],
    };
    Ok(positions.into_iter().map(|at| chosen(CallRule { at, ..rule.clone() }, decision.n)).collect())
}

fn connection(nth: u64, decision: &Recorded) -> Result<ChosenConnection, Problem> {
    let mut rule = record::connection(record_of(nth, decision))?;
    if let (ConnectionFault::Delay { time } | ConnectionFault::SlowClose { time }, Some(wait)) =
        (&mut rule.fault, decision.wait)
    {
        *time = Wait::Fixed(wait);
    }
    Ok(chosen(rule, decision.n))
}

fn record_of(nth: u64, decision: &Recorded) -> Table {
    let mut table = Table::default();
    table.put("name", Value::Text(decision.rule.clone()));
    table.put("nth", Value::Text(nth.to_string()));
    table.put("at", decision.at.clone().map(Value::Text));
    table.put("fault", Value::Text(decision.fault.clone()));
    table
}

fn chosen<R: Rule>(rule: R, n: u64) -> Chosen<R> {
    // Nothing is left to draw.
    let key = Key::new(0, rule.name(), "");
    Chosen { armed: Armed::new(rule, 0, Duration::ZERO), n, key }
}

/// A glob that matches this text alone.
fn literal(text: &str) -> String {
    let escaped = |c: char| if "*?[]{}\\".contains(c) { format!("\\{c}") } else { c.to_string() };
    text.chars().map(escaped).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delay(at: &str, envelopes: &[u64]) -> Recorded {
        Recorded {
            rule: "late".into(),
            n: 7,
            fault: "delay 20ms..200ms".into(),
            at: Some(at.into()),
            wait: Some(Duration::from_millis(33)),
            done: true,
            envelopes: envelopes.into(),
        }
    }

    #[test]
    fn draws_are_not_made_again() {
        let plan = calls("process.Process/Start", 2, &delay("down[*]@3", &[1, 4])).unwrap();
        let told: Vec<_> = plan.iter().map(|chosen| chosen.rule().to_string()).collect();
        assert_eq!(
            told,
            [
                "process.Process/Start #2 down[1]@3 name=late: delay 33ms",
                "process.Process/Start #2 down[4]@3 name=late: delay 33ms",
            ]
        );
        assert!(plan.iter().all(|chosen| chosen.n == 7 && chosen.acts_at(4)));
    }

    #[test]
    fn what_cannot_be_decided_is_refused() {
        let broken = Recorded { fault: "explode".into(), ..delay("@3", &[]) };
        let problem = calls("GET /a[b", 1, &broken).unwrap_err().to_string();
        assert!(problem.contains("explode"), "{problem}");
    }
}
