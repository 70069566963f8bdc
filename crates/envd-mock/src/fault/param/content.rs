//! Parameters that are content: bytes, pairs, JSON.

use serde_json::json;

use super::{Param, from_text, problem};
use crate::fault::node::{Entry, Node, Problem, Table, Value};

/// Bytes: a text, or `base64:` and base64 of the standard alphabet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payload(pub Vec<u8>);

impl Payload {
    fn parse(text: &str) -> Option<Self> {
        use base64::Engine as _;
        let standard = base64::engine::general_purpose::STANDARD;
        match text.strip_prefix("base64:") {
            Some(encoded) => standard.decode(encoded).ok().map(Self),
            None => Some(Self(text.as_bytes().to_vec())),
        }
    }
}

impl Param for Payload {
    fn read(node: &Node) -> Result<Self, Problem> {
        from_text(node, Self::parse)
    }

    fn write(&self) -> Option<Value> {
        use base64::Engine as _;
        let standard = base64::engine::general_purpose::STANDARD;
        let unprintable = |c: char| c.is_control() && c != '\n' && c != '\t';
        let fits = |text: &&str| !text.starts_with("base64:") && !text.contains(unprintable);
        let plain = std::str::from_utf8(&self.0).ok().filter(fits);
        let text = plain.map_or_else(|| format!("base64:{}", standard.encode(&self.0)), str::to_owned);
        Some(Value::Text(text))
    }

    fn schema() -> serde_json::Value {
        json!({ "type": ["string", "integer"], "examples": ["{}", "base64:AAEC"] })
    }

    fn expected() -> String {
        "bytes as a text, or base64: and their base64".to_owned()
    }

    fn example() -> String {
        "base64:AAEC".to_owned()
    }
}

/// Names with texts, such as headers; what is read is in the order of the names.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Pairs(pub Vec<(String, String)>);

impl Param for Pairs {
    fn read(node: &Node) -> Result<Self, Problem> {
        let Value::Table(table) = &node.value else { return Err(problem::<Self>(node)) };
        let pair = |entry: &Entry| Ok((entry.key.clone(), String::read(&entry.node)?));
        let mut pairs: Vec<_> = table.entries.iter().map(pair).collect::<Result<_, Problem>>()?;
        pairs.sort();
        Ok(Self(pairs))
    }

    fn write(&self) -> Option<Value> {
        let mut table = Table::default();
        for (name, text) in &self.0 {
            table.put(name, Value::Text(text.clone()));
        }
        (!self.0.is_empty()).then_some(Value::Table(table))
    }

    fn schema() -> serde_json::Value {
        json!({ "type": "object", "additionalProperties": String::schema() })
    }

    fn missing() -> Option<Self> {
        Some(Self::default())
    }

    fn expected() -> String {
        "a table of names and texts".to_owned()
    }

    fn example() -> String {
        "{ retry-after = \"1\" }".to_owned()
    }
}

/// Any JSON value, written as such or as a text that holds it.
#[derive(Debug, Clone, PartialEq)]
pub struct Json(pub serde_json::Value);

impl Param for Json {
    fn read(node: &Node) -> Result<Self, Problem> {
        match &node.value {
            Value::Text(text) => serde_json::from_str(text).map(Self).map_err(|_| problem::<Self>(node)),
            _ => Ok(Self(as_json(&node.value))),
        }
    }

    fn write(&self) -> Option<Value> {
        Some(Value::Text(self.0.to_string()))
    }

    fn schema() -> serde_json::Value {
        json!({ "description": "a JSON value, or a text that holds one" })
    }

    fn expected() -> String {
        "a JSON value".to_owned()
    }

    fn example() -> String {
        "'[{\"mem_used\":1}]'".to_owned()
    }
}

/// The same value in JSON.
pub(crate) fn as_json(value: &Value) -> serde_json::Value {
    match value {
        Value::Text(text) => json!(text),
        Value::Number(number) => json!(number),
        Value::Fraction(fraction) => json!(fraction),
        Value::Flag(flag) => json!(flag),
        Value::Null => serde_json::Value::Null,
        Value::List(list) => list.iter().map(|node| as_json(&node.value)).collect(),
        Value::Table(table) => table
            .entries
            .iter()
            .map(|entry| (entry.key.clone(), as_json(&entry.node.value)))
            .collect::<serde_json::Map<_, _>>()
            .into(),
    }
}
