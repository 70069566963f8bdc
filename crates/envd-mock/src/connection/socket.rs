//! The few things that are asked of a socket beside reading and writing. The descriptor is the caller's, and open.

use std::os::fd::{BorrowedFd, RawFd};
use std::time::Duration;

use rustix::net::{Shutdown, shutdown, sockopt};

/// Closing it resets the connection (RST) instead of ending it in order.
pub(super) fn reset_on_close(socket: RawFd) {
    // A failure leaves an orderly end; a socket that is open has this option.
    let _ = sockopt::set_socket_linger(borrow(socket), Some(Duration::ZERO));
}

/// Sends FIN behind what was written.
pub(super) fn shut_down_writing(socket: RawFd) {
    // Fails when the peer is gone already, and then nothing needs to be said.
    let _ = shutdown(borrow(socket), Shutdown::Write);
}

/// Ends listening at once, even while a child that was forked this moment still holds the descriptor.
pub(super) fn stop_listening(socket: RawFd) {
    // Fails where a socket that listens cannot be shut down; closing it is all there is then.
    let _ = shutdown(borrow(socket), Shutdown::Both);
}

/// Bytes that were written and that the peer has not acknowledged.
#[cfg(target_os = "linux")]
pub(super) fn unacknowledged(socket: RawFd) -> u64 {
    let mut bytes: libc::c_int = 0;
    // SAFETY: SIOCOUTQ (TIOCOUTQ on a socket, tcp(7)) writes one int to the pointer.
    let asked = unsafe { libc::ioctl(socket, libc::TIOCOUTQ, &raw mut bytes) };
    if asked == 0 { u64::try_from(bytes).unwrap_or(0) } else { 0 }
}

/// Bytes that were written and that the peer has not acknowledged.
#[cfg(target_os = "macos")]
pub(super) fn unacknowledged(socket: RawFd) -> u64 {
    let mut bytes: libc::c_int = 0;
    let mut length = size_of::<libc::c_int>() as libc::socklen_t;
    let (level, option) = (libc::SOL_SOCKET, libc::SO_NWRITE);
    // SAFETY: SO_NWRITE (getsockopt(2)) writes one int to the pointer, for which there is room.
    let asked = unsafe { libc::getsockopt(socket, level, option, (&raw mut bytes).cast(), &raw mut length) };
    if asked == 0 { u64::try_from(bytes).unwrap_or(0) } else { 0 }
}

/// Whether the peer has closed its side or reset the connection.
pub(super) fn has_lost_peer(socket: RawFd) -> bool {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};

    let socket = borrow(socket);
    let ended = PollFlags::HUP | PollFlags::ERR;
    #[cfg(target_os = "linux")]
    let ended = ended | PollFlags::RDHUP;
    let mut asked = [PollFd::new(&socket, ended)];
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    poll(&mut asked, Some(&now)).is_ok_and(|_| asked[0].revents().intersects(ended))
}

fn borrow<'s>(socket: RawFd) -> BorrowedFd<'s> {
    // SAFETY: `Conn` hands out the descriptor only while the transport holds it open, under its lock.
    unsafe { BorrowedFd::borrow_raw(socket) }
}
