//! The only file that knows every stage: binds, boots the guest or finds who answers in its place, serves both ports,
//! and ends it all. Decides no answer.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use crate::answerer::Answerer;
use crate::connection::{Gate, Listener};
use crate::control::{Control, ControlToken, Facts};
use crate::defect::{self, Defect, NotShown};
use crate::fault::ScriptError;
use crate::generation::{Generation, Traits};
use crate::guest::{BootError, Guest, GuestConfig, Program};
use crate::live::{DeadRules, Live, ScriptRefused, Setup, Unfit};
use crate::pipeline::Pipeline;
use crate::routes::Front;
use crate::routes::origin::{Origin, Origins};
use crate::traffic::{BadRecording, Player, Recorder, Recording, ReplayPace};
use crate::upstream::{OwnUpstream, Target, Upstream, UpstreamProtocol, refuse_own};

/// A mock at rest has about 25 files open, a command takes up to seven, and a call two or three.
const OPEN_FILES: u64 = 128;

/// Everything that a start can be told.
#[derive(Debug)]
pub(crate) struct Config {
    pub(crate) listen: SocketAddr,
    pub(crate) control: SocketAddr,
    pub(crate) control_token: Option<ControlToken>,
    pub(crate) allow_remote: bool,
    /// How many connections there may be at once, on each port.
    pub(crate) max_connections: usize,
    pub(crate) origins: Vec<Origin>,
    pub(crate) generation: Generation,
    pub(crate) defects: Vec<Defect>,
    /// Has all defects of the builds of its generation.
    pub(crate) as_built: bool,
    pub(crate) version: Option<String>,
    pub(crate) guest: GuestConfig,
    pub(crate) behind: Behind,
    /// Where traffic is written to.
    pub(crate) record: Option<PathBuf>,
    pub(crate) setup: Setup,
}

impl Config {
    fn traits(&self) -> Result<Traits, NotShown> {
        let built = Defect::as_built(self.generation).filter(|_| self.as_built);
        let defects: Vec<Defect> = built.chain(self.defects.iter().copied()).collect();
        defect::traits(self.generation, &defects)
    }
}

/// Who answers behind the pipeline.
#[derive(Debug)]
pub(crate) enum Behind {
    Guest,
    Upstream(Target, UpstreamProtocol),
    /// A file and how fast it is played.
    Recording(PathBuf, ReplayPace),
}

/// A server that answers.
pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    pub(crate) control: SocketAddr,
    pub(crate) generation: Generation,
    /// Missing where somebody else answers.
    pub(crate) guest: Option<Arc<Guest>>,
    pub(crate) live: Arc<Live>,
}

/// Why the mock did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The address is not a loopback one and remote callers were not allowed (`--allow-remote`).
    #[error(
        "{0} is not a loopback address: anyone who reaches it could run commands; --allow-remote permits it"
    )]
    Remote(SocketAddr),
    /// The address cannot be bound.
    #[error("cannot bind {address}: {source}")]
    Bind {
        /// The address that was asked for.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The guest did not boot: its root or the kernel's namespaces are not usable.
    #[error(transparent)]
    Boot(#[from] BootError),
    /// The script cannot be used: two of its rules were given the same name, or a rule can never act.
    #[error(transparent)]
    Script(#[from] ScriptError),
    /// The script cannot be used for another reason.
    #[error(transparent)]
    Refused(ScriptRefused),
    /// A rule is about the inside of the guest, and who answers is none of the mock's own.
    #[error(transparent)]
    Unfit(#[from] Unfit),
    /// A proxy's upstream is the proxy itself.
    #[error(transparent)]
    OwnUpstream(#[from] OwnUpstream),
    /// The system gave no random bytes.
    #[error("cannot get random bytes for the name of a proxy: {0}")]
    Random(io::Error),
    /// The recording that is to be played is broken.
    #[error(transparent)]
    Recording(#[from] BadRecording),
    /// Traffic cannot be written where it was asked for.
    #[error("cannot record to {}: {source}", .file.display())]
    Record {
        /// The file.
        file: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A defect was asked for that the generation does not show.
    #[error(transparent)]
    NotShown(#[from] NotShown),
    /// The token of the control port cannot be sent in a header, or is empty.
    #[error(
        "the token of the control port: expected visible ASCII characters, without spaces, and at least one"
    )]
    ControlToken,
    /// Too few files may be open.
    #[error(
        "the mock may have {limit} files open at a time and needs at least {needed}: raise the limit (`ulimit -n`)"
    )]
    OpenFiles {
        /// How many it may have.
        limit: u64,
        /// How many it needs.
        needed: u64,
    },
    /// The system gave no thread to run on.
    #[error("cannot start a thread for the server: {0}")]
    Thread(io::Error),
}

impl From<ScriptRefused> for StartError {
    fn from(refused: ScriptRefused) -> Self {
        match refused {
            ScriptRefused::Unfit(unfit) => Self::Unfit(unfit),
            ScriptRefused::Dead(error) => Self::Script(error),
            taken @ ScriptRefused::NameTaken(_) => Self::Refused(taken),
        }
    }
}

impl StartError {
    /// What the command exits with: 3 when an address cannot be bound, else 2.
    pub fn exit_code(&self) -> u8 {
        if matches!(self, Self::Bind { .. }) { 3 } else { 2 }
    }
}

/// Starts, tells `ready` how that went, and serves until `stop`; at the end nothing is left.
pub(crate) async fn run(
    config: Config,
    ready: oneshot::Sender<Result<Running, StartError>>,
    stop: CancellationToken,
) {
    match Server::start(config).await {
        Err(error) => drop(ready.send(Err(error))),
        Ok(server) => {
            let (guest, running) = (server.answerer.guest().cloned(), server.running());
            let watch = guest.as_ref().map(watch_over);
            if ready.send(Ok(running)).is_ok() {
                server.serve(stop).await;
            }
            if let Some(watch) = watch {
                // Started before the end, or not at all.
                let _ = watch.await;
            }
            if let Some(guest) = guest {
                end(guest).await;
            }
        }
    }
}

/// Off the way to the first answer: the tree is guarded against a killed mock a moment after it is up.
fn watch_over(guest: &Arc<Guest>) -> tokio::task::JoinHandle<()> {
    let guest = Arc::clone(guest);
    tokio::task::spawn_blocking(move || {
        if let Err(error) = guest.watch_over() {
            tracing::warn!(%error, "nobody will remove the guest's tree should the mock be killed");
        }
    })
}

async fn end(guest: Arc<Guest>) {
    if let Err(panic) = tokio::task::spawn_blocking(move || guest.end()).await {
        tracing::error!(%panic, "the guest did not end cleanly");
    }
}

struct Server {
    listener: Listener,
    control: Listener,
    control_token: Option<ControlToken>,
    origins: Vec<Origin>,
    generation: Generation,
    version: String,
    answerer: Answerer,
    recorder: Option<Recorder>,
    live: Arc<Live>,
}

impl Server {
    async fn start(mut config: Config) -> Result<Self, StartError> {
        check_open_files()?;
        if config.control_token.as_ref().is_some_and(|token| !token.is_usable()) {
            return Err(StartError::ControlToken);
        }
        let traits = config.traits()?;
        config.guest.habits = traits.guest;
        config.setup.instead = config.behind.instead();
        let programs = config.setup.script.programs();
        let live = Live::new(config.setup, config.generation, config.guest.time.clone());
        let dead = DeadRules::allowed(live.alive_in().is_none());
        live.admit(&live.script(), dead)?;
        let limits = (config.allow_remote, config.max_connections);
        let listener = bind(config.listen, limits, live.gate.clone())?;
        let control = bind(config.control, limits, Gate::default())?;
        let version = config.version.unwrap_or_else(|| traits.version.to_owned());
        let traits = Arc::new(traits);
        let recorder = config.record.map(|file| recorder(file, &live)).transpose()?;
        let answerer = match config.behind {
            Behind::Guest => {
                let guest = boot(config.guest, programs, &live).await?;
                Answerer::Guest(Front::new(guest, version.clone(), traits))
            }
            Behind::Upstream(target, protocol) => {
                refuse_own(&target, [listener.address(), control.address()]).await?;
                Answerer::Upstream(Upstream::new(target, protocol).map_err(StartError::Random)?)
            }
            Behind::Recording(file, pace) => {
                Answerer::Recording(Player::new(Recording::load(&file)?, pace, live.time.clone()))
            }
        };
        Ok(Self {
            listener,
            control,
            control_token: config.control_token,
            origins: config.origins,
            generation: config.generation,
            version,
            answerer,
            recorder,
            live,
        })
    }

    fn running(&self) -> Running {
        Running {
            address: self.listener.address(),
            control: self.control.address(),
            generation: self.generation,
            guest: self.answerer.guest().cloned(),
            live: Arc::clone(&self.live),
        }
    }

    async fn serve(self, stop: CancellationToken) {
        let (origins, control_origins) = (self.origins_of(&self.listener), self.origins_of(&self.control));
        let facts = Facts {
            url: url(self.listener.address()),
            generation: self.generation,
            version: self.version.clone(),
        };
        let journal = Arc::clone(&self.live.journal);
        let guest = self.answerer.guest().cloned();
        let guard = (control_origins, self.control_token);
        let control = Control::new(guest, guard, facts, Arc::clone(&self.live));
        let pipeline = Pipeline::new(self.answerer, self.recorder, origins, self.live);
        let stopping = async {
            stop.cancelled().await;
            journal.stop();
        };
        let served = self.listener.serve(pipeline, stop.clone());
        tokio::join!(stopping, served, self.control.serve(control, stop.clone()));
    }

    fn origins_of(&self, listener: &Listener) -> Origins {
        if listener.address().ip().is_loopback() {
            Origins::Loopback { named: self.origins.clone() }
        } else {
            Origins::Any
        }
    }
}

impl Behind {
    /// Who answers in place of a guest.
    fn instead(&self) -> Option<String> {
        match self {
            Self::Guest => None,
            Self::Upstream(target, _) => Some(format!("the upstream {target}")),
            Self::Recording(file, _) => Some(format!("the recording {}", file.display())),
        }
    }
}

/// Boots a guest with the programs of the script before its own.
async fn boot(mut config: GuestConfig, programs: Vec<Program>, live: &Live) -> Result<Arc<Guest>, BootError> {
    let lasting = config.programs.len();
    config.programs.splice(0..0, programs);
    let guest = Guest::boot(config).await?;
    let programs = guest.programs().clone();
    let lasting = programs.last(lasting);
    live.direct(programs, lasting);
    Ok(guest)
}

/// So that a limit on open files is named here, and not by whatever fails first. Raises the soft limit as far as it goes.
fn check_open_files() -> Result<(), StartError> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let limit = current.unwrap_or(u64::MAX);
    if limit >= OPEN_FILES {
        return Ok(());
    }
    let possible = maximum.unwrap_or(u64::MAX);
    let raised = Rlimit { current: Some(OPEN_FILES), maximum };
    if possible >= OPEN_FILES && setrlimit(Resource::Nofile, raised).is_ok() {
        return Ok(());
    }
    Err(StartError::OpenFiles { limit, needed: OPEN_FILES })
}

fn recorder(file: PathBuf, live: &Live) -> Result<Recorder, StartError> {
    Recorder::create(&file, live.time.clone()).map_err(|source| StartError::Record { file, source })
}

fn bind(
    address: SocketAddr,
    (allow_remote, most): (bool, usize),
    gate: Gate,
) -> Result<Listener, StartError> {
    if !allow_remote && !address.ip().is_loopback() {
        return Err(StartError::Remote(address));
    }
    Listener::bind(address, gate, most).map_err(|source| StartError::Bind { address, source })
}

/// The URL at which a server bound to `address` is reached from this machine.
pub(crate) fn url(address: SocketAddr) -> String {
    let mut address = address;
    if address.ip().is_unspecified() {
        let local =
            if address.is_ipv4() { [127, 0, 0, 1].into() } else { std::net::Ipv6Addr::LOCALHOST.into() };
        address.set_ip(local);
    }
    format!("http://{address}")
}
