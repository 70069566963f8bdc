//! The proxy: a real envd's traffic passes as it is, and goes wrong where a rule says so.

use std::net::SocketAddr;

use bytes::Bytes;
use envd_client::{Client, Event};
use envd_mock::journal::{CallEntry, Entry};
use envd_mock::{MockEnvd, Proxy, StartError, UpstreamProtocol};
use http::{Request, header};
use http_body_util::{BodyExt as _, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::AsyncReadExt as _;
use tokio::net::{TcpListener, TcpStream};

use crate::bare::{Answer, PATIENCE, Wire, ask, envelope, stream, unary};
use crate::binary::{Binary, client};
use crate::memory::{peak, reset_peak};

const START: &str = "/process.Process/Start";

async fn pair() -> (MockEnvd, Proxy) {
    let mock = MockEnvd::start().await.unwrap();
    let proxy = Proxy::to(&mock.url()).unwrap().start().await.unwrap();
    (mock, proxy)
}

fn client_of(url: &str) -> Client {
    Client::builder().base_url(url).build().unwrap()
}

fn calls(entries: Vec<Entry>) -> Vec<CallEntry> {
    let call = |entry| match entry {
        Entry::Call(call) => Some(*call),
        _ => None,
    };
    entries.into_iter().filter_map(call).collect()
}

fn control(proxy: &Proxy) -> SocketAddr {
    proxy.control_url().trim_start_matches("http://").parse().unwrap()
}

/// Everything that is not a date.
fn undated(mut answer: Answer) -> (u16, Vec<(String, String)>, Vec<u8>) {
    assert_eq!(answer.headers.iter().filter(|(name, _)| name == "date").count(), 1, "{answer:?}");
    answer.headers.retain(|(name, _)| name != "date");
    answer.headers.sort();
    (answer.status, answer.headers, answer.body)
}

#[tokio::test]
async fn what_no_rule_concerns_passes_as_it_is() {
    let (mock, proxy) = pair().await;
    mock.guest().write_file("/tmp/a", "0123456789").unwrap();
    for call in [
        ask("GET /health"),
        ask("HEAD /files?path=/tmp/a"),
        ask("GET /files?path=/tmp/a").with("range", "bytes=2-4"),
        ask("OPTIONS /files").with("origin", "http://localhost").with("access-control-request-method", "GET"),
        ask("GET /nowhere"),
        ask("PUT /health"),
        unary("/process.Process/List", "{}"),
        unary("/filesystem.Filesystem/Stat", r#"{"path":"/nope"}"#),
        stream("/process.Process/Connect", r#"{"process":{"pid":4242}}"#),
        ask("POST /files?path=/tmp/b")
            .with("content-type", "multipart/form-data; boundary=B")
            .body("--B--\r\n"),
    ] {
        let direct = undated(call.send(mock.addr()).await);
        assert_eq!(undated(call.send(proxy.addr()).await), direct, "{call:?}");
    }
    let known: Vec<bool> =
        calls(proxy.faults().settled_journal().await).iter().map(|call| call.known).collect();
    assert_eq!(known, [true, true, true, true, false, true, true, true, true, true]);
}

#[tokio::test]
async fn a_length_stays_a_length_and_chunks_stay_chunks() {
    let (mock, proxy) = pair().await;
    mock.guest().write_file("/tmp/a", "hello").unwrap();
    let file = ask("GET /files?path=/tmp/a").with("accept-encoding", "identity").send(proxy.addr()).await;
    assert_eq!((file.header("content-length"), file.header("transfer-encoding")), (Some("5"), None));
    let start = stream(START, r#"{"process":{"cmd":"true"}}"#).send(proxy.addr()).await;
    assert_eq!((start.header("content-length"), start.header("transfer-encoding")), (None, Some("chunked")));
}

#[tokio::test]
async fn files_of_64_mebibytes_pass_in_constant_memory() {
    const SIZE: usize = 64 << 20;
    let mock = MockEnvd::start().await.unwrap();
    let proxy = Binary::start(&["proxy", "--upstream", &mock.url()]);
    let client = client(&proxy);
    client.write_file("/tmp/warm", "up").await.unwrap();
    client.read_file("/tmp/warm").await.unwrap();
    reset_peak(proxy.pid());
    let before = peak(proxy.pid());

    let content: Bytes = (0..SIZE / 4).flat_map(|n| u32::try_from(n).unwrap().to_le_bytes()).collect();
    let pieces: Vec<_> =
        content.chunks(1 << 20).map(|piece| Ok::<_, std::io::Error>(content.slice_ref(piece))).collect();
    client.write_file_stream("/tmp/big", futures::stream::iter(pieces)).await.unwrap();
    assert!(mock.guest().read_file("/tmp/big").unwrap() == content);
    let (mut body, mut read) = (client.read_file_stream("/tmp/big").await.unwrap(), 0);
    while let Some(piece) = body.next().await {
        let piece = piece.unwrap();
        assert!(content[read..read + piece.len()] == piece);
        read += piece.len();
    }
    assert_eq!(read, SIZE);

    let grown = peak(proxy.pid()).saturating_sub(before);
    assert!(grown < 16 << 20, "grew by {} MiB", grown >> 20);
}

#[tokio::test]
async fn events_come_while_the_process_runs() {
    let (mock, proxy) = pair().await;
    let call = stream(START, r#"{"process":{"cmd":"sh","args":["-c","echo hello; exec cat"]},"tag":"t"}"#);
    let mut wire = Wire::open(proxy.addr()).await;
    wire.write(&call.bytes(proxy.addr())).await;
    wire.until(|bytes| String::from_utf8_lossy(bytes).contains("aGVsbG8K")).await;
    assert_eq!(mock.guest().processes().len(), 1);
    let input = r#"{"process":{"tag":"t"},"input":{"stdin":"bW9yZQ=="}}"#;
    assert_eq!(unary("/process.Process/SendInput", input).send(proxy.addr()).await.status, 200);
    wire.until(|bytes| String::from_utf8_lossy(bytes).contains("bW9yZQ==")).await;
}

#[tokio::test]
async fn one_connection_stands_behind_one_connection() {
    let (mock, proxy) = pair().await;
    let mut wire = Wire::open(proxy.addr()).await;
    for _ in 0..3 {
        wire.write(&ask("GET /health").with("connection", "keep-alive").bytes(proxy.addr())).await;
        assert_eq!(wire.answer(false).await.status, 200);
    }
    let seen: Vec<u64> =
        calls(mock.faults().settled_journal().await).iter().map(|call| call.connection).collect();
    assert_eq!(seen, [1, 1, 1]);
}

async fn http2(
    address: SocketAddr,
    request: Request<Full<Bytes>>,
) -> (http::Response<Bytes>, Option<http::HeaderMap>) {
    let stream = TcpStream::connect(address).await.unwrap();
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    let connection = tokio::spawn(connection);
    let response = tokio::time::timeout(PATIENCE, sender.send_request(request)).await.unwrap().unwrap();
    let (head, body) = response.into_parts();
    let body = tokio::time::timeout(PATIENCE, body.collect()).await.unwrap().unwrap();
    connection.abort();
    let trailers = body.trailers().cloned();
    (http::Response::from_parts(head, body.to_bytes()), trailers)
}

fn grpc(proxy: &Proxy, message: &str) -> Request<Full<Bytes>> {
    Request::post(format!("{}/filesystem.Filesystem/Stat", proxy.url()))
        .header(header::CONTENT_TYPE, "application/grpc+json")
        .header(header::TE, "trailers")
        .body(Full::from(envelope(0, message)))
        .unwrap()
}

#[tokio::test]
async fn http2_is_handed_on_as_http2_with_its_trailers() {
    let (mock, proxy) = pair().await;
    let (found, trailers) = http2(proxy.addr(), grpc(&proxy, r#"{"path":"/tmp"}"#)).await;
    assert_eq!((found.status().as_u16(), trailers.unwrap()["grpc-status"].as_bytes()), (200, &b"0"[..]));
    assert!(String::from_utf8_lossy(found.body()).contains("FILE_TYPE_DIRECTORY"));
    let (missing, trailers) = http2(proxy.addr(), grpc(&proxy, r#"{"path":"/nope"}"#)).await;
    let status = trailers.as_ref().unwrap_or(missing.headers()).get("grpc-status").cloned();
    assert_eq!(status.unwrap(), "5");
    let protocols: Vec<String> =
        calls(mock.faults().settled_journal().await).into_iter().map(|call| call.protocol).collect();
    assert_eq!(protocols, ["HTTP/2", "HTTP/2"]);
}

#[tokio::test]
async fn the_upstream_can_be_spoken_to_otherwise_than_the_client_speaks() {
    let mock = MockEnvd::start().await.unwrap();
    for (protocol, seen) in [(UpstreamProtocol::H1, "HTTP/1.1"), (UpstreamProtocol::H2, "HTTP/2")] {
        let proxy = Proxy::to(&mock.url()).unwrap().upstream_protocol(protocol).start().await.unwrap();
        let request = Request::get(format!("{}/health", proxy.url())).body(Full::default()).unwrap();
        assert_eq!(http2(proxy.addr(), request).await.0.status().as_u16(), 200);
        assert_eq!(ask("GET /health").send(proxy.addr()).await.status, 200);
        let start = stream(START, r#"{"process":{"cmd":"true"}}"#).send(proxy.addr()).await;
        assert_eq!(start.envelopes().last().unwrap().0, 2);
        let last = calls(mock.faults().settled_journal().await).split_off(0);
        assert!(last.iter().rev().take(3).all(|call| call.protocol == seen), "{last:?}");
    }
}

#[tokio::test]
async fn an_upstream_that_is_not_there_is_502_with_its_name() {
    let address = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let proxy = Proxy::to(&format!("http://{address}")).unwrap().start().await.unwrap();
    let answer = ask("GET /health").send(proxy.addr()).await;
    let message = answer.json()["message"].as_str().unwrap().to_owned();
    assert_eq!((answer.status, answer.json()["code"].as_u64()), (502, Some(502)));
    assert!(message.starts_with(&format!("the upstream http://{address} cannot connect: ")), "{message}");
}

/// An upstream that answers one call with these bytes and closes.
async fn breaks_off(answer: &'static [u8]) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        use tokio::io::AsyncWriteExt as _;
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut seen = Vec::new();
        while !seen.ends_with(b"\r\n\r\n") {
            stream.read_buf(&mut seen).await.unwrap();
        }
        stream.write_all(answer).await.unwrap();
    });
    address
}

#[tokio::test]
async fn an_upstream_that_breaks_off_is_no_clean_end() {
    const CHUNKED: &[u8] = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n";
    const SIZED: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhello";
    for (answer, end) in [(CHUNKED, &b"5\r\nhello\r\n"[..]), (SIZED, b"hello")] {
        let upstream = breaks_off(answer).await;
        let proxy = Proxy::to(&format!("http://{upstream}")).unwrap().start().await.unwrap();
        let mut wire = Wire::open(proxy.addr()).await;
        wire.write(&ask("GET /files?path=/a").bytes(proxy.addr())).await;
        wire.until(|bytes| bytes.ends_with(end)).await;
        wire.ends().await;
        assert!(wire.seen().ends_with(end));
        assert_eq!(calls(proxy.faults().settled_journal().await)[0].end.as_deref(), Some("failed"));
    }
}

#[tokio::test]
async fn an_upstream_that_resets_is_no_clean_end_on_either_protocol() {
    let reset = "process.Process/Start down[2]: reset".parse().unwrap();
    let mock = MockEnvd::builder().fault(reset).start().await.unwrap();
    let proxy = Proxy::to(&mock.url()).unwrap().start().await.unwrap();
    let call = stream(START, r#"{"process":{"cmd":"echo","args":["hello"]}}"#);
    let mut wire = Wire::open(proxy.addr()).await;
    wire.write(&call.bytes(proxy.addr())).await;
    wire.ends().await;
    let seen = String::from_utf8_lossy(wire.seen()).into_owned();
    assert!(
        seen.contains(r#""start""#) && !seen.contains("aGVsbG8K") && !seen.ends_with("0\r\n\r\n"),
        "{seen:?}"
    );

    let client = reqwest::Client::builder().http2_prior_knowledge().build().unwrap();
    let request = client.post(format!("{}{START}", proxy.url()));
    let request = request.header("content-type", "application/connect+json");
    let body = envelope(0, r#"{"process":{"cmd":"echo","args":["hello"]}}"#);
    let mut answer = request.body(body).send().await.unwrap();
    assert!(answer.chunk().await.unwrap().is_some());
    assert!(answer.chunk().await.is_err());
}

#[tokio::test]
async fn a_client_that_leaves_ends_the_upstreams_call() {
    let (mock, proxy) = pair().await;
    let call = stream(START, r#"{"process":{"cmd":"sleep","args":["600"]}}"#);
    let mut wire = Wire::open(proxy.addr()).await;
    wire.write(&call.bytes(proxy.addr())).await;
    wire.until(|bytes| String::from_utf8_lossy(bytes).contains("start")).await;
    drop(wire);
    let client = reqwest::Client::builder().http2_prior_knowledge().build().unwrap();
    let body = envelope(0, r#"{"process":{"cmd":"sleep","args":["600"]}}"#);
    let request =
        client.post(format!("{}{START}", proxy.url())).header("content-type", "application/connect+json");
    let mut answer = request.body(body).send().await.unwrap();
    assert!(answer.chunk().await.unwrap().is_some());
    drop(answer);
    for side in [proxy.faults(), mock.faults()] {
        let ends: Vec<_> = calls(side.settled_journal().await).into_iter().map(|call| call.end).collect();
        assert_eq!(ends, [Some("abandoned".to_owned()), Some("abandoned".to_owned())]);
    }
}

#[tokio::test]
async fn rules_hold_in_front_of_a_real_guest() {
    let mock = MockEnvd::start().await.unwrap();
    let proxy = Proxy::to(&mock.url())
        .unwrap()
        .fault("process.Process/Start #1 down[2]: cut".parse().unwrap())
        .fault("GET /health #2: status 503".parse().unwrap())
        .start()
        .await
        .unwrap();
    let client = client_of(&proxy.url());
    let mut run = client.command("echo").args(["hello"]).stream().await.unwrap();
    assert!(matches!(run.next().await, Some(Ok(Event::Start { .. }))));
    assert!(matches!(run.next().await, Some(Err(_))));
    let output = client.command("echo").args(["hello"]).output().await.unwrap();
    assert_eq!(output.stdout, "hello\n");
    let health = async || ask("GET /health").send(proxy.addr()).await;
    assert_eq!([health().await.status, health().await.status, health().await.status], [200, 503, 200]);
    assert!(proxy.faults().report().iter().all(|rule| !rule.dead));
    // What the proxy answered by itself never came to the guest.
    assert_eq!(calls(mock.faults().settled_journal().await).len(), 4);
}

#[tokio::test]
async fn a_crash_is_the_proxys_alone() {
    let mock = MockEnvd::start().await.unwrap();
    let crash = "GET /health #1: crash".parse().unwrap();
    let proxy = Proxy::to(&mock.url()).unwrap().fault(crash).start().await.unwrap();
    let mut wire = Wire::open(proxy.addr()).await;
    wire.write(&ask("GET /health").bytes(proxy.addr())).await;
    wire.ends().await;
    assert!(wire.seen().is_empty());
    assert_eq!(ask("GET /health").send(mock.addr()).await.status, 200);
    let client = reqwest::Client::new();
    let back = async {
        while client.get(format!("{}/health", proxy.url())).send().await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, back).await.unwrap();
}

#[tokio::test]
async fn what_goes_wrong_inside_a_guest_is_refused_with_the_rule() {
    let rule = "process.Process/Start #1: exit-code 3".parse().unwrap();
    let refused = Proxy::to("http://127.0.0.1:1").unwrap().fault(rule).start().await.unwrap_err();
    assert_eq!(refused.exit_code(), 2);
    let text = refused.to_string();
    assert!(text.contains("exit-code") && text.contains("http://127.0.0.1:1"), "{text}");
    let proxy = Proxy::to("http://127.0.0.1:1").unwrap().faults_from_header(true).start().await.unwrap();
    let asked = ask("GET /health").with("x-envd-fault", "exit-code 3").send(proxy.addr()).await;
    assert_eq!(asked.status, 400, "{}", asked.text());
}

#[tokio::test]
async fn an_upload_that_is_refused_early_gets_its_answer() {
    let (_mock, proxy) = pair().await;
    let body =
        [b"--B\r\ncontent-disposition: form-data; name=\"file\"\r\n\r\n".as_slice(), &[7; 8 << 20]].concat();
    let upload = ask("POST /files?path=/tmp/a&username=ghost");
    let upload = upload.with("content-type", "multipart/form-data; boundary=B").body(body);
    let answer = upload.send(proxy.addr()).await;
    assert_eq!(answer.status, 401, "{}", answer.text());
    assert_eq!(ask("GET /health").send(proxy.addr()).await.status, 200);
}

#[tokio::test]
async fn a_client_that_asks_to_go_on_is_told_so() {
    let (mock, proxy) = pair().await;
    let call = unary("/process.Process/List", "{}").with("expect", "100-continue").bytes(proxy.addr());
    let (head, body) = call.split_at(call.len() - 2);
    let mut wire = Wire::open(proxy.addr()).await;
    wire.write(head).await;
    assert_eq!(wire.answer(true).await.status, 100);
    wire.write(body).await;
    assert_eq!(wire.answer(false).await.text(), "{}");
    assert_eq!(calls(mock.faults().settled_journal().await).len(), 1);
}

#[tokio::test]
async fn the_control_port_says_that_there_is_no_guest() {
    let (_mock, proxy) = pair().await;
    for line in ["GET /guest", "GET /guest/processes", "PUT /guest/files?path=/a"] {
        let answer = ask(line).send(control(&proxy)).await;
        assert_eq!((answer.status, answer.json()["code"].as_u64()), (404, Some(404)), "{line}");
    }
    let strange = ask("GET /health").with("host", "evil.example").send(proxy.addr()).await;
    assert_eq!(strange.status, 403);
}

#[tokio::test]
async fn the_command_names_its_upstream_and_refuses_bad_rules_before_it_is_ready() {
    let mock = MockEnvd::start().await.unwrap();
    let proxy = Binary::start(&["proxy", "--upstream", &mock.url(), "--fault", "GET /envs: status 418"]);
    assert_eq!(proxy.field("upstream"), mock.url());
    let mut events = client(&proxy).command("true").stream().await.unwrap();
    assert!(matches!(events.next().await, Some(Ok(Event::Start { .. }))));
    let address = proxy.field("url").trim_start_matches("http://").parse().unwrap();
    assert_eq!(ask("GET /envs").send(address).await.status, 418);
}

/// This address, with a port on which nobody listens.
async fn free(ip: &str) -> SocketAddr {
    TcpListener::bind((ip, 0)).await.unwrap().local_addr().unwrap()
}

#[tokio::test]
async fn a_proxy_before_itself_does_not_start() {
    // No other test asks for it meanwhile.
    let address = free("127.77.0.1").await;
    let upstream = format!("http://{address}");
    let error = Proxy::to(&upstream).unwrap().listen(address).start().await.unwrap_err();
    let expected = format!(
        "the upstream {upstream} is the proxy's own address {address}: it would call itself for ever"
    );
    assert_eq!((error.to_string(), error.exit_code()), (expected, 2));
    let error = Proxy::to(&upstream).unwrap().control(address).start().await.unwrap_err();
    assert!(matches!(error, StartError::OwnUpstream(_)), "{error}");
    let everywhere = free("0.0.0.0").await;
    let upstream = format!("http://127.0.0.1:{}", everywhere.port());
    let builder = Proxy::to(&upstream).unwrap().allow_remote(true).listen(everywhere);
    let error = builder.start().await.unwrap_err();
    assert!(matches!(error, StartError::OwnUpstream(_)), "{error}");
}

#[tokio::test]
async fn a_proxy_that_is_led_back_to_says_so() {
    let between = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let upstream = format!("http://{}", between.local_addr().unwrap());
    let proxy = Proxy::to(&upstream).unwrap().start().await.unwrap();
    let address = proxy.addr();
    tokio::spawn(async move {
        let (mut client, _) = between.accept().await.unwrap();
        let mut back = TcpStream::connect(address).await.unwrap();
        tokio::io::copy_bidirectional(&mut client, &mut back).await
    });
    let answer = ask("GET /health").send(address).await;
    let message = format!("the upstream {upstream} leads back to this proxy");
    assert_eq!((answer.status, answer.json()["message"].as_str()), (508, Some(&*message)));
    let statuses: Vec<_> =
        calls(proxy.faults().settled_journal().await).iter().map(|call| call.status).collect();
    assert_eq!(statuses, [Some(508), Some(508)]);
}

#[tokio::test]
async fn the_upstream_sees_every_proxy_on_the_way() {
    let (mock, near) = pair().await;
    let far = Proxy::to(&near.url()).unwrap().start().await.unwrap();
    let answer = ask("GET /health").with("via", "1.0 fred").send(far.addr()).await;
    assert_eq!((answer.status, answer.header("via")), (200, None));
    let call = calls(mock.faults().settled_journal().await).remove(0);
    let via: Vec<&str> =
        call.headers.iter().filter(|(name, _)| name == "via").map(|(_, value)| value.as_str()).collect();
    assert_eq!((via.len(), via[0]), (3, "1.0 fred"), "{via:?}");
    assert!(via[1..].iter().all(|hop| hop.starts_with("1.1 envd-mock-")) && via[1] != via[2], "{via:?}");
}
