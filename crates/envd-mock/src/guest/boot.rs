//! A guest from its configuration to its end: directory, walls, tree, and the removal of all of it.

use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, Once, PoisonError};
use std::time::Duration;

use futures::future::join_all;
use tokio::sync::SetOnce;

use super::clock::Clock;
use super::config::{GuestConfig, Network, RootSpec, UnreadOutput};
use super::furnish::{CopyError, Furnisher};
use super::habits::Habits;
use super::ids::Ids;
use super::life::Life;
use super::limits::limits_of;
use super::ns::{InPlace, Inner, Janitor, LaunchError, Limits, Link, Plan, Root, choose_ids, launch, remove};
use super::place::Place;
use super::plain;
use super::preload::Preload;
use super::process::{Processes, Scripted, Unread};
use super::program::Programs;
use super::stats::Stats;
use super::tree::Tree;
use super::users::Names;
use super::volumes::Volumes;
use super::watch::Watchers;
use crate::time::Time;

/// Why a guest could not be made.
#[derive(Debug, thiserror::Error)]
pub enum BootError {
    /// The root, a bind or the files to copy cannot be used.
    #[error("{what} {}: {source}", path.display())]
    Unusable {
        /// What it was to be used as.
        what: &'static str,
        /// Where it lies.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// The guest's walls could not be built.
    #[error(transparent)]
    Launch(#[from] LaunchError),
    /// A limit was asked for that cannot be kept here.
    #[error("cannot limit the guest: {0}")]
    Limit(String),
    /// Something that the guest needs could not be had.
    #[error("cannot make the guest: {0}")]
    Io(#[from] io::Error),
}

/// One fake machine. Dropping it kills everything that runs in it and removes its tree.
#[derive(Debug)]
pub struct Guest {
    pub(crate) life: Life,
    pub(crate) preload: Preload,
    pub(crate) clock: Arc<Clock>,
    pub(crate) stats: Stats,
    pub(crate) watchers: Watchers,
    pub(crate) volumes: Volumes,
    pub(crate) config: GuestConfig,
    pub(crate) ids: Ids,
    programs: Programs,
    stand: SetOnce<Result<Stand, BootError>>,
    wanted: Wanted,
    place: Place,
    watch: Mutex<Watch>,
}

/// What there is once the walls are up.
#[derive(Debug)]
pub(crate) struct Stand {
    pub(crate) tree: Arc<Tree>,
    pub(crate) processes: Arc<Processes>,
    /// The guest's root directory, seen from inside.
    pub(crate) root: OwnedFd,
    /// `None`: nothing real runs.
    link: Option<Arc<Link>>,
    /// What set-up has added to a directory that is used in place.
    in_place: Mutex<Option<InPlace>>,
}

/// How long a guest that nobody wants yet leaves the processors to the first answer: a fork holds up the whole process.
const COURTESY: Duration = Duration::from_millis(3);

/// Whether somebody waits for the guest to stand.
#[derive(Debug, Default)]
struct Wanted {
    wanted: Mutex<bool>,
    told: Condvar,
}

impl Wanted {
    fn tell(&self) {
        *self.wanted.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.told.notify_all();
    }

    /// Returns when somebody does, or after so long.
    fn wait(&self, longest: Duration) {
        let wanted = self.wanted.lock().unwrap_or_else(PoisonError::into_inner);
        drop(self.told.wait_timeout_while(wanted, longest, |wanted| !*wanted));
    }
}

/// Set once a fresh guest of this process has come to stand: the next ones will, too, and need not be waited for.
static WALLS_STAND: AtomicBool = AtomicBool::new(false);

/// Set once this process has looked for the trees of mocks that were killed together with their janitors.
static COLLECTED: Once = Once::new();

/// Removes such trees on a thread of its own, which nobody waits for.
fn collect() {
    #[cfg(target_os = "linux")]
    {
        let temporary = super::place::temporary();
        let collect = move || super::ns::marker::collect(&temporary);
        let thread = std::thread::Builder::new().name("envd-mock-collect".to_owned()).spawn(collect);
        if let Err(error) = thread {
            tracing::debug!(%error, "trees that were left behind are not looked for");
        }
    }
}

/// Who removes the tree should the mock be killed.
#[derive(Debug)]
enum Watch {
    /// Nobody yet.
    Due,
    /// A process that outlives the mock.
    On(#[expect(dead_code, reason = "held: dropping it ends the watch")] Janitor),
    /// Nobody any more: the mock has removed it, or there is nothing to remove.
    Over,
}

impl Guest {
    /// Builds a guest. The first one of a process stands when this returns, so that a machine that forbids its walls
    /// is known at once; later fresh ones may need another millisecond, for which the first call waits.
    ///
    /// # Errors
    /// [`BootError`], with nothing left behind.
    pub async fn boot(config: GuestConfig) -> Result<Arc<Self>, BootError> {
        let (ground, place) = lay_ground(&config)?;
        let cleanup = Cleanup(place.temporary.clone());
        let plain = config.files.is_none() && config.binds.is_empty();
        let fresh = config.root == RootSpec::Fresh && plain && !config.programs_only;
        let (ids, stall, programs) = (ground.ids, config.stall_limit, ground.programs.clone());
        let (habits, clock) = (config.habits, Arc::clone(&ground.clock));
        let late = fresh && WALLS_STAND.load(Ordering::Relaxed);
        let mut ground = Some(ground);
        let stand = if late { None } else { ground.take().map(|ground| ground.raise(stall)).transpose()? };
        let user = stand.as_ref().map_or_else(|| "root".to_owned(), |stand| default_user(&stand.tree, ids));
        let guest = Arc::new(Self {
            life: Life::new(user, habits),
            preload: Preload::new(config.preload.clone(), habits.sticky_cancel),
            clock,
            stats: Stats::new(config.machine.clone(), habits),
            watchers: Watchers::default(),
            volumes: Volumes::new(config.volumes.clone()),
            config,
            ids,
            programs,
            stand: SetOnce::new_with(stand.map(Ok)),
            wanted: Wanted::default(),
            place,
            watch: Mutex::new(Watch::Due),
        });
        cleanup.dismiss();
        if let Some(ground) = ground {
            guest.raise_later(ground)?;
        } else {
            guest.furnish().await?;
            WALLS_STAND.fetch_or(fresh, Ordering::Relaxed);
        }
        Ok(guest)
    }

    /// Raises the walls on a thread of its own; whoever needs them waits.
    fn raise_later(self: &Arc<Self>, ground: Ground) -> io::Result<()> {
        let (guest, runtime) = (Arc::clone(self), tokio::runtime::Handle::current());
        let raise = move || {
            guest.wanted.wait(COURTESY);
            let _within = runtime.enter();
            let stand = ground.raise(guest.config.stall_limit).and_then(|stand| {
                guest.record_owners(&stand)?;
                Ok(stand)
            });
            // Nobody else sets it.
            let _ = guest.stand.set(stand);
        };
        let thread = std::thread::Builder::new().name("envd-mock-boot".to_owned()).spawn(raise);
        if let Err(error) = thread {
            let _ = self.stand.set(Err(BootError::Io(io::Error::new(error.kind(), "no thread to boot on"))));
            return Err(error);
        }
        Ok(())
    }

    /// What the daemon knew is forgotten, as if it had crashed and been started again; its processes go on only when
    /// they are kept.
    pub(crate) async fn restart(&self, keep: bool) {
        let Ok(stand) = self.ready().await else { return };
        if !keep {
            let running = stand.processes.list();
            join_all(running.iter().map(|process| stand.processes.kill(process))).await;
        }
        self.life.reset(default_user(&stand.tree, self.ids));
        self.preload.reset();
        self.watchers.clear();
    }

    /// Waits until the guest stands.
    ///
    /// # Errors
    /// Why it does not.
    pub(crate) async fn ready(&self) -> Result<&Stand, &BootError> {
        // Each call asks, and waking somebody is a system call even when nobody waits.
        if let Some(stand) = self.stand.get() {
            return stand.as_ref();
        }
        self.wanted.tell();
        self.stand.wait().await.as_ref()
    }

    /// As `ready`, for those who may block.
    ///
    /// # Errors
    /// Why the guest does not stand.
    pub(crate) fn wait(&self) -> io::Result<&Stand> {
        futures::executor::block_on(self.ready()).map_err(|error| io::Error::other(error.to_string()))
    }

    /// What stands, if it does by now.
    pub(crate) fn stands(&self) -> Option<&Stand> {
        self.stand.get().and_then(|stand| stand.as_ref().ok())
    }

    /// What stands, for calls: the pipeline has waited for it.
    pub(crate) fn stand(&self) -> &Stand {
        self.stands().expect("no call comes this far before the guest stands")
    }

    fn record_owners(&self, stand: &Stand) -> io::Result<()> {
        let recorded = self.config.root == RootSpec::Fresh && matches!(self.ids, Ids::Single { .. });
        if recorded { stand.tree.set_owner("/home/user", 1000, 1000) } else { Ok(()) }
    }

    /// What cannot be done before the guest stands: owners that only the mock knows, and files to copy.
    async fn furnish(self: &Arc<Self>) -> Result<(), BootError> {
        let guest = Arc::clone(self);
        let work = tokio::task::spawn_blocking(move || -> Result<(), BootError> {
            let stand = guest.wait()?;
            guest.record_owners(stand)?;
            let Some(files) = &guest.config.files else { return Ok(()) };
            let unusable = |error: CopyError| BootError::Unusable {
                what: "files",
                path: error.path,
                source: error.source,
            };
            Furnisher { tree: &stand.tree }.copy(files).map_err(unusable)
        });
        work.await.map_err(|panic| io::Error::other(panic.to_string()))?
    }

    /// What may come after the first answer: sees to it that the tree is removed even when the mock is killed, and
    /// takes the first reading of the machine. Blocking, about a millisecond.
    ///
    /// # Errors
    /// When no process can be started.
    pub(crate) fn watch_over(&self) -> io::Result<()> {
        let stand = futures::executor::block_on(self.stand.wait());
        self.stats.activity(self.config.time.now());
        let mut watch = self.watch();
        if let (Watch::Due, Some(dir), Some(mark), Ok(stand)) =
            (&*watch, self.removed(), &self.place.mark, stand)
        {
            *watch = Watch::On(Janitor::new(dir, mark, stand.link.as_ref().map(|link| link.holder()))?);
        }
        drop(watch);
        COLLECTED.call_once(collect);
        Ok(())
    }

    fn watch(&self) -> std::sync::MutexGuard<'_, Watch> {
        self.watch.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The directory that goes with the guest.
    fn removed(&self) -> Option<&Path> {
        self.place.temporary.as_deref().filter(|_| !self.config.keep)
    }

    /// What stands in for commands; it may be replaced at any time.
    pub fn programs(&self) -> &Programs {
        &self.programs
    }

    /// Where the guest's root lies on the host; "/" when the guest is the machine itself.
    pub fn root_path(&self) -> &Path {
        &self.place.root
    }

    /// Kills everything that runs in the guest and removes its tree. Blocking, a few milliseconds; dropping the
    /// guest does the same.
    pub fn end(&self) {
        if let Ok(stand) = self.wait() {
            stand.processes.end();
            if let Some(link) = &stand.link {
                link.end();
            }
            drop(stand.in_place.lock().unwrap_or_else(PoisonError::into_inner).take());
        }
        if let Some(dir) = self.removed()
            && let Err(error) = remove(dir)
        {
            tracing::warn!(dir = %dir.display(), %error, "the guest's tree could not be removed");
        }
        // Last of all: a mock that is killed while it removes has someone to go on with that.
        *self.watch() = Watch::Over;
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        self.end();
    }
}

/// root, but for a mock that cannot become anyone: the user that it runs as, should that have a name.
fn default_user(tree: &Tree, ids: Ids) -> String {
    let uid = rustix::process::geteuid().as_raw();
    let name = if ids == Ids::Identity {
        Names::load(tree).unwrap_or_default().user(uid)
    } else {
        "root".to_owned()
    };
    if name.parse::<u32>().is_ok() { "root".to_owned() } else { name }
}

/// Removes a directory unless it is told not to.
struct Cleanup(Option<PathBuf>);

impl Cleanup {
    fn dismiss(mut self) {
        self.0 = None;
    }
}

impl Drop for Cleanup {
    fn drop(&mut self) {
        if let Some(dir) = &self.0 {
            let _ = remove(dir);
        }
    }
}

/// A guest that is decided on, before its walls are raised.
struct Ground {
    habits: Habits,
    root: Root,
    binds: Vec<(PathBuf, PathBuf)>,
    ids: Ids,
    limits: Limits,
    network: Network,
    unread: UnreadOutput,
    programs: Programs,
    /// Nothing real runs.
    alone: bool,
    /// The root is a directory of the host, which gets back what it was.
    in_place: bool,
    time: Time,
    clock: Arc<Clock>,
}

impl Ground {
    /// Blocks for about a millisecond; must be called within a tokio runtime.
    fn raise(self, stall: Duration) -> Result<Stand, BootError> {
        if self.alone { self.raise_plain(stall) } else { self.raise_walls(stall) }
    }

    fn raise_plain(self, stall: Duration) -> Result<Stand, BootError> {
        let path = self.root.path();
        let unusable = |source| BootError::Unusable { what: "root", path: path.to_owned(), source };
        let home = self.in_place && !path.join("home/user").exists();
        let in_place = if self.in_place { plain::add(&self.root).map_err(unusable)? } else { None };
        let (root, tree) = plain::raise(path, self.ids, self.clock).map_err(unusable)?;
        if home {
            tree.set_owner("/home/user", 1000, 1000).map_err(unusable)?;
        }
        let scripted = Scripted::new(self.programs, Arc::clone(&tree), self.time.clone(), true);
        let unread = Unread::new(self.unread);
        let processes = Processes::new(None, scripted, (stall, unread), self.time, self.habits);
        Ok(Stand { tree, processes, root, link: None, in_place: Mutex::new(in_place) })
    }

    fn raise_walls(self, stall: Duration) -> Result<Stand, BootError> {
        let Self {
            root, binds, ids, limits, network, programs, unread, time, clock, habits, in_place, ..
        } = self;
        let inner = match ids {
            Ids::Range { count, .. } => Inner::All(count),
            Ids::Single { .. } | Ids::Identity => Inner::Users(nested_users(&root, ids)),
        };
        let path = root.path().to_owned();
        let unusable = |source| BootError::Unusable { what: "bind", path: missing(&binds), source };
        let mut plan = Plan::guest(root, &binds, inner).map_err(unusable)?.limit(limits);
        if network == Network::None {
            plan = plan.without_network()?;
        }
        let unusable = |source| BootError::Unusable { what: "root", path: path.clone(), source };
        let in_place = if in_place { plan.in_place().map_err(unusable)? } else { None };
        let (link, root) = Link::new(launch(plan, ids, in_place.as_ref())?)?;
        let opener: super::tree::Opener = Arc::new(link.opener());
        let tree = Arc::new(Tree::new(root.try_clone()?, ids, Some(opener))?.with_clock(clock));
        let link = Arc::new(link);
        let scripted = Scripted::new(programs, Arc::clone(&tree), time.clone(), false);
        let readers = (stall, Unread::new(unread));
        let processes = Processes::new(Some(Arc::clone(&link)), scripted, readers, time, habits);
        Ok(Stand { tree, processes, root, link: Some(link), in_place: Mutex::new(in_place) })
    }
}

fn lay_ground(config: &GuestConfig) -> Result<(Ground, Place), BootError> {
    if config.programs_only {
        plain::check(config)?;
    }
    let (root, place) = Place::choose(config)?;
    let cleanup = Cleanup(place.temporary.clone());
    let ids = if config.programs_only { plain::ids() } else { choose_ids(&root) };
    let limits = limits_of(config, ids)?;
    place.prepare(ids)?;
    cleanup.dismiss();
    let (binds, programs) = (config.binds.clone(), Programs::from(config.programs.clone()));
    let (alone, time) = (config.programs_only, config.time.clone());
    let (habits, clock) = (config.habits, Arc::default());
    let in_place = matches!(config.root, RootSpec::Dir(_)) && root != Root::Machine;
    let (network, unread) = (config.network, config.unread_output);
    let ground =
        Ground { root, binds, ids, limits, network, unread, programs, alone, time, clock, habits, in_place };
    Ok((ground, place))
}

fn missing(binds: &[(PathBuf, PathBuf)]) -> PathBuf {
    binds.iter().map(|(host, _)| host).find(|host| !host.exists()).cloned().unwrap_or_default()
}

/// The text of a tree's own list of users, wherever links lead in it.
fn passwd_in(root: &Path, ids: Ids) -> io::Result<String> {
    let tree = Tree::new(super::tree::open_root(root)?, ids, None)?;
    Ok(String::from_utf8_lossy(&tree.read_file("/etc/passwd", 1 << 20)?).into_owned())
}

/// The users that get a namespace of their own: the fresh tree's, or those of the tree that is used in place.
fn nested_users(root: &Root, ids: Ids) -> Vec<u32> {
    let passwd = match root {
        Root::Dir(root) => passwd_in(root, ids).unwrap_or_default(),
        Root::Machine | Root::Disk(..) => String::new(),
    };
    let uid = |line: &str| line.split(':').nth(2).and_then(|uid| uid.parse::<u32>().ok());
    let mut uids: Vec<_> =
        passwd.lines().filter_map(uid).filter(|uid| (1000..65_000).contains(uid)).take(16).collect();
    if !uids.contains(&1000) {
        uids.push(1000);
    }
    uids
}
