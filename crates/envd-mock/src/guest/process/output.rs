//! What a process says, to everyone who listens: nothing is lost or reordered for a reader that is connected,
//! the slowest live one sets the pace, and one that takes nothing for the stall limit loses its stream. With
//! nobody there, output is discarded, or the process waits (`unread`).

use std::collections::VecDeque;
use std::os::fd::{AsFd, BorrowedFd};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures::future::join_all;
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::sync::Notify;
use tokio::sync::mpsc::error::TrySendError;

use super::course::{Course, Late};
use super::queue;
use super::replay::Replay;
use super::unread::Unread;
use crate::guest::config::UnreadOutput;
use crate::guest::habits::Habits;
use crate::guest::mishap::Mishap;
use crate::time::Time;

/// So many bytes make a chunk, whatever may follow.
const GATHERED: usize = 64 * 1024;

/// The most that is read of a stream after its process was killed, in bytes: the largest size of a pipe.
const LAST_WORDS: usize = 1 << 20;

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
    unread: Arc<Unread>,
    /// Told when a reader comes.
    arrived: Notify,
    pub(super) habits: Habits,
    pub(super) time: Time,
    /// What goes wrong with the process, if anything does.
    pub(super) course: Option<Course>,
}

#[derive(Debug)]
struct Readers {
    list: Vec<Reader>,
    replay: Replay,
    closed: bool,
}

#[derive(Debug, Clone)]
struct Reader {
    tell: queue::Sender,
    fate: Arc<Fate>,
}

/// What became of a reader without its doing.
#[derive(Debug, Default)]
struct Fate {
    stalled: AtomicBool,
    /// Nothing follows, and that is not told.
    silent: AtomicBool,
    /// It was not there yet when the first chunk was told.
    deaf: AtomicBool,
}

/// A reader's end.
#[derive(Debug)]
pub(crate) struct Subscription {
    events: queue::Receiver,
    /// What was told before it came.
    replay: VecDeque<Chunk>,
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
        if let Some(chunk) = self.replay.pop_front() {
            return Some(Event::Data(chunk));
        }
        let event = self.events.recv().await;
        if event.is_none() && self.fate.silent.load(Ordering::Relaxed) {
            return std::future::pending().await;
        }
        event
    }

    /// What this reader is told begins only after the first chunk.
    pub(super) fn miss_first(&self) {
        self.fate.deaf.store(true, Ordering::Relaxed);
    }

    /// Whether the stream was lost because nothing was taken from it for too long.
    pub(crate) fn stalled(&self) -> bool {
        self.fate.stalled.load(Ordering::Relaxed)
    }
}

impl Hub {
    pub(super) fn new(time: &Time, stall: Duration, habits: Habits, mishap: Option<&Mishap>) -> Self {
        let course = mishap.and_then(|mishap| Course::new(mishap, time));
        let readers = Readers { list: Vec::new(), replay: Replay::new(habits.replay), closed: false };
        let (unread, arrived) = Default::default();
        Self { readers: Mutex::new(readers), stall, unread, arrived, habits, time: time.clone(), course }
    }

    /// With what becomes of unread output in the whole guest.
    pub(super) fn leaving_unread(self, unread: &Arc<Unread>) -> Self {
        Self { unread: Arc::clone(unread), ..self }
    }

    fn readers(&self) -> MutexGuard<'_, Readers> {
        self.readers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Listens from now on, after what is kept of earlier output; `None` when the end has been told already.
    pub(super) fn subscribe(&self) -> Option<Subscription> {
        let mut readers = self.readers();
        if readers.closed {
            return None;
        }
        let (tell, events) = queue::channel(self.habits.overflow);
        let fate = Arc::<Fate>::default();
        readers.list.push(Reader { tell, fate: Arc::clone(&fate) });
        self.arrived.notify_waiters();
        let late = self.late().map(|late| (late.clone(), self.time.clone()));
        Some(Subscription { events, replay: readers.replay.chunks(), fate, late })
    }

    /// Listens to a process that has ended and never tells so.
    pub(super) fn subscribe_in_vain(&self) -> Subscription {
        let (_, events) = queue::channel(self.habits.overflow);
        let fate = Fate { silent: AtomicBool::new(true), ..Fate::default() };
        Subscription { events, replay: VecDeque::new(), fate: Arc::new(fate), late: None }
    }

    /// Tells the end to everyone and lets nobody in any more; without an `end`, streams just break off.
    pub(super) async fn close(&self, end: Option<End>) {
        for chunk in self.course.iter().flat_map(Course::rest) {
            self.give(chunk).await;
        }
        let end = end.map(|end| match &self.course {
            _ if !self.habits.tells_end => None,
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
        let list = {
            let mut readers = self.readers();
            readers.replay.keep(&chunk);
            readers.list.clone()
        };
        let mut waiting = Vec::new();
        let mut lost = false;
        for reader in list.iter().filter(|reader| !reader.fate.deaf.swap(false, Ordering::Relaxed)) {
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

    /// Carries all of `input` to the readers, chunk by chunk, until its end; from `cut` on only what was written by then.
    pub(super) async fn pump(
        &self,
        mut input: impl AsyncRead + AsFd + Unpin,
        wrap: fn(Bytes) -> Chunk,
        cut: impl Future<Output = ()>,
    ) {
        self.carry(&mut input, wrap, cut).await;
        self.carry_rest(input.as_fd(), wrap).await;
    }

    /// Carries what a pipe or a terminal holds. Asks the kernel itself, which knows it earlier than the runtime; whoever
    /// still writes is not heard beyond what a pipe can hold.
    async fn carry_rest(&self, input: BorrowedFd<'_>, wrap: fn(Bytes) -> Chunk) {
        let mut left = LAST_WORDS;
        while left > 0 {
            let mut buffer = vec![0; GATHERED.min(left)];
            match rustix::io::read(input, &mut buffer) {
                Ok(read @ 1..) => {
                    buffer.truncate(read);
                    left -= read;
                    self.publish(wrap(buffer.into())).await;
                }
                Err(rustix::io::Errno::INTR) => {}
                // Nothing there, or nobody who could write.
                Ok(_) | Err(_) => return,
            }
        }
    }

    /// Carries `input` to the readers, chunk by chunk, until its end or the cut. All that was read is told.
    async fn carry(
        &self,
        input: &mut (impl AsyncRead + Unpin),
        wrap: fn(Bytes) -> Chunk,
        cut: impl Future<Output = ()>,
    ) {
        let most = match wrap(Bytes::new()) {
            Chunk::Stdout(_) | Chunk::Stderr(_) => self.habits.chunking.pipe,
            Chunk::Pty(_) => self.habits.chunking.terminal,
        };
        let (mut buffer, mut cut) = (BytesMut::new(), pin!(cut));
        loop {
            let more = tokio::select! {
                biased;
                () = cut.as_mut() => false,
                more = read(input, most, &mut buffer) => more,
            };
            let mut going_on = more && self.gather(input, most, &mut buffer).await;
            if more {
                tokio::select! {
                    biased;
                    () = cut.as_mut() => going_on = false,
                    () = self.await_reader(buffer.len()) => {}
                }
                self.publish(wrap(buffer.split().freeze())).await;
            }
            if !going_on {
                return;
            }
        }
    }

    /// Returns when somebody reads, or when so many bytes may be discarded because nobody does.
    async fn await_reader(&self, bytes: usize) {
        loop {
            let arrived = self.arrived.notified();
            if self.readers().list.iter().any(|reader| !reader.tell.is_closed()) {
                return;
            }
            match self.unread.policy {
                UnreadOutput::Pause => arrived.await,
                UnreadOutput::Discard => {
                    tokio::select! {
                        () = arrived => {}
                        () = self.unread.turn(bytes) => return,
                    }
                }
            }
        }
    }

    /// Waits a moment for more, where that is the habit; whether anything may follow.
    async fn gather(&self, input: &mut (impl AsyncRead + Unpin), most: usize, buffer: &mut BytesMut) -> bool {
        let gather = self.habits.chunking.gather;
        if gather.is_zero() {
            return true;
        }
        // Of the host's clock: a moment too short for anyone to wait for.
        let end = tokio::time::Instant::now() + gather;
        while buffer.len() < GATHERED {
            match tokio::time::timeout_at(end, read(input, most, buffer)).await {
                Ok(true) => {}
                Ok(false) => return false,
                Err(_) => return true,
            }
        }
        true
    }

    fn late(&self) -> Option<&Late> {
        self.course.as_ref().and_then(Course::late)
    }

    /// False when the reader is gone or was given up.
    async fn wait(&self, reader: &Reader, event: Event) -> bool {
        // A reader that was not told of the start yet cannot take anything.
        let held = self.late().map_or(Duration::ZERO, |late| late.until.saturating_sub(self.time.now()));
        match self.time.timeout(self.stall.saturating_add(held), reader.tell.send(event)).await {
            Some(sent) => sent,
            None => {
                reader.fate.stalled.store(true, Ordering::Relaxed);
                false
            }
        }
    }
}

/// Reads what there is, at most so many bytes. A terminal whose other side is closed reads as an error; either way
/// nothing follows.
async fn read(input: &mut (impl AsyncRead + Unpin), most: usize, buffer: &mut BytesMut) -> bool {
    buffer.reserve(most);
    matches!(input.take(most as u64).read_buf(buffer).await, Ok(1..))
}

#[cfg(test)]
mod tests;
