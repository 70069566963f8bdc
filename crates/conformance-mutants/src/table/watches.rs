//! Watchers and WatchDir: events lost, doubled, renamed, late (contract 5, section 10).

use serde_json::{Value, json};

use super::edit::{
    INTERNAL, INVALID, NOT_FOUND, answer, code, edit_text, forgiven, frames, held, lose, refusal, request,
    text, unless,
};
use crate::http::Answer;
use crate::mutant::Mutant;

const CREATE: &str = "/filesystem.Filesystem/CreateWatcher";
const EVENTS: &str = "/filesystem.Filesystem/GetWatcherEvents";
const DROP: &str = "/filesystem.Filesystem/RemoveWatcher";
const WATCH: &str = "/filesystem.Filesystem/WatchDir";

pub(crate) const MUTANTS: &[Mutant] = &[
    answer("watcher/twice", "every event comes twice", EVENTS, |_, a| {
        edit(a, |all| {
            *all = std::mem::take(all).into_iter().flat_map(|event| [event.clone(), event]).collect();
        });
    }),
    answer("watcher/never-drained", "events come again with the next call", EVENTS, |call, a| {
        let mut kept = call.kept();
        let known: Value =
            kept.get("events").map_or(json!([]), |bytes| serde_json::from_slice(bytes).unwrap_or_default());
        edit(a, |all| {
            let old = known.as_array().cloned().unwrap_or_default();
            *all = old.into_iter().chain(std::mem::take(all)).collect();
        });
        let now: Value = serde_json::from_slice(a.bytes_mut()).unwrap_or_default();
        kept.insert("events".to_owned(), now["events"].to_string().into_bytes());
    }),
    answer("watcher/backwards", "events come in the wrong order", EVENTS, |_, a| {
        edit(a, |all| all.reverse());
    }),
    answer("watcher/names-relative", "events have relative names", EVENTS, |_, a| {
        edit(a, |all| {
            each(all, |e| edit_text(e, "name", |name| name.rsplit('/').next().unwrap_or_default().into()));
        });
    }),
    answer("watcher/create-lost", "CREATE is not told", EVENTS, |_, a| without(a, "CREATE")),
    answer("watcher/write-lost", "WRITE is not told", EVENTS, |_, a| without(a, "WRITE")),
    answer("watcher/remove-lost", "REMOVE is not told", EVENTS, |_, a| without(a, "REMOVE")),
    answer("watcher/chmod-lost", "CHMOD is not told", EVENTS, |_, a| without(a, "CHMOD")),
    answer("watcher/rename-lost", "RENAME is not told", EVENTS, |_, a| without(a, "RENAME")),
    answer("watcher/rename-as-create", "a rename is a CREATE", EVENTS, |_, a| {
        a.body("EVENT_TYPE_RENAME", "EVENT_TYPE_CREATE");
    }),
    answer("watcher/chmod-as-write", "a CHMOD is a WRITE", EVENTS, |_, a| {
        a.body("EVENT_TYPE_CHMOD", "EVENT_TYPE_WRITE");
    }),
    answer("watcher/create-as-write", "a CREATE is a WRITE", EVENTS, |_, a| {
        a.body("EVENT_TYPE_CREATE", "EVENT_TYPE_WRITE");
    }),
    answer("watcher/types-as-numbers", "types of events are numbers", EVENTS, |_, a| {
        a.body("\"EVENT_TYPE_CREATE\"", "1");
    }),
    answer("watcher/hundred", "a hundred events are kept", EVENTS, |_, a| edit(a, |all| all.truncate(100))),
    answer("watcher/open-told", "opening a file is told as a WRITE", EVENTS, |_, a| {
        edit(a, |all| {
            let write = |e: &Value| json!({ "name": e["name"], "type": "EVENT_TYPE_WRITE" });
            *all = std::mem::take(all)
                .into_iter()
                .flat_map(
                    |e| if e["type"] == "EVENT_TYPE_CREATE" { vec![e.clone(), write(&e)] } else { vec![e] },
                )
                .collect();
        });
    }),
    answer("watcher/old-told", "what was there before is told as CREATE", EVENTS, |_, a| {
        edit(a, |all| all.insert(0, json!({ "name": "/tmp/old", "type": "EVENT_TYPE_CREATE" })));
    }),
    answer("watcher/one-takes-all", "of two watchers one gets the events", EVENTS, |call, a| {
        let mine = String::from_utf8_lossy(a.bytes_mut()).into_owned();
        if mine != "{}" && call.nth(&mine) > 1 {
            *a.bytes_mut() = b"{}".to_vec();
        }
    }),
    answer(
        "watcher/root-untold",
        "what happens to the watched directory itself is not told",
        EVENTS,
        |_, a| {
            edit(a, |all| {
                all.retain(|e| {
                    e["name"].as_str().is_some_and(|name| !name.ends_with("/d") && !name.ends_with("/dir"))
                });
            });
        },
    ),
    answer("watcher/unknown-as-empty", "an unknown watcher has no events", EVENTS, |_, a| {
        forgiven(a, "not_found");
    }),
    answer("watcher/unknown-as-invalid", "an unknown watcher is invalid_argument", EVENTS, |_, a| {
        refusal(a, NOT_FOUND, INVALID);
    }),
    answer("watcher/unknown-text", "an unknown watcher is told otherwise", EVENTS, |_, a| {
        a.body("watcher not found", "unknown");
    }),
    answer("watcher/id-plain", "the id of a watcher has another form", CREATE, |_, a| {
        a.body("\"w-", "\"watcher-");
    }),
    answer("watcher/missing-as-internal", "a watcher of a missing path is internal", CREATE, |_, a| {
        refusal(a, NOT_FOUND, INTERNAL);
    }),
    answer("watcher/file-as-internal", "a watcher of a file is internal", CREATE, |_, a| {
        refusal(a, INVALID, INTERNAL);
    }),
    request("watcher/recursive-ignored", "recursive is ignored", CREATE, |_, r| {
        r.json(|m| lose(m, "recursive"));
    }),
    request("watcher/recursive-always", "every watcher is recursive", CREATE, |_, r| {
        r.json(|m| m["recursive"] = true.into());
    }),
    request("watcher/remove-ignored", "RemoveWatcher removes nothing", DROP, |_, r| {
        r.json(|m| m["watcherId"] = "w-0".into());
    }),
    answer("watcher/remove-twice", "RemoveWatcher is refused the second time", DROP, |call, a| {
        if call.nth("remove") > 1 {
            a.status("404 Not Found");
            *a.bytes_mut() = br#"{"code":"not_found","message":"watcher not found"}"#.to_vec();
        }
    }),
    frames("watch/start-lost", "WatchDir has no start", WATCH, |_, flag, m| {
        unless(m.get("start").is_some(), flag, m)
    }),
    frames(
        "watch/start-late",
        "the start of WatchDir waits for the first event",
        WATCH,
        |passing, flag, m| {
            if m.get("start").is_some() {
                passing.held.push((flag, m));
                return Vec::new();
            }
            std::mem::take(&mut passing.held).into_iter().chain([(flag, m)]).collect()
        },
    ),
    frames("watch/twice", "WatchDir tells every event twice", WATCH, |_, flag, m| {
        vec![(flag, m.clone()); if m.get("filesystem").is_some() { 2 } else { 1 }]
    }),
    frames("watch/one-behind", "WatchDir is one event behind", WATCH, |passing, flag, m| {
        if m.get("filesystem").is_some() {
            return std::mem::replace(&mut passing.held, vec![(flag, m)]);
        }
        vec![(flag, m)]
    }),
    frames("watch/names-relative", "WatchDir tells relative names", WATCH, |_, flag, mut m| {
        if let Some(event) = m.get_mut("filesystem") {
            edit_text(event, "name", |name| name.rsplit('/').next().unwrap_or_default().into());
        }
        vec![(flag, m)]
    }),
    frames("watch/remove-lost", "WatchDir does not tell REMOVE", WATCH, |_, flag, m| {
        unless(m.to_string().contains("EVENT_TYPE_REMOVE"), flag, m)
    }),
    frames("watch/create-as-write", "WatchDir tells a CREATE as a WRITE", WATCH, |_, flag, m| {
        text(flag, m, "EVENT_TYPE_CREATE", "EVENT_TYPE_WRITE")
    }),
    held("watch/held-back", "WatchDir is held back until it ends", WATCH),
    frames("watch/keepalive-lost", "WatchDir has no keepalives", WATCH, |_, flag, m| {
        unless(m.get("keepalive").is_some(), flag, m)
    }),
    frames("watch/keepalive-nested", "a keepalive of WatchDir is one of a process", WATCH, |_, flag, m| {
        let keepalive = m.get("keepalive").is_some();
        vec![(flag, if keepalive { json!({ "event": m }) } else { m })]
    }),
    request("watch/keepalive-eager", "an interval that cannot be read is a second", WATCH, |_, r| {
        for value in ["0", "-1", "abc", "soon", "x", "1.5", "never", "-5"] {
            r.head(&format!("keepalive-ping-interval: {value}\r\n"), "keepalive-ping-interval: 1\r\n");
        }
    }),
    frames("watch/missing-as-internal", "WatchDir of a missing path is internal", WATCH, |_, flag, m| {
        code(flag, m, "not_found", "internal")
    }),
    frames("watch/file-as-internal", "WatchDir of a file is internal", WATCH, |_, flag, m| {
        code(flag, m, "invalid_argument", "internal")
    }),
    request("watch/recursive-ignored", "recursive is ignored by WatchDir", WATCH, |_, r| {
        r.json(|m| lose(m, "recursive"));
    }),
];

fn edit(answer: &mut Answer, edit: impl Fn(&mut Vec<Value>)) {
    answer.json(|message| {
        let mut all = message["events"].as_array().cloned().unwrap_or_default();
        edit(&mut all);
        if all.is_empty() {
            lose(message, "events");
        } else if message.get("code").is_none() {
            message["events"] = all.into();
        }
    });
}

fn each(all: &mut [Value], edit: impl Fn(&mut Value)) {
    all.iter_mut().for_each(edit);
}

fn without(answer: &mut Answer, kind: &str) {
    edit(answer, |all| all.retain(|event| event["type"] != format!("EVENT_TYPE_{kind}")));
}
