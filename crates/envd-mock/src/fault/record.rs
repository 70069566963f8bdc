//! From records to rules: the one reader that all written forms share. Where the places of its problems lie in a source
//! is `source`'s.

use std::ops::Range;
use std::time::Duration;

use super::check;
use super::condition::{Key, Name, OF_CALLS, OF_EVERY_RULE};
use super::dead;
use super::grammar;
use super::kinds::{CallFault, ConnectionFault, Kind, parameter};
use super::names;
use super::nearest::{nearest, unknown};
use super::node::{Node, Problem, Table, Value};
use super::param::Param;
use super::position::Position;
use super::rule::{CallRule, CallWhen, ConnectionRule, Often, Script};

/// The keys of a script.
pub(crate) const OF_SCRIPTS: &[&str] = &["seed", "incident", "connection", "call", "program"];

/// What the two tables of faults have in common.
pub(crate) trait Fault: Sized {
    /// What goes wrong with it: "connection" or "call".
    const OF: &'static str;
    const KINDS: &'static [Kind];
    /// The other table, for those who mistook one for the other.
    const OTHER: (&'static str, &'static [Kind]);
    fn read(word: &str, table: &mut Table) -> Option<Result<Self, Problem>>;
    fn write(&self) -> Table;
    fn kind(&self) -> &'static Kind;
    /// What the types of its parameters cannot say.
    fn check(&self, given: &Table) -> Result<(), Problem>;
}

macro_rules! fault {
    ($type:ident, $of:literal, $other:ident, $of_other:literal, $check:path) => {
        impl Fault for $type {
            const OF: &'static str = $of;
            const KINDS: &'static [Kind] = Self::KINDS;
            const OTHER: (&'static str, &'static [Kind]) = ($of_other, $other::KINDS);

            fn read(word: &str, table: &mut Table) -> Option<Result<Self, Problem>> {
                Self::read(word, table)
            }

            fn write(&self) -> Table {
                self.write()
            }

            fn kind(&self) -> &'static Kind {
                self.kind()
            }

            fn check(&self, given: &Table) -> Result<(), Problem> {
                $check(self, given)
            }
        }
    };
}

fault!(ConnectionFault, "connection", CallFault, "call", check::connection_fault);
fault!(CallFault, "call", ConnectionFault, "connection", check::call_fault);

/// Judge the records that are not for this module to know.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Checks {
    /// Refuse rules that can never act while this generation is played.
    pub(crate) alive_in: Option<u8>,
    pub(crate) program: fn(&Node) -> Result<(), Problem>,
    pub(crate) incident: fn(&Node) -> Result<(), Problem>,
}

/// Reads a whole script.
pub(crate) fn script(mut table: Table, checks: Checks) -> Result<Script, Problem> {
    known_keys(&table, "a key of a script", OF_SCRIPTS, None)?;
    let seed = table.take("seed").map(|node| u64::read(&node)).transpose()?;
    let connections = rules(&mut table, "connection", connection)?;
    let calls = rules(&mut table, "call", |table| live_call(table, checks.alive_in))?;
    let mut script = assemble(connections, calls)?;
    script.seed = seed.unwrap_or_default();
    script.zero_seed = seed == Some(0);
    script.programs_raw = rules(&mut table, "program", Ok)?.into_iter().map(program).collect();
    script.programs_raw.iter().try_for_each(checks.program)?;
    script.incident_raw = table.take("incident");
    script.incident_raw.iter().try_for_each(checks.incident)?;
    Ok(script)
}

/// Everything that is wrong with the rules of a script, each taken by itself; what else may be wrong is told by reading the
/// script.
pub(crate) fn problems(mut table: Table, checks: Checks) -> Vec<Problem> {
    let mut problems: Vec<Problem> =
        known_keys(&table, "a key of a script", OF_SCRIPTS, None).err().into_iter().collect();
    let mut judge =
        |key: &str, judge: &dyn Fn(Table) -> Result<(), Problem>| match rules(&mut table, key, |table| {
            Ok(judge(table))
        }) {
            Ok(judged) => problems.extend(judged.into_iter().filter_map(|(judged, _)| judged.err())),
            Err(problem) => problems.push(problem),
        };
    judge("connection", &|table| connection(table).map(drop));
    judge("call", &|table| live_call(table, checks.alive_in).map(drop));
    judge("program", &|table| (checks.program)(&program((table, 0..0))));
    problems
}

/// A script of rules that were read with the places of their names.
pub(crate) fn assemble(
    connections: Vec<(ConnectionRule, Range<usize>)>,
    calls: Vec<(CallRule, Range<usize>)>,
) -> Result<Script, Problem> {
    let places: Vec<_> =
        connections.iter().map(|one| &one.1).chain(calls.iter().map(|one| &one.1)).cloned().collect();
    let mut script = Script {
        connections: connections.into_iter().map(|one| one.0).collect(),
        calls: calls.into_iter().map(|one| one.0).collect(),
        ..Script::default()
    };
    names::settle(&mut script).map_err(|twice| {
        let at = places[twice.index].clone();
        twice.problem(at)
    })?;
    Ok(script)
}

/// The seam for scripted programs: they are kept as they are.
fn program((table, _): (Table, Range<usize>)) -> Node {
    let at = table.at.clone();
    Node::new(Value::Table(table), at)
}

/// Reads the list of tables under `key`, each with the place of its name.
fn rules<R>(
    script: &mut Table,
    key: &str,
    read: impl Fn(Table) -> Result<R, Problem>,
) -> Result<Vec<(R, Range<usize>)>, Problem> {
    let refused = |node: &Node| {
        let example = format!("[[{key}]]");
        Problem::new(
            node.at.clone(),
            format!("a list of tables under {key}"),
            node.value.to_string(),
            example,
        )
    };
    let Some(node) = script.take(key) else { return Ok(Vec::new()) };
    let Value::List(list) = node.value else { return Err(refused(&node)) };
    let one = |node: Node| match node.value {
        Value::Table(table) => {
            let name_at = table.place_of("name");
            read(table).map(|rule| (rule, name_at))
        }
        _ => Err(refused(&node)),
    };
    list.into_iter().map(one).collect()
}

/// Reads a rule of calls that may act in a generation, where one is named.
pub(crate) fn live_call(table: Table, generation: Option<u8>) -> Result<CallRule, Problem> {
    const BLAMED: [&str; 8] = ["operation", "at", "fault", "path", "tag", "command", "nth", "ttl"];
    // A position that nobody gave is the usual one of the fault.
    let written = |key| if key == "at" && table.get(key).is_none() { "fault" } else { key };
    let places = BLAMED.map(|key| (key, table.place_of(written(key))));
    let rule = call(table)?;
    match generation.and_then(|generation| dead::check(&rule, generation)) {
        None => Ok(rule),
        Some(dead) => {
            let at = places.into_iter().find(|(key, _)| *key == dead.key).map(|(_, at)| at);
            Err(dead.problem(at.unwrap_or_default()))
        }
    }
}

/// Reads a rule of calls.
pub(crate) fn call(mut table: Table) -> Result<CallRule, Problem> {
    known_keys(&table, "a key of a call", &words(&[OF_EVERY_RULE, OF_CALLS]), None)?;
    check::headers(&table, "header")?;
    let (fault, at, common) = common::<CallFault>(&mut table)?;
    let when = CallWhen::read(&mut table)?;
    let Common { name, often, ttl } = common;
    let mut rule = CallRule { name, when, often, at, ttl, fault };
    names::fill(&mut rule);
    Ok(rule)
}

/// Reads a rule of connections.
pub(crate) fn connection(mut table: Table) -> Result<ConnectionRule, Problem> {
    let of_calls = |problem| check::of_calls_alone(&table, problem);
    known_keys(&table, "a key of a connection", &words(&[OF_EVERY_RULE]), None).map_err(of_calls)?;
    check::span_alone(&table)?;
    let (fault, at, common) = common::<ConnectionFault>(&mut table)?;
    let Common { name, often, ttl } = common;
    let mut rule = ConnectionRule { name, often, at, ttl, fault };
    names::fill(&mut rule);
    Ok(rule)
}

struct Common {
    /// Empty when none is given.
    name: String,
    often: Often,
    ttl: Option<Duration>,
}

fn common<F: Fault>(table: &mut Table) -> Result<(F, Option<Position>, Common), Problem> {
    let (at_place, fault_place) = (table.place_of("at"), table.place_of("fault"));
    let fault = fault::<F>(table)?;
    let given = parameter("a rule", "at", table)?;
    let at = check::place::<F>(fault.kind(), given, at_place, fault_place)?;
    let name = parameter::<Option<Name>>("a rule", "name", table)?.map(|name| name.0).unwrap_or_default();
    let often = Often::read(table)?;
    let ttl = parameter("a rule", "ttl", table)?;
    Ok((fault, at, Common { name, often, ttl }))
}

/// Reads what stands under `fault`: a table, or the text that stands behind the colon of an expression.
fn fault<F: Fault>(rule: &mut Table) -> Result<F, Problem> {
    let expected = || format!("fault: a table with kind, or a text such as {:?}", example_of::<F>());
    let Some(node) = rule.take("fault") else {
        return Err(Problem::new(rule.at.clone(), expected(), "nothing", "\"status 503\""));
    };
    match node.value {
        Value::Table(table) => fault_of::<F>(table),
        Value::Text(text) => fault_of::<F>(fault_text::<F>(&text, node.at)?),
        other => Err(Problem::new(node.at, expected(), other.to_string(), "\"status 503\"")),
    }
}

/// What stands behind the colon in the example of the first kind that has a parameter.
fn example_of<F: Fault>() -> &'static str {
    let first = F::KINDS.iter().find(|kind| !kind.params.is_empty()).unwrap_or(&F::KINDS[0]);
    first.example.split_once(": ").map_or("reset", |(_, fault)| fault)
}

/// The text of a fault as a table, with places in the source as exact as they can be told.
fn fault_text<F: Fault>(text: &str, at: Range<usize>) -> Result<Table, Problem> {
    let start = match at.len() {
        length if length == text.len() => Some(at.start),
        // A string in quotes without escapes; each escape is longer than what it stands for.
        length if length == text.len() + 2 => Some(at.start + 1),
        _ => None,
    };
    let place = |inner: Range<usize>| match start {
        Some(start) => start + inner.start..start + inner.end,
        None => at.clone(),
    };
    match grammar::fault::<F>(text) {
        Ok(mut table) => {
            table.relocate(&place);
            Ok(table)
        }
        Err(problem) => Err(Problem { at: place(problem.at.clone()), ..problem }),
    }
}

fn fault_of<F: Fault>(mut table: Table) -> Result<F, Problem> {
    let node = table.take("kind").ok_or_else(|| {
        Problem::new(table.at.clone(), "kind, the word that names the fault", "nothing", "\"reset\"")
    })?;
    let Value::Text(word) = &node.value else {
        return Err(Problem::new(
            node.at,
            "the word that names the fault",
            node.value.to_string(),
            "\"reset\"",
        ));
    };
    let Some(kind) = F::KINDS.iter().find(|kind| kind.word == word) else {
        return Err(no_such_kind::<F>(word, node.at));
    };
    known_parameters(kind, &table)?;
    let given = table.clone();
    let fault = F::read(word, &mut table).unwrap_or_else(|| Err(no_such_kind::<F>(word, node.at)))?;
    fault.check(&given)?;
    Ok(fault)
}

/// No fault of this table is called `word`.
pub(crate) fn no_such_kind<F: Fault>(word: &str, at: Range<usize>) -> Problem {
    let words: Vec<_> = F::KINDS.iter().map(|kind| kind.word).collect();
    let near = nearest(word, words.iter().copied()).unwrap_or("reset");
    let example = F::KINDS.iter().find(|kind| kind.word == near).unwrap_or(&F::KINDS[0]).example;
    let what = format!("a fault of a {}", F::OF);
    let mut problem = unknown(&what, word, at, &words, example);
    if F::OTHER.1.iter().any(|kind| kind.word == word) {
        problem.got = format!("{word:?}, which is a fault of a {}", F::OTHER.0);
    }
    problem
}

fn known_parameters(kind: &Kind, table: &Table) -> Result<(), Problem> {
    let names: Vec<_> = kind.params.iter().map(|param| param.name).collect();
    if let (true, Some(entry)) = (names.is_empty(), table.entries.first()) {
        let expected = format!("no parameter for {}", kind.word);
        return Err(Problem::new(entry.key_at.clone(), expected, format!("{:?}", entry.key), kind.example));
    }
    known_keys(table, &format!("a parameter of {}", kind.word), &names, Some(kind.example))
}

fn words(keys: &[&[Key]]) -> Vec<&'static str> {
    keys.iter().flat_map(|keys| keys.iter().map(|key| key.word)).chain(["fault"]).collect()
}

/// The example is the key that is nearest, unless there is a better one.
pub(crate) fn known_keys(
    table: &Table,
    what: &str,
    known: &[&str],
    example: Option<&str>,
) -> Result<(), Problem> {
    let Some(entry) = table.entries.iter().find(|entry| !known.contains(&entry.key.as_str())) else {
        return Ok(());
    };
    let near = nearest(&entry.key, known.iter().copied()).or(known.first().copied());
    let example = example.or(near).unwrap_or_default();
    Err(unknown(what, &entry.key, entry.key_at.clone(), known, example))
}
