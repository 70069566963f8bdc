//! Who may call: tokens, origins, and what browsers are told.

use std::net::SocketAddr;

use envd_mock::MockEnvd;

use crate::bare::{Ask, ask, stream, unary};

const UNAUTHORIZED: &str = r#"{"code":401,"message":"unauthorized access, please provide a valid access token or method signing if supported"}"#;
const EXPOSED: &str = "location,cache-control,x-content-type-options,connect-content-encoding,connect-protocol-version,grpc-encoding,grpc-message,grpc-status,grpc-status-details-bin";
const VARY: &str = "origin, access-control-request-method, access-control-request-headers";

async fn with_token() -> MockEnvd {
    let mock = MockEnvd::start().await.unwrap();
    let init =
        ask("POST /init").with("content-type", "application/json").body(r#"{"access_token":"s3cret"}"#);
    assert_eq!(init.send(mock.addr()).await.status, 204);
    mock
}

fn guarded() -> Vec<Ask> {
    vec![
        ask("GET /metrics"),
        ask("HEAD /metrics"),
        ask("GET /envs"),
        ask("HEAD /activity"),
        ask("GET /memory/preload"),
        ask("POST /memory/preload"),
        ask("POST /memory/preload/cancel"),
        ask("POST /health"),
        ask("GET /init"),
        ask("GET /nowhere"),
        unary("/process.Process/List", "{}"),
        stream("/process.Process/Start", r#"{"process":{"cmd":"true"}}"#),
    ]
}

#[tokio::test]
async fn a_token_guards_everything_but_the_exceptions() {
    let mock = with_token().await;
    for call in guarded() {
        let answer = call.send(mock.addr()).await;
        assert_eq!(answer.status, 401, "{call:?}");
        assert!(answer.body.is_empty() || answer.text() == UNAUTHORIZED, "{call:?}");
        assert_eq!(
            call.clone().with("x-access-token", "wrong").send(mock.addr()).await.status,
            401,
            "{call:?}"
        );
        assert_eq!(call.clone().with("x-access-token", "").send(mock.addr()).await.status, 401, "{call:?}");
        assert_ne!(
            call.clone().with("x-access-token", "s3cret").send(mock.addr()).await.status,
            401,
            "{call:?}"
        );
    }
}

#[tokio::test]
async fn the_exceptions_are_open_without_the_token() {
    let mock = with_token().await;
    let open = [
        ("GET /health", 200),
        ("HEAD /health", 200),
        ("GET /activity", 200),
        ("POST /init", 204),
        ("POST /snapshot/prepare", 204),
        ("OPTIONS /metrics", 200),
        ("OPTIONS /process.Process/List", 200),
    ];
    for (line, status) in open {
        assert_eq!(ask(line).send(mock.addr()).await.status, status, "{line}");
    }
}

#[tokio::test]
async fn without_a_token_nothing_is_guarded() {
    let mock = MockEnvd::start().await.unwrap();
    for call in guarded() {
        assert_ne!(call.with("x-access-token", "anything").send(mock.addr()).await.status, 401);
    }
}

#[tokio::test]
async fn foreign_hosts_and_origins_are_refused_on_both_ports() {
    let mock = MockEnvd::start().await.unwrap();
    let control: SocketAddr = mock.control_url().trim_start_matches("http://").parse().unwrap();
    for (address, line) in
        [(mock.addr(), "GET /health"), (mock.addr(), "OPTIONS /health"), (control, "GET /guest")]
    {
        for (name, value) in
            [("host", "evil.example"), ("origin", "https://evil.example"), ("origin", "null")]
        {
            let answer = ask(line).with(name, value).send(address).await;
            assert_eq!(
                (answer.status, answer.json()["code"].as_u64()),
                (403, Some(403)),
                "{line} {name} {value}"
            );
            assert!(answer.json()["message"].as_str().unwrap().contains(value));
            assert_eq!(answer.header("access-control-allow-origin"), None);
        }
        for (name, value) in [("host", "localhost"), ("origin", "http://127.0.0.1:3000"), ("host", "[::1]:1")]
        {
            assert_eq!(ask(line).with(name, value).send(address).await.status, 200, "{line} {name} {value}");
        }
    }
    let absolute = ask("GET http://evil.example/health").send(mock.addr()).await;
    assert_eq!(absolute.status, 403);
    let two =
        ask("GET /health").with("host", "localhost").with("host", "evil.example").send(mock.addr()).await;
    assert!([400, 403].contains(&two.status));
}

#[tokio::test]
async fn named_origins_are_admitted() {
    let builder = MockEnvd::builder().allow_origin("https://app.example".parse().unwrap());
    let mock = builder.start().await.unwrap();
    let from = |origin: &str| ask("GET /health").with("origin", origin);
    assert_eq!(from("https://app.example").send(mock.addr()).await.status, 200);
    assert_eq!(from("https://other.example").send(mock.addr()).await.status, 403);
    assert_eq!(ask("GET /health").with("host", "app.example").send(mock.addr()).await.status, 200);
}

#[tokio::test]
async fn every_known_path_has_cors_headers_even_in_errors() {
    let mock = MockEnvd::start().await.unwrap();
    let calls = [
        ask("GET /health"),
        ask("PUT /health"),
        ask("POST /memory/preload/cancel"),
        ask("POST /init").with("content-type", "text/plain"),
        unary("/process.Process/List", "{}"),
        unary("/process.Process/List", "nonsense"),
        stream("/process.Process/Connect", r#"{"process":{"pid":4000000}}"#),
    ];
    for call in calls {
        let answer = call.send(mock.addr()).await;
        assert_eq!(answer.header("access-control-allow-origin"), Some("*"), "{call:?}");
        assert_eq!(answer.header("access-control-expose-headers"), Some(EXPOSED), "{call:?}");
        assert!(answer.headers.contains(&("vary".into(), VARY.into())), "{call:?}");
    }
    let unknown = ask("GET /nowhere").send(mock.addr()).await;
    assert_eq!((unknown.status, unknown.header("access-control-allow-origin")), (404, None));
}

#[tokio::test]
async fn a_preflight_is_answered_on_rest_routes_and_rpcs() {
    let mock = MockEnvd::start().await.unwrap();
    let paths = [
        ("/health", "GET,HEAD"),
        ("/files", "GET,HEAD,POST"),
        ("/process.Process/Start", "POST"),
        ("/filesystem.Filesystem/Stat", "POST"),
    ];
    for (path, methods) in paths {
        let preflight = ask(&format!("OPTIONS {path}"))
            .with("origin", "http://localhost:3000")
            .with("access-control-request-method", "POST")
            .with("access-control-request-headers", "content-type,connect-protocol-version");
        let answer = preflight.send(mock.addr()).await;
        assert_eq!(
            (answer.status, answer.header("allow"), answer.header("content-length")),
            (200, Some(methods), Some("0")),
            "{path}"
        );
        assert_eq!(answer.header("access-control-allow-methods"), Some("HEAD,GET,POST,PUT,PATCH,DELETE"));
        assert_eq!(answer.header("access-control-allow-headers"), Some("*"));
        assert_eq!(answer.header("access-control-max-age"), Some("7200"));
        assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
    }
    assert_eq!(ask("OPTIONS /nowhere").send(mock.addr()).await.status, 415);
}
