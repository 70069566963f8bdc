//! Tests of watches over a temporary directory. What the kernel has queued is read at once, so nothing waits.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::Arc;

use super::{ChangeKind, Instance, TakeError, Watch, WatchError, Watchers};
use crate::guest::ids::Ids;
use crate::guest::tree::{Owner, Tree};
use ChangeKind::{Chmod, Create, Remove, Rename, Write};

struct Setup {
    dir: tempfile::TempDir,
    tree: Arc<Tree>,
    instance: Instance,
}

impl Setup {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let root = fs::File::open(dir.path()).unwrap();
        let tree = Arc::new(Tree::new(root.into(), Ids::Identity, None).unwrap());
        fs::create_dir(dir.path().join("w")).unwrap();
        Self { dir, tree, instance: Instance::default() }
    }

    fn host(&self, path: &str) -> PathBuf {
        self.dir.path().join(path)
    }

    fn watch(&self, recursive: bool) -> Watch {
        Watch::new(&self.instance, Arc::clone(&self.tree), "/w", recursive).unwrap()
    }
}

fn taken(watch: &mut Watch) -> Vec<(String, ChangeKind)> {
    let (changes, lost) = watch.take().unwrap();
    assert!(!lost);
    changes.into_iter().map(|change| (change.path, change.kind)).collect()
}

fn named(changes: &[(&str, ChangeKind)]) -> Vec<(String, ChangeKind)> {
    changes.iter().map(|(path, kind)| ((*path).to_owned(), *kind)).collect()
}

#[test]
fn a_file_is_told_of_from_its_making_to_its_end() {
    let setup = Setup::new();
    let mut watch = setup.watch(false);
    fs::write(setup.host("w/a"), "x").unwrap();
    fs::write(setup.host("w/a"), "").unwrap();
    fs::set_permissions(setup.host("w/a"), PermissionsExt::from_mode(0o600)).unwrap();
    fs::hard_link(setup.host("w/a"), setup.host("w/b")).unwrap();
    fs::remove_file(setup.host("w/b")).unwrap();
    let changes = taken(&mut watch);
    // The kernel merges the truncation into the write that nobody has read yet.
    let expected = [Create, Write, Chmod];
    assert_eq!(&changes[..3], named(&expected.map(|kind| ("/w/a", kind))));
    assert!(changes.contains(&("/w/b".into(), Create)) && changes.contains(&("/w/b".into(), Remove)));
}

#[test]
fn a_rename_names_both_ends_twice_and_a_move_in_or_out_once() {
    let setup = Setup::new();
    fs::write(setup.host("w/a"), "").unwrap();
    let mut watch = setup.watch(false);
    fs::rename(setup.host("w/a"), setup.host("w/b")).unwrap();
    let twice = [("/w/a", Rename), ("/w/b", Rename), ("/w/a", Rename), ("/w/b", Rename)];
    assert_eq!(taken(&mut watch), named(&twice));
    fs::rename(setup.host("w/b"), setup.host("out")).unwrap();
    assert_eq!(taken(&mut watch), named(&[("/w/b", Rename)]));
    fs::rename(setup.host("out"), setup.host("w/c")).unwrap();
    assert_eq!(taken(&mut watch), named(&[("/w/c", Rename)]));
}

#[test]
fn the_watched_directory_is_told_of_by_its_own_path() {
    let setup = Setup::new();
    let mut watch = setup.watch(true);
    fs::set_permissions(setup.host("w"), PermissionsExt::from_mode(0o700)).unwrap();
    assert_eq!(taken(&mut watch), named(&[("/w", Chmod)]));
    fs::remove_dir(setup.host("w")).unwrap();
    assert!(taken(&mut watch).contains(&("/w".into(), Remove)));
    fs::create_dir(setup.host("w")).unwrap();
    assert_eq!(taken(&mut watch), []);
}

#[test]
fn without_recursion_nothing_below_is_told() {
    let setup = Setup::new();
    fs::create_dir(setup.host("w/d")).unwrap();
    let mut watch = setup.watch(false);
    fs::write(setup.host("w/d/a"), "x").unwrap();
    assert_eq!(taken(&mut watch), []);
}

#[test]
fn a_chain_of_new_directories_loses_nothing_and_repeats_nothing() {
    let setup = Setup::new();
    let mut watch = setup.watch(true);
    fs::create_dir_all(setup.host("w/a/b/c")).unwrap();
    fs::write(setup.host("w/a/b/c/full"), "x").unwrap();
    fs::write(setup.host("w/a/empty"), "").unwrap();
    let mut changes = taken(&mut watch);
    assert_eq!(changes[0], ("/w/a".into(), Create));
    changes.sort_by(|left, right| left.0.cmp(&right.0));
    let expected = [
        ("/w/a", Create),
        ("/w/a/b", Create),
        ("/w/a/b/c", Create),
        ("/w/a/b/c/full", Create),
        ("/w/a/b/c/full", Write),
        ("/w/a/empty", Create),
    ];
    assert_eq!(changes, named(&expected));
    fs::write(setup.host("w/a/b/c/later"), "x").unwrap();
    assert_eq!(taken(&mut watch), named(&[("/w/a/b/c/later", Create), ("/w/a/b/c/later", Write)]));
}

#[test]
fn while_directories_race_with_the_watch_each_is_told_once() {
    let setup = Setup::new();
    let mut watch = setup.watch(true);
    let root = setup.host("w");
    let making = std::thread::spawn(move || {
        for index in 0..200 {
            fs::create_dir_all(root.join(format!("{index}/a/b"))).unwrap();
            fs::write(root.join(format!("{index}/a/b/file")), "x").unwrap();
        }
    });
    let mut changes = Vec::new();
    while !making.is_finished() {
        changes.extend(taken(&mut watch));
    }
    making.join().unwrap();
    changes.extend(taken(&mut watch));
    for index in 0..200 {
        for below in ["", "/a", "/a/b", "/a/b/file"] {
            let made = (format!("/w/{index}{below}"), Create);
            assert_eq!(changes.iter().filter(|change| **change == made).count(), 1, "{made:?}");
        }
        // A write under way while the watch comes to stand is seen twice: its bytes, and then its event.
        let written = (format!("/w/{index}/a/b/file"), Write);
        assert!(
            (1..=2).contains(&changes.iter().filter(|change| **change == written).count()),
            "{written:?}"
        );
    }
}

#[test]
fn a_directory_that_moves_is_followed_and_one_that_leaves_is_not() {
    let setup = Setup::new();
    fs::create_dir_all(setup.host("w/old/deep")).unwrap();
    let mut watch = setup.watch(true);
    fs::rename(setup.host("w/old"), setup.host("w/new")).unwrap();
    assert_eq!(taken(&mut watch).len(), 4);
    fs::write(setup.host("w/new/deep/a"), "").unwrap();
    assert_eq!(taken(&mut watch), named(&[("/w/new/deep/a", Create)]));
    fs::rename(setup.host("w/new"), setup.host("gone")).unwrap();
    assert_eq!(taken(&mut watch), named(&[("/w/new", Rename)]));
    fs::write(setup.host("gone/deep/b"), "").unwrap();
    assert_eq!(taken(&mut watch), []);
    fs::rename(setup.host("gone"), setup.host("w/back")).unwrap();
    assert_eq!(taken(&mut watch), named(&[("/w/back", Rename)]));
    fs::write(setup.host("w/back/deep/c"), "").unwrap();
    assert_eq!(taken(&mut watch), named(&[("/w/back/deep/c", Create)]));
}

#[test]
fn an_upload_shows_under_its_own_name_only() {
    let setup = Setup::new();
    let mut watch = setup.watch(true);
    setup.tree.write_file("/w/a", b"new", Owner::ROOT).unwrap();
    assert_eq!(taken(&mut watch), named(&[("/w/a", Create), ("/w/a", Write)]));
    setup.tree.write_file("/w/a", b"newer", Owner::ROOT).unwrap();
    assert_eq!(taken(&mut watch), named(&[("/w/a", Rename), ("/w/a", Write)]));
}

#[test]
fn only_directories_that_are_there_are_watched() {
    let setup = Setup::new();
    fs::write(setup.host("file"), "").unwrap();
    std::os::unix::fs::symlink("/w", setup.host("link")).unwrap();
    let watch = |path: &str| Watch::new(&setup.instance, Arc::clone(&setup.tree), path, false);
    assert!(matches!(watch("/none"), Err(WatchError::Missing(_))));
    assert!(matches!(watch("/file"), Err(WatchError::NotDirectory)));
    let mut linked = watch("/link").unwrap();
    fs::write(setup.host("w/a"), "").unwrap();
    assert_eq!(taken(&mut linked), named(&[("/link/a", Create)]));
}

#[tokio::test]
async fn a_watcher_collects_until_it_is_asked() {
    let setup = Setup::new();
    let watchers = Watchers::default();
    let (one, two) = (watchers.add(setup.watch(false)).unwrap(), watchers.add(setup.watch(false)).unwrap());
    assert!(one != two && one.starts_with("w-"), "{one} {two}");
    fs::write(setup.host("w/a"), "").unwrap();
    assert_eq!(watchers.take(&one).unwrap().len(), 1);
    assert_eq!(watchers.take(&one).unwrap().len(), 0);
    watchers.remove(&one);
    watchers.remove("w-none");
    assert!(matches!(watchers.take(&one), Err(TakeError::Unknown)));
    assert_eq!(watchers.take(&two).unwrap().len(), 1);
}

#[tokio::test]
async fn a_watcher_that_overflows_says_so_once_and_goes_on() {
    let setup = Setup::new();
    let watchers = Watchers::default();
    let id = watchers.add_limited(setup.watch(false), 3).unwrap();
    for name in ["a", "b", "c", "d"] {
        fs::write(setup.host("w").join(name), "").unwrap();
    }
    assert_eq!(watchers.take(&id).unwrap().len(), 3);
    assert!(matches!(watchers.take(&id), Err(TakeError::Lost)));
    fs::write(setup.host("w/e"), "").unwrap();
    assert_eq!(watchers.take(&id).unwrap().len(), 1);
}

#[tokio::test]
async fn removed_watchers_leave_no_descriptor_behind() {
    let setup = Setup::new();
    let watch = setup.watch(true);
    let inotify = watch.shared_for_tests();
    let watchers = Watchers::default();
    let id = watchers.add(watch).unwrap();
    watchers.remove(&id);
    let gone = async {
        while inotify.strong_count() > 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(10), gone).await.unwrap();
}

/// The kernel gives a user 128 instances; each watch must be told of its own directories, and only from its start on.
#[tokio::test]
async fn a_thousand_watchers_share_one_instance_and_each_is_told_its_own() {
    let setup = Setup::new();
    let watchers = Watchers::default();
    for name in ["a", "b"] {
        fs::create_dir(setup.host("w").join(name)).unwrap();
    }
    let watch = |path: &str, recursive| watchers.watch(Arc::clone(&setup.tree), path, recursive).unwrap();
    let mut ids = Vec::new();
    for index in 0..1000 {
        let (path, recursive) = [("/w", false), ("/w/a", false), ("/w", true), ("/w/b", true)][index % 4];
        ids.push(watchers.add(watch(path, recursive)).unwrap());
    }
    let first = watch("/w", false).shared_for_tests().upgrade().unwrap();
    assert!(Arc::ptr_eq(&first, &watch("/w/a", true).shared_for_tests().upgrade().unwrap()));
    fs::write(setup.host("w/a/in_a"), "").unwrap();
    let mut late = watch("/w", true);
    fs::write(setup.host("w/b/in_b"), "").unwrap();
    for (index, id) in ids.iter().enumerate() {
        let paths: Vec<_> = watchers.take(id).unwrap().into_iter().map(|change| change.path).collect();
        let expected = [&[][..], &["/w/a/in_a"], &["/w/a/in_a", "/w/b/in_b"], &["/w/b/in_b"]][index % 4];
        assert_eq!(paths, expected, "{index}");
        // One that goes takes nothing from those that stay.
        if index % 8 < 4 {
            watchers.remove(id);
        }
    }
    assert_eq!(taken(&mut late), named(&[("/w/b/in_b", Create)]));
    fs::write(setup.host("w/a/later"), "").unwrap();
    assert_eq!(watchers.take(&ids[5]).unwrap().len(), 1);
    assert_eq!(watchers.take(&ids[7]).unwrap().len(), 0);
}
