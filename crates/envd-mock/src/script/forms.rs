//! Whole scripts: faults and programs together, read from TOML and JSON, and their one schema.

use super::program;
use crate::fault::node::{Node, Problem};
use crate::fault::{self, Script, ScriptError};
use crate::guest::Program;

impl Script {
    /// Reads a script in TOML; `file` is what problems call it.
    ///
    /// # Errors
    /// The first problem, with its place.
    pub fn from_toml(file: &str, text: &str) -> Result<Self, ScriptError> {
        fault::from_toml(file, text, is_program)
    }

    /// Reads a script in JSON.
    ///
    /// # Errors
    /// The first problem, with its JSON pointer.
    pub fn from_json(value: &serde_json::Value) -> Result<Self, ScriptError> {
        fault::from_json(value, is_program)
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
}

fn is_program(node: &Node) -> Result<(), Problem> {
    program::read(node).map(drop)
}

/// The one JSON Schema of scripts (draft 2020-12), for editors and other tools; TOML has the same shape.
pub fn script_schema() -> serde_json::Value {
    let mut schema = fault::schema();
    schema["properties"]["program"]["items"] = program::schema();
    schema
}
