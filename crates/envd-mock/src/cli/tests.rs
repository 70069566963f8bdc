//! The command line from outside of clap.

use super::serve::bind;
use super::*;

fn read(flags: &[&str]) -> Result<Cli, Stop> {
    Cli::read(std::iter::once("envd-mock").chain(flags.iter().copied()).map(Into::into))
}

fn refusal(flags: &[&str]) -> String {
    match read(flags) {
        Err(Stop::Refused(line)) => line,
        other => panic!("expected a refusal, got {other:?}"),
    }
}

#[test]
fn the_flags_hold_together() {
    use clap::CommandFactory;
    Cli::command().debug_assert();
}

#[test]
fn a_bad_flag_is_one_line_that_says_what_was_seen() {
    let lines: Vec<String> = [
        &["--nope"][..],
        &["--generation", "4"],
        &["--defect", "no-such"],
        &["--defect", "B25"],
        &["--volume", "a b"],
        &["--disk", "big"],
        &["--stall-limit", "5"],
        &["--bind", "usr"],
        &["--log-format", "xml"],
        &["--listen", "here"],
        &["--root", "/", "--files", "/x"],
        &["--allow-origin", "https://"],
        &["serve", "--disk", "big"],
        &["proxy"],
        &["proxy", "--upstream", "127.0.0.1:49983"],
        &["proxy", "--upstream", "http://a", "--disk", "1MiB"],
        &["--replay-traffic", "a.jsonl", "--disk", "1MiB"],
        &["--replay-pace", "at-once"],
        &["--replay-traffic", "a.jsonl", "--replay-pace", "0"],
        &["--clock", "slow"],
        &["self-check", "--jsn"],
    ]
    .into_iter()
    .map(refusal)
    .collect();
    insta::assert_snapshot!(lines.join("\n"));
}

#[test]
fn help_and_version_are_told() {
    assert!(matches!(read(&["--help"]), Err(Stop::Told(text)) if text.contains("--exit-on-stdin-eof")));
    assert!(matches!(read(&["--version"]), Err(Stop::Told(text)) if text.starts_with("envd-mock ")));
}

#[test]
fn a_bind_names_both_ends_or_one() {
    assert_eq!(bind("/opt"), Ok(("/opt".into(), "/opt".into())));
    assert_eq!(bind("/opt:/mnt/x"), Ok(("/opt".into(), "/mnt/x".into())));
    assert!(bind("/opt:mnt").is_err());
}
