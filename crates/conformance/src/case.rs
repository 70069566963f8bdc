//! What a case is: a requirement with its source, what is done to see it, and the judge. Runs nothing.

mod judge;

use std::time::Duration;

use futures::future::BoxFuture;

use crate::feature::Feature;
use crate::observation::Observation;
use crate::probe::{Probe, SetupError};
use crate::verdict::Judged;

pub use self::judge::judge;

/// How much a requirement binds, in the sense of RFC 2119.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// A build that misses it does not conform.
    Must,
    /// A build that misses it conforms, and is told.
    Should,
    /// A build may do it or not; it is told what it does.
    May,
}

impl Level {
    /// The word that lists and reports print.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Must => "must",
            Self::Should => "should",
            Self::May => "may",
        }
    }
}

/// Which envd a case may act on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Isolation {
    /// The one of the whole run: the case leaves nothing behind that others could notice.
    Shared,
    /// One of its own: the case changes what cannot be changed back, such as the token.
    Fresh,
}

/// What acting came to: `Err` is trouble of the harness, never a judgement.
pub type Acted = Result<(), SetupError>;

/// Acts on a subject.
pub type Act = for<'a> fn(&'a mut Probe) -> BoxFuture<'a, Acted>;
/// Judges what was seen: a pure function.
pub type Judge = fn(&Observation) -> Judged;

/// Writes an async block as the `act` of a case: `act!(|p| p.get("health", "/health").await)`.
macro_rules! act {
    (|$p:ident| $body:expr) => {
        |$p| Box::pin(async move { $body })
    };
}
pub(crate) use act;

/// One requirement and how it is checked.
#[derive(Debug, Clone, Copy)]
pub struct Case {
    /// `area/operation/claim`; it never changes once published.
    pub id: &'static str,
    /// How much it binds.
    pub level: Level,
    /// Where the requirement comes from, such as `contract 4.1`.
    pub source: &'static str,
    /// The requirement, in one line.
    pub requirement: &'static str,
    /// What breaks for a host when it is missed, in one line.
    pub why: &'static str,
    /// Cases without which this one says nothing.
    pub needs: &'static [&'static str],
    /// Which envd it may act on.
    pub isolation: Isolation,
    /// Words that `--only` and `--skip` take beside ids.
    pub tags: &'static [&'static str],
    /// The wire generations that it concerns; none named means all.
    pub generations: &'static [u8],
    /// What the subject must have; without it the case is unsupported.
    pub features: &'static [Feature],
    /// The requirements of the requirement file that it covers, by id.
    pub reqs: &'static [&'static str],
    /// A plain smoke case, which need not catch a mutant.
    pub smoke: bool,
    /// Changes the machine, such as its clock: runs with `--disposable` only.
    pub disposable: bool,
    /// Moves big data: left out where mutants are run.
    pub bulk: bool,
    /// What the subject may take by its nature, such as a time-out of its own: added to every answer's time, and twice to
    /// the case's.
    pub waits: Duration,
    /// Its claim is about time: a failure while the harness starves is inconclusive.
    pub timing: bool,
    /// For a negative case: judges the repaired request, which `act` sends under labels of its own. If it does not hold,
    /// the refusal says nothing, and the verdict is inconclusive.
    pub positive_control: Option<Judge>,
    /// Acts on the subject; everything seen is in the probe's observation afterwards.
    pub act: Act,
    /// Judges what was seen: a pure function.
    pub judge: Judge,
}

/// A method for each field, which gives the case with that field.
macro_rules! setters {
    ($($name:ident $(=> $field:ident)?: $kind:ty),* $(,)?) => {
        $(setters!(@one $name, $($field)? $name, $kind);)*
    };
    (@one $name:ident, $field:ident $($rest:ident)?, $kind:ty) => {
        #[doc = concat!("The same with this `", stringify!($field), "`.")]
        pub(crate) const fn $name(self, $field: $kind) -> Self {
            Self { $field, ..self }
        }
    };
}

/// A case of level must, on a shared subject, with an id, a source and the requirements that it covers.
pub(crate) const fn case(id: &'static str, source: &'static str, reqs: &'static [&'static str]) -> Case {
    Case::BASE.case(id, source, reqs)
}

impl Case {
    /// What a table entry starts from.
    pub const BASE: Self = Self {
        id: "",
        level: Level::Must,
        source: "",
        requirement: "",
        why: "",
        needs: &[],
        isolation: Isolation::Shared,
        tags: &[],
        generations: &[],
        features: &[],
        reqs: &[],
        smoke: false,
        disposable: false,
        bulk: false,
        waits: Duration::ZERO,
        timing: false,
        positive_control: None,
        act: |_| Box::pin(async { Ok(()) }),
        judge: |_| Ok(()),
    };

    /// The same with this id.
    pub(crate) const fn id(self, id: &'static str) -> Self {
        Self { id, ..self }
    }

    /// The same with this id, source and covered requirements.
    pub(crate) const fn case(
        self,
        id: &'static str,
        source: &'static str,
        reqs: &'static [&'static str],
    ) -> Self {
        Self { id, source, reqs, ..self }
    }

    /// The same case with a requirement at the level `should`.
    pub(crate) const fn should(self) -> Self {
        Self { level: Level::Should, ..self }
    }

    /// The same case with a requirement at the level `may`.
    pub(crate) const fn may(self) -> Self {
        Self { level: Level::May, ..self }
    }

    /// The same for a subject that needs as long by its nature.
    pub(crate) const fn waits(self, waits: Duration) -> Self {
        Self { waits, ..self }
    }

    /// The same, moving big data.
    pub(crate) const fn bulk(self) -> Self {
        Self { bulk: true, ..self }
    }

    /// The same, with a claim about time.
    pub(crate) const fn timing(self) -> Self {
        Self { timing: true, ..self }
    }

    /// The same, changing the machine or not.
    pub(crate) const fn disposable(self, disposable: bool) -> Self {
        Self { disposable, ..self }
    }

    /// The same with a judge of the repaired request.
    pub(crate) const fn positive_control(self, positive_control: Judge) -> Self {
        Self { positive_control: Some(positive_control), ..self }
    }

    setters! {
        source: &'static str,
        reqs: &'static [&'static str],
        requires => requirement: &'static str,
        why: &'static str,
        needs: &'static [&'static str],
        isolation: Isolation,
        tags: &'static [&'static str],
        generations: &'static [u8],
        features: &'static [Feature],
        act: Act,
        judge: Judge,
    }

    /// The first part of the id.
    pub fn area(&self) -> &'static str {
        self.id.split('/').next().unwrap_or_default()
    }
}
