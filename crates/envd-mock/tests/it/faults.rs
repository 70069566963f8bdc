//! Faults as a peer sees them: the examples of the grammar, over bare sockets.

use std::time::Duration;

use envd_mock::fault::Script;
use envd_mock::journal::{CallEntry, Entry};
use envd_mock::{MockEnvd, Pace};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::bare::{Ask, PATIENCE, Wire, ask, stream};

/// A mock with these rules.
pub(crate) async fn mock(rules: &str) -> MockEnvd {
    let script = Script::parse_expressions("test", rules).unwrap();
    MockEnvd::builder().script(script).start().await.unwrap()
}

/// All bytes until the peer ends, and how it did: `None` in order, or the error.
pub(crate) async fn everything(mock: &MockEnvd, request: &Ask) -> (Vec<u8>, Option<std::io::ErrorKind>) {
    let mut socket = TcpStream::connect(mock.addr()).await.unwrap();
    socket.write_all(&request.bytes(mock.addr())).await.unwrap();
    let mut seen = Vec::new();
    let end = tokio::time::timeout(PATIENCE, socket.read_to_end(&mut seen)).await.expect("an end");
    (seen, end.err().map(|error| error.kind()))
}

fn body(bytes: &[u8]) -> &[u8] {
    let at = bytes.windows(4).position(|four| four == b"\r\n\r\n").expect("a head");
    &bytes[at + 4..]
}

/// The bytes of a chunked body as far as they came, and whether the last chunk did.
fn chunks(mut bytes: &[u8]) -> (Vec<u8>, bool) {
    let mut all = Vec::new();
    while let Some(at) = bytes.windows(2).position(|two| two == b"\r\n") {
        let length = usize::from_str_radix(std::str::from_utf8(&bytes[..at]).unwrap(), 16).unwrap();
        if length == 0 {
            return (all, true);
        }
        let rest = &bytes[at + 2..];
        all.extend_from_slice(&rest[..length.min(rest.len())]);
        bytes = rest.get(length + 2..).unwrap_or_default();
    }
    (all, false)
}

fn start(script: &str) -> Ask {
    let message = serde_json::json!({ "process": { "cmd": "sh", "args": ["-c", script] }, "stdin": false });
    stream("/process.Process/Start", &message.to_string())
}

async fn calls(mock: &MockEnvd) -> Vec<CallEntry> {
    let call = |entry| match entry {
        Entry::Call(call) => Some(*call),
        _ => None,
    };
    mock.faults().settled_journal().await.into_iter().filter_map(call).collect()
}

/// Five envelopes of output, however busy the machine is: lines of a real command may come together.
const FIVE: &str = r#"
[[program]]
command = "five"
steps = [{ stdout = "1\n" }, { stdout = "2\n" }, { stdout = "3\n" }, { stdout = "4\n" }, { stdout = "5\n" }]
"#;

#[tokio::test]
async fn a_reset_comes_in_the_fifth_envelope_of_the_second_start_after_three_bytes() {
    let rule = "process.Process/Start #2 down[5] @3: reset";
    let script = Script::parse_expressions("test", rule).unwrap();
    let script = script.merge(Script::from_toml("programs", FIVE).unwrap()).unwrap();
    let mock = MockEnvd::builder().script(script).start().await.unwrap();
    let five = stream("/process.Process/Start", r#"{"process":{"cmd":"five"}}"#);
    let (whole, end) = everything(&mock, &five).await;
    assert_eq!((chunks(body(&whole)).1, end), (true, None));
    let (seen, end) = everything(&mock, &five).await;
    assert_eq!(end, Some(std::io::ErrorKind::ConnectionReset));
    let (bytes, last) = chunks(body(&seen));
    let whole = chunks(body(&whole)).0;
    let fifth = (0..4)
        .fold(0, |at, _| at + 5 + u32::from_be_bytes(whole[at + 1..at + 5].try_into().unwrap()) as usize);
    assert_eq!((bytes.len(), last), (fifth + 3, false));
    let calls = calls(&mock).await;
    assert_eq!(calls[1].end.as_deref(), Some("reset"));
    assert_eq!(calls[1].done[0].what, format!("RST at byte {}", fifth + 3));
    assert!(calls[0].done.is_empty());
}

#[tokio::test]
async fn output_is_aborted_at_its_byte_however_it_was_chunked() {
    let mock = mock("process.Process/Start stdout@4096: abort").await;
    let (seen, end) =
        everything(&mock, &start("head -c 3000 /dev/zero; sleep 0.02; head -c 3000 /dev/zero")).await;
    assert_eq!(end, None);
    let (bytes, last) = chunks(body(&seen));
    assert!(!last, "the last chunk came");
    let said: usize = envelopes(&bytes).iter().map(|json| stdout(json).len()).sum();
    assert_eq!(said, 4096);
}

fn envelopes(mut bytes: &[u8]) -> Vec<serde_json::Value> {
    let mut all = Vec::new();
    while let [_, a, b, c, d, rest @ ..] = bytes {
        let length = u32::from_be_bytes([*a, *b, *c, *d]) as usize;
        all.push(serde_json::from_slice(&rest[..length]).unwrap());
        bytes = &rest[length..];
    }
    all
}

fn stdout(message: &serde_json::Value) -> Vec<u8> {
    use base64::Engine as _;
    let text = message["event"]["data"]["stdout"].as_str().unwrap_or_default();
    base64::engine::general_purpose::STANDARD.decode(text).unwrap()
}

#[tokio::test]
async fn the_first_download_ends_after_a_mebibyte() {
    let mock = mock("GET /files #1 @1048576: cut").await;
    mock.guest().write_file("/tmp/big", vec![7; 3 << 20]).unwrap();
    let get = ask("GET /files?path=/tmp/big");
    let (seen, end) = everything(&mock, &get).await;
    assert_eq!((body(&seen).len(), end), (1 << 20, None));
    assert_eq!(get.send(mock.addr()).await.body.len(), 3 << 20);
}

#[tokio::test]
async fn the_first_three_inits_fail_and_then_all_is_well() {
    let mock = mock("POST /init #1..3: status 503 body=later header.retry-after=1").await;
    for n in 1..=4 {
        let answer = ask("POST /init").send(mock.addr()).await;
        let expected = if n <= 3 { (503, Some("1")) } else { (204, None) };
        assert_eq!((answer.status, answer.header("retry-after")), expected, "init {n}");
    }
}

#[tokio::test]
async fn the_third_connection_is_accepted_and_never_answered() {
    let mock = mock("connection #3: stall").await;
    for _ in 0..2 {
        assert_eq!(ask("GET /health").send(mock.addr()).await.status, 200);
    }
    let mut third = TcpStream::connect(mock.addr()).await.unwrap();
    third.write_all(b"GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
    assert_eq!(ask("GET /health").send(mock.addr()).await.status, 200);
    let mut byte = [0];
    assert!(tokio::time::timeout(Duration::from_millis(100), third.read(&mut byte)).await.is_err());
}

#[tokio::test]
async fn a_delay_is_on_the_mocks_clock() {
    let script = Script::parse_expressions("test", "GET /health: delay 15m").unwrap();
    let mock = MockEnvd::builder().script(script).clock(Pace::Manual).start().await.unwrap();
    let (clock, address) = (mock.clock(), mock.addr());
    let asked = tokio::spawn(async move { ask("GET /health").send(address).await.status });
    assert_eq!(clock.waited_for().await, Duration::from_secs(900));
    assert!(!asked.is_finished());
    clock.advance(Duration::from_secs(900)).unwrap();
    assert_eq!(asked.await.unwrap(), 200);
}

#[tokio::test]
async fn nobody_listens_while_connections_are_refused() {
    let mock = mock("connection: refuse").await;
    let refused = TcpStream::connect(mock.addr()).await.unwrap_err();
    assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
    mock.faults().replace(Script::default()).unwrap();
    let answered = tokio::time::timeout(PATIENCE, async {
        while TcpStream::connect(mock.addr()).await.is_err() {
            tokio::task::yield_now().await;
        }
        ask("GET /health").send(mock.addr()).await.status
    });
    assert_eq!(answered.await.unwrap(), 200);
}

#[tokio::test]
async fn a_client_asks_for_a_fault_by_a_header_where_that_is_heard() {
    let mock = MockEnvd::builder().faults_from_header(true).start().await.unwrap();
    let asked = |fault: &str| ask("GET /health").with("x-envd-fault", fault);
    assert_eq!(asked("status 418").send(mock.addr()).await.status, 418);
    assert_eq!(everything(&mock, &asked("reset")).await.1, Some(std::io::ErrorKind::ConnectionReset));
    let refused = asked("explode").send(mock.addr()).await;
    assert_eq!(refused.status, 400);
    assert!(refused.text().contains("explode"), "{}", refused.text());
    let deaf = MockEnvd::start().await.unwrap();
    assert_eq!(asked("status 418").send(deaf.addr()).await.status, 200);
}

#[tokio::test]
async fn a_zombie_answers_once_and_resets_on_the_next_byte() {
    let mock = mock("POST /snapshot/prepare: zombie").await;
    let mut wire = Wire::open(mock.addr()).await;
    wire.write(&ask("POST /snapshot/prepare").with("connection", "keep-alive").bytes(mock.addr())).await;
    assert_eq!(wire.answer(false).await.status, 204);
    let done = tokio::time::timeout(PATIENCE, async {
        while calls(&mock).await[0].done.is_empty() {
            tokio::task::yield_now().await;
        }
    });
    done.await.unwrap();
    let (seen, end) = wire.rest_after(b"G").await;
    assert_eq!((seen.as_slice(), end), (&b""[..], Some(std::io::ErrorKind::ConnectionReset)));
}
