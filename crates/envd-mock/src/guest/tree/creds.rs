//! Creating as the guest's root: a file system mounted by the guest knows only the guest's ids and refuses
//! (EOVERFLOW) what the host's root would own.

use std::io;

use super::root::Tree;

impl Tree {
    /// Runs an operation that makes a name, again as the guest's root where the mock's own ids are unknown.
    #[cfg(target_os = "linux")]
    pub(super) fn making<T>(&self, operation: impl Fn() -> rustix::io::Result<T>) -> io::Result<T> {
        use crate::guest::ids::Ids;

        match (operation(), self.ids()) {
            (Err(rustix::io::Errno::OVERFLOW), Ids::Range { base, .. }) => {
                let _guard = super::os::AsGuest::enter(base)?;
                Ok(operation()?)
            }
            (done, _) => Ok(done?),
        }
    }

    /// Runs an operation that makes a name; without commands nobody mounts anything in the guest.
    #[cfg(not(target_os = "linux"))]
    pub(super) fn making<T>(&self, operation: impl Fn() -> rustix::io::Result<T>) -> io::Result<T> {
        Ok(operation()?)
    }
}
