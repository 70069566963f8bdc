//! A disk that goes wrong under one call: errors, at once or after so many bytes, and slowness. Decides which error
//! what kind of access gets; the files themselves are `tree`'s.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::mishap::Acted;
use crate::time::Time;

const NANOS: u128 = 1_000_000_000;

/// What is wrong with a disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Disk {
    /// Opening or changing anything gives this error number.
    Closed(i32),
    /// So many bytes of content still go in or out, then there is this error number; what has no content gets it at
    /// once.
    Broken { errno: i32, after: u64 },
    /// So many bytes a second go in or out.
    Slow { rate: u64 },
}

/// What is done to a file or directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// Looking at it, or reading it.
    Read,
    /// Making, filling or moving it.
    Make,
    /// Removing it.
    Remove,
}

/// A bad disk under one call; clones count its bytes together.
#[derive(Debug, Clone)]
pub(crate) struct BadDisk {
    disk: Disk,
    acted: Acted,
    passed: Arc<AtomicU64>,
}

impl BadDisk {
    pub(crate) fn new(disk: Disk, acted: Acted) -> Self {
        Self { disk, acted, passed: Arc::default() }
    }

    /// Whether something without content can be done.
    ///
    /// # Errors
    /// The disk's, where such an access can get it.
    pub(crate) fn check(&self, access: Access) -> io::Result<()> {
        match self.disk {
            Disk::Closed(errno) | Disk::Broken { errno, .. } => self.fail(errno, access),
            Disk::Slow { .. } => Ok(()),
        }
    }

    /// Whether a file can be opened for its content.
    ///
    /// # Errors
    /// The disk's, where opening can get it.
    pub(crate) fn open(&self, access: Access) -> io::Result<()> {
        match self.disk {
            Disk::Closed(errno) => self.fail(errno, access),
            Disk::Broken { .. } | Disk::Slow { .. } => Ok(()),
        }
    }

    /// How many of the next `wanted` bytes still go in or out; the error of the others, if there are any. The error of
    /// no bytes at all is that of a disk that has come to its limit.
    pub(crate) fn pass(&self, wanted: usize, access: Access) -> (usize, io::Result<()>) {
        let Disk::Broken { errno, after } = self.disk else { return (wanted, Ok(())) };
        if !suffers(errno, access) {
            return (wanted, Ok(()));
        }
        let left = after.saturating_sub(self.passed.load(Ordering::Relaxed));
        let fits = wanted.min(usize::try_from(left).unwrap_or(usize::MAX));
        self.passed.fetch_add(fits as u64, Ordering::Relaxed);
        let fine = fits == wanted && (wanted > 0 || left > 0);
        (fits, if fine { Ok(()) } else { self.fail(errno, access) })
    }

    /// What slows content down, if this disk does.
    pub(crate) fn throttle(&self, time: &Time) -> Option<Throttle> {
        let Disk::Slow { rate } = self.disk else { return None };
        Some(Throttle { rate, time: time.clone(), begun: None, bytes: 0, acted: self.acted.clone() })
    }

    fn fail(&self, errno: i32, access: Access) -> io::Result<()> {
        if !suffers(errno, access) {
            return Ok(());
        }
        let error = io::Error::from_raw_os_error(errno);
        self.acted.tell(|| match self.passed.load(Ordering::Relaxed) {
            0 => error.to_string(),
            passed => format!("{error} after {passed} bytes"),
        });
        Err(error)
    }
}

/// A full disk can be read and emptied, a read-only one can be read.
fn suffers(errno: i32, access: Access) -> bool {
    match errno {
        libc::ENOSPC => access == Access::Make,
        libc::EROFS => access != Access::Read,
        _ => true,
    }
}

/// Content at the pace of a slow disk.
#[derive(Debug)]
pub(crate) struct Throttle {
    rate: u64,
    time: Time,
    begun: Option<Duration>,
    bytes: u64,
    acted: Acted,
}

impl Throttle {
    /// As much as passes at once, in bytes: a tenth of a second's worth.
    pub(crate) fn piece(&self) -> usize {
        usize::try_from(self.rate / 10).unwrap_or(usize::MAX).max(1)
    }

    /// Returns when `bytes` more may have passed.
    pub(crate) async fn pass(&mut self, bytes: usize) {
        let begun = *self.begun.get_or_insert_with(|| self.time.now());
        self.bytes = self.bytes.saturating_add(bytes as u64);
        self.acted.tell(|| format!("content passes at {} bytes a second", self.rate));
        self.time.sleep_until(begun.saturating_add(time_for(self.bytes, self.rate))).await;
    }
}

fn time_for(bytes: u64, rate: u64) -> Duration {
    let nanos = u128::from(bytes) * NANOS / u128::from(rate.max(1));
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guest::mishap::tests::Told;
    use crate::time::Pace;
    use proptest::prelude::*;

    fn errno(result: io::Result<()>) -> Option<i32> {
        result.err().and_then(|error| error.raw_os_error())
    }

    #[test]
    fn an_access_gets_only_the_errors_that_it_can_have() {
        use Access::{Make, Read, Remove};
        for (number, suffering) in [
            (libc::ENOSPC, vec![Make]),
            (libc::EROFS, vec![Make, Remove]),
            (libc::EACCES, vec![Read, Make, Remove]),
            (libc::EIO, vec![Read, Make, Remove]),
        ] {
            for access in [Read, Make, Remove] {
                let told = Told::default();
                let disk = BadDisk::new(Disk::Closed(number), told.acted());
                let expected = suffering.contains(&access);
                assert_eq!(errno(disk.check(access)).is_some(), expected, "{number} {access:?}");
                assert_eq!(errno(disk.open(access)).is_some(), expected, "{number} {access:?}");
                assert_eq!(told.words().len(), usize::from(expected), "{number} {access:?}");
            }
        }
    }

    #[test]
    fn a_broken_disk_opens_files_and_fails_what_has_no_content() {
        let told = Told::default();
        let disk = BadDisk::new(Disk::Broken { errno: libc::EIO, after: 10 }, told.acted());
        assert!(disk.open(Access::Make).is_ok());
        assert!(told.words().is_empty());
        assert_eq!(errno(disk.check(Access::Read)), Some(libc::EIO));
    }

    #[test]
    fn a_disk_at_its_limit_fails_even_without_bytes() {
        let disk = BadDisk::new(Disk::Broken { errno: libc::EIO, after: 1 }, Told::default().acted());
        assert!(disk.pass(0, Access::Make).1.is_ok());
        assert!(disk.pass(1, Access::Make).1.is_ok());
        assert!(disk.pass(0, Access::Make).1.is_err());
    }

    #[tokio::test]
    async fn a_slow_disk_keeps_its_pace_on_the_mocks_clock() {
        let (told, time) = (Told::default(), Time::new(Pace::Manual));
        let mut throttle = BadDisk::new(Disk::Slow { rate: 1000 }, told.acted()).throttle(&time).unwrap();
        assert_eq!(throttle.piece(), 100);
        let writer = tokio::spawn(async move {
            throttle.pass(1500).await;
            throttle.pass(1500).await;
        });
        assert_eq!(time.sleeping().await, Duration::from_millis(1500));
        time.advance(Duration::from_secs(3)).unwrap();
        writer.await.unwrap();
        assert_eq!(told.words(), ["content passes at 1000 bytes a second"]);
    }

    proptest! {
        #[test]
        fn a_broken_disk_lets_exactly_its_bytes_through(
            after in 0..200u64, pieces in proptest::collection::vec(1..50usize, 0..20),
        ) {
            let told = Told::default();
            let disk = BadDisk::new(Disk::Broken { errno: libc::ENOSPC, after }, told.acted());
            let total: usize = pieces.iter().sum();
            let mut passed = 0;
            for piece in pieces {
                let (fits, result) = disk.clone().pass(piece, Access::Make);
                passed += fits;
                prop_assert_eq!(result.is_err(), fits < piece);
            }
            prop_assert_eq!(passed as u64, after.min(total as u64));
            prop_assert_eq!(told.words().len(), usize::from(total as u64 > after));
        }
    }
}
