//! From rules to records, in the canonical form. What becomes of a record is `print`'s, `json_form`'s and `toml_form`'s.

use std::time::Duration;

use super::node::{Table, Value};
use super::param::Param;
use super::position::Position;
use super::print;
use super::record::Fault;
use super::rule::{CallRule, ConnectionRule, Script};

/// Writes a script.
pub(crate) fn script(script: &Script) -> Table {
    let mut table = Table::default();
    let list =
        |tables: Vec<Table>| Value::List(tables.into_iter().map(|one| Value::Table(one).into()).collect());
    let some = |tables: Vec<Table>| (!tables.is_empty()).then(|| list(tables));
    table.put("seed", (script.seed != 0 || script.zero_seed).then(|| script.seed.write()).flatten());
    table.put("connection", some(script.connections.iter().map(Rule::write).collect()));
    table.put("call", some(script.calls.iter().map(Rule::write).collect()));
    let programs = (!script.programs_raw.is_empty()).then(|| Value::List(script.programs_raw.clone()));
    table.put("program", programs);
    table
}

/// What the two kinds of rules have in common.
pub(crate) trait Rule {
    /// As a record.
    fn write(&self) -> Table;
    fn name(&mut self) -> &mut String;

    /// As an expression; without its name when that is the expression.
    fn expression(&self) -> String {
        let mut table = self.write();
        let name = table.take("name");
        let nameless = print::expression(&table);
        match name.map(|node| node.value) {
            Some(Value::Text(name)) if name != nameless && !name.is_empty() => {
                table.put("name", Value::Text(name));
                print::expression(&table)
            }
            _ => nameless,
        }
    }

    /// The name that it has when none is given.
    fn default_name(&self) -> String {
        let mut table = self.write();
        table.take("name");
        print::expression(&table)
    }
}

impl Rule for CallRule {
    fn write(&self) -> Table {
        let mut table = Table::default();
        table.put("name", Value::Text(self.name.clone()));
        table.put("operation", self.when.operation.write());
        self.often.write(&mut table);
        self.when.write(&mut table);
        finish(table, self.at, self.ttl, &self.fault)
    }

    fn name(&mut self) -> &mut String {
        &mut self.name
    }
}

impl Rule for ConnectionRule {
    fn write(&self) -> Table {
        let mut table = Table::default();
        table.put("name", Value::Text(self.name.clone()));
        self.often.write(&mut table);
        finish(table, self.at, self.ttl, &self.fault)
    }

    fn name(&mut self) -> &mut String {
        &mut self.name
    }
}

fn finish<F: Fault>(mut table: Table, at: Option<Position>, ttl: Option<Duration>, fault: &F) -> Table {
    table.put("at", at.write());
    table.put("ttl", ttl.write());
    table.put("fault", Value::Table(told(fault)));
    table
}

/// The table of a fault, its kind first.
pub(crate) fn told<F: Fault>(fault: &F) -> Table {
    let mut told = Table::default();
    told.put("kind", Value::Text(fault.kind().word.to_owned()));
    told.entries.extend(fault.write().entries);
    told
}
