//! One-line expressions as records: `GET /files #1 @1048576: cut`. Only their form; what a record may say is
//! `record`'s. The page docs/grammar.md has it as EBNF.

use std::ops::Range;

use super::condition::{Key, OF_CALLS, OF_EVERY_RULE};
use super::kinds::{CallFault, ConnectionFault, Kind};
use super::lexer::{Lexer, Part, Spot, Token, Word};
use super::nearest::{hint, nearest};
use super::node::{Entry, Node, Problem, Table, Value};
use super::operation::is_method;
use super::param::Param as _;
use super::position::Position;
use super::record::{Fault, no_such_kind};
use super::rule::Operation;

/// The target of rules of connections.
pub(crate) const CONNECTION: &str = "connection";

/// The record of one expression.
#[derive(Debug)]
pub(crate) enum Record {
    Call(Table),
    Connection(Table),
}

/// Reads all expressions of a text.
pub(crate) fn expressions(text: &str) -> Result<Vec<Record>, Problem> {
    let mut lexer = Lexer::new(text);
    let mut records = Vec::new();
    while lexer.next_expression() {
        records.push(expression(&mut lexer)?);
    }
    Ok(records)
}

/// Reads a text that is one expression.
pub(crate) fn one(text: &str) -> Result<Record, Problem> {
    let mut lexer = Lexer::new(text);
    if !lexer.next_expression() {
        return Err(Problem::new(lexer.here(), "an expression", "nothing", CallFault::KINDS[0].example));
    }
    let record = expression(&mut lexer)?;
    no_more(&mut lexer)?;
    Ok(record)
}

/// Reads an expression whose target may be missing, as the value of a header: `status 503`, `down[5] @3: reset`.
pub(crate) fn bare(text: &str) -> Result<Table, Problem> {
    let mut lexer = Lexer::new(text);
    lexer.next_expression();
    let mut ahead = lexer.clone();
    let mut words = Vec::new();
    let mut head = false;
    while let Some(token) = ahead.next(Part::Head)? {
        match token {
            Token::Word(word) => words.push(word),
            Token::Colon(_) => head = true,
        }
    }
    // Only what stands before a colon looks like this.
    if let Some(word) =
        words.first().filter(|word| !head && (is_condition(word) || word.value.text.contains('/')))
    {
        return Err(no_colon(ahead.here(), format!("none behind {:?}", shown(word))));
    }
    let start = lexer.here().start;
    let mut table = Table::default();
    if head {
        bare_head(&mut lexer, &mut table)?;
    }
    finish::<CallFault>(&mut lexer, &mut table, start)?;
    no_more(&mut lexer)?;
    Ok(table)
}

/// Reads what stands behind the colon.
pub(crate) fn fault<F: Fault>(text: &str) -> Result<Table, Problem> {
    let mut lexer = Lexer::new(text);
    lexer.next_expression();
    let table = fault_words::<F>(&mut lexer)?;
    no_more(&mut lexer)?;
    Ok(table)
}

/// Every expression of a text; behind one that cannot be read, the next line is.
pub(crate) fn each(text: &str) -> Vec<Result<Record, Problem>> {
    let (mut all, mut start) = (Vec::new(), 0);
    while start < text.len() {
        let mut lexer = Lexer::new(&text[start..]);
        let place = |at: Range<usize>| start + at.start..start + at.end;
        let mut next = text.len();
        while lexer.next_expression() {
            match expression(&mut lexer) {
                Ok(mut record) => {
                    let (Record::Call(table) | Record::Connection(table)) = &mut record;
                    table.relocate(&place);
                    all.push(Ok(record));
                }
                Err(problem) => {
                    let at = place(problem.at.clone());
                    let rest = text.get(at.start..).unwrap_or_default();
                    next = rest.find('\n').map_or(text.len(), |newline| at.start + newline + 1);
                    all.push(Err(Problem { at, ..problem }));
                    break;
                }
            }
        }
        start = next;
    }
    all
}

fn no_more(lexer: &mut Lexer<'_>) -> Result<(), Problem> {
    if lexer.next_expression() {
        return Err(Problem::new(lexer.here(), "one expression", "another one", CallFault::KINDS[0].example));
    }
    Ok(())
}

fn expression(lexer: &mut Lexer<'_>) -> Result<Record, Problem> {
    let start = lexer.here().start;
    let mut table = Table::default();
    match lexer.next(Part::Head)? {
        Some(Token::Word(word)) if word.key.is_none() && !word.quoted && word.value.text == CONNECTION => {
            conditions(lexer, &mut table)?;
            finish::<ConnectionFault>(lexer, &mut table, start)?;
            Ok(Record::Connection(table))
        }
        Some(Token::Word(word)) if !is_condition(&word) => {
            target(lexer, word, &mut table)?;
            conditions(lexer, &mut table)?;
            finish::<CallFault>(lexer, &mut table, start)?;
            Ok(Record::Call(table))
        }
        Some(Token::Word(word)) => {
            Err(no_target(word.at.clone(), format!("the condition {:?}", shown(&word))))
        }
        Some(Token::Colon(at)) => Err(no_target(at, "a colon".to_owned())),
        None => Err(no_target(lexer.here(), "nothing".to_owned())),
    }
}

fn no_target(at: Range<usize>, got: String) -> Problem {
    let expected = "connection, or an operation such as process.Process/Start, GET /files, /memory/** or *";
    Problem::new(at, expected, got, "process.Process/Start #2: reset")
}

/// The head of an expression that may have no target.
fn bare_head(lexer: &mut Lexer<'_>, table: &mut Table) -> Result<(), Problem> {
    let before = lexer.clone();
    match lexer.next(Part::Head)? {
        Some(Token::Word(word)) if word.key.is_none() && !word.quoted && word.value.text == CONNECTION => {
            Err(Problem::new(word.at, "a rule of calls", "one of connections", "down[5] @3: reset"))
        }
        Some(Token::Word(word)) if !is_condition(&word) => {
            target(lexer, word, table)?;
            conditions(lexer, table)
        }
        _ => {
            *lexer = before;
            conditions(lexer, table)
        }
    }
}

/// The operation: one word, or a method and a path.
fn target(lexer: &mut Lexer<'_>, word: Word, table: &mut Table) -> Result<(), Problem> {
    let mut operation = word.value;
    if is_method(&operation.text) && !word.quoted {
        let path = lexer.next(Part::Head)?;
        let Some(Token::Word(path)) = path.filter(is_path) else {
            let expected = format!("a path behind {}", operation.text);
            return Err(Problem::new(
                operation.at.end..operation.at.end,
                expected,
                "none",
                "GET /files: cut",
            ));
        };
        operation = joined(operation, " ", path.value);
    }
    // Here, so that it is told from all else that could be wrong with a record.
    let node = text(operation);
    Operation::read(&node).map_err(|problem| mistaken(problem, &node))?;
    put(table, Spot { text: "operation".to_owned(), at: node.at.clone() }, node)
}

fn is_path(token: &Token) -> bool {
    matches!(token, Token::Word(word) if word.key.is_none() && word.value.text.starts_with('/'))
}

/// What is no operation may be a slip of `connection`.
fn mistaken(problem: Problem, node: &Node) -> Problem {
    let Value::Text(word) = &node.value else { return problem };
    let Some(near) = nearest(word, [CONNECTION]) else {
        return Problem { expected: format!("connection, or {}", problem.expected), ..problem };
    };
    Problem {
        got: format!("{word:?} (did you mean {near:?}?)"),
        example: "connection #3: stall".to_owned(),
        ..problem
    }
}

/// What stands between target and colon, the colon included.
fn conditions(lexer: &mut Lexer<'_>, table: &mut Table) -> Result<(), Problem> {
    let mut last = None;
    while let Some(token) = lexer.next(Part::Head)? {
        let Token::Word(word) = token else { return put_position(table, last) };
        if is_rest_of(last.as_ref(), &word) {
            last = last.map(|position| joined(position, "", word.value));
            continue;
        }
        put_position(table, last.take())?;
        last = condition(word, table)?;
    }
    put_position(table, last)?;
    Err(no_colon(lexer.here(), "the end of the expression".to_owned()))
}

/// Whether a word is the byte of the position before it: the two may stand apart.
fn is_rest_of(position: Option<&Spot>, word: &Word) -> bool {
    let byte = !word.quoted && word.key.is_none() && word.value.text.starts_with('@');
    byte && position.is_some_and(|position| position.text.ends_with(']'))
}

fn no_colon(at: Range<usize>, got: String) -> Problem {
    Problem::new(at, "a colon and a blank before the fault", got, "GET /files #1: reset")
}

/// One condition; a position is handed back, because more of it may follow.
fn condition(word: Word, table: &mut Table) -> Result<Option<Spot>, Problem> {
    if let Some(key) = word.key {
        return keyed(key, word.name, word.value, table).map(|()| None);
    }
    if word.quoted || !is_condition(&word) {
        return Err(no_condition(&word.value));
    }
    if let Some(colon) = word.value.text.find(':') {
        let at = word.value.at.start + colon;
        let got = format!("{:?}", &word.value.text[colon..]);
        return Err(Problem::new(
            at..word.value.at.end,
            "a blank behind the colon",
            got,
            "GET /files #1: reset",
        ));
    }
    let key = match word.value.text.chars().next() {
        Some('#') => "nth",
        Some('%') => "probability",
        _ => return Ok(Some(word.value)),
    };
    let value =
        Spot { text: word.value.text[1..].to_owned(), at: word.value.at.start + 1..word.value.at.end };
    put(table, Spot { text: key.to_owned(), at: word.value.at }, text(value))?;
    Ok(None)
}

fn no_condition(got: &Spot) -> Problem {
    let is_kind = |kinds: &[Kind]| kinds.iter().any(|kind| kind.word == got.text);
    if is_kind(CallFault::KINDS) || is_kind(ConnectionFault::KINDS) {
        return no_colon(got.at.clone(), format!("{:?}", got.text));
    }
    let keys: Vec<_> = keys().map(|key| key.word).collect();
    if keys.contains(&&*got.text) {
        let (expected, word) =
            (format!("{0} with a value: {0}=...", got.text), format!("{:?} alone", got.text));
        return Problem::new(got.at.clone(), expected, word, "GET /files tag=build: reset");
    }
    let hint = hint(&got.text, keys.iter().copied());
    let expected = "a condition (#2, %0.05, a position such as down[5]@3, key=value), or a colon and a blank before \
                    the fault";
    let got_text = format!("{:?}{hint}", got.text);
    Problem::new(got.at.clone(), expected, got_text, "GET /files #2 tag=build: reset")
}

/// The keys that stand as `key=value`; the rest has signs of its own.
fn keys() -> impl Iterator<Item = &'static Key> {
    OF_EVERY_RULE.iter().chain(OF_CALLS).filter(|key| !["operation", "at"].contains(&key.word))
}

fn keyed(key: Spot, name: Option<Spot>, value: Spot, table: &mut Table) -> Result<(), Problem> {
    let named = ["header", "query"].contains(&&*key.text);
    if named && name.is_none() {
        let expected = format!("{0}.NAME=VALUE, the name behind a dot", key.text);
        return Err(Problem::new(
            key.at,
            expected,
            format!("{}=", key.text),
            format!("{}.x-test=a*", key.text),
        ));
    }
    match name {
        Some(name) => put_named(table, key, name, value),
        None => put(table, key, text(value)),
    }
}

fn put_position(table: &mut Table, position: Option<Spot>) -> Result<(), Problem> {
    let Some(position) = position else { return Ok(()) };
    let node = text(position.clone());
    Position::read(&node)?;
    put(table, Spot { text: "at".to_owned(), at: position.at }, node)
}

/// Whether a word is a condition, not a target: targets have a slash, or are `*`.
fn is_condition(word: &Word) -> bool {
    let text = &word.value.text;
    let sign = text.starts_with(['#', '%', '@']) || !text.contains('/') && text.contains(['@', '[']);
    word.key.is_some() || !word.quoted && sign
}

/// The fault, and the places of the whole.
fn finish<F: Fault>(lexer: &mut Lexer<'_>, table: &mut Table, start: usize) -> Result<(), Problem> {
    let fault = fault_words::<F>(lexer)?;
    table.at = start..lexer.here().end;
    let at = fault.at.clone();
    put(table, Spot { text: "fault".to_owned(), at: at.clone() }, Node::new(Value::Table(fault), at))
}

/// The word of the fault and its parameters, as the table of a record.
fn fault_words<F: Fault>(lexer: &mut Lexer<'_>) -> Result<Table, Problem> {
    let mut table = Table::default();
    let Some(Token::Word(word)) = lexer.next(Part::Fault)? else {
        let expected = format!("a fault of a {}", F::OF);
        return Err(Problem::new(lexer.here(), expected, "nothing", F::KINDS[1].example));
    };
    let Some(kind) = F::KINDS.iter().find(|kind| kind.word == word.value.text && word.key.is_none()) else {
        return Err(no_such_kind::<F>(shown(&word).trim_end_matches(':'), word.at));
    };
    let start = word.at.start;
    put(&mut table, Spot { text: "kind".to_owned(), at: word.at }, text(word.value))?;
    while let Some(Token::Word(word)) = lexer.next(Part::Fault)? {
        parameter(kind, word, &mut table)?;
    }
    table.at = start..lexer.here().end;
    Ok(table)
}

fn parameter(kind: &Kind, word: Word, table: &mut Table) -> Result<(), Problem> {
    let names: Vec<_> = kind.params.iter().map(|param| param.name).collect();
    let Some(key) = word.key else {
        let expected = match names[..] {
            [] => format!("no parameter for {}", kind.word),
            [first, ..] if table.get(first).is_none() => {
                let key = Spot { text: first.to_owned(), at: word.value.at.clone() };
                return put(table, key, text(word.value));
            }
            _ => {
                format!("name=value for all parameters of {} but the first ({})", kind.word, names.join(", "))
            }
        };
        return Err(Problem::new(word.at, expected, format!("{:?}", word.value.text), kind.example));
    };
    keyed(key, word.name, word.value, table)
}

fn text(spot: Spot) -> Node {
    Node::new(Value::Text(spot.text), spot.at)
}

fn joined(first: Spot, between: &str, second: Spot) -> Spot {
    Spot { text: format!("{}{between}{}", first.text, second.text), at: first.at.start..second.at.end }
}

fn shown(word: &Word) -> String {
    word.key
        .as_ref()
        .map_or_else(|| word.value.text.clone(), |key| format!("{}={}", key.text, word.value.text))
}

/// Adds a value under a key that is not there yet.
fn put(table: &mut Table, key: Spot, node: Node) -> Result<(), Problem> {
    if table.get(&key.text).is_some() {
        let what = if key.text == "at" { "a position" } else { &key.text };
        let got = format!("{what} for the second time");
        return Err(Problem::new(
            key.at,
            "each condition and parameter once",
            got,
            "GET /files #1 tag=build: reset",
        ));
    }
    table.entries.push(Entry { key: key.text, key_at: key.at, node });
    Ok(())
}

/// Adds a value under a name in the table under a key.
fn put_named(table: &mut Table, key: Spot, name: Spot, value: Spot) -> Result<(), Problem> {
    if table.get(&key.text).is_none() {
        let node = Node::new(Value::Table(Table { entries: Vec::new(), at: key.at.clone() }), key.at.clone());
        put(table, key.clone(), node)?;
    }
    let inner =
        table.entries.iter_mut().find(|entry| entry.key == key.text).map(|entry| &mut entry.node.value);
    match inner {
        Some(Value::Table(inner)) => put(inner, name, text(value)),
        _ => {
            Err(Problem::new(key.at, format!("{}.NAME=VALUE alone", key.text), format!("{}=", key.text), ""))
        }
    }
}
