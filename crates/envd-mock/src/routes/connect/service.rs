//! One RPC call through the runtime: its limits and policies, and the few answers of the real guest that this
//! release of the runtime gives otherwise (section 1 of the contract).

use std::time::Duration;

use axum::body::Body;
use axum::response::{IntoResponse as _, Response};
use connectrpc::{CompressionPolicy, ConnectRpcService, DeadlinePolicy, Limits, Protocol};
use envd_proto::rpc::Kind;
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, header};
use tower::ServiceExt;

use super::body::RequestBody;
use super::head::{self, error};
use super::table::Rpcs;

/// The largest request body and the largest message, in bytes.
const LIMIT: usize = 4 << 20;
/// Smaller messages are not worth compressing, in bytes.
const COMPRESS_FROM: usize = 1024;
/// How long a client may pause within a request of a single message.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
const TIMEOUT: &str = "connect-timeout-ms";
const OFFER: &str = "connect-accept-encoding";

/// The Connect side of the server.
#[derive(Clone)]
pub(crate) struct Connect {
    /// A caller's time limit counts.
    deadlines: bool,
    service: ConnectRpcService<Rpcs>,
}

impl Connect {
    pub(crate) fn new(rpcs: Rpcs, deadlines: bool) -> Self {
        let limits = Limits::default().with_max_request_body_size(LIMIT).with_max_message_size(LIMIT);
        let service = ConnectRpcService::new(rpcs)
            .with_limits(limits)
            .with_compression_policy(CompressionPolicy::default().with_min_size(COMPRESS_FROM))
            .with_deadline_policy(DeadlinePolicy::new().with_enforce_on_streams(true));
        Self { deadlines, service }
    }

    /// Whether an RPC has this path.
    fn knows(&self, path: &str) -> bool {
        self.kind(path).is_some()
    }

    /// Answers a request that no REST route took.
    pub(crate) async fn answer(&self, mut request: Request<Body>) -> Response {
        if ![Method::GET, Method::POST].contains(request.method()) {
            return self.refuse_method(&request);
        }
        if !self.deadlines {
            request.headers_mut().remove(TIMEOUT);
        }
        drop_zero_timeout(request.headers_mut());
        let kind = self.kind(request.uri().path()).filter(|_| request.method() == Method::POST);
        if let Some(mut refusal) = kind.and_then(|kind| head::refuse(request.headers(), kind, LIMIT)) {
            offer_encodings(refusal.headers_mut());
            return refusal;
        }
        let framed = Protocol::detect(request.headers()).is_some_and(|detected| detected.is_streaming);
        let request = request.map(|body| match (kind, framed) {
            (Some(Kind::ClientStream), true) => RequestBody::new(body),
            (_, false) => RequestBody::new(body).with_longest_pause(LONGEST_PAUSE),
            (_, true) => RequestBody::new(body).with_longest_pause(LONGEST_PAUSE).judge_first_prefix(LIMIT),
        });
        let Ok(response) = self.service.clone().oneshot(request).await;
        let mut response = head_alone(response.into_response());
        offer_encodings(response.headers_mut());
        response
    }

    fn kind(&self, path: &str) -> Option<Kind> {
        self.service.dispatcher().kind(path.strip_prefix('/')?)
    }

    fn refuse_method(&self, request: &Request<Body>) -> Response {
        let path = request.uri().path();
        if Protocol::detect(request.headers()).is_none() {
            return StatusCode::UNSUPPORTED_MEDIA_TYPE.into_response();
        }
        if !self.knows(path) {
            let message = format!("method not found: {}", path.trim_start_matches('/'));
            return error(StatusCode::NOT_FOUND, "unimplemented", &message);
        }
        let refusal =
            error(StatusCode::METHOD_NOT_ALLOWED, "unknown", "only GET and POST methods are supported");
        ([(header::ALLOW, "POST")], refusal).into_response()
    }
}

/// Makes an error of gRPC that comes before any message the one frame that it has to be ("Trailers-Only", gRPC over
/// HTTP/2, "Responses"): the runtime says it in the headers, and again in trailers behind them.
fn head_alone(response: Response) -> Response {
    let kind = response.headers().get(header::CONTENT_TYPE).map_or(&b""[..], HeaderValue::as_bytes);
    let grpc = kind.starts_with(b"application/grpc") && !kind.starts_with(b"application/grpc-web");
    if grpc && response.headers().contains_key("grpc-status") {
        response.map(|_| Body::empty())
    } else {
        response
    }
}

/// Every stream says what its client may pack with; the runtime leaves that out of one that is only an error.
fn offer_encodings(headers: &mut HeaderMap) {
    let stream = |value: &HeaderValue| value.as_bytes().starts_with(b"application/connect+");
    if headers.get(header::CONTENT_TYPE).is_some_and(stream) {
        headers.entry(OFFER).or_insert(HeaderValue::from_static("gzip, zstd"));
    }
}

/// A timeout of zero means none to the real guest, and an ended call to this runtime.
fn drop_zero_timeout(headers: &mut HeaderMap) {
    let zero = |value: &http::HeaderValue| value.to_str().is_ok_and(|text| text.parse() == Ok(0u64));
    if headers.get(TIMEOUT).is_some_and(zero) {
        headers.remove(TIMEOUT);
    }
}
