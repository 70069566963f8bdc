//! Random numbers from the kernel, for names that nobody else has.

use std::io;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// A random word.
///
/// # Errors
/// When the kernel has none to give.
pub(crate) fn word() -> io::Result<u64> {
    let mut bytes = [0; 8];
    fill(&mut bytes)?;
    Ok(u64::from_ne_bytes(bytes))
}

/// A word that this process has not had before, and others are not likely to have; the kernel is asked once.
///
/// # Errors
/// When the kernel has no random word to give.
pub(crate) fn fresh() -> io::Result<u64> {
    static START: OnceLock<u64> = OnceLock::new();
    static NEXT: AtomicU64 = AtomicU64::new(0);
    // Far from the next one, and each word only once in 2^64: an odd factor.
    const STRIDE: u64 = 0x9e37_79b9_7f4a_7c15;
    let start = match START.get() {
        Some(start) => *start,
        None => {
            let word = word()?;
            *START.get_or_init(|| word)
        }
    };
    Ok(start.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed).wrapping_mul(STRIDE)))
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
