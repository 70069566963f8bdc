//! Writes files of known failures from reports: what failed, pinned to its text without what differs from run to run.

use std::collections::BTreeMap;

use regex::Regex;

use crate::known::{Line, Lines};
use crate::report::json::Record;

/// The failures of one or more reports of the same build, each pinned to what is common to all of its texts; one that
/// passed in another of them is flaky.
pub fn lines(reports: &[Vec<Record>], reason: &str, expires: Option<&str>) -> Lines {
    let mut texts: BTreeMap<&str, String> = BTreeMap::new();
    for record in reports.iter().flatten().filter(|record| borne(record)) {
        let text = stable(&record.message);
        texts.entry(&record.id).and_modify(|known| *known = common(known, &text)).or_insert(text);
    }
    let passed =
        |id: &str| reports.iter().flatten().any(|record| record.id == id && record.verdict == "pass");
    let line = |(id, text): (&str, String)| Line {
        id: id.to_owned(),
        message: Some(text),
        regex: None,
        reason: reason.to_owned(),
        flaky: passed(id),
        expires: expires.map(str::to_owned),
    };
    Lines { known: texts.into_iter().map(line).collect() }
}

/// The same with the reasons that `old` has for them already, and with the last days.
pub fn keeping(mut lines: Lines, old: &Lines) -> Lines {
    for line in &mut lines.known {
        if let Some(known) = old.known.iter().find(|known| known.id == line.id) {
            line.reason.clone_from(&known.reason);
            line.expires = line.expires.take().or_else(|| known.expires.clone());
            line.flaky |= known.flaky;
        }
    }
    lines
}

/// What a file of known failures can bear: a failure, or a doubt that the subject causes itself.
fn borne(record: &Record) -> bool {
    record.verdict == "fail" || record.verdict == "inconclusive"
}

/// Without the names of the run, addresses and long numbers.
fn stable(text: &str) -> String {
    [r"envd-conformance-[0-9a-f]{8}", r"127\.0\.0\.1:[0-9]+", r"[0-9]{4,}(\.[0-9]+)?"].iter().fold(
        text.to_owned(),
        |text, pattern| match Regex::new(pattern) {
            Ok(regex) => regex.replace_all(&text, "*").into_owned(),
            Err(_) => text,
        },
    )
}

/// What both begin and end with, around a star.
fn common(a: &str, b: &str) -> String {
    if a == b {
        return a.to_owned();
    }
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let head = a.iter().zip(&b).take_while(|(a, b)| a == b).count();
    let most = a.len().min(b.len()) - head;
    let tail = a.iter().rev().zip(b.iter().rev()).take(most).take_while(|(a, b)| a == b).count();
    let (head, tail): (String, String) = (a[..head].iter().collect(), a[a.len() - tail..].iter().collect());
    format!("{head}*{tail}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(id: &str, verdict: &str, message: &str) -> Record {
        Record { id: id.into(), verdict: verdict.into(), message: message.into(), ..Record::default() }
    }

    #[test]
    fn what_failed_is_pinned_to_what_all_runs_share() {
        let run = |pid: u32| {
            vec![
                record(
                    "a/b/c",
                    "fail",
                    &format!("expected x, observed pid {pid} of /tmp/envd-conformance-0123abcd/x"),
                ),
                record("a/b/d", "pass", ""),
            ]
        };
        let lines = lines(&[run(17), run(23)], "as built", Some("2030-01-01"));
        assert_eq!(lines.known.len(), 1);
        assert_eq!(lines.known[0].message.as_deref(), Some("expected x, observed pid * of /tmp/*/x"));
        let text = toml::to_string(&lines).unwrap();
        assert_eq!(toml::from_str::<Lines>(&text).unwrap(), lines);
    }

    #[test]
    fn what_passed_once_is_flaky_and_old_reasons_stay() {
        let runs = [vec![record("a/b/c", "fail", "x")], vec![record("a/b/c", "pass", "")]];
        let lines = lines(&runs, "new", None);
        assert!(lines.known[0].flaky);
        let mut old = lines.clone();
        old.known[0] =
            Line { reason: "old".into(), expires: Some("2030-01-01".into()), ..old.known[0].clone() };
        let kept = keeping(lines, &old);
        assert_eq!(kept, old);
    }
}
