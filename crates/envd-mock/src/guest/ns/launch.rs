//! Brings a guest's holder up: decides how ids are mapped, forks, writes the maps, waits until the guest stands.
//! Blocking; the talk afterwards is `link`'s.

use std::fs;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair, sockopt};

use super::baseline;
use super::error::LaunchError;
use super::holder::{self, Handed};
use super::in_place::InPlace;
use super::message::{self, Message};
use super::plan::Plan;
use super::root::Root;
use super::setup::Stage;
use super::spawn::{Manner, Switch};
use super::sys;
use super::zygote;
use crate::guest::ids::Ids;

/// The first host id that a guest's ids are mapped to when the mock is root: above what distributions hand out,
/// below 2^31.
const FIRST_ID: u32 = 1_900_000_000;
/// How many ids a guest has when the mock is root.
const ID_COUNT: u32 = 65_536;
/// How long a guest may take to stand; it takes about a millisecond.
const DEADLINE: Duration = Duration::from_secs(20);

/// A guest that stands, before anyone talks to its holder.
#[derive(Debug)]
pub(crate) struct Launched {
    pub(super) socket: OwnedFd,
    pub(super) pid: i32,
    pub(super) manner: Manner,
    /// A descriptor of the guest's root directory, seen from inside.
    pub(crate) root: OwnedFd,
}

/// How the ids of a guest over `root` relate to the kernel's.
pub(crate) fn choose_ids(root: &Root) -> Ids {
    let (uid, gid) = (rustix::process::geteuid(), rustix::process::getegid());
    match root {
        Root::Machine => Ids::Identity,
        _ if uid.is_root() => range(&fs::read_to_string("/proc/self/uid_map").unwrap_or_default()),
        _ => Ids::Single { uid: uid.as_raw(), gid: gid.as_raw() },
    }
}

/// A range of ids that this process may map and that does not hold its root.
fn range(uid_map: &str) -> Ids {
    let extents = uid_map.lines().filter_map(|line| {
        let mut words = line.split_whitespace().map(|word| word.parse::<u64>().ok());
        Some((words.next()??, words.nth(1)??))
    });
    let (first, count) = extents.max_by_key(|&(_, count)| count).unwrap_or((0, 0));
    let end = first + count;
    // One more than the guest has: the init's own.
    if first <= u64::from(FIRST_ID) && u64::from(FIRST_ID) + u64::from(ID_COUNT) < end {
        return Ids::Range { base: FIRST_ID, count: ID_COUNT };
    }
    // Already inside a namespace with few ids: the upper half of what there is.
    let half = u32::try_from(count / 2).unwrap_or(ID_COUNT).min(ID_COUNT);
    let guest = if half < ID_COUNT { half.saturating_sub(1) } else { half };
    Ids::Range { base: u32::try_from(first + count / 2).unwrap_or(1), count: guest.max(1) }
}

/// Builds the guest of `plan`.
///
/// # Errors
/// [`LaunchError`], with nothing left behind.
pub(crate) fn launch(plan: Plan, ids: Ids, in_place: Option<&InPlace>) -> Result<Launched, LaunchError> {
    let walled = plan.root != Root::Machine;
    let failed = |what: &str| {
        let what = what.to_owned();
        move |source: io::Error| LaunchError::Failed { what, source }
    };
    let (socket, theirs) = pair().map_err(failed("make a socket pair"))?;
    let handed = Handed { socket: theirs, mapped: matches!(ids, Ids::Range { .. }) };
    let flags = if walled {
        let network = if plan.walls.own_network { libc::CLONE_NEWNET } else { 0 };
        libc::CLONE_NEWUSER | libc::CLONE_NEWNS | libc::CLONE_NEWPID | libc::CLONE_NEWIPC | network
    } else {
        0
    };
    let pid = fork(&plan, &handed, flags).map_err(|source| refused("create namespaces", source, walled))?;
    drop(handed);
    let guard = Unfinished(pid);
    if walled {
        write_maps(pid, ids).map_err(|source| refused("map user ids", source, true))?;
    }
    baseline::apply(pid, plan.limits);
    let tree = match (in_place, ids) {
        (Some(in_place), Ids::Range { .. }) => Some(in_place.mapped(pid).map_err(|source| {
            let path = plan.root.path().to_owned();
            LaunchError::Unmapped { path, source }
        })?),
        _ => None,
    };
    let fds = in_place
        .map(|used| [tree.as_ref().map_or(used.dir(), AsFd::as_fd), used.record(), used.guest.as_fd()]);
    let go = Message::new(message::GO, 0, &[i32::from(tree.is_some())]);
    let fds = fds.as_ref().map_or(&[][..], |fds| &fds[..]);
    message::send(socket.as_fd(), go, &[], fds).map_err(failed("speak to the holder"))?;
    let root = await_ready(&socket, &plan)?;
    std::mem::forget(guard);
    let switch = match ids {
        Ids::Range { .. } => Switch::Numbers,
        Ids::Identity if rustix::process::geteuid().is_root() => Switch::Numbers,
        Ids::Identity => Switch::Never,
        Ids::Single { .. } => Switch::Nested,
    };
    let manner = Manner { switch, nested: plan.walls.nested, walled, memory: plan.limits.memory };
    Ok(Launched { socket, pid, manner, root })
}

/// A pair of sockets of which the first one does not wait for ever.
pub(super) fn pair() -> io::Result<(OwnedFd, OwnedFd)> {
    let (ours, theirs) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
    sockopt::set_socket_timeout(&ours, sockopt::Timeout::Recv, Some(DEADLINE))?;
    Ok((ours, theirs))
}

/// In the zygote where that will do, for one guest after another.
fn fork(plan: &Plan, handed: &Handed, flags: i32) -> io::Result<i32> {
    if plan.usual
        && let Some(forked) = zygote::hold(&plan.walls, plan.ground(), handed, flags)
    {
        return forked;
    }
    let (areas, mut walls) = (argument_areas(), plan.walls.clone());
    // A signal that arrives in the child before its handlers are gone would run the mock's.
    let mask = sys::block_signals();
    // SAFETY: the child goes straight into the holder, which keeps to system calls and never returns.
    let forked = unsafe { sys::fork_into(flags) };
    if matches!(forked, Ok(0)) {
        holder::run(&mut walls, plan.ground(), &handed.socket, handed.mapped, areas);
    }
    sys::set_signal_mask(&mask);
    forked
}

/// Where the kernel shows this process's arguments and environment; nowhere if it does not say.
pub(super) fn argument_areas() -> [(usize, usize); 2] {
    fs::read_to_string("/proc/self/stat").ok().and_then(|stat| areas(&stat)).unwrap_or_default()
}

fn write_maps(pid: i32, ids: Ids) -> io::Result<()> {
    let (uids, gids) = match ids {
        Ids::Identity => return Ok(()),
        Ids::Range { base, count } => {
            // The last one is the init's, which the guest's own namespace does not know.
            let map = format!("0 {base} {}", count.saturating_add(1));
            (map.clone(), map)
        }
        Ids::Single { uid, gid } => {
            fs::write(format!("/proc/{pid}/setgroups"), "deny")?;
            (format!("0 {uid} 1"), format!("0 {gid} 1"))
        }
    };
    fs::write(format!("/proc/{pid}/uid_map"), uids)?;
    fs::write(format!("/proc/{pid}/gid_map"), gids)
}

fn await_ready(socket: &OwnedFd, plan: &Plan) -> Result<OwnedFd, LaunchError> {
    let failed = |source| LaunchError::Failed { what: "wait for the guest to stand".into(), source };
    let received = message::receive(socket, &mut [0; message::PAYLOAD]).map_err(failed)?;
    let Some(received) = received else {
        return Err(failed(io::Error::new(io::ErrorKind::UnexpectedEof, "its holder died")));
    };
    let [stage, step, errno, ..] = received.message.args;
    if received.message.kind == message::READY
        && let [Some(root), ..] = received.fds
    {
        return Ok(root);
    }
    let source = io::Error::from_raw_os_error(errno);
    let step = usize::try_from(step).unwrap_or(usize::MAX);
    Err(match Stage::from_code(stage) {
        Some(Stage::Step) => {
            let mounts = plan.mounts_at(step) && source.raw_os_error() != Some(libc::ENOSPC);
            refused(&plan.describe(step), source, mounts)
        }
        Some(stage @ (Stage::Private | Stage::Nested)) => refused(&format!("{stage:?}"), source, true),
        Some(Stage::Sources) => {
            let path = plan.walls.sources.get(step).map(|source| source.path.to_string_lossy().into_owned());
            refused(&format!("show {}", path.unwrap_or_default()), source, true)
        }
        Some(Stage::Root) => refused(&format!("mount {}", plan.root_path.to_string_lossy()), source, false),
        Some(Stage::Network) => refused("bring up the guest's loopback", source, true),
        Some(Stage::Keyring) => refused("leave the session keyring of the mock", source, false),
        Some(Stage::Ids) if step == 2 => refused("filter the guest's system calls", source, true),
        stage => LaunchError::Failed { what: format!("{stage:?}"), source },
    })
}

/// Tells what the kernel forbids from what merely failed.
fn refused(what: &str, source: io::Error, walls: bool) -> LaunchError {
    let forbidden = matches!(
        source.raw_os_error(),
        Some(libc::EPERM | libc::EACCES | libc::ENOSPC | libc::ENOSYS | libc::EUSERS | libc::EINVAL)
    );
    let what = what.to_owned();
    if walls && forbidden {
        LaunchError::Forbidden { what, source }
    } else {
        LaunchError::Failed { what, source }
    }
}

/// The memory areas of arguments and environment: fields 48 to 51 of /proc/self/stat.
fn areas(stat: &str) -> Option<[(usize, usize); 2]> {
    let mut fields =
        stat.rsplit_once(')')?.1.split_whitespace().skip(45).map(|word| word.parse::<usize>().ok());
    let mut next = || fields.next().flatten();
    Some([(next()?, next()?), (next()?, next()?)])
}

/// A holder whose launch did not come to its end.
struct Unfinished(i32);

impl Drop for Unfinished {
    fn drop(&mut self) {
        let _ = sys::kill(self.0, libc::SIGKILL);
        sys::wait_for(self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_map_gives_the_high_range() {
        assert_eq!(
            range("         0          0 4294967295\n"),
            Ids::Range { base: FIRST_ID, count: ID_COUNT }
        );
    }

    #[test]
    fn a_small_map_gives_its_upper_half() {
        assert_eq!(range("0 100000 65536\n"), Ids::Range { base: 32_768, count: 32_767 });
    }

    #[test]
    fn the_areas_are_fields_48_to_51() {
        let stat = format!(
            "7 (a) b) S {} 48 49 50 51 52",
            (4..=47).map(|n| n.to_string()).collect::<Vec<_>>().join(" ")
        );
        assert_eq!(areas(&stat), Some([(48, 49), (50, 51)]));
    }

    #[test]
    fn the_message_of_a_refusal_names_the_ways_out() {
        let error = refused("create namespaces", io::Error::from_raw_os_error(libc::EPERM), true);
        insta::assert_snapshot!(error);
    }
}
