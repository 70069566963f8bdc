//! How much memory the command takes: after a lot of calls, while a full journal is read, while large directories are listed,
//! after a large script, and with many connections. `ENVD_MOCK_BINARIES` names other builds to measure beside this one,
//! separated by colons. Prints resident memory in MiB; docs/performance.md explains the rows.

#![expect(
    clippy::disallowed_methods,
    reason = "memory is given back a while after the work, and a slow client is slow"
)]

use std::fs;
use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

const CLIENTS: usize = 16;
const BATCH: usize = 50;
const FILES: usize = 200_000;
const RULES: usize = 200_000;
/// Long enough for memory to be given back.
const CALM: Duration = Duration::from_secs(4);
const PATIENCE: Duration = Duration::from_secs(300);

fn main() {
    let others = std::env::var("ENVD_MOCK_BINARIES").unwrap_or_default();
    let own = env!("CARGO_BIN_EXE_envd-mock");
    let only = std::env::args().skip(1).find(|word| !word.starts_with('-'));
    for binary in others.split(':').filter(|name| !name.is_empty()).chain([own]) {
        println!("\n{binary}");
        type Part = (&'static str, fn(&str));
        let parts: [Part; 5] = [
            ("journal", journal),
            ("list", lists),
            ("script", script),
            ("connections", connections),
            ("connections-http2", connections_http2),
        ];
        for (name, part) in parts {
            if only.as_deref().is_none_or(|only| name.starts_with(only)) {
                part(binary);
            }
        }
    }
}

fn row(what: &str, value: impl std::fmt::Display) {
    println!("  {what:<62}{value:>10}");
}

fn journal(binary: &str) {
    let mock = Mock::start(binary, &[]);
    row("just started", mib(mock.resident()));
    let began = Instant::now();
    mock.calls(200_000);
    row("after 200,000 calls", mib(mock.resident()));
    row("  microseconds a call", began.elapsed().as_micros() / 200_000);
    mock.calls(800_000);
    row("after 1,000,000 calls", mib(mock.resident()));
    thread::sleep(CALM);
    row("  a moment later", mib(mock.resident()));
    for path in ["/journal", "/journal/export", "/metrics", "/coverage"] {
        let before = mock.mark();
        let began = Instant::now();
        let length = get(&mock.control, path);
        row(&format!("GET {path}: the answer"), mib(length));
        row("  more at peak", mib(mock.peak().saturating_sub(before)));
        thread::sleep(CALM);
        row("  more afterwards", signed(mock.resident(), before));
        row("  milliseconds", (began.elapsed() - CALM).as_millis());
    }
    let before = mock.mark();
    let body = r#"[{"operation":"GET /nothing"}]"#;
    request(&mock.control, "POST", "/verify", "application/json", body.as_bytes());
    row("POST /verify: more at peak", mib(mock.peak().saturating_sub(before)));
    request(&mock.control, "DELETE", "/journal", "application/json", b"");
    thread::sleep(CALM);
    row("after DELETE /journal", mib(mock.resident()));
}

fn lists(binary: &str) {
    let mock = Mock::start(binary, &[]);
    let dir = Path::new(&mock.root).join("tmp/list");
    fs::create_dir(&dir).expect("a directory below the root");
    for n in 0..FILES {
        fs::write(dir.join(format!("file-with-a-usual-name-{n:06}.txt")), b"").expect("a file");
    }
    for (kind, body) in [("json", &br#"{"path":"/tmp/list"}"#[..]), ("proto", &b"\x0a\x09/tmp/list"[..])] {
        let list = || {
            request(
                &mock.address,
                "POST",
                "/filesystem.Filesystem/ListDir",
                &format!("application/{kind}"),
                body,
            )
        };
        let before = mock.mark();
        let length = list();
        row(&format!("ListDir of {FILES} files, {kind}: the answer"), mib(length));
        row("  more at peak", mib(mock.peak().saturating_sub(before)));
        thread::sleep(CALM);
        row("  more afterwards", signed(mock.resident(), before));
        let before = mock.mark();
        thread::scope(|scope| (0..8).for_each(|_| drop(scope.spawn(list))));
        row("  eight at once: more at peak", mib(mock.peak().saturating_sub(before)));
        thread::sleep(CALM);
        row("  more afterwards", signed(mock.resident(), before));
    }
}

fn script(binary: &str) {
    let mock = Mock::start(binary, &[]);
    let rule =
        |n: usize| format!(r#"{{"operation":"GET /files","path":"/never/{n}","fault":{{"kind":"reset"}}}}"#);
    let rules: Vec<_> = (0..RULES).map(rule).collect();
    let before = mock.mark();
    let text = format!(r#"{{"call":[{}]}}"#, rules.join(","));
    request(&mock.control, "PUT", "/script", "application/json", text.as_bytes());
    row(&format!("a script of {RULES} rules: more at peak"), mib(mock.peak().saturating_sub(before)));
    request(&mock.control, "PUT", "/script", "application/json", b"{}");
    thread::sleep(CALM);
    row("  more after it was replaced", signed(mock.resident(), before));
}

fn connections(binary: &str) {
    let mock = Mock::start(binary, &[]);
    let file = fs::File::create(Path::new(&mock.root).join("tmp/big")).expect("a file");
    file.set_len(64 << 20).expect("64 MiB");
    let before = mock.mark();
    let idle: Vec<_> = (0..1000).map(|_| idle(&mock.address)).collect();
    row("1,000 idle connections: more", mib(mock.resident().saturating_sub(before)));
    let stalled: Vec<_> = (0..200).map(|_| download(&mock.address)).collect();
    thread::sleep(CALM);
    row("  and 200 stalled ones: more", mib(mock.resident().saturating_sub(before)));
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..100 {
            let mut slow = download(&mock.address);
            let over = &over;
            scope.spawn(move || {
                let mut buffer = [0; 4096];
                while !over.load(Ordering::Relaxed) && slow.read(&mut buffer).is_ok_and(|read| read > 0) {
                    thread::sleep(Duration::from_millis(20));
                }
            });
        }
        thread::sleep(CALM);
        row("  and 100 slow ones: all in all", mib(mock.resident()));
        row("  at peak", mib(mock.peak()));
        over.store(true, Ordering::Relaxed);
    });
    drop((idle, stalled));
    thread::sleep(CALM);
    row("  more once they are closed", signed(mock.resident(), before));
}

/// Stalled downloads over HTTP/2, with the largest window that a client may grant.
fn connections_http2(binary: &str) {
    let mock = Mock::start(binary, &[]);
    let file = fs::File::create(Path::new(&mock.root).join("tmp/big")).expect("a file");
    file.set_len(64 << 20).expect("64 MiB");
    let before = mock.mark();
    let stalled: Vec<_> = (0..200).map(|_| download_http2(&mock.address)).collect();
    thread::sleep(CALM);
    row("200 stalled connections of HTTP/2: more", mib(mock.resident().saturating_sub(before)));
    drop(stalled);
}

fn idle(address: &str) -> TcpStream {
    let mut stream = connect(address);
    stream.write_all(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n").expect("a call is taken");
    let mut buffer = [0; 4096];
    assert!(stream.read(&mut buffer).expect("an answer") > 0);
    stream
}

fn download(address: &str) -> TcpStream {
    let mut stream = connect(address);
    stream
        .write_all(b"GET /files?path=/tmp/big HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .expect("a call is taken");
    stream
}

fn download_http2(address: &str) -> TcpStream {
    let mut stream = connect(address);
    let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    // SETTINGS with INITIAL_WINDOW_SIZE 2^31-1, and WINDOW_UPDATE of the connection.
    bytes.extend_from_slice(b"\x00\x00\x06\x04\x00\x00\x00\x00\x00\x00\x04\x7f\xff\xff\xff");
    bytes.extend_from_slice(b"\x00\x00\x04\x08\x00\x00\x00\x00\x00\x7f\xff\x00\x00");
    let path = b"/files?path=/tmp/big";
    let mut head = vec![0x82, 0x86, 0x04, path.len() as u8];
    head.extend_from_slice(path);
    head.extend_from_slice(b"\x01\x09localhost");
    bytes.extend_from_slice(&[0, 0, head.len() as u8, 1, 5, 0, 0, 0, 1]);
    bytes.extend_from_slice(&head);
    stream.write_all(&bytes).expect("a call is taken");
    stream
}

fn connect(address: &str) -> TcpStream {
    let stream = TcpStream::connect(address).expect("a connection");
    stream.set_read_timeout(Some(PATIENCE)).expect("a limit");
    stream
}

fn get(address: &str, path: &str) -> u64 {
    request(address, "GET", path, "text/plain", b"")
}

/// Bytes of the answer, which is read to its end.
fn request(address: &str, method: &str, path: &str, kind: &str, body: &[u8]) -> u64 {
    let mut stream = connect(address);
    let length = body.len();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: {kind}\r\n"
    );
    write!(stream, "{head}Content-Length: {length}\r\n\r\n").expect("a head is taken");
    stream.write_all(body).expect("a body is taken");
    let (mut read, mut buffer) = (0, vec![0; 256 << 10]);
    loop {
        match stream.read(&mut buffer).expect("an answer") {
            0 => return read,
            count => {
                if read == 0 && !buffer.starts_with(b"HTTP/1.1 2") {
                    println!("  {method} {path}: {}", String::from_utf8_lossy(&buffer[..count.min(200)]));
                }
                read += count as u64;
            }
        }
    }
}

struct Mock {
    child: Child,
    address: String,
    control: String,
    root: String,
}

impl Mock {
    fn start(binary: &str, words: &[&str]) -> Self {
        let mut command = Command::new(binary);
        command.args(words).args(["--listen", "127.0.0.1:0"]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("the binary runs");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("a pipe")).read_line(&mut line).expect("a line");
        let field = |key: &str| {
            let mut words = line.split_whitespace();
            words.find_map(|word| word.strip_prefix(key)?.strip_prefix('=')).expect("a field").to_owned()
        };
        let address = |key: &str| field(key).trim_start_matches("http://").to_owned();
        Self { address: address("url"), control: address("control"), root: field("root"), child }
    }

    /// So many calls over some connections.
    fn calls(&self, count: usize) {
        thread::scope(|scope| {
            for _ in 0..CLIENTS {
                scope.spawn(|| {
                    let mut stream = connect(&self.address);
                    let call = "GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: connect-go/1.19 (go1.25)\r\n\
                                Accept: */*\r\nAccept-Encoding: gzip\r\n\r\n";
                    for _ in 0..count / CLIENTS / BATCH {
                        stream.write_all(call.repeat(BATCH).as_bytes()).expect("calls are taken");
                        answers(&mut stream, BATCH);
                    }
                });
            }
        });
    }

    fn status(&self, key: &str) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("a process");
        let line = status.lines().find(|line| line.starts_with(key)).expect("a key");
        line.split_whitespace().nth(1).expect("a value").parse::<u64>().expect("a number") * 1024
    }

    fn resident(&self) -> u64 {
        self.status("VmRSS:")
    }

    fn peak(&self) -> u64 {
        self.status("VmHWM:")
    }

    /// Forgets the peak; what is resident now.
    fn mark(&self) -> u64 {
        fs::write(format!("/proc/{}/clear_refs", self.child.id()), "5").expect("a peak to forget");
        self.resident()
    }
}

impl Drop for Mock {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = Command::new("kill").arg(self.child.id().to_string()).status();
        let _ = self.child.wait();
    }
}

/// Reads so many answers without a body.
fn answers(stream: &mut TcpStream, count: usize) {
    let (mut seen, mut buffer, mut tail) = (0, [0; 32 << 10], Vec::new());
    while seen < count {
        let read = stream.read(&mut buffer).expect("answers");
        assert!(read > 0, "the mock closed a connection");
        tail.extend_from_slice(&buffer[..read]);
        let end = b"\r\n\r\n";
        seen += tail.windows(end.len()).filter(|window| window == end).count();
        // What may be the beginning of an end, and no end.
        tail.drain(..tail.len().saturating_sub(end.len() - 1));
    }
}

fn mib(bytes: u64) -> String {
    format!("{:.1}", bytes as f64 / f64::from(1 << 20))
}

fn signed(now: u64, before: u64) -> String {
    format!("{:+.1}", (now as f64 - before as f64) / f64::from(1 << 20))
}
