//! A pseudo-terminal of the guest's own devpts: its two ends, its size, reading and writing without blocking.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use rustix::termios::Winsize;
use tokio::io::unix::AsyncFd;
use tokio::io::{AsyncRead, ReadBuf};

use super::start::Size;

/// The side that the mock holds.
#[derive(Debug, Clone)]
pub(super) struct Terminal(Arc<AsyncFd<OwnedFd>>);

impl Terminal {
    /// Opens a terminal below the guest's root; gives the other side for the process.
    #[cfg(target_os = "linux")]
    pub(super) fn open(root: &OwnedFd, size: Size) -> io::Result<(Self, OwnedFd)> {
        use rustix::fs::{OFlags, ResolveFlags};

        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
        let ours = rustix::fs::openat2(root, "dev/ptmx", flags, rustix::fs::Mode::empty(), resolve)?;
        rustix::pty::unlockpt(&ours)?;
        let peer = rustix::pty::OpenptFlags::RDWR
            | rustix::pty::OpenptFlags::NOCTTY
            | rustix::pty::OpenptFlags::CLOEXEC;
        let theirs = rustix::pty::ioctl_tiocgptpeer(&ours, peer)?;
        let terminal = Self(Arc::new(crate::guest::ns::register(ours)?));
        terminal.resize(size)?;
        Ok((terminal, theirs))
    }

    /// Where nothing real runs, nothing has a terminal but in name.
    #[cfg(not(target_os = "linux"))]
    pub(super) fn open(_: &OwnedFd, _: Size) -> io::Result<(Self, OwnedFd)> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Sets the size in character cells; the processes in it are told by the kernel (SIGWINCH).
    pub(super) fn resize(&self, size: Size) -> io::Result<()> {
        let size = Winsize { ws_row: size.rows, ws_col: size.cols, ws_xpixel: 0, ws_ypixel: 0 };
        Ok(rustix::termios::tcsetwinsize(self.0.get_ref(), size)?)
    }

    /// Writes what fits now, waiting until something does.
    pub(super) async fn write(&self, data: &[u8]) -> io::Result<usize> {
        let write = |fd: &OwnedFd| Ok(rustix::io::write(fd.as_fd(), data)?);
        self.0.async_io(tokio::io::Interest::WRITABLE, write).await
    }
}

impl AsFd for Terminal {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.get_ref().as_fd()
    }
}

impl AsyncRead for Terminal {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        loop {
            let mut guard = ready!(self.0.poll_read_ready(cx))?;
            let read = guard.try_io(|fd| Ok(rustix::io::read(fd.get_ref(), buf.initialize_unfilled())?));
            if let Ok(result) = read {
                return Poll::Ready(result.map(|count| buf.advance(count)));
            }
        }
    }
}
