//! JSON as nodes and back. Knows no key. JSON that was parsed has lost its bytes: a place is the ordinal of a value
//! instead, under which its JSON pointer is kept while reading.

use super::node::{Entry, Node, Problem, Table, Value};
use super::param::as_json;
use super::source::ScriptError;

/// Reads an object with `read`.
pub(crate) fn read<R>(
    value: &serde_json::Value,
    read: impl FnOnce(Table) -> Result<R, Problem>,
) -> Result<R, ScriptError> {
    let mut pointers = Vec::new();
    let node = node(value, String::new(), &mut pointers);
    let read = match node.value {
        Value::Table(table) => read(table),
        other => {
            let example = "{\"call\":[{\"operation\":\"GET /files\",\"fault\":\"cut\"}]}";
            Err(Problem::new(node.at, "an object", other.to_string(), example))
        }
    };
    read.map_err(|problem| {
        let pointer = pointers.get(problem.at.start).map_or("", String::as_str);
        ScriptError::json(pointer, problem)
    })
}

/// Everything that `judge` finds wrong with an object.
pub(crate) fn problems(
    value: &serde_json::Value,
    judge: impl FnOnce(Table) -> Vec<Problem>,
) -> Vec<ScriptError> {
    let mut pointers = Vec::new();
    match node(value, String::new(), &mut pointers).value {
        Value::Table(table) => {
            let pointer = |problem: &Problem| pointers.get(problem.at.start).map_or("", String::as_str);
            judge(table).into_iter().map(|problem| ScriptError::json(pointer(&problem), problem)).collect()
        }
        _ => read(value, |_| Ok(())).err().into_iter().collect(),
    }
}

/// The record as JSON.
pub(crate) fn write(table: Table) -> serde_json::Value {
    as_json(&Value::Table(table))
}

fn node(value: &serde_json::Value, pointer: String, pointers: &mut Vec<String>) -> Node {
    let at = pointers.len()..pointers.len();
    pointers.push(pointer.clone());
    let read = match value {
        serde_json::Value::Null => Value::Null,
        serde_json::Value::Bool(flag) => Value::Flag(*flag),
        serde_json::Value::Number(number) => self::number(number),
        serde_json::Value::String(text) => Value::Text(text.clone()),
        serde_json::Value::Array(list) => {
            let one = |(index, value)| node(value, format!("{pointer}/{index}"), pointers);
            Value::List(list.iter().enumerate().map(one).collect())
        }
        serde_json::Value::Object(object) => {
            let entry = |(key, value): (&String, &serde_json::Value)| {
                let node = node(value, format!("{pointer}/{}", escaped(key)), pointers);
                Entry { key: key.clone(), key_at: node.at.clone(), node }
            };
            Value::Table(Table { entries: object.iter().map(entry).collect(), at: at.clone() })
        }
    };
    Node::new(read, at)
}

/// Whole numbers that are too large for a node are texts, which all numbers may be.
fn number(number: &serde_json::Number) -> Value {
    match (number.as_i64(), number.as_u64(), number.as_f64()) {
        (Some(whole), ..) => Value::Number(whole),
        (_, Some(large), _) => Value::Text(large.to_string()),
        (.., fraction) => Value::Fraction(fraction.unwrap_or(f64::NAN)),
    }
}

/// A key as RFC 6901 has it in a pointer.
fn escaped(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}
