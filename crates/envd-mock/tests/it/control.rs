//! The control port.

use std::net::SocketAddr;
use std::time::Duration;

use envd_mock::{MockEnvd, Pace, Program, RealRun};
use serde_json::{Value, json};

use crate::bare::{Wire, ask, stream};

fn port(mock: &MockEnvd) -> SocketAddr {
    mock.control_url().trim_start_matches("http://").parse().unwrap()
}

#[tokio::test]
async fn the_guest_is_described() {
    let mock = MockEnvd::builder().guest_version("9.9").start().await.unwrap();
    let guest = ask("GET /guest").send(port(&mock)).await.json();
    assert_eq!(guest["url"], mock.url());
    assert_eq!((guest["generation"].as_u64(), guest["version"].as_str()), (Some(2), Some("9.9")));
    assert_eq!(guest["root"].as_str(), mock.guest().root().to_str());
    let users = guest["users"].as_array().unwrap();
    assert!(users.contains(&"root".into()) && users.contains(&"user".into()), "{users:?}");
}

#[tokio::test]
async fn files_are_put_read_and_removed() {
    let mock = MockEnvd::start().await.unwrap();
    let at = |method: &str, path: &str| ask(&format!("{method} /guest/files?path={path}"));
    assert_eq!(at("PUT", "/home/user/new/a.txt").body("hello").send(port(&mock)).await.status, 204);
    assert_eq!(mock.guest().read_file("/home/user/new/a.txt").unwrap(), b"hello");
    assert_eq!(at("GET", "/home/user/new/a.txt").send(port(&mock)).await.text(), "hello");
    assert_eq!(at("DELETE", "/home/user/new").send(port(&mock)).await.status, 204);
    assert!(!mock.guest().exists("/home/user/new"));
    for method in ["GET", "DELETE"] {
        let answer = at(method, "/home/user/new/a.txt").send(port(&mock)).await;
        assert_eq!((answer.status, answer.json()["code"].as_u64()), (404, Some(404)), "{method}");
    }
    let relative = at("PUT", "a.txt").body("x").send(port(&mock)).await;
    assert_eq!(relative.json()["message"], r#"a.txt: expected an absolute path, got "a.txt""#);
}

#[tokio::test]
async fn processes_are_listed() {
    let mock = MockEnvd::start().await.unwrap();
    let none = ask("GET /guest/processes").send(port(&mock)).await;
    assert_eq!(none.text(), "[]");
    let call = stream(
        "/process.Process/Start",
        r#"{"process":{"cmd":"sleep","args":["600"],"cwd":"/tmp"},"tag":"t"}"#,
    );
    let mut wire = Wire::open(mock.addr()).await;
    wire.write(&call.bytes(mock.addr())).await;
    wire.until(|bytes| String::from_utf8_lossy(bytes).contains("start")).await;
    let one = ask("GET /guest/processes").send(port(&mock)).await.json();
    assert_eq!(
        (one[0]["cmd"].as_str(), one[0]["args"][0].as_str(), one[0]["cwd"].as_str(), one[0]["tag"].as_str()),
        (Some("sleep"), Some("600"), Some("/tmp"), Some("t"))
    );
}

#[tokio::test]
async fn the_runs_of_programs_are_told() {
    let git = Program::named("git").called("a clone").arg("clone").arg("*").exit(3);
    let builder = MockEnvd::builder().programs_only(true).clock(Pace::Manual).program(git);
    let mock = builder.program(Program::named("sleep").hang()).start().await.unwrap();
    let start = |json: &str| stream("/process.Process/Start", json);
    start(r#"{"process":{"cmd":"git","args":["clone","x"],"cwd":"/tmp"},"tag":"t"}"#).send(mock.addr()).await;
    mock.clock().advance(Duration::from_millis(1500)).unwrap();
    let mut wire = Wire::open(mock.addr()).await;
    wire.write(&start(r#"{"process":{"cmd":"/bin/sleep"}}"#).bytes(mock.addr())).await;
    wire.until(|bytes| String::from_utf8_lossy(bytes).contains("start")).await;
    let told = ask("GET /guest/programs").send(port(&mock)).await.json();
    let expected = json!({
        "programs": [{ "name": "a clone", "runs": 1 }, { "name": "sleep", "runs": 1 }],
        "runs": [
            {
                "program": "a clone", "pid": 1, "cmd": "git", "args": ["clone", "x"], "cwd": "/tmp", "user": "root",
                "tag": "t", "at_ms": 0.0, "ended_ms": 0.0, "exit_code": 3, "status": "exit status: 3",
            },
            {
                "program": "sleep", "pid": 2, "cmd": "/bin/sleep", "args": [], "cwd": "/root", "user": "root",
                "tag": null, "at_ms": 1500.0, "ended_ms": null, "exit_code": null, "status": null,
            },
        ],
        "dropped": 0,
    });
    assert_eq!(told, expected);
    ask("POST /reset").send(port(&mock)).await;
    let told = ask("GET /guest/programs").send(port(&mock)).await.json();
    assert_eq!((&told["runs"], &told["programs"][0]["runs"]), (&json!([]), &json!(0)));
}

#[tokio::test]
async fn a_program_around_a_real_command_is_told_with_its_own_end() {
    let program = Program::named("true").run(RealRun::new().exit(7));
    let mock = MockEnvd::builder().program(program).start().await.unwrap();
    stream("/process.Process/Start", r#"{"process":{"cmd":"true"}}"#).send(mock.addr()).await;
    let told = ask("GET /guest/programs").send(port(&mock)).await.json();
    assert_eq!((&told["runs"][0]["cmd"], &told["runs"][0]["exit_code"]), (&json!("true"), &json!(7)));
    assert!(told["runs"][0]["pid"].is_u64(), "{told}");
}

#[tokio::test]
async fn the_preload_says_what_it_is_told_to_until_the_next_life_cycle() {
    let mock = MockEnvd::start().await.unwrap();
    let set = async |body: Value| {
        let answer = ask("PUT /guest/preload").body(body.to_string()).send(port(&mock)).await;
        (answer.status, if answer.body.is_empty() { Value::Null } else { answer.json()["message"].clone() })
    };
    let said = async |method: &str| ask(&format!("{method} /memory/preload")).send(mock.addr()).await.json();
    let claim = json!({ "state": "failed", "pages": 3, "error": "iomem: denied" });
    assert_eq!(set(claim).await, (204, Value::Null));
    for method in ["GET", "POST"] {
        let status = said(method).await;
        assert_eq!((&status["state"], &status["error"]), (&json!("failed"), &json!("iomem: denied")));
        assert_eq!((&status["pages"], &status["bytes"]), (&json!(3), &json!(3 * 4096)));
    }
    set(json!({ "state": "running" })).await;
    assert_eq!(said("GET").await["state"], "running");
    ask("POST /memory/preload/cancel").send(mock.addr()).await;
    assert_eq!(said("GET").await["state"], "cancelled");
    set(json!({ "state": "done" })).await;
    assert_eq!(
        (&said("GET").await["state"], &said("GET").await["bytes"]),
        (&json!("done"), &json!(256 << 20))
    );
    for id in ["first", "second"] {
        let init = ask("POST /init").with("content-type", "application/json");
        init.body(json!({ "lifecycle_id": id }).to_string()).send(mock.addr()).await;
    }
    assert_eq!(said("GET").await["state"], "idle");
    let refused = set(json!({ "state": "failed" })).await;
    assert_eq!(refused, (400, json!("expected the state failed to have an error, got none")));
    assert_eq!(set(json!({ "state": "sideways" })).await.0, 400);
}

#[tokio::test]
async fn errors_are_json() {
    let mock = MockEnvd::start().await.unwrap();
    for (line, status) in [("GET /nowhere", 404), ("POST /guest", 405), ("GET /guest/files", 400)] {
        let answer = ask(line).send(port(&mock)).await;
        assert_eq!((answer.status, answer.json()["code"].as_u64()), (status, Some(status.into())), "{line}");
    }
}

/// Every path of the port, whatever it does, and before anything of the request is looked at.
#[tokio::test]
async fn with_a_token_no_route_of_the_control_port_answers_without_it() {
    let mock = MockEnvd::builder().control_token("s3cret").start().await.unwrap();
    let open = |request: &str| ask(request).with("authorization", "Bearer s3cret");
    let document = open("GET /openapi.json").send(port(&mock)).await.json();
    let paths: Vec<_> = document["paths"].as_object().unwrap().keys().cloned().collect();
    assert!(paths.len() > 20, "{paths:?}");
    for path in paths.iter().map(|path| path.replace("{name}", "x")).chain(["/nowhere".to_owned()]) {
        for method in ["GET", "PUT", "POST", "DELETE"] {
            let request = ask(&format!("{method} {path}"));
            for wrong in [request.clone(), request.with("authorization", "Bearer S3cret")] {
                let answer = wrong.send(port(&mock)).await;
                assert_eq!(
                    (answer.status, answer.header("www-authenticate")),
                    (401, Some("Bearer")),
                    "{method} {path}"
                );
            }
        }
    }
    assert_eq!(open("GET /metrics").send(port(&mock)).await.status, 200);
    assert_eq!(open("GET /nowhere").send(port(&mock)).await.status, 404);
    assert_eq!(
        ask("GET /health").send(mock.addr()).await.status,
        200,
        "the token is of the control port alone"
    );
    let empty = MockEnvd::builder().control_token("").start().await;
    assert!(empty.is_err_and(|error| error.to_string().contains("token")));
}
