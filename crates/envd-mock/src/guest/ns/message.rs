//! What the mock and the holder say to each other: fixed records over a socket pair that keeps message
//! boundaries, with descriptors beside them. Knows no behaviour.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags, recvmsg, sendmsg,
};

/// The most descriptors that go beside one message.
pub(super) const MAX_FDS: usize = 4;
/// The most bytes of a message behind its header: a path, with the NUL that ends it.
pub(super) const PAYLOAD: usize = 4096;
const WORDS: usize = 6;
const HEADER: usize = 4 * (2 + WORDS);

/// To the holder: the maps are written, go on.
pub(super) const GO: u32 = 1;
/// To the holder: run a command; a spawn block and the three standard descriptors are beside it.
pub(super) const SPAWN: u32 = 2;
/// To the holder: send signal `args[1]` to the command `args[0]`, to its group when negative. Signal 0 only asks whether
/// there is anyone, whoever that is.
pub(super) const KILL: u32 = 3;
/// To the holder: open the path in the payload with flags `args[0]` and mode `args[1]`.
pub(super) const OPEN: u32 = 4;
/// To the zygote: fork a holder for this socket; `args` are the kind of ground, whether ids are mapped, and flags for
/// clone(2), the payload is where the tree lies and the options of its disk.
pub(super) const HOLD: u32 = 5;
/// To the zygote: fork a janitor for the directory in the payload; the pipe from the mock is beside it, and the
/// holder's descriptor, should there be one.
pub(super) const WATCH: u32 = 6;
/// To the holder: command `args[0]`, whose end was reported, is not listed any more; its number may be used again.
pub(super) const RELEASE: u32 = 7;
/// From the holder: the guest stands; its root directory is beside it.
pub(super) const READY: u32 = 16;
/// From the holder: stage `args[0]`, step `args[1]` failed with errno `args[2]`; the holder has ended.
pub(super) const FAILED: u32 = 17;
/// The answer to a request: `args[0]` is the result or a negative errno.
pub(super) const ANSWER: u32 = 18;
/// From the holder: process `args[0]` ended with wait status `args[1]`, and stays a zombie until it is released.
pub(super) const EXITED: u32 = 19;

/// One message without its descriptors and payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Message {
    pub(super) kind: u32,
    pub(super) id: u32,
    pub(super) args: [i32; WORDS],
}

impl Message {
    pub(super) fn new(kind: u32, id: u32, args: &[i32]) -> Self {
        let mut all = [0; WORDS];
        all[..args.len()].copy_from_slice(args);
        Self { kind, id, args: all }
    }

    fn to_bytes(self) -> [u8; HEADER] {
        let mut out = [0; HEADER];
        out[..4].copy_from_slice(&self.kind.to_ne_bytes());
        out[4..8].copy_from_slice(&self.id.to_ne_bytes());
        for (slot, arg) in out[8..].chunks_exact_mut(4).zip(self.args) {
            slot.copy_from_slice(&arg.to_ne_bytes());
        }
        out
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let word = |n: usize| Some(u32::from_ne_bytes(bytes.get(4 * n..4 * n + 4)?.try_into().ok()?));
        let mut args = [0; WORDS];
        for (n, arg) in args.iter_mut().enumerate() {
            *arg = word(n + 2)?.cast_signed();
        }
        Some(Self { kind: word(0)?, id: word(1)?, args })
    }
}

/// Sends one message whole. Allocates nothing, so that the holder may call it.
pub(super) fn send(
    socket: BorrowedFd<'_>,
    message: Message,
    payload: &[u8],
    fds: &[BorrowedFd<'_>],
) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_FDS))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !fds.is_empty() {
        control.push(SendAncillaryMessage::ScmRights(fds));
    }
    let head = message.to_bytes();
    sendmsg(socket, &[IoSlice::new(&head), IoSlice::new(payload)], &mut control, SendFlags::NOSIGNAL)?;
    Ok(())
}

/// What [`receive`] took: the message, how much payload lies in the caller's buffer, and the descriptors.
pub(super) struct Received {
    pub(super) message: Message,
    pub(super) payload: usize,
    pub(super) fds: [Option<OwnedFd>; MAX_FDS],
}

/// Takes one message; `None` when the other side is gone. Allocates nothing.
pub(super) fn receive(socket: impl AsFd, payload: &mut [u8; PAYLOAD]) -> io::Result<Option<Received>> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_FDS))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut head = [0; HEADER];
    let mut parts = [IoSliceMut::new(&mut head), IoSliceMut::new(payload)];
    let got = recvmsg(socket, &mut parts, &mut control, RecvFlags::CMSG_CLOEXEC)?;
    let mut fds = [const { None }; MAX_FDS];
    for held in control.drain() {
        if let RecvAncillaryMessage::ScmRights(list) = held {
            for (slot, fd) in fds.iter_mut().zip(list) {
                *slot = Some(fd);
            }
        }
    }
    let Some(message) = (got.bytes >= HEADER).then(|| Message::from_bytes(&head)).flatten() else {
        return Ok(None);
    };
    Ok(Some(Received { message, payload: got.bytes - HEADER, fds }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_message_is_read_as_it_was_written(kind in any::<u32>(), id in any::<u32>(), args in any::<[i32; WORDS]>()) {
            let message = Message { kind, id, args };
            prop_assert_eq!(Message::from_bytes(&message.to_bytes()), Some(message));
        }
    }
}
