//! Connect calls: unary, server stream and client stream. What a stream brings is read in `messages`.

use std::time::Duration;

use bytes::Bytes;
use envd_proto::rpc::Method;
use futures::stream::{self, Stream, StreamExt};
use http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};

use super::body::OutBody;
use super::envelope::{COMPRESSED, Envelope};
use super::rest::error_text;
use super::{Call, Messages, Transport, gzip, wire_error};
use crate::error::{Code, Error, ErrorKind, Result};

const VERSION: HeaderName = HeaderName::from_static("connect-protocol-version");
const TIMEOUT: HeaderName = HeaderName::from_static("connect-timeout-ms");
const STREAM_ACCEPT: HeaderName = HeaderName::from_static("connect-accept-encoding");
const STREAM_ENCODING: HeaderName = HeaderName::from_static("connect-content-encoding");
const GZIP: HeaderValue = HeaderValue::from_static("gzip");
/// The protocol allows ten digits.
const MAX_TIMEOUT_MS: u128 = 9_999_999_999;

impl Transport {
    /// One message out, one back.
    pub(crate) async fn unary<M: Method>(&self, call: &Call, request: &M::Request) -> Result<M::Response> {
        call.within(Some(self.settings.unary_timeout), async {
            let response =
                self.post::<M>(call, self.unary_headers(call), self.unary_body(call, request)?).await?;
            let response = self.insist(call, response, self.settings.codec.unary_type()).await?;
            let body = self.body(call, response, self.settings.message_limit).await?;
            self.settings.codec.decode(body).map_err(|why| call.protocol("the method's response", why))
        })
        .await
    }

    /// One message out, many back.
    pub(crate) async fn server_stream<M: Method>(
        &self,
        call: &Call,
        request: &M::Request,
        extra: HeaderMap,
    ) -> Result<Messages<M::Response>> {
        let began = tokio::time::Instant::now();
        let mut headers = self.stream_headers(call);
        headers.extend(extra);
        let body = OutBody::Whole(self.enveloped(call, request)?);
        let response = call.within(None, self.post::<M>(call, headers, body)).await?;
        self.messages(*call, response, began).await
    }

    /// Many messages out, one back.
    pub(crate) async fn client_stream<M: Method>(
        &self,
        call: &Call,
        requests: impl Stream<Item = std::io::Result<M::Request>> + Send + 'static,
    ) -> Result<M::Response> {
        let (codec, packs, limit) =
            (self.settings.codec, self.settings.send_gzip, self.settings.message_limit);
        let body = requests.map(move |request| {
            let data = codec.encode(&request?).map_err(std::io::Error::other)?;
            envelope(&data, packs, limit).map_err(std::io::Error::other)
        });
        let began = tokio::time::Instant::now();
        let body = OutBody::Stream(body.boxed(), None);
        let response = call.within(None, self.post::<M>(call, self.stream_headers(call), body)).await?;
        let messages = self.messages(*call, response, began).await?;
        call.within(Some(self.settings.unary_timeout), only(call, messages)).await
    }

    async fn messages<T>(
        &self,
        call: Call,
        response: reqwest::Response,
        began: tokio::time::Instant,
    ) -> Result<Messages<T>> {
        let response = self.insist(&call, response, self.settings.codec.stream_type()).await?;
        let encoding = response.headers().get(STREAM_ENCODING).map(|value| value.as_bytes().to_vec());
        let gzipped = match encoding.as_deref() {
            None | Some(b"identity") => false,
            Some(b"gzip") => true,
            Some(other) => {
                let seen = String::from_utf8_lossy(other).into_owned();
                return Err(call.protocol("connect-content-encoding gzip or none", seen));
            }
        };
        let deadline = call.timeout.map(|limit| began + limit);
        Ok(Messages::new(call, &self.settings, response, gzipped, deadline))
    }

    /// Insists on status 200 and a content type; what else comes is the guest's error.
    async fn insist(
        &self,
        call: &Call,
        response: reqwest::Response,
        content_type: &str,
    ) -> Result<reqwest::Response> {
        let status = response.status().as_u16();
        if status != 200 {
            let body = self.body(call, response, 1 << 20).await?;
            let unexplained = || ErrorKind::Rpc {
                code: Code::from_http(status),
                message: format!("status {status}: {}", error_text(&body)),
                details: Vec::new(),
            };
            return Err(call.error(wire_error::from_body(&body).unwrap_or_else(unexplained)));
        }
        let seen = response.headers().get(CONTENT_TYPE).map_or(&b""[..], HeaderValue::as_bytes);
        let bare = seen.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
        if bare.eq_ignore_ascii_case(content_type.as_bytes()) {
            return Ok(response);
        }
        let seen = format!("{:?}", String::from_utf8_lossy(seen));
        Err(call.protocol(format!("content-type {content_type:?}"), seen))
    }

    async fn post<M: Method>(
        &self,
        call: &Call,
        headers: HeaderMap,
        body: OutBody,
    ) -> Result<reqwest::Response> {
        self.send(call, http::Method::POST, &format!("/{}", M::PATH), headers, body).await
    }

    fn unary_headers(&self, call: &Call) -> HeaderMap {
        let mut headers = self.headers(call, self.settings.codec.unary_type());
        if self.settings.accept_gzip {
            headers.insert(ACCEPT_ENCODING, GZIP);
        }
        if self.settings.send_gzip {
            headers.insert(CONTENT_ENCODING, GZIP);
        }
        headers
    }

    fn stream_headers(&self, call: &Call) -> HeaderMap {
        let mut headers = self.headers(call, self.settings.codec.stream_type());
        if self.settings.accept_gzip {
            headers.insert(STREAM_ACCEPT, GZIP);
        }
        if self.settings.send_gzip {
            headers.insert(STREAM_ENCODING, GZIP);
        }
        headers
    }

    fn headers(&self, call: &Call, content_type: &'static str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        headers.insert(VERSION, HeaderValue::from_static("1"));
        if let Some(limit) = call.timeout {
            headers.insert(TIMEOUT, HeaderValue::from(millis(limit)));
        }
        headers
    }

    fn unary_body<T: prost::Message + prost::Name>(&self, call: &Call, message: &T) -> Result<OutBody> {
        let data = self.encoded(call, message)?;
        Ok(OutBody::Whole(if self.settings.send_gzip { gzip::pack(&data) } else { data }))
    }

    fn enveloped<T: prost::Message + prost::Name>(&self, call: &Call, message: &T) -> Result<Bytes> {
        let data = self.encoded(call, message)?;
        envelope(&data, self.settings.send_gzip, self.settings.message_limit)
            .map_err(|why| Error::usage(call.name, "message", why))
    }

    fn encoded<T: prost::Message + prost::Name>(&self, call: &Call, message: &T) -> Result<Bytes> {
        let data =
            self.settings.codec.encode(message).map_err(|why| Error::usage(call.name, "message", why))?;
        within_limit(&data, self.settings.message_limit)
            .map_err(|why| Error::usage(call.name, "message", why))?;
        Ok(data)
    }
}

fn envelope(data: &[u8], packs: bool, limit: usize) -> Result<Bytes, String> {
    within_limit(data, limit)?;
    Ok(if packs { Envelope::encode(COMPRESSED, &gzip::pack(data)) } else { Envelope::encode(0, data) })
}

fn within_limit(data: &[u8], limit: usize) -> Result<(), String> {
    if data.len() > limit {
        return Err(format!("expected at most {limit} bytes, seen {}", data.len()));
    }
    Ok(())
}

fn millis(limit: Duration) -> u64 {
    u64::try_from(limit.as_millis().clamp(1, MAX_TIMEOUT_MS)).expect("ten digits fit")
}

/// The one message of a stream that may bring no more than one.
async fn only<T: prost::Message + prost::Name + Default>(
    call: &Call,
    mut messages: Messages<T>,
) -> Result<T> {
    let first = messages.next().await.transpose()?;
    let second = match first {
        Some(_) => messages.next().await.transpose()?,
        None => None,
    };
    match (first, second) {
        (Some(message), None) => Ok(message),
        (None, _) => Err(call.protocol("one message", "none")),
        (Some(_), Some(_)) => Err(call.protocol("one message", "two")),
    }
}

/// A stream of `first`, then `rest`.
pub(crate) fn starting_with<T: Send + 'static>(
    first: T,
    rest: impl Stream<Item = std::io::Result<T>> + Send + 'static,
) -> impl Stream<Item = std::io::Result<T>> + Send + 'static {
    stream::iter([Ok(first)]).chain(rest)
}
