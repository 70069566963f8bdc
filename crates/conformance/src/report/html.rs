//! The report as one page that needs nothing else: a picture of the sum by area and level, a search, and each case with
//! its transcript.

use std::collections::BTreeMap;

use askama::Template;

use super::terminal::evidence;
use super::wire;
use crate::observation::Observation;
use crate::runner::{Began, Event, Outcome, Summary};
use crate::verdict::Verdict;

/// Collects a run.
#[derive(Debug, Default)]
pub struct Html {
    began: Began,
    cases: Vec<Entry>,
    summary: Summary,
}

/// Width of a whole bar of the picture, in its units.
const BAR: usize = 420;
const ROW: usize = 22;
/// More lines than these of one transcript are only counted.
const LINES: usize = 120;

#[derive(Template)]
#[template(path = "report.html")]
struct Page<'a> {
    subject: &'a str,
    generation: u8,
    verdict: &'static str,
    sum: Vec<(&'static str, usize)>,
    notes: Vec<&'a str>,
    bars: Vec<Bar>,
    height: usize,
    cases: Vec<&'a Entry>,
}

#[derive(Debug)]
struct Entry {
    id: &'static str,
    level: &'static str,
    area: &'static str,
    word: &'static str,
    message: String,
    facts: Vec<(&'static str, String)>,
    evidence: String,
    transcript: String,
    took: String,
}

/// One row of the picture.
struct Bar {
    label: String,
    y: usize,
    text_y: usize,
    parts: Vec<Part>,
}

struct Part {
    x: usize,
    width: usize,
    word: &'static str,
    count: usize,
}

impl Html {
    /// Takes one event.
    pub fn event(&mut self, event: &Event) {
        match event {
            Event::Began(began) => self.began = (**began).clone(),
            Event::Started { .. } => {}
            Event::Finished(outcome) => self.cases.push(entry(outcome)),
            Event::Ended(summary) => self.summary = summary.clone(),
        }
    }

    /// The page of what was collected.
    ///
    /// # Errors
    /// When it cannot be rendered.
    pub fn page(&self) -> Result<String, askama::Error> {
        let bars = self.bars();
        let mut cases: Vec<_> = self.cases.iter().collect();
        cases.sort_by_key(|case| (URGENCY.iter().position(|word| *word == case.word), case.id));
        let page = Page {
            subject: &self.began.subject,
            generation: self.began.profile.generation,
            verdict: match self.summary.exit_code() {
                0 => "conforms",
                1 => "does not conform",
                _ => "cannot be told",
            },
            sum: self.sum(),
            notes: self.summary.broken.iter().chain(&self.summary.stale).map(String::as_str).collect(),
            height: bars.len() * ROW,
            bars,
            cases,
        };
        page.render()
    }

    fn sum(&self) -> Vec<(&'static str, usize)> {
        let count = |word| (word, self.cases.iter().filter(|case| case.word == word).count());
        WORDS.into_iter().map(count).filter(|(_, count)| *count > 0).collect()
    }

    fn bars(&self) -> Vec<Bar> {
        let mut rows: BTreeMap<(&str, usize, &str), BTreeMap<&str, usize>> = BTreeMap::new();
        for case in &self.cases {
            let rank = ["must", "should", "may"].iter().position(|level| *level == case.level).unwrap_or(3);
            *rows.entry((case.area, rank, case.level)).or_default().entry(case.word).or_default() += 1;
        }
        let most = rows.values().map(|row| row.values().sum()).max().unwrap_or(1);
        rows.into_iter()
            .enumerate()
            .map(|(at, ((area, _, level), row))| bar(at, area, level, &row, most))
            .collect()
    }
}

/// The order of the list.
const URGENCY: [&str; 7] = ["fail", "inconclusive", "known", "blocked", "pass", "unsupported", "skip"];
/// The order within a bar.
const WORDS: [&str; 7] = ["pass", "fail", "known", "inconclusive", "blocked", "unsupported", "skip"];

fn bar(at: usize, area: &str, level: &str, row: &BTreeMap<&str, usize>, most: usize) -> Bar {
    let mut x = 0;
    let part = |word: &'static str| {
        let count = row.get(word).copied().unwrap_or(0);
        let width = (count * BAR).div_ceil(most);
        x += width;
        Part { x: 170 + x - width, width, word, count }
    };
    let parts = WORDS.into_iter().map(part).filter(|part| part.count > 0).collect();
    Bar { label: format!("{area} ({level})"), y: at * ROW + 3, text_y: at * ROW + 15, parts }
}

fn entry(outcome: &Outcome) -> Entry {
    let case = &outcome.case;
    let (known, earlier) = (outcome.known.as_deref(), outcome.earlier.as_ref());
    let finding = match &outcome.verdict {
        Verdict::Fail(finding) => Some(finding),
        _ => None,
    };
    let mut facts = vec![
        ("requirement", case.requirement.to_owned()),
        ("why", case.why.to_owned()),
        ("source", case.source.to_owned()),
    ];
    facts.extend(known.map(|reason| ("known", reason.to_owned())));
    facts.extend(
        earlier
            .map(|first| ("among others", format!("{} {}", first.verdict.word(), first.verdict.message()))),
    );
    facts.extend(finding.into_iter().flat_map(|finding| {
        [("expected", finding.expected.clone()), ("observed", finding.observed.clone())]
    }));
    Entry {
        id: case.id,
        level: case.level.word(),
        area: case.area(),
        word: if known.is_some() { "known" } else { outcome.verdict.word() },
        message: outcome.verdict.message(),
        facts,
        evidence: finding
            .map(|finding| evidence(&outcome.observation, finding).join("\n"))
            .unwrap_or_default(),
        transcript: transcript(&outcome.observation),
        took: format!("{} ms", outcome.took.as_millis()),
    }
}

/// All steps of a case on the wire, in lines.
pub fn transcript(observation: &Observation) -> String {
    let steps = observation.steps.iter().flat_map(|step| {
        let lines = wire::lines(&step.exchange).into_iter().map(|line| format!("  {line}"));
        [format!("{}:", step.label)].into_iter().chain(lines)
    });
    let mut lines: Vec<_> = steps.collect();
    if lines.len() > LINES {
        let more = lines.len() - LINES;
        lines.truncate(LINES);
        lines.push(format!("({more} lines more)"));
    }
    lines.join("\n")
}
