//! The command under test: started on free ports, killed when dropped.

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};

use envd_client::Client;

/// A running `envd-mock`.
pub(crate) struct Binary {
    child: Child,
    line: String,
}

impl Binary {
    /// Starts it with free ports and these words, of which the first may be a subcommand; waits for its ready line.
    pub(crate) fn start(words: &[&str]) -> Self {
        Self::start_as(words, |_| {})
    }

    /// As [`Binary::start`], with changes to how it is started.
    pub(crate) fn start_as(words: &[&str], change: impl FnOnce(&mut Command)) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_envd-mock"));
        command.args(words).args(["--listen", "127.0.0.1:0"]).stdin(Stdio::piped()).stdout(Stdio::piped());
        change(&mut command);
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert!(line.starts_with("envd-mock ready "), "{line:?}");
        Self { child, line }
    }

    /// A field of the ready line.
    pub(crate) fn field(&self, key: &str) -> &str {
        self.line.split_whitespace().find_map(|word| word.strip_prefix(key)?.strip_prefix('=')).unwrap()
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn root(&self) -> PathBuf {
        self.field("root").into()
    }

    pub(crate) fn signal(&self, signal: &str) {
        assert!(
            Command::new("kill").args(["-s", signal, &self.pid().to_string()]).status().unwrap().success()
        );
    }

    pub(crate) fn close_stdin(&mut self) {
        drop(self.child.stdin.take());
    }

    pub(crate) fn wait(&mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }
}

impl Drop for Binary {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A client of a running mock.
pub(crate) fn client(mock: &Binary) -> Client {
    Client::builder().base_url(mock.field("url")).build().unwrap()
}
