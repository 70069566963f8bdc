//! A request's body on its way into the multipart parser. The parser takes all that is ready before it looks at any
//! of it; this hands it a bounded piece at a time, and ends what never comes to content.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use axum::body::BodyDataStream;
use bytes::Bytes;
use futures::{Stream, StreamExt as _};

/// Bytes that the parser is given before it has to look at them.
const PIECE: usize = 128 * 1024;
/// Bytes that may come without any content among them: headers, and what precedes the first part.
const BARREN: usize = 2 << 20;

/// The body in pieces.
pub(super) struct Pieces {
    body: BodyDataStream,
    given: usize,
    /// The most bytes that are taken.
    limit: u64,
    progress: Progress,
}

/// How the one who takes content tells that some came.
#[derive(Debug, Default, Clone)]
pub(super) struct Progress(Arc<Counters>);

#[derive(Debug, Default)]
struct Counters {
    barren: AtomicUsize,
    total: AtomicUsize,
}

impl Progress {
    pub(super) fn made(&self) {
        self.0.barren.store(0, Ordering::Relaxed);
    }

    /// Whether the body had anything in it.
    pub(super) fn any(&self) -> bool {
        self.0.total.load(Ordering::Relaxed) > 0
    }
}

impl Pieces {
    pub(super) fn new(body: axum::body::Body, limit: Option<u64>, progress: Progress) -> Self {
        Self { body: body.into_data_stream(), given: 0, limit: limit.unwrap_or(u64::MAX), progress }
    }
}

impl Stream for Pieces {
    type Item = io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.given >= PIECE {
            self.given = 0;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let polled = self.body.poll_next_unpin(cx);
        match &polled {
            Poll::Ready(Some(Ok(data))) => {
                self.given += data.len();
                let counters = &self.progress.0;
                let total = counters.total.fetch_add(data.len(), Ordering::Relaxed) + data.len();
                if total as u64 > self.limit {
                    return Poll::Ready(Some(Err(io::Error::other("the body is too long"))));
                }
                if counters.barren.fetch_add(data.len(), Ordering::Relaxed) > BARREN {
                    return Poll::Ready(Some(Err(io::Error::other("the headers of a part are too long"))));
                }
            }
            _ => self.given = 0,
        }
        polled.map(|item| item.map(|data| data.map_err(io::Error::other)))
    }
}

#[cfg(test)]
mod tests {
    use futures::stream;

    use super::*;

    fn body(chunks: usize) -> axum::body::Body {
        let chunk = Bytes::from(vec![b'x'; 64 * 1024]);
        axum::body::Body::from_stream(stream::iter(
            (0..chunks).map(move |_| Ok::<_, io::Error>(chunk.clone())),
        ))
    }

    #[tokio::test]
    async fn all_of_a_body_comes_through_as_long_as_some_of_it_is_content() {
        let progress = Progress::default();
        let mut pieces = Pieces::new(body(200), None, progress.clone());
        let mut total = 0;
        while let Some(piece) = pieces.next().await {
            total += piece.unwrap().len();
            progress.made();
        }
        assert_eq!(total, 200 * 64 * 1024);
        assert!(progress.any());
    }

    #[tokio::test]
    async fn a_body_that_never_comes_to_content_is_ended() {
        let pieces = Pieces::new(body(200), None, Progress::default());
        let taken: Vec<_> = pieces.collect().await;
        assert!(taken.iter().any(Result::is_err));
    }

    #[tokio::test]
    async fn what_is_ready_is_given_in_bounded_pieces() {
        let mut pieces = Pieces::new(body(200), None, Progress::default());
        let mut given = 0;
        while let Some(Some(piece)) = futures::FutureExt::now_or_never(pieces.next()) {
            given += piece.unwrap().len();
        }
        assert!((PIECE..=PIECE + 64 * 1024).contains(&given), "{given}");
    }
}
