//! Opening regular files for reading.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::fs::{FileType, OFlags};
use rustix::io::Errno;

use super::os::{Meta, system};
use super::root::{Tree, c_name, is_pseudo, meta_of, reopen};

/// Why a file was not opened for reading.
#[derive(Debug)]
pub(crate) enum ReadError {
    Missing,
    Directory,
    NotRegular,
    Look(io::Error),
    Open(io::Error),
}

/// An open regular file.
#[derive(Debug)]
pub(crate) struct Content {
    pub(crate) file: File,
    /// Bytes; `None` where only reading tells: a size of 0 may be made up by the kernel.
    pub(crate) len: Option<u64>,
    /// The kernel makes it up at each reading, so nothing tells whether it has changed.
    pub(crate) made_up: bool,
    /// By the guest's clock, and never later than now.
    pub(crate) modified: SystemTime,
    /// Tells this content from others: inode, size and time of the last change.
    pub(crate) tag: String,
}

impl Tree {
    /// Opens `path`, links followed, whatever its permissions.
    pub(crate) fn open_read(&self, path: &str) -> Result<Content, ReadError> {
        let found = self.locate_target(path.as_bytes()).map_err(look_error)?;
        let meta = meta_of(&found).map_err(ReadError::Look)?;
        self.open_found(&found, &meta, path)
    }

    /// Opens what `path` was found to lead to.
    fn open_found(&self, found: &OwnedFd, meta: &Meta, path: &str) -> Result<Content, ReadError> {
        match meta.kind {
            FileType::RegularFile => {}
            FileType::Directory => return Err(ReadError::Directory),
            _ => return Err(ReadError::NotRegular),
        }
        let again = self.admit_reading(found).map_err(ReadError::Open)?;
        let file = match reopen(again.as_ref().unwrap_or(found).as_fd(), OFlags::RDONLY) {
            Err(Errno::ACCESS) => self.read_as_root(path, meta),
            other => other.map(File::from).map_err(io::Error::from),
        };
        self.content(file.map_err(ReadError::Open)?, meta).map_err(ReadError::Look)
    }

    /// The whole of a file.
    ///
    /// # Errors
    /// Those of the kernel, and `FileTooLarge` beyond `limit` bytes.
    pub(crate) fn read_file(&self, path: &str, limit: usize) -> io::Result<Vec<u8>> {
        whole(self.open_read(path).map_err(io::Error::from)?, limit)
    }

    /// As [`Tree::read_file`], made into something that is kept and given again for as long as the kernel says that the
    /// file is the same.
    pub(crate) fn read_kept<T>(
        &self,
        path: &str,
        limit: usize,
        kept: &Kept<T>,
        make: impl FnOnce(&[u8]) -> T,
    ) -> io::Result<Arc<T>> {
        let found = self.locate_target(path.as_bytes())?;
        let meta = meta_of(&found)?;
        if let Some(same) = kept.get(&meta) {
            return Ok(same);
        }
        let asked = system::stamp_time()?;
        let bytes = whole(self.open_found(&found, &meta, path).map_err(io::Error::from)?, limit)?;
        let made = Arc::new(make(&bytes));
        let settled = meta_of(&found)? == meta && is_settled(&meta, asked) && !tells_late(&found)?;
        kept.set(settled.then(|| (meta, Arc::clone(&made))));
        Ok(made)
    }

    fn read_as_root(&self, path: &str, expected: &Meta) -> io::Result<File> {
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY;
        let fd = self.open_as_root(&c_name(path.as_bytes())?, flags)?;
        let meta = meta_of(&fd)?;
        let same = (meta.inode, meta.device) == (expected.inode, expected.device);
        if same { Ok(File::from(fd)) } else { Err(Errno::STALE.into()) }
    }

    fn content(&self, file: File, meta: &Meta) -> io::Result<Content> {
        let pseudo = is_pseudo(&file)?;
        let (seconds, nanos) = meta.modified;
        let (shown, rest) = self.clock.shown(meta.modified);
        // A time that is still to come cannot be told (RFC 9110, section 8.8.2.1).
        let modified = system_time(shown, rest).min(self.clock.now());
        Ok(Content {
            len: (!pseudo && meta.size > 0).then_some(meta.size),
            made_up: pseudo,
            modified,
            tag: format!("{:x}-{:x}-{seconds:x}{nanos:08x}", meta.inode, meta.size),
            file,
        })
    }
}

/// What was made of a file, with the metadata that the file had.
#[derive(Debug)]
pub(crate) struct Kept<T>(Mutex<Option<(Meta, Arc<T>)>>);

impl<T> Default for Kept<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T> Kept<T> {
    /// What is kept, if it is of a file with this metadata.
    fn get(&self, meta: &Meta) -> Option<Arc<T>> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.as_ref().filter(|(of, _)| of == meta).map(|(_, made)| Arc::clone(made))
    }

    fn set(&self, kept: Option<(Meta, Arc<T>)>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = kept;
    }

    #[cfg(test)]
    pub(crate) fn is_kept(&self) -> bool {
        self.0.lock().unwrap().is_some()
    }
}

/// Whether whatever changes the file from `asked` on changes its metadata, too: two changes within one tick of the
/// kernel's clock have the same time.
fn is_settled(meta: &Meta, asked: (i64, u32)) -> bool {
    // Without a fraction the file system may count in seconds, or in twos of them.
    let margin = if meta.changed.1 == 0 { 3 } else { 0 };
    asked > (meta.changed.0.saturating_add(margin), meta.changed.1)
}

/// Whether another machine or a program may change the file without telling at once.
#[cfg(target_os = "linux")]
fn tells_late(fd: &OwnedFd) -> io::Result<bool> {
    const FUSE: u64 = 0x6573_5546;
    Ok(super::root::is_network(fd)? || system::file_system(fd.as_fd())?.0 == FUSE)
}

#[cfg(not(target_os = "linux"))]
#[expect(clippy::unnecessary_wraps, reason = "elsewhere the kernel is asked")]
fn tells_late(_: &OwnedFd) -> io::Result<bool> {
    Ok(false)
}

impl From<ReadError> for io::Error {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Missing => Errno::NOENT.into(),
            ReadError::Directory => Errno::ISDIR.into(),
            ReadError::NotRegular => Self::new(io::ErrorKind::InvalidInput, "not a regular file"),
            ReadError::Look(error) | ReadError::Open(error) => error,
        }
    }
}

fn whole(content: Content, limit: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    content.file.take(limit as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > limit {
        return Err(Errno::FBIG.into());
    }
    Ok(bytes)
}

fn system_time(secs: i64, nanos: u32) -> SystemTime {
    let whole = Duration::from_secs(secs.unsigned_abs());
    let base = if secs < 0 { UNIX_EPOCH.checked_sub(whole) } else { UNIX_EPOCH.checked_add(whole) };
    base.and_then(|base| base.checked_add(Duration::from_nanos(nanos.into()))).unwrap_or(UNIX_EPOCH)
}

fn look_error(error: io::Error) -> ReadError {
    if error.kind() == io::ErrorKind::NotFound { ReadError::Missing } else { ReadError::Look(error) }
}
