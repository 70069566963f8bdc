//! How the real command runs in a program, as a record: `run = true`, or a table of what is other than asked for.

use std::time::Duration;

use super::step;
use super::take::{Record, list, listed};
use crate::fault::Pairs;
use crate::fault::node::{Node, Problem, Table, Value};
use crate::fault::param::Param as _;
use crate::guest::RealRun;

const EXAMPLE: &str = "run = { env = { LANG = \"C\" }, after = [{ stdout = \"done\\n\" }] }";
const KEYS: [&str; 5] = ["args", "env", "delay", "before", "after"];

/// Reads it; `None` for `false`. How it ends is told beside it.
pub(super) fn read(node: &Node) -> Result<Option<RealRun>, Problem> {
    if let Value::Flag(flag) = node.value {
        return Ok(flag.then(RealRun::new));
    }
    let mut record = Record::of(node, "true, or a table of what is other than asked for", EXAMPLE)?;
    let args = record.node("args").map(|node| {
        list(&node, "a list of arguments", "args = [\"-c\", \"true\"]")?.iter().map(String::read).collect()
    });
    let run = RealRun {
        args: args.transpose()?,
        env: record.param::<Pairs>("env")?.unwrap_or_default().0.into_iter().collect(),
        delay: record.param::<Duration>("delay")?.unwrap_or_default(),
        before: record.node("before").map_or(Ok(Vec::new()), |node| step::read_all(&node, false))?,
        after: record.node("after").map_or(Ok(Vec::new()), |node| step::read_all(&node, false))?,
        finish: None,
    };
    record.end(&KEYS)?;
    Ok(Some(run))
}

/// As [`read`] reads it.
pub(super) fn write(run: &RealRun) -> Value {
    if (RealRun { finish: None, ..run.clone() }) == RealRun::new() {
        return Value::Flag(true);
    }
    let mut table = Table::default();
    table.put("args", run.args.as_ref().map(|args| listed(args.iter().cloned().map(Value::Text))));
    table.put("env", Pairs(run.env.clone().into_iter().collect()).write());
    table.put("delay", (!run.delay.is_zero()).then(|| run.delay.write()).flatten());
    table.put("before", (!run.before.is_empty()).then(|| step::write_all(&run.before)));
    table.put("after", (!run.after.is_empty()).then(|| step::write_all(&run.after)));
    Value::Table(table)
}
