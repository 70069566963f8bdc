//! What a process says, to everyone who listens: nothing is lost or reordered for a reader that is connected,
//! the slowest live one sets the pace, and one that takes nothing for the stall limit loses its stream. With
//! nobody there, output is drained.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures::future::join_all;
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::sync::mpsc::{self, error::TrySendError};

/// How many events wait for one reader; with the largest chunks this is one mebibyte.
const WAITING: usize = 16;
/// The largest chunk, in bytes.
const CHUNK: usize = 64 * 1024;

/// A piece of output, by where it came out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Chunk {
    Stdout(Bytes),
    Stderr(Bytes),
    Pty(Bytes),
}

/// How a process ended, in the contract's words (section 4.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct End {
    /// The exit code; -1 after a signal.
    pub(crate) exit_code: i32,
    /// It left by itself, whatever the code.
    pub(crate) exited: bool,
    /// Such as "exit status: 0" or "signal: 9 (SIGKILL)".
    pub(crate) status: String,
}

/// One event after the start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Event {
    Data(Chunk),
    End(End),
}

/// The outlet of one process.
#[derive(Debug)]
pub(super) struct Hub {
    readers: Mutex<Readers>,
    stall: Duration,
}

#[derive(Debug, Default)]
struct Readers {
    list: Vec<Reader>,
    closed: bool,
}

#[derive(Debug, Clone)]
struct Reader {
    tell: mpsc::Sender<Event>,
    stalled: Arc<AtomicBool>,
}

/// A reader's end.
#[derive(Debug)]
pub(crate) struct Subscription {
    events: mpsc::Receiver<Event>,
    stalled: Arc<AtomicBool>,
}

impl Subscription {
    /// The next event; `None` after the end, or when the stream was lost.
    pub(crate) async fn next(&mut self) -> Option<Event> {
        self.events.recv().await
    }

    /// Whether the stream was lost because nothing was taken from it for too long.
    pub(crate) fn stalled(&self) -> bool {
        self.stalled.load(Ordering::Relaxed)
    }
}

impl Hub {
    pub(super) fn new(stall: Duration) -> Self {
        Self { readers: Mutex::default(), stall }
    }

    fn readers(&self) -> MutexGuard<'_, Readers> {
        self.readers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Listens from now on; `None` when the end has been told already.
    pub(super) fn subscribe(&self) -> Option<Subscription> {
        let mut readers = self.readers();
        if readers.closed {
            return None;
        }
        let (tell, events) = mpsc::channel(WAITING);
        let stalled = Arc::new(AtomicBool::new(false));
        readers.list.push(Reader { tell, stalled: Arc::clone(&stalled) });
        Some(Subscription { events, stalled })
    }

    /// Tells the end to everyone and lets nobody in any more; without an `end`, streams just break off.
    pub(super) async fn close(&self, end: Option<End>) {
        let list = {
            let mut readers = self.readers();
            readers.closed = true;
            std::mem::take(&mut readers.list)
        };
        if let Some(end) = end {
            let event = Event::End(end);
            join_all(list.iter().map(|reader| reader.wait(event.clone(), self.stall))).await;
        }
    }

    /// Carries one piece to the readers.
    pub(super) async fn publish(&self, chunk: Chunk) {
        let list = self.readers().list.clone();
        let mut waiting = Vec::new();
        let mut lost = false;
        for reader in &list {
            match reader.tell.try_send(Event::Data(chunk.clone())) {
                Ok(()) => {}
                Err(TrySendError::Full(event)) => waiting.push(reader.wait(event, self.stall)),
                Err(TrySendError::Closed(_)) => lost = true,
            }
        }
        lost |= join_all(waiting).await.contains(&false);
        if lost {
            let gone = |reader: &Reader| reader.tell.is_closed() || reader.stalled.load(Ordering::Relaxed);
            self.readers().list.retain(|reader| !gone(reader));
        }
    }

    /// Carries all of `input` to the readers, chunk by chunk, until its end.
    pub(super) async fn pump(&self, mut input: impl AsyncRead + Unpin, wrap: fn(Bytes) -> Chunk) {
        let mut buffer = BytesMut::new();
        loop {
            buffer.reserve(CHUNK);
            // A terminal whose other side is closed reads as an error; either way nothing follows.
            let Ok(1..) = (&mut input).take(CHUNK as u64).read_buf(&mut buffer).await else { return };
            self.publish(wrap(buffer.split().freeze())).await;
        }
    }
}

impl Reader {
    /// False when the reader is gone or was given up.
    async fn wait(&self, event: Event, stall: Duration) -> bool {
        match tokio::time::timeout(stall, self.tell.send(event)).await {
            Ok(sent) => sent.is_ok(),
            Err(_) => {
                self.stalled.store(true, Ordering::Relaxed);
                false
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hub() -> Arc<Hub> {
        Arc::new(Hub::new(Duration::from_secs(30)))
    }

    async fn all(mut subscription: Subscription) -> (usize, bool) {
        let mut bytes = 0;
        while let Some(event) = subscription.next().await {
            match event {
                Event::Data(Chunk::Stdout(data)) => bytes += data.len(),
                Event::Data(_) => {}
                Event::End(_) => return (bytes, true),
            }
        }
        (bytes, false)
    }

    fn end() -> End {
        End { exit_code: 0, exited: true, status: "exit status: 0".into() }
    }

    #[tokio::test]
    async fn every_reader_gets_every_byte_and_the_end() {
        let hub = hub();
        let readers = [hub.subscribe().unwrap(), hub.subscribe().unwrap()].map(|one| tokio::spawn(all(one)));
        hub.pump(tokio::io::repeat(7).take(10_000_000), Chunk::Stdout).await;
        hub.close(Some(end())).await;
        for reader in readers {
            assert_eq!(reader.await.unwrap(), (10_000_000, true));
        }
    }

    #[tokio::test]
    async fn with_nobody_there_output_is_drained() {
        hub().pump(tokio::io::repeat(7).take(10_000_000), Chunk::Stdout).await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_reader_that_takes_nothing_loses_its_stream_and_the_rest_goes_on() {
        let hub = hub();
        let mut idle = hub.subscribe().unwrap();
        let live = tokio::spawn(all(hub.subscribe().unwrap()));
        hub.pump(tokio::io::repeat(7).take(10_000_000), Chunk::Stdout).await;
        hub.close(Some(end())).await;
        assert_eq!(live.await.unwrap(), (10_000_000, true));
        while idle.next().await.is_some() {}
        assert!(idle.stalled());
    }

    #[tokio::test]
    async fn nobody_joins_after_the_end() {
        let hub = hub();
        hub.close(Some(end())).await;
        assert!(hub.subscribe().is_none());
    }
}
