//! `POST /init`: its gates, its order, its effects.

use envd_mock::MockEnvd;

use crate::bare::{Answer, ask};

async fn init(mock: &MockEnvd, json: &str) -> Answer {
    ask("POST /init").with("content-type", "application/json").body(json).send(mock.addr()).await
}

async fn envs(mock: &MockEnvd) -> serde_json::Value {
    ask("GET /envs").send(mock.addr()).await.json()
}

async fn date(mock: &MockEnvd) -> String {
    ask("GET /health").send(mock.addr()).await.header("date").unwrap().to_owned()
}

#[tokio::test]
async fn success_is_204_without_a_body() {
    let mock = MockEnvd::start().await.unwrap();
    let answer = init(&mock, "{}").await;
    assert_eq!((answer.status, answer.header("cache-control")), (204, Some("no-store")));
    let suffix = ask("POST /init").with("content-type", "application/vnd.x+json; charset=utf-8").body("{}");
    assert_eq!(suffix.send(mock.addr()).await.status, 204);
}

#[tokio::test]
async fn without_a_content_type_the_body_is_ignored() {
    let mock = MockEnvd::start().await.unwrap();
    assert_eq!(ask("POST /init").send(mock.addr()).await.status, 204);
    assert_eq!(ask("POST /init").body(r#"{"envVars":{"A":"1"}}"#).send(mock.addr()).await.status, 204);
    assert_eq!(envs(&mock).await.get("A"), None);
}

#[tokio::test]
async fn a_body_that_is_no_init_is_told_in_plain_text() {
    let mock = MockEnvd::start().await.unwrap();
    let typed = ask("POST /init").with("content-type", "text/plain").body("{}").send(mock.addr()).await;
    assert_eq!((typed.status, typed.text()), (415, "Expected request with `Content-Type: application/json`"));
    for (json, status) in
        [("{", 400), ("", 400), ("[]", 422), (r#"{"envVars":{"A":1}}"#, 422), (r#"{"timestamp":5}"#, 422)]
    {
        let answer = init(&mock, json).await;
        assert_eq!(answer.status, status, "{json}");
        assert_eq!(answer.header("content-type"), Some("text/plain; charset=utf-8"), "{json}");
    }
    let long = init(&mock, &format!(r#"{{"sandbox_id":"{}"}}"#, "x".repeat(2 << 20))).await;
    assert_eq!((long.status, long.text()), (413, "Failed to buffer the request body: length limit exceeded"));
}

#[tokio::test]
async fn unknown_fields_other_spellings_and_nulls_change_nothing() {
    let mock = MockEnvd::start().await.unwrap();
    let json = r#"{"accessToken":"x","hyperloopIp":"1.2.3.4","nope":[1],"envVars":null,"timestamp":null,"defaultUser":null}"#;
    assert_eq!(init(&mock, json).await.status, 204);
    assert_eq!(envs(&mock).await, serde_json::json!({"WRENN_SANDBOX":"true"}));
    assert_eq!(ask("GET /metrics").send(mock.addr()).await.status, 200, "no token was set");
}

#[tokio::test]
async fn names_are_files_and_variables_of_the_guest() {
    let mock = MockEnvd::start().await.unwrap();
    let json =
        r#"{"sandbox_id":"sb-1","template_id":"","proxy_domain":"p.example","hyperloop_ip":"10.1.2.3"}"#;
    assert_eq!(init(&mock, json).await.status, 204);
    let guest = mock.guest();
    let files =
        [(".WRENN_SANDBOX_ID", "sb-1"), (".WRENN_TEMPLATE_ID", ""), (".WRENN_PROXY_DOMAIN", "p.example")];
    for (name, content) in files {
        assert_eq!(guest.read_file(&format!("/run/wrenn/{name}")).unwrap(), content.as_bytes(), "{name}");
    }
    let hosts = String::from_utf8(guest.read_file("/etc/hosts").unwrap()).unwrap();
    assert!(hosts.contains("10.1.2.3 events.wrenn.local\n") && hosts.contains("localhost"), "{hosts}");
    assert_eq!(envs(&mock).await["WRENN_EVENTS_ADDRESS"], "http://10.1.2.3");
    init(&mock, r#"{"hyperloop_ip":"10.9.9.9"}"#).await;
    let hosts = String::from_utf8(guest.read_file("/etc/hosts").unwrap()).unwrap();
    assert!(hosts.contains("10.9.9.9 events.wrenn.local\n") && !hosts.contains("10.1.2.3"), "{hosts}");
}

#[tokio::test]
async fn a_nul_or_a_bad_key_is_400_and_nothing_is_applied() {
    let mock = MockEnvd::start().await.unwrap();
    let bad = [
        r#"{"envVars":{"A":"1","B":"x\u0000y"}}"#,
        r#"{"envVars":{"A":"1","":"x"}}"#,
        r#"{"envVars":{"A":"1","B=C":"x"}}"#,
        r#"{"envVars":{"A":"1","B\u0000":"x"}}"#,
        r#"{"envVars":{"A":"1"},"sandbox_id":"\u0000"}"#,
        r#"{"envVars":{"A":"1"},"proxy_domain":"a\u0000"}"#,
        r#"{"envVars":{"A":"1"},"defaultUser":"a\u0000"}"#,
        r#"{"envVars":{"A":"1"},"access_token":"a\u0000"}"#,
        r#"{"envVars":{"A":"1"},"volume_mounts":[{"nfs_target":"a:/b","path":"/x\u0000"}]}"#,
    ];
    for json in bad {
        let answer = init(&mock, json).await;
        assert_eq!((answer.status, answer.json()["code"].as_u64()), (400, Some(400)), "{json}");
    }
    assert_eq!(envs(&mock).await, serde_json::json!({"WRENN_SANDBOX":"true"}));
}

#[tokio::test]
async fn a_token_is_checked_before_anything_else() {
    let mock = MockEnvd::start().await.unwrap();
    assert_eq!(init(&mock, r#"{"access_token":"s3cret"}"#).await.status, 204);
    let wrong = init(&mock, r#"{"access_token":"other","envVars":{"A":"1"}}"#).await;
    assert_eq!((wrong.status, wrong.text()), (401, "access token validation failed"));
    assert_eq!(wrong.header("content-type"), Some("text/plain; charset=utf-8"));
    let empty = init(&mock, r#"{"access_token":"","envVars":{"A":"1"}}"#).await;
    assert_eq!((empty.status, empty.text()), (401, "access token reset not authorized"));
    assert_eq!(init(&mock, r#"{"access_token":"s3cret","envVars":{"B":"2"}}"#).await.status, 204);
    assert_eq!(init(&mock, r#"{"envVars":{"C":"3"}}"#).await.status, 204, "an absent token is not checked");
    let envs = ask("GET /envs").with("x-access-token", "s3cret").send(mock.addr()).await.json();
    assert_eq!(envs, serde_json::json!({"WRENN_SANDBOX":"true","B":"2","C":"3"}));
}

#[tokio::test]
async fn an_older_or_equal_timestamp_is_204_and_skipped() {
    let mock = MockEnvd::start().await.unwrap();
    init(&mock, r#"{"timestamp":"2026-05-05T05:05:05.123456789Z","envVars":{"A":"1"}}"#).await;
    for stale in ["2026-05-05T05:05:05.123456789Z", "2026-05-05T06:05:05+01:00", "1000.5"] {
        let answer = init(&mock, &format!(r#"{{"timestamp":"{stale}","envVars":{{"A":"stale"}}}}"#)).await;
        assert_eq!((answer.status, envs(&mock).await["A"].as_str()), (204, Some("1")), "{stale}");
    }
    init(&mock, r#"{"timestamp":"2026-05-05T05:05:05.123456790Z","envVars":{"A":"2"}}"#).await;
    assert_eq!(envs(&mock).await["A"], "2");
    init(&mock, r#"{"timestamp":"soon","envVars":{"A":"3"}}"#).await;
    assert_eq!(envs(&mock).await["A"], "3", "an unreadable one is as good as absent");
}

#[tokio::test]
async fn a_new_lifecycle_steps_the_guests_clock_and_only_that() {
    let mock = MockEnvd::start().await.unwrap();
    init(&mock, r#"{"lifecycle_id":"a","timestamp":"2001-01-01T00:00:00Z"}"#).await;
    assert!(!date(&mock).await.contains("2001"), "the first id is only remembered");
    init(&mock, r#"{"lifecycle_id":"b","timestamp":"2002-02-02T00:00:00Z"}"#).await;
    assert!(date(&mock).await.starts_with("Sat, 02 Feb 2002 00:0"));
    let ts = ask("GET /metrics").send(mock.addr()).await.json()["ts"].as_u64().unwrap();
    assert!((1_012_608_000..1_012_608_000 + 600).contains(&ts), "{ts}");
    init(&mock, r#"{"lifecycle_id":"c","timestamp":"2000-01-01T00:00:00Z"}"#).await;
    assert!(date(&mock).await.contains("01 Jan 2000"), "a stale one steps it too");
    assert!(
        std::time::SystemTime::now() > std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_700_000_000)
    );
}

#[tokio::test]
async fn after_a_prepare_the_first_lifecycle_counts_as_a_change() {
    let mock = MockEnvd::start().await.unwrap();
    ask("POST /snapshot/prepare").send(mock.addr()).await;
    init(&mock, r#"{"lifecycle_id":"a","timestamp":"2003-03-03T00:00:00Z"}"#).await;
    assert!(date(&mock).await.contains("03 Mar 2003"));
}
