//! Tests of the tree over temporary directories, as root and as anybody else. They are in the crate twice: what holds
//! of the kernel's resolution holds of the portable one.

mod escape;
mod files;
mod names;
mod owners;

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::sync::Arc;

use super::os::{Chosen, Layer};
use super::{Owner, Tree};
use crate::guest::ids::Ids;

/// A tree and, beside it, a directory of the host that nothing in it may touch.
struct Setup {
    dir: tempfile::TempDir,
    tree: Arc<Tree>,
    _layer: Chosen,
}

/// Whose resolution is tested here.
fn layer() -> Layer {
    if module_path!().contains("::portable_tests") { Layer::Portable } else { Layer::Kernel }
}

/// The machine as a tree.
fn machine() -> (Arc<Tree>, Chosen) {
    let chosen = layer().choose();
    let root = std::fs::File::open("/").unwrap();
    (Arc::new(Tree::new(root.into(), Ids::Identity, None).unwrap()), chosen)
}

impl Setup {
    fn new() -> Self {
        Self::with(Ids::Identity)
    }

    fn with(ids: Ids) -> Self {
        let dir = tempfile::tempdir().unwrap();
        for name in ["root", "outside"] {
            std::fs::create_dir(dir.path().join(name)).unwrap();
        }
        std::fs::write(dir.path().join("outside/secret"), "secret").unwrap();
        let root = std::fs::File::open(dir.path().join("root")).unwrap();
        let chosen = layer().choose();
        Self { tree: Arc::new(Tree::new(root.into(), ids, None).unwrap()), dir, _layer: chosen }
    }

    /// Where a path of the guest lies on the host.
    fn host(&self, path: &str) -> PathBuf {
        self.dir.path().join("root").join(path.trim_start_matches('/'))
    }

    fn outside(&self, path: &str) -> PathBuf {
        self.dir.path().join("outside").join(path)
    }

    fn put(&self, path: &str, content: &str) {
        std::fs::create_dir_all(self.host(path).parent().unwrap()).unwrap();
        std::fs::write(self.host(path), content).unwrap();
    }

    fn link(&self, target: &str, path: &str) {
        std::os::unix::fs::symlink(target, self.host(path)).unwrap();
    }

    fn content(&self, path: &str) -> String {
        std::fs::read_to_string(self.host(path)).unwrap()
    }

    fn mode(&self, path: &str) -> u32 {
        std::fs::symlink_metadata(self.host(path)).unwrap().permissions().mode() & 0o7777
    }

    fn set_mode(&self, path: &str, mode: u32) {
        std::fs::set_permissions(self.host(path), std::fs::Permissions::from_mode(mode)).unwrap();
    }

    fn upload(&self, path: &str, content: &str) -> std::io::Result<()> {
        self.tree.write_file(path, content.as_bytes(), me())
    }

    /// The names in a directory, sorted.
    fn names(&self, path: &str) -> Vec<String> {
        let entries = std::fs::read_dir(self.host(path)).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }
}

/// An owner that whoever runs the tests may give files to.
fn me() -> Owner {
    Owner { uid: rustix::process::geteuid().as_raw(), gid: rustix::process::getegid().as_raw() }
}
