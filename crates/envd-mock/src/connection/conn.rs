//! One connection as the rest of the mock may see and order it about: its counts, what its transport does from now
//! on, and its end. The socket itself stays with the transport.

use std::os::fd::RawFd;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use futures::task::AtomicWaker;
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::socket;
use crate::body::Ledger;
use crate::journal::ConnectionNote;
use crate::time::Time;

/// How long what was sent may take to be acknowledged before a connection is ended all the same.
const LONGEST_SETTLING: Duration = Duration::from_secs(2);
/// How long the connection's task may take to get to what is due, when it cannot be woken.
const HAND_OVER: Duration = Duration::from_millis(50);
const TICK: Duration = Duration::from_millis(1);

/// What the transport of a connection does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Manner {
    /// What it should.
    Normal,
    /// Reads nothing and writes nothing.
    Stalled,
    /// Takes every byte and says nothing.
    HalfOpen,
    /// Says nothing, and resets on the next byte.
    Zombie,
    /// Writes what is due and reads nothing.
    Deaf,
}

/// A connection's handle.
#[derive(Debug)]
pub(crate) struct Conn {
    /// From 1; 0 on a port that is not counted.
    pub(crate) ordinal: u64,
    pub(crate) time: Time,
    note: Option<ConnectionNote>,
    sent: AtomicU64,
    received: AtomicU64,
    flushes: AtomicU64,
    flushed: Notify,
    manner: AtomicU8,
    reader: AtomicWaker,
    writer: AtomicWaker,
    /// The peer took nothing of the last write.
    blocked: AtomicBool,
    /// A body that waits for the peer to take what is there already.
    body: AtomicWaker,
    /// The socket's descriptor, for as long as the transport has it.
    socket: Mutex<Option<RawFd>>,
    end: Mutex<Option<&'static str>>,
    over: CancellationToken,
    away: CancellationToken,
    mute_continue: AtomicBool,
    continue_muted: AtomicBool,
    /// What others keep for as long as it lives.
    beside: Mutex<http::Extensions>,
    calls: AtomicUsize,
    /// When it last had nothing to do, as a turn among all connections.
    idle_since: AtomicU64,
}

/// Orders the moments at which connections became idle.
static TURN: AtomicU64 = AtomicU64::new(0);

/// A call in flight, for as long as it lives.
#[derive(Debug)]
pub(crate) struct InCall(Arc<Conn>);

impl Drop for InCall {
    fn drop(&mut self) {
        self.0.idle_since.store(TURN.fetch_add(1, Ordering::Relaxed), Ordering::Relaxed);
        self.0.calls.fetch_sub(1, Ordering::Release);
    }
}

impl Conn {
    pub(crate) fn new(note: Option<ConnectionNote>, time: Time) -> Self {
        Self {
            ordinal: note.as_ref().map_or(0, |note| note.ordinal),
            time,
            note,
            sent: AtomicU64::new(0),
            received: AtomicU64::new(0),
            flushes: AtomicU64::new(0),
            flushed: Notify::new(),
            manner: AtomicU8::new(Manner::Normal as u8),
            reader: AtomicWaker::new(),
            writer: AtomicWaker::new(),
            blocked: AtomicBool::new(false),
            body: AtomicWaker::new(),
            socket: Mutex::default(),
            end: Mutex::default(),
            over: CancellationToken::new(),
            away: CancellationToken::new(),
            mute_continue: AtomicBool::new(false),
            continue_muted: AtomicBool::new(false),
            beside: Mutex::default(),
            calls: AtomicUsize::new(0),
            idle_since: AtomicU64::new(TURN.fetch_add(1, Ordering::Relaxed)),
        }
    }

    /// A call begins.
    pub(crate) fn enter(self: &Arc<Self>) -> InCall {
        self.calls.fetch_add(1, Ordering::Acquire);
        InCall(Arc::clone(self))
    }

    /// Since when it has had no call, as a turn among all connections; `None` while it has one, or is over.
    pub(super) fn idle_since(&self) -> Option<u64> {
        let idle = self.calls.load(Ordering::Acquire) == 0 && !self.is_over();
        idle.then(|| self.idle_since.load(Ordering::Relaxed))
    }

    /// Ends it in order to make room for another one.
    pub(super) fn evict(&self) {
        self.with_socket(socket::shut_down_writing);
        self.finish("evicted");
    }

    /// The one `T` of this connection, made when it is first asked for.
    pub(crate) fn beside<T: Default + Send + Sync + 'static>(&self) -> Arc<T> {
        let mut beside = self.beside.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(beside.get_or_insert_default::<Arc<T>>())
    }

    /// Notes what was done because of a rule.
    pub(super) fn done(&self, rule: &str, what: impl Into<String>) {
        if let Some(note) = &self.note {
            note.done(rule, what);
        }
    }

    /// Ends it at once with a reset (RST): what was not sent is lost, and the peer's next read fails.
    pub(crate) fn reset(&self) {
        self.with_socket(socket::reset_on_close);
        self.finish("reset");
    }

    /// Ends it in order (FIN).
    pub(crate) fn close(&self) {
        self.with_socket(socket::shut_down_writing);
        self.finish("closed");
    }

    fn finish(&self, end: &'static str) {
        self.ended_by(end);
        self.over.cancel();
    }

    /// Notes who ended it; the first who says so is right.
    pub(super) fn ended_by(&self, end: &'static str) {
        self.end.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(end);
    }

    /// Resolves once the transport is to be dropped.
    pub(super) async fn over(&self) {
        self.over.cancelled().await;
    }

    pub(super) fn is_over(&self) -> bool {
        self.over.is_cancelled()
    }

    /// Takes no further call: GOAWAY on HTTP/2.
    pub(crate) fn go_away(&self) {
        self.away.cancel();
    }

    /// Resolves once it is to take no further call.
    pub(super) async fn away(&self) {
        self.away.cancelled().await;
    }

    pub(crate) fn manner(&self) -> Manner {
        match self.manner.load(Ordering::Acquire) {
            1 => Manner::Stalled,
            2 => Manner::HalfOpen,
            3 => Manner::Zombie,
            4 => Manner::Deaf,
            _ => Manner::Normal,
        }
    }

    /// Changes what the transport does from now on.
    pub(crate) fn behave(&self, manner: Manner) {
        self.manner.store(manner as u8, Ordering::Release);
        self.reader.wake();
        self.writer.wake();
    }

    /// Sends no `100 Continue` for the request that is under way.
    pub(crate) fn mute_continue(&self) {
        self.continue_muted.store(false, Ordering::Relaxed);
        self.mute_continue.store(true, Ordering::Relaxed);
    }

    /// Whether one would have been sent.
    pub(crate) fn has_muted_continue(&self) -> bool {
        self.continue_muted.load(Ordering::Relaxed)
    }

    /// Whether these bytes are a `100 Continue` that is not to be sent.
    pub(super) fn takes_back(&self, bytes: &[u8]) -> bool {
        let muted = self.mute_continue.load(Ordering::Relaxed) && bytes == b"HTTP/1.1 100 Continue\r\n\r\n";
        if muted {
            self.mute_continue.store(false, Ordering::Relaxed);
            self.continue_muted.store(true, Ordering::Relaxed);
        }
        muted
    }

    /// Waits until all that was handed over has been acknowledged by the peer's kernel, for two seconds at most.
    ///
    /// # Errors
    /// How many bytes were not, by then.
    pub(crate) async fn settle(&self) -> Result<(), u64> {
        self.settle_until(Instant::now() + LONGEST_SETTLING).await
    }

    /// As [`Conn::settle`], for a body of which the connection still has a part.
    ///
    /// # Errors
    /// How many bytes were not acknowledged, by then.
    pub(crate) async fn settle_body(&self, body: &Ledger) -> Result<(), u64> {
        let deadline = Instant::now() + LONGEST_SETTLING;
        let written = tokio::select! {
            written = tokio::time::timeout_at(deadline, body.settled()) => written.is_ok(),
            () = self.over() => false,
        };
        if !written {
            return Err(body.owed() + self.unacknowledged());
        }
        self.settle_until(deadline).await
    }

    async fn settle_until(&self, deadline: Instant) -> Result<(), u64> {
        self.next_flush(deadline).await;
        let mut sent = self.sent();
        loop {
            let unsent = self.unacknowledged();
            let before = std::mem::replace(&mut sent, self.sent());
            if unsent == 0 && before == sent {
                return Ok(());
            }
            if Instant::now() >= deadline || self.is_over() {
                return Err(unsent);
            }
            tokio::time::sleep(TICK).await;
        }
    }

    /// The connection's task writes what it was given, then flushes. A flush that is on its way already may have missed
    /// what was given to it just now, so the task is woken for two. A silent transport flushes nothing: it only gets the
    /// time in which all that is due is given to it, so that as much of a call is told of each time.
    async fn next_flush(&self, deadline: Instant) {
        for _ in 0..2 {
            let seen = self.flushes.load(Ordering::Acquire);
            let silent = !matches!(self.manner(), Manner::Normal | Manner::Deaf);
            let woken = !silent && self.reader.take().map(Waker::wake).is_some();
            let flushed = async {
                loop {
                    let told = self.flushed.notified();
                    if self.flushes.load(Ordering::Acquire) > seen {
                        return;
                    }
                    told.await;
                }
            };
            // A task that does not read at the moment cannot be woken, and nothing may be due.
            let until = if woken { deadline } else { deadline.min(Instant::now() + HAND_OVER) };
            let _ = tokio::time::timeout_at(until, flushed).await;
            if silent {
                return;
            }
        }
    }

    /// Whether the peer has closed or reset it. What it sent before may still wait to be read.
    pub(crate) fn has_lost_peer(&self) -> bool {
        self.is_over() || self.with_socket(socket::has_lost_peer).unwrap_or(false)
    }

    fn unacknowledged(&self) -> u64 {
        self.with_socket(socket::unacknowledged).unwrap_or(0)
    }

    /// Bytes towards the peer.
    pub(crate) fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// Bytes from the peer.
    pub(crate) fn received(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }

    pub(super) fn count_sent(&self, bytes: usize) {
        self.sent.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub(super) fn count_received(&self, bytes: usize) {
        self.received.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub(super) fn count_flush(&self) {
        self.flushes.fetch_add(1, Ordering::Release);
        self.flushed.notify_waiters();
    }

    pub(super) fn wake_reader_with(&self, waker: &Waker) {
        self.reader.register(waker);
    }

    pub(super) fn wake_writer_with(&self, waker: &Waker) {
        self.writer.register(waker);
    }

    /// Notes whether the socket had room for the last write.
    pub(super) fn wrote(&self, blocked: bool) {
        if self.blocked.swap(blocked, Ordering::AcqRel) && !blocked {
            self.body.wake();
        }
    }

    /// Waits while the socket has no room, so that a peer who takes nothing costs one piece of a body and not a full queue. For
    /// HTTP/1, where one body is on its way at a time.
    pub(crate) fn poll_room(&self, cx: &Context<'_>) -> Poll<()> {
        if !self.blocked.load(Ordering::Acquire) {
            return Poll::Ready(());
        }
        self.body.register(cx.waker());
        // It may have got room meanwhile.
        if self.blocked.load(Ordering::Acquire) { Poll::Pending } else { Poll::Ready(()) }
    }

    /// The transport's socket, while it has one; taken away before it is closed.
    pub(super) fn hold_socket(&self, socket: Option<RawFd>) {
        *self.socket() = socket;
    }

    fn socket(&self) -> MutexGuard<'_, Option<RawFd>> {
        self.socket.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Under the lock, so that the descriptor cannot become another's meanwhile.
    fn with_socket<T>(&self, act: impl FnOnce(RawFd) -> T) -> Option<T> {
        let held = self.socket();
        held.map(act)
    }

    /// Completes the journal's entry.
    pub(super) fn record_end(&self) {
        let end = self.end.lock().unwrap_or_else(PoisonError::into_inner).unwrap_or("closed");
        if let Some(note) = &self.note {
            note.end(end, self.sent(), self.received());
        }
    }
}
