//! The mock's end of the talk with a holder: requests with answers, and the ends of processes. Dropping it ends
//! the guest and waits until nothing of it runs.

use std::collections::HashMap;
use std::ffi::CStr;
use std::io;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::sync::{Arc, Mutex, Once, PoisonError};

use rustix::fs::OFlags;
use rustix::io::Errno;
use tokio::io::unix::AsyncFd;
use tokio::sync::oneshot;

use super::launch::Launched;
use super::message::{self, Message};
use super::process::{Command, Exit, Spawned};
use super::spawn::Manner;
use super::sys;

enum Waiter {
    Spawn(oneshot::Sender<io::Result<Spawned>>),
    Plain(oneshot::Sender<io::Result<Option<OwnedFd>>>),
    Blocking(std::sync::mpsc::SyncSender<io::Result<Option<OwnedFd>>>),
}

#[derive(Default)]
struct Open {
    next: u32,
    waiting: HashMap<u32, Waiter>,
    running: HashMap<i32, oneshot::Sender<Exit>>,
    gone: bool,
}

struct Shared {
    socket: AsyncFd<OwnedFd>,
    open: Mutex<Open>,
}

/// The talk with one guest's holder.
pub(crate) struct Link {
    shared: Arc<Shared>,
    reader: tokio::task::JoinHandle<()>,
    pid: i32,
    ended: Once,
    manner: Manner,
}

impl Link {
    /// Takes over a launched guest. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// When the socket cannot be watched; the guest is then ended.
    pub(crate) fn new(launched: Launched) -> io::Result<(Self, OwnedFd)> {
        let Launched { socket, pid, manner, root } = launched;
        rustix::io::ioctl_fionbio(&socket, true)?;
        let shared = Arc::new(Shared { socket: register(socket)?, open: Mutex::default() });
        let reader = tokio::spawn(read(Arc::clone(&shared)));
        Ok((Self { shared, reader, pid, ended: Once::new(), manner }, root))
    }

    /// Starts a command with the three standard descriptors.
    ///
    /// # Errors
    /// What fork, chdir, the change of user or exec said.
    pub(crate) async fn spawn(
        &self,
        command: &Command,
        standard: [BorrowedFd<'_>; 3],
    ) -> io::Result<Spawned> {
        let block = command.pack(&self.manner)?;
        let [input, output, error] = standard;
        let (tell, told) = oneshot::channel();
        let id = self.shared.register(Waiter::Spawn(tell))?;
        self.shared
            .send(Message::new(message::SPAWN, id, &[]), &[], &[block.as_fd(), input, output, error])
            .await?;
        told.await.map_err(|_| gone())?
    }

    /// Sends a signal to a command that was not released, or to its group when `pid` is negative.
    ///
    /// # Errors
    /// What kill(2) said; ESRCH for any other process.
    pub(crate) async fn kill(&self, pid: i32, signal: i32) -> io::Result<()> {
        self.request(message::KILL, &[pid, signal]).await
    }

    /// Whether any process is left of the group that `leader` led.
    ///
    /// # Errors
    /// When the guest is gone.
    pub(crate) async fn has_group(&self, leader: i32) -> io::Result<bool> {
        match self.kill(-leader, 0).await {
            Ok(()) => Ok(true),
            Err(error) if error.raw_os_error().is_some() => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Lets go of a command whose end was told; from now on its number may be another's.
    ///
    /// # Errors
    /// When the guest is gone.
    pub(crate) async fn release(&self, pid: i32) -> io::Result<()> {
        self.request(message::RELEASE, &[pid]).await
    }

    async fn request(&self, kind: u32, args: &[i32]) -> io::Result<()> {
        let (tell, told) = oneshot::channel();
        let id = self.shared.register(Waiter::Plain(tell))?;
        self.shared.send(Message::new(kind, id, args), &[], &[]).await?;
        told.await.map_err(|_| gone())?.map(drop)
    }

    /// Ends the guest and waits until nothing of it runs: a few milliseconds.
    pub(crate) fn end(&self) {
        self.ended.call_once(|| {
            self.reader.abort();
            // The holder reads end of file once this is shut, whoever still holds a descriptor of it.
            let _ = rustix::net::shutdown(self.shared.socket.get_ref(), rustix::net::Shutdown::Both);
            sys::wait_for(self.pid);
            self.shared.end();
        });
    }

    /// The holder's number on the host.
    pub(crate) fn holder(&self) -> i32 {
        self.pid
    }

    /// Opens files as the guest's root would, for what the mock itself may not open. Blocking.
    pub(crate) fn opener(
        &self,
    ) -> impl Fn(&CStr, OFlags, u32) -> io::Result<OwnedFd> + Send + Sync + 'static {
        let shared = Arc::downgrade(&self.shared);
        move |path, flags, mode| shared.upgrade().ok_or_else(gone)?.open_blocking(path, flags, mode)
    }
}

impl std::fmt::Debug for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Link").field("holder", &self.pid).finish_non_exhaustive()
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.end();
    }
}

impl Shared {
    fn open(&self) -> std::sync::MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn register(&self, waiter: Waiter) -> io::Result<u32> {
        let mut open = self.open();
        if open.gone {
            return Err(gone());
        }
        open.next = open.next.wrapping_add(1);
        let id = open.next;
        open.waiting.insert(id, waiter);
        Ok(id)
    }

    async fn send(&self, message: Message, payload: &[u8], fds: &[BorrowedFd<'_>]) -> io::Result<()> {
        let interest = tokio::io::Interest::WRITABLE;
        let send = |socket: &OwnedFd| message::send(socket.as_fd(), message, payload, fds);
        self.socket.async_io(interest, send).await
    }

    fn open_blocking(&self, path: &CStr, flags: OFlags, mode: u32) -> io::Result<OwnedFd> {
        let (tell, told) = std::sync::mpsc::sync_channel(1);
        let payload = path.to_bytes_with_nul();
        if payload.len() > message::PAYLOAD {
            return Err(Errno::NAMETOOLONG.into());
        }
        let id = self.register(Waiter::Blocking(tell))?;
        let args = [flags.bits().cast_signed(), mode.cast_signed()];
        message::send(self.socket.get_ref().as_fd(), Message::new(message::OPEN, id, &args), payload, &[])?;
        let answer = told.recv_timeout(std::time::Duration::from_secs(5)).map_err(|_| gone())?;
        answer?.ok_or_else(|| Errno::IO.into())
    }

    fn handle(&self, received: message::Received) {
        let Message { kind, id, args: [word, status, ..] } = received.message;
        let mut open = self.open();
        if kind == message::EXITED {
            let told = open.running.remove(&word).map(|tell| tell.send(Exit::from_status(status)));
            if !matches!(told, Some(Ok(()))) {
                // Whoever started it has left, so that nobody else would let go of it.
                let release = Message::new(message::RELEASE, 0, &[word]);
                let _ = message::send(self.socket.get_ref().as_fd(), release, &[], &[]);
            }
            return;
        }
        let result = if word < 0 { Err(io::Error::from_raw_os_error(-word)) } else { Ok(word) };
        let [fd, ..] = received.fds;
        match open.waiting.remove(&id) {
            Some(Waiter::Spawn(tell)) => {
                // Known before the next message is read, which may already tell of its end.
                let spawned = result.map(|pid| {
                    let (ended, exit) = oneshot::channel();
                    open.running.insert(pid, ended);
                    Spawned { pid: pid.cast_unsigned(), exit }
                });
                let _ = tell.send(spawned);
            }
            Some(Waiter::Plain(tell)) => drop(tell.send(result.map(|_| fd))),
            Some(Waiter::Blocking(tell)) => drop(tell.send(result.map(|_| fd))),
            None => {}
        }
    }

    fn end(&self) {
        let mut open = self.open();
        open.gone = true;
        open.waiting.clear();
        open.running.clear();
    }
}

/// Watches a descriptor for readiness. Must be called within a tokio runtime.
///
/// # Errors
/// When the runtime's poller refuses it.
pub(crate) fn register(fd: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: an `OwnedFd` keeps its descriptor open and its number the same until it is dropped.
    unsafe { AsyncFd::register(fd) }.map_err(Into::into)
}

async fn read(shared: Arc<Shared>) {
    let mut payload = [0; message::PAYLOAD];
    loop {
        let received = shared
            .socket
            .async_io(tokio::io::Interest::READABLE, |socket| message::receive(socket.as_fd(), &mut payload))
            .await;
        match received {
            Ok(Some(received)) => shared.handle(received),
            Ok(None) | Err(_) => return shared.end(),
        }
    }
}

fn gone() -> io::Error {
    io::Error::new(io::ErrorKind::BrokenPipe, "the guest is gone")
}
