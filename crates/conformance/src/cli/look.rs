//! `list` and `explain`: what there is, without a run.

use std::fmt::Write as _;
use std::process::ExitCode;

use super::{Refusal, Which, print, untold, usage};
use crate::case::{Case, Isolation};
use crate::report;
use crate::runner::{self, Config, Event};
use crate::subject::Embedded;
use crate::suites;

#[derive(Debug, clap::Args)]
pub(super) struct List {
    #[command(flatten)]
    which: Which,
    /// Lists the requirements that no case covers instead, each with the reason, if one is given.
    #[arg(long)]
    untested: bool,
}

#[derive(Debug, clap::Args)]
pub(super) struct Explain {
    /// The id, as `list` prints it.
    id: String,
}

impl List {
    pub(super) fn done(self) -> Result<ExitCode, Refusal> {
        let all = suites::all();
        let chosen = self.which.selection().of(&all).map_err(usage)?;
        if self.untested {
            return untested(&all);
        }
        let mut text = String::new();
        for case in chosen {
            let _ = writeln!(text, "{:<40} {:<7} {}", case.id, case.level.word(), case.requirement);
        }
        print(&text)
    }
}

/// Exit code 1 if a requirement is not covered and nobody says why.
fn untested(all: &[Case]) -> Result<ExitCode, Refusal> {
    let requirements = crate::requirements::all().map_err(untold)?;
    let mut text = String::new();
    let mut bare = 0;
    for requirement in requirements.iter().filter(|requirement| !requirement.covered(all)) {
        bare += usize::from(requirement.untested.is_none());
        let reason = requirement.untested.as_deref().unwrap_or("no reason is given");
        let _ = writeln!(text, "{:<24} {}\n{:<24} {reason}", requirement.id, requirement.text, "");
    }
    print(&text)?;
    Ok(ExitCode::from(u8::from(bare > 0)))
}

impl Explain {
    pub(super) async fn done(self) -> Result<ExitCode, Refusal> {
        let all = suites::all();
        let unknown =
            || usage(format!("no case is called {:?}; `envd-conformance list` shows them all", self.id));
        let case = all.iter().find(|case| case.id == self.id).ok_or_else(unknown)?;
        let text = format!("{}{}", told(case), shown(case).await);
        print(&text)
    }
}

fn told(case: &Case) -> String {
    let list = |items: Vec<String>| if items.is_empty() { "nothing".to_owned() } else { items.join(", ") };
    let needs = case.needs.iter().map(|&need| need.to_owned());
    let features = case.features.iter().map(|feature| format!("feature {}", feature.word()));
    let generations = case.generations.iter().map(|generation| format!("generation {generation}"));
    let subject = match case.isolation {
        Isolation::Shared => "any, and leaves it as it was",
        Isolation::Fresh => "a fresh one of its own",
    };
    let marks = [
        (case.smoke, "smoke"),
        (case.disposable, "disposable"),
        (case.bulk, "bulk"),
        (case.timing, "timing"),
        (case.positive_control.is_some(), "has a twin"),
    ];
    let marks = marks.into_iter().filter(|(on, _)| *on).map(|(_, mark)| mark.to_owned());
    let lines = [
        ("requirement", case.requirement.to_owned()),
        ("why", case.why.to_owned()),
        ("source", case.source.to_owned()),
        ("level", case.level.word().to_owned()),
        ("needs", list(needs.chain(features).chain(generations).collect())),
        ("subject", subject.to_owned()),
        ("tags", list(case.tags.iter().map(|&tag| tag.to_owned()).chain(marks).collect())),
        ("covers", list(case.reqs.iter().map(|&req| req.to_owned()).collect())),
    ];
    let line = |(name, text): (&str, String)| format!("  {name:<12} {text}\n");
    format!("{}\n{}", case.id, lines.into_iter().map(line).collect::<String>())
}

/// What the case sends, and what a guest that is right answers: by running it against the embedded mock.
async fn shown(case: &Case) -> String {
    let mut text = String::new();
    let config = Config { disposable: true, ..Config::new(std::sync::Arc::new(Embedded), vec![*case]) };
    runner::run(config, &mut |event| {
        if let Event::Finished(outcome) = event {
            let verdict = outcome.verdict.word();
            let _ = writeln!(text, "  the embedded mock ({verdict}):");
            for line in report::transcript(&outcome.observation).lines() {
                let _ = writeln!(text, "    {line}");
            }
        }
    })
    .await;
    text
}
