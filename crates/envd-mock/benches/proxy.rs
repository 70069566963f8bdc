//! What `envd-mock proxy` adds to a call and takes from a download, beside Toxiproxy in the same run: both as programs of
//! their own in front of the same mock, without a rule and without a toxic.
//!
//! Toxiproxy's server is looked for in `TOXIPROXY_SERVER`, else as `toxiproxy-server` on the PATH; without it this
//! refuses to run: `go install github.com/Shopify/toxiproxy/v2/cmd/server@v2.12.0` builds it.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use serde_json::{Value, json};

const BULK: u64 = 64 << 20;
const PATIENCE: Duration = Duration::from_secs(10);
/// Rules that nothing here meets.
const UNMATCHED: &str = "* header.x-never=yes: status 503";

/// A program that is killed when it is dropped.
struct Program {
    child: Child,
    address: SocketAddr,
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The command, with these arguments, once it has told where it listens.
fn envd_mock(args: &[&str]) -> Program {
    let mut child = Command::new(env!("CARGO_BIN_EXE_envd-mock"))
        .args(args)
        .args(["--listen", "127.0.0.1:0"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("the mock starts");
    let mut line = String::new();
    BufReader::new(child.stdout.take().expect("a pipe")).read_line(&mut line).expect("a ready line");
    let url = line.split_once("url=http://").expect("a ready line with its URL").1;
    let address = url.split_whitespace().next().expect("a URL").trim_end_matches('/');
    Program { address: address.parse().expect("an address"), child }
}

fn toxiproxy(upstream: SocketAddr) -> Program {
    let server = std::env::var("TOXIPROXY_SERVER").unwrap_or_else(|_| "toxiproxy-server".to_owned());
    let free = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let control = free.local_addr().expect("an address");
    drop(free);
    let child = Command::new(&server)
        .args(["-host", "127.0.0.1", "-port", &control.port().to_string()])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap_or_else(|error| {
            panic!(
                "{server}: {error}; expected Toxiproxy's server, built by \
                 `go install github.com/Shopify/toxiproxy/v2/cmd/server@v2.12.0`, in TOXIPROXY_SERVER"
            )
        });
    let mut program = Program { child, address: control };
    let until = Instant::now() + PATIENCE;
    let mut socket = loop {
        match TcpStream::connect(control) {
            Ok(socket) => break socket,
            Err(error) => assert!(Instant::now() < until, "{server} does not listen: {error}"),
        }
        std::thread::yield_now();
    };
    let body =
        json!({"name": "envd", "listen": "127.0.0.1:0", "upstream": upstream.to_string(), "enabled": true});
    let body = body.to_string();
    let length = body.len();
    write!(socket, "POST /proxies HTTP/1.0\r\nhost: {control}\r\ncontent-length: {length}\r\n\r\n{body}")
        .expect("it reads");
    let mut answer = String::new();
    socket.read_to_string(&mut answer).expect("it answers");
    let body = answer.split_once("\r\n\r\n").expect("a body").1;
    let made: Value = serde_json::from_str(body).expect("JSON");
    program.address = made["listen"].as_str().expect("where it listens").parse().expect("an address");
    program
}

fn open(address: SocketAddr) -> TcpStream {
    let socket = TcpStream::connect(address).expect("it listens");
    socket.set_nodelay(true).expect("a socket");
    socket.set_read_timeout(Some(PATIENCE)).expect("a socket");
    socket
}

/// One call on a connection that stays; gives back how many bytes its body had.
fn get(socket: &mut TcpStream, target: &str, buffer: &mut [u8]) -> u64 {
    write!(socket, "GET {target} HTTP/1.1\r\nhost: localhost\r\n\r\n").expect("it reads");
    let mut head = Vec::new();
    let end = loop {
        let count = socket.read(buffer).expect("it answers");
        assert!(count > 0, "expected an answer, got FIN");
        head.extend_from_slice(&buffer[..count]);
        if let Some(end) = head.windows(4).position(|four| four == b"\r\n\r\n") {
            break end + 4;
        }
    };
    let text = String::from_utf8_lossy(&head[..end]).to_ascii_lowercase();
    let length = text.lines().find_map(|line| line.strip_prefix("content-length: "));
    let length: u64 = length.expect("a length").parse().expect("a number");
    let mut left = length - (head.len() - end) as u64;
    while left > 0 {
        let count = socket.read(buffer).expect("it goes on");
        assert!(count > 0, "expected {left} more bytes, got FIN");
        left -= count as u64;
    }
    length
}

/// A file of the guest.
fn upload(address: SocketAddr, path: &str, bytes: u64) {
    let before = "--b\r\ncontent-disposition: form-data; name=\"file\"; filename=\"f\"\r\n\r\n";
    let after = "\r\n--b--\r\n";
    let length = before.len() as u64 + bytes + after.len() as u64;
    let mut socket = open(address);
    write!(
        socket,
        "POST /files?path={path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\
         content-type: multipart/form-data; boundary=b\r\ncontent-length: {length}\r\n\r\n{before}"
    )
    .expect("it reads");
    std::io::copy(&mut std::io::repeat(7).take(bytes), &mut socket).expect("it reads on");
    socket.write_all(after.as_bytes()).expect("it reads the end");
    let mut answer = String::new();
    socket.read_to_string(&mut answer).expect("it answers");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

fn proxies(c: &mut Criterion) {
    let mock = envd_mock(&[]);
    let path = "/tmp/bulk";
    upload(mock.address, path, BULK);
    let upstream = format!("http://{}", mock.address);
    let plain = envd_mock(&["proxy", "--upstream", &upstream]);
    let ruled = envd_mock(&["proxy", "--upstream", &upstream, "--fault", UNMATCHED]);
    let toxic = toxiproxy(mock.address);
    let ways = [
        ("none", mock.address),
        ("envd-mock proxy", plain.address),
        ("envd-mock proxy, a rule", ruled.address),
        ("Toxiproxy", toxic.address),
    ];
    let mut buffer = vec![0; 256 * 1024];

    let mut group = c.benchmark_group("proxy, one call");
    group.throughput(Throughput::Elements(1));
    for (name, address) in ways {
        let mut socket = open(address);
        group.bench_function(BenchmarkId::new("GET /health", name), |b| {
            b.iter(|| get(&mut socket, "/health", &mut buffer));
        });
    }
    group.finish();

    let mut group = c.benchmark_group("proxy, download");
    group.throughput(Throughput::Bytes(BULK)).sample_size(10).measurement_time(Duration::from_secs(5));
    let target = format!("/files?path={path}");
    for (name, address) in ways {
        let mut socket = open(address);
        group.bench_function(BenchmarkId::new("64 MiB", name), |b| {
            b.iter(|| assert_eq!(get(&mut socket, &target, &mut buffer), BULK));
        });
    }
    group.finish();
}

criterion_group!(benches, proxies);
criterion_main!(benches);
