//! One connection: HTTP/1.1 or HTTP/2 with prior knowledge, over any transport, until either side or `stop` ends
//! it.

use std::os::fd::RawFd;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use http::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::conn::{Conn, Manner};
use super::faulty::Faulty;
use super::linger::lingering;
use super::patient::Patient;
use crate::fault::{ChosenConnection, ConnectionFault};

/// For the first call to begin and for each head; longer than the 90 s that Go's client keeps idle connections.
const HEAD_DEADLINE: Duration = Duration::from_secs(120);
/// For a peer who takes nothing of what it is sent.
const LONGEST_STALL: Duration = Duration::from_secs(300);
/// For calls in flight, once the server stops.
const GRACE: Duration = Duration::from_millis(150);
/// For a peer to see an early end.
const LONGEST_FAREWELL: Duration = Duration::from_secs(2);
const HTTP2_STREAM_WINDOW: u32 = 1 << 20;
/// Bytes of a stream's body that wait for the peer's window, beside the piece that reaches this.
const HTTP2_QUEUE: usize = 64 << 10;
const HTTP2_PING: Duration = Duration::from_secs(30);

/// What a connection runs over.
pub(super) trait Transport: AsyncRead + AsyncWrite + Unpin + Send + 'static {
    /// Called once, before the first byte.
    fn prepare(&self);
    /// The socket below, where there is one.
    fn socket(&self) -> Option<RawFd>;
}

/// A call that gets no answer: HTTP/1.1 closes its connection, HTTP/2 resets its stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the call was broken off on purpose")]
pub(crate) struct Gone;

/// A connection that is to be served.
pub(crate) struct Accepted {
    pub(crate) conn: Arc<Conn>,
    pub(crate) plan: Vec<ChosenConnection>,
}

/// Who answers on a port.
pub(crate) trait Service: Clone + Send + Sync + 'static {
    /// Called for each connection, before its first byte.
    fn accept(&self, peer: std::net::SocketAddr) -> Accepted;

    /// Answers one call; its connection is among the request's extensions.
    fn call(&self, request: Request<Body>) -> impl Future<Output = Result<Response, Gone>> + Send;
}

/// Serves `transport` with `service` to its end.
pub(super) async fn connection<T, S>(
    mut transport: T,
    Accepted { conn, plan }: Accepted,
    service: S,
    lost: CancellationToken,
    stop: CancellationToken,
) where
    T: Transport,
    S: Service,
{
    transport.prepare();
    conn.hold_socket(transport.socket());
    // On the heap and gone before anything is served: the task of an idle connection has to be small.
    let opened = tokio::select! {
        opened = Box::pin(open(&mut transport, &conn, &plan)) => opened,
        () = stop.cancelled() => false,
        () = lost.cancelled() => { conn.reset(); false }
    };
    if opened {
        Box::pin(serve(transport, &conn, plan, service, lost, stop)).await;
    } else {
        conn.hold_socket(None);
        drop(transport);
    }
    conn.record_end();
}

/// Does what concerns the connection before its first byte; whether there is anything to serve.
async fn open<T: Transport>(transport: &mut T, conn: &Arc<Conn>, plan: &[ChosenConnection]) -> bool {
    for chosen in plan.iter().filter(|chosen| chosen.rule().at.is_none()) {
        let done = |what: &str| {
            chosen.fired();
            conn.done(chosen.name(), what);
        };
        match &chosen.rule().fault {
            ConnectionFault::Close {} => {
                done("FIN at byte 0");
                conn.close();
                farewell(transport).await;
                return false;
            }
            ConnectionFault::Reset {} => {
                done("RST at byte 0");
                conn.reset();
                return false;
            }
            ConnectionFault::Stall {} => {
                done("never read");
                conn.behave(Manner::Stalled);
            }
            ConnectionFault::HalfOpen {} => {
                done("half-open from byte 0");
                conn.behave(Manner::HalfOpen);
            }
            ConnectionFault::Zombie {} => {
                done("zombie from byte 0");
                conn.behave(Manner::Zombie);
            }
            ConnectionFault::Delay { time } => {
                let time = chosen.key.wait(time);
                done(&format!("not read for {time:?}"));
                conn.time.sleep(time).await;
            }
            _ => {}
        }
    }
    true
}

/// Reads on for a while, so that what the peer sends does not turn the orderly end into a reset.
async fn farewell<T: Transport>(transport: &mut T) {
    let mut scratch = [0; 4096];
    let read = async { while transport.read(&mut scratch).await.is_ok_and(|count| count > 0) {} };
    // Long enough, whatever the peer does.
    let _ = tokio::time::timeout(LONGEST_FAREWELL, read).await;
}

async fn serve<T, S>(
    transport: T,
    conn: &Arc<Conn>,
    plan: Vec<ChosenConnection>,
    service: S,
    lost: CancellationToken,
    stop: CancellationToken,
) where
    T: Transport,
    S: Service,
{
    let begun = Arc::new(Notify::new());
    let leaver = plan.iter().find(|chosen| chosen.rule().fault == ConnectionFault::Goaway {}).cloned();
    let builder = builder(conn, &plan);
    let service = service_fn(|request: Request<Incoming>| {
        begun.notify_one();
        if let Some(leaver) = &leaver {
            leaver.fired();
            conn.done(leaver.name(), "GOAWAY");
            conn.go_away();
        }
        let (mut head, body) = request.into_parts();
        let body = lingering(body, &head.headers);
        head.extensions.insert(Arc::clone(conn));
        let (service, call) = (service.clone(), conn.enter());
        async move {
            let answer = service.call(Request::from_parts(head, body)).await;
            drop(call);
            answer
        }
    });
    let transport = Patient::new(Faulty::new(transport, Arc::clone(conn), plan), LONGEST_STALL);
    let mut served = pin!(builder.serve_connection(TokioIo::new(transport), service));
    let signals = FuturesUnordered::<Pin<Box<dyn Future<Output = Signal> + Send + '_>>>::new();
    signals.push(Box::pin(async {
        conn.over().await;
        Signal::Over
    }));
    signals.push(Box::pin(async {
        lost.cancelled().await;
        Signal::Lost
    }));
    signals.push(Box::pin(async {
        conn.away().await;
        Signal::Away
    }));
    signals.push(Box::pin(async {
        stop.cancelled().await;
        Signal::Stop
    }));
    signals.push(Box::pin(async {
        let begun = tokio::time::timeout(HEAD_DEADLINE, begun.notified()).await;
        begun.map_or(Signal::Silent, |()| Signal::Begun)
    }));
    let mut signals = pin!(signals);
    loop {
        tokio::select! {
            biased;
            signal = signals.select_next_some() => match signal {
                Signal::Over | Signal::Silent => return,
                Signal::Lost => return conn.reset(),
                Signal::Begun => {}
                Signal::Away => served.as_mut().graceful_shutdown(),
                Signal::Stop => break,
            },
            ended = served.as_mut() => return report(ended),
        }
    }
    conn.ended_by("stopped");
    served.as_mut().graceful_shutdown();
    tokio::select! {
        () = conn.over() => {}
        ended = tokio::time::timeout(GRACE, served) => if let Ok(ended) = ended { report(ended) },
    }
}

/// What a connection is told from outside. All of it waits in one set, which asks only those that were woken: each costs
/// a lock that all connections share, and nothing is ever told on most turns.
enum Signal {
    /// It is to be dropped.
    Over,
    /// It is to be reset, with all others.
    Lost,
    /// It takes no further call.
    Away,
    /// The server stops.
    Stop,
    /// Its first call has begun.
    Begun,
    /// No call has begun in time.
    Silent,
}

fn builder(conn: &Conn, plan: &[ChosenConnection]) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    // Who answers says when; what a proxy hands on stays as it is.
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEAD_DEADLINE).auto_date_header(false);
    builder
        .http2()
        .timer(TokioTimer::new())
        .auto_date_header(false)
        .initial_stream_window_size(HTTP2_STREAM_WINDOW)
        .initial_connection_window_size(2 * HTTP2_STREAM_WINDOW)
        .max_send_buf_size(HTTP2_QUEUE)
        .keep_alive_interval(HTTP2_PING);
    for chosen in plan {
        if let ConnectionFault::MaxStreams { streams } = chosen.rule().fault {
            chosen.fired();
            conn.done(chosen.name(), format!("SETTINGS_MAX_CONCURRENT_STREAMS {streams}"));
            builder.http2().max_concurrent_streams(streams);
        }
    }
    builder
}

fn report(ended: Result<(), Box<dyn std::error::Error + Send + Sync>>) {
    match ended {
        Err(error) if error.source().is_some_and(<dyn std::error::Error>::is::<Gone>) => {}
        Err(error) => tracing::debug!(%error, "a connection ended early"),
        Ok(()) => {}
    }
}
