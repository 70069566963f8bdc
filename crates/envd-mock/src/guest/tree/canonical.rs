//! The canonical path of what a path leads to, as the guest would find it: link by link, in text, each step checked
//! against the tree by descriptor.

use std::io;
use std::os::fd::{AsFd as _, OwnedFd};

use rustix::fs::{FileType, OFlags};
use rustix::io::Errno;

use super::os::{LOOK, Resolve, system};
use super::root::{Tree, meta_of};

/// Links followed before a path counts as a loop, as in the kernel.
const LINKS: usize = 40;

impl Tree {
    /// The path without links, `.` and `..` that `path` leads to.
    ///
    /// # Errors
    /// Those of the kernel: ENOENT, ENOTDIR, ELOOP, EACCES, ENAMETOOLONG.
    pub(crate) fn canonical(&self, path: &[u8]) -> io::Result<Vec<u8>> {
        self.locate_target(path)?;
        let mut found: Vec<u8> = Vec::new();
        let mut rest = components(path);
        let mut links = 0;
        while let Some(name) = rest.pop() {
            match name.as_slice() {
                b".." => found.truncate(found.iter().rposition(|&byte| byte == b'/').unwrap_or(0)),
                name => {
                    let parent = found.len();
                    found.push(b'/');
                    found.extend_from_slice(name);
                    if let Some(target) = self.link_at(&found)? {
                        links += 1;
                        if links > LINKS {
                            return Err(Errno::LOOP.into());
                        }
                        found.truncate(if target.starts_with(b"/") { 0 } else { parent });
                        rest.extend(components(&target));
                    }
                }
            }
        }
        if found.is_empty() {
            found.push(b'/');
        }
        Ok(found)
    }

    /// What the link at a path whose parents are no links points to; `None` for anything else.
    fn link_at(&self, path: &[u8]) -> io::Result<Option<Vec<u8>>> {
        let fd = self.locate_plain(path)?;
        if meta_of(&fd)?.kind != FileType::Symlink {
            return Ok(None);
        }
        Ok(Some(system::read_link(fd.as_fd())?))
    }

    fn locate_plain(&self, path: &[u8]) -> io::Result<OwnedFd> {
        self.open_with(path, LOOK | OFlags::NOFOLLOW, Resolve::InRootPlain)
    }
}

/// The components in reverse, without empty ones and `.`.
fn components(path: &[u8]) -> Vec<Vec<u8>> {
    path.split(|&byte| byte == b'/')
        .filter(|name| !matches!(*name, b"" | b"."))
        .map(<[u8]>::to_vec)
        .rev()
        .collect()
}
