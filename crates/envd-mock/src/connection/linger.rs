//! A request body that nobody wants to the end: what the client is still sending is taken and thrown away for a
//! while, because closing a socket with unread bytes resets it, and the client would lose the answer that tells
//! why. A stream of HTTP/2 is reset alone, but not every client reads an answer that a reset follows.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, header};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;

/// The most bytes that are thrown away.
const MOST: usize = 64 << 20;
/// The longest time for it.
const LONGEST: Duration = Duration::from_secs(2);

/// The body of one request.
pub(super) struct Lingering {
    inner: Option<Incoming>,
    /// Whether the client sends: with `Expect`, not before it was told to.
    sending: bool,
}

/// The body as the handlers get it.
pub(super) fn lingering(inner: Incoming, headers: &HeaderMap) -> axum::body::Body {
    if inner.is_end_stream() {
        // Nothing is left of it, and nothing needs to be allocated for that.
        return axum::body::Body::empty();
    }
    // A client that waits for `100 Continue` sends nothing before the handler asks for it.
    axum::body::Body::new(Lingering { inner: Some(inner), sending: !headers.contains_key(header::EXPECT) })
}

impl Body for Lingering {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let this = &mut *self;
        this.sending = true;
        let Some(inner) = &mut this.inner else { return Poll::Ready(None) };
        let frame = ready!(Pin::new(inner).poll_frame(cx));
        if !matches!(frame, Some(Ok(_))) {
            this.inner = None;
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.as_ref().map_or_else(|| SizeHint::with_exact(0), Body::size_hint)
    }
}

impl Drop for Lingering {
    fn drop(&mut self) {
        if let Some(inner) = self.inner.take().filter(|inner| self.sending && !inner.is_end_stream())
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            runtime.spawn(tokio::time::timeout(LONGEST, throw_away(inner)));
        }
    }
}

async fn throw_away(mut body: Incoming) {
    let mut taken = 0;
    while let Some(Ok(frame)) = body.frame().await {
        taken += frame.data_ref().map_or(0, Bytes::len);
        if taken > MOST {
            return;
        }
    }
}
