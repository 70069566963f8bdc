//! What a Connect stream brings: its messages, in order, then the end that the last envelope tells. Every other
//! end is an error. Knows not what the messages mean.

use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use futures::stream::{BoxStream, Stream, StreamExt};
use prost::{Message, Name};
use tokio::time::{Instant, Sleep, sleep, sleep_until};

use super::envelope::{Envelope, EnvelopeError, Reassembler};
use super::gzip::{self, GzipError};
use super::{Call, Codec, Limits, Settings, wire_error};
use crate::error::{Error, ErrorKind, Result, Wait};

/// How long the body may stay open after its last envelope, before it is dropped.
const LINGER: Duration = Duration::from_secs(1);

/// The messages of one stream. Dropping it cancels the call.
pub(crate) struct Messages<T> {
    call: Call,
    codec: Codec,
    gzipped: bool,
    limit: usize,
    limits: Limits,
    body: BoxStream<'static, reqwest::Result<Bytes>>,
    envelopes: Reassembler,
    deadline: Option<Pin<Box<Sleep>>>,
    state: State,
    message: PhantomData<fn() -> T>,
}

enum State {
    Open,
    /// The last envelope came; the body should end now.
    Ending(Option<Error>, Pin<Box<Sleep>>),
    Done,
}

impl<T> Messages<T> {
    pub(crate) fn new(
        call: Call,
        settings: &Settings,
        response: reqwest::Response,
        gzipped: bool,
        deadline: Option<Instant>,
    ) -> Self {
        Self {
            call,
            codec: settings.codec,
            gzipped,
            limit: settings.message_limit,
            limits: Limits { start: settings.head_timeout, idle: settings.stream_idle },
            body: response.bytes_stream().boxed(),
            envelopes: Reassembler::new(settings.message_limit),
            deadline: deadline.map(|at| Box::pin(sleep_until(at))),
            state: State::Open,
            message: PhantomData,
        }
    }

    pub(crate) fn call(&self) -> &Call {
        &self.call
    }

    /// How long what is read from it may be silent; whoever reads knows what it is waiting for.
    pub(crate) fn limits(&self) -> Limits {
        self.limits
    }
}

impl<T: Message + Name + Default> Stream for Messages<T> {
    type Item = Result<T>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let item = ready!(self.poll_item(cx));
        if !matches!(item, Some(Ok(_))) {
            self.state = State::Done;
            self.body = futures::stream::empty().boxed();
        }
        Poll::Ready(item)
    }
}

impl<T: Message + Name + Default> Messages<T> {
    fn poll_item(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<T>>> {
        loop {
            match &mut self.state {
                State::Done => return Poll::Ready(None),
                State::Ending(..) => return self.poll_ending(cx),
                State::Open => {}
            }
            match self.take_envelope() {
                Err(error) => return Poll::Ready(Some(Err(error))),
                Ok(Some(envelope)) if !envelope.is_end() => {
                    return Poll::Ready(Some(self.decode(envelope.data)));
                }
                Ok(Some(envelope)) => match self.end(&envelope) {
                    Err(error) => return Poll::Ready(Some(Err(error))),
                    Ok(end) => self.state = State::Ending(end, Box::pin(sleep(LINGER))),
                },
                Ok(None) => match ready!(self.poll_piece(cx)) {
                    Some(Ok(piece)) => self.envelopes.push(&piece),
                    Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                    None => return Poll::Ready(Some(Err(self.cut()))),
                },
            }
        }
    }

    /// The next whole envelope, unpacked.
    fn take_envelope(&mut self) -> Result<Option<Envelope>> {
        let Some(mut envelope) = self.envelopes.next().map_err(|error| self.broken(&error))? else {
            return Ok(None);
        };
        if envelope.is_compressed() {
            envelope.data = self.unpack(&envelope.data)?;
        }
        Ok(Some(envelope))
    }

    fn unpack(&self, data: &[u8]) -> Result<Bytes> {
        if !self.gzipped {
            let expected = "no compressed message without connect-content-encoding";
            return Err(self.call.protocol(expected, "a compressed message"));
        }
        gzip::unpack(data, self.limit).map_err(|error| match error {
            GzipError::TooLarge => self.too_large(),
            GzipError::Broken(why) => self.call.protocol("a message in gzip", why),
        })
    }

    fn decode(&self, data: Bytes) -> Result<T> {
        self.codec.decode(data).map_err(|why| self.call.protocol("the method's message", why))
    }

    fn end(&self, envelope: &Envelope) -> Result<Option<Error>> {
        match wire_error::from_end_stream(&envelope.data) {
            Ok(kind) => Ok(kind.map(|kind| self.call.error(kind))),
            Err(why) => Err(self.call.protocol("JSON in the END_STREAM envelope", why)),
        }
    }

    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes>>> {
        if let Poll::Ready(piece) = self.body.poll_next_unpin(cx) {
            return Poll::Ready(piece.map(|piece| piece.map_err(|error| self.call.interrupted(error))));
        }
        if let Some(deadline) = &mut self.deadline {
            ready!(deadline.as_mut().poll(cx));
            let limit = self.call.timeout.unwrap_or_default();
            return Poll::Ready(Some(Err(self.call.error(ErrorKind::Timeout { what: Wait::Answer, limit }))));
        }
        Poll::Pending
    }

    /// The outcome is known. Bytes behind it break the protocol; a body that does not end, or ends badly, is
    /// dropped with its connection.
    fn poll_ending(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<T>>> {
        let State::Ending(end, linger) = &mut self.state else { return Poll::Ready(None) };
        let extra = match self.envelopes.left() {
            0 => match self.body.poll_next_unpin(cx) {
                Poll::Ready(Some(Ok(piece))) => piece.len(),
                Poll::Ready(_) => 0,
                Poll::Pending => {
                    ready!(linger.as_mut().poll(cx));
                    0
                }
            },
            left => left,
        };
        if extra > 0 {
            let error = self.call.protocol("nothing after END_STREAM", format!("{extra} more bytes"));
            return Poll::Ready(Some(Err(error)));
        }
        Poll::Ready(end.take().map(Err))
    }

    fn cut(&self) -> Error {
        match self.envelopes.finish() {
            Ok(()) => self.call.protocol("an END_STREAM envelope", "the end of the body"),
            Err(error) => self.broken(&error),
        }
    }

    fn broken(&self, error: &EnvelopeError) -> Error {
        match error {
            EnvelopeError::TooLarge => self.too_large(),
            EnvelopeError::UnknownFlags(flags) => {
                self.call.protocol("envelope flags 0 to 3", format!("{flags:#04x}"))
            }
            EnvelopeError::Cut { have, need } => {
                self.call.protocol(format!("an envelope of {need} bytes"), format!("the end after {have}"))
            }
        }
    }

    fn too_large(&self) -> Error {
        self.call.error(ErrorKind::TooLarge { what: "a message", limit: self.limit })
    }
}
