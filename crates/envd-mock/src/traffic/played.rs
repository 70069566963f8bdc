//! The body of a recorded answer: each piece when it is due, then the end that there was. Where the client left first,
//! nothing more is known, and the body stays open.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http_body::Frame;

use super::line::{Event, How};
use super::pace::ReplayPace;
use super::recording::{Answer, Recording, header_map};
use crate::time::Time;

/// A body that is played.
pub(super) struct Played {
    recording: Arc<Recording>,
    call: usize,
    pace: ReplayPace,
    time: Time,
    /// What times are counted from.
    begun: Duration,
    next: usize,
    /// What the next piece waits for, and that it has been waited for.
    waiting: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    waited: bool,
    /// What is left of the request, which nobody reads and nobody breaks off.
    _request: Body,
}

/// The recorded answer broke off here.
#[derive(Debug, thiserror::Error)]
pub(super) enum Broken {
    #[error("the recorded answer broke off here")]
    Recorded,
    #[error("the recording cannot be read any more: {0}")]
    File(#[from] io::Error),
}

impl Played {
    pub(super) fn new(
        recording: Arc<Recording>,
        call: usize,
        pace: ReplayPace,
        time: Time,
        begun: Duration,
        request: Body,
    ) -> Self {
        let (next, waiting, waited) = (0, None, false);
        Self { recording, call, pace, time, begun, next, waiting, waited, _request: request }
    }

    fn answer(&self) -> Option<&Answer> {
        self.recording.calls[self.call].answer.as_ref()
    }

    /// When the next thing happens, in microseconds of the recorder; `None` where nothing is known.
    fn next_at(&self) -> Option<u64> {
        let answer = self.answer()?;
        let moment = answer.moments.get(self.next).map(|moment| moment.at_us);
        let end = answer.end.filter(|(_, how)| *how != How::Abandoned).map(|(at_us, _)| at_us);
        moment.or(end)
    }

    fn poll_due(&mut self, at_us: u64, cx: &mut Context<'_>) -> Poll<()> {
        if self.waited {
            return Poll::Ready(());
        }
        let after = Duration::from_micros(at_us.saturating_sub(self.recording.calls[self.call].from_us));
        if let Some(due) = self.pace.due(self.begun, after) {
            let time = self.time.clone();
            let waiting =
                self.waiting.get_or_insert_with(|| Box::pin(async move { time.sleep_until(due).await }));
            ready!(waiting.as_mut().poll(cx));
        }
        (self.waiting, self.waited) = (None, true);
        Poll::Ready(())
    }

    /// The next piece; `None` at the end.
    fn take(&mut self) -> Option<Result<Frame<Bytes>, Broken>> {
        let answer = self.answer()?;
        let Some(moment) = answer.moments.get(self.next).copied() else {
            let failed = matches!(answer.end, Some((_, How::Failed)));
            return failed.then_some(Err(Broken::Recorded));
        };
        self.next += 1;
        self.waited = false;
        Some(match self.recording.event(moment) {
            Ok(Event::Down { body }) => Ok(Frame::data(body.0)),
            Ok(Event::DownTrailers { headers }) => Ok(Frame::trailers(header_map(&headers))),
            Ok(_) => Err(io::Error::other("it was changed while it was played").into()),
            Err(error) => Err(error.into()),
        })
    }
}

impl http_body::Body for Played {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        let this = &mut *self;
        let Some(at_us) = this.next_at() else { return Poll::Pending };
        ready!(this.poll_due(at_us, cx));
        Poll::Ready(this.take())
    }

    fn is_end_stream(&self) -> bool {
        let Some(answer) = self.answer() else { return false };
        // With a length, the end comes with the last byte.
        let length = answer.headers.contains_key(http::header::CONTENT_LENGTH);
        let complete = matches!(answer.end, Some((_, How::Complete)));
        complete && self.next >= answer.moments.len() && (length || answer.moments.is_empty())
    }
}
