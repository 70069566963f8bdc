//! A running playback as a value: calls answered from a recording, without any guest.

use std::path::{Path, PathBuf};

use crate::builder::Builder;
use crate::served::{Served, levers};
use crate::server::{Behind, StartError};
use crate::traffic::ReplayPace;

/// A recording that answers (docs/traffic.md). Dropping it ends it.
#[must_use = "the playback ends when it is dropped"]
pub struct Playback {
    served: Served,
    file: PathBuf,
}

levers!(Playback);

impl Playback {
    /// Describes a playback of this file, which [`Builder::record`] wrote.
    pub fn of(file: impl Into<PathBuf>) -> Builder<Self> {
        Builder::before(Behind::Recording(file.into(), ReplayPace::default()))
    }

    /// The file that is played.
    pub fn file(&self) -> &Path {
        &self.file
    }
}

impl Builder<Playback> {
    /// How fast it is played; as it was recorded, by default.
    pub fn pace(mut self, pace: ReplayPace) -> Self {
        if let Behind::Recording(_, known) = &mut self.config.behind {
            *known = pace;
        }
        self
    }

    /// Starts the playback; it answers when this returns.
    ///
    /// # Errors
    /// [`StartError`]: the recording is broken, the address is remote or cannot be bound, or a rule needs a guest.
    pub async fn start(self) -> Result<Playback, StartError> {
        let file = match &self.config.behind {
            Behind::Recording(file, _) => file.clone(),
            _ => PathBuf::new(),
        };
        Ok(Playback { served: Served::start(self.config).await?, file })
    }
}
