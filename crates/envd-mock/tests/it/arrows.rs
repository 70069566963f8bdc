//! Which part may know which: the arrows of ARCHITECTURE.md, read off the sources.

use std::fs;
use std::path::{Path, PathBuf};

fn sources(dir: &Path) -> Vec<(PathBuf, String)> {
    let (mut left, mut found) = (vec![dir.to_owned()], Vec::new());
    while let Some(dir) = left.pop() {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                left.push(path);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                found.push((path, text));
            }
        }
    }
    found
}

/// The files below `dir` that use `name` in a path, `except` left out.
fn users(dir: &str, name: &str, except: &[&str]) -> Vec<PathBuf> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join(dir);
    let all = sources(&dir);
    assert!(!all.is_empty(), "no sources in {}", dir.display());
    let named = |text: &str| {
        // What only a test uses is no part of the diagram.
        let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
        let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
        code.flat_map(|line| line.split(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':')))
            .any(|word| word.starts_with(&format!("{name}::")))
    };
    let excepted = |path: &Path| except.iter().any(|one| path.ends_with(one));
    all.into_iter().filter(|(path, text)| !excepted(path) && named(text)).map(|(path, _)| path).collect()
}

#[test]
fn the_guest_knows_no_http() {
    for name in ["axum", "http", "hyper", "connectrpc", "tower", "crate::routes"] {
        assert_eq!(users("src/guest", name, &[]), Vec::<PathBuf>::new(), "{name}");
    }
}

#[test]
fn faults_and_the_guest_do_not_know_each_other() {
    assert_eq!(users("src/guest", "crate::fault", &[]), Vec::<PathBuf>::new());
    for name in ["axum", "http", "hyper", "tokio", "std::net", "std::fs", "crate::guest", "crate::routes"] {
        assert_eq!(users("src/fault", name, &[]), Vec::<PathBuf>::new(), "{name}");
    }
}

#[test]
fn the_connect_runtime_is_used_in_one_module() {
    let outside: Vec<_> = users("src", "connectrpc", &[]);
    assert!(!outside.is_empty());
    assert!(outside.iter().all(|path| path.to_string_lossy().contains("/routes/connect/")), "{outside:?}");
}

#[test]
fn who_stands_in_for_a_guest_knows_no_rules() {
    for dir in ["src/upstream", "src/traffic"] {
        assert_eq!(users(dir, "crate::live", &[]), Vec::<PathBuf>::new(), "{dir}");
    }
    assert_eq!(users("src/upstream", "crate::fault", &[]), Vec::<PathBuf>::new());
}

#[test]
fn two_modules_speak_http_to_the_network() {
    let outside = users("src", "hyper", &["routes/tests/disks.rs"]);
    let at_edge = |path: &PathBuf| {
        ["/connection/", "/upstream/"].iter().any(|dir| path.to_string_lossy().contains(dir))
    };
    assert!(!outside.is_empty() && outside.iter().all(at_edge), "{outside:?}");
}

#[test]
fn the_client_is_known_where_it_is_handed_out() {
    assert_eq!(users("src", "envd_client", &["mock.rs"]), Vec::<PathBuf>::new());
}

#[test]
fn the_clients_transport_alone_speaks_http() {
    for name in ["reqwest", "hyper", "connectrpc"] {
        let outside = users("../envd-client/src", name, &[]);
        assert!(
            outside.iter().all(|path| path.to_string_lossy().contains("/transport/")),
            "{name}: {outside:?}"
        );
    }
}

#[test]
fn programs_make_no_system_call_of_their_own() {
    for name in ["rustix", "libc", "crate::guest::ns", "crate::guest::process"] {
        assert_eq!(users("src/guest/program", name, &["play/tests.rs"]), Vec::<PathBuf>::new(), "{name}");
    }
}
