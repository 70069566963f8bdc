//! Process streams, good and bad, byte for byte.

use std::io::Write;

use std::time::Duration;

use envd_client::{Blame, Client, Code, ErrorKind, Event, Output, Retry, Wait};

use crate::peer::{
    END, END_STREAM, HI, KEEPALIVE, NO, Peer, START, STREAM, answered, chunk, end_stream, soon, stream,
};

async fn run(client: Client) -> envd_client::Result<Output> {
    client.command("x").output().await
}

async fn outcome(parts: &[&[u8]]) -> envd_client::Result<Output> {
    answered(stream(parts.concat()), run).await
}

#[track_caller]
fn assert_protocol(outcome: envd_client::Result<Output>, expected: &str, seen: &str) {
    let error = outcome.unwrap_err();
    let text = error.to_string();
    assert!(text.contains(&format!("expected {expected}")), "{text}");
    assert!(text.contains(&format!("seen {seen}")), "{text}");
    assert_eq!((error.blame(), error.retry()), (Blame::Peer, Retry::Unsafe), "{text}");
}

#[tokio::test]
async fn a_whole_stream_gives_output_and_exit() {
    let output = outcome(&[START, HI, NO, KEEPALIVE, HI, END, END_STREAM]).await.unwrap();
    assert_eq!((output.pid, &output.stdout[..], &output.stderr[..]), (7, &b"hihi"[..], &b"no"[..]));
    assert_eq!((output.exit.code, output.exit.exited, output.exit.success()), (3, true, false));
    assert_eq!(output.exit.status, "exit status: 3");
}

#[tokio::test]
async fn events_come_one_by_one_and_end() {
    answered(stream([START, HI, KEEPALIVE, END, END_STREAM].concat()), async |client: Client| {
        let mut events = client.command("x").stream().await.unwrap();
        assert_eq!(events.next().await.unwrap().unwrap(), Event::Start { pid: 7 });
        assert_eq!(events.next().await.unwrap().unwrap(), Event::Stdout("hi".into()));
        assert!(matches!(events.next().await.unwrap().unwrap(), Event::End(_)));
        assert!(events.next().await.is_none());
        assert!(events.next().await.is_none());
    })
    .await;
}

#[tokio::test]
async fn envelopes_may_be_cut_anywhere() {
    let bytes = [START, HI, END, END_STREAM].concat();
    let pieces: Vec<u8> = bytes.iter().flat_map(|byte| chunk([*byte])).collect();
    let answer = [STREAM.as_bytes(), &pieces, b"0\r\n\r\n"].concat();
    assert_eq!(answered(answer, run).await.unwrap().exit.code, 3);
}

#[tokio::test]
async fn a_stream_without_end_event_is_an_error() {
    assert_protocol(outcome(&[START, HI, END_STREAM]).await, "an end event", "the end of the stream");
}

#[tokio::test]
async fn a_stream_without_any_event_is_an_error() {
    assert_protocol(outcome(&[END_STREAM]).await, "a start event", "the end of the stream");
}

#[tokio::test]
async fn a_stream_without_end_stream_is_an_error() {
    assert_protocol(outcome(&[START, END]).await, "an END_STREAM envelope", "the end of the body");
    assert_protocol(outcome(&[]).await, "an END_STREAM envelope", "the end of the body");
}

#[tokio::test]
async fn a_cut_envelope_is_an_error() {
    assert_protocol(outcome(&[START, &END[..9]]).await, "an envelope of 29 bytes", "the end after 9");
    assert_protocol(
        outcome(&[START, END, &END_STREAM[..3]]).await,
        "an envelope of 5 bytes",
        "the end after 3",
    );
}

#[tokio::test]
async fn bytes_after_end_stream_are_an_error() {
    assert_protocol(
        outcome(&[START, END, END_STREAM, HI]).await,
        "nothing after END_STREAM",
        "13 more bytes",
    );
}

#[tokio::test]
async fn a_chunk_after_end_stream_is_an_error() {
    let body = [START, END, END_STREAM].concat();
    let answer = [STREAM.as_bytes(), &chunk(body), &chunk(HI), b"0\r\n\r\n"].concat();
    assert_protocol(answered(answer, run).await, "nothing after END_STREAM", "13 more bytes");
}

#[tokio::test]
async fn an_end_stream_that_is_not_json_is_an_error() {
    assert_protocol(outcome(&[START, END, &end_stream("nope")]).await, "JSON in the END_STREAM envelope", "");
    assert_protocol(outcome(&[START, END, &end_stream("")]).await, "JSON in the END_STREAM envelope", "");
}

#[tokio::test]
async fn an_unknown_flag_is_an_error() {
    assert_protocol(outcome(&[&[4, 0, 0, 0, 0], END_STREAM]).await, "envelope flags 0 to 3", "0x04");
}

#[tokio::test]
async fn a_message_that_is_not_one_is_an_error() {
    assert_protocol(outcome(&[&[0, 0, 0, 0, 2, 0x0a, 9]]).await, "the method's message", "");
}

#[tokio::test]
async fn events_out_of_order_are_an_error() {
    assert_protocol(outcome(&[HI, END, END_STREAM]).await, "a start event first", "a data event");
    assert_protocol(outcome(&[START, START, END, END_STREAM]).await, "one start event", "a start event");
    assert_protocol(
        outcome(&[START, END, HI, END_STREAM]).await,
        "nothing after the end event",
        "a data event",
    );
}

#[tokio::test]
async fn an_absurd_length_is_refused_at_once() {
    let answer = [STREAM.as_bytes(), &chunk([0, 0xff, 0xff, 0xff, 0xff])].concat();
    let error = answered(answer, run).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::TooLarge { limit: 16_777_216, .. }), "{error}");
}

#[tokio::test]
async fn an_error_in_end_stream_is_the_guests_word() {
    let end = end_stream(r#"{"error":{"code":"not_found","message":"process with pid 1 not found"}}"#);
    let error = outcome(&[&end]).await.unwrap_err();
    assert_eq!((error.code(), error.is_not_found()), (Some(Code::NotFound), true));
    assert_eq!((error.blame(), error.retry()), (Blame::Caller, Retry::Pointless));
    assert_eq!(
        error.to_string(),
        "process.Process/Start: the guest says not_found: process with pid 1 not found"
    );
}

#[tokio::test]
async fn an_error_after_the_end_event_is_still_an_error() {
    let end = end_stream(r#"{"error":{"code":"internal","message":"m"}}"#);
    assert_eq!(outcome(&[START, END, &end]).await.unwrap_err().code(), Some(Code::Internal));
}

#[tokio::test]
async fn an_unknown_code_in_end_stream_is_unknown() {
    let end = end_stream(r#"{"error":{"code":"strange","message":"m"}}"#);
    assert_eq!(outcome(&[START, &end]).await.unwrap_err().code(), Some(Code::Unknown));
}

#[tokio::test]
async fn a_connection_that_breaks_is_the_networks() {
    let answer = [STREAM.as_bytes(), &chunk(START)].concat();
    let error = answered(answer, run).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Interrupted { .. }), "{error:?}");
    assert_eq!((error.blame(), error.retry()), (Blame::Network, Retry::Unsafe));
    assert_eq!(error.code(), Some(Code::Unavailable));
}

#[tokio::test]
async fn a_reset_says_so() {
    let peer = Peer::bind().await;
    let client = peer.client();
    let (outcome, ()) = soon(async {
        tokio::join!(run(client), async {
            let mut conn = peer.accept().await;
            conn.request().await;
            conn.reset();
        })
    })
    .await;
    let error = outcome.unwrap_err();
    assert!(error.to_string().contains("before the answer"), "{error}");
    assert!(error.to_string().contains("Connection reset by peer"), "{error}");
}

#[tokio::test]
async fn output_over_its_cap_is_an_error() {
    let answer = stream([START, HI, NO, END, END_STREAM].concat());
    let error =
        answered(answer, async |client: Client| client.command("x").output_limit(3).output().await).await;
    let error = error.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::TooLarge { limit: 3, .. }), "{error}");
    assert_eq!((error.blame(), error.retry()), (Blame::Caller, Retry::Pointless));
}

#[tokio::test]
async fn messages_in_gzip_are_unpacked_between_plain_ones() {
    let packed = gzipped(&HI[5..]);
    let envelope = [&[1, 0, 0, 0, u8::try_from(packed.len()).unwrap()], &packed[..]].concat();
    let head = STREAM.replacen("\r\n\r\n", "\r\nconnect-content-encoding: gzip\r\n\r\n", 1);
    let body = [START, &envelope, HI, END, END_STREAM].concat();
    let answer = [head.as_bytes(), &chunk(&body), b"0\r\n\r\n"].concat();
    assert_eq!(answered(answer, run).await.unwrap().stdout_text(), "hihi");
    let unannounced = answered(stream(body), run).await;
    assert_protocol(unannounced, "no compressed message", "a compressed message");
}

#[tokio::test]
async fn an_encoding_that_was_not_offered_is_an_error() {
    let head = STREAM.replacen("\r\n\r\n", "\r\nconnect-content-encoding: zstd\r\n\r\n", 1);
    assert_protocol(answered(head, run).await, "connect-content-encoding gzip or none", "zstd");
}

#[tokio::test]
async fn another_content_type_is_an_error() {
    let head = STREAM.replace("connect+proto", "connect+json");
    assert_protocol(answered(head, run).await, "content-type", "\"application/connect+json\"");
}

#[tokio::test]
async fn a_body_that_stays_open_after_end_stream_is_let_go() {
    let peer = Peer::bind().await;
    let client = peer.client();
    let (outcome, ()) = soon(async {
        tokio::join!(run(client), async {
            let mut conn = peer.accept().await;
            conn.request().await;
            conn.send([STREAM.as_bytes(), &chunk([START, END, END_STREAM].concat())].concat()).await;
            conn.closed().await;
        })
    })
    .await;
    assert_eq!(outcome.unwrap().exit.code, 3);
}

#[tokio::test]
async fn background_waits_for_start_and_lets_go() {
    let peer = Peer::bind().await;
    let client = peer.client();
    let (process, ()) = soon(async {
        tokio::join!(client.command("x").background(), async {
            let mut conn = peer.accept().await;
            conn.request().await;
            conn.send([STREAM.as_bytes(), &chunk(KEEPALIVE), &chunk(START)].concat()).await;
            conn.closed().await;
        })
    })
    .await;
    assert_eq!(process.unwrap().pid(), Some(7));
}

#[tokio::test]
async fn background_without_start_is_an_error() {
    let error =
        answered(stream(END_STREAM), async |client: Client| client.command("x").background().await).await;
    assert!(error.unwrap_err().to_string().contains("expected a start event"));
}

#[tokio::test]
async fn dropping_a_stream_cancels_the_call() {
    let peer = Peer::bind().await;
    let client = peer.client();
    soon(async {
        let (events, mut conn) = tokio::join!(client.command("x").stream(), async {
            let mut conn = peer.accept().await;
            conn.request().await;
            conn.send([STREAM.as_bytes(), &chunk(START)].concat()).await;
            conn
        });
        drop(events.unwrap());
        conn.closed().await;
    })
    .await;
}

fn gzipped(data: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}

#[tokio::test]
async fn a_start_event_that_does_not_come_runs_into_the_time_limit() {
    let peer = Peer::bind().await;
    let client = peer.builder().response_header_timeout(Duration::from_secs(1)).build().unwrap();
    let (outcome, _conn) = soon(async {
        tokio::join!(client.command("x").background(), async {
            let mut conn = peer.accept().await;
            conn.request().await;
            conn.send([STREAM.as_bytes(), &chunk(KEEPALIVE)].concat()).await;
            conn
        })
    })
    .await;
    let error = outcome.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Timeout { what: Wait::Start, .. }), "{error}");
}

#[tokio::test]
async fn a_stream_ends_at_the_callers_time_limit() {
    let peer = Peer::bind().await;
    let client = peer.client();
    let (outcome, ()) = soon(async {
        tokio::join!(client.command("x").timeout(Duration::from_secs(1)).output(), async {
            let mut conn = peer.accept().await;
            conn.request().await;
            conn.send([STREAM.as_bytes(), &chunk([START, HI].concat())].concat()).await;
            conn.closed().await;
        })
    })
    .await;
    assert_eq!(outcome.unwrap_err().code(), Some(Code::DeadlineExceeded));
}

/// Runs `call` while the guest says this much of a stream, and nothing more.
async fn silent_after<T>(bytes: &[u8], call: impl AsyncFnOnce(Client) -> T) -> T {
    const LIMIT: Duration = Duration::from_secs(1);
    let peer = Peer::bind().await;
    let client = peer.builder().response_header_timeout(LIMIT).stream_idle_timeout(LIMIT).build().unwrap();
    let (outcome, _conn) = soon(async {
        tokio::join!(call(client), async {
            let mut conn = peer.accept().await;
            conn.request().await;
            conn.send([STREAM.as_bytes(), &chunk(bytes)].concat()).await;
            conn
        })
    })
    .await;
    outcome
}

#[tokio::test]
async fn keepalives_are_no_start() {
    let error = silent_after(KEEPALIVE, run).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Timeout { what: Wait::Start, .. }), "{error}");
    assert_eq!((error.blame(), error.retry()), (Blame::Peer, Retry::Unsafe));
}

#[tokio::test]
async fn a_stream_may_be_silent_for_so_long() {
    let error = silent_after(&[START, HI].concat(), run).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Timeout { what: Wait::Piece, .. }), "{error}");
}

#[tokio::test]
async fn an_exit_that_is_known_does_not_wait_for_the_end_of_its_stream() {
    let output = silent_after(&[START, HI, END].concat(), run).await.unwrap();
    assert_eq!((&output.stdout[..], output.exit.code), (&b"hi"[..], 3));
}

#[tokio::test]
async fn events_say_that_a_stream_did_not_end() {
    let error = silent_after(&[START, END].concat(), async |client: Client| {
        let mut events = client.command("x").stream().await.unwrap();
        events.next().await.unwrap().unwrap();
        assert!(matches!(events.next().await.unwrap().unwrap(), Event::End(_)));
        events.next().await.unwrap().unwrap_err()
    })
    .await;
    assert!(matches!(error.kind(), ErrorKind::Timeout { what: Wait::End, .. }), "{error}");
}
