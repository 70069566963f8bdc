//! The control port for faults: the script, the journal, verdicts, the clock and the levers, in plain HTTP.

use std::net::SocketAddr;
use std::time::Duration;

use envd_mock::fault::{Expect, Script};
use envd_mock::verify::Expectations;
use envd_mock::{MockEnvd, Pace};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::bare::{Answer, PATIENCE, Wire, ask, stream};
use crate::faults::mock;

fn port(mock: &MockEnvd) -> SocketAddr {
    mock.control_url().trim_start_matches("http://").parse().unwrap()
}

async fn get(mock: &MockEnvd, path: &str) -> Answer {
    ask(&format!("GET {path}")).send(port(mock)).await
}

/// Sends JSON.
async fn put(mock: &MockEnvd, line: &str, body: Value) -> Answer {
    let request = ask(line).with("content-type", "application/json").body(body.to_string());
    request.send(port(mock)).await
}

async fn health(mock: &MockEnvd) -> u16 {
    ask("GET /health").send(mock.addr()).await.status
}

async fn start(mock: &MockEnvd, tag: &str) -> Answer {
    let message = json!({ "process": { "cmd": "echo", "args": ["hi"] }, "tag": tag, "stdin": false });
    stream("/process.Process/Start", &message.to_string()).send(mock.addr()).await
}

#[tokio::test]
async fn a_script_is_read_and_replaced_in_json_toml_and_expressions() {
    let mock = mock("GET /health #1 name=first: status 503").await;
    let script = get(&mock, "/script").await.json();
    assert_eq!(script["call"][0]["name"], "first");
    let toml = ask("GET /script").with("accept", "application/toml").send(port(&mock)).await;
    let read = Script::from_toml("script", toml.text()).unwrap();
    assert_eq!(read.to_json(), script);

    let toml = "seed = 9\n[[call]]\noperation = \"GET /health\"\nfault = \"status 418\"\n";
    let request = ask("PUT /script").with("content-type", "application/toml").body(toml);
    assert_eq!(request.send(port(&mock)).await.status, 204);
    assert_eq!((health(&mock).await, mock.faults().script().seed), (418, 9));
    let request = ask("PUT /script").with("content-type", "text/plain").body("GET /health: status 502");
    assert_eq!(request.send(port(&mock)).await.status, 204);
    assert_eq!(health(&mock).await, 502);
    assert_eq!(put(&mock, "PUT /script", json!({})).await.status, 204);
    assert_eq!(health(&mock).await, 200);
}

#[tokio::test]
async fn a_bad_script_is_refused_with_its_place_and_changes_nothing() {
    let mock = mock("GET /health: status 503").await;
    let refused = put(&mock, "PUT /script", json!({ "call": [{ "fault": "explode" }] })).await;
    let error = refused.json();
    assert_eq!((refused.status, &error["pointer"]), (400, &json!("/call/0/fault")));
    assert!(error["message"].as_str().unwrap().contains("explode"), "{error}");
    let request = ask("PUT /script").with("content-type", "application/toml").body("[[call]]\nfault = 7\n");
    let error = request.send(port(&mock)).await.json();
    assert_eq!((&error["line"], &error["column"]), (&json!(2), &json!(9)));
    let request = ask("PUT /script").with("content-type", "text/html").body("x");
    assert_eq!(request.send(port(&mock)).await.status, 415);
    assert_eq!(health(&mock).await, 503);
}

#[tokio::test]
async fn rules_are_added_counted_and_taken_away() {
    let mock = MockEnvd::start().await.unwrap();
    let rule = json!({ "target": "call", "name": "a/b c", "operation": "GET /health", "nth": 2, "fault": "status 503" });
    let added = put(&mock, "POST /script/rules", rule.clone()).await;
    assert_eq!((added.status, added.json()), (201, json!({ "added": ["a/b c"] })));
    assert_eq!(put(&mock, "POST /script/rules", rule).await.status, 409);
    assert_eq!([health(&mock).await, health(&mock).await, health(&mock).await], [200, 503, 200]);
    let rules = get(&mock, "/script/rules").await.json();
    assert_eq!(rules[0]["counts"], json!({ "met": 3, "drawn": 0, "chosen": 1, "fired": 1 }));
    assert_eq!((&rules[0]["dead"], &rules[0]["in_force"]), (&json!(false), &json!(true)));
    let remove = async || ask("DELETE /script/rules/a%2Fb%20c").send(port(&mock)).await;
    assert_eq!((remove().await.status, remove().await.status), (204, 404));
    let text = ask("POST /script/rules").with("content-type", "text/plain");
    let added = text.body("GET /health: status 418\nconnection #99: stall").send(port(&mock)).await;
    assert_eq!(added.json()["added"], json!(["connection #99: stall", "GET /health: status 418"]));
    let wrong = put(&mock, "POST /script/rules", json!({ "target": "body", "fault": "cut" })).await;
    assert_eq!(wrong.status, 400);
    let wrong =
        put(&mock, "POST /script/rules", json!({ "target": "call", "fault": { "kind": "nope" } })).await;
    assert_eq!(wrong.json()["pointer"], "/fault/kind");
}

#[tokio::test]
async fn a_rule_with_a_time_to_live_reverts_by_itself() {
    let mock = MockEnvd::builder().clock(Pace::Manual).start().await.unwrap();
    let rule = json!({ "target": "call", "operation": "GET /health", "ttl": "30s", "fault": "status 503" });
    assert_eq!(put(&mock, "POST /script/rules", rule).await.status, 201);
    assert_eq!(health(&mock).await, 503);
    let advanced = put(&mock, "POST /clock/advance", json!({ "by": "30s" })).await;
    assert_eq!(advanced.json()["now"], "30s");
    assert_eq!(health(&mock).await, 200);
    assert_eq!(get(&mock, "/script/rules").await.json()[0]["in_force"], false);
}

#[tokio::test]
async fn the_journal_is_asked_by_operation_rule_and_end() {
    let mock = mock("GET /health #2 name=second: status 503").await;
    for _ in 0..3 {
        health(&mock).await;
    }
    start(&mock, "build").await;
    let all = get(&mock, "/journal?settle=5s").await.json();
    let next = all["next"].as_u64().unwrap();
    assert_eq!((all["entries"].as_array().unwrap().len() as u64, all["dropped"].as_u64()), (next, Some(0)));
    let of = async |query: &str| {
        let found = get(&mock, &format!("/journal?{query}")).await.json();
        found["entries"].as_array().unwrap().clone()
    };
    assert_eq!(of("operation=GET%20/health").await.len(), 3);
    let second = of("rule=second").await;
    assert_eq!(
        (second.len(), second[0]["status"].as_u64(), second[0]["call"].as_u64()),
        (1, Some(503), Some(2))
    );
    assert_eq!(of("connection=2").await.len(), 2);
    assert_eq!(of("call=3&limit=1").await[0]["call"], 3);
    assert_eq!(of("operation=process.Process/*&end=complete").await.len(), 1);
    assert!(of(&format!("since={next}")).await.is_empty());
    for query in ["operation=x", "sinse=1", "settle=soon"] {
        assert_eq!(get(&mock, &format!("/journal?{query}")).await.status, 400, "{query}");
    }
    assert_eq!(ask("DELETE /journal").send(port(&mock)).await.status, 204);
    assert!(of("").await.is_empty());
}

#[tokio::test]
async fn a_call_is_entered_with_what_its_message_names() {
    let mock = MockEnvd::start().await.unwrap();
    start(&mock, "build").await;
    let path = json!({ "path": "/home/user" }).to_string();
    crate::bare::unary("/filesystem.Filesystem/Stat", &path).send(mock.addr()).await;
    ask("GET /files?path=/etc/passwd").send(mock.addr()).await;
    let calls = get(&mock, "/journal?operation=*&settle=5s").await.json()["entries"].clone();
    assert_eq!((&calls[0]["tag"], &calls[0]["command"]), (&json!("build"), &json!("echo hi")));
    assert!(calls[0]["pid"].as_u64().is_some_and(|pid| pid > 0), "{calls}");
    assert_eq!((&calls[1]["path"], &calls[2]["path"]), (&json!("/home/user"), &json!("/etc/passwd")));
}

#[tokio::test]
async fn a_pid_is_entered_as_the_process_that_it_is() {
    let mock = mock("process.Process/SendSignal tag=long: error unavailable").await;
    let message = json!({ "process": { "cmd": "sleep", "args": ["600"] }, "tag": "long", "stdin": false });
    let mut wire = Wire::open(mock.addr()).await;
    wire.write(&stream("/process.Process/Start", &message.to_string()).bytes(mock.addr())).await;
    wire.until(|bytes| String::from_utf8_lossy(bytes).contains("start")).await;
    let pid = mock.guest().processes()[0].pid;
    let select = json!({ "process": { "pid": pid }, "signal": "SIGNAL_SIGTERM" }).to_string();
    let refused = crate::bare::unary("/process.Process/SendSignal", &select).send(mock.addr()).await;
    assert_eq!(refused.status, 503);
    let select = json!({ "process": { "tag": "long" } }).to_string();
    crate::bare::unary("/process.Process/CloseStdin", &select).send(mock.addr()).await;
    let found = get(&mock, "/journal?operation=process.Process/*").await.json()["entries"].clone();
    for call in [&found[1], &found[2]] {
        assert_eq!(
            (&call["tag"], &call["command"], &call["pid"]),
            (&json!("long"), &json!("sleep 600"), &json!(pid))
        );
    }
}

#[tokio::test]
async fn the_stream_gives_each_entry_once_it_is_complete() {
    let mock = MockEnvd::builder().clock(Pace::Manual).start().await.unwrap();
    let mut wire = Wire::open(port(&mock)).await;
    wire.write(&ask("GET /journal/stream").bytes(port(&mock))).await;
    let slow = Script::parse_expressions("test", "GET /envs: delay 1h").unwrap();
    mock.faults().add(slow).unwrap();
    let address = mock.addr();
    let late = tokio::spawn(async move { ask("GET /envs").send(address).await.status });
    mock.clock().waited_for().await;
    health(&mock).await;
    let has = |bytes: &[u8], what: &str| String::from_utf8_lossy(bytes).contains(what);
    let seen = wire.until(|bytes| has(bytes, "GET /health")).await;
    assert!(!has(seen, "GET /envs"), "{}", String::from_utf8_lossy(seen));
    mock.clock().advance(Duration::from_secs(3600)).unwrap();
    assert_eq!(late.await.unwrap(), 200);
    wire.until(|bytes| has(bytes, "GET /envs")).await;
    mock.stop().await;
    assert!(wire.ends().await);
}

#[tokio::test]
async fn the_export_has_a_header_and_a_line_for_each_entry() {
    let mock = mock("GET /health %0.5 name=half: status 503").await;
    health(&mock).await;
    let export = get(&mock, "/journal/export").await;
    assert_eq!(export.header("content-type"), Some("application/jsonl"));
    let lines: Vec<Value> = export.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((&lines[0]["format_version"], &lines[0]["dropped"]), (&json!(1), &json!(0)));
    assert_eq!(lines[0]["script"]["call"][0]["name"], "half");
    assert!(lines[1..].iter().any(|line| line["operation"] == "GET /health"));
}

#[tokio::test]
async fn what_has_happened_is_verified_and_a_failure_shows_the_nearest_misses() {
    let mock = mock("GET /health #1 name=once: status 503").await;
    health(&mock).await;
    start(&mock, "build").await;
    let expected = json!([
        { "operation": "GET /health", "status": 503, "rule": "once" },
        { "operation": "process.Process/Start", "tag": "b*", "times": 1 },
    ]);
    let body = json!({ "expect": expected, "in_order": true, "nothing_else": true, "settle": "5s" });
    assert_eq!(put(&mock, "POST /verify", body).await.json(), json!({ "ok": true, "failures": [] }));
    let failed =
        put(&mock, "POST /verify", json!([{ "operation": "process.Process/Start", "tag": "test" }])).await;
    let verdict = failed.json();
    assert_eq!(
        (failed.status, &verdict["ok"], &verdict["failures"][0]["seen"]),
        (200, &json!(false), &json!("none"))
    );
    assert_eq!(verdict["failures"][0]["nearest"][0]["why"], r#"tag is "build", not test"#);
    for body in [json!([{ "operation": "GET files" }]), json!({ "expects": [] }), json!(7)] {
        assert_eq!(put(&mock, "POST /verify", body.clone()).await.status, 400, "{body}");
    }
    let start = || Expect::call("process.Process/Start");
    mock.faults().verify(start().tag("build").times(1)).unwrap();
    mock.faults().verify(Expectations::all([Expect::call("GET /health"), start()]).in_order()).unwrap();
    let failure = mock.faults().verify(start().command("ls*")).unwrap_err().to_string();
    assert!(failure.contains(r#"command is "echo hi", not ls*"#), "{failure}");
}

#[tokio::test]
async fn coverage_tells_never_armed_armed_and_fired() {
    let mock =
        mock("GET /health name=s: status 503\nGET /files name=c: cut\nconnection #9 name=st: stall").await;
    health(&mock).await;
    ask("GET /nowhere").send(mock.addr()).await;
    let coverage = get(&mock, "/coverage").await.json();
    let cell = |operation: &str, kind: &str| coverage["operations"][operation][kind].clone();
    assert_eq!(cell("GET /health", "status"), "fired");
    assert_eq!(cell("GET /files", "cut"), "armed");
    assert_eq!(cell("GET /files", "reset"), "never_armed");
    assert_eq!(cell("connection", "stall"), "armed");
    assert_eq!(
        (&coverage["dead_rules"], &coverage["unknown"]),
        (&json!(["st", "c"]), &json!(["GET /nowhere"]))
    );
    let table = ask("GET /coverage").with("accept", "text/plain").send(port(&mock)).await;
    assert!(table.text().contains("never fired: c"), "{}", table.text());
}

#[tokio::test]
async fn a_reset_brings_back_the_start() {
    let mock = mock("GET /health #1: status 503").await;
    assert_eq!([health(&mock).await, health(&mock).await], [503, 200]);
    put(&mock, "PUT /script", json!({})).await;
    assert_eq!(ask("POST /reset").send(port(&mock)).await.status, 204);
    assert_eq!(get(&mock, "/journal").await.json()["entries"], json!([]));
    assert_eq!([health(&mock).await, health(&mock).await], [503, 200]);
    assert_eq!(get(&mock, "/journal?call=2").await.json()["entries"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_manual_clock_is_moved_to_its_next_sleeper() {
    let script = Script::parse_expressions("test", "GET /health: delay 15m").unwrap();
    let mock = MockEnvd::builder().script(script).clock(Pace::Manual).start().await.unwrap();
    let none = put(&mock, "POST /clock/advance", json!({ "to": "next" })).await;
    assert_eq!(none.status, 409);
    let address = mock.addr();
    let asked = tokio::spawn(async move { ask("GET /health").send(address).await.status });
    let moved = put(&mock, "POST /clock/advance", json!({ "to": "next", "wait": "10s" })).await.json();
    assert_eq!((&moved["now"], &moved["pace"]), (&json!("15m"), &json!("manual")));
    assert_eq!(asked.await.unwrap(), 200);
    assert_eq!(get(&mock, "/clock").await.json()["now_ms"], 900_000.0);
    assert_eq!(put(&mock, "POST /clock/advance", json!({})).await.status, 400);
    let real = MockEnvd::start().await.unwrap();
    assert_eq!(put(&real, "POST /clock/advance", json!({ "by": "1s" })).await.status, 409);
    assert_eq!(get(&real, "/clock").await.json()["pace"], "real");
}

#[tokio::test]
async fn the_guests_own_clock_is_stepped() {
    let mock = MockEnvd::start().await.unwrap();
    let stepped = put(&mock, "POST /guest/clock", json!({ "time": "2031-05-06T07:08:09Z" })).await;
    assert_eq!(stepped.status, 204);
    let date = ask("GET /health").send(mock.addr()).await;
    assert!(date.header("date").unwrap().starts_with("Tue, 06 May 2031 07:08:"), "{date:?}");
    assert_eq!(put(&mock, "POST /guest/clock", json!({ "time": "noon" })).await.status, 400);
}

/// Waits until a whole answer comes back; the listener may be on its way out meanwhile.
async fn answers_again(mock: &MockEnvd) {
    let request = ask("GET /health").bytes(mock.addr());
    let again = tokio::time::timeout(PATIENCE, async {
        loop {
            let mut seen = Vec::new();
            if let Ok(mut socket) = TcpStream::connect(mock.addr()).await
                && socket.write_all(&request).await.is_ok()
                && socket.read_to_end(&mut seen).await.is_ok()
                && seen.starts_with(b"HTTP/1.1 200 ")
            {
                return;
            }
            tokio::task::yield_now().await;
        }
    });
    again.await.expect("an answer");
}

#[tokio::test]
async fn connections_are_reset_and_refused_by_levers() {
    let mock = MockEnvd::start().await.unwrap();
    let mut idle = Wire::open(mock.addr()).await;
    idle.write(&ask("GET /health").with("connection", "keep-alive").bytes(mock.addr())).await;
    assert_eq!(idle.answer(false).await.status, 200);
    assert_eq!(ask("POST /connections/reset").send(port(&mock)).await.status, 204);
    assert_eq!(idle.rest_after(b"").await.1, Some(std::io::ErrorKind::ConnectionReset));

    assert_eq!(put(&mock, "POST /connections/refuse", json!({})).await.status, 204);
    let refused = TcpStream::connect(mock.addr()).await.unwrap_err();
    assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
    let again = async || ask("DELETE /connections/refuse").send(port(&mock)).await;
    assert_eq!((again().await.status, again().await.status), (204, 404));
    answers_again(&mock).await;
    assert_eq!(put(&mock, "POST /connections/refuse", json!({ "for": "5ms" })).await.status, 204);
    answers_again(&mock).await;
    assert_eq!(
        put(&mock, "POST /guest/crash", json!({ "down": "5ms", "processes": "keep" })).await.status,
        204
    );
    answers_again(&mock).await;
    assert_eq!(put(&mock, "POST /guest/crash", json!({ "processes": "some" })).await.status, 400);
}

#[tokio::test]
async fn totals_are_there_for_prometheus() {
    let mock = mock("GET /health #1 name=once: status 503").await;
    health(&mock).await;
    ask("GET /nowhere").send(mock.addr()).await;
    mock.faults().settled_journal().await;
    let text = get(&mock, "/metrics").await;
    assert!(text.header("content-type").unwrap().starts_with("text/plain; version=0.0.4"));
    for line in [
        r#"envd_mock_calls_total{operation="GET /health",end="complete"} 1"#,
        r#"envd_mock_calls_total{operation="(unknown)",end="complete"} 1"#,
        r#"envd_mock_faults_total{rule="once",kind="status"} 1"#,
        "envd_mock_unknown_requests_total 1",
        "envd_mock_connections_total 2",
    ] {
        assert!(text.text().lines().any(|one| one == line), "{line} in\n{}", text.text());
    }
}

#[tokio::test]
async fn every_documented_operation_answers_as_documented() {
    let mock = MockEnvd::builder().clock(Pace::Manual).start().await.unwrap();
    mock.guest().write_file("/home/user/a.txt", "hello").unwrap();
    let document = get(&mock, "/openapi.json").await.json();
    assert_eq!(document["openapi"], "3.1.0");
    for (path, item) in document["paths"].as_object().unwrap() {
        for method in ["get", "put", "post", "delete", "patch"] {
            let operation = &item[method];
            if path == "/journal/stream" && method == "get" {
                continue;
            }
            let answer = example(path, method, operation).send(port(&mock)).await;
            let status = answer.status.to_string();
            let documented = if operation.is_null() {
                status == "405"
            } else {
                !operation["responses"][&status].is_null()
            };
            assert!(documented, "{method} {path}: {status} {}", String::from_utf8_lossy(&answer.body));
        }
    }
}

/// A request as the document shows it.
fn example(path: &str, method: &str, operation: &Value) -> crate::bare::Ask {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let (mut target, mut query) = (path.to_owned(), Vec::new());
    for parameter in operation["parameters"].as_array().into_iter().flatten() {
        let (name, example) = (parameter["name"].as_str().unwrap(), &parameter["example"]);
        match parameter["in"].as_str() {
            Some("path") => target = target.replace(&format!("{{{name}}}"), &text(example)),
            _ if example.is_null() => {}
            _ => query.push(format!("{name}={}", text(example).replace(' ', "%20"))),
        }
    }
    let query = if query.is_empty() { String::new() } else { format!("?{}", query.join("&")) };
    let request = ask(&format!("{} {target}{query}", method.to_uppercase()));
    let content = operation["requestBody"]["content"].as_object().and_then(|content| content.iter().next());
    match content {
        Some((kind, media)) => request.with("content-type", kind).body(text(&media["example"])),
        None => request,
    }
}

#[tokio::test]
async fn the_control_port_is_never_faulted() {
    let mock = mock("*: reset\nconnection: reset").await;
    assert_eq!(get(&mock, "/script").await.status, 200);
    let foreign = ask("GET /script").with("host", "evil.example").send(port(&mock)).await;
    assert_eq!(foreign.status, 403);
}
