//! Taking a record apart key by key, so that what nobody asked for is refused, and putting one together.

use crate::fault::Glob;
use crate::fault::node::{Node, Problem, Table, Value};
use crate::fault::param::Param;
use crate::guest::program::{Content, Template};

/// A table that is being read.
pub(super) struct Record {
    table: Table,
    example: &'static str,
}

impl Record {
    /// `what` and `example` are for the problem if it is no table.
    pub(super) fn of(node: &Node, what: &str, example: &'static str) -> Result<Self, Problem> {
        match &node.value {
            Value::Table(table) => Ok(Self { table: table.clone(), example }),
            other => Err(Problem::new(node.at.clone(), what, other.to_string(), example)),
        }
    }

    pub(super) fn node(&mut self, key: &str) -> Option<Node> {
        self.table.take(key)
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.table.entries.iter().any(|entry| entry.key == key)
    }

    pub(super) fn param<P: Param>(&mut self, key: &str) -> Result<Option<P>, Problem> {
        self.node(key).map(|node| P::read(&node)).transpose()
    }

    pub(super) fn glob(&mut self, key: &str) -> Result<Option<Glob>, Problem> {
        self.node(key).map(|node| glob(&node)).transpose()
    }

    /// A `true`; a `false` is as good as nothing.
    pub(super) fn flag(&mut self, key: &str) -> Result<bool, Problem> {
        match self.node(key) {
            None => Ok(false),
            Some(Node { value: Value::Flag(flag), .. }) => Ok(flag),
            Some(node) => {
                let example = format!("{key} = true");
                Err(Problem::new(node.at, "true or false", node.value.to_string(), example))
            }
        }
    }

    /// At most one of `keys` may be there; which one is.
    pub(super) fn one_of(&self, keys: &[&'static str]) -> Result<Option<&'static str>, Problem> {
        let mut there = self.table.entries.iter().filter_map(|entry| {
            keys.iter().find(|key| **key == entry.key).map(|key| (*key, entry.key_at.clone()))
        });
        let first = there.next();
        match (first, there.next()) {
            (Some((first, _)), Some((second, at))) => {
                let expected = format!("one of {}", keys.join(", "));
                Err(Problem::new(at, expected, format!("{second} beside {first}"), self.example))
            }
            (first, _) => Ok(first.map(|(key, _)| key)),
        }
    }

    /// A problem with the record as a whole.
    pub(super) fn problem(&self, expected: &str, got: &str) -> Problem {
        Problem::new(self.table.at.clone(), expected, got, self.example)
    }

    /// Refuses what was not taken; `known` is what could have been.
    pub(super) fn end(self, known: &[&str]) -> Result<(), Problem> {
        match self.table.entries.into_iter().next() {
            None => Ok(()),
            Some(entry) => {
                let expected = format!("one of the keys {}", known.join(", "));
                Err(Problem::new(entry.key_at, expected, format!("{:?}", entry.key), self.example))
            }
        }
    }
}

pub(super) fn glob(node: &Node) -> Result<Glob, Problem> {
    let problem =
        |got: String| Problem::new(node.at.clone(), "a pattern with *, ** and ?", got, "\"/home/user/**\"");
    let text = String::read(node).map_err(|_| problem(node.value.to_string()))?;
    text.parse().map_err(|_| problem(node.value.to_string()))
}

pub(super) fn list<'n>(node: &'n Node, what: &str, example: &str) -> Result<&'n [Node], Problem> {
    match &node.value {
        Value::List(list) => Ok(list),
        other => Err(Problem::new(node.at.clone(), what, other.to_string(), example)),
    }
}

pub(super) fn template(node: &Node) -> Result<Template, Problem> {
    let text = String::read(node)?;
    text.parse().map_err(|error: crate::guest::program::BadTemplate| {
        let expected = "a text with {stdin}, {args}, {arg1}, {env.NAME} or {cwd}, and {{ for a brace";
        Problem::new(node.at.clone(), expected, format!("{{{}}}", error.0), "\"got {stdin}\\n\"")
    })
}

/// A text to fill in, or `base64:` and bytes as they are.
pub(super) fn content(node: &Node) -> Result<Content, Problem> {
    match &node.value {
        Value::Text(text) if text.starts_with(BASE64) => {
            crate::fault::Payload::read(node).map(|payload| Content::Bytes(payload.0.into()))
        }
        _ => template(node).map(Content::Text),
    }
}

const BASE64: &str = "base64:";

/// As [`content`] reads it. Bytes are always written as base64, because a text would be filled in.
pub(super) fn written(content: &Content) -> Value {
    use base64::Engine as _;
    Value::Text(match content {
        Content::Text(template) => template.as_str().to_owned(),
        Content::Bytes(bytes) => {
            format!("{BASE64}{}", base64::engine::general_purpose::STANDARD.encode(bytes))
        }
    })
}

/// A list whose items come from no source.
pub(super) fn listed(values: impl IntoIterator<Item = Value>) -> Value {
    Value::List(values.into_iter().map(Node::from).collect())
}
