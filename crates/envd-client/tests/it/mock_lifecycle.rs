//! Lifecycle operations against the mock.

use std::time::Duration;

use envd_client::{Code, Init, PreloadState};
use envd_mock::MockEnvd;

use crate::{assert_refused, assert_status, guest};

#[tokio::test]
async fn a_guest_is_ready_and_has_a_version() {
    let (_mock, client) = guest().await;
    client.wait_until_ready(Duration::from_secs(60)).await.unwrap();
    client.health().await.unwrap();
    assert!(!client.version().await.unwrap().is_empty());
}

#[tokio::test]
async fn numbers_are_told() {
    let (_mock, client) = guest().await;
    let metrics = client.metrics().await.unwrap();
    assert!(metrics.ts > 1_700_000_000 && metrics.mem_total > 0 && metrics.disk_total > 0, "{metrics:?}");
    let activity = client.activity().await.unwrap();
    assert!(activity.cpu_used_pct >= 0.0, "{activity:?}");
}

#[tokio::test]
async fn init_reaches_commands_and_envs() {
    let (_mock, client) = guest().await;
    let init = Init::new()
        .default_user("user")
        .default_workdir("/tmp")
        .env("GREETING", "hello")
        .sandbox_id("sb-1")
        .template_id("tpl-1")
        .proxy_domain("example.test");
    client.init(&init).await.unwrap();
    let envs = client.envs().await.unwrap();
    for (name, value) in [
        ("GREETING", "hello"),
        ("WRENN_SANDBOX_ID", "sb-1"),
        ("WRENN_TEMPLATE_ID", "tpl-1"),
        ("WRENN_PROXY_DOMAIN", "example.test"),
    ] {
        assert_eq!(envs.get(name).map(String::as_str), Some(value), "{name}");
    }
    let script = "echo $GREETING $WRENN_SANDBOX_ID; id -un; pwd";
    let output = client.command("sh").args(["-c", script]).output().await.unwrap();
    assert_eq!(output.stdout_text(), "hello sb-1\nuser\n/tmp\n");
}

#[tokio::test]
async fn an_older_init_is_passed_over() {
    let (_mock, client) = guest().await;
    client.init(&Init::new().env("A", "new")).await.unwrap();
    client.init(&Init::new().timestamp("2001-01-01T00:00:00Z").env("A", "old")).await.unwrap();
    assert_eq!(client.envs().await.unwrap().get("A").map(String::as_str), Some("new"));
}

#[tokio::test]
async fn an_init_that_cannot_be_an_environment_is_refused_whole() {
    let (_mock, client) = guest().await;
    for init in [
        Init::new().env("A", "b\0c"),
        Init::new().env("", "b"),
        Init::new().env("A=B", "c"),
        Init::new().sandbox_id("a\0b"),
    ] {
        assert_status(client.init(&init.env("GOOD", "1")).await, 400, "");
    }
    assert!(!client.envs().await.unwrap().contains_key("GOOD"));
}

#[tokio::test]
async fn a_token_guards_everything_but_the_exceptions() {
    let (mock, client) = guest().await;
    client.init(&Init::new().access_token("s3cret")).await.unwrap();
    let refused = "unauthorized access";
    assert_status(client.metrics().await, 401, refused);
    assert_status(client.envs().await, 401, refused);
    assert_status(client.start_memory_preload().await, 401, refused);
    assert_refused(client.list().await, Code::Unauthenticated, refused);
    assert_refused(client.stat("/").await, Code::Unauthenticated, refused);
    assert_refused(client.command("true").output().await, Code::Unauthenticated, refused);
    client.health().await.unwrap();
    client.activity().await.unwrap();
    client.prepare_snapshot().await.unwrap();
    let entitled = envd_client::Client::builder().base_url(mock.url()).token("s3cret").build().unwrap();
    entitled.metrics().await.unwrap();
    entitled.list().await.unwrap();
    assert!(entitled.command("true").output().await.unwrap().exit.success());
}

#[tokio::test]
async fn a_token_is_neither_changed_nor_cleared() {
    let (_mock, client) = guest().await;
    client.init(&Init::new().access_token("s3cret")).await.unwrap();
    client.init(&Init::new().access_token("s3cret")).await.unwrap();
    assert_status(
        client.init(&Init::new().access_token("other")).await,
        401,
        "access token validation failed",
    );
    assert_status(client.init(&Init::new().access_token("")).await, 401, "access token reset not authorized");
}

#[tokio::test]
async fn preparing_a_snapshot_may_be_repeated() {
    let (_mock, client) = guest().await;
    client.prepare_snapshot().await.unwrap();
    client.prepare_snapshot().await.unwrap();
    client.close_idle_connections();
    client.init(&Init::new()).await.unwrap();
}

#[tokio::test]
async fn a_preload_runs_once_in_a_lifecycle() {
    let (_mock, client) = guest().await;
    client.init(&Init::new()).await.unwrap();
    assert_eq!(client.memory_preload_status().await.unwrap().state, PreloadState::Idle);
    assert_eq!(client.start_memory_preload().await.unwrap().state, PreloadState::Running);
    let done = client.wait_memory_preload().await.unwrap();
    assert_eq!((done.state, done.error), (PreloadState::Done, None));
    assert!(done.bytes > 0 && done.pages > 0 && done.regions > 0 && done.elapsed_sec > 0.0);
    assert_eq!(client.start_memory_preload().await.unwrap().state, PreloadState::Done);
    client.init(&Init::new()).await.unwrap();
    assert_eq!(client.memory_preload_status().await.unwrap().state, PreloadState::Idle);
}

#[tokio::test]
async fn a_preload_is_cancelled() {
    let mock = MockEnvd::builder().preload_duration(Duration::from_secs(60)).start().await.unwrap();
    let client = mock.client();
    client.start_memory_preload().await.unwrap();
    client.cancel_memory_preload().await.unwrap();
    assert_eq!(client.wait_memory_preload().await.unwrap().state, PreloadState::Cancelled);
}

#[tokio::test]
async fn cancelling_what_does_not_run_changes_nothing() {
    let (_mock, client) = guest().await;
    client.cancel_memory_preload().await.unwrap();
    assert_eq!(client.memory_preload_status().await.unwrap().state, PreloadState::Idle);
    client.start_memory_preload().await.unwrap();
    assert_eq!(client.wait_memory_preload().await.unwrap().state, PreloadState::Done);
    client.cancel_memory_preload().await.unwrap();
    assert_eq!(client.memory_preload_status().await.unwrap().state, PreloadState::Done);
}

#[tokio::test]
async fn a_preload_that_fails_says_why() {
    let mock = MockEnvd::builder().preload_failure("iomem: gone").start().await.unwrap();
    let client = mock.client();
    client.start_memory_preload().await.unwrap();
    let failed = client.wait_memory_preload().await.unwrap();
    assert_eq!((failed.state, failed.error.as_deref()), (PreloadState::Failed, Some("iomem: gone")));
}

#[tokio::test]
async fn a_wait_keeps_the_callers_time_limit() {
    let mock = MockEnvd::builder().preload_duration(Duration::from_secs(60)).start().await.unwrap();
    let client = mock.client().with_timeout(Duration::from_secs(2));
    client.start_memory_preload().await.unwrap();
    assert_eq!(client.wait_memory_preload().await.unwrap_err().code(), Some(Code::DeadlineExceeded));
}
