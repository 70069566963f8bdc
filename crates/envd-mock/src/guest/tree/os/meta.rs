//! The facts that a system tells about a file.

use rustix::fs::FileType;

/// Metadata of a file, directory, link or anything else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::guest::tree) struct Meta {
    pub(in crate::guest::tree) kind: FileType,
    /// With the bits of the kind.
    pub(in crate::guest::tree) mode: u32,
    pub(in crate::guest::tree) uid: u32,
    pub(in crate::guest::tree) gid: u32,
    /// Bytes.
    pub(in crate::guest::tree) size: u64,
    /// How many names it has.
    pub(in crate::guest::tree) links: u64,
    pub(in crate::guest::tree) inode: u64,
    /// The device that it lies on, major and minor.
    pub(in crate::guest::tree) device: (u32, u32),
    /// The device that it is.
    pub(in crate::guest::tree) special: (u32, u32),
    /// Tells one mount from another.
    pub(in crate::guest::tree) mount: u64,
    /// Seconds and nanoseconds since 1970.
    pub(in crate::guest::tree) modified: (i64, u32),
    /// As `modified`: the last change of content or metadata, which nobody can set.
    pub(in crate::guest::tree) changed: (i64, u32),
    /// As `modified`; zeros where the system does not know.
    pub(in crate::guest::tree) born: (i64, u32),
}
