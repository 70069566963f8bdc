//! A request's body on its way in: counted, and held up, refused or broken off where a plan says so.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use axum::body::Body;
use bytes::Bytes;
use http_body::{Frame, SizeHint};
use tokio::sync::watch;

use crate::body::{Counter, Framing};
use crate::connection::Conn;
use crate::fault::{CallFault, ChosenCall, HttpStatus, Position, Which};
use crate::journal::{CallNote, Size};

/// What becomes of a call because of what happened to its request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Nothing yet.
    Open,
    /// No answer, ever.
    Silent,
    /// This answer, at once.
    Early(HttpStatus),
    /// Broken off.
    Gone,
}

/// The pipeline's side of a request body.
#[derive(Clone)]
pub(crate) struct Watch(Arc<Seen>);

struct Seen {
    bytes: AtomicU64,
    envelopes: Option<AtomicU64>,
    kept: Mutex<Vec<u8>>,
    /// What is not to be read on, kept so that nobody throws it away.
    unread: Mutex<Option<Body>>,
    /// Missing where nothing is planned for the request: it decides nothing then.
    outcome: Option<watch::Sender<Outcome>>,
}

impl Watch {
    /// Bytes and envelopes that were read.
    pub(crate) fn size(&self) -> Size {
        let envelopes = self.0.envelopes.as_ref().map(|count| count.load(Ordering::Relaxed));
        Size { bytes: self.0.bytes.load(Ordering::Relaxed), envelopes }
    }

    /// The first bytes, in base64.
    pub(crate) fn kept(&self) -> String {
        crate::journal::base64(&self.0.kept.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Resolves when the request decides what becomes of the call.
    pub(crate) async fn outcome(&self) -> Outcome {
        let Some(outcome) = &self.0.outcome else { return std::future::pending().await };
        let mut outcome = outcome.subscribe();
        let decided = outcome.wait_for(|outcome| *outcome != Outcome::Open).await;
        // The sender lives as long as `self`.
        decided.map_or(Outcome::Open, |outcome| *outcome)
    }
}

enum Step {
    Pass(Bytes),
    Act(ChosenCall, Option<u64>),
}

/// A byte at which something is planned, and the envelope that it was counted from.
struct Point {
    byte: u64,
    envelope: Option<u64>,
    chosen: ChosenCall,
}

/// A body with what is planned for it.
pub(crate) struct Upward {
    inner: Body,
    counter: Option<Counter>,
    passed: u64,
    bytes: Vec<Point>,
    envelopes: Vec<(Which, u64, ChosenCall)>,
    steps: VecDeque<Step>,
    waiting: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    stopped: bool,
    keep: usize,
    seen: Arc<Seen>,
    conn: Arc<Conn>,
    note: Arc<CallNote>,
    crash: Arc<dyn Fn(&ChosenCall) + Send + Sync>,
}

impl Point {
    fn at(byte: u64, chosen: &ChosenCall) -> Self {
        Self { byte, envelope: None, chosen: chosen.clone() }
    }
}

impl Upward {
    /// `plan` may hold faults of other places, too; `keep` is how many of the first bytes the journal keeps.
    pub(crate) fn new(
        inner: Body,
        plan: &[ChosenCall],
        framing: Framing,
        keep: usize,
        conn: Arc<Conn>,
        note: Arc<CallNote>,
        crash: Arc<dyn Fn(&ChosenCall) + Send + Sync>,
    ) -> (Self, Watch) {
        let framed = framing != Framing::Plain;
        let (mut bytes, mut envelopes) = (vec![], vec![]);
        for chosen in plan {
            match chosen.rule().at {
                Some(Position::Up(byte)) => bytes.push(Point::at(byte, chosen)),
                Some(Position::UpEnvelope(which, byte)) => envelopes.push((which, byte, chosen.clone())),
                None if is_about_requests(&chosen.rule().fault) => bytes.push(Point::at(0, chosen)),
                _ => {}
            }
        }
        let planned = !(bytes.is_empty() && envelopes.is_empty());
        let seen = Arc::new(Seen {
            bytes: AtomicU64::new(0),
            envelopes: framed.then(AtomicU64::default),
            kept: Mutex::default(),
            unread: Mutex::default(),
            outcome: planned.then(|| watch::Sender::new(Outcome::Open)),
        });
        let counter = framed.then(Counter::default);
        let watch = Watch(Arc::clone(&seen));
        let (passed, steps, waiting, stopped) = (0, VecDeque::new(), None, false);
        let this = Self {
            inner,
            counter,
            passed,
            bytes,
            envelopes,
            steps,
            waiting,
            stopped,
            keep,
            seen,
            conn,
            note,
            crash,
        };
        (this, watch)
    }

    fn count(&mut self, data: &Bytes) {
        self.seen.bytes.fetch_add(data.len() as u64, Ordering::Relaxed);
        if self.keep > 0 {
            let mut kept = self.seen.kept.lock().unwrap_or_else(PoisonError::into_inner);
            let room = self.keep.saturating_sub(kept.len()).min(data.len());
            kept.extend_from_slice(&data[..room]);
        }
    }

    /// Cuts `data` where something is planned.
    fn plan(&mut self, mut data: Bytes) {
        self.reached();
        while !data.is_empty() {
            self.meet_envelope();
            self.reached();
            let next = self.bytes.iter().map(|point| point.byte - self.passed).min();
            let room =
                next.map_or(data.len(), |next| usize::try_from(next).unwrap_or(usize::MAX)).min(data.len());
            let room = self.counter.map_or(room, |counter| room.min(counter.room()));
            let piece = data.split_to(room.max(1));
            self.passed += piece.len() as u64;
            if let Some(counter) = &mut self.counter {
                counter.pass(&piece);
                if let Some(envelopes) = &self.seen.envelopes {
                    envelopes.store(counter.envelopes, Ordering::Relaxed);
                }
            }
            self.steps.push_back(Step::Pass(piece));
        }
        self.reached();
    }

    /// At the start of an envelope, what is planned for it becomes a byte.
    fn meet_envelope(&mut self) {
        let Some(counter) = self.counter.filter(Counter::is_between) else { return };
        let index = counter.envelopes + 1;
        for (which, byte, chosen) in &self.envelopes {
            if which.covers(index, false) && chosen.acts_at(index) {
                let byte = self.passed + byte;
                self.bytes.push(Point { envelope: Some(index), ..Point::at(byte, chosen) });
            }
        }
    }

    fn reached(&mut self) {
        while let Some(index) = self.bytes.iter().position(|point| point.byte <= self.passed) {
            let Point { envelope, chosen, .. } = self.bytes.remove(index);
            self.steps.push_back(Step::Act(chosen, envelope));
        }
    }

    /// Does what a fault says, here.
    fn act(&mut self, chosen: &ChosenCall, envelope: Option<u64>) {
        let read = self.seen.bytes.load(Ordering::Relaxed);
        let decide = |decided: Outcome| {
            if let Some(outcome) = &self.seen.outcome {
                outcome.send_replace(decided);
            }
        };
        self.stopped = true;
        let what = match &chosen.rule().fault {
            CallFault::Delay { time } => {
                self.stopped = false;
                let (time, clock) = (chosen.key.wait(time), self.conn.time.clone());
                self.waiting = Some(Box::pin(async move { clock.sleep(time).await }));
                format!("not read on for {time:?}")
            }
            CallFault::StopReading {} => {
                decide(Outcome::Silent);
                "not read on".to_owned()
            }
            CallFault::AnswerEarly { status } => {
                decide(Outcome::Early(*status));
                format!("answered {}", status.0)
            }
            CallFault::Abort {} => {
                decide(Outcome::Gone);
                "broken off".to_owned()
            }
            CallFault::Reset {} => {
                decide(Outcome::Silent);
                self.conn.reset();
                self.note.end("reset", |_| {});
                "RST".to_owned()
            }
            CallFault::Crash { .. } => {
                decide(Outcome::Silent);
                (self.crash)(chosen);
                "crash".to_owned()
            }
            _ => return,
        };
        chosen.fired();
        self.note.done(chosen.name(), format!("{what} after {read} bytes of the request"), envelope);
    }
}

fn is_about_requests(fault: &CallFault) -> bool {
    matches!(fault, CallFault::StopReading {} | CallFault::AnswerEarly { .. })
}

impl Drop for Upward {
    fn drop(&mut self) {
        if self.seen.outcome.as_ref().is_some_and(|outcome| *outcome.borrow() == Outcome::Silent) {
            let body = std::mem::take(&mut self.inner);
            *self.seen.unread.lock().unwrap_or_else(PoisonError::into_inner) = Some(body);
        }
    }
}

impl http_body::Body for Upward {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let this = self.get_mut();
        loop {
            if this.stopped {
                return Poll::Pending;
            }
            if let Some(waiting) = &mut this.waiting {
                ready!(waiting.as_mut().poll(cx));
                this.waiting = None;
            }
            match this.steps.pop_front() {
                Some(Step::Pass(piece)) => {
                    this.count(&piece);
                    return Poll::Ready(Some(Ok(Frame::data(piece))));
                }
                Some(Step::Act(chosen, envelope)) => {
                    this.act(&chosen, envelope);
                    continue;
                }
                None => {}
            }
            let frame = ready!(Pin::new(&mut this.inner).poll_frame(cx));
            let Some(Ok(frame)) = frame else { return Poll::Ready(frame) };
            match frame.into_data() {
                Ok(data) if this.bytes.is_empty() && this.envelopes.is_empty() => {
                    this.count(&data);
                    if let (Some(counter), Some(envelopes)) = (&mut this.counter, &this.seen.envelopes) {
                        counter.pass(&data);
                        envelopes.store(counter.envelopes, Ordering::Relaxed);
                    }
                    return Poll::Ready(Some(Ok(Frame::data(data))));
                }
                Ok(data) => this.plan(data),
                Err(frame) => return Poll::Ready(Some(Ok(frame))),
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.steps.is_empty() && !self.stopped && self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        // Nothing is taken away from the request, unless it breaks off.
        if self.steps.is_empty() { self.inner.size_hint() } else { SizeHint::default() }
    }
}
