//! Reading and uploads.

use std::io::Read as _;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};

use rustix::fs::{CWD, FileType, Mode};

use super::{Setup, layer, machine, me};
use crate::guest::tree::os::Layer;
use crate::guest::tree::{Landing, PASSING, ReadError, Upload, UploadError};

fn fifo(setup: &Setup, path: &str) {
    rustix::fs::mknodat(CWD, setup.host(path), FileType::Fifo, Mode::from_raw_mode(0o644), 0).unwrap();
}

#[test]
fn only_regular_files_are_read() {
    let setup = Setup::new();
    setup.put("/dir/file", "content");
    setup.link("/dir/file", "link");
    setup.link("gone", "dangling");
    fifo(&setup, "/fifo");
    assert_eq!(setup.tree.read_file("/link", 7).unwrap(), b"content");
    assert_eq!(setup.tree.read_file("/link", 6).unwrap_err().kind(), std::io::ErrorKind::FileTooLarge);
    for path in ["/missing", "/dangling", "/dir/missing"] {
        assert!(matches!(setup.tree.open_read(path), Err(ReadError::Missing)), "{path}");
    }
    assert!(matches!(setup.tree.open_read("/dir"), Err(ReadError::Directory)));
    assert!(matches!(setup.tree.open_read("/fifo"), Err(ReadError::NotRegular)));
    assert!(matches!(setup.tree.open_read("/dir/file/x"), Err(ReadError::Look(_))));
}

#[test]
fn a_tag_changes_with_the_content() {
    let setup = Setup::new();
    setup.put("/file", "one");
    let tag = || setup.tree.open_read("/file").unwrap().tag;
    let first = tag();
    assert_eq!(first, tag());
    setup.upload("/file", "two").unwrap();
    assert_ne!(first, tag());
}

#[test]
fn an_upload_makes_parents_and_a_plain_file() {
    let setup = Setup::new();
    setup.upload("/a/b/file", "content").unwrap();
    assert_eq!(setup.content("/a/b/file"), "content");
    assert_eq!((setup.mode("/a"), setup.mode("/a/b/file")), (0o755, 0o644));
    assert_eq!(setup.names("/a/b"), ["file"]);
}

#[test]
fn an_upload_keeps_the_mode_and_the_links_of_what_was_there() {
    let setup = Setup::new();
    setup.put("/dir/file", "a long old content");
    setup.set_mode("/dir/file", 0o751);
    setup.link("dir/file", "link");
    setup.link("/link", "second");
    setup.upload("/second", "new").unwrap();
    assert_eq!((setup.content("/dir/file").as_str(), setup.mode("/dir/file")), ("new", 0o751));
    assert!(setup.host("/link").is_symlink() && setup.host("/second").is_symlink());
    assert_eq!(setup.names("/dir"), ["file"]);
}

#[test]
fn an_upload_to_a_file_of_many_names_reaches_all_of_them() {
    let setup = Setup::new();
    setup.put("/one", "a long old content");
    std::fs::hard_link(setup.host("/one"), setup.host("/two")).unwrap();
    setup.upload("/one", "new").unwrap();
    assert_eq!(setup.content("/two"), "new");
    setup.upload("/two", &"longer than before".repeat(10_000)).unwrap();
    assert_eq!(setup.content("/one").len(), 180_000);
    assert_eq!(std::fs::metadata(setup.host("/one")).unwrap().nlink(), 2);
    assert_eq!(setup.names("/"), ["one", "two"]);
}

#[test]
fn an_aborted_upload_leaves_what_was_there_and_no_debris() {
    let setup = Setup::new();
    setup.put("/dir/old", "old");
    setup.put("/dir/one", "linked");
    std::fs::hard_link(setup.host("/dir/one"), setup.host("/dir/two")).unwrap();
    for path in ["/dir/old", "/dir/one", "/dir/new"] {
        let mut upload = Upload::begin(&setup.tree, path, me(), Landing::Through).unwrap();
        upload.write(b"half of something").unwrap();
        let mut names = setup.names("/dir");
        if layer() == Layer::Portable {
            // Content has a name of its own there.
            names.retain(|name| !name.starts_with(PASSING));
        }
        assert_eq!(names, ["old", "one", "two"], "nothing shows while it is under way");
        drop(upload);
    }
    assert_eq!(setup.names("/dir"), ["old", "one", "two"]);
    assert_eq!((setup.content("/dir/old").as_str(), setup.content("/dir/two").as_str()), ("old", "linked"));
}

#[test]
fn the_last_of_two_uploads_wins_whole() {
    let setup = Setup::new();
    let mut first = Upload::begin(&setup.tree, "/file", me(), Landing::Through).unwrap();
    let mut second = Upload::begin(&setup.tree, "/file", me(), Landing::Through).unwrap();
    first.write(b"first").unwrap();
    second.write(b"second").unwrap();
    second.finish().unwrap();
    first.finish().unwrap();
    assert_eq!(setup.content("/file"), "first");
    assert_eq!(setup.names("/"), ["file"]);
}

#[test]
fn a_directory_or_a_file_in_the_way_is_an_error() {
    let setup = Setup::new();
    setup.put("/dir/file", "old");
    setup.link("dir", "link");
    let error =
        |path: &str| Upload::begin(&setup.tree, path, me(), Landing::Through).unwrap_err().to_string();
    for path in ["/dir", "/dir/", "/link", "/", "/dir/.."] {
        assert_eq!(error(path), format!("path is a directory: {path}"));
    }
    assert_eq!(error("/dir/file/x/y"), "error ensuring directories: path is a file: /dir/file");
    assert_eq!(error("/dir/new/"), "error opening file: Is a directory (os error 21)");
    assert_eq!(setup.content("/dir/file"), "old");
}

#[test]
fn a_pipe_is_written_through_to_its_reader() {
    let setup = Setup::new();
    fifo(&setup, "/fifo");
    let path = setup.host("/fifo");
    let reader = std::thread::spawn(move || {
        let mut content = Vec::new();
        std::fs::File::open(path).unwrap().read_to_end(&mut content).unwrap();
        content
    });
    let content = vec![b'x'; 1 << 20];
    setup.tree.write_file("/fifo", &content, me()).unwrap();
    assert_eq!(reader.join().unwrap(), content);
    assert!(std::fs::metadata(setup.host("/fifo")).unwrap().file_type().is_fifo());
}

#[test]
fn a_pipe_without_a_reader_is_given_up() {
    let setup = Setup::new();
    fifo(&setup, "/fifo");
    let mut upload = Upload::begin(&setup.tree, "/fifo", me(), Landing::Through).unwrap();
    let (waits, _) = upload.advance().unwrap();
    assert_eq!(waits.given_up().to_string(), "error opening file: no reader came to the pipe");
}

#[test]
fn a_pipe_that_nobody_empties_is_given_up() {
    let setup = Setup::new();
    fifo(&setup, "/fifo");
    let open = rustix::fs::OFlags::RDONLY | rustix::fs::OFlags::NONBLOCK;
    let _reader = rustix::fs::open(setup.host("/fifo"), open, Mode::empty()).unwrap();
    let mut upload = Upload::begin(&setup.tree, "/fifo", me(), Landing::Through).unwrap();
    upload.write(&vec![0; 1 << 20]).unwrap();
    let (waits, taken) = upload.advance().unwrap();
    assert!(taken > 0);
    assert_eq!(upload.advance().unwrap(), (waits, 0));
    assert_eq!(waits.given_up().to_string(), "error writing file: nobody reads what is written");
}

#[test]
fn a_socket_is_no_place_for_content() {
    let setup = Setup::new();
    let _socket = std::os::unix::net::UnixListener::bind(setup.host("/socket")).unwrap();
    let error = Upload::begin(&setup.tree, "/socket", me(), Landing::Through).unwrap_err();
    assert!(matches!(error, UploadError::Open(_)), "{error}");
}

#[test]
fn devices_are_written_through_but_never_the_terminal() {
    let (tree, _layer) = machine();
    tree.write_file("/dev/null", b"x", me()).unwrap();
    assert!(std::fs::metadata("/dev/null").unwrap().file_type().is_char_device());
    assert!(tree.write_file("/dev/tty", b"x", me()).is_err());
    let full = tree.write_file("/dev/full", b"x", me()).unwrap_err();
    assert_eq!(full.kind(), std::io::ErrorKind::StorageFull);
}

#[test]
fn what_the_kernel_makes_up_has_no_length_before_it_is_read() {
    let (tree, _layer) = machine();
    let content = tree.open_read("/proc/version").unwrap();
    assert!(content.made_up && content.len.is_none());
    assert!(tree.read_file("/proc/version", 1 << 20).unwrap().starts_with(b"Linux"));
}
