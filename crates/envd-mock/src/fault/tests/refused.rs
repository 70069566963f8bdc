//! What cannot be used is told: the place, what was expected, what was seen, an example, and the nearest word.

use std::fmt::Write as _;
use std::time::Duration;

use serde_json::json;

use crate::fault::{
    CallFault, CallRule, ConnectionFault, ConnectionRule, Json, Position, Script, ScriptError,
};

/// Each text with what is said about it.
fn told<'a>(texts: &[&'a str], read: impl Fn(&'a str) -> Result<Script, ScriptError>) -> String {
    let mut said = String::new();
    for text in texts {
        match read(text) {
            Ok(script) => panic!("{text:?} was read as {script:?}"),
            Err(error) => writeln!(said, "{error}\n").expect("a String takes everything"),
        }
    }
    said
}

#[test]
fn expressions_that_are_none() {
    let texts = [
        "process.Process/Start #2: rseet",
        "process.Process/Start tga=build: reset",
        "process.Process/Start down[5 @3: reset",
        "process.Process/Start down[0]: reset",
        "process.Process/Start stdotu@4096: abort",
        "* : delay 20 parsecs",
        "*: delay 200ms..20ms",
        "*: delay 20msec",
        "*: banana",
        "GET /files tag: cut",
        "* name=\"my rule: reset",
        "* name=\"a\"b: reset",
        "* name=\"a\\q\": reset",
        "GET /files #1 @1048576 cut",
        "GET /files #1",
        "GET /files @3:reset",
        "GET /files:",
        "GET: reset",
        "connecton #3: stall",
        "process.Process: reset",
        "connection: status 503",
        "connection down[2]: reset",
        "connection up[2]: reset",
        "connection #1: refuse",
        "GET /files: half-open",
        "GET /files #0: reset",
        "GET /files #3..1: reset",
        "GET /files every=0: reset",
        "GET /files %1.5: reset",
        "GET /files after=5s until=1s: reset",
        "GET /files times=: reset",
        "GET /files #1 #2: reset",
        "GET /files @1 down[2]: reset",
        "GET /files header=x: reset",
        "GET /files header.a/b=x: reset",
        "GET /files path='a\\': reset",
        "#1: reset",
        ": reset",
        "process.Process/Start: drop",
        "process.Process/Start down[2]@3: drop",
        "process.Process/Start down[2]: end-twice",
        "process.Process/Start @5: drop",
        "process.Process/Start stdout@5: spawn-fails",
        "GET /files: flip bit=8",
        "GET /files: flip bti=3",
        "GET /files: flip 3 4",
        "GET /files: reset now",
        "GET /files: status",
        "GET /files: status 999",
        "GET /files: status 503 header.\"a b\"=1",
        "GET /files: status 503 header=x",
        "GET /files: error unavailabel",
        "GET /files: slow 64KiB",
        "GET /files: slice 0",
        "GET /activity: series 5",
        "GET /activity: series []",
        "GET /activity: series [1]",
        "GET /files: cut ; * : cut ; connection cut",
        "GET /files name=one: cut\n* name=two: cut\n\t* name=one: cut",
    ];
    insta::assert_snapshot!(told(&texts, |text| Script::parse_expressions("--fault", text)));
}

#[test]
fn expressions_of_a_header_that_are_none() {
    let texts = [
        "",
        "rseet",
        "status 999",
        "connection: reset",
        "down[5 @3: reset",
        "@3 reset",
        "reset ; cut",
        "#1 @3: ",
    ];
    insta::assert_snapshot!(told(&texts, |text| CallRule::parse_bare("X-Envd-Fault", text).map(Script::from)));
}

#[test]
fn one_expression_of_the_other_kind_or_two_of_them() {
    let texts = ["", "connection: reset", "* : cut\n* : cut"];
    let calls = told(&texts, |text| text.parse::<CallRule>().map(Script::from));
    let connections = told(&["*: reset"], |text| text.parse::<ConnectionRule>().map(Script::from));
    insta::assert_snapshot!(calls + &connections);
}

#[test]
fn scripts_in_toml_that_are_none() {
    let texts = [
        "[[call]]\noperation = \"GET /files\nfault = \"cut\"\n",
        "[[call]]\nfault = cut\n",
        "[[call]\n",
        "seed = 1\nseed = 2\n",
        "seed = 99999999999999999999\n",
        "seed = -1\n",
        "[[calls]]\nfault = \"cut\"\n",
        "[call]\nfault = \"cut\"\n",
        "call = [1]\n",
        "# a comment\n\n[[call]]\noperation = \"GET /files\"\n",
        "[[call]]\noperatoin = \"GET /files\"\nfault = \"cut\"\n",
        "[[call]]\noperation = \"files\"\nfault = \"cut\"\n",
        "[[call]]\nfault = 503\n",
        "[[call]]\nfault = \"statsu 503\"\n",
        "[[call]]\nfault = \"status 999\"\n",
        "[[call]]\nfault = \"\"\"status 999\"\"\"\n",
        "[[call]]\nfault = \"\"\n",
        "[[call]]\nfault = { status = 503 }\n",
        "[[call]]\nfault = { kind = \"status\", sttaus = 503 }\n",
        "[[call]]\nfault = { kind = \"status\", status = \"many\" }\n",
        "[[call]]\nfault = { kind = \"status\" }\n",
        "[[call]]\nfault = { kind = \"reset\", now = true }\n",
        "[[call]]\nfault = { kind = 5 }\n",
        "[[call]]\nnth = 0\nfault = \"cut\"\n",
        "[[call]]\nnth = [1, 2]\nfault = \"cut\"\n",
        "[[call]]\nprobability = 1.5\nfault = \"cut\"\n",
        "[[call]]\nprobability = nan\nfault = \"cut\"\n",
        "[[call]]\nheader = \"x\"\nfault = \"cut\"\n",
        "[[call]]\nheader = { x-test = 5.5 }\nfault = \"cut\"\n",
        "[[call]]\nheader = { x-test = \"a\", X-Test = \"b\" }\nfault = \"cut\"\n",
        "[[call]]\nat = \"dwon[5]\"\nfault = \"cut\"\n",
        "[[call]]\n\tat = 5\n\tfault = \"drop\"\n",
        "[[call]]\nname = \"\"\nfault = \"cut\"\n",
        "[[call]]\ngeneration = 9\nfault = \"cut\"\n",
        "[[connection]]\ntag = \"x\"\nfault = \"reset\"\n",
        "[[connection]]\nevery = 2\nfault = { kind = \"refuse\" }\n",
        "[[call]]\nname = \"a\"\nfault = \"cut\"\n[[connection]]\nname = \"a\"\nfault = \"reset\"\n",
    ];
    insta::assert_snapshot!(told(&texts, |text| Script::from_toml("faults.toml", text)));
}

#[test]
fn scripts_in_json_that_are_none() {
    let values = [
        json!([]),
        json!({ "sede": 1 }),
        json!({ "seed": null }),
        json!({ "call": [{ "operation": "GET /files" }] }),
        json!({ "call": [{ "fault": "cut" }, { "fault": "rseet" }] }),
        json!({ "call": [{ "fault": { "kind": "flip", "bit": 9 } }] }),
        json!({ "call": [{ "fault": "cut", "query": { "a/b": 1.5 } }] }),
        json!({ "call": [{ "fault": { "kind": "error", "code": "unavailable", "details": [{ "type": "a" }] } }] }),
    ];
    let said: Vec<_> =
        values.iter().map(|value| Script::from_json(value).expect_err("refused").to_string()).collect();
    insta::assert_snapshot!(said.join("\n\n"));
}

#[test]
fn rules_in_rust_that_are_none() {
    let said = [
        CallRule::on("files").map(|_| ()).expect_err("no operation"),
        CallRule::any().nth(0).fault(CallFault::Reset {}).expect_err("counts from 1"),
        CallRule::any().at(Position::Up(5)).fault(CallFault::Drop {}).expect_err("no such position"),
        CallRule::any().fault(CallFault::Series { values: Json(json!({})) }).expect_err("no list"),
        CallRule::any().header("a", "x").header("A", "y").fault(CallFault::Reset {}).expect_err("twice"),
        ConnectionRule::nth(3).fault(ConnectionFault::Refuse {}).expect_err("cannot be counted"),
        "dwon[5]".parse::<Position>().expect_err("no position"),
    ];
    insta::assert_snapshot!(said.map(|error| error.to_string()).join("\n\n"));
}

#[test]
fn a_problem_has_its_place_in_parts_too() {
    let error = Script::from_toml("s.toml", "[[call]]\nnth = 0\nfault = \"cut\"\n").expect_err("refused");
    assert_eq!((error.position(), error.pointer()), (Some((2, 7)), None));
    let error = Script::from_json(&json!({ "call": [{ "nth": 0, "fault": "cut" }] })).expect_err("refused");
    assert_eq!((error.position(), error.pointer()), (None, Some("/call/0/nth")));
    assert_eq!((error.got(), error.example()), ("0", "1..3"));
    assert!(error.expected().starts_with("ordinals from 1"));
}

#[test]
fn a_given_name_belongs_to_one_rule() {
    let named =
        |name: &str| CallRule::any().name(name).after(Duration::from_secs(1)).fault(CallFault::Hang {});
    let script = |name: &str| Script::from(named(name).expect("a rule"));
    let error = script("a").merge(script("a")).expect_err("refused");
    assert_eq!(error.got(), "\"a\" for the second time");
    assert!(script("a").merge(script("b")).is_ok());
}

#[test]
fn of_a_long_line_the_part_around_the_place_is_shown() {
    let text = format!("* tag={}: rseet", "é".repeat(5000));
    let error = text.parse::<CallRule>().expect_err("refused");
    assert_eq!(error.position(), Some((1, 5009)));
    let said = error.to_string();
    let lines: Vec<_> = said.lines().collect();
    assert!(lines[1].ends_with("é: rseet") && said.len() < 1000, "{said}");
    assert_eq!(lines[2].chars().count(), lines[1].chars().count(), "{said}");
    assert!(lines[2].ends_with(" ^^^^^"), "{said}");
}
