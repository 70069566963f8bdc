//! The connections to an upstream that stand behind one connection of a client: opened when there is a call to hand on,
//! used again by the next one, and gone with the client's.

use std::io;
use std::pin::{Pin, pin};
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio_util::task::AbortOnDropHandle;

use super::target::Target;

const LONGEST_CONNECT: Duration = Duration::from_secs(10);
/// How long a connection may take to be free again after its last answer.
const LONGEST_RECOVERY: Duration = Duration::from_millis(20);
const STREAM_WINDOW: u32 = 1 << 20;
/// Larger than that of many streams, so that a client who does not read one of them still gets the others.
const CONNECTION_WINDOW: u32 = 16 << 20;

/// Why an upstream gave no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoAnswer {
    #[error("cannot connect: {0}")]
    Connect(io::Error),
    #[error("did not accept a connection within {LONGEST_CONNECT:?}")]
    ConnectTime,
    #[error("gave no answer: {}", with_sources(.0))]
    Call(#[source] hyper::Error),
}

/// What stands behind one connection of a client.
#[derive(Debug, Default)]
pub(super) struct Line {
    /// One that is free.
    http1: Mutex<Option<Http1>>,
    http2: tokio::sync::Mutex<Option<Http2>>,
}

/// A connection of HTTP/1.1; dropping it closes it, whatever is going on. Whoever waits for something of it drives it: a
/// task of its own would mean two more turns of the scheduler for each call.
#[derive(Debug)]
pub(super) struct Http1 {
    sender: http1::SendRequest<Body>,
    driver: Driver,
}

type Connection = http1::Connection<TokioIo<TcpStream>, Body>;

/// What makes a connection go on; nothing once it has ended.
#[derive(Debug)]
struct Driver(Option<Pin<Box<Connection>>>);

impl Driver {
    /// Goes on as far as is possible now.
    fn poll(&mut self, cx: &mut Context<'_>) {
        if let Some(connection) = &mut self.0
            && let Poll::Ready(ended) = connection.as_mut().poll(cx)
        {
            if let Err(error) = ended {
                tracing::debug!(%error, "a connection to the upstream ended early");
            }
            self.0 = None;
        }
    }

    /// Waits for something that comes of going on.
    async fn until<T>(&mut self, wanted: impl Future<Output = T>) -> T {
        let mut wanted = pin!(wanted);
        std::future::poll_fn(|cx| match wanted.as_mut().poll(cx) {
            Poll::Pending => {
                self.poll(cx);
                wanted.as_mut().poll(cx)
            }
            ready => ready,
        })
        .await
    }
}

/// A connection of HTTP/2.
#[derive(Debug)]
struct Http2 {
    sender: http2::SendRequest<Body>,
    _task: AbortOnDropHandle<()>,
}

impl Line {
    /// One call over HTTP/1.1; the connection is handed out with the answer, since it is busy until that has ended.
    pub(super) async fn call_http1(
        &self,
        target: &Target,
        mut request: Request<Body>,
    ) -> Result<(Response<Incoming>, Http1), NoAnswer> {
        if let Some(mut free) = self.take_free().await {
            match free.driver.until(free.sender.try_send_request(request)).await {
                Ok(response) => return Ok((response, free)),
                // Closed by the upstream before anything was sent: a new one will do.
                Err(mut error) => match error.take_message() {
                    Some(unsent) => request = unsent,
                    None => return Err(NoAnswer::Call(error.into_error())),
                },
            }
        }
        let mut fresh = Http1::open(target).await?;
        let response = fresh.driver.until(fresh.sender.send_request(request)).await;
        Ok((response.map_err(NoAnswer::Call)?, fresh))
    }

    async fn take_free(&self) -> Option<Http1> {
        let mut free = self.http1.lock().unwrap_or_else(PoisonError::into_inner).take()?;
        // Also finds out whether the upstream has closed it meanwhile.
        let ready = tokio::time::timeout(LONGEST_RECOVERY, free.driver.until(free.sender.ready())).await;
        matches!(ready, Ok(Ok(()))).then_some(free)
    }

    /// Takes a connection back that is free again.
    pub(super) fn give_back(&self, free: Http1) {
        *self.http1.lock().unwrap_or_else(PoisonError::into_inner) = Some(free);
    }

    /// One call over HTTP/2, beside the others of this line.
    pub(super) async fn call_http2(
        &self,
        target: &Target,
        request: Request<Body>,
    ) -> Result<Response<Incoming>, NoAnswer> {
        let mut sender = self.http2(target).await?;
        match sender.try_send_request(request).await {
            Ok(response) => Ok(response),
            Err(mut error) => match error.take_message() {
                Some(unsent) => {
                    let mut sender = self.http2(target).await?;
                    sender.send_request(unsent).await.map_err(NoAnswer::Call)
                }
                None => Err(NoAnswer::Call(error.into_error())),
            },
        }
    }

    async fn http2(&self, target: &Target) -> Result<http2::SendRequest<Body>, NoAnswer> {
        let mut held = self.http2.lock().await;
        if let Some(http2) = held.as_mut().filter(|http2| !http2.sender.is_closed()) {
            return Ok(http2.sender.clone());
        }
        let http2 = held.insert(Http2::open(target).await?);
        Ok(http2.sender.clone())
    }
}

impl Http1 {
    async fn open(target: &Target) -> Result<Self, NoAnswer> {
        let io = connect(target).await?;
        let (sender, connection) = http1::handshake(io).await.map_err(NoAnswer::Call)?;
        Ok(Self { sender, driver: Driver(Some(Box::pin(connection))) })
    }

    /// Lets the connection go on; whoever waits for a body of it does this.
    pub(super) fn drive(&mut self, cx: &mut Context<'_>) {
        self.driver.poll(cx);
    }
}

impl Http2 {
    async fn open(target: &Target) -> Result<Self, NoAnswer> {
        let io = connect(target).await?;
        let opened = http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .handshake(io)
            .await;
        let (sender, connection) = opened.map_err(NoAnswer::Call)?;
        Ok(Self { sender, _task: watched(connection) })
    }
}

async fn connect(target: &Target) -> Result<TokioIo<TcpStream>, NoAnswer> {
    let connected = tokio::time::timeout(LONGEST_CONNECT, TcpStream::connect(target.address())).await;
    let stream = connected.map_err(|_| NoAnswer::ConnectTime)?.map_err(NoAnswer::Connect)?;
    // Without this a small message may wait for the acknowledgement of the one before it.
    stream.set_nodelay(true).map_err(NoAnswer::Connect)?;
    Ok(TokioIo::new(stream))
}

/// Runs a connection for as long as the answer is held.
fn watched(connection: impl Future<Output = hyper::Result<()>> + Send + 'static) -> AbortOnDropHandle<()> {
    AbortOnDropHandle::new(tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "a connection to the upstream ended early");
        }
    }))
}

/// An error's text and those of what caused it.
fn with_sources(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}
