//! Watchers and WatchDir: which events come, for what, under which names, and when (contract 5 and 10).

use std::time::Duration;

use serde_json::{Value, json};

use crate::case::{Case, act, case};
use crate::observation::Observation;
use crate::probe::{Probe, SetupError};
use crate::suites::helpers::{MISSING, all_succeeded, fs};
use crate::verdict::{Judged, Objection};

const DRAINS: &[&str] = &["filesystem/watcher/drains"];
/// The last thing that a script does: once its event is there, so are all before it.
pub(super) const LAST: &str = "zz-last";
pub(super) const POLLS: usize = 300;

/// Makes a directory with `before`, watches it, does `then` in it, and collects all events up to the last.
pub(super) async fn watched(
    p: &mut Probe,
    recursive: bool,
    before: &str,
    then: &str,
) -> Result<(), SetupError> {
    let dir = p.path("d");
    p.sh("make", &format!("mkdir -p {dir} && cd {dir} && {before}")).await?;
    let created = fs(p, "create", "CreateWatcher", json!({ "path": dir, "recursive": recursive })).await?;
    p.sh("change", &format!("cd {dir} && {{ {then}; }} && : > {LAST}")).await?;
    collect(p, &created["watcherId"], LAST).await
}

/// Asks for events until one of `last` is there.
pub(super) async fn collect(p: &mut Probe, id: &Value, last: &str) -> Result<(), SetupError> {
    for _ in 0..POLLS {
        let events = fs(p, "events", "GetWatcherEvents", json!({ "watcherId": id })).await?;
        if events["events"].to_string().contains(last) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    fs(p, "remove", "RemoveWatcher", json!({ "watcherId": id })).await.map(drop)
}

/// All events in order, as `RENAME /a`, with paths below the case's `d`, without those of the last file.
pub(super) fn events(o: &Observation) -> Result<Vec<String>, Objection> {
    all_succeeded(o, &["make", "change"])?;
    o.at("events")?.ok()?;
    let polled = o.steps.iter().filter(|step| step.label == "events");
    let answers = polled.filter_map(|step| serde_json::from_slice::<Value>(&step.exchange.body).ok());
    let all: Vec<Value> =
        answers.flat_map(|json| json["events"].as_array().cloned().unwrap_or_default()).collect();
    let last = all.iter().any(|event| event["name"].as_str().is_some_and(|name| name.ends_with(LAST)));
    o.at("events")?.holds(last, "an event of the last file", &all)?;
    Ok(all.iter().map(|event| short(o, event)).filter(|event| !event.ends_with(LAST)).collect())
}

pub(super) fn short(o: &Observation, event: &Value) -> String {
    let kind = event["type"].as_str().unwrap_or_default().trim_start_matches("EVENT_TYPE_");
    let name = event["name"].as_str().unwrap_or_default();
    format!("{kind} {}", name.strip_prefix(&format!("{}/d", o.dir)).unwrap_or(name))
}

fn told(o: &Observation, expected: &[&str]) -> Judged {
    let expected: Vec<String> = expected.iter().map(|&event| event.to_owned()).collect();
    o.at("events")?.same("events", events(o)?, expected)
}

pub(super) fn contains(body: &[u8], text: &str) -> bool {
    String::from_utf8_lossy(body).contains(text)
}

pub(in crate::suites) const CASES: &[Case] = &[
    case("filesystem/watcher/id", "contract 5", &["5.watcher-id", "0.filesystem.watch-fields"])
        .requires("a watcher's id is w- and hexadecimal digits, and no two are the same")
        .why("two watchers with one id drain one another")
        .act(act!(|p| {
            for label in ["one", "two"] {
                let created = fs(p, label, "CreateWatcher", json!({ "path": "/tmp" })).await?;
                fs(p, "remove", "RemoveWatcher", json!({ "watcherId": created["watcherId"] })).await?;
            }
            Ok(())
        }))
        .judge(|o| {
            let id = |label| -> Result<String, Objection> {
                Ok(o.at(label)?.ok()?["watcherId"].as_str().unwrap_or_default().to_owned())
            };
            let (one, two) = (id("one")?, id("two")?);
            let digits = one.strip_prefix("w-").unwrap_or_default();
            let form = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
            o.at("one")?.holds(form, "w- and hexadecimal digits", &one)?;
            o.at("two")?.holds(one != two, "another id", &two)
        }),
    case(
        "filesystem/watcher/touch",
        "contract 5",
        &["5.event-create", "5.event-names", "0.filesystem.event-enum"],
    )
    .requires("touch of a new file is CREATE and then CHMOD, with the full path")
    .why("tools tell a new file from a changed one")
    .needs(&["process/start/events", "filesystem/watcher/drains"])
    .act(act!(|p| watched(p, false, "true", "touch f").await))
    .judge(|o| told(o, &["CREATE /f", "CHMOD /f"])),
    case("filesystem/watcher/write", "contract 5", &["5.event-write"])
        .requires("each write to a file is a WRITE; opening it to truncate gives no event beside it")
        .why("a rebuild for nothing costs time, one that is missed costs more")
        .needs(&["process/start/events", "filesystem/watcher/drains"])
        .act(act!(|p| watched(p, false, ": > f", "echo one > f").await))
        .judge(|o| {
            let all = events(o)?;
            let writes = !all.is_empty() && all.iter().all(|event| event == "WRITE /f") && all.len() <= 2;
            o.at("events")?.holds(writes, "one or two WRITE /f", &all)
        }),
    case("filesystem/watcher/chmod", "contract 5", &["5.event-chmod"])
        .requires("a change of mode is CHMOD, of the watched directory too, with the directory's path")
        .why("a script that became runnable has changed")
        .needs(&["process/start/events", "filesystem/watcher/drains"])
        .act(act!(|p| watched(p, false, ": > f", "chmod 700 f; chmod 750 .").await))
        .judge(|o| told(o, &["CHMOD /f", "CHMOD "])),
    case("filesystem/watcher/remove-event", "contract 5", &["5.event-remove"])
        .requires("a deleted file and a deleted directory are REMOVE")
        .why("an editor closes what is gone")
        .needs(&["process/start/events", "filesystem/watcher/drains"])
        .act(act!(|p| watched(p, false, ": > f && mkdir a", "rm f; rmdir a").await))
        .judge(|o| told(o, &["REMOVE /f", "REMOVE /a"])),
    case("filesystem/watcher/rename-inside", "contract 5", &["5.event-rename"])
        .requires("a rename inside the tree tells both names as RENAME, the old one first")
        .why("a file that is renamed must not be lost from sight")
        .needs(&["process/start/events", "filesystem/watcher/drains"])
        .act(act!(|p| watched(p, false, ": > a", "mv a b").await))
        .judge(|o| {
            let all = events(o)?;
            let both = all.iter().all(|event| event == "RENAME /a" || event == "RENAME /b");
            let first = all.first().is_some_and(|event| event == "RENAME /a")
                && all.iter().any(|event| event == "RENAME /b");
            o.at("events")?.holds(both && first, "RENAME /a, RENAME /b, perhaps each again", &all)
        }),
    case("filesystem/watcher/rename-across", "contract 5", &["5.event-rename"])
        .requires("a move out of the tree, and one into it, is one RENAME each")
        .why("an upload is moved into place so")
        .needs(&["process/start/events", "filesystem/watcher/drains"])
        .act(act!(|p| watched(p, false, ": > out && : > ../in", "mv out ../out; mv ../in in").await))
        .judge(|o| told(o, &["RENAME /out", "RENAME /in"])),
    case("filesystem/watcher/links", "contract 5", &["5.event-link"])
        .requires("a symlink and a hard link that are made are CREATE")
        .why("package managers place files so")
        .needs(&["process/start/events", "filesystem/watcher/drains"])
        .act(act!(|p| watched(p, false, ": > ../f", "ln -s ../f soft; ln ../f hard").await))
        .judge(|o| {
            let all = events(o)?;
            let created: Vec<_> = all.iter().filter(|event| event.starts_with("CREATE")).cloned().collect();
            o.at("events")?.same(
                "CREATE events",
                created,
                vec!["CREATE /soft".to_owned(), "CREATE /hard".to_owned()],
            )
        }),
    case("filesystem/watcher/upload", "contract 5", &["5.event-write"])
        .requires("an upload over a file is a WRITE to who watches its directory")
        .why("what the host changes is changed for a watcher in the guest, too")
        .generations(&[1, 2])
        .needs(&["files/upload/replaces", "filesystem/watcher/drains"])
        .act(act!(|p| {
            let dir = p.path("d");
            p.sh("make", &format!("mkdir -p {dir} && : > {dir}/f")).await?;
            let created =
                fs(p, "create", "CreateWatcher", json!({ "path": dir, "recursive": false })).await?;
            p.upload("upload", &format!("{dir}/f"), b"new").await?;
            p.sh("change", &format!(": > {dir}/{LAST}")).await?;
            collect(p, &created["watcherId"], LAST).await
        }))
        .judge(|o| {
            let all = events(o)?;
            o.at("upload")?.status(200)?;
            o.at("events")?.holds(all.iter().any(|event| event == "WRITE /f"), "WRITE /f", &all)
        }),
    case("filesystem/watcher/many", "contract 5", &["5.watcher-drain"])
        .requires(
            "of two hundred files that are made and removed no event is lost, and their \
            order is kept",
        )
        .why("a checkout is this large")
        .needs(&["process/start/events", "filesystem/watcher/drains"])
        .act(act!(|p| watched(p, false, "true", "for n in $(seq 200); do : > f$n; done; rm -f f*").await))
        .judge(|o| {
            let all = events(o)?;
            let of = |kind: &str| {
                all.iter().filter_map(|event| event.strip_prefix(kind)).map(str::to_owned).collect::<Vec<_>>()
            };
            let created: Vec<_> = (1..=200).map(|n| format!(" /f{n}")).collect();
            o.at("events")?.same("files created, in order", of("CREATE") == created, true)?;
            let (mut removed, mut expected) = (of("REMOVE"), created);
            removed.sort();
            expected.sort();
            o.at("events")?.same("files removed", removed == expected, true)
        }),
    case("filesystem/watcher/before-is-silent", "contract 5", &["5.watcher-drain"])
        .requires("what happened before the watcher was made is not told")
        .why("a tool would rebuild at each start")
        .needs(&["process/start/events", "filesystem/watcher/drains"])
        .act(act!(|p| watched(p, true, "mkdir -p a/b && : > a/f && rm a/f", "true").await))
        .judge(|o| told(o, &[])),
    case("filesystem/watcher/two-watchers", "contract 5", &["5.watcher-drain"])
        .requires("two watchers on one directory each get every event")
        .why("one tool would take the other's events")
        .needs(&["process/start/events", "filesystem/watcher/drains"])
        .act(act!(|p| {
            let dir = p.path("d");
            p.sh("make", &format!("mkdir -p {dir}")).await?;
            let first = fs(p, "first", "CreateWatcher", json!({ "path": dir })).await?;
            let second = fs(p, "second", "CreateWatcher", json!({ "path": dir })).await?;
            p.sh("change", &format!("mkdir {dir}/a && : > {dir}/{LAST}")).await?;
            collect(p, &first["watcherId"], LAST).await?;
            collect(p, &second["watcherId"], LAST).await
        }))
        .judge(|o| told(o, &["CREATE /a", "CREATE /a"])),
    case("filesystem/watcher/inode", "contract 5", &["5.watcher-inode"])
        .requires(
            "a watcher stays with its directory when that is moved, and tells nothing of a \
            new one in its place",
        )
        .why("a watch follows the thing, not the name")
        .needs(&["process/start/events", "filesystem/watcher/drains"])
        .act(act!(|p| {
            let dir = p.path("d");
            p.sh("make", &format!("mkdir -p {dir}")).await?;
            let created = fs(p, "create", "CreateWatcher", json!({ "path": dir })).await?;
            p.sh(
                "change",
                &format!("mv {dir} {dir}2 && mkdir {dir} && mkdir {dir}/new && : > {dir}2/{LAST}"),
            )
            .await?;
            collect(p, &created["watcherId"], LAST).await
        }))
        .judge(|o| {
            let all = events(o)?;
            let new = all.iter().find(|event| event.ends_with("/new"));
            o.at("events")?.same("event of the new directory", new, None)
        }),
    case("filesystem/watcher/root-removed", "contract 5", &["5.event-root-removed"])
        .requires("removal of the watched directory is REMOVE of it, and the watcher stays askable")
        .why("a tool notices that its project is gone")
        .needs(&["process/start/events", "filesystem/watcher/drains"])
        .act(act!(|p| {
            let dir = p.path("d");
            p.sh("make", &format!("mkdir -p {dir} && : > {dir}/f")).await?;
            let created = fs(p, "create", "CreateWatcher", json!({ "path": dir })).await?;
            let id = json!({ "watcherId": created["watcherId"] });
            fs(p, "rm", "Remove", json!({ "path": dir })).await?;
            let root = format!("\"{dir}\"");
            for _ in 0..POLLS {
                if fs(p, "events", "GetWatcherEvents", id.clone()).await?.to_string().contains(&root) {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            fs(p, "after", "GetWatcherEvents", id.clone()).await?;
            fs(p, "remove", "RemoveWatcher", id).await.map(drop)
        }))
        .judge(|o| {
            o.at("rm")?.ok()?;
            let polled: String = o
                .steps
                .iter()
                .filter(|step| step.label == "events")
                .map(|step| String::from_utf8_lossy(&step.exchange.body).into_owned())
                .collect();
            for (name, kind) in [("/d/f", "REMOVE"), ("/d", "REMOVE")] {
                let event = format!(r#""name":"{}{name}","type":"EVENT_TYPE_{kind}""#, o.dir);
                o.at("events")?.holds(polled.contains(&event), &event, &polled)?;
            }
            o.at("after")?.same("answer", o.at("after")?.ok()?, json!({}))
        }),
    case(
        "filesystem/watcher/removed-twice",
        "contract 5 and 8",
        &["5.watcher-remove", "8.close-idempotent", "5.watcher-unknown"],
    )
    .requires("RemoveWatcher is fine twice and with an empty id; the watcher is unknown afterwards")
    .why("a retry of the clean-up must not fail")
    .needs(DRAINS)
    .act(act!(|p| {
        let created = fs(p, "create", "CreateWatcher", json!({ "path": "/tmp" })).await?;
        let id = json!({ "watcherId": created["watcherId"] });
        fs(p, "once", "RemoveWatcher", id.clone()).await?;
        fs(p, "twice", "RemoveWatcher", id.clone()).await?;
        fs(p, "empty", "RemoveWatcher", json!({})).await?;
        fs(p, "events", "GetWatcherEvents", id).await.map(drop)
    }))
    .judge(|o| {
        for label in ["once", "twice", "empty"] {
            o.at(label)?.same("answer", o.at(label)?.ok()?, json!({}))?;
        }
        o.at("events")?.error(404, "not_found", "watcher not found: w-")
    }),
    case("filesystem/watcher/bad-path", "contract 10", &["10.watch-missing", "10.watch-file"])
        .requires("CreateWatcher of a missing path is not_found, of a file invalid_argument")
        .why("a watcher that never tells anything looks like a quiet directory")
        .needs(DRAINS)
        .positive_control(|o| o.at("twin")?.ok().map(drop))
        .act(act!(|p| {
            p.upload("upload", &p.path("f"), b"").await?;
            let created = fs(p, "twin", "CreateWatcher", json!({ "path": p.path("") })).await?;
            fs(p, "remove", "RemoveWatcher", json!({ "watcherId": created["watcherId"] })).await?;
            fs(p, "missing", "CreateWatcher", json!({ "path": MISSING })).await?;
            fs(p, "file", "CreateWatcher", json!({ "path": p.path("f") })).await.map(drop)
        }))
        .judge(|o| {
            o.at("missing")?.error(404, "not_found", "")?;
            o.at("file")?.error(400, "invalid_argument", "")
        }),
];
