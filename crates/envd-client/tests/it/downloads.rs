//! `/files`, good and bad, byte for byte.

use std::io::{self, Write};
use std::time::Duration;

use bytes::Bytes;
use envd_client::{Blame, Client, ErrorKind, Retry, Wait};
use futures::stream;

use crate::peer::{Peer, answered, soon, whole};

async fn read(client: Client) -> envd_client::Result<Bytes> {
    client.read_file("/a").await
}

async fn read_in_pieces(client: Client) -> envd_client::Result<Vec<u8>> {
    let mut file = client.read_file_stream("/a").await?;
    let mut all = Vec::new();
    while let Some(piece) = file.next().await.transpose()? {
        all.extend_from_slice(&piece);
    }
    Ok(all)
}

#[tokio::test]
async fn a_whole_download_is_its_bytes() {
    let answer = whole("200 OK", "text/plain", "hello");
    assert_eq!(answered(&answer, read).await.unwrap(), "hello");
    assert_eq!(answered(&answer, read_in_pieces).await.unwrap(), b"hello");
}

#[tokio::test]
async fn a_truncated_download_is_an_error() {
    let mut answer = whole("200 OK", "text/plain", "hello");
    answer.truncate(answer.len() - 1);
    for error in
        [answered(&answer, read).await.unwrap_err(), answered(&answer, read_in_pieces).await.unwrap_err()]
    {
        assert_eq!((error.blame(), error.retry()), (Blame::Network, Retry::Safe), "{error}");
    }
}

#[tokio::test]
async fn a_download_in_chunks_needs_its_last_one() {
    let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n";
    assert_eq!(answered(format!("{head}0\r\n\r\n"), read).await.unwrap(), "hello");
    assert_eq!(answered(head, read).await.unwrap_err().blame(), Blame::Network);
}

#[tokio::test]
async fn a_download_that_only_the_connection_ends_is_refused() {
    let error = answered("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nhello", read).await.unwrap_err();
    assert!(error.to_string().contains("expected a length or chunks"), "{error}");
}

#[tokio::test]
async fn a_download_in_gzip_is_unpacked() {
    let answer = gzip_answer(usize::MAX);
    assert_eq!(answered(&answer, read).await.unwrap(), vec![b'x'; 100_000]);
    assert_eq!(answered(&answer, read_in_pieces).await.unwrap(), vec![b'x'; 100_000]);
}

#[tokio::test]
async fn a_truncated_gzip_is_an_error_whatever_the_length_says() {
    let error = answered(gzip_answer(20), read).await.unwrap_err();
    assert_eq!((error.blame(), error.retry()), (Blame::Peer, Retry::Safe), "{error}");
    assert!(error.to_string().contains("expected a body in gzip"), "{error}");
}

#[tokio::test]
async fn an_unknown_encoding_is_an_error() {
    let answer = "HTTP/1.1 200 OK\r\ncontent-encoding: br\r\ncontent-length: 0\r\n\r\n";
    assert!(answered(answer, read).await.unwrap_err().to_string().contains("seen br"));
}

#[tokio::test]
async fn a_file_over_the_cap_is_an_error() {
    for answer in [whole("200 OK", "text/plain", "hello"), gzip_answer(usize::MAX)] {
        let error = capped(4, answer).await.unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::TooLarge { limit: 4, .. }), "{error}");
    }
}

#[tokio::test]
async fn a_refusal_is_quoted_with_its_status() {
    let body = r#"{"code":404,"message":"path '/a' does not exist"}"#;
    let error = answered(whole("404 Not Found", "application/json", body), read).await.unwrap_err();
    assert_eq!((error.status(), error.is_not_found(), error.blame()), (Some(404), true, Blame::Caller));
    assert_eq!(error.to_string(), "GET /files: expected status 200, seen 404: path '/a' does not exist");
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let answer = "HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n";
    assert_eq!(answered(answer, read).await.unwrap_err().status(), Some(302));
}

#[tokio::test]
async fn an_upload_that_writes_nothing_is_an_error() {
    let answer = whole("200 OK", "application/json", "[]");
    let outcome = answered(answer, async |client: Client| client.write_file("/a", "x").await).await;
    assert!(outcome.unwrap_err().to_string().contains("expected one written file, seen none"));
}

#[tokio::test]
async fn a_full_disk_is_the_guests() {
    let body = r#"{"code":507,"message":"not enough disk space available"}"#;
    let answer = whole("507 Insufficient Storage", "application/json", body);
    let error =
        answered(answer, async |client: Client| client.write_file("/a", "x").await).await.unwrap_err();
    assert_eq!((error.status(), error.blame(), error.retry()), (Some(507), Blame::Peer, Retry::Safe));
}

#[tokio::test]
async fn a_callers_stream_that_fails_aborts_the_upload() {
    let peer = Peer::bind().await;
    let client = peer.client();
    let pieces = stream::iter([Ok(Bytes::from("a")), Err(io::Error::other("the disk here is gone"))]);
    let (outcome, _) =
        soon(async { tokio::join!(client.write_file_stream("/a", pieces), peer.accept()) }).await;
    let error = outcome.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Source(_)), "{error:?}");
    assert_eq!(error.blame(), Blame::Caller);
}

#[tokio::test]
async fn a_slow_caller_does_not_run_into_the_guests_time_limit() {
    let peer = Peer::bind().await;
    let client = peer.builder().response_header_timeout(Duration::from_millis(500)).build().unwrap();
    let slow = stream::once(async {
        tokio::time::sleep(Duration::from_millis(1500)).await;
        Ok(Bytes::from("a"))
    });
    let (outcome, ()) = soon(async {
        tokio::join!(client.write_file_stream("/a", slow), async {
            let mut conn = peer.accept().await;
            conn.request().await;
            conn.send(whole("200 OK", "application/json", r#"[{"path":"/a","name":"a"}]"#)).await;
        })
    })
    .await;
    outcome.unwrap();
}

#[tokio::test]
async fn a_guest_that_stops_reading_runs_into_its_time_limit() {
    let peer = Peer::bind().await;
    let client = peer.builder().response_header_timeout(Duration::from_millis(100)).build().unwrap();
    let endless = stream::repeat_with(|| Ok(Bytes::from(vec![0; 1 << 20])));
    let (outcome, _conn) =
        soon(async { tokio::join!(client.write_file_stream("/a", endless), peer.accept()) }).await;
    let error = outcome.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Timeout { what: Wait::Head, .. }), "{error}");
}

#[tokio::test]
async fn no_error_shows_the_url() {
    let answer = "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nx";
    let error = answered(answer, async |client: Client| client.read_file("/secret-name").await).await;
    assert!(!format!("{:?}", error.unwrap_err()).contains("secret-name"));
}

async fn capped(limit: usize, answer: Vec<u8>) -> envd_client::Result<Bytes> {
    let peer = Peer::bind().await;
    let client = peer.builder().file_limit(limit).build().unwrap();
    let serve = async {
        let mut conn = peer.accept().await;
        conn.request().await;
        conn.send(answer).await;
    };
    soon(async { tokio::join!(read(client), serve) }).await.0
}

/// 100,000 times x in gzip, of which only `keep` bytes are sent, with a length that fits what is sent.
fn gzip_answer(keep: usize) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(&vec![b'x'; 100_000]).unwrap();
    let mut body = encoder.finish().unwrap();
    body.truncate(keep);
    let head = format!("HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: {}\r\n\r\n", body.len());
    [head.as_bytes(), &body].concat()
}

#[tokio::test]
async fn a_download_that_stalls_runs_into_the_guests_time_limit() {
    let peer = Peer::bind().await;
    let client = peer.builder().response_header_timeout(Duration::from_secs(1)).build().unwrap();
    for (client, what) in
        [(client.clone(), Wait::Piece), (client.with_timeout(Duration::from_millis(50)), Wait::Answer)]
    {
        let (outcome, _conn) = soon(async {
            tokio::join!(read_in_pieces(client), async {
                let mut conn = peer.accept().await;
                conn.request().await;
                conn.send("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nx").await;
                conn
            })
        })
        .await;
        let error = outcome.unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Timeout { what: seen, .. } if *seen == what), "{error}");
    }
}
