//! The guest's users and groups, as its own `/etc/passwd` and `/etc/group` name them at the time of asking.
//! Never asks the host's databases.

use std::collections::HashMap;
use std::io;

use super::tree::{Tree, is_shortage};

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

/// The user of that name, `None` when the guest has no such user.
///
/// # Errors
/// When `/etc/passwd` exists but cannot be read.
pub(crate) fn lookup(tree: &Tree, name: &str) -> io::Result<Option<User>> {
    let passwd = database(tree, PASSWD)?;
    Ok(passwd.lines().filter_map(user_of).find(|user| user.name == name))
}

/// Names for ids, read once for an answer of many entries.
#[derive(Debug, Default)]
pub(crate) struct Names {
    users: HashMap<u32, String>,
    groups: HashMap<u32, String>,
}

impl Names {
    /// Reads both databases; what cannot be read names nobody.
    ///
    /// # Errors
    /// When the system is short of descriptors or memory.
    pub(crate) fn load(tree: &Tree) -> io::Result<Self> {
        let read = |path| match database(tree, path) {
            Err(error) if is_shortage(&error) => Err(error),
            read => Ok(read.unwrap_or_default()),
        };
        Ok(Self::parse(&read(PASSWD)?, &read(GROUP)?))
    }

    fn parse(passwd: &str, group: &str) -> Self {
        let mut names = Self::default();
        for user in passwd.lines().filter_map(user_of) {
            names.users.entry(user.uid).or_insert(user.name);
        }
        for (gid, name) in group.lines().filter_map(group_of) {
            names.groups.entry(gid).or_insert(name);
        }
        names
    }

    /// The user's name, or the number as text.
    pub(crate) fn user(&self, uid: u32) -> String {
        self.users.get(&uid).cloned().unwrap_or_else(|| uid.to_string())
    }

    /// The group's name, or the number as text.
    pub(crate) fn group(&self, gid: u32) -> String {
        self.groups.get(&gid).cloned().unwrap_or_else(|| gid.to_string())
    }
}

fn database(tree: &Tree, path: &str) -> io::Result<String> {
    match tree.read_file(path, LIMIT) {
        Ok(bytes) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
        Err(error) => Err(error),
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
        let names = Names::parse("root:x:0:0::/:\ntoor:x:0:0::/:", "wheel:x:10:");
        assert_eq!((names.user(0), names.user(7)), ("root".into(), "7".into()));
        assert_eq!((names.group(10), names.group(0)), ("wheel".into(), "0".into()));
    }
}
