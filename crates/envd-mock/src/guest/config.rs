//! What a guest is made from. Data only.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use super::habits::Habits;
use super::preload::PreloadConfig;
use super::program::Program;
use crate::time::Time;

/// Where the guest's file tree lies.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum RootSpec {
    /// A fresh directory on disk, removed at the end.
    #[default]
    Fresh,
    /// A directory that is used in place and never removed; what a guest needs and it lacks is added, and taken away
    /// again at the end. No owner changes. Homes and directories of the system are refused; see `docs/security.md`.
    Dir(PathBuf),
    /// The machine as it is, without namespaces: for use inside a container.
    Machine,
}

/// What becomes of a process's output while no client reads it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum UnreadOutput {
    /// It is discarded, as real builds do; beyond 256 MiB at 64 MiB a second for all processes of the guest together.
    #[default]
    Discard,
    /// The process waits for a reader once its pipe or terminal is full; its end is not reported before it had one.
    Pause,
}

impl FromStr for UnreadOutput {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "discard" => Ok(Self::Discard),
            "pause" => Ok(Self::Pause),
            _ => Err(format!("expected discard or pause, got {text:?}")),
        }
    }
}

/// What of the network the guest's commands reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Network {
    /// What the mock itself reaches: the network and all services on the host's loopback.
    #[default]
    Host,
    /// A loopback of their own and nothing else.
    None,
}

impl FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "host" => Ok(Self::Host),
            "none" => Ok(Self::None),
            _ => Err(format!("expected host or none, got {text:?}")),
        }
    }
}

/// Everything that decides how a guest is built and behaves.
#[derive(Debug, Clone)]
pub struct GuestConfig {
    /// Where the file tree lies.
    pub root: RootSpec,
    /// Puts a fresh tree on a tmpfs of so many bytes.
    pub disk: Option<u64>,
    /// A directory of the host whose content is copied over a fresh tree's root.
    pub files: Option<PathBuf>,
    /// Leaves a fresh tree behind at the end.
    pub keep: bool,
    /// More of the host to show read-only: host path, guest path.
    pub binds: Vec<(PathBuf, PathBuf)>,
    /// How long a reader of output may take nothing before it loses its stream.
    pub stall_limit: Duration,
    /// How many processes and threads run in the guest at a time; `None` is 1024, or no limit where the guest is the machine
    /// as it is.
    pub max_processes: Option<u32>,
    /// How many bytes of private memory each process has; `None` is no limit.
    pub max_memory: Option<u64>,
    /// What of the network the guest's commands reach.
    pub network: Network,
    /// What becomes of output that no client reads.
    pub unread_output: UnreadOutput,
    /// The largest upload in bytes; `None` leaves it to the disk.
    pub max_upload: Option<u64>,
    /// What a memory preload does.
    pub preload: PreloadConfig,
    /// What stands in for commands, the first that matches.
    pub programs: Vec<Program>,
    /// Runs nothing real and builds no walls: what no program stands in for is not found.
    pub programs_only: bool,
    /// The serials of the block devices that there are, for volumes.
    pub volumes: Vec<String>,
    /// Where the machine's `proc` and `sys` are read for metrics and activity.
    pub machine: PathBuf,
    /// What delays and limits run on.
    pub(crate) time: Time,
    pub(crate) habits: Habits,
}

impl Default for GuestConfig {
    fn default() -> Self {
        Self {
            root: RootSpec::Fresh,
            disk: None,
            files: None,
            keep: false,
            binds: Vec::new(),
            stall_limit: Duration::from_secs(30),
            max_processes: None,
            max_memory: None,
            network: Network::Host,
            unread_output: UnreadOutput::Discard,
            max_upload: None,
            preload: PreloadConfig::default(),
            programs: Vec::new(),
            programs_only: false,
            volumes: Vec::new(),
            machine: PathBuf::from("/"),
            time: Time::default(),
            habits: Habits::default(),
        }
    }
}
