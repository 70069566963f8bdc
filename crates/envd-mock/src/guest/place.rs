//! Where a guest's tree lies on the host, and whose it is there. What is in it is not decided here.

use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown, lchown};
use std::path::{Path, PathBuf};

use super::boot::BootError;
use super::config::{GuestConfig, RootSpec};
use super::ids::Ids;
use super::ns::Root;

/// Where a guest's tree lies on the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    /// What becomes the guest's root.
    pub(super) root: PathBuf,
    /// What is removed at the end.
    pub(super) temporary: Option<PathBuf>,
}

impl Place {
    /// The place that `config` names, made where it is a fresh one, and what the guest's root is there.
    pub(super) fn choose(config: &GuestConfig) -> Result<(Root, Self), BootError> {
        match &config.root {
            RootSpec::Machine => Ok((Root::Machine, Place { root: "/".into(), temporary: None })),
            RootSpec::Dir(dir) => {
                let unusable = |source| BootError::Unusable { what: "root", path: dir.clone(), source };
                let root = fs::canonicalize(dir).map_err(unusable)?;
                if !root.is_dir() {
                    return Err(unusable(io::ErrorKind::NotADirectory.into()));
                }
                if root == Path::new("/") {
                    return Ok((Root::Machine, Place { root, temporary: None }));
                }
                Ok((Root::Dir(root.clone()), Place { root, temporary: None }))
            }
            RootSpec::Fresh => {
                let dir = tempfile::Builder::new().prefix("envd-mock-").tempdir()?.keep();
                let dir = fs::canonicalize(dir)?;
                let root = dir.join("root");
                fs::create_dir(&root)?;
                fs::set_permissions(&root, fs::Permissions::from_mode(0o755))?;
                let kind = config.disk.map_or(Root::Dir(root.clone()), |size| Root::Disk(root.clone(), size));
                Ok((kind, Place { root, temporary: Some(dir) }))
            }
        }
    }

    /// Gives a tree on disk to the ids that the guest's are mapped to.
    pub(super) fn prepare(&self, ids: Ids, root: &Root) -> io::Result<()> {
        let Ids::Range { base, count } = ids else { return Ok(()) };
        if *root == Root::Machine {
            return Ok(());
        }
        if let Some(dir) = &self.temporary {
            chown(dir, Some(base), Some(base))?;
            return chown(&self.root, Some(base), Some(base));
        }
        let mut left = vec![self.root.clone()];
        while let Some(path) = left.pop() {
            let meta = fs::symlink_metadata(&path)?;
            let shift = |id: u32| (id < count).then(|| base + id);
            lchown(&path, shift(meta.uid()), shift(meta.gid()))?;
            // A change of owner clears the set-user-id bits, which were not meant for these ids anyway.
            if meta.is_dir() {
                left.extend(fs::read_dir(&path)?.flatten().map(|entry| entry.path()));
            }
        }
        Ok(())
    }
}
