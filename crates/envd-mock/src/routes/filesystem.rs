//! The nine RPCs of `filesystem.Filesystem` (contract section 5): paths and texts here, the work is the guest's.
//! All of them act as root, with paths resolved for the default user.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use envd_proto::filesystem as wire;
use envd_proto::filesystem::watch_dir_response as watched;
use futures::Stream;
use futures::stream;
use tokio::sync::Semaphore;

use super::connect::{Field, ListEncoder};
use super::status::{Code, Status};
use crate::guest::Guest;
use crate::guest::disk::{Access, BadDisk};
use crate::guest::habits::Habits;
use crate::guest::mishap::Mishap;
use crate::guest::tree::{
    Entry, Extent, Kind, ListError, MakeDirError, Owner, RemoveError, RenameError, Tree,
};
use crate::guest::users::{self, User};
use crate::guest::watch::{Change, ChangeKind, Ready, TakeError, Watch, WatchError};
use crate::time::Time;

pub(crate) async fn stat(
    guest: Arc<Guest>,
    mishap: Option<Mishap>,
    request: wire::StatRequest,
) -> Result<wire::StatResponse, Status> {
    let entry = blocking(guest, mishap, move |place| {
        let path = place.resolve(&request.path)?;
        place.check(Access::Read).and_then(|()| place.tree().stat(&path)).map_err(|error| {
            match error.kind() {
                io::ErrorKind::NotFound => not_found(format!("file not found: {error}")),
                _ => internal(format!("error getting file info: {error}")),
            }
        })
    });
    Ok(wire::StatResponse { entry: Some(info(entry.await?)) })
}

pub(crate) async fn make_dir(
    guest: Arc<Guest>,
    mishap: Option<Mishap>,
    request: wire::MakeDirRequest,
) -> Result<wire::MakeDirResponse, Status> {
    let entry = blocking(guest, mishap, move |place| {
        let path = place.resolve(&request.path)?;
        place
            .check(Access::Make)
            .map_err(MakeDirError::Make)
            .and_then(|()| place.tree().make_dir(&path, place.owner()))
            .map_err(|error| make_dir_status(&path, &error))?;
        place.entry(&path)
    });
    Ok(wire::MakeDirResponse { entry: Some(info(entry.await?)) })
}

pub(crate) async fn r#move(
    guest: Arc<Guest>,
    mishap: Option<Mishap>,
    request: wire::MoveRequest,
) -> Result<wire::MoveResponse, Status> {
    let entry = blocking(guest, mishap, move |place| {
        let (source, destination) = (place.resolve(&request.source)?, place.resolve(&request.destination)?);
        place
            .check(Access::Make)
            .map_err(RenameError::Rename)
            .and_then(|()| place.tree().rename(&source, &destination, place.owner()))
            .map_err(rename_status)?;
        place.entry(&destination)
    });
    Ok(wire::MoveResponse { entry: Some(info(entry.await?)) })
}

pub(crate) const ENTRIES: Field = Field { number: 1, name: "entries" };

/// The most directories with a lot of entries that are listed at a time, since each takes tens of megabytes.
static LARGE_LISTS: Semaphore = Semaphore::const_new(2);
/// How long a list waits for others.
const LONGEST_QUEUE: Duration = Duration::from_secs(10);

pub(crate) async fn list_dir(
    guest: Arc<Guest>,
    mishap: Option<Mishap>,
    request: wire::ListDirRequest,
    list: ListEncoder,
) -> Result<ListEncoder, Status> {
    let small = walk(Arc::clone(&guest), mishap.clone(), request.clone(), list, Extent::Small).await?;
    match small {
        Walked::All(list) => Ok(list),
        Walked::Nothing(list) => {
            let _turn = tokio::time::timeout(LONGEST_QUEUE, LARGE_LISTS.acquire()).await;
            match walk(guest, mishap, request, list, Extent::Any).await? {
                Walked::All(list) | Walked::Nothing(list) => Ok(list),
            }
        }
    }
}

/// What has become of a list.
enum Walked {
    All(ListEncoder),
    /// The directory is larger than was asked for.
    Nothing(ListEncoder),
}

async fn walk(
    guest: Arc<Guest>,
    mishap: Option<Mishap>,
    request: wire::ListDirRequest,
    mut list: ListEncoder,
    extent: Extent,
) -> Result<Walked, Status> {
    blocking(guest, mishap, move |place| {
        let path = place.resolve(&request.path)?;
        let mut pushed = Ok(());
        let mut push = |entry| {
            if pushed.is_ok() {
                pushed = list.push(&info(entry));
            }
        };
        let listed = place
            .check(Access::Read)
            .map_err(ListError::Read)
            .and_then(|()| place.tree().list_each(&path, request.depth, extent, &mut push));
        match listed {
            Ok(()) => pushed.map(|()| Walked::All(list)),
            Err(ListError::Large) => Ok(Walked::Nothing(list)),
            Err(error) => Err(list_status(&path, error)),
        }
    })
    .await
}

pub(crate) async fn remove(
    guest: Arc<Guest>,
    mishap: Option<Mishap>,
    request: wire::RemoveRequest,
) -> Result<wire::RemoveResponse, Status> {
    blocking(guest, mishap, move |place| {
        let path = place.resolve(&request.path)?;
        place
            .check_remove(&path)
            .and_then(|()| place.tree().remove(&path))
            .map_err(|error| remove_status(error, place.habits()))
    })
    .await?;
    Ok(wire::RemoveResponse {})
}

pub(crate) async fn create_watcher(
    guest: Arc<Guest>,
    mishap: Option<Mishap>,
    request: wire::CreateWatcherRequest,
) -> Result<wire::CreateWatcherResponse, Status> {
    let watch = start_watch(Arc::clone(&guest), mishap, request.path, request.recursive).await?;
    let watcher_id = guest.watchers.add(watch).map_err(|error| match error.kind() {
        io::ErrorKind::QuotaExceeded => Status::new(Code::ResourceExhausted, error.to_string()),
        _ => internal(format!("failed to watch path: {error}")),
    })?;
    Ok(wire::CreateWatcherResponse { watcher_id })
}

pub(crate) async fn get_watcher_events(
    guest: Arc<Guest>,
    request: wire::GetWatcherEventsRequest,
) -> Result<wire::GetWatcherEventsResponse, Status> {
    let id = request.watcher_id;
    let changes = run(move || guest.watchers.take(&id).map_err(|error| take_status(&id, error))).await?;
    Ok(wire::GetWatcherEventsResponse { events: changes.into_iter().map(event).collect() })
}

pub(crate) async fn remove_watcher(
    guest: Arc<Guest>,
    request: wire::RemoveWatcherRequest,
) -> Result<wire::RemoveWatcherResponse, Status> {
    guest.watchers.remove(&request.watcher_id);
    Ok(wire::RemoveWatcherResponse {})
}

/// The start event once the watch stands, then each event; a keepalive whenever nothing else came for `keepalive`.
pub(crate) async fn watch_dir(
    guest: Arc<Guest>,
    mishap: Option<Mishap>,
    request: wire::WatchDirRequest,
    keepalive: Duration,
) -> Result<impl Stream<Item = Result<wire::WatchDirResponse, Status>> + Send + 'static, Status> {
    let time = guest.config.time.clone();
    let watch = start_watch(guest, mishap, request.path, request.recursive).await?;
    let ready = watch.ready().map_err(|error| internal(format!("failed to watch path: {error}")))?;
    let start = vec![watched::Event::Start(watched::StartEvent {})];
    let watching =
        Watching { watch: Some(watch), ready, time, keepalive, waiting: start.into_iter(), lost: false };
    Ok(stream::try_unfold(watching, |mut watching| async move {
        let event = watching.next().await?;
        Ok(Some((wire::WatchDirResponse { event: Some(event) }, watching)))
    }))
}

/// A watch whose events go out one by one; a reader that is slow leaves them with the kernel.
struct Watching {
    /// Absent while a thread reads from it.
    watch: Option<Watch>,
    ready: Ready,
    time: Time,
    keepalive: Duration,
    waiting: std::vec::IntoIter<watched::Event>,
    lost: bool,
}

impl Watching {
    async fn next(&mut self) -> Result<watched::Event, Status> {
        loop {
            if let Some(event) = self.waiting.next() {
                return Ok(event);
            }
            if self.lost {
                return Err(Status::new(
                    Code::ResourceExhausted,
                    "events were lost: they came faster than they were read",
                ));
            }
            if self.time.timeout(self.keepalive, self.ready.wait()).await.is_none() {
                return Ok(watched::Event::Keepalive(watched::KeepAlive {}));
            }
            self.fetch().await?;
        }
    }

    async fn fetch(&mut self) -> Result<(), Status> {
        let Some(mut watch) = self.watch.take() else { return Err(internal("the watch has ended")) };
        let (watch, taken) = run(move || {
            let taken = watch.take();
            Ok((watch, taken))
        })
        .await?;
        self.watch = Some(watch);
        let (changes, lost) = taken.map_err(|error| internal(format!("error watching: {error}")))?;
        self.lost = lost;
        let events: Vec<_> =
            changes.into_iter().map(|change| watched::Event::Filesystem(event(change))).collect();
        self.waiting = events.into_iter();
        Ok(())
    }
}

/// Where paths start from: the guest, its default user and working directory.
struct Place {
    guest: Arc<Guest>,
    user: User,
    workdir: Option<String>,
    disk: Option<BadDisk>,
}

impl Place {
    fn find(guest: Arc<Guest>, mishap: Option<&Mishap>) -> Result<Self, Status> {
        let defaults = guest.life.defaults();
        let user = users::lookup(&guest.stand().tree, &defaults.user)
            .map_err(|error| internal(format!("error looking up user '{}': {error}", defaults.user)))?;
        let nobody = || {
            Status::new(Code::Unauthenticated, format!("invalid user: user '{}' not found", defaults.user))
        };
        let disk = mishap.and_then(Mishap::disk);
        Ok(Self { user: user.ok_or_else(nobody)?, workdir: defaults.workdir, guest, disk })
    }

    /// The error of a bad disk, if the call has to do with one.
    fn check(&self, access: Access) -> io::Result<()> {
        self.disk.as_ref().map_or(Ok(()), |disk| disk.check(access))
    }

    fn check_remove(&self, path: &str) -> Result<(), RemoveError> {
        let Some(disk) = &self.disk else { return Ok(()) };
        let entry = self.tree().stat(path).map_err(RemoveError::Missing)?;
        disk.check(Access::Remove).map_err(|error| match entry.kind {
            Kind::Directory if entry.link_target.is_none() => RemoveError::Directory(error),
            _ => RemoveError::File(error),
        })
    }

    fn habits(&self) -> &Habits {
        &self.guest.config.habits
    }

    fn tree(&self) -> &Arc<Tree> {
        &self.guest.stand().tree
    }

    fn owner(&self) -> Owner {
        Owner::from(&self.user)
    }

    fn resolve(&self, path: &str) -> Result<String, Status> {
        let resolved = self.guest.resolve(path, &self.user, self.workdir.as_deref());
        resolved.map_err(|error| Status::new(Code::InvalidArgument, error.to_string()))
    }

    fn entry(&self, path: &str) -> Result<Entry, Status> {
        self.tree().stat(path).map_err(|error| internal(format!("error getting file info: {error}")))
    }
}

async fn blocking<T: Send + 'static>(
    guest: Arc<Guest>,
    mishap: Option<Mishap>,
    work: impl FnOnce(&Place) -> Result<T, Status> + Send + 'static,
) -> Result<T, Status> {
    run(move || work(&Place::find(guest, mishap.as_ref())?)).await
}

async fn run<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Status> + Send + 'static,
) -> Result<T, Status> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|panic| internal(format!("the operation did not finish: {panic}")))?
}

async fn start_watch(
    guest: Arc<Guest>,
    mishap: Option<Mishap>,
    path: String,
    recursive: bool,
) -> Result<Watch, Status> {
    blocking(guest, mishap, move |place| {
        let path = place.resolve(&path)?;
        place
            .check(Access::Read)
            .map_err(WatchError::Failed)
            .and_then(|()| place.guest.watchers.watch(Arc::clone(place.tree()), &path, recursive))
            .map_err(|error| match error {
                WatchError::Missing(error) if !place.habits().misses_watched => WatchError::Failed(error),
                other => other,
            })
            .map_err(|error| watch_status(&path, error))
    })
    .await
}

fn info(entry: Entry) -> wire::EntryInfo {
    let kind = match entry.kind {
        Kind::File => wire::FileType::File,
        Kind::Directory => wire::FileType::Directory,
        Kind::Other => wire::FileType::Unspecified,
    };
    wire::EntryInfo {
        name: entry.name,
        r#type: kind.into(),
        path: entry.path,
        size: entry.size,
        mode: entry.mode,
        permissions: entry.permissions,
        owner: entry.owner,
        group: entry.group,
        modified_time: entry.modified.map(|(seconds, nanos)| prost_types::Timestamp { seconds, nanos }),
        symlink_target: entry.link_target,
    }
}

fn event(change: Change) -> wire::FilesystemEvent {
    let kind = match change.kind {
        ChangeKind::Create => wire::EventType::Create,
        ChangeKind::Write => wire::EventType::Write,
        ChangeKind::Remove => wire::EventType::Remove,
        ChangeKind::Rename => wire::EventType::Rename,
        ChangeKind::Chmod => wire::EventType::Chmod,
    };
    wire::FilesystemEvent { name: change.path, r#type: kind.into() }
}

fn make_dir_status(path: &str, error: &MakeDirError) -> Status {
    match error {
        MakeDirError::Exists => Status::new(Code::AlreadyExists, format!("directory already exists: {path}")),
        MakeDirError::NotDirectory => invalid(format!("path exists but is not a directory: {path}")),
        MakeDirError::Look(error) => internal(format!("error getting file info: {error}")),
        MakeDirError::Make(error) => internal(format!("failed to create directory {path}: {error}")),
    }
}

fn rename_status(error: RenameError) -> Status {
    match error {
        RenameError::Parents(error) => internal(format!("error ensuring directories: {error}")),
        RenameError::Missing(error) => not_found(format!("source not found: {error}")),
        RenameError::Rename(error) => internal(format!("error renaming: {error}")),
    }
}

fn list_status(path: &str, error: ListError) -> Status {
    match error {
        ListError::Missing(error) => not_found(format!("path not found: {error}")),
        ListError::Resolve(error) => internal(format!("error resolving path: {error}")),
        ListError::NotDirectory => invalid(format!("path is not a directory: {path}")),
        ListError::Large => internal("the directory has too many entries"),
        ListError::Read(error) => internal(format!("error reading directory: {error}")),
    }
}

/// Real builds try a directory first and then a file, and tell of both.
fn remove_status(error: RemoveError, habits: &Habits) -> Status {
    let other = |errno: rustix::io::Errno| io::Error::from(errno);
    let (as_dir, as_file) = match error {
        RemoveError::Missing(error) if habits.misses_removed => {
            return not_found(format!("path not found: {error}"));
        }
        RemoveError::Missing(error) => (other(rustix::io::Errno::NOENT), error),
        RemoveError::Directory(error) => (error, other(rustix::io::Errno::ISDIR)),
        RemoveError::File(error) => (other(rustix::io::Errno::NOTDIR), error),
    };
    internal(format!("error removing: {as_dir}; also tried as file: {as_file}"))
}

fn watch_status(path: &str, error: WatchError) -> Status {
    match error {
        WatchError::Missing(error) => not_found(format!("failed to watch path: {error} about [{path:?}]")),
        WatchError::NotDirectory => invalid(format!("path is not a directory: {path}")),
        WatchError::Network => {
            Status::new(Code::FailedPrecondition, "watching network mounts is not supported")
        }
        WatchError::Failed(error) => internal(format!("failed to watch path: {error} about [{path:?}]")),
    }
}

fn take_status(id: &str, error: TakeError) -> Status {
    match error {
        TakeError::Unknown => not_found(format!("watcher not found: {id}")),
        TakeError::Lost => {
            Status::new(Code::ResourceExhausted, format!("watcher {id} has lost events: too many waited"))
        }
        TakeError::Failed(error) => internal(format!("error watching: {error}")),
    }
}

fn invalid(message: impl Into<String>) -> Status {
    Status::new(Code::InvalidArgument, message)
}

fn not_found(message: impl Into<String>) -> Status {
    Status::new(Code::NotFound, message)
}

fn internal(message: impl Into<String>) -> Status {
    Status::new(Code::Internal, message)
}
