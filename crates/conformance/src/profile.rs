//! What the subject is: its wire generation and its features, claimed, given or read from its own answers. Asks only what
//! changes nothing; reading the answers is a pure function.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use serde::Deserialize;

use crate::feature::Feature;
use crate::observation::Observation;
use crate::probe::{Ask, CleanupList, Dialect, Probe, SetupError};
use crate::subject::Subject;

/// The generation when nothing tells: that of most guests.
const DEFAULT: u8 = 2;
const PATIENCE: Duration = Duration::from_secs(2);

/// What the subject is taken for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Profile {
    /// The wire generation, 1 to 3.
    pub generation: u8,
    /// What it has.
    pub features: BTreeSet<Feature>,
    /// Why it has not what its generation has, or has what it has not.
    pub notes: BTreeMap<Feature, String>,
}

/// What is said of the subject from outside.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claims {
    /// The wire generation; absent: by its answers.
    pub generation: Option<u8>,
    /// Features that it has beyond its generation.
    #[serde(default)]
    pub has: BTreeSet<Feature>,
    /// Features of its generation that it does without.
    #[serde(default)]
    pub lacks: BTreeSet<Feature>,
}

/// Why a file holds no claims: the caller's mistake.
#[derive(Debug, thiserror::Error)]
#[error("claims {path}: {why}")]
pub struct BadClaims {
    path: String,
    why: String,
}

impl Claims {
    /// Reads a TOML file.
    ///
    /// # Errors
    /// [`BadClaims`] when it cannot be read, is no such TOML, or contradicts itself.
    pub fn read(path: &Path) -> Result<Self, BadClaims> {
        let bad = |why: String| BadClaims { path: path.display().to_string(), why };
        let text = std::fs::read_to_string(path).map_err(|error| bad(error.to_string()))?;
        let claims: Self = toml::from_str(&text).map_err(|error| bad(error.to_string()))?;
        claims.sound().map_err(bad)
    }

    /// Claims of a generation and nothing else.
    pub fn generation(generation: u8) -> Self {
        Self { generation: Some(generation), ..Self::default() }
    }

    fn sound(self) -> Result<Self, String> {
        if let Some(other) = self.generation.filter(|generation| !(1..=3).contains(generation)) {
            return Err(format!("expected generation 1, 2 or 3, found {other}"));
        }
        match self.has.intersection(&self.lacks).next() {
            Some(both) => Err(format!("{} is claimed and disclaimed", both.word())),
            None => Ok(self),
        }
    }
}

impl Profile {
    /// Asks `subject` what is not claimed.
    pub async fn of(subject: &Subject, claims: &Claims) -> Self {
        if claims.generation.is_some() {
            return Self::read(&Observation::default(), claims);
        }
        let at = (subject.address, subject.host.clone());
        let mut probe = Probe::new(at, "", "", PATIENCE, CleanupList::default());
        // A subject that takes no call is the runner's matter.
        let _ = ask(&mut probe).await;
        Self::read(&probe.into_observation(), claims)
    }

    /// The profile that these answers and claims add up to.
    pub fn read(seen: &Observation, claims: &Claims) -> Self {
        let told = answers(seen);
        let generation = claims.generation.unwrap_or_else(|| nearest(&told));
        let mut profile = Self {
            generation,
            features: Feature::of(generation).into_iter().collect(),
            notes: BTreeMap::new(),
        };
        for (feature, (has, answer)) in told {
            profile.set(feature, has, answer);
        }
        for feature in &claims.has {
            profile.set(*feature, true, "claimed".to_owned());
        }
        for feature in &claims.lacks {
            profile.set(*feature, false, "disclaimed".to_owned());
        }
        let ways = [Feature::PostUpload, Feature::PutUpload];
        if !ways.iter().any(|way| profile.features.contains(way)) {
            profile.set(Feature::Upload, false, "neither by POST nor by PUT".to_owned());
        }
        profile
    }

    /// How it is spoken to.
    pub fn dialect(&self) -> Dialect {
        let has = |feature| self.features.contains(&feature);
        Dialect { put: has(Feature::PutUpload) && !has(Feature::PostUpload), camel: self.generation == 1 }
    }

    /// Why a case for these generations and features has nothing to look at, if so.
    pub fn lacks(&self, generations: &[u8], features: &[Feature]) -> Option<String> {
        let own = self.generation;
        if !generations.is_empty() && !generations.contains(&own) {
            let others: Vec<_> = generations.iter().map(u8::to_string).collect();
            return Some(format!("for generation {}, the subject is of {own}", others.join(" and ")));
        }
        let feature = features.iter().find(|feature| !self.features.contains(feature))?;
        let generation = format!("generation {own} has none");
        let note = self.notes.get(feature).unwrap_or(&generation);
        Some(format!("the subject has no {}: {note}", feature.word()))
    }

    fn set(&mut self, feature: Feature, has: bool, note: String) {
        if has {
            self.features.insert(feature);
        } else {
            self.features.remove(&feature);
        }
        // What its generation has anyway needs no word.
        self.notes.remove(&feature);
        if has != feature.generations().contains(&self.generation) {
            self.notes.insert(feature, note);
        }
    }
}

/// What tells generations apart without changing anything: a GET where only POST is served, an upload without a path
/// or a body.
async fn ask(probe: &mut Probe) -> Result<(), SetupError> {
    probe.get("activity", "/activity").await?;
    probe.get("preload", "/memory/preload").await?;
    probe.get("volumes", "/volumes/mount").await?;
    probe.send("put", Ask::new("PUT", "/files")).await?;
    probe.send("post", Ask::new("POST", "/files")).await.map(drop)
}

type Told = BTreeMap<Feature, (bool, String)>;

/// Has it, or has it not, and by which answer; without an answer it is not told.
fn answers(seen: &Observation) -> Told {
    let questions = [
        ("activity", Feature::Activity, [404, 415]),
        ("preload", Feature::Preload, [404, 415]),
        ("volumes", Feature::Volumes, [404, 415]),
        ("put", Feature::PutUpload, [405, 404]),
        ("post", Feature::PostUpload, [405, 404]),
    ];
    let answer = |(label, feature, absent): (&str, Feature, [u16; 2])| {
        let exchange = &seen.steps.iter().find(|step| step.label == label)?.exchange;
        let status = exchange.status?;
        let said = format!("{} {} is {status}", exchange.method, exchange.target);
        Some((feature, (!absent.contains(&status), said)))
    };
    questions.into_iter().filter_map(answer).collect()
}

/// The generation that differs least from what was told; the default if several do.
fn nearest(told: &Told) -> u8 {
    let off = |generation: u8| {
        told.iter().filter(|(feature, (has, _))| feature.generations().contains(&generation) != *has).count()
    };
    [DEFAULT, 3, 1].into_iter().min_by_key(|generation| off(*generation)).unwrap_or(DEFAULT)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observation::{Exchange, Step};

    fn seen(statuses: [u16; 5]) -> Observation {
        let step = |(label, status): (&str, u16)| Step {
            label: label.to_owned(),
            exchange: Exchange { status: Some(status), target: format!("/{label}"), ..Exchange::default() },
        };
        let labels = ["activity", "preload", "volumes", "put", "post"];
        let steps = labels.into_iter().zip(statuses).map(step).collect();
        Observation { steps, ..Observation::default() }
    }

    #[test]
    fn the_generation_is_told_by_the_answers() {
        for (statuses, generation) in [
            ([404, 404, 404, 405, 400], 1),
            ([200, 200, 404, 405, 500], 2),
            ([200, 200, 405, 400, 405], 3),
            ([200, 401, 404, 405, 401], 2),
        ] {
            let profile = Profile::read(&seen(statuses), &Claims::default());
            assert_eq!(profile.generation, generation, "{statuses:?}");
            assert_eq!(profile.notes, BTreeMap::new(), "{statuses:?}");
        }
        assert_eq!(Profile::read(&Observation::default(), &Claims::default()).generation, DEFAULT);
    }

    #[test]
    fn what_an_envd_between_generations_lacks_is_told_with_its_answer() {
        let profile = Profile::read(&seen([200, 404, 404, 405, 400]), &Claims::default());
        assert_eq!(profile.generation, 2);
        let why = profile.lacks(&[], &[Feature::Preload]).unwrap();
        assert!(why.contains("no preload") && why.contains("404"), "{why}");
        assert_eq!(profile.lacks(&[2], &[Feature::Activity]), None);
    }

    #[test]
    fn claims_go_before_answers() {
        let claims: Claims = toml::from_str("generation = 3\nlacks = ['volumes']\nhas = ['gzip']").unwrap();
        let profile = Profile::read(&seen([404, 404, 404, 405, 200]), &claims.sound().unwrap());
        assert!(profile.features.contains(&Feature::Gzip));
        assert!(profile.lacks(&[], &[Feature::Volumes]).unwrap().contains("disclaimed"));
        assert!(profile.lacks(&[1, 2], &[]).unwrap().contains("generation 1 and 2, the subject is of 3"));
    }

    #[test]
    fn each_generation_is_spoken_to_in_its_own_way() {
        let dialect =
            |generation| Profile::read(&Observation::default(), &Claims::generation(generation)).dialect();
        assert_eq!(dialect(1), Dialect { put: false, camel: true });
        assert_eq!(dialect(2), Dialect::default());
        assert_eq!(dialect(3), Dialect { put: true, camel: false });
    }

    #[test]
    fn without_a_way_to_upload_there_is_no_upload() {
        let claims: Claims = toml::from_str("generation = 2\nlacks = ['post-upload']").unwrap();
        let why = Profile::read(&Observation::default(), &claims).lacks(&[], &[Feature::Upload]).unwrap();
        assert!(why.contains("neither by POST nor by PUT"), "{why}");
    }

    #[test]
    fn claims_that_contradict_themselves_are_none() {
        for bad in ["generation = 4", "has = ['pty']\nlacks = ['pty']"] {
            assert!(toml::from_str::<Claims>(bad).unwrap().sound().is_err(), "{bad}");
        }
        assert!(toml::from_str::<Claims>("has = ['nope']").is_err());
    }
}
