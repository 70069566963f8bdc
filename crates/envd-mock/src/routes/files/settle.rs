//! Content on its way to a pipe or a device of the guest, which may take nothing for as long as the guest likes. Such a
//! wait holds no thread, runs on the mock's clock, and ends with the call.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::Extensions;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::answer::Refusal;
use super::asked::blocking;
use super::receive::{Allowance, Receiving};
use crate::connection::Conn;
use crate::guest::tree::Waits;
use crate::time::Time;

/// How long a pipe or a device may take nothing.
const PATIENCE: Duration = Duration::from_secs(10);
/// Between two looks for a reader: nothing tells that one came. The host's clock.
const SHORTEST_TICK: Duration = Duration::from_millis(1);
const LONGEST_TICK: Duration = Duration::from_millis(64);

/// Who waits.
#[derive(Clone)]
pub(super) struct Caller {
    time: Time,
    /// Missing where there is no connection.
    conn: Option<Arc<Conn>>,
}

impl Caller {
    pub(super) fn new(extensions: &Extensions, time: &Time) -> Self {
        Self { time: time.clone(), conn: extensions.get::<Arc<Conn>>().cloned() }
    }

    /// Writes a piece of content.
    pub(super) async fn write(
        &self,
        mut receiving: Receiving,
        mut piece: Bytes,
    ) -> Result<Receiving, Refusal> {
        let most = receiving.most();
        while !piece.is_empty() {
            let part = piece.split_to(most.min(piece.len()));
            receiving = blocking(move || {
                receiving.write(&part)?;
                Ok(receiving)
            })
            .await?;
            receiving = self.settle(receiving).await?;
        }
        Ok(receiving)
    }

    /// Puts it in place.
    pub(super) async fn finish(&self, mut receiving: Receiving) -> Result<Allowance, Refusal> {
        if receiving.upload().is_through() {
            receiving = self.settle(blocking(move || receiving.end()).await?).await?;
        }
        blocking(move || receiving.finish()).await
    }

    /// Waits until all that was written has been taken.
    async fn settle(&self, mut receiving: Receiving) -> Result<Receiving, Refusal> {
        if !receiving.upload().is_through() {
            return Ok(receiving);
        }
        loop {
            let (mut waits, _) = receiving.upload().advance()?;
            if waits == Waits::Done {
                return Ok(receiving);
            }
            let progress = self.until_progress(&mut receiving, &mut waits);
            match self.time.timeout(PATIENCE, progress).await {
                Some(progress) => progress?,
                None => return Err(waits.given_up().into()),
            }
        }
    }

    async fn until_progress(&self, receiving: &mut Receiving, waits: &mut Waits) -> Result<(), Refusal> {
        let mut tick = SHORTEST_TICK;
        loop {
            tokio::select! {
                () = tokio::time::sleep(tick) => {}
                () = room(receiving), if *waits == Waits::Room => {}
            }
            tick = LONGEST_TICK.min(tick * 2);
            if self.conn.as_ref().is_some_and(|conn| conn.has_lost_peer()) {
                return Err(Refusal::bad_request("the client has left"));
            }
            let (now, taken) = receiving.upload().advance()?;
            if taken > 0 || now == Waits::Done || now != std::mem::replace(waits, now) {
                return Ok(());
            }
        }
    }
}

/// Waits until the pipe takes something; never comes where the runtime cannot watch it.
async fn room(receiving: &mut Receiving) {
    if let Some(room) = receiving.upload().room() {
        // SAFETY: the descriptor stays open for as long as it is borrowed.
        let watched = unsafe { AsyncFd::register_with_interest(room, Interest::WRITABLE) };
        if let Ok(watched) = watched
            && watched.writable().await.is_ok()
        {
            return;
        }
    }
    std::future::pending::<()>().await;
}
