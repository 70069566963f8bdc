//! The guest's own clock: the host's time and an offset. Stepping it changes what the guest says the time is;
//! the host's clock is never touched.

use std::sync::Mutex;
use std::time::{Duration, SystemTime};

const NANOS: i128 = 1_000_000_000;
/// The last second that an HTTP date can name: 9999-12-31T23:59:59Z.
const LAST_SECOND: i128 = 253_402_300_799;

/// Wall-clock time as the guest sees it.
#[derive(Debug, Default)]
pub(crate) struct Clock {
    /// Nanoseconds by which the guest is ahead of the host.
    ahead: Mutex<i128>,
}

impl Clock {
    /// The guest's time, kept between 1970 and 9999, the range that HTTP dates have.
    pub(crate) fn now(&self) -> SystemTime {
        from_nanos(nanos_of(SystemTime::now()) + *self.ahead())
    }

    /// Whole seconds since 1970.
    pub(crate) fn unix_seconds(&self) -> u64 {
        self.now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs())
    }

    /// Sets the guest's time; it goes on from there.
    pub(crate) fn step_to(&self, time: SystemTime) {
        *self.ahead() = nanos_of(time) - nanos_of(SystemTime::now());
    }

    fn ahead(&self) -> std::sync::MutexGuard<'_, i128> {
        self.ahead.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
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
}
