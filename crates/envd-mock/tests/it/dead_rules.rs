//! Rules that can never act, and other faults that used to be ignored in silence.

use std::net::SocketAddr;

use envd_mock::fault::Script;
use envd_mock::{Generation, MockEnvd, Proxy, ScriptRefused, Strictness};
use rustix::process::Signal;
use serde_json::json;

use crate::bare::ask;
use crate::command::{refused, start, validated};
use crate::faults::mock;

/// A rule, the column of what is to blame, and a part of the message. Kinds: an unknown operation, one of another
/// generation, a position, a fault or a condition without meaning for the operation, and conditions that exclude each other.
const DEAD: [(&str, usize, &str); 17] = [
    ("GET /healt: reset", 1, "(did you mean \"GET /health\"?)"),
    ("process.Process/Strat: abort", 1, "(did you mean \"process.Process/Start\"?)"),
    ("PUT /files: status 503", 1, "which generation 3 has"),
    ("GET /process.Process/List: hang", 1, "operation of generation 2"),
    ("/nowhere/**: hang", 1, "operation of generation 2"),
    ("GET /health: kill", 14, "(did you mean \"process.Process/Start\"?)"),
    ("process.Process/Connect: spawn-fails", 26, "starts no process"),
    ("GET /health stdout@4: abort", 13, "has no output of a process"),
    ("HEAD /files @3: cut", 13, "has no body in its answer"),
    ("POST /init: slow 1KiB/s", 13, "has no body in its answer"),
    ("GET /files down[2]: reset", 12, "has no envelopes"),
    ("GET /files: stop-reading", 13, "has no request body"),
    ("POST /files up[2]: reset", 13, "has no envelopes"),
    ("process.Process/List tag=build: hang", 26, "names no process"),
    ("filesystem.Filesystem/RemoveWatcher path=/tmp/**: hang", 42, "names no path"),
    ("GET /files: disk-full", 13, "(did you mean \"POST /files\"?)"),
    ("GET /health #2 every=3: hang", 14, "multiple of every"),
];

const ALIVE: [&str; 12] = [
    "PUT /files generation=3: status 503",
    "/files: disk-full",
    "*: kill",
    "* stdout@4: abort",
    "GET /healt*: reset",
    "OPTIONS /files: status 500",
    "HEAD /files: status 500",
    "process.Process/List down[1]: drop",
    "process.Process/* tag=build: hang",
    "POST /snapshot/prepare up@0: stop-reading",
    "GET /health #3 every=3: hang",
    "connection #3: stall",
];

fn control(mock: &MockEnvd) -> SocketAddr {
    mock.control_url().trim_start_matches("http://").parse().unwrap()
}

fn script(rules: &str) -> Script {
    Script::parse_expressions("test", rules).unwrap()
}

#[tokio::test]
async fn a_rule_that_can_never_act_is_refused_over_the_control_port_with_its_place() {
    let mock = MockEnvd::builder().programs_only(true).start().await.unwrap();
    for line in ["PUT /script", "POST /script/rules"] {
        for (rule, column, part) in DEAD {
            let text = format!("GET /envs name=\"{line} {rule}\": status 503\n{rule}");
            let request = |line: &str| ask(line).with("content-type", "text/plain").body(text.clone());
            let answer = request(line).send(control(&mock)).await;
            assert_eq!(answer.status, 400, "{line} {rule}");
            let told = answer.json();
            assert_eq!(
                (told["line"].as_u64(), told["column"].as_u64()),
                (Some(2), Some(column as u64)),
                "{told}"
            );
            let message = told["message"].as_str().unwrap();
            assert!(message.contains(part) && message.contains("--allow-dead-rules"), "{message}");
            let allowed = request(&format!("{line}?allow_dead_rules=true")).send(control(&mock)).await;
            assert!([201, 204].contains(&allowed.status), "{line} {rule}: {}", allowed.text());
            mock.faults().reset();
        }
    }
    let record = json!({ "call": [{ "operation": "GET /health", "tag": "build", "fault": "hang" }] });
    let request = ask("PUT /script").with("content-type", "application/json").body(record.to_string());
    let answer = request.send(control(&mock)).await;
    assert_eq!((answer.status, answer.json()["pointer"].as_str()), (400, Some("/call/0/tag")));
    let request = ask("PUT /script").with("content-type", "text/plain").body(ALIVE.join("\n"));
    let answer = request.send(control(&mock)).await;
    assert_eq!(answer.status, 204, "{:?}", answer.body);
}

#[tokio::test]
async fn a_rule_that_can_never_act_is_refused_in_rust() {
    let mock = MockEnvd::builder().programs_only(true).start().await.unwrap();
    for (rule, _, part) in DEAD {
        let built = MockEnvd::builder().programs_only(true).script(script(rule)).start().await;
        let error = built.expect_err(rule).to_string();
        assert!(error.starts_with("rule \"") && error.contains(part), "{error}");
        for refused in [mock.faults().add(script(rule)), mock.faults().replace(script(rule))] {
            assert!(matches!(refused, Err(ScriptRefused::Dead(_))), "{rule}: {refused:?}");
        }
        assert!(mock.faults().allow_dead_rules().replace(script(rule)).is_ok(), "{rule}");
    }
    mock.faults().replace(script(&ALIVE.join("\n"))).unwrap();
    let allowed = MockEnvd::builder().programs_only(true).allow_dead_rules(true);
    assert!(allowed.script(script(DEAD[0].0)).start().await.is_ok());
}

#[tokio::test]
async fn a_rule_of_another_generation_is_alive_there_alone() {
    for (rule, generation, alive) in [
        ("PUT /files: status 503", Generation::Three, true),
        ("POST /files: status 503", Generation::Three, false),
        ("GET /activity: status 503", Generation::One, false),
        ("GET /activity generation=2: status 503", Generation::One, true),
        ("GET /activity generation=1: status 503", Generation::Two, false),
    ] {
        let builder = MockEnvd::builder().programs_only(true).generation(generation).script(script(rule));
        assert_eq!(builder.start().await.is_ok(), alive, "{rule} in {generation}");
    }
}

#[tokio::test]
async fn in_front_of_an_upstream_a_rule_may_be_about_anything() {
    let mock = MockEnvd::builder().programs_only(true).start().await.unwrap();
    let proxy =
        Proxy::to(&mock.url()).unwrap().script(script("GET /healt: status 503")).start().await.unwrap();
    assert_eq!(ask("GET /healt").send(proxy.addr()).await.status, 503);
    proxy.faults().add(script("PUT /nowhere: status 501")).unwrap();
}

#[tokio::test]
async fn a_fault_that_its_own_call_cannot_have_is_refused() {
    let builder = MockEnvd::builder().programs_only(true).faults_from_header(true);
    let mock = builder.start().await.unwrap();
    for (line, fault) in [
        ("GET /health", "kill"),
        ("GET /health", "stdout@4: abort"),
        ("GET /health", "tag=x: hang"),
        ("POST /snapshot/prepare", "cut"),
        ("HEAD /health", "@3: cut"),
        ("GET /files?path=/etc/passwd", "down[2]: reset"),
        ("GET /health", "GET /healt: reset"),
    ] {
        let answer = ask(line).with("x-envd-fault", fault).send(mock.addr()).await;
        assert_eq!(answer.status, 400, "{line} {fault}");
    }
    assert_eq!(ask("GET /health").with("x-envd-fault", "status 503").send(mock.addr()).await.status, 503);
}

#[tokio::test]
async fn a_header_that_is_not_honored_fails_a_strict_run() {
    let mock = MockEnvd::builder().programs_only(true).strict(Strictness::On).start().await.unwrap();
    for _ in 0..3 {
        assert_eq!(ask("GET /health").with("x-envd-fault", "status 503").send(mock.addr()).await.status, 200);
    }
    let answer = ask("GET /strict").send(control(&mock)).await.json();
    assert_eq!(answer["ignored_headers"], json!(["GET /health"]));
    let report = mock.finish().await.unwrap_err();
    assert_eq!(report.to_string(), "X-Envd-Fault without --faults-from-header: GET /health");
}

#[tokio::test]
async fn the_command_warns_once_of_a_header_that_is_not_honored_and_fails() {
    let running = start(&["--listen", "127.0.0.1:0", "--programs-only", "--strict"]);
    for _ in 0..3 {
        ask("GET /health").with("x-envd-fault", "status 503").send(running.address()).await;
    }
    running.signal(Signal::TERM);
    let (code, text) = running.end();
    assert_eq!(code, Some(1), "{text}");
    assert_eq!(text.matches("is ignored").count(), 1, "{text}");
    assert!(text.contains("X-Envd-Fault without --faults-from-header: GET /health"), "{text}");
}

#[test]
fn the_command_refuses_a_rule_that_can_never_act_in_every_form() {
    let directory = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let file = directory.path().join(name);
        std::fs::write(&file, text).unwrap();
        file.to_str().unwrap().to_owned()
    };
    let toml = file("a.toml", "[[call]]\noperation = \"GET /health\"\nat = \"down[2]\"\nfault = \"reset\"\n");
    let json = file("a.json", "{\"call\":[{\"operation\":\"GET /healt\",\"fault\":\"hang\"}]}");
    let text = file("a.txt", "GET /envs: hang\nGET /health: kill\n");
    for (flags, place) in [
        (["--fault", "GET /health: kill"], "--fault:1:14: expected ".to_owned()),
        (["--script", &toml], format!("{toml}:3:6: expected ")),
        (["--script", &json], format!("{json}: JSON /call/0/operation: expected ")),
        (["--script", &text], format!("{text}:2:14: expected ")),
    ] {
        let flags = [&["--listen", "127.0.0.1:0", "--programs-only"][..], &flags].concat();
        let (code, line) = refused(&flags);
        assert_eq!(code, Some(2), "{line}");
        assert!(line.starts_with(&format!("envd-mock: {place}")), "{line}");
    }
}

#[test]
fn validate_tells_every_problem_with_its_place_and_starts_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let file = directory.path().join(name);
        std::fs::write(&file, text).unwrap();
        file.to_str().unwrap().to_owned()
    };
    let toml = file(
        "bad.toml",
        "[[call]]\noperation = \"GET /healt\"\nfault = \"hang\"\n\n[[call]]\noperation = \"GET /files\"\nfault = \"bang\"\n\n\
         [[connection]]\nfault = \"banana\"\n",
    );
    let text = file("bad.txt", "GET /health: bang\nGET /files: cut\nGET /health kill\nGET /health: kill\n");
    let json =
        file("bad.json", "{\"call\":[{\"fault\":\"bang\"},{\"operation\":\"GET /x\",\"fault\":\"hang\"}]}");
    let broken = file("broken.json", "{\"call\":\n[}");
    let twice = file("twice.txt", "GET /envs name=a: hang\nGET /health name=a: hang\n");
    let good = file("good.txt", "GET /health: hang\n");
    let (code, told) = validated(&[&toml, &text, &json, &broken, &twice, &good, "incident:daemon-crash"]);
    assert_eq!(code, Some(2), "{told}");
    for place in [
        format!("{toml}:2:13: expected "),
        format!("{toml}:7:10: expected "),
        format!("{toml}:10:10: expected "),
        format!("{text}:1:14: expected "),
        format!("{text}:3:"),
        format!("{text}:4:14: expected "),
        format!("{json}: JSON /call/0/fault"),
        format!("{json}: JSON /call/1/operation"),
        format!("{broken}:2:2: expected JSON"),
        format!("{twice}:2:"),
        format!("{good}: ok"),
        "incident:daemon-crash: ok".to_owned(),
    ] {
        assert!(told.lines().any(|line| line.starts_with(&place)), "{place} in {told}");
    }
    assert_eq!(validated(&[&good, "--generation", "3"]), (Some(0), format!("{good}: ok\n")));
    let put = file("put.txt", "PUT /files: status 503\n");
    assert_eq!((validated(&[&put]).0, validated(&[&put, "--generation", "3"]).0), (Some(2), Some(0)));
    assert_eq!(validated(&[&put, "--allow-dead-rules"]).0, Some(0));
    assert_eq!(validated(&["/does/not/exist.toml"]).0, Some(2));
}

/// Kind: something that a foreign page can use up or set off, though it is refused.
#[tokio::test]
async fn a_foreign_origin_neither_counts_for_a_rule_nor_sets_one_off() {
    let mock = mock("GET /health #1: status 503 ; POST /snapshot/prepare: crash").await;
    for (name, value) in [("host", "evil.example"), ("origin", "https://evil.example")] {
        for line in ["GET /health", "POST /snapshot/prepare"] {
            let answer = ask(line).with(name, value).send(mock.addr()).await;
            assert_eq!(answer.status, 403, "{line} {name}");
        }
    }
    let met: Vec<u64> = mock.faults().report().iter().map(|rule| rule.counts.met).collect();
    assert_eq!(met, [0, 0]);
    assert_eq!(ask("GET /health").send(mock.addr()).await.status, 503);
}
