//! Sends one request and waits for the head of its answer. Knows neither statuses nor bodies.

use std::time::Duration;

use http::header::{CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue};
use tokio::time::timeout;

use super::body::{OutBody, Progress, Watched};
use super::failure::classify;
use super::pool::Pool;
use super::{Lane, Settings};
use crate::error::{Error, ErrorKind, Phase, Result, Wait};

const TOKEN: HeaderName = HeaderName::from_static("x-access-token");

/// What is known of a call before it is made.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Call {
    /// The operation's wire name.
    pub(crate) name: &'static str,
    /// Which pool it uses.
    pub(crate) lane: Lane,
    /// Whether making it twice is the same as making it once.
    pub(crate) repeatable: bool,
    /// The caller's time limit for the whole.
    pub(crate) timeout: Option<Duration>,
}

impl Call {
    pub(crate) fn error(&self, kind: ErrorKind) -> Error {
        Error::new(self.name, self.repeatable, kind)
    }

    pub(crate) fn protocol(&self, expected: impl Into<String>, seen: impl Into<String>) -> Error {
        self.error(ErrorKind::Protocol { expected: expected.into(), seen: seen.into() })
    }

    pub(crate) fn interrupted(&self, error: reqwest::Error) -> Error {
        self.error(classify(error, Phase::InsideAnswer))
    }

    /// Runs `work` within the time limit: the caller's, and `at_most` if given.
    pub(crate) async fn within<T>(
        &self,
        at_most: Option<Duration>,
        work: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        let Some(limit) = self.timeout.into_iter().chain(at_most).min() else { return work.await };
        self.wait(Wait::Answer, limit, work).await
    }

    /// Runs `work`, which is waiting for `what`, for at most `limit`.
    pub(crate) async fn wait<T>(
        &self,
        what: Wait,
        limit: Duration,
        work: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        timeout(limit, work).await.map_err(|_| self.error(ErrorKind::Timeout { what, limit }))?
    }
}

/// The client's connections.
#[derive(Debug)]
pub(crate) struct Transport {
    pub(crate) settings: Settings,
    unary: Pool,
    streaming: Pool,
}

impl Transport {
    pub(crate) fn new(settings: Settings) -> Result<Self> {
        let built = |pool: Result<Pool, reqwest::Error>| {
            pool.map_err(|error| Error::usage("build", "client", error.to_string()))
        };
        let (unary, streaming) = (built(Pool::new(&settings))?, built(Pool::new(&settings))?);
        Ok(Self { settings, unary, streaming })
    }

    pub(crate) fn close_idle(&self) {
        self.unary.close_idle(&self.settings);
        self.streaming.close_idle(&self.settings);
    }

    /// Sends, and waits for the head. A call that may be made twice and was lost before any answer is made once more
    /// if the pool had kept connections: one of them may have died with nobody noticing, as over a snapshot, and then
    /// all of them may have.
    pub(crate) async fn send(
        &self,
        call: &Call,
        method: http::Method,
        target: &str,
        mut headers: HeaderMap,
        body: OutBody,
    ) -> Result<reqwest::Response> {
        self.authenticate(call, &mut headers)?;
        let pool = match call.lane {
            Lane::Unary => &self.unary,
            Lane::Streaming => &self.streaming,
        };
        let again = if call.repeatable && pool.may_be_stale() { body.again() } else { None };
        let first = self.attempt(call, pool, method.clone(), target, headers.clone(), body).await;
        match (first, again) {
            (Err(error), Some(body)) if is_lost(&error) => {
                tracing::debug!(operation = call.name, %error, "send again on a new connection");
                pool.close_idle(&self.settings);
                self.attempt(call, pool, method, target, headers, body).await
            }
            (outcome, _) => outcome,
        }
    }

    async fn attempt(
        &self,
        call: &Call,
        pool: &Pool,
        method: http::Method,
        target: &str,
        headers: HeaderMap,
        body: OutBody,
    ) -> Result<reqwest::Response> {
        let progress = Progress::new();
        let request = pool.get().request(method, format!("{}{target}", self.settings.base)).headers(headers);
        let request = attach(request, body, &progress);
        tracing::debug!(operation = call.name, "send");
        tokio::select! {
            answer = request.send() => {
                let answer = answer.map_err(|error| failed(call, &progress, error))?;
                pool.answered();
                Ok(answer)
            }
            () = progress.guest_idle(self.settings.head_timeout) => {
                Err(call.error(ErrorKind::Timeout { what: Wait::Head, limit: self.settings.head_timeout }))
            }
        }
    }

    fn authenticate(&self, call: &Call, headers: &mut HeaderMap) -> Result<()> {
        let Some(token) = &self.settings.token else { return Ok(()) };
        let mut value = HeaderValue::from_str(token.reveal())
            .map_err(|_| Error::usage(call.name, "token", "it holds bytes that no header may hold"))?;
        value.set_sensitive(true);
        headers.insert(TOKEN, value);
        Ok(())
    }
}

/// Whether the connection broke before anything of an answer had come.
fn is_lost(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Interrupted { phase: Phase::BeforeAnswer, .. })
}

fn attach(request: reqwest::RequestBuilder, body: OutBody, progress: &Progress) -> reqwest::RequestBuilder {
    match body {
        OutBody::Empty => request,
        OutBody::Whole(bytes) => request.body(bytes),
        OutBody::Stream(inner, length) => {
            let request = match length {
                Some(length) => request.header(CONTENT_LENGTH, length),
                None => request,
            };
            request.body(reqwest::Body::wrap_stream(Watched { inner, progress: progress.clone() }))
        }
    }
}

fn failed(call: &Call, progress: &Progress, error: reqwest::Error) -> Error {
    match progress.take_failure() {
        Some(source) => call.error(ErrorKind::Source(source)),
        None => call.error(classify(error, Phase::BeforeAnswer)),
    }
}
