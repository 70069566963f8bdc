//! How many segments with data a connection has received, which no stream of bytes tells.

use std::os::fd::BorrowedFd;

/// `tcpi_data_segs_in` in the kernel's `struct tcp_info` (linux/tcp.h, since 4.6), in words of four bytes.
#[cfg(target_os = "linux")]
const DATA_SEGS_IN: usize = 152 / 4;

/// `None` where the kernel does not say.
#[cfg(target_os = "linux")]
pub(super) fn received(socket: BorrowedFd<'_>) -> Option<u32> {
    use std::os::fd::AsRawFd as _;

    let mut info = [0_u32; 64];
    let mut length = libc::socklen_t::try_from(size_of_val(&info)).ok()?;
    // SAFETY: the kernel writes at most `length` bytes to `info`, which has that many.
    let asked = unsafe {
        let (level, option) = (libc::IPPROTO_TCP, libc::TCP_INFO);
        libc::getsockopt(socket.as_raw_fd(), level, option, info.as_mut_ptr().cast(), &raw mut length)
    };
    let told = asked == 0 && usize::try_from(length).is_ok_and(|length| length >= 4 * (DATA_SEGS_IN + 1));
    told.then_some(info[DATA_SEGS_IN])
}

/// Only Linux says.
#[cfg(not(target_os = "linux"))]
pub(super) fn received(_: BorrowedFd<'_>) -> Option<u32> {
    None
}
