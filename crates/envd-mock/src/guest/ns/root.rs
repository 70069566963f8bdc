//! Where the tree of a guest lies, and the removal of it in the ordinary way.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

/// Where the guest's tree lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Root {
    /// The machine as it is: no namespaces, no tree of its own.
    Machine,
    /// A directory on disk.
    Dir(PathBuf),
    /// A tmpfs of so many bytes, mounted over an empty directory.
    Disk(PathBuf, u64),
}

impl Root {
    /// Where it lies on the host.
    pub(crate) fn path(&self) -> &Path {
        match self {
            Self::Machine => Path::new("/"),
            Self::Dir(path) | Self::Disk(path, _) => path,
        }
    }
}

/// Removes a directory and all below it, directories without permissions included.
pub(crate) fn remove(dir: &Path) -> io::Result<()> {
    match fs::remove_dir_all(dir) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            open_up(dir);
            fs::remove_dir_all(dir)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// Gives the owner all permissions on every directory below `dir`, links not followed.
fn open_up(dir: &Path) {
    let mut left = vec![dir.to_owned()];
    while let Some(dir) = left.pop() {
        let _ = fs::set_permissions(&dir, fs::Permissions::from_mode(0o700));
        let entries = fs::read_dir(&dir).into_iter().flatten().flatten();
        left.extend(
            entries
                .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
                .map(|entry| entry.path()),
        );
    }
}
