//! The page about the kit is true: every flag, command and feature is told there.

use std::process::Command;

use conformance::feature::Feature;

fn page() -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/conformance.md");
    std::fs::read_to_string(path).unwrap()
}

fn words(help: &str) -> Vec<String> {
    let flags =
        help.split(|c: char| !c.is_ascii_alphanumeric() && c != '-').filter(|word| word.starts_with("--"));
    flags
        .filter(|flag| flag.len() > 2 && !["--help", "--version"].contains(flag))
        .map(str::to_owned)
        .collect()
}

#[test]
fn the_page_tells_every_flag_and_every_command() {
    let (page, mut told) = (page(), Vec::new());
    for command in ["", "list", "explain", "accept", "regrade", "diff"] {
        assert!(page.contains(command), "{command}");
        let args = [command, "--help"];
        let output = Command::new(env!("CARGO_BIN_EXE_envd-conformance"))
            .args(args.iter().filter(|arg| !arg.is_empty()))
            .output()
            .unwrap();
        assert!(output.status.success(), "{command}");
        told.extend(words(&String::from_utf8_lossy(&output.stdout)));
    }
    assert!(told.len() > 20, "{told:?}");
    for flag in told.iter().filter(|flag| *flag != "--out") {
        assert!(page.contains(flag.as_str()), "{flag}");
    }
}

#[test]
fn the_page_names_every_feature() {
    for feature in Feature::ALL {
        assert!(page().contains(&format!("`{}`", feature.word())), "{feature:?}");
    }
}
