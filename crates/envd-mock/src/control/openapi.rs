//! The OpenAPI document of the port: `openapi.json` as it is checked in, with the schemas of scripts and expectations,
//! which the readers' own tables make.

use axum::Json;
use serde_json::{Map, Value, json};

use crate::fault::{Key, OF_CALLS, OF_EXPECTATIONS};
use crate::script::script_schema;

const DOCUMENT: &str = include_str!("openapi.json");
pub(super) async fn read() -> Json<Value> {
    Json(document())
}

/// The whole document.
pub(super) fn document() -> Value {
    let mut document: Value = serde_json::from_str(DOCUMENT).expect("the checked-in document is JSON");
    document["info"]["version"] = json!(env!("CARGO_PKG_VERSION"));
    if let Some(schemas) = document["components"]["schemas"].as_object_mut() {
        schemas.extend(of_scripts());
        schemas.insert("Expectation".to_owned(), expectation());
        schemas.insert("AddedRule".to_owned(), added_rule());
    }
    document
}

/// The schema of scripts and its parts, as `Script` and `Script.PART`.
fn of_scripts() -> Map<String, Value> {
    let mut script = script_schema();
    relocate(&mut script);
    let mut schemas = Map::new();
    if let Some(script) = script.as_object_mut() {
        script.remove("$schema");
        if let Some(Value::Object(parts)) = script.remove("$defs") {
            schemas.extend(parts.into_iter().map(|(name, part)| (format!("Script.{name}"), part)));
        }
    }
    schemas.insert("Script".to_owned(), script);
    schemas
}

/// Points every reference to where its target lies here.
fn relocate(value: &mut Value) {
    match value {
        Value::Object(object) => {
            for (key, value) in object {
                let part =
                    value.as_str().filter(|_| key == "$ref").and_then(|to| to.strip_prefix("#/$defs/"));
                match part {
                    Some(part) => *value = json!(format!("#/components/schemas/Script.{part}")),
                    None => relocate(value),
                }
            }
        }
        Value::Array(list) => list.iter_mut().for_each(relocate),
        _ => {}
    }
}

fn expectation() -> Value {
    let keys = OF_CALLS.iter().chain(OF_EXPECTATIONS);
    let property = |key: &Key| {
        let mut schema = (key.schema)();
        schema["description"] = json!(key.about);
        (key.word.to_owned(), schema)
    };
    let properties: Map<String, Value> = keys.map(property).collect();
    json!({ "type": "object", "properties": properties, "additionalProperties": false })
}

/// A rule, and which of the two kinds it is.
fn added_rule() -> Value {
    json!({
        "description": "a rule as in a script, and its target beside it",
        "type": "object",
        "properties": { "target": { "enum": ["call", "connection"] } },
        "required": ["target", "fault"],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_path_is_documented_and_there_is_no_other() {
        let document = document();
        let mut documented: Vec<_> = document["paths"].as_object().unwrap().keys().cloned().collect();
        let mut served: Vec<_> =
            super::super::table::routes().into_iter().map(|(path, _)| path.to_owned()).collect();
        documented.sort();
        served.sort();
        assert_eq!(documented, served);
    }

    #[test]
    fn every_reference_leads_somewhere() {
        let document = document();
        let text = document.to_string();
        let references = text.split("\"$ref\":\"").skip(1).filter_map(|rest| rest.split('"').next());
        for reference in references {
            assert!(document.pointer(reference.trim_start_matches('#')).is_some(), "{reference}");
        }
    }
}
