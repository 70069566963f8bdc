//! One watch over a directory, or over all below it: turns the kernel's events into changes with paths, and
//! follows directories as they come, move and go. What appeared in a new directory before it was watched is told
//! as created, once.

use std::collections::{HashMap, HashSet, VecDeque};
use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::AsFd as _;
use std::sync::Arc;

use rustix::fs::inotify::ReadFlags;

use super::events::{Change, ChangeKind, WatchError};
use super::inotify::{Inotify, Instance, Raw};
use super::ready::Ready;
use crate::guest::path::join;
use crate::guest::tree::{Found, PASSING, Tree, is_network};

/// Directories that one watch follows.
const DIRS: usize = 1 << 16;

/// A watch; dropped, the kernel forgets it.
#[derive(Debug)]
pub(crate) struct Watch {
    tree: Arc<Tree>,
    inotify: Inotify,
    /// The watched path as it was asked for, and where it lies.
    shown: String,
    real: Vec<u8>,
    recursive: bool,
    root: i32,
    /// Paths below the watched one, by watch descriptor.
    dirs: HashMap<i32, Vec<u8>>,
    queue: VecDeque<Raw>,
    /// The first halves of renames whose second may come: cookie and path.
    leaving: Vec<(u32, Vec<u8>)>,
    changes: Vec<Change>,
    lost: bool,
}

impl Watch {
    /// Watches the directory at `path`, links followed.
    pub(crate) fn new(
        instance: &Instance,
        tree: Arc<Tree>,
        path: &str,
        recursive: bool,
    ) -> Result<Self, WatchError> {
        let real = tree.canonical(path.as_bytes()).map_err(look_error)?;
        let dir = tree.open_watched(&real).map_err(look_error)?;
        if is_network(&dir).map_err(WatchError::Failed)? {
            return Err(WatchError::Network);
        }
        let inotify = instance.join().map_err(WatchError::Failed)?;
        let root = inotify.add(dir.as_fd()).map_err(WatchError::Failed)?;
        let mut watch = Self {
            tree,
            inotify,
            shown: path.to_owned(),
            real,
            recursive,
            root,
            dirs: HashMap::from([(root, Vec::new())]),
            queue: VecDeque::new(),
            leaving: Vec::new(),
            changes: Vec::new(),
            lost: false,
        };
        if recursive {
            watch.follow_all(vec![Vec::new()]).map_err(WatchError::Failed)?;
        }
        Ok(watch)
    }

    /// Tells when something has happened.
    ///
    /// # Errors
    /// When the runtime cannot wait for it.
    pub(crate) fn ready(&self) -> io::Result<Ready> {
        Ok(Ready::new(self.inotify.told()?))
    }

    #[cfg(test)]
    pub(super) fn shared_for_tests(&self) -> std::sync::Weak<std::os::fd::OwnedFd> {
        self.inotify.descriptor_for_tests()
    }

    /// What has happened since the last time, and whether some of it was lost.
    ///
    /// # Errors
    /// When the kernel's queue cannot be read.
    pub(crate) fn take(&mut self) -> io::Result<(Vec<Change>, bool)> {
        self.queue.extend(self.inotify.read()?);
        while let Some(event) = self.queue.pop_front() {
            self.handle(&event);
        }
        self.let_go();
        Ok((std::mem::take(&mut self.changes), std::mem::take(&mut self.lost)))
    }

    fn handle(&mut self, event: &Raw) {
        if event.mask.contains(ReadFlags::QUEUE_OVERFLOW) {
            self.lost = true;
            let all = self.dirs.values().cloned().collect();
            let _ = self.follow_all(all);
            return;
        }
        if event.mask.contains(ReadFlags::IGNORED) {
            self.dirs.remove(&event.watch);
            return;
        }
        let Some(dir) = self.dirs.get(&event.watch) else { return };
        match &event.name {
            None if event.watch == self.root => self.handle_root(event.mask),
            // A directory's parent tells of it as well.
            None => {}
            Some(name) if name.to_bytes().starts_with(PASSING.as_bytes()) => {}
            Some(name) => {
                let path = below(dir, name);
                if !(is_nameless(name) && self.is_missing(&path)) {
                    self.handle_entry(event, &path);
                }
            }
        }
    }

    fn is_missing(&self, path: &[u8]) -> bool {
        self.tree.open_watched_entry(&self.real_path(path)).is_err()
    }

    fn real_path(&self, path: &[u8]) -> Vec<u8> {
        if path.is_empty() { self.real.clone() } else { [&self.real, &b"/"[..], path].concat() }
    }

    fn handle_root(&mut self, mask: ReadFlags) {
        for (flag, kind) in [
            (ReadFlags::ATTRIB, ChangeKind::Chmod),
            (ReadFlags::DELETE_SELF, ChangeKind::Remove),
            (ReadFlags::MOVE_SELF, ChangeKind::Rename),
        ] {
            if mask.contains(flag) {
                self.tell(&[], kind);
            }
        }
    }

    fn handle_entry(&mut self, event: &Raw, path: &[u8]) {
        let is_dir = event.mask.contains(ReadFlags::ISDIR) && self.recursive;
        if event.mask.contains(ReadFlags::CREATE) {
            self.tell(path, ChangeKind::Create);
            if is_dir {
                self.follow_new(path.to_vec());
            }
        } else if event.mask.contains(ReadFlags::MOVED_FROM) {
            self.tell(path, ChangeKind::Rename);
            self.leaving.push((event.cookie, path.to_vec()));
        } else if event.mask.contains(ReadFlags::MOVED_TO) {
            self.tell(path, ChangeKind::Rename);
            self.arrive(event.cookie, path, is_dir);
        } else {
            self.tell_plain(event.mask, path);
        }
    }

    fn tell_plain(&mut self, mask: ReadFlags, path: &[u8]) {
        for (flag, kind) in [
            (ReadFlags::MODIFY, ChangeKind::Write),
            (ReadFlags::ATTRIB, ChangeKind::Chmod),
            (ReadFlags::DELETE, ChangeKind::Remove),
        ] {
            if mask.contains(flag) {
                self.tell(path, kind);
            }
        }
    }

    /// The second half of a rename: with the first seen, both names are told once more, as real builds do.
    fn arrive(&mut self, cookie: u32, path: &[u8], is_dir: bool) {
        let Some(index) = self.leaving.iter().position(|(left, _)| *left == cookie) else {
            if is_dir {
                let _ = self.follow_all(vec![path.to_vec()]);
            }
            return;
        };
        let (_, from) = self.leaving.swap_remove(index);
        if !from.rsplit(|&byte| byte == b'/').next().is_some_and(|name| name.starts_with(PASSING.as_bytes()))
        {
            self.tell(&from, ChangeKind::Rename);
            self.tell(path, ChangeKind::Rename);
        }
        for dir in self.dirs.values_mut() {
            if is_below(dir, &from) {
                *dir = [path, &dir[from.len()..]].concat();
            }
        }
    }

    /// Forgets directories that were moved out of sight.
    fn let_go(&mut self) {
        if self.leaving.is_empty() {
            return;
        }
        // The kernel queues the second half right behind the first: unread now, it is not coming.
        let Ok(more) = self.inotify.read() else { return };
        self.queue.extend(more);
        while let Some(event) = self.queue.pop_front() {
            self.handle(&event);
        }
        for (_, left) in std::mem::take(&mut self.leaving) {
            let gone: Vec<i32> =
                self.dirs.iter().filter(|(_, dir)| is_below(dir, &left)).map(|(&watch, _)| watch).collect();
            for watch in gone {
                self.inotify.forget(watch);
                self.dirs.remove(&watch);
            }
        }
    }

    /// Watches the directories below each of `paths`, telling nothing.
    fn follow_all(&mut self, mut paths: Vec<Vec<u8>>) -> io::Result<()> {
        let first = paths.len();
        let mut seen = 0;
        while let Some(path) = paths.pop() {
            seen += 1;
            match self.follow(&path) {
                Ok(found) => {
                    paths.extend(found.into_iter().filter(|e| e.is_dir).map(|e| below(&path, &e.name)));
                }
                Err(error) if seen <= first && !is_gone(&error) => return Err(error),
                Err(error) => tracing::debug!(path = %String::from_utf8_lossy(&path), %error, "not watched"),
            }
        }
        Ok(())
    }

    /// Watches a directory that has just been made, and what is in it; tells what was there before the watch stood.
    fn follow_new(&mut self, path: Vec<u8>) {
        let mut paths = vec![path];
        while let Some(path) = paths.pop() {
            let Ok(found) = self.follow(&path) else { continue };
            // What was made after the watch stood has its event in the queue by now.
            if let Ok(more) = self.inotify.read() {
                self.queue.extend(more);
            }
            let told = self.first_events(&path);
            for entry in found {
                let name = below(&path, &entry.name);
                if told.created.contains(&entry.name) || entry.name.to_bytes().starts_with(PASSING.as_bytes())
                {
                    continue;
                }
                self.tell(&name, ChangeKind::Create);
                if entry.filled && !told.written.contains(&entry.name) {
                    self.tell(&name, ChangeKind::Write);
                }
                if entry.is_dir {
                    paths.push(name);
                }
            }
        }
    }

    /// What the queue says about the entries of the directory at `path`.
    fn first_events(&self, path: &[u8]) -> Queued {
        let mut queued = Queued::default();
        let mut known = HashSet::new();
        for event in
            self.queue.iter().filter(|event| self.dirs.get(&event.watch).is_some_and(|dir| dir == path))
        {
            let Some(name) = &event.name else { continue };
            let made = event.mask.intersects(ReadFlags::CREATE | ReadFlags::MOVED_TO);
            let gone = event.mask.intersects(ReadFlags::DELETE | ReadFlags::MOVED_FROM);
            let first = (made || gone) && known.insert(name);
            if first && made {
                queued.created.insert(name.clone());
            }
            if event.mask.contains(ReadFlags::MODIFY) {
                queued.written.insert(name.clone());
            }
        }
        queued
    }

    /// Watches the directory at `path` and lists it.
    fn follow(&mut self, path: &[u8]) -> io::Result<Vec<Found>> {
        if self.dirs.len() >= DIRS {
            return Err(io::Error::other("too many directories below one watch"));
        }
        let dir = self.tree.open_watched(&self.real_path(path))?;
        if !path.is_empty() {
            let watch = self.inotify.add(dir.as_fd())?;
            self.dirs.insert(watch, path.to_vec());
        }
        self.tree.find(dir.as_fd())
    }

    fn tell(&mut self, path: &[u8], kind: ChangeKind) {
        let path = match path {
            [] => self.shown.clone(),
            path => join(&self.shown, &String::from_utf8_lossy(path)),
        };
        self.changes.push(Change { path, kind });
    }
}

/// Names whose first event is their creation, and names that were written.
#[derive(Debug, Default)]
struct Queued {
    created: HashSet<CString>,
    written: HashSet<CString>,
}

fn look_error(error: io::Error) -> WatchError {
    match error.kind() {
        io::ErrorKind::NotFound => WatchError::Missing(error),
        io::ErrorKind::NotADirectory => WatchError::NotDirectory,
        _ => WatchError::Failed(error),
    }
}

fn is_gone(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// How the kernel calls a file without a name, "#" and its inode: of that it tells changes of mode and owner.
fn is_nameless(name: &CStr) -> bool {
    matches!(name.to_bytes(), [b'#', inode @ ..] if !inode.is_empty() && inode.iter().all(u8::is_ascii_digit))
}

fn below(dir: &[u8], name: &CStr) -> Vec<u8> {
    if dir.is_empty() { name.to_bytes().to_vec() } else { [dir, &b"/"[..], name.to_bytes()].concat() }
}

fn is_below(path: &[u8], dir: &[u8]) -> bool {
    path.strip_prefix(dir).is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
}
