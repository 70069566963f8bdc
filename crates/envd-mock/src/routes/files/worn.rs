//! A download from a bad disk: it breaks off after so many bytes of the answer's body, or comes slowly.

use std::io;

use axum::body::{Body, BodyDataStream};
use axum::response::Response;
use bytes::Bytes;
use futures::{StreamExt as _, stream};
use http_body::Body as _;

use crate::guest::disk::{Access, BadDisk, Throttle};
use crate::time::Time;

/// The answer as the disk gives it.
///
/// # Errors
/// The disk's, when not even the first byte of the body can be read.
pub(super) fn from(response: Response, disk: BadDisk, time: &Time) -> io::Result<Response> {
    if !response.status().is_success() || response.body().is_end_stream() {
        return Ok(response);
    }
    disk.pass(0, Access::Read).1?;
    Ok(response.map(|body| body_from(body, disk, time)))
}

fn body_from(body: Body, disk: BadDisk, time: &Time) -> Body {
    let throttle = disk.throttle(time);
    let reading = Reading { body: body.into_data_stream(), waiting: Bytes::new(), disk, throttle };
    Body::from_stream(stream::try_unfold(reading, |mut reading| async move {
        let piece = reading.next().await?;
        Ok::<_, axum::Error>(piece.map(|piece| (piece, reading)))
    }))
}

struct Reading {
    body: BodyDataStream,
    waiting: Bytes,
    disk: BadDisk,
    throttle: Option<Throttle>,
}

impl Reading {
    async fn next(&mut self) -> Result<Option<Bytes>, axum::Error> {
        while self.waiting.is_empty() {
            match self.body.next().await {
                Some(data) => self.waiting = data?,
                None => return Ok(None),
            }
        }
        let most = self.throttle.as_ref().map_or(usize::MAX, Throttle::piece).min(self.waiting.len());
        let (fits, rest) = self.disk.pass(most, Access::Read);
        if let (0, Err(error)) = (fits, rest) {
            // What was given before goes out while this waits: the error ends the connection.
            tokio::task::yield_now().await;
            return Err(axum::Error::new(error));
        }
        if let Some(throttle) = &mut self.throttle {
            throttle.pass(fits).await;
        }
        Ok(Some(self.waiting.split_to(fits)))
    }
}
