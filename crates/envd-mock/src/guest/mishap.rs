//! What goes wrong inside the guest for one call, in the guest's own words, and how the guest tells that it did. Who
//! decided on it, and why, is not known here.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::disk::{BadDisk, Disk};
use super::preload::Plight;
use super::process::Twist;

/// One thing that goes wrong with what a call asks for.
#[derive(Debug, Clone)]
pub(crate) struct Mishap {
    pub(crate) kind: MishapKind,
    /// Whom to tell.
    pub(crate) acted: Acted,
}

/// What goes wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum MishapKind {
    /// No program starts; the system gives this error number.
    Spawn(i32),
    /// The process that the call starts.
    Process(Twist),
    /// The disk under the files that the call reads or writes.
    Disk(Disk),
    /// The preload that the call starts.
    Preload(Plight),
}

impl Mishap {
    /// Why no program can be started, if that is what goes wrong.
    pub(crate) fn spawn_failure(&self) -> Option<io::Error> {
        let MishapKind::Spawn(errno) = self.kind else { return None };
        let error = io::Error::from_raw_os_error(errno);
        self.acted.tell(|| format!("nothing was started: {error}"));
        Some(error)
    }

    /// The disk that the call has to do with, if it is a bad one.
    pub(crate) fn disk(&self) -> Option<BadDisk> {
        match &self.kind {
            MishapKind::Disk(disk) => Some(BadDisk::new(disk.clone(), self.acted.clone())),
            _ => None,
        }
    }
}

/// Told once, in a few words, when a mishap has really had its effect; never told for one that found nothing to act
/// on. Clones tell together.
#[derive(Clone)]
pub(crate) struct Acted(Arc<Telling>);

struct Telling {
    told: AtomicBool,
    tell: Box<dyn Fn(&str) + Send + Sync>,
}

impl Acted {
    /// `tell` must not block.
    pub(crate) fn new(tell: impl Fn(&str) + Send + Sync + 'static) -> Self {
        Self(Arc::new(Telling { told: AtomicBool::new(false), tell: Box::new(tell) }))
    }

    /// The first time counts.
    pub(crate) fn tell(&self, words: impl FnOnce() -> String) {
        if !self.0.told.swap(true, Ordering::Relaxed) {
            (self.0.tell)(&words());
        }
    }
}

impl fmt::Debug for Acted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Acted").field(&self.0.told.load(Ordering::Relaxed)).finish()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::sync::Mutex;

    use super::*;

    /// What was told, for tests.
    #[derive(Debug, Default, Clone)]
    pub(crate) struct Told(Arc<Mutex<Vec<String>>>);

    impl Told {
        pub(crate) fn acted(&self) -> Acted {
            let told = Arc::clone(&self.0);
            Acted::new(move |words| told.lock().unwrap().push(words.to_owned()))
        }

        pub(crate) fn mishap(&self, kind: MishapKind) -> Mishap {
            Mishap { kind, acted: self.acted() }
        }

        pub(crate) fn words(&self) -> Vec<String> {
            self.0.lock().unwrap().clone()
        }
    }

    #[test]
    fn a_mishap_is_told_once_whoever_tells_it() {
        let told = Told::default();
        let (acted, other) = (told.acted(), told.mishap(MishapKind::Spawn(1)).acted);
        let clone = acted.clone();
        acted.tell(|| "first".to_owned());
        clone.tell(|| "second".to_owned());
        other.tell(|| "another".to_owned());
        assert_eq!(told.words(), ["first", "another"]);
    }

    #[test]
    fn a_program_that_cannot_start_has_the_systems_text() {
        let told = Told::default();
        let error = told.mishap(MishapKind::Spawn(libc::EAGAIN)).spawn_failure().unwrap();
        assert_eq!(error.to_string(), "Resource temporarily unavailable (os error 11)");
        assert_eq!(told.words(), ["nothing was started: Resource temporarily unavailable (os error 11)"]);
        assert!(told.mishap(MishapKind::Process(Twist::EndLost)).spawn_failure().is_none());
    }
}
