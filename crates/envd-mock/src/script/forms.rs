//! Whole scripts: faults, programs and what a script says of itself, read from TOML and JSON, and their one schema.

use super::{incident, program};
use crate::fault::node::{Node, Problem};
use crate::fault::{self, Checks, Script, ScriptError};
use crate::guest::Program;
use crate::incident::Incident;

const CHECKS: Checks = Checks { program: is_program, incident: is_incident };

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
