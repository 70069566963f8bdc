//! A look at the first message of a request, for rules that ask what it names: read as far as needed, 4 MiB at most, and
//! put back in front of the rest. Files and streams are never held.

use std::io::Read as _;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, header};
use http_body::Frame;
use http_body_util::BodyExt as _;

use super::named::{self, Named};
use crate::body::{Codec, Framing};

/// The longest message that is read for it, in bytes.
const MOST: usize = 4 << 20;
const PREFIX: usize = 5;
/// How long the client may pause meanwhile; real time, as every limit on a client's silence.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Reads the first message of an RPC and says what it names; the body that is given back is whole.
pub(crate) async fn look(path: &str, headers: &HeaderMap, mut body: Body) -> (Named, Body) {
    let framing = Framing::of(headers);
    let (mut seen, mut rest) = (BytesMut::new(), Vec::new());
    while !is_enough(&seen, framing) && !promises_too_much(headers, framing) {
        // What pauses for too long is handed over as it is: whoever reads on judges that.
        let Ok(frame) = tokio::time::timeout(LONGEST_PAUSE, body.frame()).await else { break };
        match frame {
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
    let named = read(path.trim_start_matches('/'), headers, framing, &seen).unwrap_or_default();
    rest.reverse();
    (named, Body::new(Replayed { seen: Some(seen), rest, body }))
}

/// A message that is too long for the guest is too long for a look.
fn is_enough(seen: &[u8], framing: Framing) -> bool {
    let whole = match (framing, seen.first_chunk::<PREFIX>()) {
        (Framing::Envelopes(..), Some([_, length @ ..])) => usize::try_from(u32::from_be_bytes(*length))
            .ok()
            .filter(|length| *length <= MOST)
            .map_or(0, |length| PREFIX + length),
        (Framing::Envelopes(..), None) => PREFIX,
        (Framing::Plain, _) => MOST,
    };
    seen.len() >= whole
}

/// Whether the head of a unary call says already that its message is too long.
fn promises_too_much(headers: &HeaderMap, framing: Framing) -> bool {
    let length = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    framing == Framing::Plain && length.is_some_and(|length: u64| length > MOST as u64)
}

fn read(path: &str, headers: &HeaderMap, framing: Framing, seen: &Bytes) -> Option<Named> {
    let (message, encoding, compressed) = match framing {
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
    let message =
        if compressed { inflate(&message, headers.get(encoding)?.to_str().ok()?)? } else { message };
    let codec = match framing {
        Framing::Envelopes(_, codec) => codec,
        Framing::Plain => {
            let kind = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
            if kind.contains("json") { Codec::Json } else { Codec::Proto }
        }
    };
    named::by_path(path, codec, message)
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

#[cfg(test)]
mod tests {
    use futures::StreamExt as _;

    use super::*;
    use crate::fault::Message;

    const START: &str = "/process.Process/Start";

    fn headers(of: &[(&'static str, &str)]) -> HeaderMap {
        let header = |(name, value): &(&'static str, &str)| {
            (http::HeaderName::from_static(name), value.parse().unwrap())
        };
        of.iter().map(header).collect()
    }

    fn stream() -> HeaderMap {
        headers(&[("content-type", "application/connect+json")])
    }

    /// These bytes, and then nothing for ever.
    fn unfinished(bytes: &'static [u8]) -> Body {
        let first = futures::stream::iter([Ok::<_, std::io::Error>(Bytes::from_static(bytes))]);
        Body::from_stream(first.chain(futures::stream::pending()))
    }

    async fn first(body: Body) -> Bytes {
        let mut body = body;
        body.frame().await.unwrap().unwrap().into_data().unwrap()
    }

    #[tokio::test]
    async fn a_message_that_is_too_long_is_not_read() {
        let prefix = b"\0\x00\x40\x00\x01{";
        let (named, body) = look(START, &stream(), unfinished(prefix)).await;
        assert_eq!(named, Named::default());
        assert_eq!(first(body).await, prefix.as_slice());
        let unary = headers(&[("content-type", "application/json"), ("content-length", "4194305")]);
        let (named, body) = look("/process.Process/List", &unary, unfinished(b"{")).await;
        assert_eq!(named, Named::default());
        assert_eq!(first(body).await, b"{".as_slice());
    }

    #[tokio::test(start_paused = true)]
    async fn a_long_pause_ends_the_look() {
        let (named, body) = look(START, &stream(), unfinished(b"\0\0\0\0\x09{\"t")).await;
        assert_eq!(named, Named::default());
        assert_eq!(first(body).await.len(), 8);
    }

    #[tokio::test]
    async fn what_the_first_message_names_is_told() {
        let message = br#"{"process":{"cmd":"ls","args":["-l"]},"tag":"t"}"#;
        let mut bytes = vec![0, 0, 0, 0, u8::try_from(message.len()).unwrap()];
        bytes.extend_from_slice(message);
        let (named, _) = look(START, &stream(), Body::from(bytes)).await;
        let message = Message { path: None, tag: Some("t".to_owned()), command: Some("ls -l".to_owned()) };
        assert_eq!(named, Named { message, pid: None });
    }
}
