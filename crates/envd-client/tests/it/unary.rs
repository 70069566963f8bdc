//! Unary Connect calls, good and bad, byte for byte.

use std::time::Duration;

use envd_client::{Blame, Client, Code, ErrorKind, FileType, Retry, Wait};

use crate::peer::{Peer, answered, soon, whole};

/// `entry { name: "a", type: FILE, size: 5, modified_time { seconds: 1 } }`.
const ENTRY: &[u8] = &[0x0a, 11, 0x0a, 1, b'a', 0x10, 1, 0x20, 5, 0x4a, 2, 8, 1];

async fn stat(client: Client) -> envd_client::Result<envd_client::Entry> {
    client.stat("/a").await
}

#[tokio::test]
async fn an_entry_is_read() {
    let entry = answered(whole("200 OK", "application/proto", ENTRY), stat).await.unwrap();
    assert_eq!((entry.name.as_str(), entry.file_type, entry.size), ("a", FileType::File, 5));
    let since = entry.modified.unwrap().duration_since(std::time::UNIX_EPOCH).unwrap();
    assert_eq!(since, Duration::from_secs(1));
}

#[tokio::test]
async fn every_code_is_understood() {
    for code in Code::ALL {
        let body = format!(r#"{{"code":"{code}","message":"the words"}}"#);
        let error = answered(whole("418 Teapot", "application/json", body), stat).await.unwrap_err();
        assert_eq!(error.code(), Some(code));
        assert_eq!(
            error.to_string(),
            format!("filesystem.Filesystem/Stat: the guest says {code}: the words")
        );
    }
}

#[tokio::test]
async fn a_status_without_connects_body_gives_the_specifications_code() {
    for (status, code) in [
        ("401 Unauthorized", Code::Unauthenticated),
        ("403 Forbidden", Code::PermissionDenied),
        ("404 Not Found", Code::Unimplemented),
        ("415 Unsupported Media Type", Code::Unknown),
        ("503 Service Unavailable", Code::Unavailable),
    ] {
        let error = answered(whole(status, "text/plain", "the words"), stat).await.unwrap_err();
        assert_eq!(error.code(), Some(code), "{status}");
        assert!(error.to_string().contains("the words"), "{error}");
    }
}

#[tokio::test]
async fn an_answer_without_an_entry_is_an_error() {
    let error = answered(whole("200 OK", "application/proto", ""), stat).await.unwrap_err();
    assert!(error.to_string().contains("expected an entry"), "{error}");
}

#[tokio::test]
async fn a_body_that_is_no_message_is_the_guests_fault() {
    let error = answered(whole("200 OK", "application/proto", [0x0a, 9]), stat).await.unwrap_err();
    assert_eq!((error.blame(), error.retry()), (Blame::Peer, Retry::Safe), "{error}");
}

#[tokio::test]
async fn a_page_of_someone_else_is_the_guests_fault() {
    let error = answered(whole("200 OK", "text/html", "<html>"), stat).await.unwrap_err();
    assert!(error.to_string().contains("seen \"text/html\""), "{error}");
}

#[tokio::test]
async fn bytes_that_are_not_http_are_the_guests_fault() {
    let error = answered("SSH-2.0-OpenSSH_9.6\r\n\r\n", stat).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Protocol { .. }), "{error:?}");
}

#[tokio::test]
async fn a_cut_body_is_an_error() {
    let mut answer = whole("200 OK", "application/proto", ENTRY);
    answer.truncate(answer.len() - 1);
    let error = answered(answer, stat).await.unwrap_err();
    assert_eq!((error.blame(), error.retry()), (Blame::Network, Retry::Safe), "{error}");
}

#[tokio::test]
async fn a_broken_call_that_changes_things_is_not_repeated() {
    let error = answered("", async |client: Client| client.make_dir("/a").await).await.unwrap_err();
    assert_eq!((error.blame(), error.retry()), (Blame::Network, Retry::Unsafe), "{error}");
}

#[tokio::test]
async fn no_listener_means_that_nothing_was_sent() {
    let client = Peer::bind().await.client();
    let error = client.make_dir("/a").await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Connect { .. }), "{error:?}");
    assert!(error.is_retry_safe());
    assert!(error.to_string().contains("Connection refused"), "{error}");
}

#[tokio::test]
async fn a_message_over_the_cap_is_an_error() {
    let peer = Peer::bind().await;
    let client = peer.builder().message_limit(8).build().unwrap();
    let (outcome, ()) = soon(async {
        tokio::join!(stat(client), async {
            let mut conn = peer.accept().await;
            conn.request().await;
            conn.send(whole("200 OK", "application/proto", ENTRY)).await;
        })
    })
    .await;
    assert!(matches!(outcome.unwrap_err().kind(), ErrorKind::TooLarge { limit: 8, .. }));
}

#[tokio::test]
async fn a_guest_that_is_silent_runs_into_the_head_timeout() {
    let peer = Peer::bind().await;
    let client = peer.builder().response_header_timeout(Duration::from_millis(50)).build().unwrap();
    let (outcome, _conn) = soon(async { tokio::join!(stat(client), peer.accept()) }).await;
    let error = outcome.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Timeout { what: Wait::Head, .. }), "{error}");
    assert_eq!((error.blame(), error.code()), (Blame::Peer, Some(Code::DeadlineExceeded)));
}

#[tokio::test]
async fn a_guest_that_is_slow_runs_into_the_unary_timeout() {
    let peer = Peer::bind().await;
    let client = peer.builder().unary_timeout(Duration::from_millis(50)).build().unwrap();
    let (outcome, _conn) = soon(async {
        tokio::join!(stat(client), async {
            let mut conn = peer.accept().await;
            conn.request().await;
            conn.send("HTTP/1.1 200 OK\r\ncontent-type: application/proto\r\ncontent-length: 9\r\n\r\n")
                .await;
            conn
        })
    })
    .await;
    let error = outcome.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Timeout { what: Wait::Answer, .. }), "{error}");
}
