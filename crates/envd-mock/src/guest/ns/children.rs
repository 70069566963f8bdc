//! The holder's children. An ended command stays a zombie until the mock releases it, so that its number and its group
//! remain valid for as long as the mock lists it; orphans of the guest are reaped at once. Allocates nothing but
//! fresh pages, because the holder was forked from a process with threads.

use std::io;

use rustix::fs::{Mode, OFlags};

use super::sys::{self, Pages};

/// The commands that the mock has not released: a positive number runs, a negative one has ended and is reported.
pub(super) struct Children {
    slots: Pages,
    len: usize,
}

/// What is left to do after a look at the children.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Orphans {
    /// None of them waits to be reaped.
    Reaped,
    /// The kernel names the first ended child only, and that is a command which is not released yet: orphans behind it
    /// may wait.
    Hidden,
}

impl Children {
    pub(super) fn new() -> Self {
        Self { slots: Pages::default(), len: 0 }
    }

    /// Makes room for one more, before it is forked.
    pub(super) fn reserve(&mut self) -> io::Result<()> {
        self.slots.grow(self.len + 1)
    }

    /// Keeps a command that was just started; there must be room for it.
    pub(super) fn keep(&mut self, pid: i32) {
        if let Some(slot) = self.slots.words().get_mut(self.len) {
            *slot = pid;
            self.len += 1;
        }
    }

    /// Whether this is a command that was not released.
    pub(super) fn has(&mut self, pid: i32) -> bool {
        self.find(pid).is_some()
    }

    /// Reaps a command that has ended and was reported; its number is free from now on.
    pub(super) fn release(&mut self, pid: i32) -> io::Result<()> {
        let ended = self.kept().iter().position(|&slot| slot == -pid);
        let at = ended.ok_or_else(|| io::Error::from_raw_os_error(libc::ESRCH))?;
        sys::wait_for(pid);
        self.len -= 1;
        let last = self.len;
        self.slots.words().swap(at, last);
        Ok(())
    }

    /// Reports each command that has ended since, by its number and wait status, and reaps orphans.
    pub(super) fn look(&mut self, mut report: impl FnMut(i32, i32)) -> Orphans {
        while let Some((pid, status)) = sys::ended(None) {
            match self.find(pid) {
                None => sys::wait_for(pid),
                Some(at) if self.kept()[at] > 0 => self.end(at, status, &mut report),
                Some(_) => {
                    self.look_at_each(&mut report);
                    return Orphans::Hidden;
                }
            }
        }
        Orphans::Reaped
    }

    /// Reaps the orphans that [`Children::look`] could not see, by the kernel's list of all children.
    pub(super) fn reap_hidden(&mut self) {
        while self.reap_listed() {}
    }

    /// One pass over the list; whether anything was reaped, which may have hidden others from the pass.
    fn reap_listed(&mut self) -> bool {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC;
        let Ok(file) = rustix::fs::open("/proc/thread-self/children", flags, Mode::empty()) else {
            return false;
        };
        let (mut chunk, mut pid, mut reaped) = ([0; 4096], 0_i32, false);
        while let Ok(read @ 1..) = rustix::io::read(&file, &mut chunk) {
            for &byte in &chunk[..read] {
                if byte.is_ascii_digit() {
                    pid = pid.wrapping_mul(10).wrapping_add(i32::from(byte - b'0'));
                    continue;
                }
                if pid > 0 && !self.has(pid) && sys::ended(Some(pid)).is_some() {
                    sys::wait_for(pid);
                    reaped = true;
                }
                pid = 0;
            }
        }
        reaped
    }

    fn look_at_each(&mut self, report: &mut impl FnMut(i32, i32)) {
        for at in 0..self.len {
            let pid = self.kept()[at];
            if pid > 0
                && let Some((_, status)) = sys::ended(Some(pid))
            {
                self.end(at, status, report);
            }
        }
    }

    fn end(&mut self, at: usize, status: i32, report: &mut impl FnMut(i32, i32)) {
        let slot = &mut self.kept()[at];
        report(*slot, status);
        *slot = -*slot;
    }

    fn find(&mut self, pid: i32) -> Option<usize> {
        self.kept().iter().position(|&slot| slot.abs() == pid)
    }

    fn kept(&mut self) -> &mut [i32] {
        let len = self.len;
        &mut self.slots.words()[..len]
    }
}
