//! Who owns what: for real where the kernel allows it, otherwise kept in a record and reported as if it were.
//! The record knows files by device, inode and time of birth, so a name that is taken again inherits nothing.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::os::fd::BorrowedFd;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::fs::{Gid, Uid};
use rustix::io::Errno;

use super::os::{Meta, system};
use super::root::{Tree, meta_of};
use crate::guest::users::User;

/// Files whose owner is kept; beyond that the oldest are forgotten.
const KEPT: usize = 1 << 18;

/// A user and a group, as ids of the guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Owner {
    pub(crate) uid: u32,
    pub(crate) gid: u32,
}

impl Owner {
    pub(crate) const ROOT: Self = Self { uid: 0, gid: 0 };

    /// To chown(2), these ids mean "leave it as it is".
    fn is_none(self) -> bool {
        self.uid == u32::MAX || self.gid == u32::MAX
    }
}

impl From<&User> for Owner {
    fn from(user: &User) -> Self {
        Self { uid: user.uid, gid: user.gid }
    }
}

type Key = ((u32, u32), u64, (i64, u32));

/// Owners that are not real.
#[derive(Debug, Default)]
pub(super) struct Owners(Mutex<Record>);

#[derive(Debug, Default)]
struct Record {
    owners: HashMap<Key, Owner>,
    order: VecDeque<Key>,
}

impl Owners {
    fn lock(&self) -> MutexGuard<'_, Record> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn get(&self, meta: &Meta) -> Option<Owner> {
        self.lock().owners.get(&key(meta)).copied()
    }

    fn keep(&self, meta: &Meta, owner: Owner) {
        let mut record = self.lock();
        if record.owners.insert(key(meta), owner).is_none() {
            record.order.push_back(key(meta));
        }
        while record.order.len() > KEPT {
            if let Some(oldest) = record.order.pop_front() {
                record.owners.remove(&oldest);
            }
        }
    }

    pub(super) fn forget(&self, meta: &Meta) {
        let mut record = self.lock();
        if record.owners.remove(&key(meta)).is_some() {
            record.order.retain(|kept| *kept != key(meta));
        }
    }
}

impl Tree {
    /// The owner of a file, as the guest is told.
    pub(super) fn owner_of(&self, meta: &Meta) -> Owner {
        let real =
            || Owner { uid: self.ids().to_guest_uid(meta.uid), gid: self.ids().to_guest_gid(meta.gid) };
        self.owners.get(meta).unwrap_or_else(real)
    }

    /// Makes `owner` the owner of what `fd` stands for, in the record where it cannot be real.
    pub(super) fn give(&self, fd: BorrowedFd<'_>, owner: Owner) -> io::Result<()> {
        if owner.is_none() {
            return Err(Errno::INVAL.into());
        }
        let meta = meta_of(fd)?;
        let real = match (self.ids().to_host_uid(owner.uid), self.ids().to_host_gid(owner.gid)) {
            (Some(uid), Some(gid)) => chown(fd, &meta, uid, gid)?,
            _ => {
                self.give_to_guest_root(fd, &meta)?;
                false
            }
        };
        if real {
            self.owners.forget(&meta);
        } else {
            self.owners.keep(&meta, owner);
        }
        Ok(())
    }

    /// As [`Tree::give`], for what was made this moment: without a record nothing needs to be looked up where the kernel
    /// does as it is told.
    pub(super) fn give_new(&self, fd: BorrowedFd<'_>, owner: Owner) -> io::Result<()> {
        if !owner.is_none()
            && self.owners.lock().owners.is_empty()
            && let (Some(uid), Some(gid)) =
                (self.ids().to_host_uid(owner.uid), self.ids().to_host_gid(owner.gid))
            && system::chown(fd, Uid::from_raw(uid), Gid::from_raw(gid)).is_ok()
        {
            return Ok(());
        }
        self.give(fd, owner)
    }

    /// What cannot belong to whom it should must at least not belong to the host's root.
    fn give_to_guest_root(&self, fd: BorrowedFd<'_>, meta: &Meta) -> io::Result<()> {
        match (self.ids().to_host_uid(0), self.ids().to_host_gid(0)) {
            (Some(uid), Some(gid)) => chown(fd, meta, uid, gid).map(drop),
            _ => Ok(()),
        }
    }
}

/// Whether the owner is now that one; `false` where the kernel does not let the mock decide it.
fn chown(fd: BorrowedFd<'_>, meta: &Meta, uid: u32, gid: u32) -> io::Result<bool> {
    if (meta.uid, meta.gid) == (uid, gid) {
        return Ok(true);
    }
    match system::chown(fd, Uid::from_raw(uid), Gid::from_raw(gid)) {
        Ok(()) => Ok(true),
        Err(Errno::PERM | Errno::INVAL | Errno::NOTSUP) => Ok(false),
        Err(other) => Err(other.into()),
    }
}

fn key(meta: &Meta) -> Key {
    (meta.device, meta.inode, meta.born)
}
