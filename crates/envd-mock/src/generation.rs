//! The wire generations of envd and what each changes, as one table. Decides nothing itself: who needs a fact
//! asks for it here, so that no other file compares generations.

use std::fmt;

/// A wire generation that the mock can play.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Generation {
    /// The generation of the client that most hosts use.
    #[default]
    Two,
}

/// What a generation fixes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Facts {
    pub(crate) number: u8,
    /// What `/health` reports unless told otherwise.
    pub(crate) version: &'static str,
}

const TABLE: [(Generation, Facts); 1] =
    [(Generation::Two, Facts { number: 2, version: env!("CARGO_PKG_VERSION") })];

impl Generation {
    pub(crate) fn facts(self) -> &'static Facts {
        let row = TABLE.iter().find(|(generation, _)| *generation == self);
        &row.expect("every generation has a row in the table").1
    }
}

impl fmt::Display for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.facts().number.fmt(f)
    }
}

impl std::str::FromStr for Generation {
    type Err = UnknownGeneration;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let row = TABLE.iter().find(|(_, facts)| text.parse() == Ok(facts.number));
        row.map(|(generation, _)| *generation).ok_or_else(|| UnknownGeneration(text.to_owned()))
    }
}

/// The asked-for generation is not one that the mock plays.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("generation {0:?} is not one that this build plays: expected 2")]
pub struct UnknownGeneration(String);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_is_played_and_others_are_refused_clearly() {
        assert_eq!("2".parse(), Ok(Generation::Two));
        assert_eq!(Generation::Two.to_string(), "2");
        for other in ["0", "1", "3", "two", ""] {
            assert!(other.parse::<Generation>().unwrap_err().to_string().contains("expected 2"));
        }
    }
}
