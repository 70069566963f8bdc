//! A guest without walls, in which nothing real runs: its tree is a directory as it is, resolved like any other from
//! its descriptor. Needs no namespace, no mount and no process.

use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::boot::BootError;
use super::clock::Clock;
use super::config::{GuestConfig, RootSpec};
use super::ids::Ids;
use super::ns::{InPlace, Root};
use super::skeleton::{DIRS, FILES};
use super::tree::{Owner, Tree, open_root};

/// The guest's root is the mock's user; all other owners are kept in the record.
pub(super) fn ids() -> Ids {
    let (uid, gid) = (rustix::process::geteuid(), rustix::process::getegid());
    Ids::Single { uid: uid.as_raw(), gid: gid.as_raw() }
}

/// Refuses what only walls make possible.
///
/// # Errors
/// [`BootError::Unusable`].
pub(super) fn check(config: &GuestConfig) -> Result<(), BootError> {
    let machine = match &config.root {
        RootSpec::Machine => true,
        RootSpec::Dir(dir) => dir.canonicalize().is_ok_and(|dir| dir == Path::new("/")),
        RootSpec::Fresh => false,
    };
    if machine {
        return Err(refused("root", "/".into(), "where nothing real runs, the tree is the guest's own"));
    }
    if let Some((host, _)) = config.binds.first() {
        return Err(refused("bind", host.clone(), "where nothing real runs, nothing is mounted"));
    }
    if config.disk.is_some() {
        return Err(refused("disk", PathBuf::new(), "where nothing real runs, nothing is mounted"));
    }
    Ok(())
}

fn refused(what: &'static str, path: PathBuf, why: &str) -> BootError {
    BootError::Unusable { what, path, source: io::Error::new(io::ErrorKind::Unsupported, why) }
}

/// Makes what a directory that is used in place lacks, to be taken away again.
///
/// # Errors
/// What the kernel said.
pub(super) fn add(root: &Root) -> io::Result<Option<InPlace>> {
    #[cfg(target_os = "linux")]
    {
        let added = super::ns::Plan::plain(root.clone())?.in_place()?;
        added.as_ref().map(InPlace::make).transpose()?;
        Ok(added)
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = root;
        Ok(None)
    }
}

/// Opens `root` and puts into it what a guest needs and it lacks.
///
/// # Errors
/// What the kernel said.
pub(super) fn raise(root: &Path, ids: Ids, clock: Arc<Clock>) -> io::Result<(OwnedFd, Arc<Tree>)> {
    let root = open_root(root)?;
    let tree = Arc::new(Tree::new(root.try_clone()?, ids, None)?.with_clock(clock));
    for &(path, mode, owner) in DIRS {
        if !tree.exists(path) {
            tree.ensure_dir(path, Owner { uid: owner, gid: owner })?;
            tree.set_mode(path, mode)?;
        }
    }
    for (path, content) in FILES {
        if !tree.exists(path) {
            tree.write_file(path, content.as_bytes(), Owner::ROOT)?;
        }
    }
    Ok((root, tree))
}
