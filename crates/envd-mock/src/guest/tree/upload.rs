//! Receiving one file: collected aside and put in place whole, links and mode of what was there kept; pipes and
//! devices are written through. Dropped before [`Upload::finish`], nothing has changed.

use std::collections::VecDeque;
use std::ffi::{CStr, CString};
use std::fs::File;
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::sync::Arc;

use rustix::fs::{FileType, OFlags};
use rustix::io::Errno;

use super::dirs::DirsError;
use super::os::{LOOK, Meta, mode, system};
use super::owners::Owner;
use super::place::{Spool, tell_written};
use super::root::{
    Tree, c_name, guard_mount, guard_mount_of, guard_writing, meta_at, meta_of, open_child, parts, reopen,
};

const NEW_FILE: u32 = 0o644;
const LINKS: usize = 40;
const COPY: usize = 256 * 1024;
/// `/dev/tty`: it would be the terminal of whoever started the mock.
const TERMINAL: (u32, u32) = (5, 0);

/// Why an upload did not come to its end.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UploadError {
    #[error("path is a directory: {0}")]
    IsDirectory(String),
    #[error("error ensuring directories: {0}")]
    Parents(#[source] DirsError),
    #[error("error opening file: {0}")]
    Open(#[source] io::Error),
    #[error("error changing ownership: {0}")]
    Owner(#[source] io::Error),
    #[error("error writing file: {0}")]
    Write(#[source] io::Error),
}

impl UploadError {
    /// Whether the disk, or a quota of it, is full.
    pub(crate) fn is_full(&self) -> bool {
        let error = match self {
            Self::IsDirectory(_) | Self::Parents(DirsError::IsFile(_)) => return false,
            Self::Parents(DirsError::Io(error)) => error,
            Self::Open(error) | Self::Owner(error) | Self::Write(error) => error,
        };
        matches!(Errno::from_io_error(error), Some(Errno::NOSPC | Errno::DQUOT))
    }
}

/// Where content comes down, should something be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Landing {
    /// Where links lead; the mode of what was there is kept.
    Through,
    /// In place of the name itself, as if nothing had been there.
    Over,
}

/// A file that is being received.
#[derive(Debug)]
pub(crate) struct Upload {
    tree: Arc<Tree>,
    owner: Owner,
    sink: Sink,
}

/// What an upload waits for before it can go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Waits {
    /// For nothing: all that was written has been taken.
    Done,
    /// For a process that opens the pipe for reading.
    Reader,
    /// For a process that reads what is in the pipe.
    Room,
}

impl Waits {
    /// The error of an upload that has waited for too long.
    pub(crate) fn given_up(self) -> UploadError {
        let late = |text| io::Error::new(io::ErrorKind::TimedOut, text);
        match self {
            Self::Reader => UploadError::Open(late("no reader came to the pipe")),
            Self::Room | Self::Done => UploadError::Write(late("nobody reads what is written")),
        }
    }
}

#[derive(Debug)]
enum Sink {
    /// Put in place whole, as a name of a directory; `meta` is the directory's, where it was looked at.
    Replace { spool: Spool, dir: Arc<OwnedFd>, meta: Option<Meta>, name: CString, mode: Option<u32> },
    /// Copied whole into a file that has other names or is mounted where it is.
    Refill { spool: Spool, file: File },
    /// A pipe or a device.
    Through(Through),
}

/// What is written through, which never blocks: what does not fit waits here.
#[derive(Debug)]
struct Through {
    /// Missing until a pipe has a reader.
    file: Option<File>,
    there: OwnedFd,
    pending: VecDeque<u8>,
}

/// Where content shall go, all links followed.
struct Target {
    dir: OwnedFd,
    name: CString,
    there: Option<There>,
}

/// What is there already. It is opened only by those who need that.
struct There {
    meta: Meta,
    fd: Option<OwnedFd>,
}

impl Upload {
    /// Starts to receive `path`; parents are made. Nothing here waits for a reader of a pipe: see [`Upload::advance`].
    ///
    /// # Errors
    /// When nothing can be written there; nothing but parents was made then.
    pub(crate) fn begin(
        tree: &Arc<Tree>,
        path: &str,
        owner: Owner,
        landing: Landing,
    ) -> Result<Self, UploadError> {
        let (parent, name, slash) = parts(path.as_bytes());
        if matches!(name, b"" | b"." | b"..") {
            return Err(UploadError::IsDirectory(path.to_owned()));
        }
        let dir = tree.make_dirs(parent, owner).map_err(UploadError::Parents)?;
        let target = tree.target(dir, path.as_bytes(), landing).map_err(UploadError::Open)?;
        let sink = match &target.there {
            Some(there) if there.meta.kind == FileType::Directory => {
                return Err(UploadError::IsDirectory(path.to_owned()));
            }
            _ if slash => return Err(UploadError::Open(Errno::ISDIR.into())),
            _ => tree.sink(target).map_err(UploadError::Open)?,
        };
        Ok(Self { tree: Arc::clone(tree), owner, sink })
    }

    /// Takes the next bytes.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<(), UploadError> {
        match &mut self.sink {
            Sink::Replace { spool, .. } | Sink::Refill { spool, .. } => spool.write(bytes),
            Sink::Through(through) => {
                through.pending.extend(bytes);
                Ok(())
            }
        }
        .map_err(UploadError::Write)
    }

    /// Whether it goes through a pipe or a device, which have to be waited for.
    pub(crate) fn is_through(&self) -> bool {
        matches!(self.sink, Sink::Through(_))
    }

    /// Hands on what a pipe or a device takes at once, and tells what the rest waits for. The number is of bytes taken.
    ///
    /// # Errors
    /// Those of the kernel, which is also asked for a reader that was not there before.
    pub(crate) fn advance(&mut self) -> Result<(Waits, usize), UploadError> {
        match &mut self.sink {
            Sink::Through(through) => through.advance(),
            Sink::Replace { .. } | Sink::Refill { .. } => Ok((Waits::Done, 0)),
        }
    }

    /// A descriptor that is writable once there is room.
    pub(crate) fn room(&self) -> Option<BorrowedFd<'_>> {
        match &self.sink {
            Sink::Through(through) => through.file.as_ref().map(|file| file.as_fd()),
            Sink::Replace { .. } | Sink::Refill { .. } => None,
        }
    }

    /// Puts what was received in place.
    pub(crate) fn finish(self) -> Result<(), UploadError> {
        match self.sink {
            Sink::Through(_) => Ok(()),
            Sink::Replace { spool, dir, meta, name, mode } => {
                self.tree.give_new(spool.file.as_fd(), self.owner).map_err(UploadError::Owner)?;
                place(&self.tree, spool, (&dir, meta), &name, mode).map_err(UploadError::Write)
            }
            Sink::Refill { spool, file } => {
                self.tree.give(file.as_fd(), self.owner).map_err(UploadError::Owner)?;
                refill(spool, &file).map_err(UploadError::Write)
            }
        }
    }
}

impl Tree {
    /// Where writing to `path` leads, also to what is not there yet; `dir` is its parent.
    fn target(&self, dir: OwnedFd, path: &[u8], landing: Landing) -> io::Result<Target> {
        let (mut path, mut parent_dir) = (path.to_vec(), Some(dir));
        for _ in 0..LINKS {
            let (parent, name, _) = parts(&path);
            if matches!(name, b"" | b"." | b"..") {
                path = self.canonical(&path)?;
                let there = self.locate(&path)?;
                let meta = meta_of(&there)?;
                return Ok(Target {
                    dir: self.open_dir(&path)?,
                    name: c".".into(),
                    there: Some(There { meta, fd: Some(there) }),
                });
            }
            let dir = parent_dir.take().map_or_else(|| self.open_dir(parent), Ok)?;
            let name = c_name(name)?;
            let meta = match meta_at(&dir, &name) {
                Err(Errno::NOENT) => return Ok(Target { dir, name, there: None }),
                other => other?,
            };
            if landing == Landing::Over && meta.kind != FileType::Directory {
                return Ok(Target { dir, name, there: None });
            }
            if meta.kind != FileType::Symlink {
                return Ok(Target { dir, name, there: Some(There { meta, fd: None }) });
            }
            let link = rustix::fs::readlinkat(&dir, name.as_c_str(), Vec::new())?.into_bytes();
            path = if link.starts_with(b"/") { link } else { [parent, &b"/"[..], &link].concat() };
        }
        Err(Errno::LOOP.into())
    }

    fn sink(&self, target: Target) -> io::Result<Sink> {
        let Target { dir, name, there } = target;
        let read_only = guard_writing(&dir)?;
        let dir = Arc::new(dir);
        let Some(There { meta, fd }) = there else {
            return Ok(Sink::Replace { spool: Spool::new(self, &dir)?, dir, meta: None, name, mode: None });
        };
        let meta_of_dir = meta_of(&dir)?;
        let plain = meta.kind == FileType::RegularFile && meta.links == 1 && meta.mount == meta_of_dir.mount;
        if !plain {
            let there =
                fd.map_or_else(|| open_child(dir.as_fd(), &name, LOOK).map_err(io::Error::from), Ok)?;
            return self.sink_beside(&dir, there);
        }
        if read_only {
            // Said before who may write, as to the guest's root.
            return Err(Errno::ROFS.into());
        }
        let mode = Some(meta.mode & 0o7777);
        Ok(Sink::Replace { spool: Spool::new(self, &dir)?, dir, meta: Some(meta_of_dir), name, mode })
    }

    /// For what is not replaced: it has other names, is mounted where it is, or is no file.
    fn sink_beside(&self, dir: &Arc<OwnedFd>, there: OwnedFd) -> io::Result<Sink> {
        let meta = meta_of(&there)?;
        let read_only = guard_writing(&there)?;
        if meta.kind != FileType::RegularFile {
            return Ok(Sink::Through(Through::new(there, &meta)?));
        }
        if read_only {
            // Said before who may write, as to the guest's root.
            return Err(Errno::ROFS.into());
        }
        let file = File::from(reopen(there.as_fd(), OFlags::WRONLY)?);
        Ok(Sink::Refill { spool: Spool::new(self, dir)?, file })
    }
}

fn place(
    tree: &Tree,
    spool: Spool,
    (dir, meta_of_dir): (&Arc<OwnedFd>, Option<Meta>),
    name: &CStr,
    kept: Option<u32>,
) -> io::Result<()> {
    rustix::fs::fchmod(&spool.file, mode(kept.unwrap_or(NEW_FILE)))?;
    if let Ok(replaced) = meta_at(dir, name) {
        match &meta_of_dir {
            Some(meta_of_dir) => guard_mount_of(meta_of_dir, &replaced)?,
            None => guard_mount(dir, &replaced)?,
        }
    }
    let holds = spool.len > 0;
    spool.place(tree, name, kept.is_some())?;
    if holds {
        tell_written(dir.as_fd(), name);
    }
    Ok(())
}

/// Copies what was collected over the content of `file`, after making sure that there is room for it.
fn refill(mut spool: Spool, file: &File) -> io::Result<()> {
    let (old, new) = (file.metadata()?.len(), spool.file.metadata()?.len());
    if new > old {
        match system::make_room(file.as_fd(), old, new - old) {
            Ok(()) | Err(Errno::OPNOTSUPP | Errno::NOSYS) => {}
            Err(error) => return Err(error.into()),
        }
    }
    spool.file.rewind()?;
    let mut file = file;
    let mut buffer = vec![0; COPY];
    loop {
        match spool.file.read(&mut buffer)? {
            0 => break,
            read => file.write_all(&buffer[..read])?,
        }
    }
    file.set_len(new)
}

impl Through {
    /// A device is opened at once, a pipe when it has a reader.
    fn new(there: OwnedFd, meta: &Meta) -> io::Result<Self> {
        let file = match meta.kind {
            FileType::Fifo => None,
            FileType::CharacterDevice | FileType::BlockDevice if meta.special != TERMINAL => {
                Some(reopen(there.as_fd(), OFlags::WRONLY)?.into())
            }
            _ => return Err(Errno::NXIO.into()),
        };
        Ok(Self { file, there, pending: VecDeque::new() })
    }

    fn advance(&mut self) -> Result<(Waits, usize), UploadError> {
        self.open().map_err(UploadError::Open)?;
        let Some(mut file) = self.file.as_ref() else { return Ok((Waits::Reader, 0)) };
        let mut taken = 0;
        while !self.pending.is_empty() {
            match file.write(self.pending.as_slices().0) {
                Ok(0) => return Err(UploadError::Write(io::ErrorKind::WriteZero.into())),
                Ok(written) => {
                    self.pending.drain(..written);
                    taken += written;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok((Waits::Room, taken)),
                Err(error) => return Err(UploadError::Write(error)),
            }
        }
        Ok((Waits::Done, taken))
    }

    /// Opens a pipe, which the kernel refuses with ENXIO for as long as it has no reader.
    fn open(&mut self) -> io::Result<()> {
        if self.file.is_none() {
            self.file = match reopen(self.there.as_fd(), OFlags::WRONLY) {
                Err(Errno::NXIO) => None,
                other => Some(other?.into()),
            };
        }
        Ok(())
    }
}
