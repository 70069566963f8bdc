//! One connection of HTTP/2 and the requests on it. Every wait has a deadline.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::frame::{self, Frame};
use super::hpack;
use crate::observation::{Arrival, Ended, Exchange};
use crate::probe::ask::Ask;
use crate::probe::socket::SetupError;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// SETTINGS_HEADER_TABLE_SIZE 0, SETTINGS_ENABLE_PUSH 0.
const SETTINGS: [u8; 12] = [0, 1, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0];
/// Less than any peer has to take at once.
const LARGEST_DATA: usize = 16_384;

/// A connection with its streams.
#[derive(Debug)]
pub struct Http2 {
    socket: TcpStream,
    raw: Vec<u8>,
    host: String,
    streams: BTreeMap<u32, Stream>,
    next: u32,
    since: Instant,
    patience: Duration,
    over: Option<String>,
}

#[derive(Debug)]
struct Stream {
    seen: Exchange,
    block: Vec<u8>,
    since: Instant,
}

impl Http2 {
    /// Connects and says hello.
    ///
    /// # Errors
    /// [`SetupError::Connect`].
    pub async fn connect(address: SocketAddr, host: &str, patience: Duration) -> Result<Self, SetupError> {
        let failed = |why: String| SetupError::Connect { address, why };
        let connected = timeout(patience, TcpStream::connect(address)).await;
        let connected = connected.map_err(|_| failed(format!("no answer within {patience:?}")))?;
        let socket = connected.map_err(|error| failed(error.to_string()))?;
        let (raw, streams, since, host) = (Vec::new(), BTreeMap::new(), Instant::now(), host.to_owned());
        let mut http2 = Self { socket, raw, host, streams, next: 1, since, patience, over: None };
        let hello = [PREFACE, &Frame::new(frame::SETTINGS, 0, 0, SETTINGS).bytes()].concat();
        http2.write(&hello).await;
        Ok(http2)
    }

    /// Sends a request and returns the stream that it is on; its body has to fit the first window, 64 KiB.
    pub async fn send(&mut self, ask: &Ask) -> u32 {
        let id = self.next;
        self.next += 2;
        let seen = Exchange {
            host: self.host.clone(),
            method: ask.method.clone(),
            target: ask.target.clone(),
            sent_headers: ask.headers.clone(),
            sent: ask.body.clone(),
            http2: true,
            ..Exchange::default()
        };
        self.streams.insert(id, Stream { seen, block: Vec::new(), since: Instant::now() });
        let frames: Vec<u8> = self.request(id, ask).iter().flat_map(Frame::bytes).collect();
        self.write(&frames).await;
        id
    }

    fn request(&self, id: u32, ask: &Ask) -> Vec<Frame> {
        let mut block = Vec::new();
        let own = [
            (":method", &ask.method),
            (":scheme", &"http".into()),
            (":path", &ask.target),
            (":authority", &self.host),
        ];
        own.iter().for_each(|(name, value)| hpack::write(name, value, &mut block));
        ask.headers.iter().for_each(|(name, value)| hpack::write(name, value, &mut block));
        let last = if ask.body.is_empty() { frame::END_STREAM } else { 0 };
        let mut frames = vec![Frame::new(frame::HEADERS, frame::END_HEADERS | last, id, block)];
        let pieces: Vec<_> = ask.body.chunks(LARGEST_DATA).collect();
        frames.extend(pieces.iter().enumerate().map(|(at, piece)| {
            let flags = if at + 1 == pieces.len() { frame::END_STREAM } else { 0 };
            Frame::new(frame::DATA, flags, id, *piece)
        }));
        frames
    }

    /// Gives up a stream, as a client that no longer wants its answer.
    pub async fn cancel(&mut self, id: u32) {
        self.write(&Frame::new(frame::RST_STREAM, 0, id, 8u32.to_be_bytes()).bytes()).await;
    }

    /// Reads until `enough` says so of the stream, it is over, or the time of the connection has passed.
    pub async fn until(&mut self, id: u32, enough: impl Fn(&Exchange) -> bool) {
        let deadline = self.since + self.patience;
        let mut buffer = vec![0; 64 << 10];
        while self.going(id) && !self.streams.get(&id).is_some_and(|stream| enough(&stream.seen)) {
            let left = deadline.saturating_duration_since(Instant::now());
            match timeout(left, self.socket.read(&mut buffer)).await {
                Err(_) => return self.end(id, Ended::Late(self.patience)),
                Ok(Err(error)) => self.over = Some(error.to_string()),
                Ok(Ok(0)) => self.over = Some("closed".to_owned()),
                Ok(Ok(n)) => self.feed(&buffer[..n]).await,
            }
        }
        if let (true, Some(why)) =
            (self.streams.get(&id).is_some_and(|s| s.seen.ended == Ended::Left), self.over.clone())
        {
            self.end(id, Ended::Cut(format!("connection ended inside the stream: {why}")));
        }
    }

    fn going(&self, id: u32) -> bool {
        self.over.is_none() && self.streams.get(&id).is_some_and(|stream| stream.seen.ended == Ended::Left)
    }

    fn end(&mut self, id: u32, how: Ended) {
        if let Some(stream) = self.streams.get_mut(&id) {
            stream.seen.ended = how;
        }
    }

    /// What a stream has seen; it is forgotten.
    pub fn into_seen(&mut self, id: u32) -> Exchange {
        self.streams.remove(&id).map(|stream| stream.seen).unwrap_or_default()
    }

    async fn feed(&mut self, bytes: &[u8]) {
        self.raw.extend_from_slice(bytes);
        while let Some(frame) = Frame::take(&mut self.raw) {
            let answer = self.take(&frame);
            self.write(&answer).await;
        }
    }

    /// Takes a frame in, and says what is to be answered.
    fn take(&mut self, frame: &Frame) -> Vec<u8> {
        match frame.kind {
            frame::SETTINGS if !frame.has(frame::ACK) => {
                return Frame::new(frame::SETTINGS, frame::ACK, 0, []).bytes();
            }
            frame::PING if !frame.has(frame::ACK) => {
                return Frame::new(frame::PING, frame::ACK, 0, frame.payload.clone()).bytes();
            }
            frame::GOAWAY => self.over = Some(format!("GOAWAY {:?}", frame.payload.get(4..8))),
            frame::RST_STREAM => {
                self.end(frame.stream, Ended::Cut(format!("RST_STREAM {:?}", frame.payload)));
            }
            frame::HEADERS | frame::CONTINUATION | frame::DATA => return self.part(frame),
            _ => {}
        }
        Vec::new()
    }

    fn part(&mut self, frame: &Frame) -> Vec<u8> {
        let Some(stream) = self.streams.get_mut(&frame.stream) else { return Vec::new() };
        if frame.kind == frame::DATA {
            stream.seen.body.extend_from_slice(frame.content());
            let arrival = Arrival { after: stream.since.elapsed(), total: stream.seen.body.len() };
            stream.seen.arrivals.push(arrival);
        } else {
            stream.block.extend_from_slice(frame.content());
            if frame.has(frame::END_HEADERS) {
                stream.head();
            }
        }
        if frame.kind != frame::CONTINUATION
            && frame.has(frame::END_STREAM)
            && stream.seen.ended == Ended::Left
        {
            stream.seen.ended = Ended::Whole;
        }
        if frame.kind != frame::DATA || frame.payload.is_empty() {
            return Vec::new();
        }
        let more = u32::try_from(frame.payload.len()).unwrap_or_default().to_be_bytes();
        let update = |id| Frame::new(frame::WINDOW_UPDATE, 0, id, more).bytes();
        [update(0), if frame.has(frame::END_STREAM) { Vec::new() } else { update(frame.stream) }].concat()
    }

    async fn write(&mut self, bytes: &[u8]) {
        if let Ok(Err(error)) = timeout(self.patience, self.socket.write_all(bytes)).await {
            self.over = Some(error.to_string());
        }
    }
}

impl Stream {
    fn head(&mut self) {
        match hpack::read(&std::mem::take(&mut self.block)) {
            Err(why) => self.seen.ended = Ended::Cut(why),
            Ok(headers) => {
                let status = headers.iter().find(|(name, _)| name == ":status");
                self.seen.status = self.seen.status.or(status.and_then(|(_, value)| value.parse().ok()));
                self.seen.headers.extend(headers.into_iter().filter(|(name, _)| name != ":status"));
            }
        }
    }
}
