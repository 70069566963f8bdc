//! Repaired requests for negative cases, under the label `twin`: the same kind of call without its defect, and what it
//! has to come to before a refusal says anything.

use serde_json::json;

use super::helpers::{fs, ps, so_far};
use crate::observation::Observation;
use crate::probe::{Ask, Probe, SetupError};
use crate::verdict::Judged;

const TWIN: &str = "twin";

/// A download that works.
pub(super) async fn download(p: &mut Probe) -> Result<(), SetupError> {
    p.send(TWIN, Ask::download("/etc/passwd")).await.map(drop)
}

/// A range that works.
pub(super) async fn range(p: &mut Probe) -> Result<(), SetupError> {
    p.send(TWIN, Ask::download("/etc/passwd").header("range", "bytes=0-0")).await.map(drop)
}

/// An upload that works.
pub(super) async fn upload(p: &mut Probe) -> Result<(), SetupError> {
    let path = p.path("twin");
    p.upload(TWIN, &path, b"x").await
}

/// A route that answers.
pub(super) async fn health(p: &mut Probe) -> Result<(), SetupError> {
    p.get(TWIN, "/health").await
}

/// A unary RPC that works.
pub(super) async fn list(p: &mut Probe) -> Result<(), SetupError> {
    ps(p, TWIN, "List", json!({})).await.map(drop)
}

/// An entry that is there.
pub(super) async fn stat(p: &mut Probe) -> Result<(), SetupError> {
    fs(p, TWIN, "Stat", json!({ "path": "/usr" })).await.map(drop)
}

/// A directory that is there.
pub(super) async fn list_dir(p: &mut Probe) -> Result<(), SetupError> {
    fs(p, TWIN, "ListDir", json!({ "path": "/etc" })).await.map(drop)
}

/// A directory that can be made.
pub(super) async fn make_dir(p: &mut Probe) -> Result<(), SetupError> {
    let path = p.path("twin");
    fs(p, TWIN, "MakeDir", json!({ "path": path })).await.map(drop)
}

/// A directory that is there and can be removed.
pub(super) async fn remove(p: &mut Probe) -> Result<(), SetupError> {
    let path = p.path("twin");
    fs(p, "twin is made", "MakeDir", json!({ "path": path })).await?;
    fs(p, TWIN, "Remove", json!({ "path": path })).await.map(drop)
}

/// A directory that is there and can be moved.
pub(super) async fn moves(p: &mut Probe) -> Result<(), SetupError> {
    let path = p.path("twin");
    fs(p, "twin is made", "MakeDir", json!({ "path": path })).await?;
    fs(p, TWIN, "Move", json!({ "source": path, "destination": format!("{path} moved") })).await.map(drop)
}

/// A directory that can be watched.
pub(super) async fn watch(p: &mut Probe) -> Result<(), SetupError> {
    let ask = Ask::stream("filesystem.Filesystem/WatchDir", &[json!({ "path": "/tmp" })]);
    let mut open = p.open(ask).await?;
    open.until_frames(1).await;
    p.keep(TWIN, open);
    Ok(())
}

/// An `/init` that is taken.
pub(super) async fn init(p: &mut Probe) -> Result<(), SetupError> {
    p.init(TWIN, json!({ "envVars": { "TWIN": "x" } })).await
}

/// A command that runs.
pub(super) async fn run(p: &mut Probe) -> Result<(), SetupError> {
    p.sh(TWIN, "true").await
}

/// Input that is taken by the process that it is for.
pub(super) async fn input(p: &mut Probe) -> Result<(), SetupError> {
    let open = p.start_sh("twin run", "read line").await?;
    p.input(TWIN, "twin run", "x\n").await?;
    p.finish("twin run", open).await;
    Ok(())
}

/// A process that can be joined.
pub(super) async fn connect(p: &mut Probe) -> Result<(), SetupError> {
    let first = p.start_sh("twin run", "read line").await?;
    let open = p.join("twin run").await?;
    p.keep(TWIN, open);
    p.input("twin input", "twin run", "\n").await?;
    p.finish("twin run", first).await;
    Ok(())
}

/// The twin is 200.
pub(super) fn ok(o: &Observation) -> Judged {
    o.at(TWIN)?.status(200)
}

/// The twin is 204.
pub(super) fn no_content(o: &Observation) -> Judged {
    o.at(TWIN)?.status(204)
}

/// The twin is a part.
pub(super) fn part(o: &Observation) -> Judged {
    o.at(TWIN)?.status(206)
}

/// The twin ran, and ended well.
pub(super) fn ran(o: &Observation) -> Judged {
    o.at(TWIN)?.succeeded().map(drop)
}

/// The twin is a stream that has begun with a start.
pub(super) fn began(o: &Observation) -> Judged {
    let twin = o.at(TWIN)?;
    twin.same("status", twin.exchange.status, Some(200))?;
    let text = String::from_utf8_lossy(&twin.exchange.body).into_owned();
    twin.holds(so_far(&twin).pid.is_some() || text.contains("\"start\""), "a start", text)
}
