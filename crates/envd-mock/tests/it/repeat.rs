//! The same again: a script and a seed make the same journal, one client after the other, and the same set of decisions
//! when clients come at once; a journal replayed makes the same wire.

use std::time::Duration;

use envd_mock::fault::Script;
use envd_mock::{MockEnvd, Pace};
use serde_json::{Value, json};

use crate::bare::{Ask, ask, stream};
use crate::faults::everything;

/// Rules with every kind of draw: whether, how long, at which envelope, and for which connection.
const RULES: &str = "
    GET /health %0.5: status 503
    GET /envs %0.5: delay 1ms..9ms
    GET /memory/preload %0.7: delay lognormal(2ms,0.5)
    process.Process/Start down[*] %0.4: duplicate
    filesystem.Filesystem/Stat up[*] %0.5: delay 1ms..3ms
    POST /init %0.5 times=2: error unavailable
    connection %0.2: close
    connection %0.3 @200: reset
";
const RUNS: usize = 20;
const SEED: u64 = 42;

fn script() -> Script {
    Script::parse_expressions("test", RULES).unwrap().with_seed(SEED)
}

async fn mock() -> MockEnvd {
    MockEnvd::builder().script(script()).start().await.unwrap()
}

fn calls() -> Vec<Ask> {
    let start = json!({ "process": { "cmd": "echo", "args": ["hi"] }, "tag": "t", "stdin": false });
    let stat = json!({ "path": "/tmp" });
    let mut calls = Vec::new();
    for _ in 0..4 {
        calls.push(ask("GET /health"));
        calls.push(ask("GET /envs"));
        calls.push(ask("GET /memory/preload"));
        calls.push(ask("POST /init"));
        calls.push(stream("/process.Process/Start", &start.to_string()));
        calls.push(stream("/filesystem.Filesystem/Stat", &stat.to_string()));
    }
    calls
}

/// The journal of a client that calls in sequence.
async fn sequence(mock: &MockEnvd) -> Value {
    for call in calls() {
        everything(mock, &call).await;
    }
    masked(mock).await
}

/// The journal without pid, port and times.
async fn masked(mock: &MockEnvd) -> Value {
    mock.faults().settled_journal().await;
    closed(mock).await;
    let mut journal = serde_json::to_value(mock.faults().journal()).unwrap();
    mask(&mut journal);
    mask_broken(&mut journal);
    journal
}

/// How much of an answer was on its way when its connection was reset depends on the process behind it, not on the rules.
fn mask_broken(journal: &mut Value) {
    let entries = journal.as_array_mut().unwrap();
    let is_reset = |entry: &&Value| entry["entry"] == "connection" && entry["done"] != json!([]);
    let broken: Vec<Value> =
        entries.iter().filter(is_reset).map(|entry| entry["connection"].clone()).collect();
    for call in entries.iter_mut().filter(|entry| entry["entry"] == "call") {
        if broken.contains(&call["connection"]) {
            call.as_object_mut().unwrap().retain(|key, _| !["end", "sent", "done"].contains(&key.as_str()));
        }
    }
}

/// Waits until every connection has its end.
async fn closed(mock: &MockEnvd) {
    let all = async {
        while mock.faults().journal().iter().any(|entry| !entry.is_complete()) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(crate::bare::PATIENCE, all).await.expect("every connection ends");
}

fn mask(value: &mut Value) {
    match value {
        Value::Array(list) => {
            list.retain(|one| one.get(0).is_none_or(|name| name != "host"));
            list.iter_mut().for_each(mask);
        }
        Value::Object(object) => {
            object.retain(|key, _| !["peer", "pid", "at_ms", "head_ms", "took_ms"].contains(&key.as_str()));
            object.values_mut().for_each(mask);
        }
        _ => {}
    }
}

/// What was decided, whatever call it was decided for.
fn decisions(journal: &Value) -> Vec<String> {
    let entries = journal.as_array().unwrap().iter();
    let mut all: Vec<String> = entries
        .filter(|entry| entry["entry"] == "call")
        .flat_map(|entry| entry["decisions"].as_array().cloned().unwrap_or_default())
        .map(|decision| decision.to_string())
        .collect();
    all.sort();
    all
}

#[tokio::test]
async fn one_client_after_the_other_gives_the_same_journal_each_time() {
    println!("seed {SEED}");
    let first = sequence(&mock().await).await;
    let drawn = decisions(&first).join("\n");
    for kind in
        ["status 503", "delay 1ms..9ms", "lognormal(2ms", "duplicate", "delay 1ms..3ms", "unavailable"]
    {
        assert!(drawn.contains(kind), "{kind} was never drawn in\n{drawn}");
    }
    // Each with a mock of its own, so that they may go on at once.
    let runs: Vec<_> = (1..RUNS).map(|_| tokio::spawn(async { sequence(&mock().await).await })).collect();
    for (run, again) in (1..RUNS).zip(runs) {
        let again = again.await.unwrap();
        for (number, (one, other)) in
            first.as_array().unwrap().iter().zip(again.as_array().unwrap()).enumerate()
        {
            assert_eq!(one, other, "entry {number} of run {run}");
        }
        assert_eq!(first, again, "run {run}");
    }
}

#[tokio::test]
async fn clients_at_once_get_the_same_set_of_decisions() {
    println!("seed {SEED}");
    let rules = "GET /health %0.5: status 503\nGET /health %0.5: delay 1ms..9ms";
    let script = Script::parse_expressions("test", rules).unwrap().with_seed(SEED);
    let mut sets = Vec::new();
    for _ in 0..5 {
        let mock = MockEnvd::builder().script(script.clone()).start().await.unwrap();
        let address = mock.addr();
        let asked =
            (0..24).map(|_| tokio::spawn(async move { ask("GET /health").send(address).await.status }));
        for one in asked.collect::<Vec<_>>() {
            one.await.unwrap();
        }
        sets.push(decisions(&masked(&mock).await));
    }
    assert!(!sets[0].is_empty());
    assert!(sets.iter().all(|set| *set == sets[0]), "{sets:#?}");
}

#[tokio::test]
async fn a_name_fixes_the_coordinate_of_a_call() {
    println!("seed {SEED}");
    let rule = "GET /health %0.5: status 503";
    let script = Script::parse_expressions("test", rule).unwrap().with_seed(SEED);
    let names: Vec<String> = (0..16).map(|n| format!("worker-{n}")).collect();
    let mut runs = Vec::new();
    for backwards in [false, true, false] {
        let mock = MockEnvd::builder().script(script.clone()).start().await.unwrap();
        let mut statuses = Vec::new();
        let order: Vec<_> = if backwards { names.iter().rev().collect() } else { names.iter().collect() };
        for name in order {
            let answer = ask("GET /health").with("x-envd-call", name).send(mock.addr()).await;
            statuses.push((name.clone(), answer.status));
        }
        statuses.sort();
        runs.push(statuses);
    }
    assert_eq!((&runs[0], &runs[0]), (&runs[1], &runs[2]));
    assert!(runs[0].iter().any(|(_, status)| *status == 503), "{:?}", runs[0]);
    assert!(runs[0].iter().any(|(_, status)| *status == 200), "{:?}", runs[0]);
}

#[tokio::test]
async fn with_the_manual_clock_and_scripted_programs_journals_are_equal_byte_for_byte() {
    let program = "
        seed = 5
        [[call]]
        operation = \"process.Process/Start\"
        at = \"down[*]\"
        probability = 0.5
        fault = \"duplicate\"
        [[program]]
        command = \"build\"
        steps = [{ stdout = \"one\" }, { stdout = \"two\" }]
        exit = 3
    ";
    let script = Script::from_toml("test", program).unwrap();
    let run = async || {
        let builder = MockEnvd::builder().script(script.clone()).programs_only(true);
        let mock = builder.clock(Pace::Manual).start().await.unwrap();
        let start = json!({ "process": { "cmd": "build" }, "stdin": false }).to_string();
        for _ in 0..4 {
            let call = stream("/process.Process/Start", &start).with("host", "localhost");
            everything(&mock, &call).await;
            mock.clock().advance(Duration::from_secs(1)).unwrap();
        }
        mock.faults().settled_journal().await;
        closed(&mock).await;
        // The port of a client is the kernel's to choose.
        let lines = mock.faults().export().lines().map(str::to_owned).collect::<Vec<_>>();
        let lines = lines.into_iter().map(|line| {
            let mut value: Value = serde_json::from_str(&line).unwrap();
            value.as_object_mut().unwrap().remove("peer");
            value.to_string()
        });
        lines.collect::<Vec<_>>().join("\n")
    };
    let first = run().await;
    for _ in 1..RUNS {
        assert_eq!(first, run().await);
    }
}

/// What came back, dates apart.
async fn answers(mock: &MockEnvd) -> Vec<(String, Option<std::io::ErrorKind>)> {
    let mut all = Vec::new();
    for call in calls() {
        let (bytes, end) = everything(mock, &call).await;
        let text = String::from_utf8_lossy(&bytes);
        let lines = text.lines().filter(|line| !line.starts_with("date: "));
        all.push((lines.collect::<Vec<_>>().join("\n"), end));
    }
    all
}

/// What was really done, by call.
fn done(journal: &Value) -> Vec<String> {
    let entries = journal.as_array().unwrap().iter();
    entries.map(|entry| format!("{} {} {}", entry["operation"], entry["done"], entry["end"])).collect()
}

#[tokio::test]
async fn a_replay_does_again_what_was_done_without_the_rules() {
    println!("seed {SEED}");
    let recorded = mock().await;
    let seen = answers(&recorded).await;
    let was = done(&masked(&recorded).await);
    let replayed =
        MockEnvd::builder().replay("run.jsonl", &recorded.faults().export()).unwrap().start().await.unwrap();
    assert!(replayed.faults().script().calls.is_empty());
    assert_eq!(answers(&replayed).await, seen);
    assert_eq!(done(&masked(&replayed).await), was);
    assert!(
        replayed.faults().report().iter().all(|decision| !decision.dead),
        "{:#?}",
        replayed.faults().report()
    );
}
