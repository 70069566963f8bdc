//! The client against guests of every generation: found out, or told rightly or wrongly.

use std::time::Duration;

use envd_client::{Blame, Client, ClientBuilder, Error, ErrorKind, Generation, Init, PreloadState, Retry};
use envd_mock::MockEnvd;

use crate::assert_status;
use crate::peer::{Peer, soon, whole};

const PAIRS: [(envd_mock::Generation, Generation); 3] = [
    (envd_mock::Generation::One, Generation::One),
    (envd_mock::Generation::Two, Generation::Two),
    (envd_mock::Generation::Three, Generation::Three),
];

/// A guest, and a client that knows nothing of it yet.
async fn guest(generation: envd_mock::Generation) -> (MockEnvd, Client) {
    let mock = MockEnvd::builder().generation(generation).start().await.unwrap();
    let client = builder(&mock).build().unwrap();
    (mock, client)
}

fn builder(mock: &MockEnvd) -> ClientBuilder {
    Client::builder().base_url(mock.url())
}

#[track_caller]
fn assert_unsupported<T: std::fmt::Debug>(outcome: Result<T, Error>, status: Option<u16>) {
    let error = outcome.expect_err("the guest does not have this");
    assert!(matches!(error.kind(), ErrorKind::Unsupported { .. }), "{error}");
    assert!(error.is_unsupported() && !error.is_not_found(), "{error}");
    assert_eq!((error.status(), error.blame(), error.retry()), (status, Blame::Caller, Retry::Pointless));
}

#[tokio::test]
async fn a_guest_tells_its_generation() {
    for (played, expected) in PAIRS {
        let (_mock, client) = guest(played).await;
        assert_eq!(client.generation().await.unwrap(), expected);
    }
}

#[tokio::test]
async fn files_go_in_and_out_of_every_generation() {
    for (played, _) in PAIRS {
        let (mock, client) = guest(played).await;
        let written = client.write_file("/tmp/a/b", "content").await.unwrap();
        assert_eq!((written.path.as_str(), written.name.as_str()), ("/tmp/a/b", "b"), "{played}");
        assert_eq!(client.read_file("/tmp/a/b").await.unwrap(), "content", "{played}");
        let pieces = futures::stream::iter([Ok("one ".into()), Ok("two".into())]);
        client.write_file_stream("/tmp/c", pieces).await.unwrap();
        assert_eq!(mock.guest().read_file("/tmp/c").unwrap(), b"one two", "{played}");
    }
}

#[tokio::test]
async fn a_token_is_set_in_every_generation() {
    for (played, _) in PAIRS {
        let (mock, client) = guest(played).await;
        client.init(&Init::new().access_token("s3cret").hyperloop_ip("10.0.0.7")).await.unwrap();
        assert_status(client.metrics().await, 401, "");
        let knowing = builder(&mock).token("s3cret").build().unwrap();
        let envs = knowing.envs().await.unwrap();
        assert_eq!(envs["WRENN_EVENTS_ADDRESS"], "http://10.0.0.7", "{played}");
    }
}

#[tokio::test]
async fn clones_ask_once_between_them() {
    let peer = Peer::bind().await;
    let client = peer.unknown().build().unwrap();
    let head = "HTTP/1.1 200 OK\r\nallow: GET,HEAD,PUT\r\ncontent-length: 0\r\n\r\n";
    let (both, request) = soon(async {
        let clone = client.with_timeout(Duration::from_secs(5));
        tokio::join!(async { tokio::join!(client.generation(), clone.generation()) }, async {
            let mut conn = peer.accept().await;
            let request = conn.request().await;
            conn.send(head).await;
            request
        })
    })
    .await;
    assert_eq!((both.0.unwrap(), both.1.unwrap()), (Generation::Three, Generation::Three));
    assert_eq!(request.line(), "OPTIONS /files HTTP/1.1");
}

#[tokio::test]
async fn a_guest_that_tells_nothing_is_taken_for_the_second_and_a_failing_one_for_none() {
    for (status, expected) in [("403 Forbidden", Some(Generation::Two)), ("503 No", None)] {
        let peer = Peer::bind().await;
        let client = peer.unknown().build().unwrap();
        let answer = whole(status, "text/plain", "no");
        let (found, ()) = soon(async {
            tokio::join!(client.generation(), async {
                let mut conn = peer.accept().await;
                conn.request().await;
                conn.send(&answer).await;
            })
        })
        .await;
        assert_eq!(found.ok(), expected, "{status}");
    }
}

#[tokio::test]
async fn an_init_without_fields_that_differ_asks_for_nothing() {
    let peer = Peer::bind().await;
    let (client, init) = (peer.unknown().build().unwrap(), Init::new().default_user("user").sandbox_id("s"));
    let (done, request) = soon(async {
        tokio::join!(client.init(&init), async {
            let mut conn = peer.accept().await;
            let request = conn.request().await;
            conn.send("HTTP/1.1 204 No Content\r\n\r\n").await;
            request
        })
    })
    .await;
    done.unwrap();
    assert_eq!(request.line(), "POST /init HTTP/1.1");
}

#[tokio::test]
async fn a_host_of_one_generation_fails_at_guests_of_others_as_it_really_would() {
    for (played, set) in [
        (envd_mock::Generation::One, Generation::Three),
        (envd_mock::Generation::Two, Generation::Three),
        (envd_mock::Generation::Three, Generation::One),
        (envd_mock::Generation::Three, Generation::Two),
    ] {
        let mock = MockEnvd::builder().generation(played).start().await.unwrap();
        let client = builder(&mock).generation(set).build().unwrap();
        assert_status(client.write_file("/tmp/x", "x").await, 405, "");
        assert!(!mock.guest().exists("/tmp/x"));
    }
}

#[tokio::test]
async fn the_oldest_guest_has_no_preload_and_no_activity() {
    let (mock, asking) = guest(envd_mock::Generation::One).await;
    assert_unsupported(asking.start_memory_preload().await, Some(415));
    assert_unsupported(asking.cancel_memory_preload().await, Some(415));
    assert_unsupported(asking.memory_preload_status().await, Some(404));
    assert_unsupported(asking.activity().await, Some(404));
    let knowing = mock.client();
    assert_unsupported(knowing.start_memory_preload().await, None);
    let wrong = builder(&mock).generation(Generation::Two).build().unwrap();
    assert_unsupported(wrong.wait_memory_preload().await, Some(404));
}

#[tokio::test]
async fn newer_guests_have_a_preload() {
    for (played, _) in &PAIRS[1..] {
        let (_mock, client) = guest(*played).await;
        assert_eq!(client.start_memory_preload().await.unwrap().state, PreloadState::Running);
    }
}

#[tokio::test]
async fn a_command_runs_as_another_user_in_the_newest_generation_alone() {
    for (played, expected) in PAIRS {
        let (_mock, client) = guest(played).await;
        let outcome = client.command("id").arg("-un").user("user").output().await;
        if expected == Generation::Three {
            assert_eq!(outcome.unwrap().stdout, "user\n");
        } else {
            assert_unsupported(outcome, None);
        }
    }
}

#[tokio::test]
async fn volumes_are_mounted_in_the_newest_generation_alone() {
    let newest = envd_mock::Generation::Three;
    let mock = MockEnvd::builder().generation(newest).volume("vol1").start().await.unwrap();
    let client = builder(&mock).build().unwrap();
    client.mount_volume("vol1", "/data").await.unwrap();
    client.write_file("/data/kept", "x").await.unwrap();
    client.unmount_volume("/data").await.unwrap();
    assert!(!mock.guest().exists("/data/kept"));
    assert_status(client.mount_volume("a-b", "/data").await, 400, "invalid volume serial");
    for (played, _) in &PAIRS[..2] {
        let (_mock, client) = guest(*played).await;
        assert_unsupported(client.mount_volume("vol1", "/data").await, Some(404));
        assert_unsupported(client.unmount_volume("/data").await, Some(404));
    }
}
