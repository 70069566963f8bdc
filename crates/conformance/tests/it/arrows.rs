//! Who may know whom: a judge shares no code with the judged.

use std::fs;
use std::path::{Path, PathBuf};

fn sources(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { sources(&path) } else { vec![path] }).collect()
}

fn users(name: &str) -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let named = |path: &PathBuf| fs::read_to_string(path).unwrap().contains(name);
    let found = sources(&root).into_iter().filter(named);
    found.map(|path| path.strip_prefix(&root).unwrap().display().to_string()).collect()
}

#[test]
fn the_client_is_not_used_and_the_mock_only_as_a_subject() {
    assert_eq!(users("envd_client"), Vec::<String>::new());
    assert_eq!(users("envd_mock"), ["subject/embedded.rs"]);
}

#[test]
fn judging_and_data_know_no_socket() {
    let sockets = users("tokio::net");
    assert!(
        sockets.iter().all(|path| path.starts_with("probe/") || path.starts_with("subject/")),
        "{sockets:?}"
    );
}
