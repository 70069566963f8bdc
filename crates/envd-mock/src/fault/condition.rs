//! What a rule may demand: every key of a rule but `fault`, the type of its value, and how conditions are read from a
//! record and written into one. Whether a call meets them is decided elsewhere.

use std::ops::RangeFrom;
use std::ops::RangeInclusive;
use std::time::Duration;

use serde_json::json;

use super::glob::{Glob, LONGEST};
use super::kinds::parameter;
use super::node::{Node, Problem, Table, Value};
use super::param::{Param, from_text, problem, whole};
use super::position::Position;
use super::rule::{CallWhen, Nth, Often, Operation};

/// One key of a rule.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Key {
    pub(crate) word: &'static str,
    pub(crate) schema: fn() -> serde_json::Value,
    /// One line.
    pub(crate) about: &'static str,
}

const fn key<P: Param>(word: &'static str, about: &'static str) -> Key {
    Key { word, schema: P::schema, about }
}

/// The keys of every rule, in the order of the record; `fault` comes behind them.
pub(crate) const OF_EVERY_RULE: &[Key] = &[
    key::<Name>("name", "one of a kind within a script; the rule as an expression by default"),
    key::<Nth>("nth", "which of those that meet all other conditions, counted from 1: 2, 1..3 or 4.."),
    key::<Count>("every", "every so many of them: 3 is the third, the sixth, and so on"),
    key::<Probability>("probability", "the share of them, from 0 to 1, such as 0.05 or 5%"),
    key::<Count>("times", "at most so many times"),
    key::<Duration>("after", "not before this time since the rule was armed"),
    key::<Duration>("until", "not from this time on"),
    key::<Position>("at", "where the fault acts"),
    key::<Duration>("ttl", "how long the rule stays, from when it is armed"),
];

/// The keys that rules of calls have besides.
pub(crate) const OF_CALLS: &[Key] = &[
    key::<Operation>("operation", "process.Process/Start, GET /files, /memory/** or *; * by default"),
    key::<Globs>("header", "headers of the request: each must be there and match its glob"),
    key::<Globs>("query", "query parameters: each must be there and match its glob"),
    key::<Glob>("path", "the file or directory, as the request names it"),
    key::<Glob>("tag", "the tag of the process that the call starts or selects"),
    key::<Glob>("command", "the command that the call starts or selects, with its arguments behind blanks"),
    key::<Generation>("generation", "the generation that the mock plays"),
    key::<Count>("connection", "the ordinal of the connection that the call came on"),
];

impl Often {
    /// Takes its keys out of a record.
    pub(crate) fn read(table: &mut Table) -> Result<Self, Problem> {
        let until_at = table.place_of("until");
        let often = Self {
            nth: parameter("a rule", "nth", table)?,
            every: parameter::<Option<Count>>("a rule", "every", table)?.map(|count| count.0),
            probability: parameter::<Option<Probability>>("a rule", "probability", table)?
                .map(|share| share.0),
            times: parameter::<Option<Count>>("a rule", "times", table)?.map(|count| count.0),
            after: parameter("a rule", "after", table)?,
            until: parameter("a rule", "until", table)?,
        };
        let span = (often.after.unwrap_or_default(), often.until.unwrap_or(Duration::MAX));
        if span.0 < span.1 {
            return Ok(often);
        }
        let text = |time| crate::units::print_duration(time);
        let expected = format!("until to be later than after, which is {}", text(span.0));
        Err(Problem::new(until_at, expected, text(span.1), "after=1s until=5s"))
    }

    /// Puts its keys into a record.
    pub(crate) fn write(&self, table: &mut Table) {
        table.put("nth", self.nth.write());
        table.put("every", self.every.map(Count).write());
        table.put("probability", self.probability.map(Probability).write());
        table.put("times", self.times.map(Count).write());
        table.put("after", self.after.write());
        table.put("until", self.until.write());
    }
}

impl CallWhen {
    /// Takes its keys out of a record.
    pub(crate) fn read(table: &mut Table) -> Result<Self, Problem> {
        let mut header = parameter::<Globs>("a rule", "header", table)?;
        header.0.iter_mut().for_each(|(name, _)| name.make_ascii_lowercase());
        header.0.sort_by(|a, b| a.0.cmp(&b.0));
        Ok(Self {
            operation: parameter("a rule", "operation", table)?,
            header: header.0,
            query: parameter::<Globs>("a rule", "query", table)?.0,
            path: parameter("a rule", "path", table)?,
            tag: parameter("a rule", "tag", table)?,
            command: parameter("a rule", "command", table)?,
            generation: parameter::<Option<Generation>>("a rule", "generation", table)?.map(|one| one.0),
            connection: parameter::<Option<Count>>("a rule", "connection", table)?.map(|count| count.0),
        })
    }

    /// Puts its keys into a record, `operation` left out.
    pub(crate) fn write(&self, table: &mut Table) {
        table.put("header", Globs(self.header.clone()).write());
        table.put("query", Globs(self.query.clone()).write());
        table.put("path", self.path.write());
        table.put("tag", self.tag.write());
        table.put("command", self.command.write());
        table.put("generation", self.generation.map(Generation).write());
        table.put("connection", self.connection.map(Count).write());
    }
}

/// How many, or which one, from 1.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Count(pub(crate) u64);

impl Param for Count {
    fn read(node: &Node) -> Result<Self, Problem> {
        from_text(node, |text| ordinal(text).map(Self))
    }

    fn write(&self) -> Option<Value> {
        self.0.write()
    }

    fn schema() -> serde_json::Value {
        whole(1, u64::MAX)
    }

    fn expected() -> String {
        "a whole number from 1".to_owned()
    }

    fn example() -> String {
        "3".to_owned()
    }
}

/// A number from 1, without a sign.
fn ordinal(text: &str) -> Option<u64> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok())?.filter(|number| *number > 0)
}

impl Nth {
    fn parse(text: &str) -> Option<Self> {
        match text.split_once("..") {
            None => ordinal(text).map(Self::Only),
            Some((first, "")) => ordinal(first).map(Self::From),
            Some((first, last)) => {
                let (first, last) = (ordinal(first)?, ordinal(last)?);
                (first <= last).then_some(Self::Range(first, last))
            }
        }
    }
}

impl From<u64> for Nth {
    fn from(only: u64) -> Self {
        Self::Only(only)
    }
}

impl From<RangeInclusive<u64>> for Nth {
    fn from(range: RangeInclusive<u64>) -> Self {
        Self::Range(*range.start(), *range.end())
    }
}

impl From<RangeFrom<u64>> for Nth {
    fn from(range: RangeFrom<u64>) -> Self {
        Self::From(range.start)
    }
}

impl Param for Nth {
    fn read(node: &Node) -> Result<Self, Problem> {
        from_text(node, Self::parse)
    }

    fn write(&self) -> Option<Value> {
        match self {
            Self::Only(only) => only.write(),
            Self::Range(first, last) => Some(Value::Text(format!("{first}..{last}"))),
            Self::From(first) => Some(Value::Text(format!("{first}.."))),
        }
    }

    fn schema() -> serde_json::Value {
        json!({ "type": ["integer", "string"], "minimum": 1, "pattern": "^[0-9]+(\\.\\.[0-9]*)?$" })
    }

    fn expected() -> String {
        "ordinals from 1, such as 2, 1..3 or 4..".to_owned()
    }

    fn example() -> String {
        "1..3".to_owned()
    }
}

/// A share from 0 to 1.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Probability(pub(crate) f64);

impl Param for Probability {
    fn read(node: &Node) -> Result<Self, Problem> {
        let share = match &node.value {
            Value::Fraction(share) => Some(*share),
            Value::Number(number) => number.to_string().parse().ok(),
            Value::Text(text) => share(text),
            _ => None,
        };
        // Adding zero makes a plain zero of a negative one.
        let share = share.filter(|share| (0.0..=1.0).contains(share)).map(|share| Self(share + 0.0));
        share.ok_or_else(|| problem::<Self>(node))
    }

    fn write(&self) -> Option<Value> {
        Some(Value::Fraction(self.0))
    }

    fn schema() -> serde_json::Value {
        json!({ "type": ["number", "string"], "minimum": 0, "maximum": 1, "pattern": "^[0-9.eE+-]+%?$" })
    }

    fn expected() -> String {
        "a share from 0 to 1, such as 0.05 or 5%".to_owned()
    }

    fn example() -> String {
        "0.05".to_owned()
    }
}

/// A number, or a percentage.
fn share(text: &str) -> Option<f64> {
    match text.strip_suffix('%') {
        Some(percent) => percent.parse::<f64>().ok().map(|percent| percent / 100.0),
        None => text.parse().ok(),
    }
}

/// A generation of the wire.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Generation(pub(crate) u8);

impl Param for Generation {
    fn read(node: &Node) -> Result<Self, Problem> {
        from_text(node, |text| text.parse().ok().filter(|one| (1..=3).contains(one)).map(Self))
    }

    fn write(&self) -> Option<Value> {
        self.0.write()
    }

    fn schema() -> serde_json::Value {
        whole(1, 3)
    }

    fn expected() -> String {
        "a generation from 1 to 3".to_owned()
    }

    fn example() -> String {
        "2".to_owned()
    }
}

/// The name of a rule: one line.
#[derive(Debug, Clone)]
pub(crate) struct Name(pub(crate) String);

impl Param for Name {
    fn read(node: &Node) -> Result<Self, Problem> {
        let fits = |text: &str| !text.trim().is_empty() && !text.contains(char::is_control);
        from_text(node, |text| fits(text).then(|| Self(text.to_owned())))
    }

    fn write(&self) -> Option<Value> {
        Some(Value::Text(self.0.clone()))
    }

    fn schema() -> serde_json::Value {
        json!({ "type": ["string", "integer"], "minLength": 1 })
    }

    fn expected() -> String {
        "a name in one line".to_owned()
    }

    fn example() -> String {
        "\"slow disk\"".to_owned()
    }
}

impl Param for Glob {
    fn read(node: &Node) -> Result<Self, Problem> {
        from_text(node, |text| text.parse().ok()).map_err(|problem| match &node.value {
            Value::Text(text) => too_long(text, problem),
            _ => problem,
        })
    }

    fn write(&self) -> Option<Value> {
        Some(Value::Text(self.as_str().to_owned()))
    }

    fn schema() -> serde_json::Value {
        json!({ "type": ["string", "integer"], "examples": ["/tmp/**"] })
    }

    fn expected() -> String {
        "a glob, with * (no slash), ** (anything) and ? (one character)".to_owned()
    }

    fn example() -> String {
        "/tmp/**".to_owned()
    }
}

/// The problem with a pattern whose only fault is its length.
pub(super) fn too_long(pattern: &str, problem: Problem) -> Problem {
    match pattern.chars().count() {
        length if length > LONGEST => Problem {
            expected: format!("a pattern of at most {LONGEST} characters"),
            got: format!("one of {length}"),
            ..problem
        },
        _ => problem,
    }
}

/// Names with globs, in the order of the names: a JSON object has none of its own.
#[derive(Debug, Clone, Default)]
pub(crate) struct Globs(pub(crate) Vec<(String, Glob)>);

impl Param for Globs {
    fn read(node: &Node) -> Result<Self, Problem> {
        let Value::Table(table) = &node.value else { return Err(problem::<Self>(node)) };
        let one = |entry: &super::node::Entry| Ok((entry.key.clone(), Glob::read(&entry.node)?));
        let mut globs: Vec<_> = table.entries.iter().map(one).collect::<Result<_, Problem>>()?;
        globs.sort_by(|a, b| a.0.cmp(&b.0));
        Ok(Self(globs))
    }

    fn write(&self) -> Option<Value> {
        let mut table = Table::default();
        for (name, glob) in &self.0 {
            table.put(name, glob.write());
        }
        (!self.0.is_empty()).then_some(Value::Table(table))
    }

    fn schema() -> serde_json::Value {
        json!({ "type": "object", "additionalProperties": Glob::schema() })
    }

    fn missing() -> Option<Self> {
        Some(Self::default())
    }

    fn expected() -> String {
        "a table of names and globs".to_owned()
    }

    fn example() -> String {
        "{ x-test = \"a*\" }".to_owned()
    }
}
