//! A transport that goes wrong: it counts what passes, is silent when told to, writes slowly or in slices, and acts when
//! a byte is reached. With nothing planned it passes everything through.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::conn::{Conn, Manner};
use super::serve::Transport;
use crate::fault::{ChosenConnection, ConnectionFault, Position};
use crate::time::Time;

/// How often a limited bandwidth lets something through.
const BEAT: Duration = Duration::from_millis(10);
const SCRATCH: usize = 8 * 1024;

/// A transport under the orders of its [`Conn`] and a plan.
pub(super) struct Faulty<T> {
    inner: T,
    conn: Arc<Conn>,
    down: Vec<(u64, ChosenConnection)>,
    up: Vec<(u64, ChosenConnection)>,
    pace: Option<Pace>,
    slow_close: Option<(Duration, ChosenConnection)>,
    /// What a write or the close waits for.
    waiting: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
}

/// How writes are broken up.
struct Pace {
    most: usize,
    /// For so many bytes written.
    pause: Box<dyn Fn(usize) -> Duration + Send + Sync>,
    told: Option<ChosenConnection>,
}

impl<T: Transport> Faulty<T> {
    pub(super) fn new(inner: T, conn: Arc<Conn>, plan: Vec<ChosenConnection>) -> Self {
        conn.hold_socket(inner.socket());
        let mut this =
            Self { inner, conn, down: vec![], up: vec![], pace: None, slow_close: None, waiting: None };
        plan.into_iter().for_each(|chosen| this.plan(chosen));
        this
    }

    fn plan(&mut self, chosen: ChosenConnection) {
        match (chosen.rule().at, &chosen.rule().fault) {
            (Some(Position::Down(byte)), _) => self.down.push((byte, chosen)),
            (Some(Position::Up(byte)), _) => self.up.push((byte, chosen)),
            (_, ConnectionFault::Bandwidth { rate }) => self.pace = Some(bandwidth(rate.0, chosen)),
            (_, ConnectionFault::Slice { size, gap }) => {
                let (most, gap) =
                    (usize::try_from(size.0).unwrap_or(usize::MAX).max(1), gap.unwrap_or_default());
                self.pace = Some(Pace { most, pause: Box::new(move |_| gap), told: Some(chosen) });
            }
            (_, ConnectionFault::SlowClose { time }) => {
                self.slow_close = Some((chosen.key.wait(time), chosen));
            }
            _ => {}
        }
    }
}

fn bandwidth(rate: u64, chosen: ChosenConnection) -> Pace {
    let most = usize::try_from(rate / 100).unwrap_or(usize::MAX).max(1);
    let pause = move |written: usize| {
        Duration::from_secs_f64(written as f64 / rate as f64)
            .max(BEAT.min(Duration::from_secs_f64(1.0 / rate as f64)))
    };
    Pace { most, pause: Box::new(pause), told: Some(chosen) }
}

impl<T> Faulty<T> {
    /// Acts on the first planned byte that has been reached.
    fn reached(conn: &Arc<Conn>, plan: &mut Vec<(u64, ChosenConnection)>, passed: u64) -> bool {
        let Some(index) = plan.iter().position(|(byte, _)| passed >= *byte) else { return false };
        let (byte, chosen) = plan.remove(index);
        act(conn, chosen, byte);
        true
    }

    /// How many bytes may pass before the next planned one.
    fn room(plan: &[(u64, ChosenConnection)], passed: u64, most: usize) -> usize {
        let next = plan.iter().map(|(byte, _)| byte.saturating_sub(passed)).min();
        next.map_or(most, |next| most.min(usize::try_from(next).unwrap_or(usize::MAX)))
    }

    fn poll_waiting(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if let Some(waiting) = &mut self.waiting {
            ready!(waiting.as_mut().poll(cx));
            self.waiting = None;
        }
        Poll::Ready(())
    }

    fn wait(&mut self, time: Duration) {
        let clock: Time = self.conn.time.clone();
        self.waiting = Some(Box::pin(async move { clock.sleep(time).await }));
    }

    fn is_silent(&self, cx: &Context<'_>) -> bool {
        self.conn.wake_writer_with(cx.waker());
        self.conn.is_over() || !matches!(self.conn.manner(), Manner::Normal | Manner::Deaf)
    }

    fn wrote(&mut self, bytes: usize) {
        self.conn.count_sent(bytes);
        if let Some(pace) = &mut self.pace {
            let pause = (pace.pause)(bytes);
            if let Some(told) = pace.told.take() {
                told.fired();
                self.conn.done(told.name(), format!("paced from byte {}", self.conn.sent()));
            }
            if !pause.is_zero() {
                self.wait(pause);
            }
        }
    }
}

/// Does what a rule of a connection says, now.
fn act(conn: &Arc<Conn>, chosen: ChosenConnection, byte: u64) {
    let manner = match chosen.rule().fault {
        ConnectionFault::Stall {} => Some((Manner::Stalled, "stalled")),
        ConnectionFault::HalfOpen {} => Some((Manner::HalfOpen, "half-open")),
        ConnectionFault::Zombie {} => Some((Manner::Zombie, "zombie")),
        _ => None,
    };
    chosen.fired();
    if let Some((manner, what)) = manner {
        conn.behave(manner);
        conn.done(chosen.name(), format!("{what} at byte {byte}"));
        return;
    }
    conn.behave(Manner::Stalled);
    let conn = Arc::clone(conn);
    tokio::spawn(async move {
        let rest = conn.settle().await.err();
        let reset = matches!(chosen.rule().fault, ConnectionFault::Reset {});
        conn.done(chosen.name(), ending(if reset { "RST" } else { "FIN" }, byte, rest));
        if reset { conn.reset() } else { conn.close() }
    });
}

/// "RST at byte 5", and what did not get through before it.
pub(crate) fn ending(what: &str, byte: u64, unacknowledged: Option<u64>) -> String {
    match unacknowledged {
        Some(bytes) if bytes > 0 => format!("{what} at byte {byte}, {bytes} bytes of it unacknowledged"),
        _ => format!("{what} at byte {byte}"),
    }
}

impl<T: Transport> AsyncRead for Faulty<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        this.conn.wake_reader_with(cx.waker());
        if this.conn.is_over() {
            return Poll::Pending;
        }
        match this.conn.manner() {
            Manner::Stalled | Manner::Deaf => Poll::Pending,
            Manner::HalfOpen | Manner::Zombie => this.poll_discard(cx),
            Manner::Normal => this.poll_pass(cx, buffer),
        }
    }
}

impl<T: Transport> Faulty<T> {
    /// Takes what comes and tells nobody, until the peer ends; a zombie resets at the first byte.
    fn poll_discard(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut scratch = [0; SCRATCH];
        loop {
            let mut buffer = ReadBuf::new(&mut scratch);
            ready!(Pin::new(&mut self.inner).poll_read(cx, &mut buffer))?;
            let taken = buffer.filled().len();
            self.conn.count_received(taken);
            match taken {
                0 => {
                    self.conn.ended_by("closed by peer");
                    return Poll::Ready(Ok(()));
                }
                _ if self.conn.manner() == Manner::Zombie => {
                    self.conn.reset();
                    return Poll::Pending;
                }
                _ => {}
            }
        }
    }

    fn poll_pass(&mut self, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = if self.up.is_empty() {
            ready!(Pin::new(&mut self.inner).poll_read(cx, buffer))
        } else {
            if Self::reached(&self.conn, &mut self.up, self.conn.received()) {
                return Poll::Pending;
            }
            let mut scratch = [0; SCRATCH];
            let most = Self::room(&self.up, self.conn.received(), buffer.remaining().min(SCRATCH)).max(1);
            let mut limited = ReadBuf::new(&mut scratch[..most]);
            let read = ready!(Pin::new(&mut self.inner).poll_read(cx, &mut limited));
            buffer.put_slice(limited.filled());
            read
        };
        let count = buffer.filled().len() - before;
        self.conn.count_received(count);
        match &read {
            Ok(()) if count == 0 && buffer.remaining() > 0 => self.conn.ended_by("closed by peer"),
            Err(_) => self.conn.ended_by("reset by peer"),
            Ok(()) => {}
        }
        Poll::Ready(read)
    }
}

impl<T: Transport> AsyncWrite for Faulty<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        if this.is_silent(cx) {
            return Poll::Pending;
        }
        if this.conn.takes_back(bytes) {
            return Poll::Ready(Ok(bytes.len()));
        }
        ready!(this.poll_waiting(cx));
        if Self::reached(&this.conn, &mut this.down, this.conn.sent()) {
            return Poll::Pending;
        }
        let paced = this.pace.as_ref().map_or(bytes.len(), |pace| bytes.len().min(pace.most));
        let room = Self::room(&this.down, this.conn.sent(), paced);
        let polled = Pin::new(&mut this.inner).poll_write(cx, &bytes[..room]);
        this.conn.wrote(polled.is_pending());
        let written = ready!(polled)?;
        this.wrote(written);
        Poll::Ready(Ok(written))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let plain = self.pace.is_none() && self.down.is_empty();
        let first = pieces.iter().find(|piece| !piece.is_empty()).map_or(&[][..], |piece| piece);
        if !plain {
            return self.poll_write(cx, first);
        }
        let this = &mut *self;
        if this.is_silent(cx) {
            return Poll::Pending;
        }
        if this.conn.takes_back(first) {
            return Poll::Ready(Ok(first.len()));
        }
        let polled = Pin::new(&mut this.inner).poll_write_vectored(cx, pieces);
        this.conn.wrote(polled.is_pending());
        let written = ready!(polled)?;
        this.wrote(written);
        Poll::Ready(Ok(written))
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.inner).poll_flush(cx))?;
        self.conn.count_flush();
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.conn.is_over() {
            return Poll::Ready(Ok(()));
        }
        if let Some((time, chosen)) = self.slow_close.take() {
            chosen.fired();
            self.conn.done(chosen.name(), format!("FIN held back for {time:?}"));
            self.wait(time);
        }
        ready!(self.poll_waiting(cx));
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

impl<T> Drop for Faulty<T> {
    fn drop(&mut self) {
        // Before the socket is closed, so that nobody acts on a descriptor that has become another's.
        self.conn.hold_socket(None);
        // Nobody waits for a flush that cannot come.
        self.conn.count_flush();
    }
}
