//! Volumes: block devices that may be mounted on a directory and taken off again, with what was written to them kept in
//! between. Nothing is mounted for real: a volume's content is a directory that is moved into place.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::tree::{Owner, RenameError, Tree};
use crate::time::Time;

/// How long a device may take to appear: 50 tries, 100 ms apart (contract, section 3.9).
const APPEARANCE: Duration = Duration::from_secs(5);
/// Where content lies that is not mounted, and what a mount hides.
const STORE: &str = "/run/wrenn/volumes";
/// A fresh file system is everybody's.
const FRESH: u32 = 0o1777;

/// Why nothing was mounted. The texts are the contract's.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MountError {
    #[error("no block device with serial {0}")]
    NoDevice(String),
    #[error("create mount dir: {0}")]
    Directory(io::Error),
    #[error("mount failed: {0}")]
    Failed(String),
}

/// The volumes of one guest.
#[derive(Debug)]
pub(crate) struct Volumes {
    /// The serials of the devices that there are.
    devices: Vec<String>,
    /// Serials by the directory that they are mounted on.
    mounted: Mutex<HashMap<String, String>>,
}

impl Volumes {
    pub(crate) fn new(devices: Vec<String>) -> Self {
        Self { devices, mounted: Mutex::default() }
    }

    /// Waits for the device.
    ///
    /// # Errors
    /// [`MountError::NoDevice`], after the time in which one may appear.
    pub(crate) async fn find(&self, serial: &str, time: &Time) -> Result<(), MountError> {
        if self.devices.iter().any(|device| device == serial) {
            return Ok(());
        }
        time.sleep(APPEARANCE).await;
        Err(MountError::NoDevice(serial.to_owned()))
    }

    /// Mounts a device on a directory, which is made; what was in it is hidden. Blocking.
    ///
    /// # Errors
    /// When the directory cannot be made, or there is something mounted already.
    pub(crate) fn mount(&self, tree: &Arc<Tree>, serial: &str, path: &str) -> Result<(), MountError> {
        let (mut mounted, path) = (self.mounted(), plain(path));
        if mounted.get(&path).is_some_and(|there| there == serial) {
            return Ok(());
        }
        if mounted.contains_key(&path) || mounted.values().any(|there| there == serial) {
            return Err(MountError::Failed(format!("{serial} or {path} is in use")));
        }
        tree.ensure_dir(&path, Owner::ROOT).map_err(MountError::Directory)?;
        let (content, hidden) = places(serial);
        if !tree.exists(&content) {
            tree.ensure_dir(&content, Owner::ROOT)
                .and_then(|()| tree.set_mode(&content, FRESH))
                .map_err(|error| MountError::Failed(error.to_string()))?;
        }
        exchange(tree, &path, &hidden, &content).map_err(|error| MountError::Failed(error.to_string()))?;
        mounted.insert(path, serial.to_owned());
        Ok(())
    }

    /// Takes off what is mounted on a directory, if anything is; what it hid is there again. Blocking.
    pub(crate) fn unmount(&self, tree: &Arc<Tree>, path: &str) {
        let (mut mounted, path) = (self.mounted(), plain(path));
        let Some(serial) = mounted.remove(&path) else { return };
        let (content, hidden) = places(&serial);
        if let Err(error) = exchange(tree, &path, &content, &hidden) {
            tracing::warn!(serial, path, %error, "a volume was not taken off its directory");
        }
    }

    fn mounted(&self) -> MutexGuard<'_, HashMap<String, String>> {
        self.mounted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Moves what is at `path` to `away`, and `here` to `path`.
fn exchange(tree: &Tree, path: &str, away: &str, here: &str) -> io::Result<()> {
    rename(tree, path, away)?;
    rename(tree, here, path).inspect_err(|_| {
        // Back to where it was; there is nothing else to be done.
        let _ = rename(tree, away, path);
    })
}

fn rename(tree: &Tree, from: &str, to: &str) -> io::Result<()> {
    tree.rename(from, to, Owner::ROOT).map_err(|error| match error {
        RenameError::Parents(error) => io::Error::other(error.to_string()),
        RenameError::Missing(error) | RenameError::Rename(error) => error,
    })
}

/// Where a volume's content lies while it is not mounted, and where what it hides lies while it is.
fn places(serial: &str) -> (String, String) {
    (format!("{STORE}/{serial}"), format!("{STORE}/under-{serial}"))
}

/// Absolute, without a slash at its end.
fn plain(path: &str) -> String {
    format!("/{}", path.trim_matches('/'))
}
