//! Readiness, preload and the numbers, against answers of any shape.

use std::time::Duration;

use envd_client::{Blame, Client, ErrorKind, PreloadState, Retry};

use crate::peer::{Peer, answered, soon, whole};

#[tokio::test]
async fn waiting_goes_on_until_the_guest_is_up() {
    let peer = Peer::bind().await;
    let client = peer.client();
    let (outcome, ()) = soon(async {
        tokio::join!(client.wait_until_ready(Duration::from_secs(60)), async {
            drop(peer.accept().await);
            let mut conn = peer.accept().await;
            conn.request().await;
            conn.send(whole("503 Service Unavailable", "text/plain", "booting")).await;
            assert_eq!(conn.request().await.line(), "GET /health HTTP/1.1");
            conn.send(whole("200 OK", "application/json", "{}")).await;
        })
    })
    .await;
    outcome.unwrap();
}

#[tokio::test]
async fn a_budget_that_is_spent_tells_what_was_last() {
    let client = Peer::bind().await.client();
    let error = soon(client.wait_until_ready(Duration::from_millis(250))).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::NotReady { .. }), "{error:?}");
    assert_eq!((error.blame(), error.retry()), (Blame::Network, Retry::Safe));
    assert!(error.to_string().contains("within 250ms"), "{error}");
    assert!(error.to_string().contains("refused"), "{error}");
}

#[tokio::test]
async fn a_guest_that_hangs_does_not_hold_beyond_the_budget() {
    let peer = Peer::bind().await;
    let client = peer.client();
    let (outcome, _conn) =
        soon(async { tokio::join!(client.wait_until_ready(Duration::from_millis(250)), peer.accept()) })
            .await;
    assert!(matches!(outcome.unwrap_err().kind(), ErrorKind::NotReady { .. }));
}

#[tokio::test]
async fn a_version_is_needed() {
    let ask = async |client: Client| client.version().await;
    let answer = whole("200 OK", "application/json", r#"{"version":"0.2.0"}"#);
    assert_eq!(answered(answer, ask).await.unwrap(), "0.2.0");
    let error = answered(whole("200 OK", "application/json", "{}"), ask).await.unwrap_err();
    assert!(error.to_string().contains("missing field `version`"), "{error}");
}

#[tokio::test]
async fn only_204_is_a_success_of_init_and_prepare() {
    let init = async |client: Client| client.init(&envd_client::Init::new()).await;
    let error = answered(whole("200 OK", "text/plain", ""), init).await.unwrap_err();
    assert_eq!(error.to_string(), "POST /init: expected status 204, seen 200: ");
    let prepare = async |client: Client| client.prepare_snapshot().await;
    let error = answered(whole("500 Internal Server Error", "text/plain", "no"), prepare).await.unwrap_err();
    assert_eq!(error.to_string(), "POST /snapshot/prepare: expected status 204, seen 500: no");
    assert_eq!(error.blame(), Blame::Peer);
}

#[tokio::test]
async fn preload_is_polled_while_it_runs_and_no_longer() {
    let peer = Peer::bind().await;
    let client = peer.client();
    let (outcome, ()) = soon(async {
        tokio::join!(client.wait_memory_preload(), async {
            let mut conn = peer.accept().await;
            for state in ["running", "resting"] {
                assert_eq!(conn.request().await.line(), "GET /memory/preload HTTP/1.1");
                conn.send(whole("200 OK", "application/json", format!(r#"{{"state":"{state}"}}"#))).await;
            }
        })
    })
    .await;
    assert_eq!(outcome.unwrap().state, PreloadState::Other("resting".into()));
}

#[tokio::test]
async fn an_old_guest_without_preload_is_told_by_its_status() {
    let start = async |client: Client| client.start_memory_preload().await;
    let error = answered(whole("404 Not Found", "application/json", "{}"), start).await.unwrap_err();
    assert_eq!(error.status(), Some(404));
    let cancel = async |client: Client| client.cancel_memory_preload().await;
    let error = answered("HTTP/1.1 415 Unsupported\r\ncontent-length: 0\r\n\r\n", cancel).await.unwrap_err();
    assert_eq!((error.status(), error.retry()), (Some(415), Retry::Pointless));
}

#[tokio::test]
async fn numbers_may_be_missing() {
    let ask = async |client: Client| client.activity().await;
    let activity = answered(whole("200 OK", "application/json", r#"{"net_bps":16384}"#), ask).await.unwrap();
    assert_eq!((activity.net_bps, activity.disk_bps), (16384.0, 0.0));
    let ask = async |client: Client| client.metrics().await;
    let metrics = answered(whole("200 OK", "application/json", r#"{"mem_used":7}"#), ask).await.unwrap();
    assert_eq!((metrics.mem_used, metrics.ts), (7, 0));
}
