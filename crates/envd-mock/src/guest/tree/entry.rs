//! The facts about one file, directory or link that the contract's EntryInfo is made of (section 5).

use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use rustix::fs::FileType;

use super::os::Meta;
use super::root::{Tree, is_shortage, meta_of};
use crate::guest::users::Names;

/// What a path leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    File,
    Directory,
    /// A device, a pipe, a socket, or a link that leads nowhere.
    Other,
}

/// One entry, in words of the guest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    /// As asked for, not canonical.
    pub(crate) path: String,
    /// Bytes; of a link, the length of its text.
    pub(crate) size: i64,
    /// Twelve permission bits of what a link leads to, 0 when it leads nowhere.
    pub(crate) mode: u32,
    pub(crate) permissions: String,
    pub(crate) owner: String,
    pub(crate) group: String,
    /// Seconds and nanoseconds since 1970; absent when exactly 0.
    pub(crate) modified: Option<(i64, i32)>,
    pub(crate) link_target: Option<String>,
}

impl Tree {
    /// The facts about `path`, of a link itself where the contract wants that.
    ///
    /// # Errors
    /// Those of the kernel.
    pub(crate) fn stat(&self, path: &str) -> io::Result<Entry> {
        let fd = self.locate(path.as_bytes())?;
        self.admit_looking(path.as_bytes(), &fd)?;
        self.describe(path, path.as_bytes(), &meta_of(&fd)?, &Names::load(self)?)
    }

    /// The entry named `shown` that lies at `real` and has the metadata `meta`.
    ///
    /// # Errors
    /// When the system is short of descriptors or memory; what cannot be found out otherwise is told as unknown.
    pub(super) fn describe(&self, shown: &str, real: &[u8], meta: &Meta, names: &Names) -> io::Result<Entry> {
        let kind = meta.kind;
        let owner = self.owner_of(meta);
        let link = kind == FileType::Symlink;
        let (target_kind, mode) = if link { self.follow(real)? } else { (kind_of(kind), bits(meta)) };
        Ok(Entry {
            name: Path::new(shown).file_name().map(lossy).unwrap_or_default(),
            kind: target_kind,
            path: shown.to_owned(),
            size: i64::try_from(meta.size).unwrap_or(i64::MAX),
            mode,
            permissions: permissions(kind, meta.mode),
            owner: names.user(owner.uid),
            group: names.group(owner.gid),
            modified: modified(self.clock.shown(meta.modified)),
            link_target: link.then(|| self.target_of(shown, real)).transpose()?,
        })
    }

    fn follow(&self, real: &[u8]) -> io::Result<(Kind, u32)> {
        match self.locate_target(real).and_then(meta_of) {
            Ok(meta) => Ok((kind_of(meta.kind), bits(&meta))),
            Err(error) if is_shortage(&error) => Err(error),
            Err(_) => Ok((Kind::Other, 0)),
        }
    }

    fn target_of(&self, shown: &str, real: &[u8]) -> io::Result<String> {
        match self.canonical(real) {
            Ok(path) => Ok(lossy(OsStr::from_bytes(&path))),
            Err(error) if is_shortage(&error) => Err(error),
            Err(_) => Ok(shown.to_owned()),
        }
    }
}

fn lossy(text: &OsStr) -> String {
    text.to_string_lossy().into_owned()
}

fn kind_of(kind: FileType) -> Kind {
    match kind {
        FileType::RegularFile => Kind::File,
        FileType::Directory => Kind::Directory,
        _ => Kind::Other,
    }
}

fn bits(meta: &Meta) -> u32 {
    meta.mode & 0o7777
}

fn modified((seconds, nanos): (i64, u32)) -> Option<(i64, i32)> {
    let nanos = i32::try_from(nanos).unwrap_or(0);
    (seconds != 0 || nanos != 0).then_some((seconds, nanos))
}

/// A letter for the type and nine for the permissions, special bits not shown.
fn permissions(kind: FileType, mode: u32) -> String {
    let letter = match kind {
        FileType::Directory => 'd',
        FileType::Symlink => 'L',
        FileType::RegularFile => '-',
        FileType::BlockDevice => 'b',
        FileType::CharacterDevice => 'c',
        FileType::Fifo => 'p',
        FileType::Socket => 'S',
        FileType::Unknown => '?',
    };
    let bits = (0..9).map(|bit| if mode & (0o400 >> bit) == 0 { '-' } else { ['r', 'w', 'x'][bit % 3] });
    std::iter::once(letter).chain(bits).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn permissions_are_ten_characters_without_special_bits() {
        assert_eq!(permissions(FileType::Directory, 0o1755), "drwxr-xr-x");
        assert_eq!(permissions(FileType::Symlink, 0o777), "Lrwxrwxrwx");
        assert_eq!(permissions(FileType::RegularFile, 0o4640), "-rw-r-----");
        assert_eq!(permissions(FileType::Fifo, 0), "p---------");
    }
}
