//! Who owns what, real or recorded.

use std::os::unix::fs::MetadataExt as _;

use super::{Setup, me};
use crate::guest::ids::Ids;
use crate::guest::tree::Owner;
use crate::guest::users;

const USER: Owner = Owner { uid: 1000, gid: 1000 };

/// Ids as an unprivileged mock has them: only root is real.
fn single() -> Setup {
    let setup = Setup::with(Ids::Single { uid: me().uid, gid: me().gid });
    setup.put("/etc/passwd", "root:x:0:0::/root:/bin/sh\nuser:x:1000:1000::/home/user:/bin/sh\n");
    setup.put("/etc/group", "root:x:0:\nuser:x:1000:\n");
    setup
}

fn owner(setup: &Setup, path: &str) -> (String, String) {
    let entry = setup.tree.stat(path).unwrap();
    (entry.owner, entry.group)
}

#[test]
fn an_owner_that_cannot_be_real_is_reported_as_if_it_were() {
    let setup = single();
    setup.tree.write_file("/home/user/file", b"x", USER).unwrap();
    for path in ["/home", "/home/user", "/home/user/file"] {
        assert_eq!(owner(&setup, path), ("user".into(), "user".into()), "{path}");
        assert_eq!(std::fs::metadata(setup.host(path)).unwrap().uid(), me().uid);
    }
    assert_eq!(owner(&setup, "/etc"), ("root".into(), "root".into()));
}

#[test]
fn a_recorded_owner_moves_with_the_file_and_goes_with_it() {
    let setup = single();
    setup.tree.write_file("/a", b"x", USER).unwrap();
    setup.tree.rename("/a", "/b", Owner::ROOT).unwrap();
    assert_eq!(owner(&setup, "/b").0, "user");
    setup.tree.remove("/b").unwrap();
    std::fs::write(setup.host("/b"), "").unwrap();
    assert_eq!(owner(&setup, "/b").0, "root");
    setup.tree.write_file("/b", b"x", USER).unwrap();
    setup.tree.write_file("/b", b"x", Owner::ROOT).unwrap();
    assert_eq!(owner(&setup, "/b").0, "root");
}

#[test]
fn ids_without_a_name_are_numbers() {
    let setup = single();
    setup.put("/file", "");
    setup.tree.set_owner("/file", 4321, 1000).unwrap();
    assert_eq!(owner(&setup, "/file"), ("4321".into(), "user".into()));
}

#[test]
fn an_owner_is_real_where_the_kernel_allows_it() {
    let setup = Setup::new();
    let strange = Owner { uid: 12_345, gid: 54_321 };
    setup.tree.write_file("/dir/file", b"x", strange).unwrap();
    assert_eq!(owner(&setup, "/dir/file"), ("12345".into(), "54321".into()));
    let meta = std::fs::metadata(setup.host("/dir/file")).unwrap();
    let expected = if me().uid == 0 { 12_345 } else { me().uid };
    assert_eq!(meta.uid(), expected);
}

#[test]
fn users_are_those_of_the_guest() {
    let setup = single();
    let user = users::lookup(&setup.tree, "user").unwrap().unwrap();
    assert_eq!((user.uid, user.home.as_str()), (1000, "/home/user"));
    assert_eq!(users::lookup(&setup.tree, "daemon").unwrap(), None);
    setup.tree.remove("/etc").unwrap();
    assert_eq!(users::lookup(&setup.tree, "user").unwrap(), None);
}

#[test]
fn a_relative_path_that_exists_is_made_canonical() {
    let setup = single();
    setup.put("/home/user/dir/file", "");
    setup.link("dir", "home/user/link");
    let user = users::lookup(&setup.tree, "user").unwrap().unwrap();
    let resolve = |path: &str, workdir: Option<&str>| setup.tree.resolve(path, &user, workdir).unwrap();
    assert_eq!(resolve("link/file", None), "/home/user/dir/file");
    assert_eq!(resolve("link/none", None), "/home/user/link/none");
    assert_eq!(resolve("../none/..", None), "/home/user/../none/..");
    assert_eq!(resolve("file", Some("link")), "/home/user/dir/file");
    assert_eq!(resolve("/home/user/link", None), "/home/user/link");
}
