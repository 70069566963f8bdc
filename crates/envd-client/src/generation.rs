//! Which wire generation a guest speaks, and what that means for calls: set by the caller, or found out once, by the
//! guest's own answers, before the first call that needs to know.

use std::fmt;

use http::Method;

use crate::client::Client;
use crate::error::{Error, ErrorKind, Result};
use crate::transport::{Call, Rest};

/// A wire generation of envd.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Generation {
    /// The oldest: uploads by form, `/init` in camel case, neither preload nor activity.
    One,
    /// Uploads by form, preload, activity.
    Two,
    /// Uploads by PUT, volumes, and commands run by users of one's choice.
    Three,
}

/// How a file gets into a guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum UploadWay {
    Form,
    Raw,
}

/// How the fields of `/init` are spelled where generations differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Spelling {
    Camel,
    Snake,
}

/// What not every guest has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Feature {
    Preload,
    Activity,
    Volumes,
    ProcessUser,
}

/// What a generation means.
struct Facts {
    number: u8,
    upload: UploadWay,
    spelling: Spelling,
    features: &'static [Feature],
}

impl Generation {
    fn facts(self) -> Facts {
        use Feature::{Activity, Preload, ProcessUser, Volumes};
        let two = Facts {
            number: 2,
            upload: UploadWay::Form,
            spelling: Spelling::Snake,
            features: &[Preload, Activity],
        };
        match self {
            Self::One => Facts { number: 1, spelling: Spelling::Camel, features: &[], ..two },
            Self::Two => two,
            Self::Three => Facts {
                number: 3,
                upload: UploadWay::Raw,
                features: &[Preload, Activity, Volumes, ProcessUser],
                ..two
            },
        }
    }

    pub(crate) fn upload(self) -> UploadWay {
        self.facts().upload
    }

    pub(crate) fn spelling(self) -> Spelling {
        self.facts().spelling
    }
}

impl Client {
    /// The guest's generation: the one that was set, or else the one that its answers to OPTIONS tell, asked for once.
    ///
    /// # Errors
    /// When the guest does not answer, or with a status of 500 or more.
    pub async fn generation(&self) -> Result<Generation> {
        // Boxed: done once, and large in every call's future otherwise.
        self.generation.get_or_try_init(|| Box::pin(self.find_generation())).await.copied()
    }

    /// The generation, as far as it is known without asking.
    pub(crate) fn known_generation(&self) -> Option<Generation> {
        self.generation.get().copied()
    }

    /// A guest that tells nothing is taken for one of the most common generation.
    async fn find_generation(&self) -> Result<Generation> {
        let Some(files) = self.methods_of("OPTIONS /files", "/files").await? else {
            return Ok(Generation::Two);
        };
        if files.split(',').any(|method| method.trim() == "PUT") {
            return Ok(Generation::Three);
        }
        let preload = self.methods_of("OPTIONS /memory/preload", "/memory/preload").await?;
        Ok(preload.map_or(Generation::One, |_| Generation::Two))
    }

    /// The methods that a path has; `None` where the guest does not say.
    async fn methods_of(&self, name: &'static str, path: &str) -> Result<Option<String>> {
        let call = self.repeatable(name);
        self.transport.rest(&call, Rest::new(Method::OPTIONS, path)).await?.allowed(&call)
    }

    /// Refuses at once what a guest of a known generation does not have.
    pub(crate) fn insist_on(&self, call: &Call, feature: Feature) -> Result<()> {
        self.known_generation().map_or(Ok(()), |generation| generation.insist_on(call, feature))
    }
}

impl Generation {
    /// # Errors
    /// [`ErrorKind::Unsupported`].
    pub(crate) fn insist_on(self, call: &Call, feature: Feature) -> Result<(), Error> {
        if self.facts().features.contains(&feature) {
            return Ok(());
        }
        let because = format!("it is of generation {self}");
        Err(call.error(ErrorKind::Unsupported { what: feature.as_str(), because, status: None }))
    }
}

impl Feature {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Preload => "memory preload",
            Self::Activity => "activity",
            Self::Volumes => "volumes",
            Self::ProcessUser => "choosing the user of a command",
        }
    }
}

impl fmt::Display for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.facts().number.fmt(f)
    }
}
