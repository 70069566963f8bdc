//! From an exported journal to the decisions that are made again, and the spans of time in which nobody listened.

use std::collections::HashMap;
use std::io::BufRead;
use std::time::Duration;

use crate::fault::{
    ConnectionFault, ConnectionRule, Recorded, RecordedCall, RecordedConnection, Replay, Script,
};
use crate::journal::{BadJournal, CallEntry, Decision, Done, Entry, Lines};

/// What was decided in a run that is over; it can be replayed any number of times.
#[derive(Debug, Clone, Default)]
pub(crate) struct PastRun {
    file: String,
    connections: Vec<(usize, RecordedConnection)>,
    /// Those about which something was decided.
    calls: Vec<(usize, RecordedCall)>,
    /// The seed, and refusals as rules.
    pub(crate) script: Script,
}

/// What events say of a span in which nobody listens.
pub(crate) const REFUSING: &str = "refusing: ";
pub(crate) const LISTENING: &str = "listening again: ";

impl PastRun {
    /// Reads an exported journal.
    ///
    /// # Errors
    /// The first line that cannot be used.
    pub(crate) fn read(file: &str, journal: impl BufRead) -> Result<Self, BadJournal> {
        let (header, entries) = Lines::read(file, journal)?;
        if header.dropped > 0 {
            let problem = format!(
                "expected a whole journal, got one without its first {} entries: calls cannot be counted",
                header.dropped
            );
            return Err(BadJournal { file: file.to_owned(), line: 1, problem });
        }
        let script = Script::default().with_seed(header.seed);
        let mut this = Self { file: file.to_owned(), script, ..Self::default() };
        let mut refusals = Refusals::default();
        let mut met: HashMap<(String, Option<String>), u64> = HashMap::new();
        for entry in entries {
            let (line, entry) = entry?;
            match entry {
                Entry::Connection(one) => {
                    this.connections.push((line, recorded(&one.decisions, &one.done)));
                }
                Entry::Call(one) => {
                    let CallEntry { operation, name, decisions, done, .. } = *one;
                    let coordinate = (operation, name);
                    let nth = match met.get_mut(&coordinate) {
                        Some(nth) => nth,
                        None => met.entry(coordinate.clone()).or_default(),
                    };
                    *nth += 1;
                    // The others need only be counted.
                    if !decisions.is_empty() {
                        let decisions = recorded(&decisions, &done);
                        let (operation, name) = coordinate;
                        this.calls.push((line, RecordedCall { operation, name, nth: *nth, decisions }));
                    }
                }
                Entry::Event(event) => refusals.event(&event.event, event.at_ms),
            }
        }
        this.script.connections = refusals.rules();
        // So that what cannot be decided is told before anybody waits for it.
        this.replay()?;
        Ok(this)
    }

    /// The decisions, from the first call on.
    ///
    /// # Errors
    /// The line of a decision that cannot be made.
    pub(crate) fn replay(&self) -> Result<Replay, BadJournal> {
        let mut replay = Replay::default();
        for (line, connection) in &self.connections {
            replay.connection(connection).map_err(|problem| self.bad(*line, problem))?;
        }
        for (line, call) in &self.calls {
            replay.call(call).map_err(|problem| self.bad(*line, problem))?;
        }
        Ok(replay)
    }

    fn bad(&self, line: usize, problem: String) -> BadJournal {
        BadJournal { file: self.file.clone(), line, problem }
    }
}

fn recorded(decisions: &[Decision], done: &[Done]) -> Vec<Recorded> {
    let one = |decision: &Decision| {
        let of_rule = done.iter().filter(|done| done.rule == decision.rule);
        let mut envelopes: Vec<u64> = of_rule.filter_map(|done| done.envelope).collect();
        envelopes.dedup();
        Recorded {
            rule: decision.rule.clone(),
            n: decision.n,
            fault: decision.fault.clone(),
            at: decision.at.clone(),
            wait: decision.wait_ms.map(duration),
            done: done.iter().any(|done| done.rule == decision.rule),
            envelopes,
        }
    };
    decisions.iter().map(one).collect()
}

fn duration(millis: f64) -> Duration {
    Duration::try_from_secs_f64(millis.max(0.0) / 1000.0).unwrap_or(Duration::MAX)
}

/// Spans of time in which nobody listened, as their events come.
#[derive(Default)]
struct Refusals {
    rules: Vec<ConnectionRule>,
    open: HashMap<String, usize>,
}

impl Refusals {
    fn event(&mut self, event: &str, at_ms: f64) {
        if let Some(rule) = event.strip_prefix(REFUSING) {
            let built = ConnectionRule::any().after(duration(at_ms)).fault(ConnectionFault::Refuse {});
            if let Ok(mut built) = built {
                built.name = self.name(rule);
                self.open.insert(rule.to_owned(), self.rules.len());
                self.rules.push(built);
            }
        } else if let Some(index) = event.strip_prefix(LISTENING).and_then(|rule| self.open.remove(rule)) {
            let often = &mut self.rules[index].often;
            // A span has some length.
            often.until =
                Some(duration(at_ms).max(often.after.unwrap_or_default() + Duration::from_micros(1)));
        }
    }

    fn name(&self, rule: &str) -> String {
        let before = self.rules.iter().filter(|other| other.name.starts_with(rule)).count();
        if before == 0 { rule.to_owned() } else { format!("{rule} ({})", before + 1) }
    }

    fn rules(self) -> Vec<ConnectionRule> {
        self.rules
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::{Event, Header, line};

    fn journal(entries: &[Entry]) -> String {
        let header = line(&Header::new(2, 9, serde_json::json!({}), 0));
        std::iter::once(header).chain(entries.iter().map(line)).collect()
    }

    fn call(fault: &str) -> Entry {
        let decision = Decision { rule: "r".into(), n: 1, fault: fault.into(), at: None, wait_ms: Some(1.5) };
        let entry =
            CallEntry { operation: "GET /health".into(), decisions: vec![decision], ..CallEntry::default() };
        Entry::Call(Box::new(entry))
    }

    #[test]
    fn a_decision_that_cannot_be_made_is_refused_with_its_line() {
        let text = journal(&[call("delay 5ms"), call("explode")]);
        let refusal = PastRun::read("run.jsonl", text.as_bytes()).unwrap_err();
        assert_eq!((refusal.line, refusal.file.as_str()), (3, "run.jsonl"));
        assert!(refusal.problem.contains("explode"), "{refusal}");
    }

    // Calls without a decision are not kept, and count all the same.
    #[test]
    fn a_decision_belongs_to_the_same_call_as_before() {
        let other = CallEntry { operation: "GET /files".into(), ..CallEntry::default() };
        let plain = CallEntry { operation: "GET /health".into(), ..CallEntry::default() };
        let [other, plain] = [other, plain].map(|entry| Entry::Call(Box::new(entry)));
        let text = journal(&[plain.clone(), other, plain, call("delay 5ms")]);
        let past = PastRun::read("run.jsonl", text.as_bytes()).unwrap();
        let kept: Vec<_> = past.calls.iter().map(|(line, call)| (*line, call.nth)).collect();
        assert_eq!(kept, [(5, 3)]);
    }

    #[test]
    fn a_journal_that_is_not_whole_is_refused() {
        let text = line(&Header::new(2, 9, serde_json::json!({}), 4));
        let refusal = PastRun::read("run.jsonl", text.as_bytes()).unwrap_err().to_string();
        assert!(refusal.starts_with("run.jsonl:1: expected a whole journal"), "{refusal}");
    }

    #[test]
    fn spans_in_which_nobody_listened_come_again() {
        let event = |event: &str, at_ms| Entry::Event(Event { event: event.to_owned(), at_ms });
        let text = journal(&[
            event("refusing: down", 10.0),
            event("listening again: down", 30.0),
            event("refusing: down", 50.0),
        ]);
        let past = PastRun::read("run.jsonl", text.as_bytes()).unwrap();
        let rules: Vec<_> = past.script.connections.iter().map(ToString::to_string).collect();
        assert_eq!(
            rules,
            [
                "connection after=10ms until=30ms name=down: refuse",
                "connection after=50ms name=\"down (2)\": refuse",
            ]
        );
    }
}
