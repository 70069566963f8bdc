//! What judges and acts of several suites share. Holds no cases.

use serde_json::{Value, json};

use crate::observation::Observation;
use crate::probe::{Ask, Probe, SetupError};
use crate::stream::Run;
use crate::verdict::{Judged, Objection, Seen};

/// A path that no guest has.
pub(super) const MISSING: &str = "/tmp/envd-conformance-no-such";

/// The process of this step ended well and printed exactly this.
pub(super) fn printed(o: &Observation, label: &str, text: &str) -> Judged {
    let seen = o.at(label)?;
    seen.same("stdout", seen.succeeded()?.text().as_str(), text)
}

/// As [`printed`], with the case's directory in the place of `{dir}`.
pub(super) fn printed_with_dir(o: &Observation, label: &str, text: &str) -> Judged {
    printed(o, label, &text.replace("{dir}", &o.dir))
}

/// All of these processes ended well.
pub(super) fn all_succeeded(o: &Observation, labels: &[&str]) -> Judged {
    labels.iter().try_for_each(|label| o.at(label)?.succeeded().map(drop))
}

/// All of these unary calls went well.
pub(super) fn all_ok(o: &Observation, labels: &[&str]) -> Judged {
    labels.iter().try_for_each(|label| o.at(label)?.ok().map(drop))
}

/// All of these have this status.
pub(super) fn all_are(o: &Observation, labels: &[&str], status: u16) -> Judged {
    labels.iter().try_for_each(|label| o.at(label)?.status(status))
}

/// Sends it, whatever comes.
pub(super) async fn send(p: &mut Probe, label: &str, ask: Ask) -> Result<(), SetupError> {
    p.send(label, ask).await.map(drop)
}

/// DELETE on each of these routes, which none has.
pub(super) async fn delete_each(p: &mut Probe, routes: &[(&str, &str)]) -> Result<(), SetupError> {
    for (path, _) in routes {
        send(p, path, Ask::new("DELETE", *path)).await?;
    }
    Ok(())
}

/// Each of these routes has refused a method, and told exactly those that it has.
pub(super) fn allow_exactly(o: &Observation, routes: &[(&str, &str)]) -> Judged {
    routes.iter().try_for_each(|(path, methods)| {
        o.at(path)?.status(405)?;
        o.at(path)?.body_is(b"")?;
        o.at(path)?.header_is("allow", methods)
    })
}

/// What a process that still runs has printed so far.
pub(super) fn so_far(seen: &Seen<'_>) -> Run {
    Run::of(&seen.exchange.body)
}

/// Numbered labels: `run 0`, `run 1` and so on.
pub(super) fn numbered(name: &str, count: usize) -> impl Iterator<Item = String> {
    (0..count).map(move |n| format!("{name} {n}"))
}

/// A call of the Filesystem service.
pub(super) async fn fs(p: &mut Probe, label: &str, name: &str, message: Value) -> Result<Value, SetupError> {
    p.unary(label, &format!("filesystem.Filesystem/{name}"), message).await
}

/// A call of the Process service.
pub(super) async fn ps(p: &mut Probe, label: &str, name: &str, message: Value) -> Result<Value, SetupError> {
    p.unary(label, &format!("process.Process/{name}"), message).await
}

/// Sends keys to a terminal of the case.
pub(super) async fn keys(p: &mut Probe, label: &str, name: &str, keys: &str) -> Result<(), SetupError> {
    let input = json!({ "pty": crate::probe::base64(keys) });
    let message = json!({ "process": { "tag": p.tag(name) }, "input": input });
    ps(p, label, "SendInput", message).await.map(drop)
}

/// An upload with a query of the case's own.
pub(super) fn form(path: Option<&str>, user: Option<&str>, parts: &[crate::probe::Part<'_>]) -> Ask {
    let mut ask = Ask::form(parts);
    for (name, value) in [("path", path), ("username", user)] {
        if let Some(value) = value {
            ask = ask.query(name, value);
        }
    }
    ask
}

/// A field of an entry that a filesystem call returned.
pub(super) fn entry_is(o: &Observation, label: &str, field: &str, expected: impl Into<Value>) -> Judged {
    let seen = o.at(label)?;
    seen.ok()?;
    seen.field_is(&format!("/entry/{field}"), expected)
}

/// A field of the first file that an upload made, in the answer to a form or to a PUT.
pub(super) fn uploaded_is(o: &Observation, label: &str, field: &str, expected: impl Into<Value>) -> Judged {
    let seen = o.at(label)?;
    let list = if seen.exchange.method == "PUT" { "" } else { "/0" };
    seen.field_is(&format!("{list}/{field}"), expected)
}

/// The paths in a listing below `root`, in the order in which they came.
pub(super) fn listed(seen: &Seen<'_>, root: &str) -> Result<Vec<String>, Objection> {
    let json = seen.ok()?;
    let entries = json["entries"].as_array().into_iter().flatten();
    let path = |entry: &Value| entry["path"].as_str().unwrap_or_default().to_owned();
    Ok(entries.map(path).map(|path| path.strip_prefix(root).map_or(path.clone(), str::to_owned)).collect())
}
