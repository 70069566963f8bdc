//! Lives of a guest: what a preload, a watcher, the clock and a signature are across `/init` and snapshots (contract 3.4,
//! 3.5, 3.7, 10).

use serde_json::{Value, json};

use super::edit::{Out, answer, frames, lose, request, text};
use crate::frames::Passing;
use crate::http::{Answer, Call};
use crate::mutant::Mutant;

const GET_PRELOAD: &str = "GET /memory/preload";
const POST_PRELOAD: &str = "POST /memory/preload";
const PREPARE: &str = "POST /snapshot/prepare";

pub(crate) const MUTANTS: &[Mutant] = &[
    request("preload/type-demanded", "a preload wants its content type to be JSON", POST_PRELOAD, |_, r| {
        if r.heads("\r\ncontent-type:") && !r.heads("application/json") {
            r.head("POST /memory/preload ", "POST /memory/preloads ");
        }
    }),
    answer(
        "preload/counters-back",
        "the counters of a run begin anew now and then",
        GET_PRELOAD,
        |call, a| {
            if a.says("\"running\"") && call.nth("poll") % 2 == 0 {
                a.json(|m| (m["pages"], m["bytes"]) = (0.into(), 0.into()));
            }
        },
    ),
    answer("preload/source-early", "the source is told while a preload runs", POST_PRELOAD, |_, a| {
        if a.says("\"running\"") {
            a.body("\"source\":\"\"", "\"source\":\"/dev/mem\"");
        }
    }),
    answer("preload/runs-after-cancel", "a POST after a cancel says running", POST_PRELOAD, |_, a| {
        a.body("\"cancelled\"", "\"running\"");
    }),
    answer(
        "preload/runs-into-next-life",
        "a preload that runs when a new life begins goes on",
        "/memory/preload",
        runs_on,
    ),
    request("init/lifecycle-unnamed", "an /init without a lifecycle_id begins a life", "/init", |_, r| {
        r.json(|m| {
            if m.is_object() && m.get("lifecycle_id").is_none() {
                m["lifecycle_id"] = "none".into();
            }
        });
    }),
    request(
        "init/timestamp-hour-off",
        "timestamps are taken for local time, one hour ahead",
        "/init",
        |_, r| {
            r.json(|m| {
                let stamp = m["timestamp"].as_str().and_then(|text| text.parse::<jiff::Timestamp>().ok());
                if let Some(later) =
                    stamp.and_then(|stamp| stamp.checked_add(jiff::Span::new().hours(1)).ok())
                {
                    m["timestamp"] = later.to_string().into();
                }
            });
        },
    ),
    answer("init/first-resets", "the first /init throws away what was preloaded", "/", |call, a| {
        forgets(call, a, call.target == "/init" && call.nth("init") == 1, POST_PRELOAD);
    }),
    answer("snapshot/prepare-resets", "prepare throws away what was preloaded", "/", |call, a| {
        forgets(call, a, call.target == "/snapshot/prepare", "POST /init");
    }),
    answer(
        "snapshot/preload-at-once",
        "the first preload after a snapshot is done at once",
        POST_PRELOAD,
        |call, a| {
            if call.asked(PREPARE) && call.asked("POST /init") {
                a.body("\"running\"", "\"done\"");
            }
        },
    ),
    request("snapshot/second-life-unseen", "a third lifecycle_id is no change", "/init", |call, r| {
        let message: Value = serde_json::from_slice(r.bytes_mut()).unwrap_or_default();
        let Some(id) = message["lifecycle_id"].as_str() else { return };
        let mut kept = call.kept();
        kept.insert(format!("life {id}"), Vec::new());
        if kept.keys().filter(|name| name.starts_with("life ")).count() > 2 {
            r.json(|m| lose(m, "lifecycle_id"));
        }
    }),
    answer(
        "snapshot/expiry-stands-still",
        "after a snapshot no signature expires",
        "GET /files",
        |call, a| {
            if call.asked(PREPARE) && a.is("401") && a.says("already expired") {
                a.status("200 OK");
                *a.bytes_mut() = b"x".to_vec();
            }
        },
    ),
    answer("snapshot/events-lost", "a watcher forgets at prepare what it has not told", "/", events_lost),
    frames(
        "snapshot/watch-dir-recast",
        "an open WatchDir tells a CREATE as a WRITE after a prepare",
        "/filesystem.Filesystem/WatchDir",
        recast,
    ),
];

/// What ran when the state was last told still runs when it should be idle.
fn runs_on(call: &Call, answer: &mut Answer) {
    let mut kept = call.kept();
    if answer.says("\"running\"") {
        kept.insert("running".to_owned(), Vec::new());
    } else if answer.says("\"idle\"") && kept.contains_key("running") {
        answer.body("\"idle\"", "\"running\"");
    } else {
        kept.remove("running");
    }
}

/// From the call that `begins` until one that `ends` a preload that is done is told as idle.
fn forgets(call: &Call, answer: &mut Answer, begins: bool, ends: &str) {
    let mut kept = call.kept();
    if begins {
        kept.insert("forgotten".to_owned(), Vec::new());
    } else if format!("{} {}", call.method, call.target) == ends {
        kept.remove("forgotten");
    } else if call.target == "/memory/preload" && kept.contains_key("forgotten") && answer.says("\"done\"") {
        let idle = json!({
            "state": "idle", "regions": 0, "pages": 0, "bytes": 0, "elapsed_sec": 0.0, "source": "", "error": null,
        });
        *answer.bytes_mut() = idle.to_string().into_bytes();
    }
}

/// What is told first after a prepare is lost, in all its events.
fn events_lost(call: &Call, answer: &mut Answer) {
    let mut kept = call.kept();
    if call.target == "/snapshot/prepare" {
        kept.insert("prepared".to_owned(), Vec::new());
    } else if call.target.ends_with("/CreateWatcher") {
        kept.remove("prepared");
    } else if answer.says("\"events\"") && kept.remove("prepared").is_some() {
        answer.json(|m| {
            let first = m["events"][0]["name"].clone();
            if let Some(events) = m["events"].as_array_mut() {
                events.retain(|event| event["name"] != first);
            }
        });
    }
}

fn recast(passing: &mut Passing, flag: u8, message: Value) -> Out {
    let to = if passing.call.asked(PREPARE) { "EVENT_TYPE_WRITE" } else { "EVENT_TYPE_CREATE" };
    text(flag, message, "EVENT_TYPE_CREATE", to)
}
