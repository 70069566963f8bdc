//! A guest from its configuration to its end: directory, walls, tree, and the removal of all of it.

use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown, lchown};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::clock::Clock;
use super::config::{GuestConfig, RootSpec};
use super::furnish::{CopyError, Furnisher};
use super::ids::Ids;
use super::life::Life;
use super::ns::{Janitor, LaunchError, Launched, Link, Plan, Root, choose_ids, launch, remove};
use super::preload::Preload;
use super::process::Processes;
use super::stats::Stats;
use super::tree::Tree;
use super::users::Names;
use super::watch::Watchers;

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
    /// Something that the guest needs could not be had.
    #[error("cannot make the guest: {0}")]
    Io(#[from] io::Error),
}

/// One fake machine. Dropping it kills everything that runs in it and removes its tree.
#[derive(Debug)]
pub struct Guest {
    pub(crate) tree: Arc<Tree>,
    pub(crate) life: Life,
    pub(crate) preload: Preload,
    pub(crate) clock: Clock,
    pub(crate) stats: Stats,
    pub(crate) watchers: Watchers,
    pub(crate) processes: Arc<Processes>,
    pub(crate) config: GuestConfig,
    pub(crate) ids: Ids,
    /// The guest's root directory, seen from inside.
    pub(crate) root: OwnedFd,
    link: Arc<Link>,
    place: Place,
    watch: Mutex<Watch>,
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

/// Where a guest's tree lies on the host.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Place {
    /// What becomes the guest's root.
    root: PathBuf,
    /// What is removed at the end.
    temporary: Option<PathBuf>,
}

impl Guest {
    /// Builds a guest; blocks the calling thread for about a millisecond.
    ///
    /// # Errors
    /// [`BootError`], with nothing left behind.
    pub async fn boot(config: GuestConfig) -> Result<Arc<Self>, BootError> {
        let (launched, place, ids) = build(&config)?;
        let cleanup = Cleanup(place.temporary.clone());
        let (link, root) = Link::new(launched)?;
        let opener: super::tree::Opener = Arc::new(link.opener());
        let tree = Arc::new(Tree::new(root.try_clone()?, ids, Some(opener))?);
        let link = Arc::new(link);
        let guest = Arc::new(Self {
            life: Life::new(default_user(&tree, ids)),
            preload: Preload::new(config.preload.clone()),
            clock: Clock::default(),
            stats: Stats::default(),
            watchers: Watchers::default(),
            processes: Processes::new(Arc::clone(&link), config.stall_limit),
            tree,
            config,
            ids,
            root,
            link,
            place,
            watch: Mutex::new(Watch::Due),
        });
        cleanup.dismiss();
        guest.furnish().await?;
        Ok(guest)
    }

    /// What cannot be done before the guest stands: owners that only the mock knows, and files to copy.
    async fn furnish(self: &Arc<Self>) -> Result<(), BootError> {
        let recorded = self.config.root == RootSpec::Fresh && matches!(self.ids, Ids::Single { .. });
        if !recorded && self.config.files.is_none() {
            return Ok(());
        }
        let guest = Arc::clone(self);
        let work = tokio::task::spawn_blocking(move || -> Result<(), BootError> {
            if recorded {
                guest.tree.set_owner("/home/user", 1000, 1000)?;
            }
            guest.copy_files()
        });
        work.await.map_err(|panic| io::Error::other(panic.to_string()))?
    }

    fn copy_files(&self) -> Result<(), BootError> {
        let Some(files) = &self.config.files else { return Ok(()) };
        let unusable =
            |error: CopyError| BootError::Unusable { what: "files", path: error.path, source: error.source };
        Furnisher { root: &self.root, tree: &self.tree }.copy(files).map_err(unusable)
    }

    /// What may come after the first answer: sees to it that the tree is removed even when the mock is killed, and
    /// takes the first reading of the machine. Blocking, about a millisecond.
    ///
    /// # Errors
    /// When no process can be started.
    pub(crate) fn watch_over(&self) -> io::Result<()> {
        self.stats.activity(std::time::Instant::now());
        let mut watch = self.watch();
        if let (Watch::Due, Some(dir)) = (&*watch, self.removed()) {
            *watch = Watch::On(Janitor::new(dir, self.link.holder())?);
        }
        Ok(())
    }

    fn watch(&self) -> std::sync::MutexGuard<'_, Watch> {
        self.watch.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The directory that goes with the guest.
    fn removed(&self) -> Option<&Path> {
        self.place.temporary.as_deref().filter(|_| !self.config.keep)
    }

    /// Where the guest's root lies on the host; "/" when the guest is the machine itself.
    pub fn root_path(&self) -> &Path {
        &self.place.root
    }

    /// Kills everything that runs in the guest and removes its tree. Blocking, a few milliseconds; dropping the
    /// guest does the same.
    pub fn end(&self) {
        self.link.end();
        *self.watch() = Watch::Over;
        if let Some(dir) = self.removed()
            && let Err(error) = remove(dir)
        {
            tracing::warn!(dir = %dir.display(), %error, "the guest's tree could not be removed");
        }
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
    let name = if ids == Ids::Identity { Names::load(tree).user(uid) } else { "root".to_owned() };
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

fn build(config: &GuestConfig) -> Result<(Launched, Place, Ids), BootError> {
    let (root, place) = place(config)?;
    let cleanup = Cleanup(place.temporary.clone());
    let ids = choose_ids(&root);
    prepare(&place, ids, &root)?;
    let nested = if matches!(ids, Ids::Single { .. }) { nested_users(&place.root) } else { Vec::new() };
    let unusable = |source| BootError::Unusable { what: "bind", path: missing(&config.binds), source };
    let plan = Plan::guest(root, &config.binds, nested).map_err(unusable)?;
    let launched = launch(plan, ids)?;
    cleanup.dismiss();
    Ok((launched, place, ids))
}

fn missing(binds: &[(PathBuf, PathBuf)]) -> PathBuf {
    binds.iter().map(|(host, _)| host).find(|host| !host.exists()).cloned().unwrap_or_default()
}

fn place(config: &GuestConfig) -> Result<(Root, Place), BootError> {
    match &config.root {
        RootSpec::Machine => Ok((Root::Machine, Place { root: "/".into(), temporary: None })),
        RootSpec::Dir(dir) => {
            let unusable = |source| BootError::Unusable { what: "root", path: dir.clone(), source };
            let root = fs::canonicalize(dir).map_err(unusable)?;
            if !root.is_dir() {
                return Err(unusable(io::ErrorKind::NotADirectory.into()));
            }
            if root == Path::new("/") {
                return Ok((Root::Machine, Place { root, temporary: None }));
            }
            Ok((Root::Dir(root.clone()), Place { root, temporary: None }))
        }
        RootSpec::Fresh => {
            let dir = tempfile::Builder::new().prefix("envd-mock-").tempdir()?.keep();
            let dir = fs::canonicalize(dir)?;
            let root = dir.join("root");
            fs::create_dir(&root)?;
            fs::set_permissions(&root, fs::Permissions::from_mode(0o755))?;
            let kind = config.disk.map_or(Root::Dir(root.clone()), |size| Root::Disk(root.clone(), size));
            Ok((kind, Place { root, temporary: Some(dir) }))
        }
    }
}

/// Gives a tree on disk to the ids that the guest's are mapped to.
fn prepare(place: &Place, ids: Ids, root: &Root) -> io::Result<()> {
    let Ids::Range { base, count } = ids else { return Ok(()) };
    if *root == Root::Machine {
        return Ok(());
    }
    if let Some(dir) = &place.temporary {
        chown(dir, Some(base), Some(base))?;
        return chown(&place.root, Some(base), Some(base));
    }
    let mut left = vec![place.root.clone()];
    while let Some(path) = left.pop() {
        let meta = fs::symlink_metadata(&path)?;
        let shift = |id: u32| (id < count).then(|| base + id);
        lchown(&path, shift(meta.uid()), shift(meta.gid()))?;
        // A change of owner clears the set-user-id bits, which were not meant for these ids anyway.
        if meta.is_dir() {
            left.extend(fs::read_dir(&path)?.flatten().map(|entry| entry.path()));
        }
    }
    Ok(())
}

/// The users that get a namespace of their own: the fresh tree's, or those of the tree that is used in place.
fn nested_users(root: &Path) -> Vec<u32> {
    let passwd = fs::read_to_string(root.join("etc/passwd")).unwrap_or_default();
    let uid = |line: &str| line.split(':').nth(2).and_then(|uid| uid.parse::<u32>().ok());
    let mut uids: Vec<_> =
        passwd.lines().filter_map(uid).filter(|uid| (1000..65_000).contains(uid)).take(16).collect();
    if !uids.contains(&1000) {
        uids.push(1000);
    }
    uids
}
