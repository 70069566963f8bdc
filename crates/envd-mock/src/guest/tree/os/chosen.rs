//! In tests on Linux each thread chooses which layer its trees are on: the kernel's, or the portable one.

use std::cell::Cell;
use std::ffi::CStr;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{Gid, OFlags, Uid};
use rustix::io::Result;

use super::{Meta, Resolve, linux, portable};

/// Who does what the tree asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Layer {
    Kernel,
    Portable,
}

thread_local! {
    static LAYER: Cell<Layer> = const { Cell::new(Layer::Kernel) };
}

impl Layer {
    /// In this thread, as long as what is returned is held.
    pub(crate) fn choose(self) -> Chosen {
        LAYER.set(self);
        Chosen
    }
}

/// Puts the kernel's layer back on drop.
#[derive(Debug)]
pub(crate) struct Chosen;

impl Drop for Chosen {
    fn drop(&mut self) {
        LAYER.set(Layer::Kernel);
    }
}

macro_rules! either {
    ($($name:ident($($arg:ident: $type:ty),*) -> $result:ty;)*) => {$(
        pub(in crate::guest::tree) fn $name($($arg: $type),*) -> Result<$result> {
            match LAYER.get() {
                Layer::Kernel => linux::$name($($arg),*),
                Layer::Portable => portable::$name($($arg),*),
            }
        }
    )*};
}

either! {
    open(dir: BorrowedFd<'_>, path: &CStr, flags: OFlags, resolve: Resolve) -> OwnedFd;
    meta_of(fd: BorrowedFd<'_>) -> Meta;
    meta_at(dir: BorrowedFd<'_>, name: &CStr) -> Meta;
    reopen(fd: BorrowedFd<'_>, flags: OFlags) -> OwnedFd;
    read_link(fd: BorrowedFd<'_>) -> Vec<u8>;
    chown(fd: BorrowedFd<'_>, uid: Uid, gid: Gid) -> ();
    chmod(fd: BorrowedFd<'_>, bits: u32) -> ();
    chmod_dir(dir: BorrowedFd<'_>, name: &CStr, bits: u32) -> ();
    nameless(dir: BorrowedFd<'_>, bits: u32) -> OwnedFd;
    name(file: BorrowedFd<'_>, dir: BorrowedFd<'_>, name: &CStr) -> ();
    make_room(file: BorrowedFd<'_>, offset: u64, len: u64) -> ();
    open_root(path: &Path) -> OwnedFd;
    file_system(fd: BorrowedFd<'_>) -> (u64, bool);
    stamp_time() -> (i64, u32);
}
