//! The children of a build, and theirs: an envd gives each command a session of its own, so that killing its process
//! group leaves them. Found by /proc, held by descriptors, so that no stranger with a reused number is hit.

use std::collections::BTreeMap;
use std::os::fd::OwnedFd;

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

/// Every descendant of `ancestor` that there is now.
pub(super) fn of(ancestor: Pid) -> Vec<OwnedFd> {
    let mut children: BTreeMap<i32, Vec<i32>> = BTreeMap::new();
    for (pid, parent) in processes() {
        children.entry(parent).or_default().push(pid);
    }
    let (mut out, mut next) = (Vec::new(), vec![ancestor.as_raw_nonzero().get()]);
    while let Some(parent) = next.pop() {
        for child in children.remove(&parent).unwrap_or_default() {
            next.push(child);
            let handle = Pid::from_raw(child).map(|pid| pidfd_open(pid, PidfdFlags::empty()));
            // One that has ended meanwhile needs no end.
            out.extend(handle.and_then(Result::ok));
        }
    }
    out
}

/// From now on, what a build leaves behind when it dies is a child of this process, where it can be found.
pub fn adopt_orphans() {
    // Where the kernel refuses, orphans of a build that died stay; nothing else changes.
    let _ = rustix::process::set_child_subreaper(Some(rustix::process::getpid()));
}

/// Ends them.
pub(super) fn kill(kin: &[OwnedFd]) {
    for handle in kin {
        // It may have ended by itself.
        let _ = pidfd_send_signal(handle, Signal::KILL);
    }
}

/// Each process and its parent.
fn processes() -> Vec<(i32, i32)> {
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    pids.filter_map(|pid| Some((pid, parent(pid)?))).collect()
}

/// The second field behind the name, which may itself hold anything but is the last thing in parentheses.
fn parent(pid: i32) -> Option<i32> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
}
