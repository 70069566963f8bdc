//! What the client puts on the wire, byte for byte.

use std::time::Duration;

use bytes::Bytes;
use envd_client::{Codec, Init, Range, Size};
use futures::stream;

use crate::peer::{END, END_STREAM, Peer, Request, START, exchange, soon, stream as stream_of, whole};

const EMPTY: &str = "HTTP/1.1 200 OK\r\ncontent-type: application/proto\r\ncontent-length: 0\r\n\r\n";

#[tokio::test]
async fn a_start_is_the_hosts() {
    let answer = stream_of([START, END, END_STREAM].concat());
    let (_, request) = exchange(answer, async |client: envd_client::Client| {
        client.command("sh").args(["-c", "x"]).output().await.unwrap();
    })
    .await;
    assert_eq!(request.line(), "POST /process.Process/Start HTTP/1.1");
    assert_eq!(request.header("content-type"), Some("application/connect+proto"));
    assert_eq!(request.header("connect-protocol-version"), Some("1"));
    assert_eq!(request.header("connect-accept-encoding"), Some("gzip"));
    assert_eq!(request.header("connect-timeout-ms"), None);
    assert_eq!(request.header("x-access-token"), None);
    assert_eq!(request.body, b"\x00\x00\x00\x00\x0f\x0a\x0b\x0a\x02sh\x12\x02-c\x12\x01x\x20\x00");
}

#[tokio::test]
async fn a_time_limit_is_told() {
    let answer = stream_of([START, END, END_STREAM].concat());
    let (_, request) = exchange(answer, async |client: envd_client::Client| {
        client.command("x").timeout(Duration::from_millis(9500)).output().await.unwrap();
    })
    .await;
    assert_eq!(request.header("connect-timeout-ms"), Some("9500"));
}

#[tokio::test]
async fn unary_calls_are_plain_messages() {
    let (_, request) = exchange(EMPTY, async |client: envd_client::Client| {
        client.with_timeout(Duration::from_secs(5)).process(7).kill().await.unwrap();
    })
    .await;
    assert_eq!(request.line(), "POST /process.Process/SendSignal HTTP/1.1");
    assert_eq!(request.header("content-type"), Some("application/proto"));
    assert_eq!(request.header("accept-encoding"), Some("gzip"));
    assert_eq!(request.header("connect-timeout-ms"), Some("5000"));
    assert_eq!(request.body, [0x0a, 2, 8, 7, 0x10, 9]);
}

#[tokio::test]
async fn each_control_call_has_its_message() {
    let calls: [(&str, &[u8]); 4] = [
        ("SendInput", b"\x0a\x03\x12\x01t\x12\x03\x0a\x01a"),
        ("CloseStdin", b"\x0a\x03\x12\x01t"),
        ("Update", b"\x0a\x03\x12\x01t\x12\x06\x0a\x04\x08\x64\x10\x1e"),
        ("SendSignal", b"\x0a\x03\x12\x01t\x10\x0f"),
    ];
    for (method, body) in calls {
        let (_, request) = exchange(EMPTY, async |client: envd_client::Client| {
            let process = client.process("t");
            match method {
                "SendInput" => process.send_stdin("a").await,
                "CloseStdin" => process.close_stdin().await,
                "Update" => process.resize(Size::new(100, 30)).await,
                _ => process.terminate().await,
            }
            .unwrap();
        })
        .await;
        assert_eq!(request.line(), format!("POST /process.Process/{method} HTTP/1.1"));
        assert_eq!(request.body, body, "{method}");
    }
}

#[tokio::test]
async fn stream_input_is_start_then_data() {
    let answer = stream_of([&[0, 0, 0, 0, 0][..], END_STREAM].concat());
    let (_, request) = exchange(answer, async |client: envd_client::Client| {
        let pieces = stream::iter([Ok(Bytes::from("a")), Ok(Bytes::from("b"))]);
        client.process(7).stream_stdin(pieces).await.unwrap();
    })
    .await;
    assert_eq!(request.line(), "POST /process.Process/StreamInput HTTP/1.1");
    assert_eq!(
        request.body,
        b"\x00\x00\x00\x00\x06\x0a\x04\x0a\x02\x08\x07\
          \x00\x00\x00\x00\x07\x12\x05\x12\x03\x0a\x01a\
          \x00\x00\x00\x00\x07\x12\x05\x12\x03\x0a\x01b"
    );
}

#[tokio::test]
async fn json_is_spoken_when_told() {
    let request = seen(
        |builder| builder.codec(Codec::Json),
        whole("200 OK", "application/json", r#"{"entry":{"name":"a"}}"#),
        async |client| client.stat("/a").await.map(drop),
    )
    .await;
    assert_eq!(request.header("content-type"), Some("application/json"));
    assert_eq!(request.body, br#"{"path":"/a"}"#);
}

#[tokio::test]
async fn gzip_goes_both_ways_when_told() {
    let request = seen(
        |builder| builder.send_gzip(true).gzip(false),
        EMPTY.as_bytes().to_vec(),
        async |client| client.remove("/a").await,
    )
    .await;
    assert_eq!(request.header("accept-encoding"), None);
    assert_eq!(request.header("content-encoding"), Some("gzip"));
    assert_eq!(&request.body[..2], [0x1f, 0x8b]);
}

#[tokio::test]
async fn a_token_goes_with_every_call() {
    let request = seen(
        |builder| builder.token("s3cret"),
        "HTTP/1.1 204 No Content\r\n\r\n".into(),
        async |client| client.prepare_snapshot().await,
    )
    .await;
    assert_eq!(request.line(), "POST /snapshot/prepare HTTP/1.1");
    assert_eq!(request.header("x-access-token"), Some("s3cret"));
    assert_eq!(request.body, b"");
}

#[tokio::test]
async fn an_init_has_the_contracts_json() {
    let init = Init::new().timestamp("2026-01-02T03:04:05Z").lifecycle_id("l").sandbox_id("s");
    let answer = "HTTP/1.1 204 No Content\r\n\r\n";
    let (_, request) =
        exchange(answer, async |client: envd_client::Client| client.init(&init).await.unwrap()).await;
    assert_eq!(request.line(), "POST /init HTTP/1.1");
    assert_eq!(request.header("content-type"), Some("application/json"));
    let expected = r#"{"timestamp":"2026-01-02T03:04:05Z","lifecycle_id":"l","sandbox_id":"s"}"#;
    assert_eq!(String::from_utf8(request.body).unwrap(), expected);
}

#[tokio::test]
async fn an_upload_is_the_hosts_form() {
    let answer = whole("200 OK", "application/json", r#"[{"path":"/a","name":"a","type":"file"}]"#);
    let (written, request) = exchange(answer, async |client: envd_client::Client| {
        client.write_file("/a b", "hello").await.unwrap()
    })
    .await;
    assert_eq!((written.path.as_str(), written.name.as_str()), ("/a", "a"));
    assert_eq!(request.line(), "POST /files?path=%2Fa%20b&username=root HTTP/1.1");
    let boundary = boundary(&request);
    let expected = format!(
        "--{boundary}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"upload\"\r\n\
         Content-Type: application/octet-stream\r\n\r\nhello\r\n--{boundary}--\r\n"
    );
    assert_eq!(request.header("content-length"), Some(expected.len().to_string().as_str()));
    assert_eq!(String::from_utf8(request.body).unwrap(), expected);
}

#[tokio::test]
async fn a_streamed_upload_goes_in_chunks() {
    let answer = whole("200 OK", "application/json", r#"[{"path":"/a","name":"a","type":"file"}]"#);
    let (_, request) = exchange(answer, async |client: envd_client::Client| {
        client.write_file_from("/a", std::io::Cursor::new("hello")).await.unwrap();
    })
    .await;
    assert_eq!(request.header("transfer-encoding"), Some("chunked"));
    assert!(String::from_utf8(request.body).unwrap().contains("\r\n\r\nhello\r\n--"));
}

#[tokio::test]
async fn a_range_is_asked_for() {
    let (part, request) =
        exchange(whole("206 Partial Content", "text/plain", "el"), async |client: envd_client::Client| {
            client.read_file_range("/a", Range::Between(1, 2)).await.unwrap()
        })
        .await;
    assert_eq!(part, "el");
    assert_eq!(request.header("range"), Some("bytes=1-2"));
}

async fn seen(
    build: impl FnOnce(envd_client::ClientBuilder) -> envd_client::ClientBuilder,
    answer: Vec<u8>,
    call: impl AsyncFnOnce(envd_client::Client) -> envd_client::Result<()>,
) -> Request {
    let peer = Peer::bind().await;
    let client = build(peer.builder()).build().unwrap();
    let (outcome, request) = soon(async {
        tokio::join!(call(client), async {
            let mut conn = peer.accept().await;
            let request = conn.request().await;
            conn.send(answer).await;
            request
        })
    })
    .await;
    outcome.unwrap();
    request
}

fn boundary(request: &Request) -> &str {
    request.header("content-type").unwrap().strip_prefix("multipart/form-data; boundary=").unwrap()
}
