//! What an envd can have or lack, as names; each generation of the wire contract has a set of them. Detects nothing.

use serde::{Deserialize, Serialize};

/// Something that not every envd has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Feature {
    /// `GET /activity`.
    Activity,
    /// `/memory/preload` and its cancel.
    Preload,
    /// `/volumes/mount` and `/volumes/unmount`.
    Volumes,
    /// Upload, in whichever way.
    Upload,
    /// Upload by POST of a multipart form.
    PostUpload,
    /// Upload by PUT of the raw bytes.
    PutUpload,
    /// A download in gzip when the client accepts it, and a media type by the name's extension.
    Gzip,
    /// Parts of a download, validators and conditions.
    Range,
    /// Requests of HTTP/2 with prior knowledge.
    Http2,
    /// Terminals.
    Pty,
    /// `WatchDir`, the stream.
    WatchDir,
    /// `Connect` begins with the newest output that was there before.
    Replay,
    /// Signals reach the whole process group.
    GroupSignals,
    /// A command without arguments is run by the user's login shell.
    LoginShell,
    /// A command that is no login shell's matter: it is executed as it stands.
    DirectExec,
    /// A process runs as the user that its request names.
    ProcessUser,
    /// `/init` applies the default user and the default working directory.
    InitDefaults,
    /// `/init` takes the spellings with underscores, ids, and a lifecycle.
    Lifecycle,
    /// A token guards every operation, not `/files` alone.
    TokenGuard,
}

impl Feature {
    /// Its name in files and reports.
    pub fn word(self) -> String {
        serde_json::to_value(self).ok().and_then(|name| name.as_str().map(str::to_owned)).unwrap_or_default()
    }

    /// Every one.
    pub const ALL: [Self; 19] = [
        Self::Activity,
        Self::Preload,
        Self::Volumes,
        Self::Upload,
        Self::PostUpload,
        Self::PutUpload,
        Self::Gzip,
        Self::Range,
        Self::Http2,
        Self::Pty,
        Self::WatchDir,
        Self::Replay,
        Self::GroupSignals,
        Self::LoginShell,
        Self::DirectExec,
        Self::ProcessUser,
        Self::InitDefaults,
        Self::Lifecycle,
        Self::TokenGuard,
    ];

    /// What an envd of this generation has, when it does all that its contract intends.
    pub fn of(generation: u8) -> Vec<Self> {
        Self::ALL.into_iter().filter(|feature| feature.generations().contains(&generation)).collect()
    }

    /// The generations that have it.
    pub const fn generations(self) -> &'static [u8] {
        match self {
            Self::Activity | Self::Preload | Self::Lifecycle => &[2, 3],
            Self::PostUpload | Self::Gzip | Self::DirectExec => &[1, 2],
            Self::Volumes | Self::PutUpload | Self::Replay | Self::LoginShell | Self::ProcessUser => &[3],
            Self::Upload
            | Self::Range
            | Self::Http2
            | Self::Pty
            | Self::WatchDir
            | Self::GroupSignals
            | Self::InitDefaults
            | Self::TokenGuard => &[1, 2, 3],
        }
    }
}
