//! Waiting, without a thread, until a watch has something to tell.

use std::io;
#[cfg(target_os = "linux")]
use std::os::fd::OwnedFd;
use std::sync::Arc;

use tokio::sync::Notify;

/// The readiness of one watch.
#[derive(Debug)]
pub(crate) struct Ready(Arc<Notify>);

impl Ready {
    #[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "nothing is watched there"))]
    pub(super) fn new(told: Arc<Notify>) -> Self {
        Self(told)
    }

    /// Returns when there may be something to take; all that was there before is then to be taken.
    pub(crate) async fn wait(&self) {
        self.0.notified().await;
    }
}

/// The readiness of a descriptor.
#[cfg(target_os = "linux")]
#[derive(Debug)]
pub(super) struct Readable(tokio::io::unix::AsyncFd<Arc<OwnedFd>>);

/// Waits for a descriptor. Must be called within a tokio runtime.
///
/// # Errors
/// When the runtime cannot wait for it.
#[cfg(target_os = "linux")]
pub(super) fn readable(descriptor: Arc<OwnedFd>) -> io::Result<Readable> {
    use tokio::io::Interest;
    use tokio::io::unix::AsyncFd;

    // SAFETY: the descriptor is open as long as the `Arc` in here, whose content nothing replaces.
    Ok(Readable(unsafe { AsyncFd::register_with_interest(descriptor, Interest::READABLE) }?))
}

#[cfg(target_os = "linux")]
impl Readable {
    /// Returns when there may be something to read; all that was there before is then to be read.
    ///
    /// # Errors
    /// When the runtime ends.
    pub(super) async fn wait(&self) -> io::Result<()> {
        self.0.readable().await?.clear_ready();
        Ok(())
    }
}
