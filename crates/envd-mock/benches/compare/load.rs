//! The load: keep-alive connections over bare sockets, each with one call at a time, from one thread.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// A request, byte for byte, and what its answer has to begin with.
#[derive(Debug, Clone)]
pub(crate) struct Request(pub(crate) Vec<u8>);

impl Request {
    pub(crate) fn get(path: &str) -> Self {
        Self(format!("GET {path} HTTP/1.1\r\nhost: localhost\r\naccept: */*\r\n\r\n").into())
    }

    pub(crate) fn post(path: &str, kind: &str, body: &[u8]) -> Self {
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: localhost\r\naccept: */*\r\ncontent-type: {kind}\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        Self([head.as_bytes(), body].concat())
    }

    /// An upload of `bytes` bytes as a form of one part.
    pub(crate) fn upload(path: &str, bytes: usize) -> Self {
        let before = b"--b\r\ncontent-disposition: form-data; name=\"file\"; filename=\"f\"\r\n\r\n";
        let body = [before.as_slice(), &vec![b'x'; bytes], b"\r\n--b--\r\n"].concat();
        Self::post(&format!("/files?path={path}"), "multipart/form-data; boundary=b", &body)
    }
}

/// Sends `request` over and over on each of `connections` for `length`; the calls that were answered and the time.
pub(crate) fn drive(
    address: SocketAddr,
    connections: usize,
    request: &Request,
    length: Duration,
) -> (u64, Duration) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let mut sockets = Vec::new();
        for _ in 0..connections {
            let mut socket = TcpStream::connect(address).await.expect("it listens");
            socket.set_nodelay(true).expect("a socket");
            // The first call of a connection is not what is measured.
            call(&mut socket, request, &mut vec![0; 4096]).await;
            sockets.push(socket);
        }
        let begin = Instant::now();
        let end = begin + length;
        let tasks: Vec<_> = sockets
            .into_iter()
            .map(|mut socket| {
                let request = request.clone();
                tokio::spawn(async move {
                    let (mut calls, mut buffer) = (0, vec![0; 4096]);
                    while Instant::now() < end {
                        call(&mut socket, &request, &mut buffer).await;
                        calls += 1;
                    }
                    calls
                })
            })
            .collect();
        let mut calls = 0;
        for task in tasks {
            calls += task.await.expect("no call failed");
        }
        (calls, begin.elapsed())
    })
}

/// One call, to the last byte of its answer.
async fn call(socket: &mut TcpStream, request: &Request, buffer: &mut Vec<u8>) {
    socket.write_all(&request.0).await.expect("it reads");
    let mut seen = 0;
    loop {
        let count = socket.read(&mut buffer[seen..]).await.expect("it answers");
        assert!(count > 0, "expected an answer, got FIN");
        seen += count;
        match length(&buffer[..seen]) {
            Some(Length::Known(whole)) if seen >= whole => return,
            // Nothing follows the last chunk but the end of the trailers, of which there are none.
            Some(Length::Chunked) if buffer[..seen].ends_with(b"\r\n0\r\n\r\n") => return,
            Some(Length::Known(whole)) => buffer.resize(buffer.len().max(whole), 0),
            _ => buffer.resize(buffer.len().max(seen * 2), 0),
        }
    }
}

/// How long an answer is, head included.
enum Length {
    Known(usize),
    Chunked,
}

/// How long an answer is whose head has come.
fn length(answer: &[u8]) -> Option<Length> {
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let head = std::str::from_utf8(&answer[..end]).expect("a head in ASCII");
    assert!(head.starts_with("HTTP/1.1 200"), "expected 200, got: {head}");
    let value = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then_some(value)
    });
    let known = |value: &str| Length::Known(end + value.trim().parse::<usize>().expect("a number"));
    Some(value.map_or(Length::Chunked, known))
}
