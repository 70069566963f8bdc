//! The one JSON Schema (draft 2020-12) of scripts, made from the tables that the reader uses. It says no more than the
//! reader; what two keys mean for each other is the reader's alone.

use serde_json::{Map, Value, json};

use super::condition::{Key, OF_CALLS, OF_EVERY_RULE};
use super::kinds::{CallFault, ConnectionFault, Kind};
use super::param::Param;

/// The JSON Schema of a script, for editors and other tools; a script in TOML has the same shape.
pub(crate) fn schema() -> Value {
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A script of envd-mock",
        "type": "object",
        "properties": {
            "seed": described(u64::schema(), "what draws are made from; 0 by default"),
            "connection": list("connection", "rules of connections; the first that matches decides"),
            "call": list("call", "rules of calls; for each stage and position of a call the first that matches decides"),
            "program": { "type": "array", "items": { "type": "object" } },
        },
        "additionalProperties": false,
        "$defs": {
            "connection": rule(&[OF_EVERY_RULE], "connectionFault"),
            "call": rule(&[OF_EVERY_RULE, OF_CALLS], "callFault"),
            "connectionFault": fault(ConnectionFault::KINDS),
            "callFault": fault(CallFault::KINDS),
        },
    })
}

fn described(mut schema: Value, about: &str) -> Value {
    schema["description"] = json!(about);
    schema
}

fn list(of: &str, about: &str) -> Value {
    json!({ "description": about, "type": "array", "items": { "$ref": format!("#/$defs/{of}") } })
}

fn rule(keys: &[&[Key]], fault: &str) -> Value {
    let keys = keys.iter().flat_map(|keys| keys.iter());
    let mut properties: Map<String, Value> =
        keys.map(|key| (key.word.to_owned(), described((key.schema)(), key.about))).collect();
    properties.insert("fault".to_owned(), json!({ "$ref": format!("#/$defs/{fault}") }));
    json!({
        "type": "object",
        "properties": properties,
        "required": ["fault"],
        "additionalProperties": false,
    })
}

/// What stands behind the colon of an expression, or a table for each kind.
fn fault(kinds: &[Kind]) -> Value {
    let words: Vec<_> = kinds.iter().map(|kind| kind.word).collect();
    let pattern = format!("^\\s*({})(\\s|$)", words.join("|"));
    let text = json!({
        "description": "as it stands behind the colon of an expression",
        "type": "string",
        "pattern": pattern,
    });
    let branches: Vec<_> = std::iter::once(text).chain(kinds.iter().map(branch)).collect();
    json!({ "oneOf": branches })
}

fn branch(kind: &Kind) -> Value {
    let mut properties = Map::new();
    properties.insert("kind".to_owned(), json!({ "const": kind.word }));
    properties.extend(kind.params.iter().map(|param| (param.name.to_owned(), (param.schema)())));
    let required = kind.params.iter().filter(|param| (param.required)()).map(|param| param.name);
    let required: Vec<_> = std::iter::once("kind").chain(required).collect();
    json!({
        "title": kind.word,
        "description": format!("{}; as a rule: {}", kind.about.trim(), kind.example),
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": false,
    })
}
