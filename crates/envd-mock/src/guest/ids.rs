//! How the guest's user and group ids and the kernel's relate. Arithmetic only: who may change an owner, and
//! where an owner is kept that the kernel refuses, is the tree's.

/// What an id without a counterpart in the guest reads as, as in the kernel.
const OVERFLOW: u32 = 65_534;

/// The relation of the ids inside and outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ids {
    /// The guest's ids are the kernel's.
    Identity,
    /// Guest ids below `count` are the kernel's from `base` on.
    #[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "without walls no ids are mapped"))]
    Range { base: u32, count: u32 },
    /// Guest root is the mock's own unprivileged user; no other owner can be real.
    Single { uid: u32, gid: u32 },
}

impl Ids {
    /// The kernel's user id for the guest's, `None` when there is none.
    pub(crate) fn to_host_uid(self, guest: u32) -> Option<u32> {
        match self {
            Self::Single { uid, .. } => (guest == 0).then_some(uid),
            _ => self.ranged(guest),
        }
    }

    /// The kernel's group id for the guest's, `None` when there is none.
    pub(crate) fn to_host_gid(self, guest: u32) -> Option<u32> {
        match self {
            Self::Single { gid, .. } => (guest == 0).then_some(gid),
            _ => self.ranged(guest),
        }
    }

    /// The guest's user id for the kernel's; the host's root reads as root, because it owns what is shown of it.
    pub(crate) fn to_guest_uid(self, host: u32) -> u32 {
        match self {
            Self::Single { uid, .. } if host == uid => 0,
            _ => self.unranged(host),
        }
    }

    /// The guest's group id for the kernel's.
    pub(crate) fn to_guest_gid(self, host: u32) -> u32 {
        match self {
            Self::Single { gid, .. } if host == gid => 0,
            _ => self.unranged(host),
        }
    }

    fn ranged(self, guest: u32) -> Option<u32> {
        match self {
            Self::Identity => Some(guest),
            Self::Range { base, count } => (guest < count).then(|| base.checked_add(guest)).flatten(),
            Self::Single { .. } => None,
        }
    }

    fn unranged(self, host: u32) -> u32 {
        match self {
            Self::Identity => host,
            Self::Range { base, count } if host.wrapping_sub(base) < count => host.wrapping_sub(base),
            _ if host == 0 => 0,
            _ => OVERFLOW,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_maps_there_and_back() {
        let ids = Ids::Range { base: 100_000, count: 65_536 };
        assert_eq!(ids.to_host_uid(1000), Some(101_000));
        assert_eq!(ids.to_guest_uid(101_000), 1000);
        assert_eq!(ids.to_host_gid(65_536), None);
        assert_eq!((ids.to_guest_uid(0), ids.to_guest_gid(5)), (0, OVERFLOW));
    }

    #[test]
    fn a_single_id_knows_only_root() {
        let ids = Ids::Single { uid: 1001, gid: 1002 };
        assert_eq!((ids.to_host_uid(0), ids.to_host_gid(0)), (Some(1001), Some(1002)));
        assert_eq!(ids.to_host_uid(1000), None);
        assert_eq!((ids.to_guest_uid(1001), ids.to_guest_gid(1002), ids.to_guest_uid(7)), (0, 0, OVERFLOW));
    }
}
