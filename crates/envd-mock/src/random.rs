//! Random numbers from the kernel, for names that nobody else has.

use std::io;

/// A random word.
///
/// # Errors
/// When the kernel has none to give.
pub(crate) fn word() -> io::Result<u64> {
    let mut bytes = [0; 8];
    fill(&mut bytes)?;
    Ok(u64::from_ne_bytes(bytes))
}

#[cfg(target_os = "linux")]
fn fill(bytes: &mut [u8; 8]) -> io::Result<()> {
    rustix::rand::getrandom(bytes, rustix::rand::GetRandomFlags::empty())?;
    Ok(())
}

#[cfg(not(target_os = "linux"))]
fn fill(bytes: &mut [u8; 8]) -> io::Result<()> {
    // SAFETY: getentropy(2) writes exactly so many bytes to the pointer.
    let filled = unsafe { libc::getentropy(bytes.as_mut_ptr().cast(), bytes.len()) };
    if filled == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
