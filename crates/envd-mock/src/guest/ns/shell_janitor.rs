//! The janitor where the mock cannot be forked: a shell that outlives the mock and removes the directory of a guest
//! when its input ends, which is when the mock does.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};

const SCRIPT: &str = r#"while read -r _; do :; done; chmod -R u+rwx "$0" 2>/dev/null; exec rm -rf -- "$0""#;

/// Watches over a directory that must not outlive the mock; dropping it ends the watch.
#[derive(Debug)]
pub(crate) struct Janitor(Child);

impl Janitor {
    /// Starts to watch over `dir`, in which nothing real runs.
    ///
    /// # Errors
    /// When the process cannot be started.
    pub(crate) fn new(dir: &Path, _mark: &OwnedFd, _holder: Option<i32>) -> io::Result<Self> {
        let mut shell = Command::new("/bin/sh");
        shell.arg("-c").arg(SCRIPT).arg(dir).current_dir("/").process_group(0);
        // Signals of the terminal are for the mock.
        shell.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        shell.spawn().map(Self)
    }
}

impl Drop for Janitor {
    fn drop(&mut self) {
        // Fails only when it has ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held() -> OwnedFd {
        tempfile::tempfile().unwrap().into()
    }

    #[test]
    fn the_directory_goes_when_the_mock_does() {
        let dir = tempfile::tempdir().unwrap();
        let guest = dir.path().join("a guest's");
        std::fs::create_dir_all(guest.join("a/b")).unwrap();
        let mut janitor = Janitor::new(&guest, &held(), None).unwrap();
        drop(janitor.0.stdin.take());
        assert!(janitor.0.wait().unwrap().success());
        assert!(!guest.exists());
    }

    #[test]
    fn the_directory_stays_when_the_watch_ends() {
        let dir = tempfile::tempdir().unwrap();
        drop(Janitor::new(dir.path(), &held(), None).unwrap());
        assert!(dir.path().exists());
    }
}
