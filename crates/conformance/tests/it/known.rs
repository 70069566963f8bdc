//! The files of known failures that are shipped: each can be read, and none is stale by itself.

use std::path::Path;

use conformance::known::{Known, Lines};
use conformance::suites;

#[test]
fn every_shipped_file_is_of_cases_that_there_are() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/known-failures");
    let paths = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    for path in paths.filter(|path| path.extension().is_some_and(|extension| extension == "toml")) {
        let lines: Lines = toml::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
        assert!(!lines.known.is_empty(), "{}", path.display());
        let known = Known::of(lines, &suites::all(), jiff::civil::Date::MIN);
        let known = known.unwrap_or_else(|why| panic!("{}: {why}", path.display()));
        assert_eq!(known.complaints(), Vec::<String>::new(), "{}", path.display());
    }
}
