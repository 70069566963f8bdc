//! What the kernel shows of itself: there the mock's own credentials would read what the guest may not. Refuses it, but
//! for what says the same to everyone.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::OFlags;
use rustix::io::Errno;

use super::os::{LOOK, Meta, Resolve};
use super::root::{Tree, is_pseudo, meta_of, parts};

/// Files of /proc about the machine as a whole, which hold no addresses.
const OPEN: [&str; 10] = [
    "cpuinfo",
    "filesystems",
    "loadavg",
    "meminfo",
    "partitions",
    "stat",
    "swaps",
    "uptime",
    "version",
    "vmstat",
];
/// The inode of the root of a procfs.
const PROC_ROOT: u64 = 1;
const OTHERS_SEARCH: u32 = 0o001;

impl Tree {
    /// Whether `found` may be read: itself (`None`), or the same file, opened again where everyone may read it.
    ///
    /// # Errors
    /// EACCES for everything else that the kernel makes up, however its path led there.
    pub(super) fn admit_reading(&self, found: &OwnedFd) -> io::Result<Option<OwnedFd>> {
        if !is_pseudo(found)? {
            return Ok(None);
        }
        let meta = meta_of(found)?;
        for name in OPEN {
            let path = [b"/proc/", name.as_bytes()].concat();
            let open = self.open_with(&path, LOOK | OFlags::NOFOLLOW, Resolve::InRootPlain);
            if let Ok(open) = open
                && is_pseudo(&open)?
                && is_same(&meta_of(&open)?, &meta)
            {
                return Ok(Some(open));
            }
        }
        Err(Errno::ACCESS.into())
    }

    /// Refuses (EACCES) facts about what lies in a directory of a process that is closed to others.
    pub(super) fn admit_looking(&self, path: &[u8], found: &OwnedFd) -> io::Result<()> {
        if !is_pseudo(found)? {
            return Ok(());
        }
        let (parent, _, _) = parts(path);
        let parent = self.open_dir(parent)?;
        let closed = is_pseudo(&parent)? && meta_of(&parent)?.mode & OTHERS_SEARCH == 0;
        if closed { Err(Errno::ACCESS.into()) } else { Ok(()) }
    }
}

/// Whether the names in a directory with this metadata may be told: everywhere but in the parts of /proc that belong to
/// processes, and in other file systems of the kernel.
pub(super) fn is_listable(dir: impl AsFd) -> io::Result<bool> {
    let dir = dir.as_fd();
    Ok(!is_pseudo(dir)? || meta_of(dir)?.inode == PROC_ROOT)
}

fn is_same(left: &Meta, right: &Meta) -> bool {
    (left.inode, left.device) == (right.inode, right.device)
}
