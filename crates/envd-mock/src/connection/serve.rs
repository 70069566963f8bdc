//! One connection: HTTP/1.1 or HTTP/2 with prior knowledge, over any transport, until either side or `stop` ends
//! it.

use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use http::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::linger::lingering;
use super::patient::Patient;

/// For the first call to begin and for each head; longer than the 90 s that Go's client keeps idle connections.
const HEAD_DEADLINE: Duration = Duration::from_secs(120);
/// For a peer who takes nothing of what it is sent.
const LONGEST_STALL: Duration = Duration::from_secs(300);
/// For calls in flight, once the server stops.
const GRACE: Duration = Duration::from_millis(150);
const HTTP2_STREAM_WINDOW: u32 = 1 << 20;
const HTTP2_PING: Duration = Duration::from_secs(30);

/// What a connection runs over.
pub(super) trait Transport: AsyncRead + AsyncWrite + Unpin + Send + 'static {
    /// Called once, before the first byte.
    fn prepare(&self);
}

/// Serves `transport` with `answer` to its end.
pub(super) async fn connection<T, A, R>(transport: T, answer: A, stop: CancellationToken)
where
    T: Transport,
    A: Fn(Request<Body>) -> R + Send + Sync + 'static,
    R: Future<Output = Response> + Send + 'static,
{
    transport.prepare();
    let begun = Arc::new(Notify::new());
    let service = service_fn(|request: Request<Incoming>| {
        begun.notify_one();
        let (head, body) = request.into_parts();
        let body = lingering(body, &head.headers);
        let response = answer(Request::from_parts(head, body));
        async move { Ok::<_, Infallible>(response.await) }
    });
    let builder = builder();
    let mut served =
        pin!(builder.serve_connection(TokioIo::new(Patient::new(transport, LONGEST_STALL)), service));
    let mut first_call = pin!(tokio::time::timeout(HEAD_DEADLINE, begun.notified()));
    let mut waiting = true;
    loop {
        tokio::select! {
            ended = served.as_mut() => return report(ended),
            call = first_call.as_mut(), if waiting => match call {
                Ok(()) => waiting = false,
                Err(_) => return,
            },
            () = stop.cancelled() => break,
        }
    }
    served.as_mut().graceful_shutdown();
    if let Ok(ended) = tokio::time::timeout(GRACE, served).await {
        report(ended);
    }
}

fn builder() -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEAD_DEADLINE);
    builder
        .http2()
        .timer(TokioTimer::new())
        .initial_stream_window_size(HTTP2_STREAM_WINDOW)
        .initial_connection_window_size(2 * HTTP2_STREAM_WINDOW)
        .keep_alive_interval(HTTP2_PING);
    builder
}

fn report(ended: Result<(), Box<dyn std::error::Error + Send + Sync>>) {
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended early");
    }
}
