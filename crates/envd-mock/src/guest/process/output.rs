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

use super::course::{Course, Late};
use crate::guest::mishap::Mishap;
use crate::time::Time;

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

/// Where output comes out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    Stdout,
    Stderr,
    Pty,
}

impl Source {
    pub(super) const ALL: [Self; 3] = [Self::Stdout, Self::Stderr, Self::Pty];

    pub(super) fn chunk(self, data: Bytes) -> Chunk {
        match self {
            Self::Stdout => Chunk::Stdout(data),
            Self::Stderr => Chunk::Stderr(data),
            Self::Pty => Chunk::Pty(data),
        }
    }
}

impl Chunk {
    pub(super) fn into_parts(self) -> (Source, Bytes) {
        match self {
            Self::Stdout(data) => (Source::Stdout, data),
            Self::Stderr(data) => (Source::Stderr, data),
            Self::Pty(data) => (Source::Pty, data),
        }
    }

    pub(super) fn len(&self) -> usize {
        let (Self::Stdout(data) | Self::Stderr(data) | Self::Pty(data)) = self;
        data.len()
    }
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
    pub(super) time: Time,
    /// What goes wrong with the process, if anything does.
    pub(super) course: Option<Course>,
}

#[derive(Debug, Default)]
struct Readers {
    list: Vec<Reader>,
    closed: bool,
}

#[derive(Debug, Clone)]
struct Reader {
    tell: mpsc::Sender<Event>,
    fate: Arc<Fate>,
}

/// What became of a reader without its doing.
#[derive(Debug, Default)]
struct Fate {
    stalled: AtomicBool,
    /// Nothing follows, and that is not told.
    silent: AtomicBool,
}

/// A reader's end.
#[derive(Debug)]
pub(crate) struct Subscription {
    events: mpsc::Receiver<Event>,
    fate: Arc<Fate>,
    late: Option<(Late, Time)>,
}

impl Subscription {
    /// Returns when the start may be told; before that nothing else may be, either.
    pub(crate) async fn begun(&mut self) {
        if let Some((late, time)) = self.late.take() {
            late.wait(&time).await;
        }
    }

    /// The next event; `None` after the end, or when the stream was lost. Never comes when the end itself was.
    pub(crate) async fn next(&mut self) -> Option<Event> {
        let event = self.events.recv().await;
        if event.is_none() && self.fate.silent.load(Ordering::Relaxed) {
            return std::future::pending().await;
        }
        event
    }

    /// Whether the stream was lost because nothing was taken from it for too long.
    pub(crate) fn stalled(&self) -> bool {
        self.fate.stalled.load(Ordering::Relaxed)
    }
}

impl Hub {
    pub(super) fn new(time: &Time, stall: Duration, mishap: Option<&Mishap>) -> Self {
        let course = mishap.and_then(|mishap| Course::new(mishap, time));
        Self { readers: Mutex::default(), stall, time: time.clone(), course }
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
        let fate = Arc::<Fate>::default();
        readers.list.push(Reader { tell, fate: Arc::clone(&fate) });
        Some(Subscription { events, fate, late: self.late().map(|late| (late.clone(), self.time.clone())) })
    }

    /// Tells the end to everyone and lets nobody in any more; without an `end`, streams just break off.
    pub(super) async fn close(&self, end: Option<End>) {
        for chunk in self.course.iter().flat_map(Course::rest) {
            self.give(chunk).await;
        }
        let end = end.map(|end| match &self.course {
            Some(course) => course.end(end),
            None => Some(end),
        });
        let list = {
            let mut readers = self.readers();
            readers.closed = true;
            std::mem::take(&mut readers.list)
        };
        match end {
            Some(Some(end)) => {
                let event = Event::End(end);
                join_all(list.iter().map(|reader| self.wait(reader, event.clone()))).await;
            }
            Some(None) => list.iter().for_each(|reader| reader.fate.silent.store(true, Ordering::Relaxed)),
            None => {}
        }
    }

    /// Tells everyone the next chunk, or what its mishap makes of it.
    pub(super) async fn publish(&self, chunk: Chunk) {
        let Some(course) = &self.course else { return self.give(chunk).await };
        let (chunks, enough) = course.pass(chunk);
        for chunk in chunks {
            self.give(chunk).await;
        }
        if enough {
            course.enough();
        }
    }

    async fn give(&self, chunk: Chunk) {
        let list = self.readers().list.clone();
        let mut waiting = Vec::new();
        let mut lost = false;
        for reader in &list {
            match reader.tell.try_send(Event::Data(chunk.clone())) {
                Ok(()) => {}
                Err(TrySendError::Full(event)) => waiting.push(self.wait(reader, event)),
                Err(TrySendError::Closed(_)) => lost = true,
            }
        }
        lost |= join_all(waiting).await.contains(&false);
        if lost {
            let gone =
                |reader: &Reader| reader.tell.is_closed() || reader.fate.stalled.load(Ordering::Relaxed);
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

    fn late(&self) -> Option<&Late> {
        self.course.as_ref().and_then(Course::late)
    }

    /// False when the reader is gone or was given up.
    async fn wait(&self, reader: &Reader, event: Event) -> bool {
        // A reader that was not told of the start yet cannot take anything.
        let held = self.late().map_or(Duration::ZERO, |late| late.until.saturating_sub(self.time.now()));
        match self.time.timeout(self.stall.saturating_add(held), reader.tell.send(event)).await {
            Some(sent) => sent.is_ok(),
            None => {
                reader.fate.stalled.store(true, Ordering::Relaxed);
                false
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guest::mishap::MishapKind;
    use crate::guest::mishap::tests::Told;
    use crate::guest::process::Twist;

    fn hub() -> Arc<Hub> {
        Arc::new(Hub::new(&Time::default(), Duration::from_secs(30), None))
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

    fn twisted(twist: Twist) -> (Arc<Hub>, Told) {
        let told = Told::default();
        let mishap = told.mishap(MishapKind::Process(twist));
        (Arc::new(Hub::new(&Time::default(), Duration::from_secs(30), Some(&mishap))), told)
    }

    #[tokio::test]
    async fn a_lost_end_leaves_the_stream_open_and_silent() {
        let (hub, told) = twisted(Twist::EndLost);
        let mut reader = hub.subscribe().unwrap();
        hub.pump(&b"last words"[..], Chunk::Stdout).await;
        hub.close(Some(end())).await;
        assert_eq!(reader.next().await, Some(Event::Data(Chunk::Stdout("last words".into()))));
        assert_eq!(futures::FutureExt::now_or_never(reader.next()), None);
        assert!(hub.subscribe().is_none());
        assert_eq!(told.words(), ["the end (exit status: 0) was not told"]);
    }

    #[tokio::test]
    async fn a_lost_end_is_not_silent_once_the_guest_is_gone() {
        let (hub, _) = twisted(Twist::EndLost);
        let mut reader = hub.subscribe().unwrap();
        hub.close(None).await;
        assert_eq!(reader.next().await, None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_reader_that_is_not_told_of_the_start_yet_is_not_given_up() {
        let (hub, told) = twisted(Twist::StartLate(Duration::from_secs(35)));
        let (mut reader, before) = (hub.subscribe().unwrap(), tokio::time::Instant::now());
        let pumping = tokio::spawn(async move {
            hub.pump(tokio::io::repeat(7).take(10_000_000), Chunk::Stdout).await;
            hub.close(Some(end())).await;
        });
        reader.begun().await;
        assert!(before.elapsed() >= Duration::from_secs(35));
        assert_eq!(all(reader).await, (10_000_000, true));
        pumping.await.unwrap();
        assert_eq!(told.words(), ["the start was told 35s late"]);
    }

    #[tokio::test]
    async fn every_reader_sees_the_same_mishap() {
        let (hub, _) = twisted(Twist::Lost { from: 10, size: 1_000_000 });
        let readers = [hub.subscribe().unwrap(), hub.subscribe().unwrap()].map(|one| tokio::spawn(all(one)));
        hub.pump(tokio::io::repeat(7).take(3_000_000), Chunk::Stdout).await;
        hub.close(Some(end())).await;
        for reader in readers {
            assert_eq!(reader.await.unwrap(), (2_000_000, true));
        }
    }

    #[tokio::test]
    async fn nobody_joins_after_the_end() {
        let hub = hub();
        hub.close(Some(end())).await;
        assert!(hub.subscribe().is_none());
    }
}
