//! What a mock, a proxy or a playback can be told before it starts. Collects only; starting is `served`'s.

use std::marker::PhantomData;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use crate::connection::DEFAULT_CONNECTIONS;
use crate::control::ControlToken;
use crate::defect::Defect;
use crate::fault::{CallRule, ConnectionRule, Script};
use crate::generation::Generation;
use crate::guest::{GuestConfig, Network, Program, RootSpec, UnreadOutput};
use crate::incident::{self, UnknownIncident};
use crate::journal::BadJournal;
use crate::live::Setup;
use crate::mock::MockEnvd;
use crate::replay::PastRun;
use crate::routes::origin::Origin;
use crate::server::{Behind, Config, StartError};
use crate::strict::Strictness;
use crate::time::{Pace, Time};

/// Describes a mock, or a [`Proxy`](crate::Proxy) or a [`Playback`](crate::Playback); `start` makes it.
#[derive(Debug)]
#[must_use = "a builder does nothing until it is started"]
pub struct Builder<Of = MockEnvd> {
    pub(crate) config: Config,
    of: PhantomData<fn() -> Of>,
}

impl<Of> Builder<Of> {
    /// A port of any number, answered by whom `behind` says.
    pub(crate) fn before(behind: Behind) -> Self {
        let any_port = SocketAddr::from(([127, 0, 0, 1], 0));
        Self {
            config: Config {
                listen: any_port,
                control: any_port,
                control_token: None,
                allow_remote: false,
                max_connections: DEFAULT_CONNECTIONS,
                origins: Vec::new(),
                generation: Generation::default(),
                defects: Vec::new(),
                as_built: false,
                version: None,
                guest: GuestConfig::default(),
                behind,
                record: None,
                setup: Setup::default(),
            },
            of: PhantomData,
        }
    }
    /// The address to serve envd on; port 0, the default, takes any free one.
    pub fn listen(mut self, address: SocketAddr) -> Self {
        self.config.listen = address;
        self
    }

    /// How many connections there may be at once on each port, 8192 by default and fewer where the process may not have as
    /// many descriptors. When one more comes, the one that has been idle for longest is closed; one with a call in
    /// flight never is.
    pub fn max_connections(mut self, most: usize) -> Self {
        self.config.max_connections = most;
        self
    }

    /// The address to serve the control port on; any free loopback port by default.
    pub fn control(mut self, address: SocketAddr) -> Self {
        self.config.control = address;
        self
    }

    /// Demands `Authorization: Bearer TOKEN` of every request on the control port.
    pub fn control_token(self, token: impl Into<String>) -> Self {
        self.guarded_by(ControlToken::new(token))
    }

    pub(crate) fn guarded_by(mut self, token: ControlToken) -> Self {
        self.config.control_token = Some(token);
        self
    }

    /// Permits addresses that are not loopback: whoever reaches them can run commands in the guest.
    pub fn allow_remote(mut self, allow: bool) -> Self {
        self.config.allow_remote = allow;
        self
    }

    /// Admits one more Host or Origin than the loopback ones.
    pub fn allow_origin(mut self, origin: Origin) -> Self {
        self.config.origins.push(origin);
        self
    }

    /// What goes wrong, in place of what was said before.
    pub fn script(mut self, script: Script) -> Self {
        self.config.setup.script = script;
        self
    }

    /// What draws are made from.
    pub fn seed(mut self, seed: u64) -> Self {
        self.config.setup.script = std::mem::take(&mut self.config.setup.script).with_seed(seed);
        self
    }

    /// One more thing that goes wrong with calls.
    pub fn fault(mut self, rule: CallRule) -> Self {
        self.config.setup.script.calls.push(rule);
        self
    }

    /// One more thing that goes wrong with connections.
    pub fn connection_fault(mut self, rule: ConnectionRule) -> Self {
        self.config.setup.script.connections.push(rule);
        self
    }

    /// Permits rules that can never act, such as one of an operation that the generation does not have: they are warned
    /// of instead. In front of an upstream they always are.
    pub fn allow_dead_rules(mut self, allow: bool) -> Self {
        self.config.setup.allow_dead_rules = allow;
        self
    }

    /// The generation in which rules must be able to act; `None` where somebody else answers.
    pub(crate) fn alive_in(&self) -> Option<u8> {
        let judged = matches!(self.config.behind, Behind::Guest) && !self.config.setup.allow_dead_rules;
        judged.then(|| self.config.generation.number())
    }

    /// Hears the request header `X-Envd-Fault`, by which a client asks for a fault of that call.
    pub fn faults_from_header(mut self, hear: bool) -> Self {
        self.config.setup.from_header = hear;
        self
    }

    /// How the mock's clock goes: delays, limits and timestamps are on it.
    pub fn clock(mut self, pace: Pace) -> Self {
        self.config.guest.time = Time::new(pace);
        self
    }

    /// The most bytes that the journal takes; 64 MiB by default.
    pub fn journal_limit(mut self, bytes: u64) -> Self {
        self.config.setup.journal_limit = Some(bytes);
        self
    }

    /// How many of the first bytes of each body the journal keeps; none by default.
    pub fn journal_bodies(mut self, bytes: usize) -> Self {
        self.config.setup.keep_bodies = bytes;
        self
    }

    /// What a run is judged by, at its end: see [`MockEnvd::finish`]. What is strict and dropped with something to complain about
    /// panics, unless the thread does so already.
    pub fn strict(mut self, strictness: impl Into<Strictness>) -> Self {
        self.config.setup.strictness = strictness.into();
        self
    }

    /// Makes the decisions of an exported journal again, the nth call of an operation getting what the nth had, before
    /// any rule of the script is asked; `file` is what errors call the text.
    ///
    /// # Errors
    /// The first line that cannot be used.
    pub fn replay(self, file: &str, journal: &str) -> Result<Self, BadJournal> {
        self.replay_from(file, journal.as_bytes())
    }

    /// As [`Builder::replay`], with a journal that is read line by line.
    ///
    /// # Errors
    /// As [`Builder::replay`]; an error of the reader is one of its line.
    pub fn replay_from(self, file: &str, journal: impl std::io::BufRead) -> Result<Self, BadJournal> {
        Ok(self.past(PastRun::read(file, journal)?))
    }

    /// Makes the decisions of this run again.
    pub(crate) fn past(mut self, past: PastRun) -> Self {
        let script = &mut self.config.setup.script;
        script.connections.extend(past.script.connections.iter().cloned());
        if script.seed == 0 {
            self = self.seed(past.script.seed);
        }
        self.config.setup.past = Some(past);
        self
    }

    /// Writes all traffic to this file, each call as its answerer saw it (docs/traffic.md).
    pub fn record(mut self, file: impl Into<PathBuf>) -> Self {
        self.config.record = Some(file.into());
        self
    }
}

impl Default for Builder {
    fn default() -> Self {
        Self::before(Behind::Guest)
    }
}

impl Builder {
    /// The wire generation to play.
    pub fn generation(mut self, generation: Generation) -> Self {
        self.config.generation = generation;
        self
    }

    /// Gives the guest a known defect of real builds.
    pub fn defect(mut self, defect: Defect) -> Self {
        self.config.defects.push(defect);
        self
    }

    /// Gives the guest all the defects that the builds of its generation have.
    pub fn as_built(mut self, as_built: bool) -> Self {
        self.config.as_built = as_built;
        self
    }

    /// Attaches one more block device, which may be mounted as a volume by its serial number.
    pub fn volume(mut self, serial: impl Into<String>) -> Self {
        self.config.guest.volumes.push(serial.into());
        self
    }

    /// Where `proc` and `sys` of the machine are read for `/metrics` and `/activity`; "/" by default.
    pub fn machine(mut self, directory: impl Into<PathBuf>) -> Self {
        self.config.guest.machine = directory.into();
        self
    }

    /// The version that `/health` reports.
    pub fn guest_version(mut self, version: impl Into<String>) -> Self {
        self.config.version = Some(version.into());
        self
    }

    /// Where the guest's file tree lies; a fresh one by default.
    pub fn root(mut self, root: RootSpec) -> Self {
        self.config.guest.root = root;
        self
    }

    /// Copies the content of this directory of the host over the root of a fresh tree.
    pub fn files(mut self, directory: impl Into<PathBuf>) -> Self {
        self.config.guest.files = Some(directory.into());
        self
    }

    /// Leaves a fresh tree behind at the end.
    pub fn keep(mut self, keep: bool) -> Self {
        self.config.guest.keep = keep;
        self
    }

    /// Shows `host` of the host read-only at `guest` in the guest.
    pub fn bind(mut self, host: impl Into<PathBuf>, guest: impl Into<PathBuf>) -> Self {
        self.config.guest.binds.push((host.into(), guest.into()));
        self
    }

    /// Puts a fresh tree on a disk of so many bytes.
    pub fn disk(mut self, bytes: u64) -> Self {
        self.config.guest.disk = Some(bytes);
        self
    }

    /// How long a connected reader may take nothing before it loses its stream; 30 s by default.
    pub fn stall_limit(mut self, limit: Duration) -> Self {
        self.config.guest.stall_limit = limit;
        self
    }

    /// How many processes and threads run in the guest at a time, all users and its init together; 1024 by default.
    pub fn max_processes(mut self, processes: u32) -> Self {
        self.config.guest.max_processes = Some(processes);
        self
    }

    /// How many bytes of private memory each process of the guest may have; no limit by default.
    pub fn max_memory(mut self, bytes: u64) -> Self {
        self.config.guest.max_memory = Some(bytes);
        self
    }

    /// What of the network the guest's commands reach; all that the mock itself does by default.
    pub fn network(mut self, network: Network) -> Self {
        self.config.guest.network = network;
        self
    }

    /// What becomes of output that no client reads; it is discarded by default.
    pub fn unread_output(mut self, policy: UnreadOutput) -> Self {
        self.config.guest.unread_output = policy;
        self
    }

    /// Refuses larger uploads, in bytes; only the disk limits them by default.
    pub fn max_upload(mut self, bytes: u64) -> Self {
        self.config.guest.max_upload = Some(bytes);
        self
    }

    /// How many bytes a memory preload goes through.
    pub fn preload_size(mut self, bytes: u64) -> Self {
        self.config.guest.preload.size = bytes;
        self
    }

    /// How long a memory preload runs.
    pub fn preload_duration(mut self, duration: Duration) -> Self {
        self.config.guest.preload.duration = duration;
        self
    }

    /// Makes every memory preload fail with this text at the end of its time.
    pub fn preload_failure(mut self, text: impl Into<String>) -> Self {
        self.config.guest.preload.failure = Some(text.into());
        self
    }

    /// A known incident of the field as what goes wrong, in place of what was said before.
    ///
    /// # Errors
    /// [`UnknownIncident`].
    pub fn incident(mut self, name: &str) -> Result<Self, UnknownIncident> {
        self.config.setup.script = incident::script(name)?;
        Ok(self)
    }

    /// Adds a stand-in for a command; the first that matches takes its place.
    pub fn program(mut self, program: Program) -> Self {
        self.config.guest.programs.push(program);
        self
    }

    /// Runs nothing real and builds no walls, so that it works where namespaces are forbidden: what no program stands
    /// in for is not found (127). The tree is a fresh directory or one that is used in place.
    pub fn programs_only(mut self, only: bool) -> Self {
        self.config.guest.programs_only = only;
        self
    }

    /// Starts the mock; it answers when this returns.
    ///
    /// # Errors
    /// [`StartError`]: the address is remote or cannot be bound, or the guest cannot boot. Nothing is left behind.
    pub async fn start(self) -> Result<MockEnvd, StartError> {
        MockEnvd::from_config(self.config).await
    }
}
