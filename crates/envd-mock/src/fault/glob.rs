//! Patterns with `*` (anything but a slash), `**` (anything) and `?` (one character), over the text as it is.

use std::fmt;

use globset::{GlobBuilder, GlobMatcher};

/// A pattern that matches whole texts.
#[derive(Clone)]
pub struct Glob(GlobMatcher);

/// The pattern cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadGlob(String);

impl Glob {
    /// Whether all of `text` matches.
    pub fn matches(&self, text: &str) -> bool {
        self.0.is_match(text)
    }

    /// The pattern.
    pub fn as_str(&self) -> &str {
        self.0.glob().glob()
    }
}

impl std::str::FromStr for Glob {
    type Err = BadGlob;

    fn from_str(text: &str) -> Result<Self, BadGlob> {
        let built = GlobBuilder::new(text).literal_separator(true).backslash_escape(true).build();
        built.map(|glob| Self(glob.compile_matcher())).map_err(|error| BadGlob(error.to_string()))
    }
}

impl fmt::Debug for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Glob({:?})", self.as_str())
    }
}

impl fmt::Display for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl PartialEq for Glob {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Glob {}

impl std::hash::Hash for Glob {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}
