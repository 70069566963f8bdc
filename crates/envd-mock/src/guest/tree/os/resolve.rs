//! How a path is looked up, in words that no system has.

use rustix::fs::{Mode, OFlags, RawMode};

/// A descriptor that stands for something and neither reads nor writes it.
#[cfg(target_os = "linux")]
pub(in crate::guest::tree) const LOOK: OFlags = OFlags::PATH;
/// As on Linux; a mark for `portable` alone, which hands it to no kernel.
#[cfg(not(target_os = "linux"))]
pub(in crate::guest::tree) const LOOK: OFlags = OFlags::from_bits_retain(1 << 31);

/// What the start of a path is to it, and what it may lead through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::guest::tree) enum Resolve {
    /// The start is `/`, for links and `..` too.
    InRoot,
    /// As `InRoot`, and no link is followed (ELOOP).
    InRootPlain,
    /// Only downwards (EXDEV), and no link is followed.
    Beneath,
    /// As `Beneath`, and into no other mount (EXDEV).
    BeneathMount,
}

/// Permission bits, as the system's calls take them.
pub(in crate::guest::tree) fn mode(bits: u32) -> Mode {
    Mode::from_raw_mode((bits & 0o7777) as RawMode)
}
