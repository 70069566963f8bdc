//! A program as a record: `[[program]]` in a script.

use super::take::{Record, glob, list, listed};
use super::{run, schema, step};
use crate::fault::node::{Node, Problem, Table, Value};
use crate::fault::param::Param as _;
use crate::fault::{Glob, Signal};
use crate::guest::program::{Act, Args, Finish};
use crate::guest::{Program, ProgramWhen, RealRun};

const EXAMPLE: &str =
    "{ command = \"git\", args = [\"clone\", \"**\"], steps = [{ stderr = \"fatal\\n\" }], exit = 128 }";
const KEYS: [&str; 13] = [
    "name",
    "command",
    "args",
    "command_line",
    "env",
    "cwd",
    "user",
    "steps",
    "run",
    "exit",
    "signal",
    "hang",
    "ignore_sigterm",
];
const SIGNALS: [(Signal, i32); 6] = [
    (Signal::Kill, libc::SIGKILL),
    (Signal::Term, libc::SIGTERM),
    (Signal::Int, libc::SIGINT),
    (Signal::Segv, libc::SIGSEGV),
    (Signal::Abrt, libc::SIGABRT),
    (Signal::Hup, libc::SIGHUP),
];

/// Reads one.
///
/// # Errors
/// Where the record is not as it must be.
pub(crate) fn read(node: &Node) -> Result<Program, Problem> {
    let mut record = Record::of(node, "a program", EXAMPLE)?;
    let name: Option<String> = record.param("name")?;
    let when = when(&mut record)?;
    let Some(name) = name.or_else(|| when.command.as_ref().map(ToString::to_string)) else {
        return Err(record.problem("a program with a name or a command", "neither"));
    };
    let ignores_sigterm = record.flag("ignore_sigterm")?;
    let finish = finish(&mut record)?;
    let act = act(&mut record, finish)?;
    record.end(&KEYS)?;
    Ok(Program { name, when, ignores_sigterm, act })
}

fn when(record: &mut Record) -> Result<ProgramWhen, Problem> {
    Ok(ProgramWhen {
        command: record.glob("command")?,
        args: match record.one_of(&["args", "command_line"])? {
            Some("args") => Args::Each(globs(record)?),
            Some(_) => record.glob("command_line")?.map_or(Args::Any, Args::Line),
            None => Args::Any,
        },
        env: match record.node("env") {
            Some(node) => variables(&node)?,
            None => Default::default(),
        },
        cwd: record.glob("cwd")?,
        user: record.glob("user")?,
    })
}

fn globs(record: &mut Record) -> Result<Vec<Glob>, Problem> {
    let Some(node) = record.node("args") else { return Ok(Vec::new()) };
    list(&node, "a list of patterns", "args = [\"clone\", \"**\"]")?.iter().map(glob).collect()
}

fn variables(node: &Node) -> Result<std::collections::BTreeMap<String, Glob>, Problem> {
    let Value::Table(table) = &node.value else {
        let (expected, example) = ("a table of variables and patterns", "env = { CI = \"*\" }");
        return Err(Problem::new(node.at.clone(), expected, node.value.to_string(), example));
    };
    table.entries.iter().map(|entry| Ok((entry.key.clone(), glob(&entry.node)?))).collect()
}

fn finish(record: &mut Record) -> Result<Option<Finish>, Problem> {
    Ok(match record.one_of(&["exit", "signal", "hang"])? {
        Some("exit") => record.param::<u8>("exit")?.map(|code| Finish::Exit(code.into())),
        Some("signal") => record.param::<Signal>("signal")?.map(number).map(Finish::Signal),
        Some(_) => record.flag("hang")?.then_some(Finish::Hang),
        None => None,
    })
}

fn act(record: &mut Record, finish: Option<Finish>) -> Result<Act, Problem> {
    if let Some(node) = record.node("run")
        && let Some(real) = run::read(&node)?
    {
        if record.has("steps") {
            let expected = "steps of the real command's own: run = { before = [...], after = [...] }";
            return Err(record.problem(expected, "steps beside run"));
        }
        return Ok(Act::Real(RealRun { finish, ..real }));
    }
    let steps = record.node("steps").map_or(Ok(Vec::new()), |node| step::read_all(&node, true))?;
    Ok(Act::Script { steps, finish: finish.unwrap_or(Finish::Exit(0)) })
}

fn number(signal: Signal) -> i32 {
    SIGNALS.iter().find(|(one, _)| *one == signal).map_or(libc::SIGKILL, |(_, number)| *number)
}

/// As [`read`] reads it. A signal that scripts have no name for becomes SIGKILL.
pub(crate) fn write(program: &Program) -> Value {
    let mut table = Table::default();
    table.put("name", Value::Text(program.name.clone()));
    write_when(&program.when, &mut table);
    table.put("ignore_sigterm", program.ignores_sigterm.then_some(Value::Flag(true)));
    match &program.act {
        Act::Script { steps, finish } => {
            table.put("steps", (!steps.is_empty()).then(|| step::write_all(steps)));
            write_finish(Some(*finish).filter(|finish| *finish != Finish::Exit(0)), &mut table);
        }
        Act::Real(real) => {
            table.put("run", run::write(real));
            write_finish(real.finish, &mut table);
        }
    }
    Value::Table(table)
}

fn write_when(when: &ProgramWhen, table: &mut Table) {
    let text = |glob: &Glob| Value::Text(glob.to_string());
    table.put("command", when.command.as_ref().map(text));
    match &when.args {
        Args::Any => {}
        Args::Each(globs) => table.put("args", listed(globs.iter().map(text))),
        Args::Line(glob) => table.put("command_line", text(glob)),
    }
    let mut env = Table::default();
    when.env.iter().for_each(|(name, glob)| env.put(name, text(glob)));
    table.put("env", (!env.entries.is_empty()).then_some(Value::Table(env)));
    table.put("cwd", when.cwd.as_ref().map(text));
    table.put("user", when.user.as_ref().map(text));
}

fn write_finish(finish: Option<Finish>, table: &mut Table) {
    match finish {
        None => {}
        Some(Finish::Exit(code)) => table.put("exit", Value::Number(code.into())),
        Some(Finish::Hang) => table.put("hang", Value::Flag(true)),
        Some(Finish::Signal(number)) => {
            let named = SIGNALS.iter().find(|(_, one)| *one == number);
            table.put("signal", named.map_or(Signal::Kill, |(signal, _)| *signal).write());
        }
    }
}

/// The JSON Schema of one record.
pub(crate) fn schema() -> serde_json::Value {
    schema::program()
}

#[cfg(test)]
mod tests;
