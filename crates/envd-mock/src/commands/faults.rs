//! `envd-mock faults`: the catalogue of faults, for people, for programs, and as the table of the docs.

use std::fmt::Write as _;

use clap::Args;
use serde_json::{Value, json};

use crate::fault::{CallFault, ConnectionFault, Kind, On, Stage};
use crate::selfcheck::{ALL, Of, Protocol, Row, sight};

/// How the catalogue is told.
#[derive(Debug, Args)]
pub(crate) struct Faults {
    /// As a JSON array
    #[arg(long, conflicts_with = "markdown")]
    json: bool,
    /// As the page docs/faults.md
    #[arg(long)]
    markdown: bool,
}

const STAGES: [Stage; 5] = [Stage::Connection, Stage::Reply, Stage::Body, Stage::Request, Stage::Guest];

impl Faults {
    /// What is to be printed.
    pub(crate) fn text(&self) -> String {
        match (self.json, self.markdown) {
            (true, _) => format!("{:#}\n", Value::from_iter(kinds().map(|(of, kind)| object(of, kind)))),
            (_, true) => markdown(),
            _ => text(),
        }
    }
}

fn kinds() -> impl Iterator<Item = (Of, &'static Kind)> {
    let connections = ConnectionFault::KINDS.iter().map(|kind| (Of::Connection, kind));
    connections.chain(CallFault::KINDS.iter().map(|kind| (Of::Call, kind)))
}

fn of_stage(stage: Stage) -> impl Iterator<Item = (Of, &'static Kind)> {
    kinds().filter(move |(_, kind)| kind.stage == stage)
}

fn name(stage: Stage) -> &'static str {
    match stage {
        Stage::Connection => "connection",
        Stage::Reply => "reply",
        Stage::Body => "body",
        Stage::Request => "request",
        Stage::Guest => "guest",
    }
}

fn protocols(on: On) -> &'static str {
    match on {
        On::Both => "",
        On::Http1 => " (HTTP/1.1 alone)",
        On::Http2 => " (h2c alone)",
    }
}

fn text() -> String {
    let mut text = String::new();
    for stage in STAGES {
        let _ = writeln!(text, "{}", name(stage));
        for (_, kind) in of_stage(stage) {
            let _ = writeln!(text, "  {:17}{}{}", kind.word, about(kind), protocols(kind.on));
            let _ = writeln!(text, "  {:17}{}", "", kind.example);
        }
    }
    text
}

fn about(kind: &Kind) -> &'static str {
    kind.about.trim()
}

fn object(of: Of, kind: &Kind) -> Value {
    let on: &[&str] = match kind.on {
        On::Both => &["HTTP/1.1", "h2c"],
        On::Http1 => &["HTTP/1.1"],
        On::Http2 => &["h2c"],
    };
    let parameter = |param: &crate::fault::ParamInfo| {
        let (required, schema, example) = ((param.required)(), (param.schema)(), (param.example)());
        json!({ "name": param.name, "required": required, "schema": schema, "example": example })
    };
    json!({
        "of": of.to_string(),
        "kind": kind.word,
        "stage": name(kind.stage),
        "on": on,
        "about": about(kind),
        "example": kind.example,
        "parameters": kind.params.iter().map(parameter).collect::<Vec<_>>(),
    })
}

const INTRODUCTION: &str = "\
# The faults

What each kind of fault means on the wire, made from the declarations that `envd-mock self-check` proves; `just faults`
writes this page anew. `envd-mock faults` lists the kinds alone, with `--json` for programs.

What a declaration does not speak of is as without a fault: the other streams of an HTTP/2 connection go on, and a
further call on an HTTP/1.1 connection is answered. A cut, a reset or an abort lets all that came before it reach the
peer; what was not acknowledged within two seconds is told in the journal.

## The self-check

`envd-mock self-check` looks at each row below with bare sockets: disarmed, armed, and disarmed again. It exits with 0
when all is as declared, with 1 when something is not, and with 2 when no mock can be started. `--json` prints one
object: `ok`; `took_ms`; `log`, what the mocks logged above the level of debugging, which fails the check, too; and
`checks`, each with `of` (`connection` or `call`), `kind`, `case`, `rules` (the expression), `protocol` (`HTTP/1.1` or
`h2c`), `ok`, `took_ms` and `findings`, a list of `when` (`disarmed`, `armed`, `disarmed again`, `journal`), `what`,
`expected` and `seen`.
";

/// The page of the docs.
pub(crate) fn markdown() -> String {
    let mut text = INTRODUCTION.to_owned();
    for stage in STAGES {
        let _ = write!(text, "\n## {}\n\n", capitalised(name(stage)));
        text.push_str("| kind | what it does | for example |\n|---|---|---|\n");
        for (_, kind) in of_stage(stage) {
            let (about, on) = (cell(about(kind)), protocols(kind.on));
            let _ = writeln!(text, "| `{}` | {about}{on} | `{}` |", kind.word, cell(kind.example));
        }
        text.push_str("\nOn the wire:\n\n| kind | rule | on HTTP/1.1 | on h2c |\n|---|---|---|---|\n");
        for (of, kind) in of_stage(stage) {
            rows(of, kind.word).for_each(|rules| row(kind.word, rules, &mut text));
        }
    }
    text
}

/// The rules by which a kind is declared, each once.
fn rows(of: Of, word: &str) -> impl Iterator<Item = &'static str> {
    let mut all: Vec<&'static str> = Vec::new();
    for row in declared().filter(|row| row.of == of && row.kind == word) {
        if !all.contains(&row.rules) {
            all.push(row.rules);
        }
    }
    all.into_iter()
}

fn declared() -> impl Iterator<Item = &'static Row> {
    ALL.iter().flat_map(|rows| rows.iter())
}

fn row(word: &str, rules: &str, text: &mut String) {
    let on = |protocol| {
        let sights: Vec<String> = declared()
            .filter(|row| row.rules == rules && row.on.contains(&protocol))
            .map(|row| sight(&row.expect, protocol))
            .collect();
        if sights.is_empty() { "-".to_owned() } else { cell(&sights.join("; or ")) }
    };
    let (one, two) = (on(Protocol::Http1), on(Protocol::Http2));
    let _ = writeln!(text, "| `{word}` | `{}` | {one} | {two} |", cell(rules));
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

fn capitalised(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_of_the_docs_is_the_catalogue() {
        let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/faults.md");
        let there = std::fs::read_to_string(page).unwrap();
        let (line, expected, seen) = difference(&markdown(), &there);
        assert_eq!(expected, seen, "docs/faults.md, line {line}: run `just faults`");
    }

    fn difference(expected: &str, seen: &str) -> (usize, Option<String>, Option<String>) {
        let (mut expected, mut seen) = (expected.lines(), seen.lines());
        (1..)
            .map(|line| (line, expected.next().map(str::to_owned), seen.next().map(str::to_owned)))
            .find(|(_, expected, seen)| expected != seen || expected.is_none())
            .unwrap()
    }

    #[test]
    fn each_kind_is_listed_with_its_example() {
        let text = text();
        for (_, kind) in kinds() {
            assert!(text.contains(&format!("  {:17}", kind.word)), "{}", kind.word);
            assert!(text.contains(kind.example), "{}", kind.example);
        }
    }
}
