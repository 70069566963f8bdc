//! What a process stream tells: start, output, end, in that order; every other order is the guest's error.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use envd_proto::process as wire;
use envd_proto::process::process_event::{self, data_event::Output};
use futures::stream::{BoxStream, Stream, StreamExt};

use crate::error::{Error, ErrorKind, Result, Wait};
use crate::transport::{Call, Limits, Messages, Patience};

/// How long the end of a stream may be waited for once the end of the process is known.
const TAIL: Duration = Duration::from_secs(5);

/// One thing that happened to a process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// It runs; always the first.
    Start {
        /// Its process id in the guest.
        pid: u32,
    },
    /// It wrote to its standard output.
    Stdout(Bytes),
    /// It wrote to its standard error.
    Stderr(Bytes),
    /// It wrote to its terminal.
    Pty(Bytes),
    /// It is over; always the last.
    End(Exit),
}

/// How a process ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exit {
    /// The exit code; -1 when a signal ended it.
    pub code: i32,
    /// Whether it ended by itself.
    pub exited: bool,
    /// In words, such as `exit status: 0` or `signal: 9 (SIGKILL)`.
    pub status: String,
    /// Why the guest could not find out how it ended.
    pub error: Option<String>,
}

impl Exit {
    /// Whether it ended by itself, with code 0.
    pub fn success(&self) -> bool {
        self.exited && self.code == 0 && self.error.is_none()
    }
}

/// The events of one process. Ends after [`Event::End`], or with one error, which may also come after it: that the guest
/// did not end the stream as it must. Dropping it leaves the process alone.
pub struct EventStream {
    call: Call,
    messages: BoxStream<'static, Result<Option<wire::ProcessEvent>>>,
    state: State,
    limits: Limits,
    patience: Patience,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Unstarted,
    Running,
    Ended,
    Done,
}

impl EventStream {
    pub(super) fn of_start(messages: Messages<wire::StartResponse>) -> Self {
        let (call, limits) = (*messages.call(), messages.limits());
        Self::new(call, limits, messages.map(|message| message.map(|message| message.event)).boxed())
    }

    pub(super) fn of_connect(messages: Messages<wire::ConnectResponse>) -> Self {
        let (call, limits) = (*messages.call(), messages.limits());
        Self::new(call, limits, messages.map(|message| message.map(|message| message.event)).boxed())
    }

    fn new(
        call: Call,
        limits: Limits,
        messages: BoxStream<'static, Result<Option<wire::ProcessEvent>>>,
    ) -> Self {
        Self { call, messages, state: State::Unstarted, limits, patience: Patience::default() }
    }

    /// The next event; none after the last.
    pub async fn next(&mut self) -> Option<Result<Event>> {
        StreamExt::next(self).await
    }

    /// Waits for the first event, which must be the start.
    pub(super) async fn started(&mut self, limit: Duration) -> Result<u32> {
        let call = self.call;
        match call.wait(Wait::Start, limit, async { self.next().await.transpose() }).await? {
            Some(Event::Start { pid }) => Ok(pid),
            other => Err(call.protocol("a start event", format!("{other:?}"))),
        }
    }

    pub(super) fn call(&self) -> &Call {
        &self.call
    }

    fn accept(&mut self, event: Event) -> Result<Event> {
        let next = match (self.state, &event) {
            (State::Unstarted, Event::Start { .. }) => State::Running,
            (State::Unstarted, _) => return Err(self.disorder("a start event first", &event)),
            (State::Running, Event::Start { .. }) => return Err(self.disorder("one start event", &event)),
            (State::Running, Event::End(_)) => State::Ended,
            (State::Running, _) => State::Running,
            (State::Ended | State::Done, _) => {
                return Err(self.disorder("nothing after the end event", &event));
            }
        };
        self.state = next;
        self.patience.renew();
        Ok(event)
    }

    /// What the guest is to send next, and how long it may take.
    fn due(&self) -> (Wait, Option<Duration>) {
        match self.state {
            State::Unstarted => (Wait::Start, Some(self.limits.start)),
            State::Running => (Wait::Piece, self.limits.idle),
            State::Ended | State::Done => (Wait::End, Some(self.limits.start.min(TAIL))),
        }
    }

    fn poll_message(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Option<wire::ProcessEvent>>>> {
        if let Poll::Ready(message) = self.messages.poll_next_unpin(cx) {
            // Only the start event itself is the start.
            if self.state != State::Unstarted {
                self.patience.renew();
            }
            return Poll::Ready(message);
        }
        let (what, limit) = self.due();
        let limit = ready!(self.patience.poll(cx, limit));
        Poll::Ready(Some(Err(self.call.error(ErrorKind::Timeout { what, limit }))))
    }

    fn disorder(&self, expected: &str, event: &Event) -> Error {
        self.call.protocol(expected, kind(event))
    }

    fn close(&self) -> Option<Error> {
        match self.state {
            State::Ended | State::Done => None,
            State::Unstarted => Some(self.call.protocol("a start event", "the end of the stream")),
            State::Running => Some(self.call.protocol("an end event", "the end of the stream")),
        }
    }
}

impl Stream for EventStream {
    type Item = Result<Event>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.state == State::Done {
            return Poll::Ready(None);
        }
        let item = loop {
            match ready!(self.poll_message(cx)) {
                Some(Ok(message)) => {
                    if let Some(event) = decode(message) {
                        break Some(self.accept(event));
                    }
                }
                Some(Err(error)) => break Some(Err(error)),
                None => break self.close().map(Err),
            }
        };
        if !matches!(item, Some(Ok(_))) {
            self.state = State::Done;
            self.messages = futures::stream::empty().boxed();
        }
        Poll::Ready(item)
    }
}

impl fmt::Debug for EventStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventStream").field("state", &self.state).finish_non_exhaustive()
    }
}

/// Keepalives, and what later envds may add, are passed over.
fn decode(message: Option<wire::ProcessEvent>) -> Option<Event> {
    Some(match message?.event? {
        process_event::Event::Start(start) => Event::Start { pid: start.pid },
        process_event::Event::Data(data) => match data.output? {
            Output::Stdout(bytes) => Event::Stdout(bytes),
            Output::Stderr(bytes) => Event::Stderr(bytes),
            Output::Pty(bytes) => Event::Pty(bytes),
        },
        process_event::Event::End(end) => {
            Event::End(Exit { code: end.exit_code, exited: end.exited, status: end.status, error: end.error })
        }
        process_event::Event::Keepalive(_) => return None,
    })
}

fn kind(event: &Event) -> &'static str {
    match event {
        Event::Start { .. } => "a start event",
        Event::Stdout(_) | Event::Stderr(_) | Event::Pty(_) => "a data event",
        Event::End(_) => "an end event",
    }
}
