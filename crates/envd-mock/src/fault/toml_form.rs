//! TOML as nodes and back. Knows no key.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::node::{Entry, Node, Problem, Table, Value};

/// Reads a document.
pub(crate) fn parse(text: &str) -> Result<Table, Problem> {
    let document = DeTable::parse(text).map_err(|error| syntax(text, &error))?;
    table(document.get_ref(), document.span())
}

fn syntax(text: &str, error: &toml::de::Error) -> Problem {
    let got = error.message().lines().collect::<Vec<_>>().join(", ");
    let at = error.span().unwrap_or(text.len()..text.len());
    Problem::new(at, "TOML", format!("something else ({got})"), "fault = \"status 503\"")
}

fn table(table: &DeTable<'_>, at: Range<usize>) -> Result<Table, Problem> {
    let entry = |(key, value): (&Spanned<std::borrow::Cow<'_, str>>, &Spanned<DeValue<'_>>)| {
        Ok(Entry { key: key.get_ref().to_string(), key_at: key.span(), node: node(value)? })
    };
    let mut entries = table.iter().map(entry).collect::<Result<Vec<_>, _>>()?;
    entries.sort_by_key(|entry| entry.key_at.start);
    Ok(Table { entries, at })
}

fn node(value: &Spanned<DeValue<'_>>) -> Result<Node, Problem> {
    let at = value.span();
    let read = match value.get_ref() {
        DeValue::String(text) => Value::Text(text.to_string()),
        DeValue::Integer(number) => integer(number.as_str(), number.radix(), &at)?,
        DeValue::Float(number) => fraction(number.as_str(), &at)?,
        DeValue::Boolean(flag) => Value::Flag(*flag),
        DeValue::Datetime(time) => Value::Text(time.to_string()),
        DeValue::Array(list) => Value::List(list.iter().map(node).collect::<Result<_, _>>()?),
        DeValue::Table(inner) => Value::Table(table(inner, at.clone())?),
    };
    Ok(Node::new(read, at))
}

/// Larger numbers than TOML has to have are texts, which all numbers may be.
fn integer(digits: &str, radix: u32, at: &Range<usize>) -> Result<Value, Problem> {
    let large = || u64::from_str_radix(digits, radix).ok().map(|number| Value::Text(number.to_string()));
    let number = i64::from_str_radix(digits, radix).ok().map(Value::Number).or_else(large);
    number.ok_or_else(|| Problem::new(at.clone(), "a number of 64 bits", digits, "18446744073709551615"))
}

fn fraction(text: &str, at: &Range<usize>) -> Result<Value, Problem> {
    let read = text.parse().map(Value::Fraction);
    read.map_err(|_| Problem::new(at.clone(), "a number", text, "0.05"))
}

/// Writes a script: lists of tables as `[[key]]`, all below them in one line each.
pub(crate) fn print(script: &Table) -> String {
    let mut text = String::new();
    for entry in &script.entries {
        match &entry.node.value {
            Value::List(list) => list.iter().for_each(|node| section(&entry.key, &node.value, &mut text)),
            value => text.push_str(&line(&entry.key, value)),
        }
    }
    text
}

fn section(key: &str, value: &Value, text: &mut String) {
    let Value::Table(table) = value else { return };
    if !text.is_empty() {
        text.push('\n');
    }
    text.push_str(&format!("[[{key}]]\n"));
    for entry in &table.entries {
        text.push_str(&line(&entry.key, &entry.node.value));
    }
}

fn line(key: &str, value: &Value) -> String {
    inline(value).map_or_else(String::new, |value| format!("{} = {value}\n", quoted_key(key)))
}

/// A value in one line; TOML has no null.
fn inline(value: &Value) -> Option<String> {
    Some(match value {
        Value::Text(text) => quoted(text),
        Value::Number(number) => number.to_string(),
        Value::Fraction(number) => toml::Value::Float(*number).to_string(),
        Value::Flag(flag) => flag.to_string(),
        Value::List(list) => {
            let all: Vec<_> = list.iter().filter_map(|node| inline(&node.value)).collect();
            format!("[{}]", all.join(", "))
        }
        Value::Table(table) => {
            let pair =
                |entry: &Entry| Some(format!("{} = {}", quoted_key(&entry.key), inline(&entry.node.value)?));
            let all: Vec<_> = table.entries.iter().filter_map(pair).collect();
            format!("{{ {} }}", all.join(", "))
        }
        Value::Null => return None,
    })
}

fn quoted_key(key: &str) -> String {
    let bare = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    if !key.is_empty() && key.bytes().all(bare) { key.to_owned() } else { quoted(key) }
}

/// A basic string.
fn quoted(text: &str) -> String {
    let escaped = |c: char| match c {
        '"' | '\\' => format!("\\{c}"),
        '\n' => "\\n".to_owned(),
        '\t' => "\\t".to_owned(),
        _ if c.is_control() => format!("\\u{:04X}", u32::from(c)),
        _ => c.to_string(),
    };
    format!("\"{}\"", text.chars().map(escaped).collect::<String>())
}
