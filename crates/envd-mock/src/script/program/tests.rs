//! Records of programs: read, written, refused.

use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::fault::param::as_json;
use crate::guest::program::{Content, Read, Step, Stream, Template};

/// A record as JSON writes it, without places.
fn node(json: &serde_json::Value) -> Node {
    let value = match json {
        serde_json::Value::String(text) => Value::Text(text.clone()),
        serde_json::Value::Bool(flag) => Value::Flag(*flag),
        serde_json::Value::Number(number) => Value::Number(number.as_i64().unwrap()),
        serde_json::Value::Array(list) => Value::List(list.iter().map(node).collect()),
        serde_json::Value::Object(map) => {
            let mut table = Table::default();
            map.iter().for_each(|(key, json)| table.put(key, node(json).value));
            Value::Table(table)
        }
        serde_json::Value::Null => panic!("no record holds null"),
    };
    value.into()
}

fn parse(json: &serde_json::Value) -> Result<Program, Problem> {
    read(&node(json))
}

#[test]
fn a_record_is_read_as_the_builder_writes_it() {
    let record = serde_json::json!({
        "name": "git clone is slow",
        "command": "git",
        "args": ["clone", "**"],
        "env": { "CI": "*" },
        "cwd": "/home/user/**",
        "user": "user",
        "ignore_sigterm": true,
        "steps": [
            { "stdout": "Cloning into 'x'...\n" },
            { "wait": "2s" },
            { "stderr": "base64:AAEC", "repeat": 3 },
            { "write": "/home/user/x/.git/HEAD", "content": "base64:cmVm", "mode": "0600" },
            { "read": "line" },
            { "stdout": "got {stdin}\n" },
            { "read": 5 },
            { "read": "end" },
            { "expect": "yes" },
        ],
        "exit": 128,
    });
    let built = Program::named("git")
        .called("git clone is slow")
        .args(["clone", "**"])
        .env("CI", "*")
        .cwd("/home/user/**")
        .user("user")
        .ignoring_sigterm()
        .stdout("Cloning into 'x'...\n")
        .wait(Duration::from_secs(2))
        .stderr_bytes(&[0, 1, 2][..])
        .repeated(3)
        .write_file("/home/user/x/.git/HEAD", "ref")
        .mode(0o600)
        .read_line()
        .stdout("got {stdin}\n")
        .read_bytes(5)
        .read_to_end()
        .expect_stdin("yes")
        .exit(128);
    assert_eq!(parse(&record), Ok(built));
    assert_eq!(as_json(&write(&parse(&record).unwrap())), record);
}

#[test]
fn the_real_one_is_a_flag_or_a_table() {
    let plain = serde_json::json!({ "name": "cat", "command": "cat", "run": true, "exit": 3 });
    assert_eq!(parse(&plain), Ok(Program::named("cat").run(RealRun::new().exit(3))));
    assert_eq!(as_json(&write(&parse(&plain).unwrap())), plain);
    let other = serde_json::json!({ "command": "cat", "run": {
        "args": ["-n"], "env": { "A": "b" }, "delay": "1s",
        "before": [{ "stderr": "w\n" }], "after": [{ "wait": "2s" }],
    } });
    let run = RealRun::new().args(["-n"]).env("A", "b").delay(Duration::from_secs(1)).stderr_before("w\n");
    assert_eq!(parse(&other), Ok(Program::named("cat").run(run.wait_after(Duration::from_secs(2)))));
}

#[test]
fn a_bad_record_is_told_what_was_expected_and_seen() {
    let problems: Vec<String> = [
        serde_json::json!("git"),
        serde_json::json!({ "exit": 1 }),
        serde_json::json!({ "command": 1.0_f32 as i64, "nope": 1 }),
        serde_json::json!({ "command": "a\\" }),
        serde_json::json!({ "command": "a", "args": ["b"], "command_line": "c" }),
        serde_json::json!({ "command": "a", "exit": 1, "hang": true }),
        serde_json::json!({ "command": "a", "exit": 256 }),
        serde_json::json!({ "command": "a", "signal": "SIGNOPE" }),
        serde_json::json!({ "command": "a", "env": "CI" }),
        serde_json::json!({ "command": "a", "steps": { "stdout": "x" } }),
        serde_json::json!({ "command": "a", "steps": [{ "repeat": 2 }] }),
        serde_json::json!({ "command": "a", "steps": [{ "stdout": "x", "wait": "1s" }] }),
        serde_json::json!({ "command": "a", "steps": [{ "stdout": "x", "mode": "0644" }] }),
        serde_json::json!({ "command": "a", "steps": [{ "stdout": "{stdout}" }] }),
        serde_json::json!({ "command": "a", "steps": [{ "stdout": "base64:?" }] }),
        serde_json::json!({ "command": "a", "steps": [{ "wait": 5 }] }),
        serde_json::json!({ "command": "a", "steps": [{ "read": "word" }] }),
        serde_json::json!({ "command": "a", "steps": [{ "write": "/x", "mode": "999" }] }),
        serde_json::json!({ "command": "a", "steps": [{ "write": "/x", "mode": 644 }] }),
        serde_json::json!({ "command": "a", "run": true, "steps": [] }),
        serde_json::json!({ "command": "a", "run": { "before": [{ "read": "line" }] } }),
        serde_json::json!({ "command": "a", "run": "yes" }),
        serde_json::json!({ "command": "a", "run": { "exit": 1 } }),
        serde_json::json!({ "command": "a", "hang": "yes" }),
    ]
    .iter()
    .map(|record| match parse(record) {
        Ok(program) => panic!("{record} was read: {program:?}"),
        Err(problem) => format!("{record}\n  {problem}"),
    })
    .collect();
    insta::assert_snapshot!(problems.join("\n"));
}

#[test]
fn a_problem_names_its_place() {
    let at = |value, at| Node { value, at };
    let key = |key: &str, key_at, node| crate::fault::node::Entry { key: key.to_owned(), key_at, node };
    let entries = vec![
        key("command", 2..9, at(Value::Text("a".to_owned()), 12..15)),
        key("exit", 17..21, at(Value::Text("much".to_owned()), 24..30)),
    ];
    let table = Table { entries, at: 0..32 };
    assert_eq!(read(&at(Value::Table(table.clone()), 0..32)).unwrap_err().at, 24..30);
    let mut unknown = table;
    unknown.entries[1].key = "exits".to_owned();
    assert_eq!(read(&at(Value::Table(unknown), 0..32)).unwrap_err().at, 17..21);
}

#[test]
fn the_schema_names_every_key() {
    let schema = schema();
    let properties = schema["properties"].as_object().unwrap();
    let mut keys: Vec<_> = properties.keys().map(String::as_str).collect();
    let mut known = KEYS.to_vec();
    keys.sort_unstable();
    known.sort_unstable();
    assert_eq!(keys, known);
}

fn content() -> impl Strategy<Value = Content> {
    prop_oneof![
        "[a-z {]{0,9}".prop_map(|text| Content::Text(Template::lenient(text.replace('{', "{{")))),
        proptest::collection::vec(any::<u8>(), 0..9).prop_map(|bytes| Content::Bytes(bytes.into())),
        Just(Content::Text(Template::lenient("{stdin} {args} {arg2} {env.A} {cwd}"))),
    ]
}

fn output() -> impl Strategy<Value = Step> {
    (any::<bool>(), content(), 0..9_u64).prop_map(|(out, content, repeat)| Step::Say {
        stream: if out { Stream::Out } else { Stream::Err },
        content,
        repeat,
    })
}

fn step() -> impl Strategy<Value = Step> {
    let read = prop_oneof![
        Just(Read::Line),
        Just(Read::ToEnd),
        any::<u64>().prop_map(Read::Bytes),
        proptest::collection::vec(any::<u8>(), 0..9).prop_map(Read::Expect),
    ];
    let mode = proptest::option::of(0..=0o7777_u32);
    prop_oneof![
        output(),
        (0..10_u64).prop_map(|ms| Step::Wait(Duration::from_millis(ms))),
        read.prop_map(Step::Read),
        (content(), mode).prop_map(|(content, mode)| Step::Write {
            path: Template::lenient("/tmp/{arg1}"),
            content,
            mode
        }),
    ]
}

fn finish() -> impl Strategy<Value = Finish> {
    let signal = proptest::sample::select(SIGNALS.map(|(_, number)| number).to_vec());
    prop_oneof![Just(Finish::Hang), (0..=255).prop_map(Finish::Exit), signal.prop_map(Finish::Signal)]
}

fn real() -> impl Strategy<Value = Act> {
    let args = proptest::option::of(proptest::collection::vec("[a-z]{0,3}", 0..3));
    let env = proptest::collection::btree_map("[A-Z]{1,3}", "[a-z]{0,3}", 0..3);
    let steps = || proptest::collection::vec(output(), 0..3);
    (args, env, 0..9_u64, steps(), steps(), proptest::option::of(finish())).prop_map(
        |(args, env, delay, before, after, finish)| {
            Act::Real(RealRun { args, env, delay: Duration::from_secs(delay), before, after, finish })
        },
    )
}

fn act() -> impl Strategy<Value = Act> {
    let steps = proptest::collection::vec(step(), 0..6);
    prop_oneof![(steps, finish()).prop_map(|(steps, finish)| Act::Script { steps, finish }), real()]
}

fn pattern() -> impl Strategy<Value = Glob> {
    "[a-z*?/ {]{0,6}".prop_map(Glob::lenient)
}

fn program() -> impl Strategy<Value = Program> {
    let args = prop_oneof![
        Just(Args::Any),
        proptest::collection::vec(pattern(), 0..3).prop_map(Args::Each),
        pattern().prop_map(Args::Line),
    ];
    let env = proptest::collection::btree_map("[A-Z]{1,3}", pattern(), 0..3);
    let one = || proptest::option::of(pattern());
    let when = (one(), args, env, one(), one()).prop_map(|(command, args, env, cwd, user)| ProgramWhen {
        command,
        args,
        env,
        cwd,
        user,
    });
    ("[a-z ]{1,9}", when, any::<bool>(), act()).prop_map(|(name, when, ignores_sigterm, act)| Program {
        name,
        when,
        ignores_sigterm,
        act,
    })
}

proptest! {
    #[test]
    fn what_is_written_reads_as_it_was(program in program()) {
        prop_assert_eq!(read(&write(&program).into()), Ok(program));
    }
}
