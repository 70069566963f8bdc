//! One call handed on to the upstream, and its answer handed back: method, path and query, headers, both bodies and
//! their trailers. What concerns one connection alone is left out, the upstream's own name stands as the host, and Via
//! has one more name.

use std::io;
use std::sync::Arc;

use axum::body::Body;
use axum::response::Response;
use http::uri::{PathAndQuery, Scheme};
use http::{Request, StatusCode, Uri, Version, header};

use super::answer::Answer;
use super::headers::hand_on;
use super::line::{Line, NoAnswer};
use super::loops::Pseudonym;
use super::target::{Target, UpstreamProtocol};
use crate::connection::Conn;
use crate::routes::reply;

/// An envd that answers in place of a guest.
#[derive(Debug)]
pub(crate) struct Upstream {
    target: Target,
    protocol: UpstreamProtocol,
    pseudonym: Pseudonym,
}

impl Upstream {
    /// # Errors
    /// When the system gives no random bytes for a name.
    pub(crate) fn new(target: Target, protocol: UpstreamProtocol) -> io::Result<Self> {
        Ok(Self { target, protocol, pseudonym: Pseudonym::new()? })
    }

    /// The upstream's answer, 502 with why there is none, or 508 when the request has been here before.
    pub(crate) async fn answer(&self, request: Request<Body>) -> Response {
        if self.pseudonym.is_in(request.headers()) {
            let message = format!("the upstream {} leads back to this proxy", self.target);
            return reply::error(StatusCode::LOOP_DETECTED, message);
        }
        match self.call(request).await {
            Ok(response) => response,
            Err(error) => {
                reply::error(StatusCode::BAD_GATEWAY, format!("the upstream {} {error}", self.target))
            }
        }
    }

    async fn call(&self, request: Request<Body>) -> Result<Response, NoAnswer> {
        let line = line(&request);
        let http2 = match self.protocol {
            UpstreamProtocol::Auto => request.version() == Version::HTTP_2,
            UpstreamProtocol::H1 => false,
            UpstreamProtocol::H2 => true,
        };
        let request = self.addressed(request, http2);
        let (response, conn) = if http2 {
            (line.call_http2(&self.target, request).await?, None)
        } else {
            let (response, conn) = line.call_http1(&self.target, request).await?;
            (response, Some(conn))
        };
        let (mut head, body) = response.into_parts();
        hand_on(&mut head.headers);
        // The protocol of the client's connection is its own.
        (head.version, head.extensions) = Default::default();
        Ok(Response::from_parts(head, Body::new(Answer::new(body, line, conn))))
    }

    /// The request as the upstream is to see it.
    fn addressed(&self, request: Request<Body>, http2: bool) -> Request<Body> {
        let (mut head, body) = request.into_parts();
        hand_on(&mut head.headers);
        self.pseudonym.sign(&mut head.headers, head.version);
        head.headers.remove(header::HOST);
        let path = head.uri.path_and_query().cloned().unwrap_or_else(|| PathAndQuery::from_static("/"));
        let mut target = http::uri::Parts::default();
        target.path_and_query = Some(path);
        if http2 {
            target.scheme = Some(Scheme::HTTP);
            target.authority = Some(self.target.authority().clone());
        } else {
            head.headers.insert(header::HOST, self.target.host().clone());
        }
        head.uri = Uri::from_parts(target).unwrap_or_default();
        head.version = if http2 { Version::HTTP_2 } else { Version::HTTP_11 };
        head.extensions = http::Extensions::new();
        Request::from_parts(head, body)
    }
}

/// What stands behind the connection that a call came on.
fn line(request: &Request<Body>) -> Arc<Line> {
    request.extensions().get::<Arc<Conn>>().map(|conn| conn.beside::<Line>()).unwrap_or_default()
}
