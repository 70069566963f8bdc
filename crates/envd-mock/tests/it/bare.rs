//! HTTP/1.1 by hand over a bare socket: what a test sends is what is on the wire, and what it sees is what was.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// No test waits longer for anything.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// A whole response.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Names as they were on the wire.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {:?}", self.text()))
    }

    /// Flag and payload of each envelope; panics when one is cut.
    pub(crate) fn envelopes(&self) -> Vec<(u8, Vec<u8>)> {
        let (mut rest, mut all) = (self.body.as_slice(), Vec::new());
        while let [flag, a, b, c, d, after @ ..] = rest {
            let length = u32::from_be_bytes([*a, *b, *c, *d]) as usize;
            all.push((*flag, after[..length].to_vec()));
            rest = &after[length..];
        }
        assert!(rest.is_empty(), "{} bytes behind the last envelope", rest.len());
        all
    }

    /// Code and message of the END_STREAM envelope's error.
    pub(crate) fn end_error(&self) -> (String, String) {
        assert_eq!(self.status, 200, "{self:?}");
        let (flag, end) = self.envelopes().pop().expect("an envelope");
        assert_eq!(flag, 2);
        let end: serde_json::Value = serde_json::from_slice(&end).unwrap();
        let field = |name: &str| end["error"][name].as_str().unwrap_or_default().to_owned();
        (field("code"), field("message"))
    }
}

/// A request in the making.
#[derive(Debug, Clone)]
pub(crate) struct Ask {
    line: String,
    headers: Vec<(String, String)>,
    body: Option<Vec<u8>>,
}

/// `ask("GET /health")`.
pub(crate) fn ask(line: &str) -> Ask {
    Ask { line: line.to_owned(), headers: Vec::new(), body: None }
}

/// A unary call in JSON.
pub(crate) fn unary(path: &str, json: &str) -> Ask {
    ask(&format!("POST {path}")).with("content-type", "application/json").body(json)
}

/// A streaming call in JSON, of one message.
pub(crate) fn stream(path: &str, json: &str) -> Ask {
    ask(&format!("POST {path}")).with("content-type", "application/connect+json").body(envelope(0, json))
}

/// Flag, length and payload.
pub(crate) fn envelope(flag: u8, payload: impl AsRef<[u8]>) -> Vec<u8> {
    let payload = payload.as_ref();
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&[flag], length.as_slice(), payload].concat()
}

impl Ask {
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = Some(body.into());
        self
    }

    /// The bytes of the request, with the usual headers unless given.
    pub(crate) fn bytes(&self, address: SocketAddr) -> Vec<u8> {
        let mut head = format!("{} HTTP/1.1\r\n", self.line);
        let length = self.body.as_ref().map(|body| body.len().to_string());
        let host = Some(address.to_string());
        for (name, value) in
            [("host", host), ("connection", Some("close".into())), ("content-length", length)]
        {
            let given = self.headers.iter().any(|(known, _)| known == name);
            if let Some(value) = value.filter(|_| !given) {
                head.push_str(&format!("{name}: {value}\r\n"));
            }
        }
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        [head.as_bytes(), b"\r\n", self.body.as_deref().unwrap_or_default()].concat()
    }

    /// Sends it on a connection of its own and reads the whole answer.
    pub(crate) async fn send(&self, address: SocketAddr) -> Answer {
        let mut wire = Wire::open(address).await;
        wire.write(&self.bytes(address)).await;
        let head = self.line.starts_with("HEAD");
        wire.answer(head).await
    }
}

/// One connection and what was read ahead of it.
pub(crate) struct Wire {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Wire {
    pub(crate) async fn open(address: SocketAddr) -> Self {
        Self { stream: TcpStream::connect(address).await.unwrap(), buffer: Vec::new() }
    }

    /// Writes, not minding a peer that has answered and closed.
    pub(crate) async fn write(&mut self, bytes: &[u8]) {
        let written = tokio::time::timeout(PATIENCE, self.stream.write_all(bytes)).await;
        let _ = written.expect("the peer reads");
    }

    /// Says that nothing more will come.
    pub(crate) async fn finish(&mut self) {
        self.stream.shutdown().await.unwrap();
    }

    /// Reads until `done` of what has come says so; returns what had come at that point.
    pub(crate) async fn until(&mut self, done: impl Fn(&[u8]) -> bool) -> &[u8] {
        while !done(&self.buffer) {
            assert!(self.more().await, "the peer closed after {:?}", String::from_utf8_lossy(&self.buffer));
        }
        &self.buffer
    }

    /// What has come so far and was not taken.
    pub(crate) fn seen(&self) -> &[u8] {
        &self.buffer
    }

    /// Reads to the end of the connection; true when it was orderly.
    pub(crate) async fn ends(&mut self) -> bool {
        while self.more().await {}
        true
    }

    /// Writes these bytes and reads until the peer ends: what came, and the error that it ended with.
    pub(crate) async fn rest_after(&mut self, bytes: &[u8]) -> (Vec<u8>, Option<std::io::ErrorKind>) {
        self.write(bytes).await;
        let mut rest = std::mem::take(&mut self.buffer);
        let end = tokio::time::timeout(PATIENCE, self.stream.read_to_end(&mut rest)).await.expect("an end");
        (rest, end.err().map(|error| error.kind()))
    }

    /// Reads to the end of the connection; all that came.
    pub(crate) async fn rest(&mut self) -> &[u8] {
        while self.more().await {}
        &self.buffer
    }

    /// Reads one response.
    pub(crate) async fn answer(&mut self, head_only: bool) -> Answer {
        let end = |bytes: &[u8]| find(bytes, b"\r\n\r\n").is_some();
        self.until(end).await;
        let at = find(&self.buffer, b"\r\n\r\n").unwrap();
        let head = String::from_utf8(self.buffer.drain(..at + 4).collect()).unwrap();
        let mut lines = head.lines();
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let headers: Vec<(String, String)> = lines
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        let mut answer = Answer { status, headers, body: Vec::new() };
        if !head_only && !matches!(status, 204 | 304) {
            answer.body = self.body(&answer).await;
        }
        answer
    }

    async fn body(&mut self, answer: &Answer) -> Vec<u8> {
        if answer.header("transfer-encoding") == Some("chunked") {
            return self.chunks().await;
        }
        let length: usize = answer.header("content-length").expect("a length or chunks").parse().unwrap();
        self.until(|bytes| bytes.len() >= length).await;
        self.buffer.drain(..length).collect()
    }

    async fn chunks(&mut self) -> Vec<u8> {
        let mut body = Vec::new();
        loop {
            self.until(|bytes| find(bytes, b"\r\n").is_some()).await;
            let at = find(&self.buffer, b"\r\n").unwrap();
            let line = String::from_utf8(self.buffer.drain(..at + 2).collect()).unwrap();
            let length = usize::from_str_radix(line.trim(), 16).unwrap();
            self.until(|bytes| bytes.len() >= length + 2).await;
            body.extend(self.buffer.drain(..length));
            self.buffer.drain(..2);
            if length == 0 {
                return body;
            }
        }
    }

    async fn more(&mut self) -> bool {
        let read = tokio::time::timeout(PATIENCE, self.stream.read_buf(&mut self.buffer)).await;
        read.expect("something within the patience").is_ok_and(|read| read > 0)
    }
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}
