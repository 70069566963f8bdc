//! The incidents for readers: one line each, or the page `docs/incidents.md`.

use std::fmt::Write as _;

use super::{Expectation, Incident, Kind, all};
use crate::units::print_duration;

const HEAD: &str = "\
# Incidents

Problems that hosts have reported, as scripts that reproduce them: `envd-mock --script incident:NAME`, or in Rust
`MockEnvd::builder().incident(\"NAME\")`. Each file in [fixtures/scripts](../fixtures/scripts) describes what happens and declares what a good client does;
the tests of `envd-client` check every declaration. `envd-mock incidents` lists all incidents. To add one, add a file there and its
name in `crates/envd-mock/src/incident/catalogue.rs`, and regenerate this page with `envd-mock incidents --page > docs/incidents.md`.

Times are for a client with the default settings of `envd-client` and a clock that runs at the normal pace. A retry is the same call again.
The reports are the ones that a script is based on, or reports of the same kind.

";

/// One line for each: its name, and what it is called.
pub fn lines() -> String {
    let width = all().map(|(name, _)| name.len()).max().unwrap_or_default();
    all().fold(String::new(), |mut text, (name, incident)| {
        // Writing to a string does not fail.
        let _ = writeln!(text, "{name:width$}  {}", incident.title);
        text
    })
}

/// The page `docs/incidents.md`.
pub fn page() -> String {
    let mut page = HEAD.to_owned();
    page.push_str("| incident | what happens | what a good client does | reports |\n|---|---|---|---|\n");
    for (name, incident) in all() {
        let (does, reports) = (good_client(&incident), reports(&incident));
        // As above.
        let _ = writeln!(
            page,
            "| [`{name}`](../fixtures/scripts/{name}.toml) | **{}.** {} | {does} | {reports} |",
            incident.title, incident.what
        );
    }
    page
}

fn good_client(incident: &Incident) -> String {
    incident.expect.iter().map(sentence).collect::<Vec<_>>().join("<br>")
}

fn sentence(expect: &Expectation) -> String {
    let mut text = format!("{}: {}", expect.act.as_str(), outcome(expect));
    if expect.times > 1 {
        // As above.
        let _ = write!(text, ", {} times", expect.times);
    }
    for seen in [
        expect.seen.exit.map(|code| format!("exit {code} seen")),
        expect.seen.no_exit.then(|| "no exit code".to_owned()),
        expect.seen.state.as_ref().map(|state| format!("state {state}")),
        expect.left.open.map(|open| format!("{} left open", counted(open, "call", "calls"))),
        expect.left.running.map(|running| format!("{} left", counted(running, "process", "processes"))),
    ]
    .into_iter()
    .flatten()
    {
        text.push_str(", ");
        text.push_str(&seen);
    }
    text
}

fn counted(number: u64, one: &str, more: &str) -> String {
    match number {
        0 => format!("no {one}"),
        1 => format!("1 {one}"),
        _ => format!("{number} {more}"),
    }
}

fn outcome(expect: &Expectation) -> String {
    let within = print_duration(expect.within);
    if expect.kind == Kind::Ok {
        return format!("ok within {within}");
    }
    let kind = match (expect.code, expect.status) {
        (Some(code), _) => format!("{} {}", expect.kind.as_str(), code.as_str()),
        (_, Some(status)) => format!("{} {status}", expect.kind.as_str()),
        _ => expect.kind.as_str().to_owned(),
    };
    let blame = expect.blame.map_or("nobody", super::Blame::as_str);
    format!("{kind} within {within}, {blame} to blame, retry {}", expect.retry.as_str())
}

/// `owner/repository #number`, with its link.
fn reports(incident: &Incident) -> String {
    let link = |url: &String| {
        let path = url.trim_start_matches("https://github.com/");
        let short = path.replace("/issues/", " #").replace("/pull/", " #");
        format!("[{short}]({url})")
    };
    let links: Vec<_> = incident.report.iter().map(link).collect();
    if links.is_empty() { "none public".to_owned() } else { links.join("<br>") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_is_what_the_files_say() {
        let written = include_str!("../../../../docs/incidents.md");
        let told = "stale: cargo run --bin envd-mock -- incidents --page > docs/incidents.md";
        assert!(written == page(), "{told}");
    }

    #[test]
    fn each_incident_has_its_line() {
        assert_eq!(lines().lines().count(), all().count());
    }
}
