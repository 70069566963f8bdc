//! What changes for a host between one envd and another: two reports, or two subjects to which the same is done. Each
//! case has one class. Judges neither side.

mod facts;

use std::collections::BTreeMap;
use std::time::Duration;

use self::facts::{Facts, facts};
use crate::case::{Case, Isolation};
use crate::observation::Observation;
use crate::probe::{CleanupList, Probe, SetupError};
use crate::profile::{Claims, Profile};
use crate::report::json::Record;
use crate::runner::clean_up;
use crate::subject::{Subject, Subjects};

const PATIENCE: Duration = Duration::from_secs(5);
/// Slower by this factor and by this much is a difference.
const SLOWER: u32 = 4;
const SLOWER_BY: Duration = Duration::from_millis(100);

/// What a difference means for a host that knew A and meets B; the worst comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// Something is otherwise or gone.
    Breaking,
    /// Something has come in addition.
    Additive,
    /// It is the same, and much slower.
    Timing,
    /// Nothing.
    Equal,
}

impl Class {
    /// The word that reports print.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Breaking => "breaking",
            Self::Additive => "additive",
            Self::Timing => "timing",
            Self::Equal => "equal",
        }
    }
}

/// What became of one case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The case.
    pub id: String,
    /// What it means.
    pub class: Class,
    /// What it is, in one line.
    pub what: String,
}

/// Compares two reports case by case.
pub fn reports(a: &[Record], b: &[Record]) -> Vec<Difference> {
    let by_id = |report: &[Record]| -> BTreeMap<(String, usize), Record> {
        report.iter().map(|record| ((record.id.clone(), record.round), record.clone())).collect()
    };
    let (a, b) = (by_id(a), by_id(b));
    let mut keys: Vec<_> = a.keys().chain(b.keys()).collect();
    keys.sort();
    keys.dedup();
    keys.into_iter().map(|key| records(&key.0, a.get(key), b.get(key))).collect()
}

fn records(id: &str, a: Option<&Record>, b: Option<&Record>) -> Difference {
    let told = |record: &Record| match record.message.as_str() {
        "" => record.verdict.clone(),
        message => format!("{} ({message})", record.verdict),
    };
    let (class, what) = match (a, b) {
        (Some(a), Some(b)) if a.verdict == b.verdict && a.message == b.message => {
            slower(Duration::from_secs_f64(a.took_ms / 1000.0), Duration::from_secs_f64(b.took_ms / 1000.0))
        }
        (Some(a), Some(b)) if a.verdict != "pass" && b.verdict == "pass" => {
            (Class::Additive, format!("was {}, now holds", told(a)))
        }
        (Some(a), Some(b)) => (Class::Breaking, format!("was {}, now {}", told(a), told(b))),
        (None, Some(b)) => (Class::Additive, format!("is new: {}", told(b))),
        (Some(a), None) => (Class::Breaking, format!("was {}, now not in the report", told(a))),
        (None, None) => (Class::Equal, String::new()),
    };
    Difference { id: id.to_owned(), class, what }
}

fn slower(a: Duration, b: Duration) -> (Class, String) {
    if b > a * SLOWER && b > a + SLOWER_BY {
        return (Class::Timing, format!("took {a:.0?}, now {b:.0?}"));
    }
    (Class::Equal, String::new())
}

/// Does each case to both, at the same time; what A does not even repeat for itself is no difference. Cases that need a
/// fresh subject or change the machine are left out.
///
/// # Errors
/// [`SetupError`] when one of them cannot be reached.
pub async fn lockstep(
    a: &dyn Subjects,
    b: &dyn Subjects,
    cases: &[&Case],
) -> Result<Vec<Difference>, SetupError> {
    let (a, b) = (a.start().await?, b.start().await?);
    let name = uuid::Uuid::new_v4().simple().to_string();
    let (mark, cleanup) = (format!("envd-conformance-{}", &name[..8]), CleanupList::default());
    let dialect = Profile::of(&a, &Claims::default()).await.dialect();
    let mut out = Vec::new();
    for case in cases.iter().filter(|case| case.isolation == Isolation::Shared && !case.disposable) {
        let probe = |subject: &Subject, go: &str| {
            let at = (subject.address, subject.host.clone());
            Probe::new(at, &mark, &format!("{}{go}", case.id), PATIENCE, CleanupList::clone(&cleanup))
                .speaking(dialect)
        };
        let (first, other) = tokio::join!(act(case, probe(&a, "")), act(case, probe(&b, "")));
        let (first, other) = (first?, other?);
        let again = act(case, probe(&a, "+again")).await?;
        out.push(observations(case.id, &[first, again], &other));
    }
    let tags =
        CleanupList::new(std::sync::Mutex::new(cleanup.lock().map(|tags| tags.clone()).unwrap_or_default()));
    for (subject, tags) in [(&a, &cleanup), (&b, &tags)] {
        // What a subject does not let go is its own.
        let _ = tokio::time::timeout(PATIENCE, clean_up(subject, &mark, tags)).await;
    }
    Ok(out)
}

async fn act(case: &Case, mut probe: Probe) -> Result<(Observation, Duration), SetupError> {
    let since = std::time::Instant::now();
    let acted = tokio::time::timeout(PATIENCE * 2, (case.act)(&mut probe)).await;
    match acted {
        Ok(Err(trouble @ (SetupError::Connect { .. } | SetupError::Start(_)))) => Err(trouble),
        // What it has seen until then is compared.
        _ => Ok((probe.into_observation(), since.elapsed())),
    }
}

fn observations(id: &str, a: &[(Observation, Duration); 2], b: &(Observation, Duration)) -> Difference {
    let [first, again] = [facts(&a[0].0), facts(&a[1].0)];
    let other = facts(&b.0);
    let noise = |key: &str| first.get(key) != again.get(key);
    let mut found: Vec<_> = differing(&first, &other).into_iter().filter(|(_, key, _)| !noise(key)).collect();
    found.sort();
    let id = id.to_owned();
    match found.first() {
        Some((class, _, _)) => {
            let class = *class;
            let same = found.iter().filter(|(other, _, _)| *other == class).take(3);
            let what = same.map(|(_, _, what)| what.clone()).collect::<Vec<_>>().join("; ");
            Difference { id, class, what }
        }
        None => {
            let (class, what) = slower(a[0].1.max(a[1].1), b.1);
            Difference { id, class, what }
        }
    }
}

fn differing(a: &Facts, b: &Facts) -> Vec<(Class, String, String)> {
    let changed = a.iter().filter(|(key, value)| b.get(*key) != Some(*value)).map(|(key, value)| {
        let now = b.get(key).map_or("nothing", String::as_str);
        (Class::Breaking, key.clone(), format!("{key} was {value}, now {now}"))
    });
    let added = b.iter().filter(|(key, _)| !a.contains_key(*key));
    let added = added.map(|(key, value)| (Class::Additive, key.clone(), format!("{key} is new: {value}")));
    changed.chain(added).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(id: &str, verdict: &str, message: &str, took_ms: f64) -> Record {
        let (id, verdict, message) = (id.into(), verdict.into(), message.into());
        Record { id, verdict, message, took_ms, ..Record::default() }
    }

    #[test]
    fn each_case_of_two_reports_has_a_class() {
        let a = [
            record("same", "pass", "", 10.0),
            record("slow", "pass", "", 10.0),
            record("broke", "pass", "", 1.0),
            record("mended", "fail", "x", 1.0),
            record("otherwise", "fail", "x", 1.0),
            record("gone", "pass", "", 1.0),
        ];
        let b = [
            record("same", "pass", "", 30.0),
            record("slow", "pass", "", 900.0),
            record("broke", "fail", "y", 1.0),
            record("mended", "pass", "", 1.0),
            record("otherwise", "fail", "y", 1.0),
            record("new", "pass", "", 1.0),
        ];
        let classes: BTreeMap<_, _> =
            reports(&a, &b).into_iter().map(|difference| (difference.id, difference.class)).collect();
        for (id, class) in [
            ("same", Class::Equal),
            ("slow", Class::Timing),
            ("broke", Class::Breaking),
            ("mended", Class::Additive),
            ("otherwise", Class::Breaking),
            ("gone", Class::Breaking),
            ("new", Class::Additive),
        ] {
            assert_eq!(classes.get(id), Some(&class), "{id}");
        }
    }
}
