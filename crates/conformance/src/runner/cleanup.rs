//! Cleans up after a run, with plain calls: the processes under its tags, and its directory. Never anything else.

use std::sync::PoisonError;
use std::time::Duration;

use serde_json::json;

use crate::probe::{Ask, CleanupList, Probe};
use crate::subject::Subject;

/// How long all of it may take.
pub(super) const CLEANUP: Duration = Duration::from_secs(30);

/// Ends every process that was started under a tag in `cleanup`, and removes the directory of `mark`.
pub(crate) async fn clean_up(subject: &Subject, mark: &str, cleanup: &CleanupList) {
    let at = (subject.address, subject.host.clone());
    let mut probe = Probe::new(at, mark, "sweep", CLEANUP / 2, CleanupList::default());
    let tags = std::mem::take(&mut *cleanup.lock().unwrap_or_else(PoisonError::into_inner));
    let listed = probe.unary("list", "process.Process/List", json!({})).await.unwrap_or_default();
    let text = listed.to_string();
    for tag in tags.iter().filter(|tag| text.contains(*tag) || !listed.is_object()) {
        let message = json!({ "process": { "tag": tag }, "signal": "SIGNAL_SIGKILL" });
        if probe.send("kill", Ask::unary("process.Process/SendSignal", &message)).await.is_err() {
            return;
        }
    }
    let path = format!("/tmp/{mark}");
    // Nothing there is no matter: then no case has written anything.
    let _ = probe.unary("remove", "filesystem.Filesystem/Remove", json!({ "path": path })).await;
}
