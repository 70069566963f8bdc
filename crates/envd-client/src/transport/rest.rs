//! Plain HTTP requests and their answers: status, bounded body, and downloads of any length. Knows no Connect.

use std::io;

use async_compression::tokio::bufread::GzipDecoder;
use bytes::{Bytes, BytesMut};
use futures::stream::{BoxStream, StreamExt, TryStreamExt};
use http::header::{
    ACCEPT_ENCODING, ALLOW, CONTENT_ENCODING, CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue,
    TRANSFER_ENCODING,
};
use http::{Method, Version};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio_util::io::{ReaderStream, StreamReader};

use super::body::OutBody;
use super::failure::classify;
use super::gzip::{self, GzipError};
use super::pace::Pace;
use super::{Call, Transport};
use crate::error::{Error, ErrorKind, Phase, Result};

const MAX_ERROR_TEXT: usize = 4 << 10;
const QUERY: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A request that is not Connect's.
#[derive(Debug)]
pub(crate) struct Rest {
    method: Method,
    target: String,
    headers: HeaderMap,
    body: OutBody,
}

impl Rest {
    pub(crate) fn new(method: Method, path: &str) -> Self {
        Self { method, target: path.to_owned(), headers: HeaderMap::new(), body: OutBody::Empty }
    }

    pub(crate) fn query(mut self, key: &str, value: &str) -> Self {
        let separator = if self.target.contains('?') { '&' } else { '?' };
        self.target.extend([separator.encode_utf8(&mut [0; 4]), key, "="]);
        self.target.extend(utf8_percent_encode(value, QUERY));
        self
    }

    pub(crate) fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    pub(crate) fn body(mut self, body: OutBody) -> Self {
        self.body = body;
        self
    }

    pub(crate) fn target(&self) -> &str {
        &self.target
    }
}

/// A whole answer.
#[derive(Debug)]
pub(crate) struct Reply {
    status: u16,
    /// The Allow header.
    allow: Option<String>,
    body: Bytes,
}

impl Reply {
    /// Insists on a status.
    pub(crate) fn expect(self, call: &Call, expected: &[u16]) -> Result<Bytes> {
        if expected.contains(&self.status) {
            return Ok(self.body);
        }
        Err(self.refusal(call, expected))
    }

    /// The methods that the path has, from an answer to OPTIONS; `None` where the guest does not say.
    pub(crate) fn allowed(self, call: &Call) -> Result<Option<String>> {
        match self.status {
            200 => Ok(self.allow),
            500.. => Err(self.refusal(call, &[200])),
            _ => Ok(None),
        }
    }

    /// Insists on an answer of a guest that knows the path at all: others take it for an RPC that they do not have.
    pub(crate) fn unless_absent(self, call: &Call, what: &'static str) -> Result<Self> {
        let absent = match self.status {
            404 => self.code().as_deref() == Some("unimplemented"),
            status => status == 415,
        };
        if !absent {
            return Ok(self);
        }
        let because = format!("it answers with status {}", self.status);
        Err(call.error(ErrorKind::Unsupported { what, because, status: Some(self.status) }))
    }

    /// The code of an error in the form of Connect.
    fn code(&self) -> Option<String> {
        let value: serde_json::Value = serde_json::from_slice(&self.body).ok()?;
        value.get("code")?.as_str().map(str::to_owned)
    }

    async fn read(
        call: &Call,
        transport: &Transport,
        response: reqwest::Response,
        limit: usize,
    ) -> Result<Self> {
        let status = response.status().as_u16();
        let allow = response.headers().get(ALLOW).and_then(|value| value.to_str().ok()).map(str::to_owned);
        Ok(Self { status, allow, body: transport.body(call, response, limit).await? })
    }

    fn refusal(&self, call: &Call, expected: &[u16]) -> Error {
        let body = error_text(&self.body);
        call.error(ErrorKind::Status { expected: expected[0], seen: self.status, body })
    }

    /// Insists on status 200 and JSON.
    pub(crate) fn json<T: DeserializeOwned>(self, call: &Call) -> Result<T> {
        let body = self.expect(call, &[200])?;
        serde_json::from_slice(&body).map_err(|error| {
            call.protocol("the contract's JSON", format!("{error} in {}", error_text(&body)))
        })
    }
}

/// An answer whose body is still to come.
pub(crate) struct Download {
    /// The body's length in bytes, when the guest told it and did not compress.
    pub(crate) length: Option<u64>,
    pub(crate) stream: BoxStream<'static, Result<Bytes>>,
}

impl Transport {
    /// Sends and reads the whole answer, within the time limit of a unary call.
    pub(crate) async fn rest(&self, call: &Call, request: Rest) -> Result<Reply> {
        self.rest_up_to(call, request, self.settings.message_limit).await
    }

    pub(crate) async fn rest_up_to(&self, call: &Call, request: Rest, limit: usize) -> Result<Reply> {
        call.within(Some(self.settings.unary_timeout), async {
            let response = self.send_rest(call, request).await?;
            Reply::read(call, self, response, limit).await
        })
        .await
    }

    /// Sends a body of any length; the answer is short.
    pub(crate) async fn upload(&self, call: &Call, request: Rest) -> Result<Reply> {
        call.within(None, async {
            let response = self.send_rest(call, request).await?;
            Reply::read(call, self, response, self.settings.message_limit).await
        })
        .await
    }

    /// Sends and gives the body in pieces; a cut one ends in an error.
    pub(crate) async fn download(&self, call: &Call, request: Rest, expected: &[u16]) -> Result<Download> {
        let pace = Pace::new(*call, self.settings.head_timeout);
        let response = call.within(None, self.send_rest(call, request)).await?;
        if !expected.contains(&response.status().as_u16()) {
            let reply = Reply::read(call, self, response, self.settings.message_limit).await?;
            return Err(reply.refusal(call, expected));
        }
        let Download { length, stream } = pieces(*call, response)?;
        Ok(Download { length, stream: pace.of(stream) })
    }

    /// Reads a whole body of at most `limit` bytes, unpacked, within the time limit of a unary call.
    pub(super) async fn body(&self, call: &Call, response: reqwest::Response, limit: usize) -> Result<Bytes> {
        call.within(Some(self.settings.unary_timeout), whole_body(call, response, limit)).await
    }

    async fn send_rest(&self, call: &Call, mut request: Rest) -> Result<reqwest::Response> {
        if self.settings.accept_gzip {
            request.headers.entry(ACCEPT_ENCODING).or_insert(HeaderValue::from_static("gzip"));
        }
        self.send(call, request.method, &request.target, request.headers, request.body).await
    }
}

async fn whole_body(call: &Call, mut response: reqwest::Response, limit: usize) -> Result<Bytes> {
    let gzipped = is_gzipped(call, response.headers())?;
    let too_large = || call.error(ErrorKind::TooLarge { what: "the answer", limit });
    if response.content_length().is_some_and(|length| length > limit as u64) {
        return Err(too_large());
    }
    let mut body = BytesMut::new();
    while let Some(piece) = response.chunk().await.map_err(|error| call.interrupted(error))? {
        if body.len() + piece.len() > limit {
            return Err(too_large());
        }
        body.extend_from_slice(&piece);
    }
    if !gzipped {
        return Ok(body.freeze());
    }
    gzip::unpack(&body, limit).map_err(|error| match error {
        GzipError::TooLarge => too_large(),
        GzipError::Broken(why) => call.protocol("a body in gzip", why),
    })
}

fn pieces(call: Call, response: reqwest::Response) -> Result<Download> {
    let gzipped = is_gzipped(&call, response.headers())?;
    if !gzipped && !is_delimited(&response) {
        return Err(call.protocol("a length or chunks", "a body that only the connection's end delimits"));
    }
    let length = if gzipped { None } else { response.content_length() };
    let raw = response.bytes_stream();
    let stream = if gzipped {
        let reader = StreamReader::new(raw.map_err(io::Error::other));
        let mut decoder = GzipDecoder::new(reader);
        decoder.multiple_members(true);
        ReaderStream::with_capacity(decoder, 64 << 10)
            .map_err(move |error| unpack_failure(&call, error))
            .boxed()
    } else {
        raw.map_err(move |error| call.interrupted(error)).boxed()
    };
    Ok(Download { length, stream })
}

/// Whether a cut would be noticed.
fn is_delimited(response: &reqwest::Response) -> bool {
    let headers = response.headers();
    response.version() == Version::HTTP_2
        || headers.contains_key(CONTENT_LENGTH)
        || headers.contains_key(TRANSFER_ENCODING)
}

fn unpack_failure(call: &Call, error: io::Error) -> Error {
    match error.downcast::<reqwest::Error>() {
        Ok(broken) => call.error(classify(broken, Phase::InsideAnswer)),
        Err(error) => call.protocol("a body in gzip, to its end", error.to_string()),
    }
}

fn is_gzipped(call: &Call, headers: &HeaderMap) -> Result<bool> {
    match headers.get(CONTENT_ENCODING).map(HeaderValue::as_bytes) {
        None | Some(b"" | b"identity") => Ok(false),
        Some(b"gzip") => Ok(true),
        Some(other) => {
            Err(call.protocol("content-encoding gzip or none", String::from_utf8_lossy(other).into_owned()))
        }
    }
}

/// What a failing guest says: the `message` of JSON, or else the text.
pub(crate) fn error_text(body: &[u8]) -> String {
    #[derive(Deserialize)]
    struct Said {
        message: String,
    }
    match serde_json::from_slice::<Said>(body) {
        Ok(said) => said.message,
        Err(_) => String::from_utf8_lossy(&body[..body.len().min(MAX_ERROR_TEXT)]).trim().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_escaped() {
        let rest = Rest::new(Method::GET, "/files").query("path", "/a b+c/ü&d=~").query("signature", "v1_+/");
        assert_eq!(rest.target(), "/files?path=%2Fa%20b%2Bc%2F%C3%BC%26d%3D~&signature=v1_%2B%2F");
    }

    #[test]
    fn a_failing_guest_is_quoted() {
        assert_eq!(
            error_text(br#"{"code":404,"message":"path '/x' does not exist"}"#),
            "path '/x' does not exist"
        );
        assert_eq!(error_text(b"plain text\n"), "plain text");
        assert_eq!(error_text(&[b'x'; 10_000]).len(), MAX_ERROR_TEXT);
    }
}
