//! The guest as a test sees it: seed a file, look at one, see what runs. Goes around the wire, not around the
//! guest's walls.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use crate::guest::preload::{BadClaim, Claim, State as PreloadState};
use crate::guest::tree::{Owner, RemoveError};
use crate::guest::{Guest, Programs};

const LARGEST_READ: usize = 1 << 30;

/// A guest behind the wire; cheap to clone.
#[derive(Debug, Clone)]
pub struct GuestHandle {
    guest: Arc<Guest>,
}

/// A process that was started over the wire and has not ended.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct ProcessSummary {
    /// Its number, as it sees it itself.
    pub pid: u32,
    /// The program.
    pub cmd: String,
    /// Its arguments, without the program.
    pub args: Vec<String>,
    /// The directory that it was started in, a path of the guest.
    pub cwd: String,
    /// The name that its starter gave it.
    pub tag: Option<String>,
    /// The name of the program that stands in for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub program: Option<String>,
}

impl GuestHandle {
    pub(crate) fn new(guest: Arc<Guest>) -> Self {
        Self { guest }
    }

    /// Writes a file as the guest's root would; what is missing of the directories above it is made.
    ///
    /// # Errors
    /// What the kernel said.
    pub fn write_file(&self, path: &str, content: impl AsRef<[u8]>) -> io::Result<()> {
        self.guest.wait()?.tree.write_file(absolute(path)?, content.as_ref(), Owner::ROOT)
    }

    /// Reads a whole file of at most 1 GiB as the guest's root would; links are followed within the guest.
    ///
    /// # Errors
    /// What the kernel said; `FileTooLarge`.
    pub fn read_file(&self, path: &str) -> io::Result<Vec<u8>> {
        self.guest.wait()?.tree.read_file(absolute(path)?, LARGEST_READ)
    }

    /// Removes what is at `path`, with all that is below it.
    ///
    /// # Errors
    /// What the kernel said.
    pub fn remove(&self, path: &str) -> io::Result<()> {
        self.guest.wait()?.tree.remove(absolute(path)?).map_err(|error| match error {
            RemoveError::Missing(error) | RemoveError::Directory(error) | RemoveError::File(error) => error,
        })
    }

    /// Whether there is anything at `path`; a link that leads nowhere counts.
    pub fn exists(&self, path: &str) -> bool {
        self.guest.wait().is_ok_and(|stand| stand.tree.stat(path).is_ok())
    }

    /// The processes that were started over the wire and have not ended, in the order of their pids.
    pub fn processes(&self) -> Vec<ProcessSummary> {
        let summary = |process: &Arc<crate::guest::process::Process>| ProcessSummary {
            pid: process.pid,
            cmd: process.spec.cmd.clone(),
            args: process.spec.args.clone(),
            cwd: process.spec.cwd.clone(),
            tag: process.spec.tag.clone(),
            program: process.program().map(str::to_owned),
        };
        self.guest
            .wait()
            .map(|stand| stand.processes.list().iter().map(summary).collect())
            .unwrap_or_default()
    }

    /// Steps the clock that the guest shows, as `/init` does; what lies before 1970 is 1970.
    pub fn set_clock(&self, time: SystemTime) {
        self.guest.clock.step_to(time.max(SystemTime::UNIX_EPOCH));
    }

    /// Says from now on that the memory preload is in this state, until the next life cycle.
    ///
    /// # Errors
    /// [`BadClaim`]: the state cannot have what is said of it.
    pub fn set_preload(
        &self,
        state: PreloadState,
        pages: Option<u64>,
        error: Option<String>,
    ) -> Result<(), BadClaim> {
        self.guest.preload.claim(Claim { state, pages, error })
    }

    /// What stands in for commands; it may be replaced at any time.
    pub fn programs(&self) -> &Programs {
        self.guest.programs()
    }

    /// Where the guest's root lies on the host; `/` when the guest is the machine itself. A tree with a disk of its
    /// own is empty when seen from there.
    pub fn root(&self) -> &Path {
        self.guest.root_path()
    }
}

fn absolute(path: &str) -> io::Result<&str> {
    let refused =
        || io::Error::new(io::ErrorKind::InvalidInput, format!("expected an absolute path, got {path:?}"));
    if path.starts_with('/') { Ok(path) } else { Err(refused()) }
}
