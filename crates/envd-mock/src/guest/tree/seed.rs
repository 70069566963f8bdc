//! What tests and hosts of the mock do to a tree directly: put files, links and owners in it. Same walls, no wire.

use std::io;
use std::os::fd::AsFd as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::dirs::DirsError;
use super::os::system;
use super::owners::Owner;
use super::root::{Tree, guard, parts};
use super::upload::{Landing, Upload, UploadError, Waits};

/// How long a pipe may have no reader, or one that reads nothing. The host's clock: whoever calls blocks.
const PATIENCE: Duration = Duration::from_secs(10);
const TICK: Duration = Duration::from_millis(2);

impl Tree {
    /// Writes a file whole, making the parents that it lacks.
    ///
    /// # Errors
    /// Those of the kernel.
    pub(crate) fn write_file(self: &Arc<Self>, path: &str, content: &[u8], owner: Owner) -> io::Result<()> {
        let mut upload = Upload::begin(self, path, owner, Landing::Through).map_err(upload_error)?;
        upload.write(content).map_err(upload_error)?;
        let mut deadline = Instant::now() + PATIENCE;
        loop {
            match upload.advance().map_err(upload_error)? {
                (Waits::Done, _) => break,
                (_, 1..) => deadline = Instant::now() + PATIENCE,
                (waits, 0) if Instant::now() >= deadline => return Err(upload_error(waits.given_up())),
                #[expect(clippy::disallowed_methods, reason = "a blocking call, with a deadline")]
                (_, 0) => std::thread::sleep(TICK),
            }
        }
        upload.finish().map_err(upload_error)
    }

    /// Makes a directory and the parents that it lacks; one that is there stays as it is.
    ///
    /// # Errors
    /// Those of the kernel.
    pub(crate) fn ensure_dir(&self, path: &str, owner: Owner) -> io::Result<()> {
        self.make_dirs(path.as_bytes(), owner).map(drop).map_err(dirs_error)
    }

    /// Makes a link at `path` that holds the text `target`.
    ///
    /// # Errors
    /// Those of the kernel; EEXIST when the name is taken.
    pub(crate) fn symlink(&self, target: &str, path: &str, owner: Owner) -> io::Result<()> {
        let (parent, _, _) = parts(path.as_bytes());
        self.make_dirs(parent, owner).map_err(dirs_error)?;
        let at = self.split(path.as_bytes())?;
        guard(&at.dir)?;
        self.making(|| rustix::fs::symlinkat(target, &at.dir, at.name.as_c_str()))?;
        self.give(self.locate(path.as_bytes())?.as_fd(), owner)
    }

    /// Gives the file or directory that `path` leads to the permission bits `mode`.
    ///
    /// # Errors
    /// Those of the kernel.
    pub(crate) fn set_mode(&self, path: &str, mode: u32) -> io::Result<()> {
        let fd = self.locate_target(path.as_bytes())?;
        guard(&fd)?;
        Ok(system::chmod(fd.as_fd(), mode)?)
    }

    /// Gives what `path` is, a link itself, to a user and group of the guest, in the record where that cannot be real.
    ///
    /// # Errors
    /// Those of the kernel.
    pub(crate) fn set_owner(&self, path: &str, uid: u32, gid: u32) -> io::Result<()> {
        let fd = self.locate(path.as_bytes())?;
        guard(&fd)?;
        self.give(fd.as_fd(), Owner { uid, gid })
    }
}

fn upload_error(error: UploadError) -> io::Error {
    match error {
        UploadError::Open(error) | UploadError::Owner(error) | UploadError::Write(error) => error,
        UploadError::Parents(error) => dirs_error(error),
        UploadError::IsDirectory(_) => rustix::io::Errno::ISDIR.into(),
    }
}

fn dirs_error(error: DirsError) -> io::Error {
    match error {
        DirsError::IsFile(_) => rustix::io::Errno::NOTDIR.into(),
        DirsError::Io(error) => error,
    }
}
