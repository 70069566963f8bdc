//! A mock that is wrong in one thing: a proxy of a few lines in front of a true one. It understands only what the kit
//! sends: one request on a connection, with its length.

use std::sync::Arc;

use conformance::probe::{Trouble, envelope};
use conformance::subject::{Embedded, Subject, Subjects};
use futures::future::BoxFuture;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// A request on its way to the mock, one char for each byte; its length must stay.
pub(crate) type OnRequest = fn(&mut String);
/// A whole answer on its way back.
pub(crate) type OnAnswer = Box<dyn Fn(&str, &mut Answer) + Send + Sync>;
/// One message of a JSON stream on its way back, with its flag: what goes on in its place.
pub(crate) type OnFrame = fn(u8, Value) -> Vec<(u8, Value)>;

/// What the proxy changes.
pub(crate) enum Change {
    /// Nothing: the proxy itself must not be what is caught.
    Nothing,
    /// Requests.
    Request(OnRequest),
    /// Answers to targets that begin so.
    Answer(&'static str, OnAnswer),
    /// Streams of targets that begin so.
    Frames(&'static str, OnFrame),
}

/// An answer that was read to its end.
pub(crate) struct Answer {
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// Replaces text in the head, which has to be there for the mutant to do anything.
    pub(crate) fn head(&mut self, from: &str, to: &str) {
        self.head = self.head.replace(from, to);
    }

    /// Replaces text in the body.
    pub(crate) fn body(&mut self, from: &str, to: &str) {
        self.body = String::from_utf8_lossy(&self.body).replace(from, to).into_bytes();
    }
}

/// A source of mocks behind proxies.
pub(crate) struct Mutated(pub(crate) Arc<Change>);

impl Subjects for Mutated {
    fn start(&self) -> BoxFuture<'_, Result<Subject, Trouble>> {
        Box::pin(async {
            let behind = Embedded.start().await?;
            let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
            let (address, upstream, change) =
                (listener.local_addr().unwrap(), behind.address, Arc::clone(&self.0));
            let serving = tokio::spawn(async move {
                while let Ok((client, _)) = listener.accept().await {
                    let change = Arc::clone(&change);
                    tokio::spawn(async move {
                        if let Ok(upstream) = TcpStream::connect(upstream).await {
                            let _ = pass(client, upstream, &change).await;
                        }
                    });
                }
            });
            let guard = (AbortOnDrop(serving), behind);
            Ok(Subject { address, host: address.to_string(), guard: Some(Box::new(guard)) })
        })
    }

    fn name(&self) -> String {
        "mutant".to_owned()
    }
}

struct AbortOnDrop(tokio::task::JoinHandle<()>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn pass(mut client: TcpStream, mut upstream: TcpStream, change: &Change) -> std::io::Result<()> {
    if let Change::Nothing = change {
        return tokio::io::copy_bidirectional(&mut client, &mut upstream).await.map(drop);
    }
    let mut request = request(&mut client).await?;
    if let Change::Request(edit) = change {
        // One char for each byte, so that what is no text comes back as it was.
        let mut text: String = request.iter().copied().map(char::from).collect();
        edit(&mut text);
        request = text.chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect();
    }
    let target = String::from_utf8_lossy(&request).split(' ').nth(1).unwrap_or_default().to_owned();
    upstream.write_all(&request).await?;
    match change {
        Change::Answer(prefix, edit) if target.starts_with(prefix) => {
            let mut raw = Vec::new();
            upstream.read_to_end(&mut raw).await?;
            let mut answer = whole(&raw);
            edit(&target, &mut answer);
            client.write_all(&answer.bytes()).await
        }
        Change::Frames(prefix, edit) if target.starts_with(prefix) => frames(client, upstream, *edit).await,
        // A body in chunks may go on behind what was read.
        _ => tokio::io::copy_bidirectional(&mut client, &mut upstream).await.map(drop),
    }
}

async fn request(client: &mut TcpStream) -> std::io::Result<Vec<u8>> {
    let (mut seen, mut buffer) = (Vec::new(), vec![0; 64 << 10]);
    loop {
        if let Some(head) = find(&seen, b"\r\n\r\n") {
            let text = String::from_utf8_lossy(&seen[..head]).to_ascii_lowercase();
            let length =
                text.split("content-length: ").nth(1).and_then(|rest| rest.lines().next()?.parse().ok());
            if seen.len() >= head + 4 + length.unwrap_or(0) {
                return Ok(seen);
            }
        }
        match client.read(&mut buffer).await? {
            0 => return Ok(seen),
            n => seen.extend_from_slice(&buffer[..n]),
        }
    }
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}

fn whole(raw: &[u8]) -> Answer {
    let end = find(raw, b"\r\n\r\n").unwrap() + 4;
    let head = String::from_utf8_lossy(&raw[..end]).into_owned();
    let (mut body, mut rest) = (Vec::new(), raw[end..].to_vec());
    if !head.contains("transfer-encoding: chunked") {
        return Answer { head, body: rest };
    }
    while let Some(chunk) = chunk(&mut rest) {
        body.extend(chunk);
    }
    Answer { head: head.replace("transfer-encoding: chunked\r\n", ""), body }
}

impl Answer {
    /// The length is told anew, since the body may have changed; where there is none, there stays none.
    fn bytes(&self) -> Vec<u8> {
        let mut head: Vec<_> = self.head.trim_end().split("\r\n").map(str::to_owned).collect();
        let empty = [" 204", " 304"].iter().any(|code| head[0].contains(code));
        head.retain(|line| !line.starts_with("content-length"));
        if !empty {
            head.push(format!("content-length: {}", self.body.len()));
        }
        [format!("{}\r\n\r\n", head.join("\r\n")).as_bytes(), &self.body].concat()
    }
}

/// Takes a whole chunk from the front; the last one, of no bytes, is none.
fn chunk(rest: &mut Vec<u8>) -> Option<Vec<u8>> {
    let line = find(rest, b"\r\n")?;
    let size = usize::from_str_radix(std::str::from_utf8(&rest[..line]).ok()?, 16).ok()?;
    if size == 0 || rest.len() < line + 2 + size + 2 {
        return None;
    }
    let data = rest[line + 2..line + 2 + size].to_vec();
    rest.drain(..line + 2 + size + 2);
    Some(data)
}

async fn frames(mut client: TcpStream, mut upstream: TcpStream, edit: OnFrame) -> std::io::Result<()> {
    let (mut raw, mut body, mut buffer, mut headed) = (Vec::new(), Vec::new(), vec![0; 64 << 10], false);
    loop {
        let n = upstream.read(&mut buffer).await?;
        raw.extend_from_slice(&buffer[..n]);
        if !headed && let Some(end) = find(&raw, b"\r\n\r\n") {
            client.write_all(&raw.drain(..end + 4).collect::<Vec<_>>()).await?;
            headed = true;
        }
        while headed && let Some(data) = chunk(&mut raw) {
            body.extend(data);
        }
        let (whole, rest) = envelope::read(&body);
        body.drain(..body.len() - rest);
        for frame in whole {
            for (flag, message) in edit(frame.flag, serde_json::from_slice(&frame.data).unwrap()) {
                let bytes = envelope::write(flag, message.to_string().as_bytes());
                client.write_all(format!("{:x}\r\n", bytes.len()).as_bytes()).await?;
                client.write_all(&[&bytes[..], b"\r\n"].concat()).await?;
            }
        }
        if n == 0 {
            return client.write_all(b"0\r\n\r\n").await;
        }
    }
}
