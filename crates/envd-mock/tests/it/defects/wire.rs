//! Defects of what all calls share.

use envd_mock::Defect;

use super::pair;
use crate::bare::{Wire, ask, stream, unary};

#[tokio::test]
async fn a_token_is_asked_for_by_files_alone() {
    let [sound, faulty] = pair(Defect::TokenUnchecked).await;
    for (mock, status) in [(&sound, 401), (&faulty, 200)] {
        let init = ask("POST /init").with("content-type", "application/json");
        assert_eq!(init.body(r#"{"accessToken":"s3cret"}"#).send(mock.addr()).await.status, 204);
        for call in [ask("GET /metrics"), ask("GET /envs"), unary("/process.Process/List", "{}")] {
            assert_eq!(call.send(mock.addr()).await.status, status, "{call:?}");
        }
        assert_eq!(ask("GET /files?path=/etc/passwd").send(mock.addr()).await.status, 401);
    }
}

#[tokio::test]
async fn rpcs_know_nothing_of_browsers() {
    let [sound, faulty] = pair(Defect::RpcWithoutCors).await;
    for (mock, status, shown) in [(&sound, 200, true), (&faulty, 415, false)] {
        let preflight = ask("OPTIONS /process.Process/List").with("access-control-request-method", "POST");
        assert_eq!(preflight.send(mock.addr()).await.status, status);
        let answer = unary("/process.Process/List", "{}").send(mock.addr()).await;
        assert_eq!(answer.header("access-control-allow-origin").is_some(), shown);
        let rest = ask("GET /health").send(mock.addr()).await;
        assert_eq!(rest.header("access-control-allow-origin"), Some("*"));
    }
}

#[tokio::test]
async fn watch_dir_is_unimplemented() {
    let [sound, faulty] = pair(Defect::WatchDirMissing).await;
    let watch = stream("/filesystem.Filesystem/WatchDir", r#"{"path":"/tmp"}"#);
    let mut wire = Wire::open(sound.addr()).await;
    wire.write(&watch.bytes(sound.addr())).await;
    wire.until(|bytes| bytes.windows(7).any(|window| window == b"\"start\"")).await;
    let told = watch.send(faulty.addr()).await.end_error();
    assert_eq!(told, ("unimplemented".into(), "watch_dir streaming not yet implemented".into()));
}

#[tokio::test]
async fn timestamps_are_objects() {
    let [sound, faulty] = pair(Defect::TimestampObject).await;
    let stat = unary("/filesystem.Filesystem/Stat", r#"{"path":"/etc/passwd"}"#);
    let time = stat.send(sound.addr()).await.json()["entry"]["modifiedTime"].clone();
    assert!(time.as_str().is_some_and(|text| text.ends_with('Z')), "{time}");
    let time = stat.send(faulty.addr()).await.json()["entry"]["modifiedTime"].clone();
    assert!(time["seconds"].as_str().is_some_and(|text| text.parse::<i64>().is_ok()), "{time}");
    assert!(time["nanos"].is_u64(), "{time}");
}
