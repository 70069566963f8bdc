//! One step of a program as a record.

use std::time::Duration;

use super::take::{Record, content, list, listed, template, written};
use crate::fault::Payload;
use crate::fault::node::{Node, Problem, Table, Value};
use crate::fault::param::Param as _;
use crate::guest::program::{Read, Step, Stream};

const EXAMPLE: &str = "{ stdout = \"hello\\n\" }";
const VERBS: [&str; 6] = ["stdout", "stderr", "wait", "read", "expect", "write"];
const KEYS: [&str; 9] = ["stdout", "stderr", "repeat", "wait", "read", "expect", "write", "content", "mode"];

/// Reads a list of steps. `input`: they may read.
pub(super) fn read_all(node: &Node, input: bool) -> Result<Vec<Step>, Problem> {
    list(node, "a list of steps", "[{ stdout = \"hello\\n\" }]")?
        .iter()
        .map(|node| read(node, input))
        .collect()
}

fn read(node: &Node, input: bool) -> Result<Step, Problem> {
    let mut record = Record::of(node, "a step", EXAMPLE)?;
    let Some(verb) = record.one_of(&VERBS)? else {
        return Err(record.problem(&format!("a step with one of {}", VERBS.join(", ")), "none of them"));
    };
    let value = record.node(verb).expect("it was just found");
    if !input && matches!(verb, "read" | "expect") {
        let expected = "no reading: the input is the real command's";
        return Err(Problem::new(value.at, expected, verb, EXAMPLE));
    }
    let step = match verb {
        "stdout" => say(Stream::Out, &value, &mut record)?,
        "stderr" => say(Stream::Err, &value, &mut record)?,
        "wait" => Step::Wait(Duration::read(&value)?),
        "read" => Step::Read(how_much(&value)?),
        "expect" => Step::Read(Read::Expect(Payload::read(&value)?.0)),
        _ => Step::Write {
            path: template(&value)?,
            content: match record.node("content") {
                Some(node) => content(&node)?,
                None => content(&Value::Text(String::new()).into())?,
            },
            mode: record.node("mode").map(|node| mode(&node)).transpose()?,
        },
    };
    record.end(&KEYS)?;
    Ok(step)
}

fn say(stream: Stream, value: &Node, record: &mut Record) -> Result<Step, Problem> {
    Ok(Step::Say { stream, content: content(value)?, repeat: record.param("repeat")?.unwrap_or(1) })
}

fn how_much(node: &Node) -> Result<Read, Problem> {
    match &node.value {
        Value::Text(text) if text == "line" => Ok(Read::Line),
        Value::Text(text) if text == "end" => Ok(Read::ToEnd),
        _ => u64::read(node).map(Read::Bytes).map_err(|_| {
            let expected = "\"line\", \"end\" or a number of bytes";
            Problem::new(node.at.clone(), expected, node.value.to_string(), "read = \"line\"")
        }),
    }
}

/// Octal, as a text.
fn mode(node: &Node) -> Result<u32, Problem> {
    let octal = |text: &String| u32::from_str_radix(text, 8).ok().filter(|mode| *mode <= 0o7777);
    let mode = match &node.value {
        Value::Text(text) => octal(text),
        _ => None,
    };
    mode.ok_or_else(|| {
        let expected = "an octal mode as a text, at most \"7777\"";
        Problem::new(node.at.clone(), expected, node.value.to_string(), "mode = \"0755\"")
    })
}

/// As [`read_all`] reads them.
pub(super) fn write_all(steps: &[Step]) -> Value {
    listed(steps.iter().map(write))
}

fn write(step: &Step) -> Value {
    let mut table = Table::default();
    match step {
        Step::Say { stream, content, repeat } => {
            table.put(if *stream == Stream::Out { "stdout" } else { "stderr" }, written(content));
            table.put("repeat", (*repeat != 1).then(|| repeat.write()).flatten());
        }
        Step::Wait(time) => table.put("wait", time.write()),
        Step::Read(Read::Line) => table.put("read", Value::Text("line".to_owned())),
        Step::Read(Read::ToEnd) => table.put("read", Value::Text("end".to_owned())),
        Step::Read(Read::Bytes(count)) => table.put("read", count.write()),
        Step::Read(Read::Expect(bytes)) => table.put("expect", Payload(bytes.clone()).write()),
        Step::Write { path, content, mode } => {
            table.put("write", Value::Text(path.as_str().to_owned()));
            table.put("content", written(content));
            table.put("mode", mode.map(|mode| Value::Text(format!("{mode:04o}"))));
        }
    }
    Value::Table(table)
}
