//! HTTP/2 by hand: frames as bytes, and what they make of each stream. Answers what the peer must be answered
//! (SETTINGS, PING, windows) in bytes that the caller sends.

use std::collections::BTreeMap;
use std::time::Instant;

use super::answer::Answer;
use super::hpack;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
/// Frames of a kind that nobody knows are ignored (RFC 9113, section 4.1).
const UNKNOWN: u8 = 0xfa;
const END_STREAM: u8 = 1;
const ACK: u8 = 1;
const END_HEADERS: u8 = 4;
const HEADER_TABLE_SIZE: u8 = 1;
const MAX_CONCURRENT_STREAMS: u16 = 3;
const INITIAL_WINDOW_SIZE: u16 = 4;
/// The largest frame that needs no permission.
pub(super) const MOST: usize = 16_384;

/// What is known of a connection.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) streams: BTreeMap<u32, Answer>,
    pub(super) max_streams: Option<u32>,
    pub(super) went_away: bool,
    /// What may be sent, of the connection and of a new stream.
    pub(super) window: i64,
    stream_window: i64,
    /// How much of the windows of streams was used or given.
    given: BTreeMap<u32, i64>,
    read: usize,
}

impl Session {
    pub(super) fn new() -> Self {
        let streams = BTreeMap::new();
        Self {
            streams,
            max_streams: None,
            went_away: false,
            window: 65_535,
            stream_window: 65_535,
            given: BTreeMap::new(),
            read: 0,
        }
    }

    /// What a connection begins with: no dynamic table for us.
    pub(super) fn preface() -> Vec<u8> {
        [PREFACE, &frame(SETTINGS, 0, 0, &[0, HEADER_TABLE_SIZE, 0, 0, 0, 0])].concat()
    }

    /// What may be sent on a stream now, in bytes.
    pub(super) fn room(&self, stream: u32) -> usize {
        let of_stream = self.stream_window + self.given.get(&stream).copied().unwrap_or(0);
        usize::try_from(self.window.min(of_stream)).unwrap_or(0)
    }

    pub(super) fn data(&mut self, stream: u32, bytes: &[u8], last: bool) -> Vec<u8> {
        let used = i64::try_from(bytes.len()).unwrap_or(i64::MAX);
        self.window -= used;
        *self.given.entry(stream).or_default() -= used;
        frame(DATA, if last { END_STREAM } else { 0 }, stream, bytes)
    }

    /// Takes in the frames that have come whole; what is to be sent because of them.
    pub(super) fn take(&mut self, arrived: &[u8]) -> Vec<u8> {
        let mut answers = Vec::new();
        while let Some((kind, flags, stream, payload, length)) = next(&arrived[self.read..]) {
            self.read += length;
            self.frame(kind, flags, stream, payload, &mut answers);
        }
        answers
    }

    fn frame(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8], answers: &mut Vec<u8>) {
        match kind {
            SETTINGS if flags & ACK == 0 => {
                payload.chunks_exact(6).for_each(|one| self.setting(one));
                answers.extend(frame(SETTINGS, ACK, 0, &[]));
            }
            PING if flags & ACK == 0 => answers.extend(frame(PING, ACK, 0, payload)),
            GOAWAY => self.went_away = true,
            WINDOW_UPDATE => {
                let by = i64::from(word(payload) & 0x7fff_ffff);
                *if stream == 0 { &mut self.window } else { self.given.entry(stream).or_default() } += by;
            }
            HEADERS | DATA | RST_STREAM => self.of_stream(kind, flags, stream, payload, answers),
            _ => {}
        }
    }

    fn setting(&mut self, one: &[u8]) {
        match u16::from_be_bytes([one[0], one[1]]) {
            MAX_CONCURRENT_STREAMS => self.max_streams = Some(word(&one[2..])),
            INITIAL_WINDOW_SIZE => self.stream_window = word(&one[2..]).into(),
            _ => {}
        }
    }

    fn of_stream(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8], answers: &mut Vec<u8>) {
        let answer = self.streams.entry(stream).or_default();
        answer.last_at = Some(Instant::now());
        match kind {
            RST_STREAM => answer.reset = Some(word(payload)),
            HEADERS => headers(answer, payload),
            _ => {
                answer.body.extend_from_slice(payload);
                if !payload.is_empty() {
                    answer.pieces.push(payload.len());
                    let length = u32::try_from(payload.len()).unwrap_or(0).to_be_bytes();
                    answers.extend(frame(WINDOW_UPDATE, 0, 0, &length));
                    answers.extend(frame(WINDOW_UPDATE, 0, stream, &length));
                }
            }
        }
        answer.whole |= kind != RST_STREAM && flags & END_STREAM != 0;
    }
}

fn headers(answer: &mut Answer, block: &[u8]) {
    let mut fields = hpack::decode(block).unwrap_or_default();
    if answer.status.is_some() {
        answer.trailers = fields;
        return;
    }
    let status =
        fields.iter().find(|(name, _)| name == ":status").and_then(|(_, status)| status.parse().ok());
    fields.retain(|(name, _)| !name.starts_with(':'));
    if status == Some(100) {
        answer.continued = true;
        return;
    }
    (answer.status, answer.headers, answer.head_at) = (status, fields, Some(Instant::now()));
}

/// The frame that opens a stream.
pub(super) fn open(
    stream: u32,
    method: &str,
    target: &str,
    headers: &[(String, String)],
    host: &str,
    last: bool,
) -> Vec<u8> {
    let pseudo = [(":method", method), (":scheme", "http"), (":authority", host), (":path", target)];
    let fields = headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let block = hpack::encode(pseudo.into_iter().chain(fields));
    frame(HEADERS, END_HEADERS | if last { END_STREAM } else { 0 }, stream, &block)
}

/// So many bytes that mean nothing.
pub(super) fn noise(length: usize) -> Vec<u8> {
    frame(UNKNOWN, 0, 0, &vec![0; length])
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap_or(0).to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// Kind, flags, stream, payload and length of the first frame, once it is whole.
fn next(bytes: &[u8]) -> Option<(u8, u8, u32, &[u8], usize)> {
    let [a, b, c, kind, flags, stream @ ..] = *bytes.first_chunk::<9>()?;
    let length = usize::try_from(u32::from_be_bytes([0, a, b, c])).ok()?;
    let payload = bytes.get(9..9 + length)?;
    Some((kind, flags, u32::from_be_bytes(stream) & 0x7fff_ffff, payload, 9 + length))
}

fn word(bytes: &[u8]) -> u32 {
    bytes.first_chunk().map_or(0, |four| u32::from_be_bytes(*four))
}
