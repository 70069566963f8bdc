//! How fast a recording is played. Pure.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// How fast a recording is played, on the mock's clock.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[non_exhaustive]
pub enum ReplayPace {
    /// As it was recorded.
    #[default]
    Recorded,
    /// Without any wait.
    AtOnce,
    /// So many times as fast.
    Times(f64),
}

/// No pace.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected recorded, at-once or a number above 0 such as 10 for ten times as fast, got {0:?}")]
pub struct BadPace(String);

impl ReplayPace {
    /// When something is due that was recorded so long after the beginning; `None` for at once.
    pub(super) fn due(self, begun: Duration, after: Duration) -> Option<Duration> {
        match self {
            Self::Recorded => Some(begun.saturating_add(after)),
            Self::AtOnce => None,
            Self::Times(factor) => {
                let after =
                    Duration::try_from_secs_f64(after.as_secs_f64() / factor).unwrap_or(Duration::MAX);
                Some(begun.saturating_add(after))
            }
        }
    }
}

impl FromStr for ReplayPace {
    type Err = BadPace;

    fn from_str(text: &str) -> Result<Self, BadPace> {
        match text {
            "recorded" => Ok(Self::Recorded),
            "at-once" => Ok(Self::AtOnce),
            _ => {
                let factor = text.parse().ok().filter(|factor: &f64| *factor > 0.0 && *factor <= 1e6);
                factor.map(Self::Times).ok_or_else(|| BadPace(text.to_owned()))
            }
        }
    }
}

impl fmt::Display for ReplayPace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Recorded => f.write_str("recorded"),
            Self::AtOnce => f.write_str("at-once"),
            Self::Times(factor) => factor.fmt(f),
        }
    }
}
