//! `--ready-file`: a file that appears whole when the mock is ready, holds the ready line, and is removed when the mock
//! stops. The mock keeps it locked, so that one that a killed mock left behind is known for what it is.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::FlockOperation;

use super::command::Stop;

/// How each ready line begins.
pub(crate) const READY: &str = "envd-mock ready ";
/// No ready line is longer, in bytes.
const LONGEST: u64 = 64 * 1024;

/// The file of one run; dropped, it is gone.
#[derive(Debug)]
pub struct ReadyFile {
    path: PathBuf,
    /// Where it lies until it is ready, and the file itself.
    hidden: PathBuf,
    file: File,
    published: bool,
}

impl ReadyFile {
    /// Removes what an earlier run left at `path`, and makes sure that a file can be put there.
    ///
    /// # Errors
    /// [`Stop::Refused`]: nothing can be written there, or what is there is no ready file, or is that of a mock that runs.
    pub fn prepare(path: &Path) -> Result<Self, Stop> {
        let refused = |error: io::Error| {
            Stop::Refused(format!("cannot write the ready file {}: {error}", path.display()))
        };
        remove_stale(path).map_err(refused)?;
        let name = path.file_name().ok_or_else(|| refused(io::ErrorKind::InvalidFilename.into()))?;
        let hidden = path.with_file_name(format!(".{}.{}", name.to_string_lossy(), std::process::id()));
        let file = OpenOptions::new().write(true).create(true).truncate(true).open(&hidden);
        let file = file.and_then(|file| {
            rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive)?;
            Ok(file)
        });
        Ok(Self { path: path.to_owned(), hidden, file: file.map_err(refused)?, published: false })
    }

    /// Lets the file appear, with this line.
    ///
    /// # Errors
    /// What the system said, with the file's name.
    pub fn publish(&mut self, line: &str) -> Result<(), String> {
        let written = writeln!(self.file, "{line}").and_then(|()| std::fs::rename(&self.hidden, &self.path));
        self.published = written.is_ok();
        written.map_err(|error| format!("cannot write the ready file {}: {error}", self.path.display()))
    }
}

impl Drop for ReadyFile {
    fn drop(&mut self) {
        let path = if self.published { &self.path } else { &self.hidden };
        let same = |there: std::fs::Metadata, own: std::fs::Metadata| {
            (there.dev(), there.ino()) == (own.dev(), own.ino())
        };
        let (there, own) = (std::fs::symlink_metadata(path), self.file.metadata());
        // Whatever else has that name by now is not this run's.
        if let (Ok(there), Ok(own)) = (there, own)
            && same(there, own)
        {
            let _ = std::fs::remove_file(path);
        }
    }
}

fn remove_stale(path: &Path) -> io::Result<()> {
    match std::fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
        Ok(there) if !there.is_file() => return Err(io::Error::other("what is there is not a file")),
        Ok(_) => {}
    }
    let mut text = String::new();
    let file = File::open(path)?;
    let foreign = || io::Error::other("what is there is not a ready file; remove it");
    (&file).take(LONGEST).read_to_string(&mut text).map_err(|_| foreign())?;
    if !text.is_empty() && !text.starts_with(READY) {
        return Err(foreign());
    }
    if is_locked(&file)? {
        return Err(io::Error::other("a mock that is running has it"));
    }
    std::fs::remove_file(path)
}

/// The ready line in `path`, if the mock that wrote it still runs.
///
/// # Errors
/// Why there is none.
pub(crate) fn read(path: &Path) -> Result<String, String> {
    let said = |error: io::Error| format!("{}: {error}", path.display());
    let file = File::open(path).map_err(said)?;
    let mut text = String::new();
    (&file).take(LONGEST).read_to_string(&mut text).map_err(said)?;
    match text.strip_suffix('\n').filter(|line| line.starts_with(READY)) {
        None => Err(format!("{}: expected a line that starts with {READY:?}", path.display())),
        Some(_) if !is_locked(&file).map_err(said)? => {
            Err(format!("{}: left behind by a mock that does not run any more", path.display()))
        }
        Some(line) => Ok(line.to_owned()),
    }
}

/// Whether a mock that runs has it.
fn is_locked(file: &File) -> io::Result<bool> {
    match rustix::fs::flock(file, FlockOperation::NonBlockingLockShared) {
        Ok(()) => Ok(false),
        Err(rustix::io::Errno::WOULDBLOCK) => Ok(true),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = "envd-mock ready url=http://127.0.0.1:1";

    #[test]
    fn it_is_there_from_ready_to_the_end() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ready");
        let mut ready = ReadyFile::prepare(&path).unwrap();
        assert!(read(&path).is_err() && !path.exists());
        ready.publish(LINE).unwrap();
        assert_eq!(read(&path).as_deref(), Ok(LINE));
        drop(ready);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn one_of_an_earlier_run_is_not_taken_for_ready_and_is_removed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ready");
        std::fs::write(&path, format!("{LINE}\n")).unwrap();
        assert!(read(&path).unwrap_err().ends_with("left behind by a mock that does not run any more"));
        let ready = ReadyFile::prepare(&path).unwrap();
        assert!(!path.exists());
        drop(ready);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn what_is_not_this_runs_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ready");
        let mut first = ReadyFile::prepare(&path).unwrap();
        first.publish(LINE).unwrap();
        let Err(Stop::Refused(text)) = ReadyFile::prepare(&path) else { panic!("two runs have one file") };
        assert!(text.ends_with("a mock that is running has it"), "{text}");
        std::fs::remove_file(&path).unwrap();
        std::fs::write(&path, "notes").unwrap();
        assert!(ReadyFile::prepare(&path).is_err());
        drop(first);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "notes");
        assert!(ReadyFile::prepare(dir.path()).is_err());
        assert!(ReadyFile::prepare(&dir.path().join("none/ready")).is_err());
    }
}
