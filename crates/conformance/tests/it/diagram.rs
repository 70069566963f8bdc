//! The dependencies between the modules of the kit, and on other crates of the workspace.

use std::fs;
use std::path::{Path, PathBuf};

use module_diagram::{Line, Sources, violations};

/// Which top-level module uses which.
const DIAGRAM: &[Line<'_>] = &[
    ("feature", &[]),
    ("observation", &[]),
    ("stream", &[]),
    ("verdict", &["observation", "stream"]),
    ("probe", &["observation", "stream"]),
    ("case", &["feature", "observation", "probe", "verdict"]),
    ("requirements", &["case"]),
    ("select", &["case"]),
    ("subject", &["case", "probe"]),
    ("profile", &["feature", "observation", "probe", "subject"]),
    ("suites", &["case", "feature", "observation", "probe", "stream", "verdict"]),
    ("known", &["case", "verdict"]),
    ("runner", &["case", "known", "observation", "probe", "profile", "subject", "verdict"]),
    ("matrix", &["runner", "verdict"]),
    ("report", &["case", "matrix", "observation", "runner", "stream", "verdict"]),
    ("accept", &["known", "report"]),
    (
        "compare",
        &["case", "observation", "probe", "profile", "report", "runner", "stream", "subject", "verdict"],
    ),
    ("library", &["case", "profile", "runner", "subject", "suites", "verdict"]),
    (
        "cli",
        &[
            "accept",
            "case",
            "compare",
            "known",
            "matrix",
            "profile",
            "report",
            "requirements",
            "runner",
            "select",
            "subject",
            "suites",
        ],
    ),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

#[test]
fn the_modules_follow_the_diagram_and_have_no_cycles() {
    assert_eq!(violations(&Sources::read(&root()).unwrap(), DIAGRAM), Vec::<String>::new());
}

#[test]
fn a_planted_dependency_is_found() {
    let sources =
        Sources::read(&root()).unwrap().with("probe/planted.rs", "use crate::{observation, verdict};");
    let found = violations(&sources, DIAGRAM);
    assert_eq!(found, ["probe must not use verdict: probe/planted.rs:1"]);
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

/// The files that contain `text`.
fn containing(text: &str) -> Vec<String> {
    let contains = |path: &PathBuf| fs::read_to_string(path).unwrap().contains(text);
    let found = files(&root()).into_iter().filter(contains);
    found.map(|path| path.strip_prefix(root()).unwrap().display().to_string()).collect()
}

#[test]
fn the_client_is_not_used_and_the_mock_only_as_a_subject() {
    assert_eq!(containing("envd_client"), Vec::<String>::new());
    assert_eq!(containing("envd_mock"), ["subject/embedded.rs"]);
}

#[test]
fn only_probe_and_subject_use_sockets() {
    let sockets = containing("tokio::net");
    assert!(
        sockets.iter().all(|path| path.starts_with("probe/") || path.starts_with("subject/")),
        "{sockets:?}"
    );
}
