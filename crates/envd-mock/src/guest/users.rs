//! The guest's users and groups, as its own `/etc/passwd` and `/etc/group` name them at the time of asking.
//! Never asks the host's databases.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;

use super::tree::{Kept, Tree, is_shortage};

const PASSWD: &str = "/etc/passwd";
const GROUP: &str = "/etc/group";
/// Bytes of a database that are read; more than any real one has.
const LIMIT: usize = 1 << 20;

/// One line of `/etc/passwd`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct User {
    pub(crate) name: String,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) home: String,
    pub(crate) shell: String,
}

/// The databases as they were read last; each is read again once its file is another.
#[derive(Debug, Default)]
pub(crate) struct Databases {
    passwd: Kept<Users>,
    group: Kept<Groups>,
}

/// What `/etc/passwd` says.
#[derive(Debug, Default)]
struct Users {
    /// The first line of each name.
    by_name: HashMap<String, User>,
    /// The first name of each id.
    names: HashMap<u32, String>,
}

/// What `/etc/group` says: the first name of each id.
#[derive(Debug, Default)]
struct Groups(HashMap<u32, String>);

/// The user of that name, `None` when the guest has no such user.
///
/// # Errors
/// When `/etc/passwd` exists but cannot be read.
pub(crate) fn lookup(tree: &Tree, name: &str) -> io::Result<Option<User>> {
    Ok(users(tree)?.by_name.get(name).cloned())
}

/// Names for ids, read once for an answer of many entries.
#[derive(Debug, Default)]
pub(crate) struct Names {
    users: Arc<Users>,
    groups: Arc<Groups>,
}

impl Names {
    /// Reads both databases; what cannot be read names nobody.
    ///
    /// # Errors
    /// When the system is short of descriptors or memory.
    pub(crate) fn load(tree: &Tree) -> io::Result<Self> {
        Ok(Self { users: unless_short(users(tree))?, groups: unless_short(groups(tree))? })
    }

    /// The user's name, or the number as text.
    pub(crate) fn user(&self, uid: u32) -> String {
        self.users.names.get(&uid).cloned().unwrap_or_else(|| uid.to_string())
    }

    /// The group's name, or the number as text.
    pub(crate) fn group(&self, gid: u32) -> String {
        self.groups.0.get(&gid).cloned().unwrap_or_else(|| gid.to_string())
    }
}

impl Users {
    fn parse(text: &[u8]) -> Self {
        let mut users = Self::default();
        for user in String::from_utf8_lossy(text).lines().filter_map(user_of) {
            users.names.entry(user.uid).or_insert_with(|| user.name.clone());
            users.by_name.entry(user.name.clone()).or_insert(user);
        }
        users
    }
}

impl Groups {
    fn parse(text: &[u8]) -> Self {
        let mut groups = HashMap::new();
        for (gid, name) in String::from_utf8_lossy(text).lines().filter_map(group_of) {
            groups.entry(gid).or_insert(name);
        }
        Self(groups)
    }
}

fn users(tree: &Tree) -> io::Result<Arc<Users>> {
    or_empty(tree.read_kept(PASSWD, LIMIT, &tree.databases.passwd, Users::parse))
}

fn groups(tree: &Tree) -> io::Result<Arc<Groups>> {
    or_empty(tree.read_kept(GROUP, LIMIT, &tree.databases.group, Groups::parse))
}

/// A database that cannot be read is empty, unless the system is short of descriptors or memory.
fn unless_short<T: Default>(read: io::Result<Arc<T>>) -> io::Result<Arc<T>> {
    match read {
        Err(error) if is_shortage(&error) => Err(error),
        read => Ok(read.unwrap_or_default()),
    }
}

/// A database that is missing is empty.
fn or_empty<T: Default>(read: io::Result<Arc<T>>) -> io::Result<Arc<T>> {
    match read {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Arc::default()),
        read => read,
    }
}

fn user_of(line: &str) -> Option<User> {
    let mut fields = line.split(':');
    let name = fields.next().filter(|name| !name.is_empty())?.to_owned();
    let _password = fields.next()?;
    let (uid, gid) = (id_of(fields.next()?)?, id_of(fields.next()?)?);
    let _comment = fields.next()?;
    let home = fields.next().filter(|home| home.starts_with('/')).unwrap_or("/").to_owned();
    let shell = fields.next().filter(|shell| !shell.is_empty()).unwrap_or("/bin/sh").to_owned();
    Some(User { name, uid, gid, home, shell })
}

fn group_of(line: &str) -> Option<(u32, String)> {
    let mut fields = line.split(':');
    let name = fields.next().filter(|name| !name.is_empty())?.to_owned();
    Some((id_of(fields.nth(1)?)?, name))
}

/// An id of a user or group. 4294967295 is none: to the kernel it is (uid)-1, "leave the id as it is".
fn id_of(text: &str) -> Option<u32> {
    text.parse().ok().filter(|id| *id != u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_passwd_is_a_user() {
        let user = user_of("user:x:1000:1001:A User,,:/home/user:/bin/bash").unwrap();
        assert_eq!((user.uid, user.gid), (1000, 1001));
        assert_eq!((user.home.as_str(), user.shell.as_str()), ("/home/user", "/bin/bash"));
    }

    #[test]
    fn a_broken_line_is_nobody() {
        for line in ["", ":x:0:0::/:", "# comment", "root:x:zero:0::/root:/bin/sh", "root:x:0"] {
            assert_eq!(user_of(line), None, "{line}");
        }
    }

    /// The kernel takes (uid)-1 as "no change": whoever changes to it stays what they are, root.
    #[test]
    fn the_id_that_means_no_change_is_no_id() {
        for line in ["a:x:4294967295:0::/:", "a:x:0:4294967295::/:", "a:x:04294967295:7::/:", "a:x:-1:0::/:"]
        {
            assert_eq!(user_of(line), None, "{line}");
        }
        assert!(user_of("a:x:4294967294:4294967294::/:").is_some());
        assert_eq!(group_of("a:x:4294967295:"), None);
        assert!(group_of("a:x:4294967294:").is_some());
    }

    #[test]
    fn the_first_name_of_an_id_wins_and_an_unknown_id_is_its_number() {
        let users = Users::parse(b"root:x:0:0::/:\ntoor:x:0:0::/:\nroot:x:7:7::/:");
        assert_eq!(users.by_name["root"].uid, 0);
        let names = Names { users: users.into(), groups: Groups::parse(b"wheel:x:10:").into() };
        assert_eq!((names.user(0), names.user(8)), ("root".into(), "8".into()));
        assert_eq!((names.group(10), names.group(0)), ("wheel".into(), "0".into()));
    }

    fn tree() -> (tempfile::TempDir, Tree) {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("etc")).unwrap();
        let root = std::fs::File::open(dir.path()).unwrap();
        let tree = Tree::new(root.into(), crate::guest::ids::Ids::Identity, None).unwrap();
        (dir, tree)
    }

    /// Looks up until the file is kept, which takes a tick of the kernel's clock.
    fn until_kept(tree: &Tree, uid: u32) {
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
        while !tree.databases.passwd.is_kept() {
            assert_eq!(lookup(tree, "user").unwrap().map(|user| user.uid), Some(uid));
            assert!(std::time::Instant::now() < deadline, "expected a file at rest to be kept");
            std::thread::yield_now();
        }
    }

    /// Against a file that is taken for the same because its size, and within a tick of the clock its times, are.
    #[test]
    fn a_change_in_place_is_seen_at_once_however_fast_it_follows() {
        let (dir, tree) = tree();
        let passwd = dir.path().join("etc/passwd");
        for uid in 100..900 {
            std::fs::write(&passwd, format!("user:x:{uid}:1::/:")).unwrap();
            for _ in 0..2 {
                assert_eq!(lookup(&tree, "user").unwrap().map(|user| user.uid), Some(uid));
            }
        }
    }

    #[test]
    fn what_is_kept_is_given_up_with_its_file() {
        let (dir, tree) = tree();
        let (passwd, other) = (dir.path().join("etc/passwd"), dir.path().join("etc/other"));
        let uid = || lookup(&tree, "user").unwrap().map(|user| user.uid);
        std::fs::write(&passwd, "user:x:100:1::/:").unwrap();
        until_kept(&tree, 100);
        assert_eq!(uid(), Some(100));
        // In place, with its old time of modification.
        let times = std::fs::metadata(&passwd).unwrap().modified().unwrap();
        std::fs::write(&passwd, "user:x:200:1::/:").unwrap();
        std::fs::File::options().write(true).open(&passwd).unwrap().set_modified(times).unwrap();
        assert_eq!(uid(), Some(200));
        until_kept(&tree, 200);
        // Replaced by another.
        std::fs::write(&other, "user:x:300:1::/:").unwrap();
        std::fs::rename(&other, &passwd).unwrap();
        assert_eq!(uid(), Some(300));
        until_kept(&tree, 300);
        // Reached over a link, and over another directory.
        std::fs::write(&other, "user:x:400:1::/:").unwrap();
        std::fs::remove_file(&passwd).unwrap();
        assert_eq!(uid(), None);
        std::os::unix::fs::symlink("other", &passwd).unwrap();
        assert_eq!(uid(), Some(400));
        std::fs::rename(dir.path().join("etc"), dir.path().join("old")).unwrap();
        assert_eq!(uid(), None);
    }
}
