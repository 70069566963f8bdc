//! Nothing leads out of the tree.

use super::{Setup, layer, machine, me};
use crate::guest::tree::os::Layer;
use crate::guest::tree::{ReadError, RemoveError};

/// A tree with every kind of link to the directory outside.
fn trapped() -> (Setup, Vec<String>) {
    let setup = Setup::new();
    let outside = setup.outside("").to_string_lossy().trim_end_matches('/').to_owned();
    setup.link(&outside, "absolute");
    setup.link("../outside", "relative");
    setup.link("../../../../../../../../../..", "top");
    std::fs::create_dir_all(setup.host("a/b")).unwrap();
    setup.link("../../../outside", "a/b/deep");
    let ways =
        ["/absolute", "/relative", "/../outside", "/a/b/deep", "/a/../../outside", "/a/b/../../../outside"];
    let mut ways: Vec<_> = ways.iter().map(|&way| way.to_owned()).collect();
    ways.push(format!("/top{outside}"));
    ways.push(outside);
    (setup, ways)
}

#[test]
fn no_way_out_can_be_read() {
    let (setup, ways) = trapped();
    for way in ways {
        assert!(matches!(setup.tree.open_read(&format!("{way}/secret")), Err(ReadError::Missing)), "{way}");
        assert!(setup.tree.list(&way, 1).is_err(), "{way}");
        assert!(!setup.tree.exists(&format!("{way}/secret")), "{way}");
    }
}

#[test]
fn no_way_out_can_be_written() {
    let (setup, ways) = trapped();
    for way in ways {
        let _ = setup.upload(&format!("{way}/new"), "x");
        let _ = setup.upload(&format!("{way}/secret"), "x");
        let _ = setup.tree.make_dir(&format!("{way}/dir"), me());
        let _ = setup.tree.rename("/absolute", &format!("{way}/moved"), me());
        let _ = setup.tree.rename(&format!("{way}/secret"), "/stolen", me());
        let _ = setup.tree.set_owner(&format!("{way}/secret"), 12, 12);
    }
    let found: Vec<_> =
        std::fs::read_dir(setup.outside("")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(found, ["secret"]);
    assert_eq!(std::fs::read_to_string(setup.outside("secret")).unwrap(), "secret");
}

#[test]
fn no_way_out_can_be_removed() {
    let (setup, ways) = trapped();
    for way in ways {
        let _ = setup.tree.remove(&format!("{way}/secret"));
        let _ = setup.tree.remove(&way);
    }
    assert_eq!(std::fs::read_to_string(setup.outside("secret")).unwrap(), "secret");
}

#[test]
fn removing_a_link_leaves_what_it_points_to() {
    let setup = Setup::new();
    setup.put("/dir/file", "x");
    setup.link("dir", "link");
    setup.tree.remove("/link").unwrap();
    assert_eq!(setup.names("/"), ["dir"]);
    setup.link("dir", "link");
    assert!(matches!(setup.tree.remove("/link/"), Err(RemoveError::File(_))));
    assert_eq!(setup.content("/dir/file"), "x");
}

#[test]
fn the_root_cannot_be_removed_under_any_name() {
    let setup = Setup::new();
    setup.put("/dir/file", "x");
    for name in ["/", "//", "/.", "/..", "/dir/..", "/dir/.", ""] {
        assert!(setup.tree.remove(name).is_err(), "{name:?}");
    }
    assert_eq!(setup.content("/dir/file"), "x");
}

#[test]
fn a_loop_of_links_is_an_error_everywhere() {
    let setup = Setup::new();
    setup.link("b", "a");
    setup.link("a", "b");
    let eloop = Some(rustix::io::Errno::LOOP.raw_os_error());
    assert!(
        matches!(setup.tree.open_read("/a"), Err(ReadError::Look(error)) if error.raw_os_error() == eloop)
    );
    assert_eq!(setup.upload("/a", "x").unwrap_err().raw_os_error(), eloop);
    assert_eq!(setup.tree.canonical(b"/a/x").unwrap_err().raw_os_error(), eloop);
    let entry = setup.tree.stat("/a").unwrap();
    assert_eq!((entry.mode, entry.link_target.as_deref()), (0, Some("/a")));
}

#[test]
fn a_new_name_behind_a_dangling_link_is_made_inside() {
    let setup = Setup::new();
    setup.link(&setup.outside("made").to_string_lossy(), "dangling");
    assert!(setup.upload("/dangling", "x").is_err());
    std::fs::create_dir_all(setup.host(&setup.outside("").to_string_lossy())).unwrap();
    setup.upload("/dangling", "x").unwrap();
    assert!(!setup.outside("made").exists());
    assert_eq!(setup.content(&setup.outside("made").to_string_lossy()), "x");
}

#[test]
fn what_the_kernel_makes_up_cannot_be_written() {
    let (tree, _layer) = machine();
    let read_only = Some(rustix::io::Errno::ROFS.raw_os_error());
    let pid = std::process::id();
    for path in [format!("/proc/{pid}/comm"), format!("/proc/{pid}/new"), "/proc/new/dir/file".into()] {
        let error = tree.write_file(&path, b"x", me()).unwrap_err();
        assert_eq!(error.raw_os_error(), read_only, "{path}");
    }
    assert!(tree.remove(&format!("/proc/{pid}/comm")).is_err());
    // Where resolution is portable, links have no magic but their text.
    let magic = tree.open_read(&format!("/proc/{pid}/root/etc/passwd"));
    assert_eq!(magic.is_err(), layer() == Layer::Kernel, "magic links lead nowhere");
}
