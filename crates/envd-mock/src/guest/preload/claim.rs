//! A state of the preload that somebody sets from outside, in place of a run: checked, and made into what the guest
//! says from then on.

use super::{PAGE, PreloadConfig, REGIONS, SOURCE, State, Status, running};

/// What is to be said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Claim {
    pub(crate) state: State,
    /// How many pages are through; all of them when done, else none, unless told.
    pub(crate) pages: Option<u64>,
    /// Why it failed.
    pub(crate) error: Option<String>,
}

/// No preload can be in such a state.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BadClaim {
    /// A failure without a reason.
    #[error("expected the state failed to have an error, got none")]
    NoError,
    /// A reason without a failure.
    #[error("expected an error of the state failed alone, got one of {0:?}")]
    NotFailed(State),
    /// Pages before a run has begun.
    #[error("expected no pages before a run has begun, got {0}")]
    IdlePages(u64),
}

impl Claim {
    /// What the guest says then; `None` when there has been no run.
    pub(super) fn status(self, config: &PreloadConfig) -> Result<Option<Status>, BadClaim> {
        let Self { state, pages, error } = self;
        match (state, &error, pages) {
            (State::Failed, None, _) => return Err(BadClaim::NoError),
            (State::Idle, None, Some(pages)) if pages > 0 => return Err(BadClaim::IdlePages(pages)),
            (State::Idle, None, _) => return Ok(None),
            (State::Failed, ..) | (_, None, _) => {}
            (other, Some(_), _) => return Err(BadClaim::NotFailed(other)),
        }
        let all = config.size.div_ceil(PAGE);
        let status = running(pages.unwrap_or(if state == State::Done { all } else { 0 }));
        let elapsed_sec = config.duration.as_secs_f64();
        Ok(Some(match state {
            State::Running | State::Idle => status,
            State::Failed => Status { state, elapsed_sec, error, ..status },
            State::Done | State::Cancelled => {
                Status { state, regions: REGIONS, elapsed_sec, source: SOURCE, ..status }
            }
        }))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::Preload;
    use super::*;

    const NOW: Duration = Duration::from_secs(1000);

    fn claim(state: State, pages: Option<u64>, error: Option<&str>) -> Claim {
        Claim { state, pages, error: error.map(str::to_owned) }
    }

    fn set(claim: Claim) -> Preload {
        let preload = Preload::new(PreloadConfig::default(), false);
        preload.claim(claim).unwrap();
        preload
    }

    #[test]
    fn what_was_set_is_said_until_the_next_life_cycle() {
        let preload = set(claim(State::Failed, Some(3), Some("iomem: denied")));
        let failed = preload.start(NOW, None);
        assert_eq!((failed.state, failed.pages, failed.bytes), (State::Failed, 3, 3 * PAGE));
        assert_eq!(failed.error.as_deref(), Some("iomem: denied"));
        preload.reset();
        assert_eq!(preload.status(NOW).state, State::Idle);
    }

    #[test]
    fn what_is_set_to_run_goes_nowhere_and_can_be_cancelled() {
        let preload = set(claim(State::Running, None, None));
        assert_eq!(preload.status(NOW * 2), running(0));
        preload.cancel(NOW);
        assert_eq!(preload.status(NOW).state, State::Cancelled);
        let done = set(claim(State::Done, None, None));
        done.cancel(NOW);
        assert_eq!((done.status(NOW).state, done.status(NOW).bytes), (State::Done, 256 << 20));
    }

    #[test]
    fn what_is_set_to_idle_can_be_started() {
        let preload = set(claim(State::Done, None, None));
        preload.claim(claim(State::Idle, None, None)).unwrap();
        assert_eq!(preload.status(NOW).state, State::Idle);
        assert_eq!(preload.start(NOW, None).state, State::Running);
    }

    #[test]
    fn a_state_that_cannot_be_is_refused() {
        let refused = |state, pages, error| {
            let preload = Preload::new(PreloadConfig::default(), false);
            preload.claim(claim(state, pages, error)).unwrap_err()
        };
        assert_eq!(refused(State::Failed, None, None), BadClaim::NoError);
        assert_eq!(refused(State::Done, None, Some("x")), BadClaim::NotFailed(State::Done));
        assert_eq!(refused(State::Idle, Some(1), None), BadClaim::IdlePages(1));
    }
}
