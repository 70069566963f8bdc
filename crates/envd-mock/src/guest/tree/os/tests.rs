//! The portable resolution compared with the kernel's, over trees that are written down and trees that are drawn.

use std::ffi::CString;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::fs::symlink;
use std::path::Path;

use proptest::prelude::*;
use rustix::fs::OFlags;
use rustix::io::Errno;

use super::{LOOK, Resolve, linux, portable};

const RESOLVES: [Resolve; 4] =
    [Resolve::InRoot, Resolve::InRootPlain, Resolve::Beneath, Resolve::BeneathMount];

/// In which ways the tree opens paths.
fn manners() -> [OFlags; 7] {
    let (plain, read) = (OFlags::NOFOLLOW, OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY);
    let dir = OFlags::DIRECTORY;
    [LOOK, LOOK | plain, LOOK | dir, LOOK | dir | plain, read | dir, read | plain, read]
}

/// What a layer found: device and inode, or the error.
fn found(opened: rustix::io::Result<OwnedFd>) -> Result<((u32, u32), u64), Errno> {
    let meta = linux::meta_of(opened?.as_fd())?;
    Ok((meta.device, meta.inode))
}

/// What is found when nothing was renamed meanwhile, in any tree: the kernel does not look closer.
fn settled(open: impl Fn() -> rustix::io::Result<OwnedFd>) -> Result<((u32, u32), u64), Errno> {
    loop {
        match found(open()) {
            Err(Errno::AGAIN) => {}
            other => return other,
        }
    }
}

/// Asserts that both layers find the same at `path`, in every way in which the tree asks.
fn agree(root: BorrowedFd<'_>, path: &str) {
    let name = CString::new(path).unwrap();
    for resolve in RESOLVES {
        for flags in manners() {
            let flags = flags | OFlags::CLOEXEC;
            let expected = settled(|| linux::open(root, &name, flags, resolve));
            let got = settled(|| portable::open(root, &name, flags, resolve));
            assert_eq!(got, expected, "{path:?} {resolve:?} {flags:?}");
        }
    }
}

/// The device and inode of `path`, of a link itself, by the portable layer.
fn looked_up(root: BorrowedFd<'_>, path: &str) -> Result<((u32, u32), u64), Errno> {
    found(portable::open(root, &CString::new(path).unwrap(), LOOK | OFlags::NOFOLLOW, Resolve::InRoot))
}

fn standing() -> (tempfile::TempDir, File) {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("root");
    std::fs::create_dir_all(root.join("a/b/c")).unwrap();
    std::fs::write(root.join("file"), "x").unwrap();
    std::fs::write(root.join("a/file"), "x").unwrap();
    std::fs::write(dir.path().join("secret"), "x").unwrap();
    for (text, name) in [
        ("/a/b", "absolute"),
        ("a/b", "relative"),
        ("b/../file", "a/dotted"),
        ("file", "plain"),
        ("file/", "slashed"),
        ("a/", "dir"),
        ("../../../../a", "a/b/above"),
        ("../secret", "secret"),
        ("gone", "dangling"),
        ("/", "top"),
        (".", "self"),
        ("two", "one"),
        ("one", "two"),
    ] {
        symlink(text, root.join(name)).unwrap();
    }
    let root = File::open(root).unwrap();
    (dir, root)
}

#[test]
fn every_kind_of_path_leads_where_the_kernel_says() {
    let (_dir, root) = standing();
    for path in [
        "",
        "/",
        ".",
        "..",
        "../..",
        "//",
        "/.",
        "/..",
        "a",
        "a/",
        "/a/b/c",
        "a//b///c//",
        "a/./b/.",
        "a/b/..",
        "a/b/../..",
        "a/b/../../..",
        "a/b/c/../../file",
        "../a",
        "../secret",
        "file",
        "file/",
        "file/.",
        "file/..",
        "file/x",
        "a/file/../file",
        "gone",
        "gone/",
        "gone/x",
        "gone/..",
        "a/gone",
        "absolute",
        "absolute/",
        "absolute/c",
        "absolute/..",
        "absolute/../file",
        "relative",
        "relative/c/..",
        "a/dotted",
        "plain",
        "plain/",
        "plain/x",
        "slashed",
        "slashed/",
        "dir",
        "dir/",
        "dir/file",
        "dir/..",
        "a/b/above",
        "a/b/above/b",
        "a/b/above/../file",
        "secret",
        "secret/",
        "dangling",
        "dangling/",
        "dangling/x",
        "top",
        "top/",
        "top/top/a",
        "top/..",
        "self",
        "self/self/a",
        "one",
        "one/",
        "one/x",
        "two",
    ] {
        agree(root.as_fd(), path);
    }
}

#[test]
fn no_path_leads_above_the_root() {
    let (dir, root) = standing();
    let secret = linux::meta_at(File::open(dir.path()).unwrap().as_fd(), c"secret").unwrap();
    for path in
        ["secret/", "../secret", "/../secret", "a/../../secret", "top/../secret", "a/b/above/../../secret"]
    {
        assert_ne!(looked_up(root.as_fd(), path), Ok((secret.device, secret.inode)), "{path}");
    }
}

#[test]
fn forty_links_are_followed_and_no_more() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("0")).unwrap();
    for link in 1..=45 {
        symlink((link - 1).to_string(), dir.path().join(link.to_string())).unwrap();
    }
    let root = File::open(dir.path()).unwrap();
    for link in 38..=43 {
        agree(root.as_fd(), &link.to_string());
        agree(root.as_fd(), &format!("{link}/"));
        agree(root.as_fd(), &format!("{link}/../1"));
    }
    let open = |path| found(portable::open(root.as_fd(), path, LOOK, Resolve::InRoot));
    assert!(open(c"40").is_ok());
    assert_eq!(open(c"41"), Err(Errno::LOOP));
}

#[test]
fn a_path_and_a_name_may_be_so_long() {
    let (_dir, root) = standing();
    for path in ["./".repeat(2047) + "a", "./".repeat(2048), "x".repeat(255), "x".repeat(256)] {
        agree(root.as_fd(), &path);
    }
}

#[test]
fn other_mounts_are_entered_only_where_that_is_asked_for() {
    let root = File::open("/").unwrap();
    for path in ["proc", "proc/sys", "dev/null", "proc/self/../version", "tmp/.."] {
        agree(root.as_fd(), path);
    }
}

#[test]
fn metadata_is_the_same_but_for_birth_and_mount() {
    let (_dir, root) = standing();
    for name in [c"file", c"a", c"plain"] {
        let expected = linux::meta_at(root.as_fd(), name).unwrap();
        let got = portable::meta_at(root.as_fd(), name).unwrap();
        let (mount, born) = (expected.mount, expected.born);
        assert_eq!(super::Meta { mount, born, ..got }, expected);
    }
}

#[test]
fn what_has_lost_its_name_is_not_opened_anew() {
    let (dir, root) = standing();
    let open = |path| portable::open(root.as_fd(), path, LOOK, Resolve::InRoot).unwrap();
    let (file, other) = (open(c"file"), open(c"a/file"));
    assert!(portable::reopen(file.as_fd(), OFlags::WRONLY).is_ok());
    std::fs::remove_file(dir.path().join("root/file")).unwrap();
    assert_eq!(portable::reopen(file.as_fd(), OFlags::RDONLY).unwrap_err(), Errno::NOENT);
    std::fs::rename(dir.path().join("root/a"), dir.path().join("root/z")).unwrap();
    assert!(portable::reopen(other.as_fd(), OFlags::RDONLY).is_ok());
}

/// One thing in a drawn tree, and where.
#[derive(Debug, Clone)]
enum Thing {
    Dir(String),
    File(String),
    Link(String, String),
}

/// Paths of few names, so that they meet.
fn paths() -> impl Strategy<Value = String> {
    let name = prop_oneof![
        6 => prop::sample::select(vec!["a", "b", "c", "d"]),
        2 => Just(".."),
        1 => Just("."),
        1 => Just(""),
    ];
    (any::<bool>(), prop::collection::vec(name, 1..6), any::<bool>()).prop_map(|(top, names, slash)| {
        let text = [if top { "/" } else { "" }, &names.join("/"), if slash { "/" } else { "" }].concat();
        if text.is_empty() { ".".to_owned() } else { text }
    })
}

fn places() -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(vec!["a", "b", "c", "d"]), 1..4)
        .prop_map(|names| names.join("/"))
}

fn things() -> impl Strategy<Value = Vec<Thing>> {
    let thing = prop_oneof![
        2 => places().prop_map(Thing::Dir),
        1 => places().prop_map(Thing::File),
        3 => (paths(), places()).prop_map(|(text, place)| Thing::Link(text, place)),
    ];
    prop::collection::vec(thing, 0..16)
}

/// Makes a thing where that is possible and nothing leads out.
fn make(root: &Path, thing: &Thing) -> io::Result<()> {
    let (Thing::Dir(place) | Thing::File(place) | Thing::Link(_, place)) = thing;
    let mut parent = root.to_owned();
    let (above, name) = place.rsplit_once('/').unwrap_or(("", place));
    for name in above.split('/').filter(|name| !name.is_empty()) {
        parent.push(name);
        if std::fs::symlink_metadata(&parent).is_ok_and(|meta| !meta.is_dir()) {
            return Ok(());
        }
        let _ = std::fs::create_dir(&parent);
    }
    let at = parent.join(name);
    match thing {
        Thing::Dir(_) => std::fs::create_dir(at),
        Thing::File(_) => File::create_new(at).map(drop),
        Thing::Link(text, _) => symlink(text, at),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_path_in_any_tree_leads_where_the_kernel_says(
        things in things(), paths in prop::collection::vec(paths(), 1..12),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("root");
        std::fs::create_dir(&root).unwrap();
        for thing in &things {
            // A name that is taken stays as it is.
            let _ = make(&root, thing);
        }
        let root = File::open(root).unwrap();
        for path in &paths {
            agree(root.as_fd(), path);
        }
    }
}
