//! Stat, list, make, move and remove.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;

use super::{Setup, me};
use crate::guest::tree::{Kind, ListError, MakeDirError, RemoveError, RenameError};

#[test]
fn a_file_is_described_as_it_is() {
    let setup = Setup::new();
    setup.put("/dir/file", "12345");
    setup.set_mode("/dir/file", 0o4640);
    let entry = setup.tree.stat("/dir/../dir/file").unwrap();
    assert_eq!((entry.name.as_str(), entry.path.as_str()), ("file", "/dir/../dir/file"));
    assert_eq!((entry.kind, entry.size, entry.mode), (Kind::File, 5, 0o4640));
    assert_eq!(entry.permissions, "-rw-r-----");
    assert_eq!(entry.owner, me().uid.to_string());
    assert_eq!(entry.link_target, None);
    assert!(entry.modified.is_some());
}

#[test]
fn a_link_is_described_by_itself_and_by_what_it_leads_to() {
    let setup = Setup::new();
    setup.put("/dir/file", "12345");
    setup.set_mode("/dir/file", 0o600);
    setup.link("dir", "alias");
    setup.link("/alias/file", "link");
    setup.link("nowhere", "dangling");
    let link = setup.tree.stat("/link").unwrap();
    assert_eq!((link.kind, link.size, link.mode), (Kind::File, 11, 0o600));
    assert_eq!((link.permissions.as_str(), link.link_target.as_deref()), ("Lrwxrwxrwx", Some("/dir/file")));
    let dangling = setup.tree.stat("/dangling").unwrap();
    assert_eq!((dangling.kind, dangling.mode), (Kind::Other, 0));
    assert_eq!(dangling.link_target.as_deref(), Some("/dangling"));
    assert_eq!(setup.tree.stat("/alias").unwrap().kind, Kind::Directory);
}

#[test]
fn names_end_where_paths_do() {
    let setup = Setup::new();
    setup.put("/dir/file", "");
    for (path, name) in [("/", ""), ("/dir/", "dir"), ("/dir/..", ""), ("/dir/.", "dir")] {
        assert_eq!(setup.tree.stat(path).unwrap().name, name, "{path}");
    }
    let error = setup.tree.stat("/missing").unwrap_err();
    assert_eq!(error.to_string(), "No such file or directory (os error 2)");
    assert_eq!(setup.tree.stat("/dir/file/x").unwrap_err().to_string(), "Not a directory (os error 20)");
    assert_eq!(
        setup.tree.stat("/a\0b").unwrap_err().to_string(),
        "file name contained an unexpected NUL byte"
    );
    assert!(setup.tree.stat(&"/x".repeat(5000)).is_err());
}

#[test]
fn a_time_of_exactly_zero_is_no_time() {
    let setup = Setup::new();
    setup.put("/old", "");
    let file = std::fs::File::options().write(true).open(setup.host("/old")).unwrap();
    file.set_modified(std::time::UNIX_EPOCH).unwrap();
    assert_eq!(setup.tree.stat("/old").unwrap().modified, None);
}

#[test]
fn a_listing_goes_down_as_far_as_asked_and_follows_no_link() {
    let setup = Setup::new();
    setup.put("/top/a/b/c", "");
    setup.link("a", "top/link");
    let paths = |depth| {
        let entries = setup.tree.list("/top/./", depth).unwrap();
        entries.into_iter().map(|entry| entry.path).collect::<Vec<_>>()
    };
    let set = |paths: Vec<String>| paths.into_iter().collect::<HashSet<_>>();
    assert_eq!(set(paths(0)), set(vec!["/top/./a".into(), "/top/./link".into()]));
    assert_eq!(paths(0), paths(1));
    let all = paths(9);
    assert_eq!(all.len(), 4);
    let at = |path: &str| all.iter().position(|found| found == path).unwrap();
    assert!(at("/top/./a") + 1 == at("/top/./a/b") && at("/top/./a/b") + 1 == at("/top/./a/b/c"), "{all:?}");
}

#[test]
fn a_listing_through_a_link_is_named_as_it_was_asked_for() {
    let setup = Setup::new();
    setup.put("/dir/file", "");
    setup.link("/dir", "link");
    let entries = setup.tree.list("/link", 1).unwrap();
    assert_eq!(entries[0].path, "/link/file");
    assert!(setup.tree.list("/dir/missing", 1).is_err_and(|error| matches!(error, ListError::Missing(_))));
    assert!(setup.tree.list("/dir/file", 1).is_err_and(|error| matches!(error, ListError::NotDirectory)));
    assert!(setup.tree.list("/dir/file/x", 1).is_err_and(|error| matches!(error, ListError::Resolve(_))));
}

#[test]
fn a_name_that_is_no_text_is_shown_as_well_as_may_be() {
    let setup = Setup::new();
    std::fs::write(setup.host("/").join(OsStr::from_bytes(b"a\xff")), "").unwrap();
    assert_eq!(setup.tree.list("/", 1).unwrap()[0].name, "a\u{fffd}");
    std::fs::create_dir(setup.host("/dir")).unwrap();
    std::fs::rename(
        setup.host("/").join(OsStr::from_bytes(b"a\xff")),
        setup.host("/dir").join(OsStr::from_bytes(b"\xff")),
    )
    .unwrap();
    setup.tree.remove("/dir").unwrap();
    assert!(setup.names("/").is_empty());
}

#[test]
fn a_tree_of_thousands_of_levels_is_listed_and_removed() {
    const LEVELS: usize = 1500;
    let setup = Setup::new();
    let mut dir =
        rustix::fs::open(setup.host("/"), rustix::fs::OFlags::PATH, rustix::fs::Mode::empty()).unwrap();
    for _ in 0..LEVELS {
        rustix::fs::mkdirat(&dir, "ab", 0o755.into()).unwrap();
        dir = rustix::fs::openat(&dir, "ab", rustix::fs::OFlags::PATH, rustix::fs::Mode::empty()).unwrap();
    }
    rustix::fs::mkdirat(&dir, "last", 0o755.into()).unwrap();
    let entries = setup.tree.list("/", u32::MAX).unwrap();
    assert_eq!(entries.len(), LEVELS + 1);
    assert_eq!(entries[LEVELS].name, "last");
    setup.tree.remove("/ab").unwrap();
    assert!(setup.names("/").is_empty());
}

#[test]
fn a_directory_is_made_with_its_parents_once() {
    let setup = Setup::new();
    setup.put("/file", "");
    setup.link("/made", "link");
    setup.link("nowhere/x", "dangling");
    setup.tree.make_dir("/made/a/../b/c/", me()).unwrap();
    assert_eq!(setup.names("/made"), ["a", "b"]);
    assert_eq!((setup.mode("/made"), setup.mode("/made/b/c")), (0o755, 0o755));
    setup.tree.make_dir("/link/d", me()).unwrap();
    assert_eq!(setup.names("/made"), ["a", "b", "d"]);
    for path in ["/made", "/link", "/made/", "/"] {
        assert!(matches!(setup.tree.make_dir(path, me()), Err(MakeDirError::Exists)), "{path}");
    }
    assert!(matches!(setup.tree.make_dir("/file", me()), Err(MakeDirError::NotDirectory)));
    let look =
        |error| if let MakeDirError::Look(error) = error { error.to_string() } else { format!("{error:?}") };
    assert_eq!(look(setup.tree.make_dir("/file/x", me()).unwrap_err()), "Not a directory (os error 20)");
    let make =
        |error| if let MakeDirError::Make(error) = error { error.to_string() } else { format!("{error:?}") };
    assert_eq!(make(setup.tree.make_dir("/dangling", me()).unwrap_err()), "File exists (os error 17)");
}

#[test]
fn moving_makes_parents_even_when_the_source_is_missing() {
    let setup = Setup::new();
    setup.put("/file", "new");
    setup.put("/old", "old");
    setup.link("file", "link");
    assert!(matches!(setup.tree.rename("/missing", "/a/b", me()), Err(RenameError::Missing(_))));
    assert_eq!(setup.names("/a"), [""; 0]);
    setup.tree.rename("/file", "/old", me()).unwrap();
    assert_eq!(setup.content("/old"), "new");
    setup.tree.rename("/link", "/a/link", me()).unwrap();
    assert_eq!(std::fs::read_link(setup.host("/a/link")).unwrap(), std::path::Path::new("file"));
    let text = |result: Result<(), RenameError>| match result {
        Err(RenameError::Rename(error)) => error.to_string(),
        other => format!("{other:?}"),
    };
    assert_eq!(text(setup.tree.rename("/a", "/a/b/c", me())), "Invalid argument (os error 22)");
    assert_eq!(text(setup.tree.rename("/old", "/a", me())), "Is a directory (os error 21)");
    assert!(matches!(setup.tree.rename("/old", "/old/x", me()), Err(RenameError::Parents(_))));
    assert_eq!(setup.content("/old"), "new");
}

#[test]
fn removing_takes_all_below_and_knows_what_was_never_there() {
    let setup = Setup::new();
    setup.put("/dir/a/b", "");
    setup.put("/dir/c", "");
    setup.set_mode("/dir/a", 0);
    setup.tree.remove("/dir/").unwrap();
    assert!(setup.names("/").is_empty());
    assert!(matches!(setup.tree.remove("/dir"), Err(RemoveError::Missing(_))));
    setup.put("/file", "");
    assert!(matches!(setup.tree.remove("/file/x"), Err(RemoveError::Directory(_) | RemoveError::File(_))));
}
