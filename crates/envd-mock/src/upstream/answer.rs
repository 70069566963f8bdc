//! The body of an upstream's answer on its way through: as it comes, with its trailers and its end. Who drops it before
//! the end breaks the call off.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;

use super::line::{Http1, Line};

/// A body and, with HTTP/1.1, the connection that it comes on.
pub(super) struct Answer {
    inner: Incoming,
    line: Arc<Line>,
    conn: Option<Http1>,
}

impl Answer {
    pub(super) fn new(inner: Incoming, line: Arc<Line>, conn: Option<Http1>) -> Self {
        Self { inner, line, conn }
    }

    /// The connection is free for the next call.
    fn release(&mut self) {
        if let Some(conn) = self.conn.take() {
            self.line.give_back(conn);
        }
    }
}

impl Body for Answer {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let this = &mut *self;
        let mut frame = Pin::new(&mut this.inner).poll_frame(cx);
        if let Some(conn) = this.conn.as_mut().filter(|_| frame.is_pending()) {
            conn.drive(cx);
            frame = Pin::new(&mut this.inner).poll_frame(cx);
        }
        let frame = ready!(frame);
        if frame.is_none() {
            self.release();
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        if self.inner.is_end_stream() {
            self.release();
        }
    }
}
