//! The guest's own clock: the host's time and an offset. Stepping it changes what the guest says the time is, and when
//! files are said to be modified from then on; the host's clock is never touched.

use std::sync::Mutex;
use std::time::{Duration, SystemTime};

const NANOS: i128 = 1_000_000_000;
/// The last second that an HTTP date can name: 9999-12-31T23:59:59Z.
const LAST_SECOND: i128 = 253_402_300_799;
/// So many steps are remembered; what was modified before the oldest of them is shown by the host's time.
const STEPS: usize = 256;

/// Wall-clock time as the guest sees it.
#[derive(Debug, Default)]
pub(crate) struct Clock {
    /// In the order in which they were made.
    steps: Mutex<Vec<Step>>,
}

/// From a moment of the host on, by how much the guest is ahead of it, in nanoseconds.
#[derive(Debug, Clone, Copy)]
struct Step {
    since: i128,
    /// The host's time at the step; file times are up to a tick behind it.
    at: i128,
    ahead: i128,
}

impl Clock {
    /// The guest's time, kept between 1970 and 9999, the range that HTTP dates have.
    pub(crate) fn now(&self) -> SystemTime {
        let ahead = self.steps().last().map_or(0, |step| step.ahead);
        from_nanos(nanos_of(SystemTime::now()) + ahead)
    }

    /// Whole seconds since 1970.
    pub(crate) fn unix_seconds(&self) -> u64 {
        self.now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs())
    }

    /// Sets the guest's time; it goes on from there.
    pub(crate) fn step_to(&self, time: SystemTime) {
        let at = nanos_of(SystemTime::now());
        let ahead = nanos_of(time) - at;
        let mut steps = self.steps();
        if steps.len() == STEPS {
            steps.remove(0);
        }
        steps.push(Step { since: nanos_of(file_time()), at, ahead });
    }

    /// What the guest's clock showed when the kernel gave a file this time, in seconds and nanoseconds. The kernel gives
    /// none that is still to come, so such a time was set by a command and is shown as it is.
    pub(crate) fn shown(&self, (seconds, nanos): (i64, u32)) -> (i64, u32) {
        let steps = self.steps();
        let time = i128::from(seconds) * NANOS + i128::from(nanos);
        let step = steps.iter().rev().find(|step| step.since <= time);
        let Some(step) = step.filter(|_| time <= nanos_of(SystemTime::now())) else {
            return (seconds, nanos);
        };
        let shown = (time.max(step.at) + step.ahead).clamp(0, LAST_SECOND * NANOS);
        let whole = i64::try_from(shown / NANOS).unwrap_or(seconds);
        (whole, u32::try_from(shown % NANOS).unwrap_or(nanos))
    }

    fn steps(&self) -> std::sync::MutexGuard<'_, Vec<Step>> {
        self.steps.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// The time that the kernel would give a file now, which is a tick behind the clock.
#[cfg(target_os = "linux")]
fn file_time() -> SystemTime {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is to a record of the right kind; this clock is always there.
    unsafe { libc::clock_gettime(libc::CLOCK_REALTIME_COARSE, &raw mut time) };
    let (seconds, nanos) = (u64::try_from(time.tv_sec), u32::try_from(time.tv_nsec));
    SystemTime::UNIX_EPOCH + Duration::new(seconds.unwrap_or_default(), nanos.unwrap_or_default())
}

#[cfg(not(target_os = "linux"))]
fn file_time() -> SystemTime {
    SystemTime::now()
}

fn nanos_of(time: SystemTime) -> i128 {
    match time.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(since) => signed_nanos(since),
        Err(before) => -signed_nanos(before.duration()),
    }
}

fn signed_nanos(duration: Duration) -> i128 {
    i128::from(duration.as_secs()) * NANOS + i128::from(duration.subsec_nanos())
}

fn from_nanos(nanos: i128) -> SystemTime {
    let nanos = nanos.clamp(0, LAST_SECOND * NANOS);
    let seconds = u64::try_from(nanos / NANOS).unwrap_or_default();
    let rest = u32::try_from(nanos % NANOS).unwrap_or_default();
    SystemTime::UNIX_EPOCH + Duration::new(seconds, rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn a_fresh_clock_tells_the_hosts_time() {
        let before = SystemTime::now();
        let now = Clock::default().now();
        assert!(now >= before && now < before + MINUTE);
    }

    #[test]
    fn a_step_goes_forward_and_back() {
        let clock = Clock::default();
        for seconds in [4_000_000_000, 1_000_000] {
            let to = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
            clock.step_to(to);
            assert!(clock.now() >= to && clock.now() < to + MINUTE);
        }
    }

    #[test]
    fn a_step_out_of_range_stays_within_what_a_date_can_name() {
        let clock = Clock::default();
        clock.step_to(SystemTime::UNIX_EPOCH + Duration::from_secs(u64::from(u32::MAX) * 1000));
        assert!(httpdate::fmt_http_date(clock.now()).starts_with("Fri, 31 Dec 9999"));
        clock.step_to(SystemTime::UNIX_EPOCH - MINUTE);
        assert_eq!(clock.unix_seconds(), 0);
    }

    fn seconds(time: SystemTime) -> (i64, u32) {
        let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap();
        (i64::try_from(since.as_secs()).unwrap(), since.subsec_nanos())
    }

    #[test]
    fn a_file_shows_the_time_of_the_clock_that_was_in_force_when_it_was_written() {
        let clock = Clock::default();
        let before = seconds(SystemTime::now() - MINUTE);
        assert_eq!(clock.shown(before), before);
        clock.step_to(SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000));
        let written = seconds(file_time());
        let (shown, _) = clock.shown(written);
        assert!((999_990..1_000_060).contains(&shown), "{shown}");
        assert_eq!(clock.shown(before), before, "a step does not change what was written before it");
        let set = seconds(SystemTime::now() + 1000 * MINUTE);
        assert_eq!(clock.shown(set), set, "a command has set this time");
    }

    #[test]
    fn no_more_than_so_many_steps_are_remembered() {
        let clock = Clock::default();
        for second in 0..1000 {
            clock.step_to(SystemTime::UNIX_EPOCH + Duration::from_secs(second));
        }
        assert_eq!(clock.steps().len(), STEPS);
    }
}
