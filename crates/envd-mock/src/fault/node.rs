//! A record before it is understood: the one shape that TOML, JSON and the grammar are all read into and printed
//! from, each value with its place in the source. Knows no rule.

use std::fmt;
use std::ops::Range;

/// A value and where it stands, in bytes of its source.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Node {
    pub(crate) value: Value,
    pub(crate) at: Range<usize>,
}

/// What a value can be.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    Text(String),
    Number(i64),
    Fraction(f64),
    Flag(bool),
    List(Vec<Node>),
    Table(Table),
    /// JSON alone has it.
    Null,
}

/// Keys in the order of the source.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Table {
    pub(crate) entries: Vec<Entry>,
    /// The whole of it.
    pub(crate) at: Range<usize>,
}

/// One key with its value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) key_at: Range<usize>,
    pub(crate) node: Node,
}

/// Something in a source that is not as it must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    /// Bytes of the source.
    pub(crate) at: Range<usize>,
    /// What was expected there, such as "a duration".
    pub(crate) expected: String,
    /// What stands there.
    pub(crate) got: String,
    /// What would be right.
    pub(crate) example: String,
}

impl Problem {
    pub(crate) fn new(
        at: Range<usize>,
        expected: impl Into<String>,
        got: impl Into<String>,
        example: impl Into<String>,
    ) -> Self {
        Self { at, expected: expected.into(), got: got.into(), example: example.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "expected {}, got {}; example: {}", self.expected, self.got, self.example)
    }
}

impl From<Value> for Node {
    /// A value that comes from no source.
    fn from(value: Value) -> Self {
        Self { value, at: 0..0 }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => write!(f, "{text:?}"),
            Self::Number(number) => number.fmt(f),
            Self::Fraction(fraction) => fraction.fmt(f),
            Self::Flag(flag) => flag.fmt(f),
            Self::List(_) => f.write_str("a list"),
            Self::Table(_) => f.write_str("a table"),
            Self::Null => f.write_str("null"),
        }
    }
}

impl Node {
    pub(crate) fn new(value: Value, at: Range<usize>) -> Self {
        Self { value, at }
    }

    /// Moves every place within it.
    pub(crate) fn relocate(&mut self, to: &impl Fn(Range<usize>) -> Range<usize>) {
        self.at = to(self.at.clone());
        match &mut self.value {
            Value::List(list) => list.iter_mut().for_each(|node| node.relocate(to)),
            Value::Table(table) => table.relocate(to),
            _ => {}
        }
    }
}

impl Table {
    /// Moves every place within it.
    pub(crate) fn relocate(&mut self, to: &impl Fn(Range<usize>) -> Range<usize>) {
        self.at = to(self.at.clone());
        for entry in &mut self.entries {
            entry.key_at = to(entry.key_at.clone());
            entry.node.relocate(to);
        }
    }

    /// The value of `key`.
    pub(crate) fn get(&self, key: &str) -> Option<&Node> {
        self.entries.iter().find(|entry| entry.key == key).map(|entry| &entry.node)
    }

    /// Where the value of `key` stands; the whole of it when there is none.
    pub(crate) fn place_of(&self, key: &str) -> Range<usize> {
        self.get(key).map_or_else(|| self.at.clone(), |node| node.at.clone())
    }

    /// Takes the value of `key` out.
    pub(crate) fn take(&mut self, key: &str) -> Option<Node> {
        let index = self.entries.iter().position(|entry| entry.key == key)?;
        Some(self.entries.remove(index).node)
    }

    /// Adds a value that comes from no source.
    pub(crate) fn put(&mut self, key: &str, value: impl Into<Option<Value>>) {
        if let Some(value) = value.into() {
            self.entries.push(Entry { key: key.to_owned(), key_at: 0..0, node: value.into() });
        }
    }
}
