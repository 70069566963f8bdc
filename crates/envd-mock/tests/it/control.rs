//! The control port.

use std::net::SocketAddr;

use envd_mock::MockEnvd;

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
async fn errors_are_json() {
    let mock = MockEnvd::start().await.unwrap();
    for (line, status) in [("GET /nowhere", 404), ("POST /guest", 405), ("GET /guest/files", 400)] {
        let answer = ask(line).send(port(&mock)).await;
        assert_eq!((answer.status, answer.json()["code"].as_u64()), (status, Some(status.into())), "{line}");
    }
}
