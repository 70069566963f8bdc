//! The files of `fixtures/scripts`, which are part of the binary, and how one is found.

use super::Incident;
use crate::fault::{Script, nearest_of};

macro_rules! files {
    ($($name:literal),+ $(,)?) => {
        /// Name and text, in the order of the names.
        const FILES: &[(&str, &str)] =
            &[$(($name, include_str!(concat!("../../../../fixtures/scripts/", $name, ".toml")))),+];
    };
}

files! {
    "background-left",
    "daemon-crash",
    "download-aborted",
    "envelope-falsely-compressed",
    "envelope-flag-unknown",
    "envelope-length-absurd",
    "envelope-length-longer",
    "exec-aborted",
    "exec-bytes-after-end-stream",
    "exec-cut-in-envelope",
    "exec-cut-while-running",
    "exec-end-stream-cut",
    "exec-end-stream-malformed",
    "exec-end-stream-twice",
    "exec-error-after-data",
    "exec-error-after-end",
    "exec-no-end-event",
    "exec-no-end-stream",
    "exec-tail-broken",
    "exec-tail-open",
    "first-request-after-resume",
    "frozen-guest",
    "health-failing",
    "init-refused",
    "memory-after-disconnects",
    "output-flood",
    "preload-failed",
    "preload-lies",
    "preload-stuck",
    "preload-unknown",
    "prepare-slow",
    "silent-peer",
    "stale-connection-after-restore",
    "stale-connection-under-exec",
    "start-event-never",
    "stream-leak",
    "stream-silent-after-resume",
    "tag-lookup-panic",
    "upload-disk-full",
    "upload-limit",
    "upload-method-refused",
    "watcher-leak",
}

/// There is no incident of this name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected an incident (envd-mock incidents lists them), got {name:?}{}", hint(.nearest.as_ref()))]
pub struct UnknownIncident {
    /// What was asked for.
    pub name: String,
    /// The name that is nearest, if one is near.
    pub nearest: Option<&'static str>,
}

fn hint(nearest: Option<&&str>) -> String {
    nearest.map_or_else(String::new, |name| format!(" (did you mean {name:?}?)"))
}

/// The names of all incidents, sorted.
pub fn names() -> impl Iterator<Item = &'static str> {
    FILES.iter().map(|(name, _)| *name)
}

/// All incidents by name.
pub fn all() -> impl Iterator<Item = (&'static str, Incident)> {
    // That each file is a script with an incident is tested.
    names().filter_map(|name| Some((name, script(name).ok()?.incident()?)))
}

/// The file of an incident, a script in TOML.
///
/// # Errors
/// [`UnknownIncident`].
pub fn text(name: &str) -> Result<&'static str, UnknownIncident> {
    let found = FILES.iter().find(|(one, _)| *one == name).map(|(_, text)| *text);
    found.ok_or_else(|| UnknownIncident { name: name.to_owned(), nearest: nearest_of(name, names()) })
}

/// The script that plays an incident.
///
/// # Errors
/// [`UnknownIncident`].
pub fn script(name: &str) -> Result<Script, UnknownIncident> {
    let text = text(name)?;
    Ok(Script::from_toml(&format!("incident:{name}"), text).expect("every file was read by a test"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_is_part_of_the_binary_and_is_a_script_with_an_incident() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/scripts");
        let mut found: Vec<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter_map(|file| file.strip_suffix(".toml").map(str::to_owned))
            .collect();
        found.sort();
        assert_eq!(found, names().collect::<Vec<_>>(), "the list in this file, sorted");
        for (name, text) in FILES {
            let script = Script::from_toml(name, text).unwrap_or_else(|error| panic!("{error}"));
            assert!(script.incident().is_some(), "{name} has no [incident]");
        }
    }

    #[test]
    fn what_is_written_reads_back() {
        for name in names() {
            let script = script(name).unwrap();
            let again = Script::from_toml("again", &script.to_toml()).unwrap();
            assert_eq!(again.incident(), script.incident(), "{name}");
            assert_eq!(Script::from_json(&script.to_json()).unwrap().incident(), script.incident(), "{name}");
        }
    }

    #[test]
    fn every_file_is_valid_by_the_schema() {
        let validator = jsonschema::draft202012::new(&crate::script_schema()).unwrap();
        for name in names() {
            let json = script(name).unwrap().to_json();
            validator.validate(&json).unwrap_or_else(|error| panic!("{name}: {error}"));
        }
    }

    #[test]
    fn a_slip_is_told_what_was_meant() {
        let error = script("exec-no-endevent").unwrap_err();
        assert_eq!(error.nearest, Some("exec-no-end-event"));
        assert!(error.to_string().ends_with("(did you mean \"exec-no-end-event\"?)"), "{error}");
        assert_eq!(script("banana").unwrap_err().nearest, None);
    }
}
