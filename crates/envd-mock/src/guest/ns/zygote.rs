//! The zygote: a process of one thread that the mock forks before its second guest, and that forks all later holders
//! and janitors in its place, as children of the mock. Forks of a process with threads hold all of them up, and for a
//! moment such a child holds the ends of other guests' pipes. The zygote itself allocates nothing, and ends with the mock.

use std::ffi::CStr;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::io::Errno;
use rustix::process::setsid;

use super::holder::{self, Handed};
use super::janitor;
use super::launch::{argument_areas, pair};
use super::message::{self, Message};
use super::plan::{Ground, Walls};
use super::sys;

static ZYGOTE: Mutex<State> = Mutex::new(State::Unasked);

/// What has become of this process's zygote.
enum State {
    /// Nobody has asked for a second guest yet.
    Unasked,
    /// One guest was made without it.
    Once,
    Up(Zygote),
    /// It cannot be had, or was lost: everything is forked from the mock itself.
    Lost,
}

struct Zygote {
    socket: OwnedFd,
    pid: i32,
    /// The process that forked it: a copy of that one has no claim to it.
    mock: u32,
    /// What all of its guests have around them.
    walls: Walls,
}

/// Forks a holder of such walls; `None` when that must be done without a zygote.
pub(super) fn hold(
    walls: &Walls,
    ground: Ground<'_>,
    handed: &Handed,
    flags: i32,
) -> Option<io::Result<i32>> {
    let (kind, path, data) = match ground {
        Ground::Machine => return None,
        Ground::Dir(path) => (DIR, path, c""),
        Ground::Disk(path, data) => (DISK, path, data),
    };
    let payload = [path.to_bytes_with_nul(), data.to_bytes_with_nul()].concat();
    let mut state = state();
    if matches!(*state, State::Unasked) {
        *state = State::Once;
        return None;
    }
    if matches!(*state, State::Once) {
        *state = Zygote::new(walls.clone()).map_or(State::Lost, State::Up);
    }
    let zygote = own(&state)?;
    if payload.len() > message::PAYLOAD || zygote.walls != *walls {
        return None;
    }
    let args = [kind, i32::from(handed.mapped), flags];
    let answer = zygote.ask(message::HOLD, &args, &payload, &[handed.socket.as_fd()]);
    or_lost(&mut state, answer)
}

/// Forks a janitor of `dir`; `None` when that must be done without a zygote.
pub(super) fn watch(dir: &CStr, fds: &[BorrowedFd<'_>]) -> Option<io::Result<i32>> {
    let mut state = state();
    let zygote = own(&state)?;
    let payload = dir.to_bytes_with_nul();
    if payload.len() > message::PAYLOAD {
        return None;
    }
    let answer = zygote.ask(message::WATCH, &[], payload, fds);
    or_lost(&mut state, answer)
}

fn state() -> MutexGuard<'static, State> {
    ZYGOTE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn own(state: &State) -> Option<&Zygote> {
    match state {
        State::Up(zygote) if zygote.mock == std::process::id() => Some(zygote),
        _ => None,
    }
}

/// What the zygote answered. One that is gone is given up, and what it was asked is done without it; one that fell
/// silent may have done it.
fn or_lost(state: &mut State, answer: Result<io::Result<i32>, Lost>) -> Option<io::Result<i32>> {
    let silent = || io::Error::new(io::ErrorKind::BrokenPipe, "the process that forks guests was lost");
    let lost = match answer {
        Ok(answer) => return Some(answer),
        Err(lost) => lost,
    };
    *state = State::Lost;
    matches!(lost, Lost::Silent).then(|| Err(silent()))
}

/// Why a zygote does not answer.
enum Lost {
    /// It has not been asked.
    Gone,
    Silent,
}

impl Zygote {
    fn new(walls: Walls) -> Option<Self> {
        let (socket, theirs) = pair().ok()?;
        let areas = argument_areas();
        let mut copy = walls.clone();
        let mask = sys::block_signals();
        // SAFETY: the child goes straight into `tend`, which keeps to system calls and never returns.
        let forked = unsafe { sys::fork_into(0) };
        if matches!(forked, Ok(0)) {
            tend(&theirs, &mut copy, areas);
        }
        sys::set_signal_mask(&mask);
        Some(Self { socket, pid: forked.ok()?, mock: std::process::id(), walls })
    }

    /// The child's number, or why there is none.
    fn ask(
        &self,
        kind: u32,
        args: &[i32],
        payload: &[u8],
        fds: &[BorrowedFd<'_>],
    ) -> Result<io::Result<i32>, Lost> {
        let asked = Message::new(kind, 0, args);
        message::send(self.socket.as_fd(), asked, payload, fds).map_err(|_| Lost::Gone)?;
        match message::receive(&self.socket, &mut [0; message::PAYLOAD]) {
            Ok(Some(received)) => {
                let word = received.message.args[0];
                Ok(if word < 0 { Err(io::Error::from_raw_os_error(-word)) } else { Ok(word) })
            }
            _ => Err(Lost::Silent),
        }
    }
}

impl Drop for Zygote {
    fn drop(&mut self) {
        if self.mock == std::process::id() {
            let _ = sys::kill(self.pid, libc::SIGKILL);
            sys::wait_for(self.pid);
        }
    }
}

const DIR: i32 = 0;
const DISK: i32 = 1;

/// The life of the zygote; never returns to the mock's code. All signals stay blocked: it ends when the mock does.
fn tend(socket: &OwnedFd, walls: &mut Walls, areas: [(usize, usize); 2]) -> ! {
    let Some(socket) = holder::keep_only(socket) else { sys::exit(1) };
    sys::default_signals();
    let _ = setsid();
    let _ = rustix::process::chdir("/");
    sys::rename(areas, c"envd-mock");
    let _ = rustix::thread::set_name(c"envd-zygote");
    let mut payload = [0; message::PAYLOAD];
    loop {
        match message::receive(&socket, &mut payload) {
            Ok(Some(received)) => {
                let forked = serve(&received, &payload[..received.payload], walls, areas);
                let word = forked.unwrap_or_else(|error| -error.raw_os_error().unwrap_or(libc::EIO));
                let answer = Message::new(message::ANSWER, 0, &[word]);
                if message::send(socket.as_fd(), answer, &[], &[]).is_err() {
                    sys::exit(1);
                }
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Ok(None) | Err(_) => sys::exit(0),
        }
    }
}

fn serve(
    received: &message::Received,
    payload: &[u8],
    walls: &mut Walls,
    areas: [(usize, usize); 2],
) -> io::Result<i32> {
    let text = |bytes| CStr::from_bytes_until_nul(bytes).map_err(|_| io::Error::from(Errno::INVAL));
    let path = text(payload)?;
    let Some(first) = &received.fds[0] else { return Err(Errno::BADF.into()) };
    let [kind, mapped, flags, ..] = received.message.args;
    match received.message.kind {
        message::HOLD => {
            let data = text(&payload[path.to_bytes_with_nul().len()..])?;
            let ground = if kind == DISK { Ground::Disk(path, data) } else { Ground::Dir(path) };
            // SAFETY: the child goes straight into the holder, which keeps to system calls and never returns.
            let pid = unsafe { sys::fork_into(flags | libc::CLONE_PARENT) }?;
            if pid == 0 {
                holder::run(walls, ground, first, mapped != 0, areas);
            }
            Ok(pid)
        }
        message::WATCH => {
            let [Some(watch), Some(dir), Some(mark), Some(holder)] = &received.fds else {
                return Err(Errno::BADF.into());
            };
            // SAFETY: the child makes system calls only and never returns.
            let pid = unsafe { sys::fork_into(libc::CLONE_PARENT) }?;
            if pid == 0 {
                janitor::wait_and_remove([watch, dir, mark, holder].map(AsFd::as_fd), path);
            }
            Ok(pid)
        }
        _ => Err(Errno::NOSYS.into()),
    }
}
