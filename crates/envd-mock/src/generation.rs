//! The wire generations of envd by name and number. What each of them has is one table (`table`), of records
//! (`traits`) that defects may change; who needs a fact asks a record, so that no other file compares generations.

mod table;
mod traits;

use std::fmt;

pub(crate) use traits::{Download, Form, InitForm, Names, TimestampForm, Traits, Wire};

/// A wire generation that the mock can play.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, PartialOrd, Ord)]
pub enum Generation {
    /// The oldest: envd 0.2.0.
    One,
    /// The generation of the client that most hosts use.
    #[default]
    Two,
    /// The newest.
    Three,
}

impl Generation {
    /// All of them, oldest first.
    pub const ALL: [Self; 3] = [Self::One, Self::Two, Self::Three];

    /// Its number, from 1.
    pub fn number(self) -> u8 {
        self.traits().number
    }

    /// What it has, as it was meant: without any defect.
    pub(crate) fn traits(self) -> Traits {
        match self {
            Self::One => table::ONE,
            Self::Two => table::TWO,
            Self::Three => table::THREE,
        }
    }
}

impl fmt::Display for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.number().fmt(f)
    }
}

impl std::str::FromStr for Generation {
    type Err = UnknownGeneration;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let named = Self::ALL.into_iter().find(|generation| generation.to_string() == text);
        named.ok_or_else(|| UnknownGeneration(text.to_owned()))
    }
}

/// The asked-for generation is not one that the mock plays.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected generation 1, 2 or 3, got {0:?}")]
pub struct UnknownGeneration(String);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reads_back_and_others_are_refused_clearly() {
        for generation in Generation::ALL {
            assert_eq!(generation.to_string().parse(), Ok(generation));
        }
        assert_eq!(Generation::default(), Generation::Two);
        for other in ["0", "4", "two", "", "01", "2 "] {
            let error = other.parse::<Generation>().unwrap_err().to_string();
            assert!(error.contains("expected generation 1, 2 or 3"), "{error}");
        }
    }
}
