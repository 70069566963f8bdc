//! Strict runs, from Rust and as the command ends them.

use std::time::Duration;

use envd_mock::fault::Script;
use envd_mock::journal::Entry;
use envd_mock::{MockEnvd, Pace, Program, Strictness};
use rustix::process::Signal;

use crate::bare::{Ask, PATIENCE, Wire, ask, stream};
use crate::command::start;
use crate::faults::mock;

const ANY: [&str; 2] = ["--listen", "127.0.0.1:0"];

#[tokio::test]
async fn a_run_without_complaints_ends_with_0() {
    let flags = [&ANY[..], &["--strict", "--fault", "GET /health: status 503"]].concat();
    let running = start(&flags);
    assert_eq!(ask("GET /health").send(running.address()).await.status, 503);
    running.signal(Signal::TERM);
    assert_eq!(running.end(), (Some(0), String::new()));
}

#[tokio::test]
async fn what_was_never_used_or_known_is_listed_with_a_line_that_runs_it_again() {
    let flags = [&ANY[..], &["--strict", "--fault", "GET /health #9 name=late: status 503"]].concat();
    let running = start(&flags);
    ask("GET /health").send(running.address()).await;
    ask("GET /nowhere").send(running.address()).await;
    running.signal(Signal::TERM);
    let (code, told) = running.end();
    assert_eq!(code, Some(1));
    assert_eq!(
        told.lines().collect::<Vec<_>>(),
        [
            "envd-mock: a rule that never fired: late (GET /health #9 name=late: status 503)",
            "envd-mock: a request that no route knows: GET /nowhere",
            "envd-mock: run it again: envd-mock --listen 127.0.0.1:0 --strict --fault 'GET /health #9 name=late: \
             status 503' --seed 0",
        ]
    );
}

#[tokio::test]
async fn a_journal_is_written_and_replayed_by_the_command() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("run.jsonl");
    let journal = file.to_str().unwrap();
    let fault = ["--fault", "GET /health #2: status 503", "--fault", "GET /files #9: cut"];
    let running = start(&[&ANY[..], &fault, &["--strict", "--journal", journal]].concat());
    for _ in 0..3 {
        ask("GET /health").send(running.address()).await;
    }
    running.signal(Signal::TERM);
    let (code, told) = running.end();
    assert_eq!(
        (code, told.lines().last()),
        (Some(1), Some(&*format!("envd-mock: run it again: envd-mock replay {journal}")))
    );

    let running = start(&[&["replay", journal, "--strict"], &ANY[..]].concat());
    let mut seen = Vec::new();
    for _ in 0..3 {
        seen.push(ask("GET /health").send(running.address()).await.status);
    }
    assert_eq!(seen, [200, 503, 200]);
    running.signal(Signal::TERM);
    assert_eq!(running.end(), (Some(0), String::new()));

    std::fs::write(&file, "{}\n").unwrap();
    let (code, told) = crate::command::refused(&[&["replay", journal], &ANY[..]].concat());
    assert_eq!((code, told.lines().count()), (Some(2), 1), "{told}");
    assert!(told.starts_with(&format!("envd-mock: {journal}:1: expected the header of a journal")), "{told}");
    let (code, told) = crate::command::refused(&[&ANY[..], &["--journal", "/does/not/exist"]].concat());
    assert_eq!((code, told.lines().count()), (Some(2), 1), "{told}");
}

#[tokio::test]
async fn rust_asks_for_the_verdict() {
    let strict = MockEnvd::builder().strict(true).fault("GET /health: status 503".parse().unwrap());
    let mock = strict.start().await.unwrap();
    assert_eq!(mock.strict_report().dead_rules, ["GET /health: status 503"]);
    ask("GET /health").send(mock.addr()).await;
    assert!(mock.strict_report().is_clean());
    mock.finish().await.unwrap();

    let mock = mock_with_an_unknown_request().await;
    assert_eq!(mock.finish().await.unwrap_err().unknown, ["GET /nowhere"]);
    let lax = self::mock("GET /health: status 503").await;
    assert!(lax.strict_report().is_clean());
}

async fn mock_with_an_unknown_request() -> MockEnvd {
    let mock = MockEnvd::builder().strict(true).start().await.unwrap();
    ask("GET /nowhere").send(mock.addr()).await;
    mock
}

#[tokio::test]
async fn a_strict_mock_that_is_dropped_with_complaints_panics() {
    let mock = mock_with_an_unknown_request().await;
    let dropped = std::panic::catch_unwind(std::panic::AssertUnwindSafe(move || drop(mock)));
    let panic = dropped.unwrap_err();
    assert!(panic.downcast_ref::<String>().unwrap().contains("GET /nowhere"), "{panic:?}");
}

#[tokio::test]
async fn a_rule_that_was_taken_away_unused_is_complained_about() {
    let mock =
        MockEnvd::builder().strict(true).fault("GET /health: cut".parse().unwrap()).start().await.unwrap();
    mock.faults().remove("GET /health: cut");
    assert_eq!(mock.finish().await.unwrap_err().dead_rules, ["GET /health: cut"]);
}

#[tokio::test]
async fn a_stream_that_the_client_left_is_complained_about_where_that_is_asked_for() {
    for (strictness, complaints) in [(Strictness::On, 0), (Strictness::Abandoned, 1)] {
        let mock = MockEnvd::builder().strict(strictness).start().await.unwrap();
        let watch = crate::bare::stream("/filesystem.Filesystem/WatchDir", r#"{"path":"/tmp"}"#);
        let start = r#"{"process":{"cmd":"sleep","args":["600"]},"stdin":false}"#;
        let start = crate::bare::stream("/process.Process/Start", start);
        for call in [watch, start] {
            let mut wire = Wire::open(mock.addr()).await;
            wire.write(&call.bytes(mock.addr())).await;
            wire.until(|bytes| String::from_utf8_lossy(bytes).contains("start")).await;
        }
        mock.faults().settled_journal().await;
        let report = mock.finish().await.err().unwrap_or_default();
        assert_eq!(report.abandoned.len(), complaints, "{report:?}");
    }
}

#[tokio::test]
async fn a_program_that_never_ran_is_listed() {
    let directory = tempfile::tempdir().unwrap();
    let script = directory.path().join("programs.toml");
    std::fs::write(
        &script,
        "[[program]]\ncommand = \"git\"\n[[program]]\nname = \"the build\"\ncommand = \"make\"\n",
    )
    .unwrap();
    let script = script.to_str().unwrap();
    let running = start(&[&ANY[..], &["--programs-only", "--strict", "--script", script]].concat());
    start_call("git").send(running.address()).await;
    running.signal(Signal::TERM);
    let (code, told) = running.end();
    assert_eq!(
        (code, told.lines().next()),
        (Some(1), Some("envd-mock: a program that never ran: the build")),
        "{told}"
    );
}

#[tokio::test]
async fn a_program_that_was_replaced_unused_is_complained_about_and_one_that_stays_keeps_its_runs() {
    let programs = MockEnvd::builder().programs_only(true).strict(true).program(Program::named("git"));
    let mock = programs.start().await.unwrap();
    assert_eq!(mock.strict_report().idle_programs, ["git"]);
    start_call("git").send(mock.addr()).await;
    let script =
        |name: &str| Script::from_toml("test", &format!("[[program]]\ncommand = \"{name}\"\n")).unwrap();
    mock.faults().replace(script("make")).unwrap();
    mock.faults().replace(script("npm")).unwrap();
    start_call("npm").send(mock.addr()).await;
    assert_eq!(mock.finish().await.unwrap_err().idle_programs, ["make"]);
}

/// A `Start` of this command.
fn start_call(cmd: &str) -> Ask {
    let message = format!(r#"{{"process":{{"cmd":"{cmd}"}},"stdin":false}}"#);
    stream("/process.Process/Start", &message)
}

#[tokio::test]
async fn a_delay_that_nobody_sat_out_had_its_effect() {
    let cases = [
        ("GET /health: delay 1h", "the call ended in a delay of 3600s"),
        ("process.Process/Start: start-late 1h", "the call ended before a start 3600s late"),
        ("process.Process/Start down[2]: delay 1h", "the call ended in a delay of 3600s"),
    ];
    for (rule, what) in cases {
        for client_leaves in [true, false] {
            let builder = MockEnvd::builder().programs_only(true).clock(Pace::Manual);
            let builder = builder.strict(Strictness::Abandoned).fault(rule.parse().unwrap());
            let mock = builder.start().await.unwrap();
            let call = if rule.starts_with("GET") { ask("GET /health") } else { start_call("true") };
            let mut wire = Wire::open(mock.addr()).await;
            wire.write(&call.bytes(mock.addr())).await;
            delayed(&mock).await;
            let faults = mock.faults();
            if client_leaves {
                drop(wire);
                faults.settled_journal().await;
            }
            mock.finish().await.unwrap();
            assert_eq!(done(&faults.journal()), [what], "{rule}");
        }
    }
}

/// Waits until somebody sleeps for the hour.
async fn delayed(mock: &MockEnvd) {
    let due = async {
        while mock.clock().waited_for().await != Duration::from_secs(3600) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, due).await.unwrap();
}

fn done(journal: &[Entry]) -> Vec<&str> {
    let calls = journal.iter().filter_map(|entry| match entry {
        Entry::Call(call) => Some(call),
        _ => None,
    });
    calls.flat_map(|call| &call.done).map(|done| done.what.as_str()).collect()
}
