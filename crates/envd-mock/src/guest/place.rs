//! Where a guest's tree lies on the host, and whose it is there. What is in it is not decided here.

use std::fs;
use std::io;
#[cfg(target_os = "linux")]
use std::os::fd::AsFd as _;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::path::{Path, PathBuf};

use super::boot::BootError;
use super::config::{GuestConfig, RootSpec};
use super::ids::Ids;
use super::ns::Root;
use super::protected;

/// Where a guest's tree lies on the host.
#[derive(Debug)]
pub(super) struct Place {
    /// What becomes the guest's root.
    pub(super) root: PathBuf,
    /// What is removed at the end.
    pub(super) temporary: Option<PathBuf>,
    /// Tells later mocks that the fresh tree is in use, as long as this is open; `None` when it is to be kept.
    pub(super) mark: Option<OwnedFd>,
}

/// Marks the directory around a fresh tree as in use.
#[cfg(target_os = "linux")]
fn mark(dir: &Path) -> io::Result<OwnedFd> {
    super::ns::marker::mark(super::tree::open_root(dir)?.as_fd())
}

/// Without marks, holds the directory only.
#[cfg(not(target_os = "linux"))]
fn mark(dir: &Path) -> io::Result<OwnedFd> {
    super::tree::open_root(dir)
}

/// How the directories around fresh trees are named.
pub(super) const PREFIX: &str = "envd-mock-";

/// Where fresh trees lie: `TMPDIR`, or /tmp where that is unset or empty, which would mean the working directory.
pub(super) fn temporary() -> PathBuf {
    Some(std::env::temp_dir()).filter(|dir| !dir.as_os_str().is_empty()).unwrap_or_else(|| "/tmp".into())
}

/// Whether a directory of the host may be a guest's root.
///
/// # Errors
/// [`BootError::Unusable`], naming the way out.
pub(super) fn allowed(dir: &Path, identity: (u64, u64)) -> Result<(), BootError> {
    let Some(reason) = protected::reason(dir, identity) else { return Ok(()) };
    let text =
        format!("it {reason}; use a directory made for this, or copy what is needed with `--files DIR`");
    let source = io::Error::new(io::ErrorKind::InvalidInput, text);
    Err(BootError::Unusable { what: "root", path: dir.to_owned(), source })
}

impl Place {
    /// The place that `config` names, made where it is a fresh one, and what the guest's root is there.
    pub(super) fn choose(config: &GuestConfig) -> Result<(Root, Self), BootError> {
        match &config.root {
            RootSpec::Machine => Ok((Root::Machine, Place { root: "/".into(), temporary: None, mark: None })),
            RootSpec::Dir(dir) => {
                let unusable = |source| BootError::Unusable { what: "root", path: dir.clone(), source };
                let root = fs::canonicalize(dir).map_err(unusable)?;
                if !root.is_dir() {
                    return Err(unusable(io::ErrorKind::NotADirectory.into()));
                }
                if root == Path::new("/") {
                    return Ok((Root::Machine, Place { root, temporary: None, mark: None }));
                }
                let meta = fs::metadata(&root).map_err(unusable)?;
                allowed(&root, (meta.dev(), meta.ino()))?;
                Ok((Root::Dir(root.clone()), Place { root, temporary: None, mark: None }))
            }
            RootSpec::Fresh => {
                // Nobody else may come near it: a set-user-id file that the guest makes is the mock's user's.
                let private = fs::Permissions::from_mode(0o700);
                let mut made = tempfile::Builder::new();
                let made = made.prefix(PREFIX).permissions(private.clone()).tempdir_in(temporary())?;
                // Whatever the mask of this process takes away.
                fs::set_permissions(made.path(), private)?;
                let mark = if config.keep { None } else { Some(mark(made.path())?) };
                let root = fs::canonicalize(made.path())?.join("root");
                fs::create_dir(&root)?;
                fs::set_permissions(&root, fs::Permissions::from_mode(0o755))?;
                let kind = config.disk.map_or(Root::Dir(root.clone()), |size| Root::Disk(root.clone(), size));
                drop(made.keep());
                Ok((kind, Place { temporary: root.parent().map(Path::to_owned), root, mark }))
            }
        }
    }

    /// Gives a fresh tree to the guest's root. A directory that is used in place is nobody else's than it was.
    pub(super) fn prepare(&self, ids: Ids) -> io::Result<()> {
        match (ids, &self.temporary) {
            (Ids::Range { base, .. }, Some(_)) => chown(&self.root, Some(base), Some(base)),
            _ => Ok(()),
        }
    }
}
