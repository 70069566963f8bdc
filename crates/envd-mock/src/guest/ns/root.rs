//! Where the tree of a guest lies, and the removal of it in the ordinary way.

use std::io;
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

/// Removes the directory around a fresh tree and all below it, directories without permissions included.
#[cfg(target_os = "linux")]
pub(crate) fn remove(dir: &Path) -> io::Result<()> {
    use std::os::fd::AsFd as _;
    use std::os::unix::ffi::OsStrExt as _;

    use rustix::fs::{Mode, OFlags};

    let path = std::ffi::CString::new(dir.as_os_str().as_bytes())?;
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    match rustix::fs::open(path.as_c_str(), flags, Mode::empty()) {
        Err(rustix::io::Errno::NOENT) => Ok(()),
        opened => Ok(super::marker::remove(opened?.as_fd(), &path)?),
    }
}

/// Removes the directory around a fresh tree and all below it.
#[cfg(not(target_os = "linux"))]
pub(crate) fn remove(dir: &Path) -> io::Result<()> {
    // A shell's own commands: they do not recurse, and give themselves permissions first.
    let script = r#"chmod -R u+rwx "$0" 2>/dev/null; exec rm -rf -- "$0""#;
    let done = std::process::Command::new("/bin/sh").arg("-c").arg(script).arg(dir).status()?;
    if done.success() { Ok(()) } else { Err(io::Error::other("rm failed")) }
}
