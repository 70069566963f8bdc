//! Waiting, without a thread, until a watch has something to tell.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// The readiness of one watch.
#[derive(Debug)]
pub(crate) struct Ready(AsyncFd<Arc<OwnedFd>>);

impl Ready {
    /// # Errors
    /// When the runtime cannot wait for the descriptor.
    #[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "nothing is watched there"))]
    pub(super) fn new(descriptor: Arc<OwnedFd>) -> io::Result<Self> {
        // SAFETY: the descriptor is open as long as the `Arc` in here, whose content nothing replaces.
        Ok(Self(unsafe { AsyncFd::register_with_interest(descriptor, Interest::READABLE) }?))
    }

    /// Returns when there may be something to take; all that was there before is then to be taken.
    ///
    /// # Errors
    /// When the runtime ends.
    pub(crate) async fn wait(&self) -> io::Result<()> {
        self.0.readable().await?.clear_ready();
        Ok(())
    }
}
