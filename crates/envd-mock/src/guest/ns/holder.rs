//! The holder: init of the guest's namespaces. It starts commands, tells of their ends, and ends when the mock
//! does, which ends everything in the guest. Single-threaded, forked from a threaded process: it allocates
//! nothing.

use std::ffi::CStr;
use std::io;
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, OwnedFd};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::process::{DumpableBehavior, set_child_subreaper, set_dumpable_behavior, setsid};

use super::children::{Children, Orphans};
use super::message::{self, Message};
use super::plan::{Ground, Walls};
use super::setup::{self, Failure, Handover, Stage, Tree};
use super::{set_ids, spawn, sys};

/// How long orphans that have ended may wait behind a command that is not released yet.
const HIDDEN: Timespec = Timespec { tv_sec: 0, tv_nsec: 20_000_000 };

/// What the launcher hands to the child besides the plan.
pub(super) struct Handed {
    pub(super) socket: OwnedFd,
    /// Ids come from a range, of which the holder takes 0.
    pub(super) mapped: bool,
}

/// The life of the holder; never returns to the mock's code. `areas` are where the kernel shows this process's arguments
/// and environment.
pub(super) fn run(
    walls: &mut Walls,
    ground: Ground<'_>,
    socket: &OwnedFd,
    mapped: bool,
    areas: [(usize, usize); 2],
) -> ! {
    // First of all: until then this process, too, holds the ends of other guests' pipes.
    let Some(socket) = keep_only(socket) else { sys::exit(1) };
    sys::default_signals();
    if let Err(failure) = begin(walls, ground, mapped, areas, &socket) {
        let args = [failure.stage as i32, failure.step as i32, failure.errno];
        let _ = message::send(socket.as_fd(), Message::new(message::FAILED, 0, &args), &[], &[]);
        sys::exit(1);
    }
    if let Ok(events) = sys::child_events() {
        serve(walls, &socket, &events);
    }
    if ground == Ground::Machine {
        end_descendants();
    }
    sys::exit(0)
}

/// Moves the socket to descriptor 3 and closes all else that was the mock's.
pub(super) fn keep_only(socket: &OwnedFd) -> Option<OwnedFd> {
    // All else goes first, so that few descriptors are enough.
    sys::close_but(socket.as_raw_fd());
    let null = rustix::fs::open("/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty()).ok()?;
    let high = rustix::io::fcntl_dupfd_cloexec(socket, 4).ok()?;
    for fd in 0..3 {
        // SAFETY: the three standard descriptors of this process are replaced, which nobody else here owns.
        unsafe { libc::dup2(null.as_raw_fd(), fd) };
    }
    std::mem::forget(null);
    // SAFETY: 3 is given to the socket; everything above is closed next.
    let three = unsafe {
        libc::dup3(high.as_raw_fd(), 3, libc::O_CLOEXEC);
        std::os::fd::FromRawFd::from_raw_fd(3)
    };
    std::mem::forget(high);
    sys::close_from(4);
    Some(three)
}

fn begin(
    walls: &mut Walls,
    ground: Ground<'_>,
    mapped: bool,
    areas: [(usize, usize); 2],
    socket: &OwnedFd,
) -> Result<(), Failure> {
    let failed = |errno: Errno| Failure { stage: Stage::Handover, step: 1, errno: errno.raw_os_error() };
    let mut payload = [0; message::PAYLOAD];
    let (ready, [tree, record, guest, _]) = match message::receive(socket, &mut payload) {
        Ok(Some(received)) if received.message.kind == message::GO => {
            (received.message.args[0] != 0, received.fds)
        }
        _ => sys::exit(1),
    };
    // Held until this process ends: then the guest has.
    std::mem::forget(guest);
    let in_place = record.is_some();
    let tree = tree.map(|tree| if ready { Tree::Mount(tree) } else { Tree::Same(tree) });
    let _ = setsid();
    if ground == Ground::Machine {
        set_child_subreaper(Some(rustix::process::getpid())).map_err(failed)?;
    }
    setup::build(walls, Handover { ground, mapped, tree, record })?;
    if ground != Ground::Machine && in_place {
        set_ids::forbid().map_err(|error| failed(Errno::from_io_error(&error).unwrap_or(Errno::IO)))?;
    }
    sys::rename(areas, c"envd");
    let _ = rustix::thread::set_name(c"envd");
    // What the mock had in memory is not for the guest's eyes, root's or not.
    set_dumpable_behavior(DumpableBehavior::NotDumpable).map_err(failed)?;
    let root = setup::open_root()?;
    let ready = Message::new(message::READY, 0, &[]);
    message::send(socket.as_fd(), ready, &[], &[root.as_fd()]).map_err(|_| failed(Errno::IO))
}

/// Answers requests and reports ends until the mock is gone.
fn serve(walls: &Walls, socket: &OwnedFd, events: &OwnedFd) {
    let (mut payload, mut children) = ([0; message::PAYLOAD], Children::new());
    let mut orphans = Orphans::Reaped;
    loop {
        let mut fds = [PollFd::new(socket, PollFlags::IN), PollFd::new(events, PollFlags::IN)];
        let timeout = (orphans == Orphans::Hidden).then_some(&HIDDEN);
        match poll(&mut fds, timeout) {
            Err(Errno::INTR) => continue,
            Err(_) => return,
            Ok(0) => {
                children.reap_hidden();
                orphans = Orphans::Reaped;
                continue;
            }
            Ok(_) => {}
        }
        let (asked, ended) = (!fds[0].revents().is_empty(), !fds[1].revents().is_empty());
        let mut released = false;
        if asked {
            match message::receive(socket, &mut payload) {
                Ok(Some(received)) => {
                    released = received.message.kind == message::RELEASE;
                    answer(walls, socket, &mut children, received, &payload);
                }
                Ok(None) => return,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return,
            }
        }
        if ended {
            let mut drained = [0; 1024];
            while rustix::io::read(events, &mut drained).is_ok_and(|read| read == drained.len()) {}
        }
        if ended || (released && orphans == Orphans::Hidden) {
            orphans = report_ends(socket, &mut children);
        }
    }
}

fn report_ends(socket: &OwnedFd, children: &mut Children) -> Orphans {
    children.look(|pid, status| {
        let _ = message::send(socket.as_fd(), Message::new(message::EXITED, 0, &[pid, status]), &[], &[]);
    })
}

fn answer(
    walls: &Walls,
    socket: &OwnedFd,
    children: &mut Children,
    received: message::Received,
    payload: &[u8],
) {
    let Message { kind, id, args } = received.message;
    let mut opened = None;
    let result = match kind {
        message::SPAWN => start(walls, children, &received),
        message::KILL => signal(children, args[0], args[1]).map(|()| 0),
        message::RELEASE => children.release(args[0]).map(|()| 0),
        message::OPEN => open(&payload[..received.payload], args).map(|fd| {
            opened = Some(fd);
            0
        }),
        _ => Err(Errno::NOSYS.into()),
    };
    // Before anyone hears that the command runs: an end of its pipes that is held here keeps them from breaking.
    drop(received.fds);
    let word = result.unwrap_or_else(|error| -error.raw_os_error().unwrap_or(libc::EIO));
    let fds: &[BorrowedFd<'_>] = match &opened {
        Some(fd) => &[fd.as_fd()],
        None => &[],
    };
    let _ = message::send(socket.as_fd(), Message::new(message::ANSWER, id, &[word]), &[], fds);
}

fn start(walls: &Walls, children: &mut Children, received: &message::Received) -> io::Result<i32> {
    let [Some(block), Some(input), Some(output), Some(error)] = &received.fds else {
        return Err(Errno::BADF.into());
    };
    children.reserve()?;
    let pid = spawn::spawn(block, [input.as_fd(), output.as_fd(), error.as_fd()], &walls.nested_fds)?;
    children.keep(pid);
    Ok(pid)
}

/// A command that was released may have left its number to somebody else.
fn signal(children: &mut Children, target: i32, signal: i32) -> io::Result<()> {
    if signal != 0 && !children.has(target.wrapping_abs()) {
        return Err(Errno::SRCH.into());
    }
    sys::kill(target, signal)
}

fn open(path: &[u8], args: [i32; 6]) -> io::Result<OwnedFd> {
    let path = CStr::from_bytes_until_nul(path).map_err(|_| io::Error::from(Errno::INVAL))?;
    let flags = OFlags::from_bits_retain(args[0].cast_unsigned())
        | OFlags::CLOEXEC
        | OFlags::NONBLOCK
        | OFlags::NOCTTY;
    Ok(rustix::fs::open(path, flags, Mode::from_raw_mode(args[1].cast_unsigned()))?)
}

/// Without a PID namespace: kills what this process started, generation by generation, until none is left.
/// Orphans come to it because it is a subreaper.
fn end_descendants() {
    loop {
        let mut children = [0; 4096];
        let file =
            rustix::fs::open("/proc/thread-self/children", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty());
        let read = file.and_then(|file| rustix::io::read(&file, &mut children)).unwrap_or(0);
        if read == 0 {
            return;
        }
        // Each number is followed by a space; a last one without it was cut.
        let whole = children[..read].iter().rposition(|&byte| byte == b' ').unwrap_or(0);
        for word in children[..whole].split(|&byte| byte == b' ') {
            if let Some(pid) = std::str::from_utf8(word).ok().and_then(|text| text.parse::<i32>().ok()) {
                let _ = sys::kill(-pid, libc::SIGKILL);
                let _ = sys::kill(pid, libc::SIGKILL);
            }
        }
        if !sys::reap() {
            return;
        }
    }
}
