//! The body of an RPC's request on its way into the runtime: a message over the limit is judged by its length
//! prefix, before the bytes behind it, and a sender that pauses for too long is an error.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http_body::{Frame, SizeHint};
use tokio::time::Sleep;

const PREFIX: usize = 5;

/// Why a request body could not be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error("{0}")]
    Peer(#[from] axum::Error),
    #[error("the client sent nothing for {0:?}")]
    Paused(Duration),
}

/// A body with a judge at its first length prefix and a watch on its pauses.
pub(super) struct RequestBody {
    inner: Body,
    /// The prefix as far as it has come; `None` once it was judged, or where there is none.
    prefix: Option<Vec<u8>>,
    limit: usize,
    ended: bool,
    pause: Option<Pause>,
}

struct Pause {
    limit: Duration,
    /// Runs while something is waited for; most bodies are there at once.
    sleep: Option<Pin<Box<Sleep>>>,
}

impl RequestBody {
    pub(super) fn new(inner: Body) -> Self {
        Self { inner, prefix: None, limit: usize::MAX, ended: false, pause: None }
    }

    /// Ends the body behind its first length prefix when that promises more than `limit` bytes.
    pub(super) fn judge_first_prefix(mut self, limit: usize) -> Self {
        (self.prefix, self.limit) = (Some(Vec::with_capacity(PREFIX)), limit);
        self
    }

    /// Fails when nothing comes for `limit`.
    pub(super) fn with_longest_pause(mut self, limit: Duration) -> Self {
        self.pause = Some(Pause { limit, sleep: None });
        self
    }

    /// As much of `data` as the runtime may see.
    fn judged(&mut self, data: Bytes) -> Bytes {
        let Some(prefix) = self.prefix.as_mut() else { return data };
        let taken = data.len().min(PREFIX - prefix.len());
        prefix.extend_from_slice(&data[..taken]);
        let Ok([_, length @ ..]) = <[u8; PREFIX]>::try_from(prefix.as_slice()) else { return data };
        self.prefix = None;
        let promised = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
        self.ended = promised > self.limit;
        if self.ended { data.slice(..taken) } else { data }
    }

    fn poll_pause(&mut self, cx: &mut Context<'_>) -> Poll<Error> {
        let Some(pause) = self.pause.as_mut() else { return Poll::Pending };
        let sleep = pause.sleep.get_or_insert_with(|| Box::pin(tokio::time::sleep(pause.limit)));
        ready!(sleep.as_mut().poll(cx));
        Poll::Ready(Error::Paused(pause.limit))
    }

    fn end_pause(&mut self) {
        if let Some(pause) = self.pause.as_mut() {
            pause.sleep = None;
        }
    }
}

impl http_body::Body for RequestBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let this = self.get_mut();
        if this.ended {
            return Poll::Ready(None);
        }
        let Poll::Ready(frame) = Pin::new(&mut this.inner).poll_frame(cx) else {
            return this.poll_pause(cx).map(|paused| Some(Err(paused)));
        };
        this.end_pause();
        Poll::Ready(frame.map(|frame| Ok(frame?.map_data(|data| this.judged(data)))))
    }

    fn is_end_stream(&self) -> bool {
        self.ended || self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        // What was promised may not be what is let through.
        if self.prefix.is_some() { SizeHint::default() } else { self.inner.size_hint() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::stream;
    use http_body_util::BodyExt;
    use proptest::prelude::*;

    /// The bytes in pieces, and then never an end.
    fn open_ended(bytes: Vec<u8>, piece: usize) -> Body {
        use futures::StreamExt;
        let pieces: Vec<_> =
            bytes.chunks(piece).map(|piece| Ok::<_, Error>(Bytes::copy_from_slice(piece))).collect();
        Body::from_stream(stream::iter(pieces).chain(stream::pending()))
    }

    async fn collected(body: RequestBody) -> Result<Bytes, Error> {
        body.collect().await.map(http_body_util::Collected::to_bytes)
    }

    fn block_on<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap()
            .block_on(future)
    }

    proptest! {
        #[test]
        fn a_prefix_over_the_limit_ends_the_body_whatever_comes_behind_it(
            length in 101..=u32::MAX, rest in proptest::collection::vec(any::<u8>(), 0..50), piece in 1..20usize,
        ) {
            let bytes = [&[0], length.to_be_bytes().as_slice(), &rest].concat();
            let seen = block_on(collected(RequestBody::new(open_ended(bytes.clone(), piece)).judge_first_prefix(100)));
            prop_assert_eq!(&seen.unwrap()[..], &bytes[..5]);
        }

        #[test]
        fn a_body_within_the_limit_passes_untouched(
            bytes in proptest::collection::vec(any::<u8>(), 0..50), piece in 1..20usize,
        ) {
            let pieces: Vec<_> = bytes.chunks(piece).map(|piece| Ok::<_, Error>(Bytes::copy_from_slice(piece))).collect();
            let body = RequestBody::new(Body::from_stream(stream::iter(pieces))).judge_first_prefix(usize::MAX);
            prop_assert_eq!(&block_on(collected(body)).unwrap()[..], &bytes[..]);
        }
    }

    #[test]
    fn a_pause_over_the_limit_is_an_error() {
        let error = block_on(async {
            let body =
                RequestBody::new(open_ended(vec![0; 3], 1)).with_longest_pause(Duration::from_secs(30));
            collected(body).await.unwrap_err()
        });
        assert_eq!(error.to_string(), "the client sent nothing for 30s");
    }
}
