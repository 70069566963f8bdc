//! Records as one-line expressions, in the one form that is canonical. The other way round is `grammar`'s.

use super::grammar::CONNECTION;
use super::kinds::{CallFault, ConnectionFault, Kind};
use super::lexer::{Lexer, Part, Token};
use super::node::{Table, Value};
use super::operation::is_method;

/// The order of those conditions that are written as `key=value`.
const KEYED: [&str; 13] = [
    "every",
    "times",
    "after",
    "until",
    "header",
    "query",
    "path",
    "tag",
    "command",
    "generation",
    "connection",
    "ttl",
    "name",
];

/// A rule's record as an expression.
pub(crate) fn expression(rule: &Table) -> String {
    let value = |key: &str| rule.get(key).map(|node| &node.value);
    let kinds = if value("operation").is_some() { CallFault::KINDS } else { ConnectionFault::KINDS };
    let fault = match value("fault") {
        Some(Value::Table(table)) => fault(kinds, table),
        _ => String::new(),
    };
    format!("{}: {fault}", conditions(rule))
}

/// What stands before the colon.
pub(crate) fn conditions(rule: &Table) -> String {
    let value = |key: &str| rule.get(key).map(|node| &node.value);
    let operation = value("operation").map(plain);
    let mut words = vec![operation.map_or_else(|| CONNECTION.to_owned(), |operation| target(&operation))];
    words.extend(value("nth").map(|nth| format!("#{}", plain(nth))));
    words.extend(value("at").map(plain));
    words.extend(value("probability").map(|share| format!("%{}", plain(share))));
    for key in KEYED {
        named(key, value(key), &mut words);
    }
    words.join(" ")
}

/// The word of the fault, its first parameter, and the others with their names.
fn fault(kinds: &[Kind], told: &Table) -> String {
    let word = told.get("kind").map(|node| plain(&node.value)).unwrap_or_default();
    let first = kinds.iter().find(|kind| kind.word == word).and_then(|kind| kind.params.first());
    let mut words = vec![word];
    for entry in told.entries.iter().filter(|entry| entry.key != "kind") {
        match &entry.node.value {
            Value::Table(_) => named(&entry.key, Some(&entry.node.value), &mut words),
            value if first.is_some_and(|first| first.name == entry.key) => {
                words.push(written("", &plain(value)));
            }
            value => named(&entry.key, Some(value), &mut words),
        }
    }
    words.join(" ")
}

/// `key=value`, or `key.name=value` for each of a table.
fn named(key: &str, value: Option<&Value>, words: &mut Vec<String>) {
    match value {
        Some(Value::Table(table)) => {
            for entry in &table.entries {
                words.push(written(&format!("{key}.{}=", name(&entry.key)), &plain(&entry.node.value)));
            }
        }
        Some(value) => words.push(written(&format!("{key}="), &plain(value))),
        None => {}
    }
}

fn target(operation: &str) -> String {
    let path = operation.split_once(' ').filter(|(method, _)| is_method(method)).map(|(_, path)| path);
    let looks_other = operation.starts_with(['#', '%', '@']) || operation == CONNECTION;
    if is_bare("", path.unwrap_or(operation)) && !looks_other {
        operation.to_owned()
    } else {
        quoted(operation)
    }
}

fn name(name: &str) -> String {
    let bare = !name.is_empty()
        && !name.starts_with(['"', '\''])
        && !name.contains('=')
        && is_bare("", &format!("x{name}"));
    if bare { name.to_owned() } else { quoted(name) }
}

/// A value behind `before`, in quotes where it could be taken for something else.
fn written(before: &str, value: &str) -> String {
    let value = if is_bare(before, value) { value.to_owned() } else { quoted(value) };
    format!("{before}{value}")
}

/// Whether `value` behind `before` is read as it was, without quotes and wherever it stands.
fn is_bare(before: &str, value: &str) -> bool {
    let text = format!("{before}{value}");
    let mut lexer = Lexer::new(&text);
    let whole = lexer.next_expression() && lexer.here().start == 0;
    match lexer.next(Part::Head) {
        Ok(Some(Token::Word(word))) => {
            let alone = word.key.is_none() == before.is_empty() && !word.quoted && word.value.text == value;
            whole && alone && lexer.here().end == text.len() && !value.contains(char::is_control)
        }
        _ => false,
    }
}

fn quoted(text: &str) -> String {
    if text.contains(['"', '\\']) && !text.contains('\'') && !text.contains(char::is_control) {
        return format!("'{text}'");
    }
    let escaped = |c: char| match c {
        '"' | '\\' => format!("\\{c}"),
        '\n' => "\\n".to_owned(),
        '\t' => "\\t".to_owned(),
        _ if c.is_control() => format!("\\u{{{:x}}}", u32::from(c)),
        _ => c.to_string(),
    };
    format!("\"{}\"", text.chars().map(escaped).collect::<String>())
}

/// A value as a text, without quotes.
fn plain(value: &Value) -> String {
    match value {
        Value::Text(text) => text.clone(),
        other => other.to_string(),
    }
}

macro_rules! display {
    ($($fault:ident),*) => { $(
        impl std::fmt::Display for $fault {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                let mut told = self.write();
                told.put("kind", Value::Text(self.word().to_owned()));
                f.write_str(&fault($fault::KINDS, &told))
            }
        }
    )* };
}

display!(CallFault, ConnectionFault);
