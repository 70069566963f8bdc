//! `envd-mock` and `envd-mock serve`: the flags of a guest, or of a recording in its place.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::command::Failed;
use super::common::Common;
use super::replay;
use super::up::Up;
use crate::builder::Builder;
use crate::defect::Defect;
use crate::generation::Generation;
use crate::guest::{Network, RootSpec, UnreadOutput};
use crate::mock::MockEnvd;
use crate::playback::Playback;
use crate::replay::PastRun;
use crate::traffic::ReplayPace;
use crate::units;

/// What only a guest can be told, by name: the fields of [`GuestArgs`].
const OF_GUEST: [&str; 20] = [
    "root",
    "generation",
    "defect",
    "as_built",
    "volume",
    "files",
    "keep",
    "bind",
    "disk",
    "programs_only",
    "stall_limit",
    "max_processes",
    "max_memory",
    "network",
    "unread_output",
    "max_upload",
    "guest_version",
    "preload_size",
    "preload_duration",
    "preload_failure",
];

/// What a mock can be told.
#[derive(Debug, Args)]
pub struct ServeArgs {
    #[command(flatten)]
    pub(super) common: Common,
    #[command(flatten)]
    guest: GuestArgs,
    /// Answer from this recording (`--record`), without any guest
    #[arg(long, value_name = "FILE", conflicts_with_all = OF_GUEST)]
    replay_traffic: Option<PathBuf>,
    /// How fast a recording is played: as recorded, at-once, or so many times as fast
    #[arg(long, value_name = "PACE", default_value = "recorded", requires = "replay_traffic")]
    replay_pace: ReplayPace,
}

/// What a guest can be told.
#[derive(Debug, Args)]
struct GuestArgs {
    /// Use this directory as the guest's root, in place, and never delete it; "/" is the machine as it is, for use
    /// inside a container
    #[arg(long, value_name = "DIR")]
    root: Option<PathBuf>,
    /// The wire generation to play
    #[arg(long, value_name = "N", default_value_t)]
    generation: Generation,
    /// Have a known defect of real builds; `envd-mock defects` lists them
    #[arg(long, value_name = "NAME")]
    defect: Vec<Defect>,
    /// Have all known defects of the builds of this generation
    #[arg(long)]
    as_built: bool,
    /// Attach a block device that can be mounted as a volume, by its serial number
    #[arg(long, value_name = "SERIAL", value_parser = serial)]
    volume: Vec<String>,
    /// Copy the content of this directory into the fresh tree
    #[arg(long, value_name = "DIR", conflicts_with = "root")]
    files: Option<PathBuf>,
    /// Leave the fresh tree behind at the end
    #[arg(long)]
    keep: bool,
    /// Show a path of the host read-only in the guest, at the same place or at GUEST
    #[arg(long, value_name = "HOST[:GUEST]", value_parser = bind)]
    bind: Vec<(PathBuf, PathBuf)>,
    /// Put the fresh tree on a disk of this size, such as 64MiB
    #[arg(long, value_name = "SIZE", value_parser = units::size, conflicts_with = "root")]
    disk: Option<u64>,
    /// Run nothing real and build no walls: what no program of a script stands in for is not found
    #[arg(long, conflicts_with_all = ["disk", "bind"])]
    programs_only: bool,
    /// How long a connected reader of output may take nothing before it loses its stream
    #[arg(long, value_name = "DURATION", value_parser = units::duration, default_value = "30s")]
    stall_limit: Duration,
    /// How many processes and threads run in the guest at a time; 1024 by default, no limit with --root /
    #[arg(long, value_name = "N")]
    max_processes: Option<u32>,
    /// How much private memory each process of the guest may have
    #[arg(long, value_name = "SIZE", value_parser = units::size)]
    max_memory: Option<u64>,
    /// What the guest's commands reach: host, or none but a loopback of their own
    #[arg(long, value_name = "WHAT", default_value = "host")]
    network: Network,
    /// What becomes of output that no client reads: discard it, or pause the process
    #[arg(long, value_name = "POLICY", default_value = "discard")]
    unread_output: UnreadOutput,
    /// Refuse larger uploads; only the disk limits them by default
    #[arg(long, value_name = "SIZE", value_parser = units::size)]
    max_upload: Option<u64>,
    /// The version that /health reports
    #[arg(long, value_name = "TEXT")]
    guest_version: Option<String>,
    /// How much memory a preload goes through
    #[arg(long, value_name = "SIZE", value_parser = units::size, default_value = "256MiB")]
    preload_size: u64,
    /// How long a preload runs
    #[arg(long, value_name = "DURATION", value_parser = units::duration, default_value = "300ms")]
    preload_duration: Duration,
    /// Make every preload fail with this text at the end of its time
    #[arg(long, value_name = "TEXT")]
    preload_failure: Option<String>,
}

impl ServeArgs {
    pub(super) async fn start(self) -> Result<Up, Failed> {
        self.start_with(None).await
    }

    /// With the decisions of a run that is over.
    pub(super) async fn start_with(self, past: Option<PastRun>) -> Result<Up, Failed> {
        if let Some(file) = self.replay_traffic {
            let builder = replay::tell(self.common.tell(Playback::of(file))?, past);
            return Ok(Up::Playback(builder.pace(self.replay_pace).start().await?));
        }
        let builder = replay::tell(self.common.tell(self.guest.builder())?, past);
        Ok(Up::Mock(builder.start().await?))
    }
}

impl GuestArgs {
    fn builder(self) -> Builder {
        let root = self.root.map_or(RootSpec::Fresh, |dir| match dir.to_str() {
            Some("/") => RootSpec::Machine,
            _ => RootSpec::Dir(dir),
        });
        let mut builder = MockEnvd::builder()
            .generation(self.generation)
            .as_built(self.as_built)
            .root(root)
            .keep(self.keep)
            .programs_only(self.programs_only)
            .stall_limit(self.stall_limit)
            .network(self.network)
            .unread_output(self.unread_output)
            .preload_size(self.preload_size)
            .preload_duration(self.preload_duration);
        builder = self.bind.into_iter().fold(builder, |builder, (host, guest)| builder.bind(host, guest));
        builder = self.defect.into_iter().fold(builder, Builder::defect);
        builder = self.volume.into_iter().fold(builder, Builder::volume);
        builder = apply(builder, self.files, Builder::files);
        builder = apply(builder, self.disk, Builder::disk);
        builder = apply(builder, self.max_processes, Builder::max_processes);
        builder = apply(builder, self.max_memory, Builder::max_memory);
        builder = apply(builder, self.max_upload, Builder::max_upload);
        builder = apply(builder, self.guest_version, Builder::guest_version);
        apply(builder, self.preload_failure, Builder::preload_failure)
    }
}

fn apply<T>(builder: Builder, value: Option<T>, set: impl FnOnce(Builder, T) -> Builder) -> Builder {
    match value {
        Some(value) => set(builder, value),
        None => builder,
    }
}

fn serial(text: &str) -> Result<String, String> {
    let plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if plain { Ok(text.to_owned()) } else { Err(format!("expected ASCII letters and digits, got {text:?}")) }
}

pub(super) fn bind(text: &str) -> Result<(PathBuf, PathBuf), String> {
    let (host, guest) = text.split_once(':').unwrap_or((text, text));
    if host.starts_with('/') && guest.starts_with('/') {
        Ok((host.into(), guest.into()))
    } else {
        Err(format!("expected absolute paths as HOST or HOST:GUEST, got {text:?}"))
    }
}
