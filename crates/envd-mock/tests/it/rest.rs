//! The REST routes: what each answers, and what none of them has.

use std::time::{Duration, Instant};

use envd_mock::MockEnvd;

use crate::bare::{Ask, PATIENCE, ask};

const ROUTES: [(&str, &str); 9] = [
    ("/health", "GET,HEAD"),
    ("/metrics", "GET,HEAD"),
    ("/envs", "GET,HEAD"),
    ("/activity", "GET,HEAD"),
    ("/memory/preload", "GET,HEAD,POST"),
    ("/files", "GET,HEAD,POST"),
    ("/init", "POST"),
    ("/snapshot/prepare", "POST"),
    ("/memory/preload/cancel", "POST"),
];

fn init(json: &str) -> Ask {
    ask("POST /init").with("content-type", "application/json").body(json)
}

#[tokio::test]
async fn health_reports_the_version_and_is_not_cached() {
    let mock = MockEnvd::builder().guest_version("7.8.9").start().await.unwrap();
    let answer = ask("GET /health?x=1").send(mock.addr()).await;
    assert_eq!((answer.status, answer.text()), (200, r#"{"version":"7.8.9"}"#));
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
}

#[tokio::test]
async fn the_version_is_the_mocks_own_unless_told() {
    let mock = MockEnvd::start().await.unwrap();
    let answer = ask("GET /health").send(mock.addr()).await;
    assert_eq!(answer.json()["version"], env!("CARGO_PKG_VERSION"));
}

#[tokio::test]
async fn header_names_are_lower_case_with_a_date_and_no_server() {
    let mock = MockEnvd::start().await.unwrap();
    for line in ["GET /health", "GET /nowhere", "OPTIONS /init", "PUT /health"] {
        let answer = ask(line).send(mock.addr()).await;
        assert!(answer.headers.iter().all(|(name, _)| *name == name.to_ascii_lowercase()), "{answer:?}");
        assert!(answer.header("date").is_some_and(|date| date.ends_with("GMT")), "{answer:?}");
        assert_eq!(answer.header("server"), None);
    }
}

#[tokio::test]
async fn head_is_get_without_its_body() {
    let mock = MockEnvd::start().await.unwrap();
    for path in ["/health", "/metrics", "/envs", "/activity", "/memory/preload"] {
        let get = ask(&format!("GET {path}")).send(mock.addr()).await;
        let head = ask(&format!("HEAD {path}")).send(mock.addr()).await;
        assert_eq!((head.status, head.header("content-length").is_some()), (200, true), "{path}");
        assert_eq!(head.header("content-type"), get.header("content-type"), "{path}");
    }
}

#[tokio::test]
async fn a_wrong_method_is_told_the_right_ones() {
    let mock = MockEnvd::start().await.unwrap();
    for (path, methods) in ROUTES {
        for method in ["PUT", "DELETE", "PATCH", "GET", "POST"] {
            if methods.split(',').any(|known| known == method) {
                continue;
            }
            let answer = ask(&format!("{method} {path}")).send(mock.addr()).await;
            assert_eq!((answer.status, answer.text()), (405, ""), "{method} {path}");
            assert_eq!(answer.header("allow"), Some(methods), "{method} {path}");
        }
    }
}

#[tokio::test]
async fn paths_are_matched_exactly() {
    let mock = MockEnvd::start().await.unwrap();
    for path in ["/health/", "/Health", "//health", "/", "/memory", "/volumes/mount"] {
        let answer = ask(&format!("GET {path}")).send(mock.addr()).await;
        assert_eq!(answer.status, 404, "{path}");
        assert_eq!(answer.json()["code"], "unimplemented");
        let message = format!("method not found: {}", &path[1..]);
        assert_eq!(answer.json()["message"], message.as_str());
    }
}

#[tokio::test]
async fn metrics_and_activity_have_every_field() {
    let mock = MockEnvd::start().await.unwrap();
    let metrics = ask("GET /metrics").send(mock.addr()).await;
    assert_eq!((metrics.status, metrics.header("cache-control")), (200, Some("no-store")));
    let metrics = metrics.json();
    let integers = [
        "ts",
        "cpu_count",
        "mem_total_mib",
        "mem_used_mib",
        "mem_total",
        "mem_used",
        "disk_used",
        "disk_total",
    ];
    assert!(integers.iter().all(|name| metrics[name].is_u64()), "{metrics}");
    assert!(metrics["cpu_used_pct"].is_f64());
    assert!(
        metrics["disk_total"].as_u64() >= metrics["disk_used"].as_u64()
            && metrics["mem_total"].as_u64() > Some(0)
    );
    let activity = ask("GET /activity").send(mock.addr()).await;
    assert_eq!((activity.status, activity.header("cache-control")), (200, Some("no-store")));
    let expected = serde_json::json!({ "cpu_count": 0, "cpu_used_pct": 0.0, "net_bps": 0, "disk_bps": 0 });
    assert_eq!(activity.json(), expected, "the first second is zeros");
}

#[tokio::test]
async fn the_default_environment_is_a_flat_object() {
    let mock = MockEnvd::start().await.unwrap();
    let before = ask("GET /envs").send(mock.addr()).await;
    assert_eq!(
        (before.json(), before.header("cache-control")),
        (serde_json::json!({"WRENN_SANDBOX":"true"}), Some("no-store"))
    );
    init(r#"{"envVars":{"A":"1"},"sandbox_id":"sb"}"#).send(mock.addr()).await;
    let after = ask("GET /envs").send(mock.addr()).await.json();
    assert_eq!(after, serde_json::json!({"WRENN_SANDBOX":"true","WRENN_SANDBOX_ID":"sb","A":"1"}));
}

#[tokio::test]
async fn prepare_is_answered_at_once_and_may_be_repeated() {
    let mock = MockEnvd::start().await.unwrap();
    for body in ["", "{", "anything"] {
        let answer = ask("POST /snapshot/prepare").body(body).send(mock.addr()).await;
        assert_eq!((answer.status, answer.header("cache-control")), (204, Some("no-store")));
    }
}

#[tokio::test]
async fn a_preload_runs_once_and_to_its_end() {
    let mock = MockEnvd::builder()
        .preload_size(8 << 20)
        .preload_duration(Duration::from_millis(30))
        .start()
        .await
        .unwrap();
    let get = ask("GET /memory/preload");
    let idle = get.send(mock.addr()).await;
    assert_eq!((idle.json()["state"].as_str(), idle.header("cache-control")), (Some("idle"), None));
    assert!(idle.json()["error"].is_null());
    let started = ask("POST /memory/preload").body("ignored").send(mock.addr()).await;
    assert_eq!((started.status, started.json()["state"].as_str()), (200, Some("running")));
    let deadline = Instant::now() + PATIENCE;
    let done = loop {
        let status = get.send(mock.addr()).await.json();
        if status["state"] != "running" || Instant::now() > deadline {
            break status;
        }
    };
    let expected = serde_json::json!({"state":"done","regions":1,"pages":2048,"bytes":8388608,"elapsed_sec":0.03,"source":"/dev/mem","error":null});
    assert_eq!(done, expected);
    assert_eq!(ask("POST /memory/preload").send(mock.addr()).await.json(), expected);
    assert_eq!(ask("GET /memory/preload/cancel").send(mock.addr()).await.status, 405);
}

#[tokio::test]
async fn a_cancelled_preload_is_armed_again_by_a_new_lifecycle() {
    let mock = MockEnvd::builder().preload_duration(Duration::from_secs(3600)).start().await.unwrap();
    let state = async || ask("GET /memory/preload").send(mock.addr()).await.json()["state"].clone();
    let cancel = ask("POST /memory/preload/cancel");
    let cancelled = cancel.send(mock.addr()).await;
    assert_eq!((cancelled.status, cancelled.header("cache-control")), (204, None));
    assert_eq!(state().await, "idle");
    assert_eq!(ask("POST /memory/preload").send(mock.addr()).await.json()["state"], "running");
    cancel.send(mock.addr()).await;
    assert_eq!(state().await, "cancelled");
    assert_eq!(ask("POST /memory/preload").send(mock.addr()).await.json()["state"], "cancelled");
    init(r#"{"lifecycle_id":"a"}"#).send(mock.addr()).await;
    assert_eq!(state().await, "cancelled", "the first id is only remembered");
    init(r#"{"lifecycle_id":"b"}"#).send(mock.addr()).await;
    assert_eq!(state().await, "idle");
}

#[tokio::test]
async fn a_failing_preload_says_why() {
    let builder = MockEnvd::builder()
        .preload_duration(Duration::ZERO)
        .preload_failure("no System RAM ranges found in /proc/iomem");
    let mock = builder.start().await.unwrap();
    let failed = ask("POST /memory/preload").send(mock.addr()).await.json();
    assert_eq!(
        (failed["state"].as_str(), failed["error"].as_str()),
        (Some("failed"), Some("no System RAM ranges found in /proc/iomem"))
    );
}
