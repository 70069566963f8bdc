//! A look at the first message of a request, for rules that ask what it names: read as far as needed, 4 MiB at most, and
//! put back in front of the rest. Files and streams are never held.

use std::io::Read as _;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use envd_proto::process::{
    CloseStdinRequest, ConnectRequest, ProcessSelector, SendInputRequest, SendSignalRequest, StartRequest,
    StreamInputRequest, UpdateRequest, process_selector, stream_input_request,
};
use envd_proto::{filesystem as fs, filesystem::rpc as fs_rpc, process::rpc as proc_rpc, rpc::Method};
use http::HeaderMap;
use http_body::Frame;
use http_body_util::BodyExt as _;
use prost::Name;

use crate::body::{Codec, Framing};
use crate::fault::Message;

/// The most bytes that are read for it.
const MOST: usize = 4 << 20;
const PREFIX: usize = 5;

/// Reads the first message of an RPC and says what it names; the body that is given back is whole.
pub(crate) async fn look(path: &str, headers: &HeaderMap, mut body: Body) -> (Message, Body) {
    let framing = Framing::of(headers);
    let (mut seen, mut rest) = (BytesMut::new(), Vec::new());
    while !is_enough(&seen, framing) {
        match body.frame().await {
            Some(Ok(frame)) => match frame.into_data() {
                Ok(data) => seen.extend_from_slice(&data),
                Err(trailers) => {
                    rest.push(Ok(trailers));
                    break;
                }
            },
            Some(Err(error)) => {
                rest.push(Err(error));
                break;
            }
            None => break,
        }
    }
    let seen = seen.freeze();
    let message = read(path.trim_start_matches('/'), headers, framing, &seen).unwrap_or_default();
    rest.reverse();
    (message, Body::new(Replayed { seen: Some(seen), rest, body }))
}

fn is_enough(seen: &[u8], framing: Framing) -> bool {
    let whole = match (framing, seen.first_chunk::<PREFIX>()) {
        (Framing::Envelopes(..), Some([_, length @ ..])) => {
            usize::try_from(u32::from_be_bytes(*length)).map_or(0, |length| PREFIX.saturating_add(length))
        }
        _ => usize::MAX,
    };
    seen.len() >= whole.min(MOST)
}

fn read(path: &str, headers: &HeaderMap, framing: Framing, seen: &Bytes) -> Option<Message> {
    let (message, header, compressed) = match framing {
        Framing::Plain => (seen.clone(), "content-encoding", headers.contains_key("content-encoding")),
        Framing::Envelopes(..) => {
            let [flag, length @ ..] = *seen.first_chunk::<PREFIX>()?;
            let end = PREFIX.checked_add(usize::try_from(u32::from_be_bytes(length)).ok()?)?;
            let encoding = if headers.contains_key("grpc-encoding") {
                "grpc-encoding"
            } else {
                "connect-content-encoding"
            };
            (seen.get(PREFIX..end).map(|bytes| seen.slice_ref(bytes))?, encoding, flag & 1 != 0)
        }
    };
    let message = if compressed { inflate(&message, headers.get(header)?.to_str().ok()?)? } else { message };
    let codec = match framing {
        Framing::Envelopes(_, codec) => codec,
        Framing::Plain => {
            let kind = headers.get(http::header::CONTENT_TYPE)?.to_str().ok()?;
            if kind.contains("json") { Codec::Json } else { Codec::Proto }
        }
    };
    names(path, codec, message)
}

fn inflate(message: &[u8], encoding: &str) -> Option<Bytes> {
    match encoding {
        "identity" => Some(Bytes::copy_from_slice(message)),
        "gzip" => {
            let mut plain = Vec::new();
            flate2::read::GzDecoder::new(message).take(MOST as u64).read_to_end(&mut plain).ok()?;
            Some(plain.into())
        }
        _ => None,
    }
}

fn decode<M: prost::Message + Name + Default>(codec: Codec, bytes: Bytes) -> Option<M> {
    match codec {
        Codec::Proto => M::decode(bytes).ok(),
        Codec::Json => envd_proto::json::decode_request(&bytes).ok(),
    }
}

/// What the message of the RPC at `path` names.
fn names(path: &str, codec: Codec, bytes: Bytes) -> Option<Message> {
    Some(match path {
        proc_rpc::Start::PATH => started(decode(codec, bytes)?),
        proc_rpc::Connect::PATH => selected(decode::<ConnectRequest>(codec, bytes)?.process),
        proc_rpc::Update::PATH => selected(decode::<UpdateRequest>(codec, bytes)?.process),
        proc_rpc::SendInput::PATH => selected(decode::<SendInputRequest>(codec, bytes)?.process),
        proc_rpc::SendSignal::PATH => selected(decode::<SendSignalRequest>(codec, bytes)?.process),
        proc_rpc::CloseStdin::PATH => selected(decode::<CloseStdinRequest>(codec, bytes)?.process),
        proc_rpc::StreamInput::PATH => match decode::<StreamInputRequest>(codec, bytes)?.event? {
            stream_input_request::Event::Start(start) => selected(start.process),
            _ => return None,
        },
        fs_rpc::Stat::PATH => at(decode::<fs::StatRequest>(codec, bytes)?.path),
        fs_rpc::MakeDir::PATH => at(decode::<fs::MakeDirRequest>(codec, bytes)?.path),
        fs_rpc::Move::PATH => at(decode::<fs::MoveRequest>(codec, bytes)?.source),
        fs_rpc::ListDir::PATH => at(decode::<fs::ListDirRequest>(codec, bytes)?.path),
        fs_rpc::Remove::PATH => at(decode::<fs::RemoveRequest>(codec, bytes)?.path),
        fs_rpc::WatchDir::PATH => at(decode::<fs::WatchDirRequest>(codec, bytes)?.path),
        fs_rpc::CreateWatcher::PATH => at(decode::<fs::CreateWatcherRequest>(codec, bytes)?.path),
        _ => return None,
    })
}

fn started(request: StartRequest) -> Message {
    let command = request
        .process
        .map(|config| std::iter::once(config.cmd).chain(config.args).collect::<Vec<_>>().join(" "));
    Message { command, tag: request.tag, path: None }
}

fn selected(selector: Option<ProcessSelector>) -> Message {
    let tag = selector.and_then(|selector| match selector.selector? {
        process_selector::Selector::Tag(tag) => Some(tag),
        process_selector::Selector::Pid(_) => None,
    });
    Message { tag, ..Message::default() }
}

fn at(path: String) -> Message {
    Message { path: Some(path), ..Message::default() }
}

/// A body whose first bytes were looked at.
struct Replayed {
    seen: Option<Bytes>,
    /// What was met behind them, the last one first.
    rest: Vec<Result<Frame<Bytes>, axum::Error>>,
    body: Body,
}

impl http_body::Body for Replayed {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        if let Some(seen) = self.seen.take().filter(|seen| !seen.is_empty()) {
            return Poll::Ready(Some(Ok(Frame::data(seen))));
        }
        match self.rest.pop() {
            Some(met) => Poll::Ready(Some(met)),
            None => Pin::new(&mut self.body).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.seen.as_ref().is_none_or(Bytes::is_empty) && self.rest.is_empty() && self.body.is_end_stream()
    }
}
