//! The file tree: stat, list, make, move, remove (contract 5). Contents are the matter of `files`.

use std::time::{Duration, SystemTime};

use envd_proto::filesystem as wire;
use envd_proto::filesystem::rpc;

use crate::client::Client;
use crate::error::Result;
use crate::transport::Call;

/// What the guest tells of one entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its last name.
    pub name: String,
    /// What it is; for a symlink, what it leads to.
    pub file_type: FileType,
    /// Its path, as asked for.
    pub path: String,
    /// Its size in bytes; for a symlink, the link's own.
    pub size: i64,
    /// The twelve permission bits.
    pub mode: u32,
    /// As `ls -l` writes it, such as `-rw-r--r--`.
    pub permissions: String,
    /// Its owner's name, or number.
    pub owner: String,
    /// Its group's name, or number.
    pub group: String,
    /// When it was last changed.
    pub modified: Option<SystemTime>,
    /// Where a symlink leads.
    pub symlink_target: Option<String>,
}

/// What an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FileType {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symlink; no known envd says so.
    Symlink,
    /// A device, a pipe, a socket, a link that leads nowhere, or something unknown.
    Other,
}

impl Client {
    /// Describes one entry.
    ///
    /// # Errors
    /// `not_found` when it is missing.
    pub async fn stat(&self, path: &str) -> Result<Entry> {
        let call = self.repeatable("filesystem.Filesystem/Stat");
        let answer =
            self.transport.unary::<rpc::Stat>(&call, &wire::StatRequest { path: path.into() }).await?;
        entry(&call, answer.entry)
    }

    /// Lists a directory, `depth` levels deep (0 means 1), in no order.
    ///
    /// # Errors
    /// `not_found` when it is missing, `invalid_argument` when it is not a directory.
    pub async fn list_dir(&self, path: &str, depth: u32) -> Result<Vec<Entry>> {
        let call = self.repeatable("filesystem.Filesystem/ListDir");
        let request = wire::ListDirRequest { path: path.into(), depth };
        let answer = self.transport.unary::<rpc::ListDir>(&call, &request).await?;
        Ok(answer.entries.into_iter().map(Entry::from).collect())
    }

    /// Makes a directory and what is missing above it.
    ///
    /// # Errors
    /// `already_exists` when it is there, `invalid_argument` when something else is.
    pub async fn make_dir(&self, path: &str) -> Result<Entry> {
        let call = self.once("filesystem.Filesystem/MakeDir");
        let request = wire::MakeDirRequest { path: path.into() };
        let answer = self.transport.unary::<rpc::MakeDir>(&call, &request).await?;
        entry(&call, answer.entry)
    }

    /// Moves `source` to `destination`, replacing what is there.
    ///
    /// # Errors
    /// `not_found` when `source` is missing.
    pub async fn move_path(&self, source: &str, destination: &str) -> Result<Entry> {
        let call = self.once("filesystem.Filesystem/Move");
        let request = wire::MoveRequest { source: source.into(), destination: destination.into() };
        let answer = self.transport.unary::<rpc::Move>(&call, &request).await?;
        entry(&call, answer.entry)
    }

    /// Removes an entry and everything below it; of a symlink, the link.
    ///
    /// # Errors
    /// `not_found` when it is missing.
    pub async fn remove(&self, path: &str) -> Result<()> {
        let call = self.once("filesystem.Filesystem/Remove");
        let request = wire::RemoveRequest { path: path.into() };
        self.transport.unary::<rpc::Remove>(&call, &request).await.map(drop)
    }
}

fn entry(call: &Call, entry: Option<wire::EntryInfo>) -> Result<Entry> {
    entry.map(Entry::from).ok_or_else(|| call.protocol("an entry", "an answer without one"))
}

impl From<wire::EntryInfo> for Entry {
    fn from(info: wire::EntryInfo) -> Self {
        Self {
            file_type: info.r#type().into(),
            name: info.name,
            path: info.path,
            size: info.size,
            mode: info.mode,
            permissions: info.permissions,
            owner: info.owner,
            group: info.group,
            modified: info.modified_time.and_then(time),
            symlink_target: info.symlink_target,
        }
    }
}

impl From<wire::FileType> for FileType {
    fn from(file_type: wire::FileType) -> Self {
        match file_type {
            wire::FileType::File => Self::File,
            wire::FileType::Directory => Self::Directory,
            wire::FileType::Symlink => Self::Symlink,
            wire::FileType::Unspecified => Self::Other,
        }
    }
}

/// None for a time that this machine cannot express.
fn time(stamp: prost_types::Timestamp) -> Option<SystemTime> {
    let whole = Duration::from_secs(stamp.seconds.unsigned_abs());
    let base = if stamp.seconds < 0 {
        SystemTime::UNIX_EPOCH.checked_sub(whole)
    } else {
        SystemTime::UNIX_EPOCH.checked_add(whole)
    };
    base?.checked_add(Duration::from_nanos(u64::try_from(stamp.nanos).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_before_1970_is_one() {
        let before = time(prost_types::Timestamp { seconds: -2, nanos: 500_000_000 }).unwrap();
        assert_eq!(SystemTime::UNIX_EPOCH.duration_since(before).unwrap(), Duration::from_millis(1500));
        assert_eq!(time(prost_types::Timestamp { seconds: 1, nanos: -1 }), None);
    }
}
