//! The mock as a subject, in this process.

use envd_mock::{Builder, Generation, MockEnvd};
use futures::future::BoxFuture;

use super::{Subject, Subjects};
use crate::case::Case;
use crate::probe::SetupError;

/// How many bytes an embedded mock's disk holds: in memory, so that a mock of a case's own is cheap. A directory of the
/// host's that sees hundreds of trees come and go is slow on ext4, which looks at every inode that was deleted lately.
const DISK: u64 = 16 << 30;

/// Starts a fresh embedded mock each time.
#[derive(Debug, Clone, Copy)]
pub struct Embedded;

impl Subjects for Embedded {
    fn start(&self) -> BoxFuture<'_, Result<Subject, SetupError>> {
        Box::pin(embedded(MockEnvd::builder()))
    }

    fn unfit(&self, case: &Case) -> Option<String> {
        single_id(case)
    }

    fn name(&self) -> String {
        "embedded mock".to_owned()
    }
}

/// Starts a fresh embedded mock of one wire generation each time; by default of the one that most guests are of.
#[derive(Debug, Clone, Copy, Default)]
pub struct Playing {
    generation: Generation,
    as_built: bool,
}

impl Playing {
    /// As that generation was meant; none for a number that is no generation.
    pub fn generation(number: u8) -> Option<Self> {
        let generation = Generation::ALL.into_iter().find(|generation| generation.number() == number)?;
        Some(Self { generation, as_built: false })
    }

    /// With all that the builds of the generation get wrong.
    #[must_use]
    pub fn as_built(self) -> Self {
        Self { as_built: true, ..self }
    }
}

impl Subjects for Playing {
    fn start(&self) -> BoxFuture<'_, Result<Subject, SetupError>> {
        Box::pin(embedded(MockEnvd::builder().generation(self.generation).as_built(self.as_built)))
    }

    fn unfit(&self, case: &Case) -> Option<String> {
        single_id(case)
    }

    fn name(&self) -> String {
        let built = if self.as_built { " as built" } else { "" };
        format!("embedded mock of generation {}{built}", self.generation)
    }
}

/// A mock in a process that is not root has one id to give to its guest, so that no command there can make a file
/// another user's.
fn single_id(case: &Case) -> Option<String> {
    let uid = rustix::process::geteuid();
    let told = || {
        format!("the mock of uid {} has one id for its guest: no command can change an owner", uid.as_raw())
    };
    (case.tags.contains(&"owners") && !uid.is_root()).then(told)
}

/// Starts the mock that `builder` describes as a subject.
///
/// # Errors
/// [`SetupError::Start`].
pub async fn embedded(builder: Builder) -> Result<Subject, SetupError> {
    let mock = builder.disk(DISK).start().await.map_err(|error| SetupError::Start(error.to_string()))?;
    let address = mock.addr();
    Ok(Subject { address, host: address.to_string(), guard: Some(Box::new(mock)) })
}
