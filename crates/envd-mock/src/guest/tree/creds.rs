//! Creating as the guest's root: a file system mounted by the guest knows only the guest's ids and refuses
//! (EOVERFLOW) what the host's root would own. One thread takes the guest root's file ids for one operation.

use std::io;

use rustix::io::Errno;
use rustix::thread::{CapabilitySets, capabilities, set_capabilities};

use super::root::Tree;
use crate::guest::ids::Ids;

impl Tree {
    /// Runs an operation that makes a name, again as the guest's root where the mock's own ids are unknown.
    pub(super) fn making<T>(&self, operation: impl Fn() -> rustix::io::Result<T>) -> io::Result<T> {
        match (operation(), self.ids()) {
            (Err(Errno::OVERFLOW), Ids::Range { base, .. }) => {
                let _guard = AsGuest::enter(base)?;
                Ok(operation()?)
            }
            (done, _) => Ok(done?),
        }
    }
}

/// The thread's file ids and capabilities, put back on drop.
struct AsGuest {
    uid: libc::c_int,
    gid: libc::c_int,
    capabilities: CapabilitySets,
}

impl AsGuest {
    fn enter(id: u32) -> io::Result<Self> {
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
