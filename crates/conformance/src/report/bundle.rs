//! The bundle: every transcript of a run as a file of its own, so that it can be judged again without a subject.

use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::json::Record;
use crate::observation::Observation;
use crate::runner::Event;

/// Writes below a directory.
#[derive(Debug)]
pub struct Bundle {
    directory: PathBuf,
}

/// One transcript.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Saved {
    /// The case and what it came to.
    pub record: Record,
    /// What was seen.
    pub observation: Observation,
    /// What was seen when it first ran, among others, if it ran again.
    pub earlier: Option<Observation>,
}

impl Bundle {
    /// In `directory`, which is made if need be, and has to be empty of transcripts.
    ///
    /// # Errors
    /// When it cannot be made or holds some.
    pub fn create(directory: &Path) -> io::Result<Self> {
        std::fs::create_dir_all(directory)?;
        if std::fs::read_dir(directory)?.next().is_some() {
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, "it is not empty"));
        }
        Ok(Self { directory: directory.to_owned() })
    }

    /// Takes one event.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn event(&mut self, event: &Event) -> io::Result<()> {
        let Event::Finished(outcome) = event else { return Ok(()) };
        let saved = Saved {
            record: Record::of(outcome),
            observation: outcome.observation.clone(),
            earlier: outcome.earlier.as_ref().map(|earlier| earlier.observation.clone()),
        };
        let name = format!("{}.{}.json", outcome.case.id.replace('/', "."), outcome.round);
        let mut text = serde_json::to_vec_pretty(&saved)?;
        text.push(b'\n');
        std::fs::write(self.directory.join(name), text)
    }
}

/// The transcripts of a bundle, by name.
///
/// # Errors
/// When a file cannot be read or is none.
pub fn saved(directory: &Path) -> io::Result<Vec<Saved>> {
    let entries = std::fs::read_dir(directory)?.map(|entry| Ok(entry?.path()));
    let mut paths = entries.collect::<io::Result<Vec<_>>>()?;
    paths.sort();
    let read = |path: PathBuf| {
        let bad =
            |why: String| io::Error::new(io::ErrorKind::InvalidData, format!("{}: {why}", path.display()));
        serde_json::from_slice(&std::fs::read(&path)?).map_err(|error| bad(error.to_string()))
    };
    paths.into_iter().map(read).collect()
}
