//! The guest's limits and intervals run on the mock's clock.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::harness::{TestGuest, within};
use crate::time::Pace;

#[tokio::test]
async fn a_watch_is_kept_alive_by_the_mocks_clock() {
    let test = TestGuest::at(Pace::Manual).await;
    let mut events = test.stream("filesystem.Filesystem/WatchDir", json!({ "path": "/tmp" }), None).await;
    let first = events.next().await.unwrap();
    assert!(first["start"].is_object(), "{first}");
    let advance = async {
        let next = within(test.time.sleeping()).await;
        test.time.advance(next).unwrap();
        next
    };
    let (kept, next) = tokio::join!(events.next(), advance);
    assert!(kept.as_ref().unwrap()["keepalive"].is_object(), "{kept:?}");
    assert_eq!(next, Duration::from_secs(90));
}

#[tokio::test]
async fn a_process_that_does_not_read_is_given_up_by_the_mocks_clock() {
    let test = TestGuest::at(Pace::Manual).await;
    let message = json!({ "process": { "cmd": "sleep", "args": ["1000"] }, "tag": "t", "stdin": true });
    let mut events = test.stream("process.Process/Start", message, None).await;
    assert!(events.next().await.unwrap()["start"].is_object());
    let input = json!({
        "process": { "tag": "t" }, "input": { "stdin": STANDARD.encode(vec![b'x'; 1 << 20]) },
    });
    let advance = async {
        let next = within(test.time.sleeping()).await;
        test.time.advance(next).unwrap();
        next
    };
    let ((status, error), next) = tokio::join!(test.unary("process.Process/SendInput", input, None), advance);
    assert_eq!((status, &error["code"], next), (429, &json!("resource_exhausted"), Duration::from_secs(5)));
}
