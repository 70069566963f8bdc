//! Whole scripts: faults, programs and what a script says of itself, read from TOML and JSON, and their one schema.

use super::{incident, program};
use crate::fault::node::{Node, Problem};
use crate::fault::{self, Checks, Form, Script, ScriptError};
use crate::guest::Program;
use crate::incident::Incident;

const CHECKS: Checks = Checks { alive_in: None, program: is_program, incident: is_incident };

/// Checks that also refuse rules that can never act while a generation is played, where one is named.
fn checks(alive_in: Option<u8>) -> Checks {
    Checks { alive_in, ..CHECKS }
}

impl Script {
    /// Reads a script in TOML; `file` is what problems call it.
    ///
    /// # Errors
    /// The first problem, with its place.
    pub fn from_toml(file: &str, text: &str) -> Result<Self, ScriptError> {
        fault::from_toml(file, text, CHECKS)
    }

    /// Reads a script in JSON.
    ///
    /// # Errors
    /// The first problem, with its JSON pointer.
    pub fn from_json(value: &serde_json::Value) -> Result<Self, ScriptError> {
        fault::from_json(value, CHECKS)
    }

    /// Reads a script in this form whose rules may all act in a generation, where one is named; `source` is what problems
    /// call it.
    ///
    /// # Errors
    /// The first problem, with its place.
    pub(crate) fn read(
        form: Form,
        source: &str,
        text: &str,
        alive_in: Option<u8>,
    ) -> Result<Self, ScriptError> {
        fault::read(form, source, text, checks(alive_in))
    }

    /// Everything that is wrong with a script.
    pub(crate) fn problems(form: Form, source: &str, text: &str, alive_in: Option<u8>) -> Vec<ScriptError> {
        fault::problems(form, source, text, checks(alive_in))
    }

    /// Reads a script in JSON whose rules may all act in a generation, where one is named.
    pub(crate) fn live_from_json(
        value: &serde_json::Value,
        alive_in: Option<u8>,
    ) -> Result<Self, ScriptError> {
        fault::from_json(value, checks(alive_in))
    }

    /// The same script with one more program, behind those that it has.
    pub fn with_program(mut self, program: &Program) -> Self {
        self.programs_raw.push(Node::from(program::write(program)));
        self
    }

    /// The programs that stand in for commands, in order.
    pub fn programs(&self) -> Vec<Program> {
        // Each was judged when it was read.
        self.programs_raw.iter().filter_map(|node| program::read(node).ok()).collect()
    }

    /// The incident that the script plays, if it says so.
    pub fn incident(&self) -> Option<Incident> {
        // It was judged when it was read.
        self.incident_raw.as_ref().and_then(|node| incident::read(node).ok())
    }
}

fn is_incident(node: &Node) -> Result<(), Problem> {
    incident::read(node).map(drop)
}

fn is_program(node: &Node) -> Result<(), Problem> {
    program::read(node).map(drop)
}

/// The one JSON Schema of scripts (draft 2020-12), for editors and other tools; TOML has the same shape.
pub fn script_schema() -> serde_json::Value {
    let mut schema = fault::schema();
    schema["properties"]["program"]["items"] = program::schema();
    schema["properties"]["incident"] = incident::schema();
    schema
}
