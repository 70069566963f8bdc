//! The RPCs of the filesystem over a bare socket, in JSON.

use envd_mock::MockEnvd;
use serde_json::{Value, json};

use crate::bare::{Wire, ask, envelope, unary};

async fn call(mock: &MockEnvd, rpc: &str, message: Value) -> Result<Value, (String, String)> {
    let answer =
        unary(&format!("/filesystem.Filesystem/{rpc}"), &message.to_string()).send(mock.addr()).await;
    let body = answer.json();
    if answer.status == 200 {
        return Ok(body);
    }
    let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
    Err((text("code"), text("message")))
}

fn error(code: &str, message: &str) -> Result<Value, (String, String)> {
    Err((code.to_owned(), message.to_owned()))
}

#[tokio::test]
async fn stat_tells_all_there_is_in_canonical_json() {
    let mock = MockEnvd::start().await.unwrap();
    mock.guest().write_file("/home/user/a.txt", "12345").unwrap();
    let mut entry = call(&mock, "Stat", json!({ "path": "/home/user/a.txt" })).await.unwrap()["entry"].take();
    let modified = entry["modifiedTime"].take();
    assert!(modified.as_str().is_some_and(|time| time.ends_with('Z') && time.contains('T')), "{modified}");
    let expected = json!({
        "name": "a.txt", "type": "FILE_TYPE_FILE", "path": "/home/user/a.txt", "size": "5", "mode": 420,
        "permissions": "-rw-r--r--", "owner": "root", "group": "root", "modifiedTime": null,
    });
    assert_eq!(entry, expected);
    let home = call(&mock, "Stat", json!({ "path": "/home/user" })).await.unwrap();
    assert_eq!(
        (&home["entry"]["owner"], &home["entry"]["type"]),
        (&json!("user"), &json!("FILE_TYPE_DIRECTORY"))
    );
}

#[tokio::test]
async fn each_failure_has_the_code_and_text_of_the_contract() {
    let mock = MockEnvd::start().await.unwrap();
    mock.guest().write_file("/tmp/file", "").unwrap();
    mock.guest().write_file("/tmp/full/x", "").unwrap();
    let none = "No such file or directory (os error 2)";
    for (rpc, message, code, text) in [
        ("Stat", json!({ "path": "/none" }), "not_found", format!("file not found: {none}")),
        ("Stat", json!({ "path": "/tmp/file/x" }), "internal", "error getting file info: Not a directory (os error 20)".into()),
        ("Stat", json!({ "path": "~x/y" }), "invalid_argument", "cannot expand user-specific home dir".into()),
        ("MakeDir", json!({ "path": "/tmp" }), "already_exists", "directory already exists: /tmp".into()),
        ("MakeDir", json!({ "path": "/tmp/file" }), "invalid_argument", "path exists but is not a directory: /tmp/file".into()),
        ("MakeDir", json!({ "path": "/tmp/file/x" }), "internal", "error getting file info: Not a directory (os error 20)".into()),
        ("Move", json!({ "source": "/none", "destination": "/tmp/x" }), "not_found", format!("source not found: {none}")),
        ("Move", json!({ "source": "/tmp/file", "destination": "/tmp/full" }), "internal", "error renaming: Is a directory (os error 21)".into()),
        ("ListDir", json!({ "path": "/none" }), "not_found", format!("path not found: {none}")),
        ("ListDir", json!({ "path": "/tmp/file" }), "invalid_argument", "path is not a directory: /tmp/file".into()),
        ("ListDir", json!({ "path": "/tmp/file/x" }), "internal", "error resolving path: Not a directory (os error 20)".into()),
        ("Remove", json!({ "path": "/none" }), "not_found", format!("path not found: {none}")),
        ("Remove", json!({ "path": "/usr" }), "internal", "error removing: Device or resource busy (os error 16); also tried as file: Is a directory (os error 21)".into()),
        ("CreateWatcher", json!({ "path": "/none" }), "not_found", format!("failed to watch path: {none} about [\"/none\"]")),
        ("CreateWatcher", json!({ "path": "/tmp/file" }), "invalid_argument", "path is not a directory: /tmp/file".into()),
        ("GetWatcherEvents", json!({ "watcherId": "w-0" }), "not_found", "watcher not found: w-0".into()),
    ] {
        assert_eq!(call(&mock, rpc, message.clone()).await, error(code, &text), "{rpc} {message}");
    }
    assert_eq!(call(&mock, "RemoveWatcher", json!({})).await, Ok(json!({})));
}

#[tokio::test]
async fn directories_are_made_listed_moved_and_removed() {
    let mock = MockEnvd::start().await.unwrap();
    let made = call(&mock, "MakeDir", json!({ "path": "/tmp/a/b" })).await.unwrap();
    assert_eq!((&made["entry"]["path"], &made["entry"]["mode"]), (&json!("/tmp/a/b"), &json!(0o755)));
    mock.guest().write_file("/tmp/a/b/c", "x").unwrap();
    let moved =
        call(&mock, "Move", json!({ "source": "/tmp/a/b", "destination": "/tmp/d/e" })).await.unwrap();
    assert_eq!(moved["entry"]["path"], "/tmp/d/e");
    let listed = call(&mock, "ListDir", json!({ "path": "/tmp/d", "depth": 2 })).await.unwrap();
    let paths: Vec<_> =
        listed["entries"].as_array().unwrap().iter().map(|entry| entry["path"].clone()).collect();
    assert_eq!(paths, ["/tmp/d/e", "/tmp/d/e/c"]);
    assert_eq!(call(&mock, "ListDir", json!({ "path": "/tmp/a" })).await, Ok(json!({})));
    assert_eq!(call(&mock, "Remove", json!({ "path": "/tmp/d" })).await, Ok(json!({})));
    assert!(!mock.guest().exists("/tmp/d"));
}

#[tokio::test]
async fn the_root_and_what_is_mounted_survive_a_removal() {
    let mock = MockEnvd::start().await.unwrap();
    for path in ["/", "/..", "/usr", "/proc", "/dev", "/dev/null", "/usr/bin"] {
        let (code, _) = call(&mock, "Remove", json!({ "path": path })).await.unwrap_err();
        assert_eq!(code, "internal", "{path}");
    }
    let output = crate::sh(&mock.client(), "echo fine > /dev/null && ls / && echo $$").await;
    assert!(output.exit.success(), "{output:?}");
}

#[tokio::test]
async fn relative_paths_start_at_the_default_workdir() {
    let mock = MockEnvd::start().await.unwrap();
    mock.guest().write_file("/tmp/work/file", "").unwrap();
    let stat = || call(&mock, "Stat", json!({ "path": "file" }));
    assert_eq!(stat().await.unwrap_err().0, "not_found");
    let init = |body: &str| ask("POST /init").with("content-type", "application/json").body(body);
    assert_eq!(init(r#"{"defaultWorkdir":"/tmp/work"}"#).send(mock.addr()).await.status, 204);
    assert_eq!(stat().await.unwrap()["entry"]["path"], "/tmp/work/file");
    assert_eq!(init(r#"{"defaultUser":"ghost"}"#).send(mock.addr()).await.status, 204);
    assert_eq!(stat().await, error("unauthenticated", "invalid user: user 'ghost' not found"));
}

#[tokio::test]
async fn a_watcher_gives_what_happened_since_it_was_asked_last() {
    let mock = MockEnvd::start().await.unwrap();
    let made = call(&mock, "CreateWatcher", json!({ "path": "/tmp", "recursive": true })).await.unwrap();
    let id = made["watcherId"].clone();
    assert!(id.as_str().is_some_and(|id| id.starts_with("w-")), "{id}");
    let ran =
        crate::sh(&mock.client(), "mkdir -p /tmp/a/b && touch /tmp/a/b/c && mv /tmp/a/b/c /tmp/d").await;
    assert!(ran.exit.success(), "{ran:?}");
    let events = call(&mock, "GetWatcherEvents", json!({ "watcherId": id })).await.unwrap()["events"].take();
    let created: Vec<_> = events
        .as_array()
        .unwrap()
        .iter()
        .filter(|event| event["type"] == "EVENT_TYPE_CREATE")
        .map(|event| event["name"].as_str().unwrap())
        .collect();
    assert_eq!(created[..2], ["/tmp/a", "/tmp/a/b"]);
    assert!(
        events.as_array().unwrap().contains(&json!({ "name": "/tmp/d", "type": "EVENT_TYPE_RENAME" })),
        "{events}"
    );
    assert_eq!(call(&mock, "GetWatcherEvents", json!({ "watcherId": id })).await, Ok(json!({})));
    call(&mock, "RemoveWatcher", json!({ "watcherId": id })).await.unwrap();
    assert_eq!(call(&mock, "GetWatcherEvents", json!({ "watcherId": id })).await.unwrap_err().0, "not_found");
}

#[tokio::test]
async fn a_watched_directory_starts_then_tells_then_keeps_alive() {
    let mock = MockEnvd::start().await.unwrap();
    let mut wire = Wire::open(mock.addr()).await;
    let asked = ask("POST /filesystem.Filesystem/WatchDir")
        .with("content-type", "application/connect+json")
        .with("keepalive-ping-interval", "1")
        .body(envelope(0, r#"{"path":"/tmp","recursive":true}"#));
    wire.write(&asked.bytes(mock.addr())).await;
    let has = |what: &'static str| move |bytes: &[u8]| String::from_utf8_lossy(bytes).contains(what);
    wire.until(has("\"start\"")).await;
    mock.guest().write_file("/tmp/a", "x").unwrap();
    wire.until(has("EVENT_TYPE_WRITE")).await;
    let seen = String::from_utf8_lossy(wire.until(has("\"keepalive\"")).await).into_owned();
    let event = |kind: &str| format!(r#"{{"filesystem":{{"name":"/tmp/a","type":"EVENT_TYPE_{kind}"}}}}"#);
    let order = [r#"{"start":{}}"#.into(), event("CREATE"), event("WRITE"), r#"{"keepalive":{}}"#.into()];
    let places: Vec<_> = order.iter().map(|text| seen.find(text)).collect();
    assert!(places.iter().all(Option::is_some) && places.is_sorted(), "{seen}");
    assert_eq!(seen.matches("filesystem").count(), 2, "{seen}");
}

#[tokio::test]
async fn the_whole_tree_can_be_watched() {
    let mock = MockEnvd::start().await.unwrap();
    let made = call(&mock, "CreateWatcher", json!({ "path": "/", "recursive": true })).await.unwrap();
    mock.guest().write_file("/home/user/a", "").unwrap();
    let events = call(&mock, "GetWatcherEvents", json!({ "watcherId": made["watcherId"] })).await.unwrap();
    let expected = json!([{ "name": "/home/user/a", "type": "EVENT_TYPE_CREATE" }]);
    assert_eq!(events["events"], expected);
}
