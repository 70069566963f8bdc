//! The answer's body as the connection gets it: does what the shaper wrote down, waits, ends, and tells the journal
//! how that went.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http_body::{Frame, SizeHint};

use super::act::{Act, Acts, Break};
use super::framing::{Counter, Framing};
use super::lent::Ledger;
use super::shaper::Shaper;
use crate::connection::{Conn, Gone, InCall, ending};
use crate::fault::{CallFault, ChosenCall};
use crate::journal::{ABANDONED, CallNote, Size};

/// What a body needs to know of its call.
pub(crate) struct Setting {
    pub(crate) conn: Arc<Conn>,
    pub(crate) http2: bool,
    /// Nothing of the body is sent: HEAD, 204, 304.
    pub(crate) head_only: bool,
    pub(crate) note: Arc<CallNote>,
    /// The announced length is not the body's.
    pub(crate) hide_length: bool,
    /// What a crash of the daemon is.
    pub(crate) crash: Arc<dyn Fn(&ChosenCall) + Send + Sync>,
    /// What follows a complete body, of which the connection may still have a part.
    pub(crate) then: Option<Box<dyn FnOnce(Ledger) + Send + Sync>>,
    /// Whether it matters what the connection still has.
    pub(crate) lend: bool,
    /// How many of the first bytes the journal keeps.
    pub(crate) keep: usize,
}

/// The next frame, or the end.
type Next = Option<Result<Frame<Bytes>, Broken>>;
type Waiting = Pin<Box<dyn Future<Output = Option<u64>> + Send>>;

/// A body with a plan, or with none.
pub(crate) struct Shaped {
    inner: Body,
    shaper: Option<Shaper>,
    acts: Acts,
    setting: Setting,
    counter: Option<Counter>,
    sent: u64,
    ledger: Ledger,
    kept: Vec<u8>,
    waiting: Option<Waiting>,
    /// What is done once everything before it has been acknowledged.
    breaking: Option<(Break, ChosenCall, Option<u64>)>,
    /// Why the guest's own body broke off, until what came before has been acknowledged.
    failing: Option<axum::Error>,
    /// Nothing more will come, though the body stays open.
    stalled: bool,
    ended: bool,
    /// The call lasts for as long as its body.
    _call: InCall,
}

/// Why a body broke off.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Broken {
    #[error(transparent)]
    Inner(#[from] axum::Error),
    #[error(transparent)]
    OnPurpose(#[from] Gone),
}

impl Shaped {
    pub(crate) fn new(inner: Body, plan: &[ChosenCall], framing: Framing, setting: Setting) -> Self {
        let shaper = (!plan.is_empty()).then(|| Shaper::new(plan, framing));
        let counter = (framing != Framing::Plain).then(Counter::default);
        let call = setting.conn.enter();
        Self {
            inner,
            shaper,
            acts: Acts::new(),
            setting,
            counter,
            sent: 0,
            ledger: Ledger::default(),
            kept: Vec::new(),
            waiting: None,
            breaking: None,
            failing: None,
            stalled: false,
            ended: false,
            _call: call,
        }
    }

    fn count(&mut self, data: &Bytes) {
        self.sent += data.len() as u64;
        if let Some(counter) = &mut self.counter {
            counter.pass(data);
        }
        let room = self.setting.keep.saturating_sub(self.kept.len()).min(data.len());
        self.kept.extend_from_slice(&data[..room]);
    }

    fn lent(&self, bytes: Bytes) -> Bytes {
        if self.setting.lend { self.ledger.lend(bytes) } else { bytes }
    }

    /// Tells the journal how it ended, once.
    fn tell(&mut self, end: &str) {
        if std::mem::replace(&mut self.ended, true) {
            return;
        }
        let size = Size { bytes: self.sent, envelopes: self.counter.map(|counter| counter.envelopes) };
        let kept = std::mem::take(&mut self.kept);
        self.setting.note.end(end, |call| {
            call.sent = size;
            if let Some(bodies) = &mut call.bodies {
                bodies[1] = crate::journal::base64(&kept);
            }
        });
        if end == "complete" {
            self.finished();
        }
    }

    fn finished(&mut self) {
        if let Some(then) = self.setting.then.take() {
            then(self.ledger.clone());
        }
    }

    /// Waits until everything so far has been acknowledged; what was not, in bytes.
    fn settle(&mut self) {
        let (conn, ledger) = (Arc::clone(&self.setting.conn), self.ledger.clone());
        self.waiting = Some(Box::pin(async move { conn.settle_body(&ledger).await.err() }));
    }

    fn sleep(&mut self, time: Duration) {
        let clock = self.setting.conn.time.clone();
        self.waiting = Some(Box::pin(async move {
            clock.sleep(time).await;
            None
        }));
    }

    /// Whoever gives up before a delay is over has met it all the same.
    fn tell_delay(&mut self) {
        let sleeping = self.waiting.is_some() && self.breaking.is_none() && self.failing.is_none();
        if let Some(Act::Done(chosen, _, envelope)) = self.acts.front().filter(|_| sleeping)
            && let CallFault::Delay { time } = &chosen.rule().fault
        {
            chosen.fired();
            self.setting.note.done(chosen.name(), delay_left(chosen.key.wait(time)), *envelope);
        }
    }

    /// Does what was asked for, now that the peer has what came before.
    fn break_off(
        &mut self,
        by: Break,
        chosen: &ChosenCall,
        envelope: Option<u64>,
        unacknowledged: Option<u64>,
    ) -> Option<Poll<Next>> {
        let http2 = self.setting.http2;
        let what = match by {
            Break::Cut => "clean end",
            Break::Abort if http2 => "RST_STREAM",
            Break::Abort => "FIN without an end",
            Break::Reset => "RST",
            Break::Stall => "nothing more",
            Break::Crash => "crash",
        };
        self.setting.note.done(chosen.name(), ending(what, self.sent, unacknowledged), envelope);
        chosen.fired();
        match by {
            Break::Cut => {
                self.tell("cut");
                return Some(Poll::Ready(None));
            }
            Break::Abort if http2 => {
                self.tell("aborted");
                return Some(Poll::Ready(Some(Err(Gone.into()))));
            }
            Break::Abort => {
                self.tell("aborted");
                self.setting.conn.close();
            }
            Break::Reset => {
                self.tell("reset");
                self.setting.conn.reset();
            }
            Break::Crash => {
                self.tell("reset");
                (self.setting.crash)(chosen);
            }
            Break::Stall => {}
        }
        self.stalled = true;
        None
    }

    /// Does the next step; `None` when there is another to be done first.
    fn step(&mut self, act: Act) -> Option<Poll<Next>> {
        match act {
            Act::Bytes(bytes) => {
                self.count(&bytes);
                return Some(Poll::Ready(Some(Ok(Frame::data(self.lent(bytes))))));
            }
            Act::Trailers(trailers) => return Some(Poll::Ready(Some(Ok(Frame::trailers(trailers))))),
            Act::Sleep(time) => self.sleep(time),
            Act::Done(chosen, what, envelope) => {
                chosen.fired();
                self.setting.note.done(chosen.name(), what, envelope);
            }
            Act::End => {
                self.tell("complete");
                return Some(Poll::Ready(None));
            }
            Act::Break(by, chosen, envelope) => {
                self.breaking = Some((by, chosen, envelope));
                self.settle();
            }
        }
        None
    }

    /// Takes more from the guest; `None` when there are steps to do.
    fn poll_inner(&mut self, cx: &mut Context<'_>) -> Poll<Option<Next>> {
        if !self.setting.http2 {
            ready!(self.setting.conn.poll_room(cx));
        }
        let frame = ready!(http_body::Body::poll_frame(Pin::new(&mut self.inner), cx));
        let frame = match frame.transpose() {
            Ok(frame) => frame,
            Err(error) => {
                self.failing = Some(error);
                self.settle();
                return Poll::Ready(None);
            }
        };
        let Some(shaper) = &mut self.shaper else {
            let frame = match frame.map(Frame::into_data) {
                Some(Ok(data)) => {
                    self.count(&data);
                    Some(Frame::data(self.lent(data)))
                }
                Some(Err(frame)) => Some(frame),
                None => {
                    self.tell("complete");
                    None
                }
            };
            return Poll::Ready(Some(frame.map(Ok)));
        };
        match frame.map(Frame::into_data) {
            Some(Ok(data)) => shaper.data(data, &mut self.acts),
            Some(Err(frame)) => shaper.end(frame.into_trailers().ok(), &mut self.acts),
            None => shaper.end(None, &mut self.acts),
        }
        Poll::Ready(None)
    }

    /// Whether the guest has nothing left to say, as far as can be told without asking it.
    fn is_exhausted(&self) -> bool {
        let inner = http_body::Body::size_hint(&self.inner);
        self.acts.is_empty()
            && self.breaking.is_none()
            && (http_body::Body::is_end_stream(&self.inner) || inner.exact() == Some(0))
    }
}

impl http_body::Body for Shaped {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        let this = self.get_mut();
        loop {
            if this.stalled {
                return Poll::Pending;
            }
            if let Some(waiting) = &mut this.waiting {
                let unacknowledged = ready!(waiting.as_mut().poll(cx));
                this.waiting = None;
                if let Some(error) = this.failing.take() {
                    this.tell("failed");
                    return Poll::Ready(Some(Err(error.into())));
                }
                if let Some((by, chosen, envelope)) = this.breaking.take()
                    && let Some(polled) = this.break_off(by, &chosen, envelope, unacknowledged)
                {
                    return polled;
                }
                continue;
            }
            if let Some(act) = this.acts.pop_front() {
                if let Some(polled) = this.step(act) {
                    return polled;
                }
                continue;
            }
            if this.ended {
                return Poll::Ready(None);
            }
            if let Some(frame) = ready!(this.poll_inner(cx)) {
                return Poll::Ready(frame);
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.shaper.is_none() && http_body::Body::is_end_stream(&self.inner)
    }

    fn size_hint(&self) -> SizeHint {
        match &self.shaper {
            _ if self.setting.hide_length => SizeHint::default(),
            Some(shaper) if shaper.changes_length() => SizeHint::default(),
            _ => http_body::Body::size_hint(&self.inner),
        }
    }
}

/// What is said of a delay in which the call ended.
pub(crate) fn delay_left(time: Duration) -> String {
    format!("the call ended in a delay of {time:?}")
}

impl Drop for Shaped {
    fn drop(&mut self) {
        self.tell_delay();
        let whole = self.setting.head_only || self.is_exhausted();
        // Whatever the guest still has to say of the call comes before its end.
        drop(std::mem::take(&mut self.inner));
        self.tell(if whole { "complete" } else { ABANDONED });
    }
}
