//! Rules in Rust, as sentences. A builder collects a record; the reader of all records judges it at the end.

use std::marker::PhantomData;
use std::time::Duration;

use super::condition::{Count, Generation, Name, Probability};
use super::kinds::{CallFault, ConnectionFault};
use super::names;
use super::node::{Entry, Table, Value};
use super::param::Param;
use super::position::Position;
use super::record::{self, Fault};
use super::rule::{CallRule, ConnectionRule, Nth, Operation, Script};
use super::source::ScriptError;
use super::write::told;

/// The conditions of a rule; `fault` says what goes wrong and makes the rule of them.
///
/// A condition that is told twice is told anew. What cannot be, such as a zeroth call or a position that the fault
/// cannot have, is an error of `fault`.
#[derive(Debug, Clone)]
#[must_use = "a rule is made by `fault`"]
pub struct RuleBuilder<F> {
    record: Table,
    of: PhantomData<F>,
}

impl CallRule {
    /// A rule of the calls of an operation: `process.Process/Start`, `GET /files`, `/memory/**`, `*`.
    ///
    /// ```
    /// use envd_mock::fault::{CallFault, CallRule, Position, Which};
    ///
    /// # fn main() -> Result<(), envd_mock::fault::ScriptError> {
    /// let rule = CallRule::on("process.Process/Start")?
    ///     .nth(2)
    ///     .at(Position::DownEnvelope(Which::Nth(5), 3))
    ///     .fault(CallFault::Reset {})?;
    /// assert_eq!(rule, "process.Process/Start #2 down[5] @3: reset".parse()?);
    /// assert_eq!(rule.name, "process.Process/Start #2 down[5]@3: reset");
    /// # Ok(())
    /// # }
    /// ```
    pub fn on(operation: &str) -> Result<RuleBuilder<CallFault>, ScriptError> {
        Ok(RuleBuilder::new().with("operation", operation.parse::<Operation>()?.write()))
    }

    /// A rule of all calls.
    pub fn any() -> RuleBuilder<CallFault> {
        RuleBuilder::new().with("operation", Operation::Any.write())
    }
}

impl ConnectionRule {
    /// A rule of these connections, counted from 1.
    ///
    /// ```
    /// use envd_mock::fault::{ConnectionFault, ConnectionRule, Script};
    ///
    /// # fn main() -> Result<(), envd_mock::fault::ScriptError> {
    /// let third = ConnectionRule::nth(3).fault(ConnectionFault::Stall {})?;
    /// assert_eq!(third.to_string(), "connection #3: stall");
    ///
    /// let script = Script::from(third).merge("POST /init #1..3: status 503".parse::<envd_mock::fault::CallRule>()?.into())?;
    /// assert_eq!(script.calls.len(), 1);
    /// # Ok(())
    /// # }
    /// ```
    pub fn nth(nth: impl Into<Nth>) -> RuleBuilder<ConnectionFault> {
        Self::any().nth(nth)
    }

    /// A rule of all connections.
    pub fn any() -> RuleBuilder<ConnectionFault> {
        RuleBuilder::new()
    }
}

impl<F> RuleBuilder<F> {
    fn new() -> Self {
        Self { record: Table::default(), of: PhantomData }
    }

    fn with(mut self, key: &str, value: Option<Value>) -> Self {
        self.record.take(key);
        self.record.put(key, value);
        self
    }

    /// The name, one of a kind within a script; the rule as an expression by default.
    pub fn name(self, name: &str) -> Self {
        self.with("name", Name(name.to_owned()).write())
    }

    /// Which of those that meet all other conditions, counted from 1: `2`, `1..=3` or `4..`.
    pub fn nth(self, nth: impl Into<Nth>) -> Self {
        self.with("nth", nth.into().write())
    }

    /// Every so many of them: 3 is the third, the sixth, and so on.
    pub fn every(self, every: u64) -> Self {
        self.with("every", Count(every).write())
    }

    /// The share of them, from 0 to 1.
    pub fn probability(self, share: f64) -> Self {
        self.with("probability", Probability(share).write())
    }

    /// At most so many times.
    pub fn times(self, times: u64) -> Self {
        self.with("times", Count(times).write())
    }

    /// Not before this time since the rule was armed.
    pub fn after(self, time: Duration) -> Self {
        self.with("after", time.write())
    }

    /// Not from this time on.
    pub fn until(self, time: Duration) -> Self {
        self.with("until", time.write())
    }

    /// Where the fault acts.
    pub fn at(self, position: Position) -> Self {
        self.with("at", position.write())
    }

    /// How long the rule stays, from when it is armed.
    pub fn ttl(self, time: Duration) -> Self {
        self.with("ttl", time.write())
    }

    fn finished(self, fault: &impl Fault) -> Table {
        self.with("fault", Some(Value::Table(told(fault)))).record
    }
}

impl RuleBuilder<CallFault> {
    /// Calls whose header `name` matches this glob.
    pub fn header(self, name: &str, glob: &str) -> Self {
        self.named("header", name, glob)
    }

    /// Calls whose query parameter `name` matches this glob.
    pub fn query(self, name: &str, glob: &str) -> Self {
        self.named("query", name, glob)
    }

    /// Calls for a file or directory that matches this glob, as the request names it.
    pub fn path(self, glob: &str) -> Self {
        self.with("path", glob.to_owned().write())
    }

    /// Calls that start or select a process with a tag that matches this glob.
    pub fn tag(self, glob: &str) -> Self {
        self.with("tag", glob.to_owned().write())
    }

    /// Calls that start or select a command that matches this glob, its arguments behind blanks.
    pub fn command(self, glob: &str) -> Self {
        self.with("command", glob.to_owned().write())
    }

    /// Calls while the mock plays this generation.
    pub fn generation(self, generation: u8) -> Self {
        self.with("generation", Generation(generation).write())
    }

    /// Calls on this connection, counted from 1.
    pub fn connection(self, ordinal: u64) -> Self {
        self.with("connection", Count(ordinal).write())
    }

    /// What goes wrong.
    pub fn fault(self, fault: CallFault) -> Result<CallRule, ScriptError> {
        record::call(self.finished(&fault)).map_err(ScriptError::nowhere)
    }

    fn named(mut self, key: &str, name: &str, glob: &str) -> Self {
        let mut table = match self.record.take(key).map(|node| node.value) {
            Some(Value::Table(table)) => table,
            _ => Table::default(),
        };
        let node = Value::Text(glob.to_owned()).into();
        table.entries.push(Entry { key: name.to_owned(), key_at: 0..0, node });
        self.with(key, Some(Value::Table(table)))
    }
}

impl RuleBuilder<ConnectionFault> {
    /// What goes wrong.
    pub fn fault(self, fault: ConnectionFault) -> Result<ConnectionRule, ScriptError> {
        record::connection(self.finished(&fault)).map_err(ScriptError::nowhere)
    }
}

impl Script {
    /// The same script with this seed.
    pub fn with_seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self.zero_seed = seed == 0;
        self
    }
}

impl From<CallRule> for Script {
    fn from(mut rule: CallRule) -> Self {
        names::fill(&mut rule);
        Self { calls: vec![rule], ..Self::default() }
    }
}

impl From<ConnectionRule> for Script {
    fn from(mut rule: ConnectionRule) -> Self {
        names::fill(&mut rule);
        Self { connections: vec![rule], ..Self::default() }
    }
}
