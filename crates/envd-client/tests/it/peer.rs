//! A guest of bytes: it accepts one connection at a time, shows the request and writes what the test says.

use std::time::Duration;

use envd_client::{Client, ClientBuilder, Generation};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) struct Peer {
    listener: TcpListener,
}

pub(crate) struct Conn {
    stream: TcpStream,
    buffer: Vec<u8>,
}

#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

/// Waits for `work`, never long.
pub(crate) async fn soon<T>(work: impl Future<Output = T>) -> T {
    timeout(PATIENCE, work).await.expect("this takes no time")
}

/// What `call` gets when the guest reads one request, writes `answer` and closes.
pub(crate) async fn answered<T>(answer: impl AsRef<[u8]>, call: impl AsyncFnOnce(Client) -> T) -> T {
    exchange(answer, call).await.0
}

/// The same, with the request that the guest saw.
pub(crate) async fn exchange<T>(
    answer: impl AsRef<[u8]>,
    call: impl AsyncFnOnce(Client) -> T,
) -> (T, Request) {
    let peer = Peer::bind().await;
    let client = peer.client();
    soon(async {
        tokio::join!(call(client), async {
            let mut conn = peer.accept().await;
            let request = conn.request().await;
            conn.send(answer.as_ref()).await;
            request
        })
    })
    .await
}

impl Peer {
    pub(crate) async fn bind() -> Self {
        Self { listener: TcpListener::bind("127.0.0.1:0").await.unwrap() }
    }

    /// Of a guest that need not be asked for its generation.
    pub(crate) fn builder(&self) -> ClientBuilder {
        self.unknown().generation(Generation::Two)
    }

    pub(crate) fn unknown(&self) -> ClientBuilder {
        Client::builder().base_url(format!("http://{}", self.listener.local_addr().unwrap()))
    }

    pub(crate) fn client(&self) -> Client {
        self.builder().build().unwrap()
    }

    pub(crate) async fn accept(&self) -> Conn {
        let (stream, _) = soon(self.listener.accept()).await.unwrap();
        Conn { stream, buffer: Vec::new() }
    }
}

impl Conn {
    /// The next request, with a body of a known length or in chunks.
    pub(crate) async fn request(&mut self) -> Request {
        let end = self.until(|bytes| find(bytes, b"\r\n\r\n")).await + 4;
        let head = String::from_utf8(self.buffer.drain(..end).collect()).unwrap();
        let lower = head.to_lowercase();
        if lower.contains("transfer-encoding: chunked") {
            let end = self.until(|bytes| find(bytes, b"0\r\n\r\n")).await + 5;
            return Request { head, body: unchunk(&self.buffer.drain(..end).collect::<Vec<u8>>()) };
        }
        let length = lower
            .split("content-length: ")
            .nth(1)
            .map_or(0, |rest| rest.split("\r\n").next().unwrap().parse::<usize>().unwrap());
        self.until(|bytes| (bytes.len() >= length).then_some(0)).await;
        Request { head, body: self.buffer.drain(..length).collect() }
    }

    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        soon(self.stream.write_all(bytes.as_ref())).await.unwrap();
    }

    /// Waits until the client has closed its side.
    pub(crate) async fn closed(&mut self) {
        let mut rest = Vec::new();
        soon(self.stream.read_to_end(&mut rest)).await.unwrap();
        assert_eq!(rest, b"", "nothing but FIN");
    }

    /// Whether the client's side is open and silent at this moment.
    pub(crate) fn is_open(&self) -> bool {
        let silent = self.stream.try_read(&mut [0; 1]);
        silent.is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock)
    }

    /// Ends with RST.
    pub(crate) fn reset(self) {
        socket2::SockRef::from(&self.stream).set_linger(Some(Duration::ZERO)).unwrap();
    }

    async fn until(&mut self, found: impl Fn(&[u8]) -> Option<usize>) -> usize {
        loop {
            if let Some(at) = found(&self.buffer) {
                return at;
            }
            let read = soon(self.stream.read_buf(&mut self.buffer)).await.unwrap();
            assert!(read > 0, "the request is cut: {:?}", String::from_utf8_lossy(&self.buffer));
        }
    }
}

impl Request {
    pub(crate) fn line(&self) -> &str {
        self.head.lines().next().unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (key, value) = line.split_once(": ")?;
            key.eq_ignore_ascii_case(name).then_some(value)
        })
    }
}

/// An answer with a length.
pub(crate) fn whole(status: &str, content_type: &str, body: impl AsRef<[u8]>) -> Vec<u8> {
    let body = body.as_ref();
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-type: {content_type}\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

/// The head of a stream of events in binary.
pub(crate) const STREAM: &str =
    "HTTP/1.1 200 OK\r\ncontent-type: application/connect+proto\r\ntransfer-encoding: chunked\r\n\r\n";

/// A whole stream of events: head, one chunk, last chunk.
pub(crate) fn stream(body: impl AsRef<[u8]>) -> Vec<u8> {
    [STREAM.as_bytes(), &chunk(body), b"0\r\n\r\n"].concat()
}

pub(crate) fn chunk(body: impl AsRef<[u8]>) -> Vec<u8> {
    let body = body.as_ref();
    if body.is_empty() {
        return Vec::new();
    }
    [format!("{:x}\r\n", body.len()).as_bytes(), body, b"\r\n"].concat()
}

/// `start { pid: 7 }` in its envelope, by hand.
pub(crate) const START: &[u8] = &[0, 0, 0, 0, 6, 0x0a, 4, 0x0a, 2, 8, 7];
/// `data { stdout: "hi" }`.
pub(crate) const HI: &[u8] = &[0, 0, 0, 0, 8, 0x0a, 6, 0x12, 4, 0x0a, 2, b'h', b'i'];
/// `data { stderr: "no" }`.
pub(crate) const NO: &[u8] = &[0, 0, 0, 0, 8, 0x0a, 6, 0x12, 4, 0x12, 2, b'n', b'o'];
/// `keepalive {}`.
pub(crate) const KEEPALIVE: &[u8] = &[0, 0, 0, 0, 4, 0x0a, 2, 0x22, 0];
/// `end { exit_code: 3, exited: true, status: "exit status: 3" }`.
pub(crate) const END: &[u8] = b"\x00\x00\x00\x00\x18\x0a\x16\x1a\x14\x08\x06\x10\x01\x1a\x0eexit status: 3";
/// END_STREAM without an error.
pub(crate) const END_STREAM: &[u8] = &[2, 0, 0, 0, 2, b'{', b'}'];

/// END_STREAM that holds `json`.
pub(crate) fn end_stream(json: &str) -> Vec<u8> {
    [&[2, 0, 0, 0, u8::try_from(json.len()).unwrap()], json.as_bytes()].concat()
}

fn find(bytes: &[u8], needle: &[u8]) -> Option<usize> {
    bytes.windows(needle.len()).position(|window| window == needle)
}

fn unchunk(mut bytes: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    while let Some(end) = find(bytes, b"\r\n") {
        let length = usize::from_str_radix(std::str::from_utf8(&bytes[..end]).unwrap(), 16).unwrap();
        body.extend_from_slice(&bytes[end + 2..end + 2 + length]);
        bytes = &bytes[end + length + 4..];
    }
    body
}
