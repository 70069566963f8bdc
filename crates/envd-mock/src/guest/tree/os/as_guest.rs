//! One thread takes the file ids of the guest's root for one operation.

use std::io;

use rustix::thread::{CapabilitySets, capabilities, set_capabilities};

/// The thread's file ids and capabilities, put back on drop.
pub(in crate::guest::tree) struct AsGuest {
    uid: libc::c_int,
    gid: libc::c_int,
    capabilities: CapabilitySets,
}

impl AsGuest {
    /// Takes the ids, the user's and the group's alike.
    pub(in crate::guest::tree) fn enter(id: u32) -> io::Result<Self> {
        let capabilities = capabilities(None)?;
        // SAFETY: both calls change only the file ids of the calling thread, and `drop` puts them back.
        let (gid, uid) = unsafe { (libc::setfsgid(id), libc::setfsuid(id)) };
        let guard = Self { uid, gid, capabilities };
        // Leaving id 0 drops the capabilities that let root pass permission bits.
        set_capabilities(None, capabilities)?;
        Ok(guard)
    }
}

impl Drop for AsGuest {
    fn drop(&mut self) {
        // SAFETY: as in `enter`, with the ids that the thread had.
        unsafe {
            libc::setfsuid(self.uid as libc::uid_t);
            libc::setfsgid(self.gid as libc::gid_t);
        }
        let _ = set_capabilities(None, self.capabilities);
    }
}
