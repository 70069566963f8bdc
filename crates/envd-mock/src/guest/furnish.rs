//! Copies a directory of the host over a guest's root before anything runs in it. Resolves below the root only,
//! whatever links either side holds.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::tree::{Owner, Tree};

/// The guest whose tree is filled.
pub(super) struct Furnisher<'a> {
    pub(super) tree: &'a Arc<Tree>,
}

/// What went wrong with which file of the host.
#[derive(Debug, thiserror::Error)]
#[error("{}: {source}", path.display())]
pub(super) struct CopyError {
    pub(super) path: PathBuf,
    pub(super) source: io::Error,
}

impl Furnisher<'_> {
    /// Copies what `from` holds to the root: modes and links are kept; what lies below /home/user belongs to user,
    /// all else to root.
    pub(super) fn copy(&self, from: &Path) -> Result<(), CopyError> {
        let mut left = vec![PathBuf::from("/")];
        while let Some(dir) = left.pop() {
            let host = from.join(dir.strip_prefix("/").unwrap_or(&dir));
            let at = |source| CopyError { path: host.clone(), source };
            for entry in fs::read_dir(&host).map_err(at)? {
                let entry = entry.map_err(at)?;
                let guest = dir.join(entry.file_name());
                let descend = self.place(&entry.path(), &guest);
                if descend.map_err(|source| CopyError { path: entry.path(), source })? {
                    left.push(guest);
                }
            }
        }
        Ok(())
    }

    /// Whether the entry is a directory, whose content is to follow.
    fn place(&self, host: &Path, guest: &Path) -> io::Result<bool> {
        let text = |path: &Path| {
            let refused = || io::Error::new(io::ErrorKind::InvalidInput, "the name is not UTF-8");
            path.to_str().map(str::to_owned).ok_or_else(refused)
        };
        let (path, meta) = (text(guest)?, fs::symlink_metadata(host)?);
        let owner =
            if guest.starts_with("/home/user") { Owner { uid: 1000, gid: 1000 } } else { Owner::ROOT };
        if meta.is_symlink() {
            self.tree.symlink(&text(&fs::read_link(host)?)?, &path, owner)?;
            return Ok(false);
        }
        if meta.is_dir() {
            let there = self.tree.exists(&path);
            self.tree.ensure_dir(&path, owner)?;
            // A directory that the guest has already keeps its mode.
            if !there {
                self.tree.set_mode(&path, bits(&meta))?;
            }
            return Ok(true);
        }
        if !meta.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a file, directory or link"));
        }
        self.tree.write_file(&path, &fs::read(host)?, owner)?;
        self.tree.set_mode(&path, bits(&meta))?;
        Ok(false)
    }
}

fn bits(meta: &fs::Metadata) -> u32 {
    meta.permissions().mode() & 0o7777
}
