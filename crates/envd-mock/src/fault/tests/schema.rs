//! The JSON Schema and the reader agree: what is printed is valid, and what is not known is not.

use proptest::prelude::*;
use serde_json::json;

use super::strategies::script;
use crate::fault::{CallFault, CallRule, ConnectionFault, ConnectionRule, Script, schema};

fn validator() -> jsonschema::Validator {
    jsonschema::draft202012::new(&schema()).expect("a schema")
}

#[test]
fn the_schema_is_one() {
    assert!(jsonschema::draft202012::meta::is_valid(&schema()));
}

#[test]
fn every_example_of_the_catalogue_is_valid() {
    let validator = validator();
    for kind in CallFault::KINDS {
        let script = Script::from(kind.example.parse::<CallRule>().unwrap()).to_json();
        validator.validate(&script).unwrap_or_else(|error| panic!("{script}: {error}"));
    }
    for kind in ConnectionFault::KINDS {
        let script = Script::from(kind.example.parse::<ConnectionRule>().unwrap()).to_json();
        validator.validate(&script).unwrap_or_else(|error| panic!("{script}: {error}"));
    }
}

/// Of each kind with parameters: its own example, with a parameter more, and with one that is a list.
#[test]
fn an_unknown_key_and_a_wrong_type_are_not_valid() {
    let validator = validator();
    let kinds = CallFault::KINDS.iter().map(|kind| ("call", kind));
    for (table, kind) in kinds.chain(ConnectionFault::KINDS.iter().map(|kind| ("connection", kind))) {
        let script = Script::parse_expressions("example", kind.example).unwrap().to_json();
        let mut more = script.clone();
        more[table][0]["fault"]["more"] = json!(1);
        assert!(!validator.is_valid(&more) && Script::from_json(&more).is_err(), "{more}");
        for param in kind.params.iter().filter(|param| !["values", "details"].contains(&param.name)) {
            let mut wrong = script.clone();
            wrong[table][0]["fault"][param.name] = json!([true]);
            assert!(!validator.is_valid(&wrong) && Script::from_json(&wrong).is_err(), "{wrong}");
        }
    }
}

#[test]
fn reader_and_schema_agree_on_records_by_hand() {
    let validator = validator();
    let call = |call: serde_json::Value| json!({ "call": [call] });
    for (valid, script) in [
        (true, json!({})),
        (true, json!({ "seed": u64::MAX })),
        (true, json!({ "seed": "7", "call": [], "connection": [] })),
        (true, call(json!({ "fault": "status 503" }))),
        (true, call(json!({ "nth": 2, "every": "3", "probability": "0.5", "fault": "cut" }))),
        (true, call(json!({ "fault": { "kind": "series", "values": [{ "a": null }] } }))),
        (true, call(json!({ "fault": { "kind": "status", "status": "503", "header": { "a": 1 } } }))),
        (false, json!([])),
        (false, json!({ "seed": -1 })),
        (false, json!({ "seed": 1.5 })),
        (false, json!({ "calls": [] })),
        (false, json!({ "call": {} })),
        (false, call(json!({}))),
        (false, call(json!({ "fault": "statsu 503" }))),
        (false, call(json!({ "fault": 503 }))),
        (false, call(json!({ "fault": { "kind": "status" } }))),
        (false, call(json!({ "fault": { "kind": "half-open" } }))),
        (false, call(json!({ "fault": "cut", "nth": 0 }))),
        (false, call(json!({ "fault": "cut", "probability": 1.5 }))),
        (false, call(json!({ "fault": "cut", "generation": 4 }))),
        (false, call(json!({ "fault": "cut", "header": "x" }))),
        (false, call(json!({ "fault": "cut", "after": 5.5 }))),
        (false, json!({ "connection": [{ "fault": "reset", "tag": "x" }] })),
    ] {
        let read = Script::from_json(&script);
        assert_eq!((validator.is_valid(&script), read.is_ok()), (valid, valid), "{script}: {read:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn every_script_that_is_printed_is_valid(script in script()) {
        let script = script.to_json();
        let judged = validator().validate(&script).map_err(|error| error.to_string());
        prop_assert_eq!(judged, Ok(()), "{}", script);
    }
}
