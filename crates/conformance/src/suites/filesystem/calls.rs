//! The Filesystem service and its watchers (contract 5 and 10).

use serde_json::{Value, json};

use crate::case::{Case, act, case};
use crate::feature::Feature;
use crate::probe::{Ask, Probe, SetupError};
use crate::suites::controls;
use crate::suites::process::start::EVENTS;
use crate::verdict::{Objection, Seen};

const STAT: &[&str] = &["filesystem/stat/file"];
const LIST: &[&str] = &["filesystem/list-dir/depth"];
const MISSING: &str = "/tmp/envd-conformance-no-such";

pub(in crate::suites) const CASES: &[Case] = &[
    case(
        "filesystem/stat/file",
        "contract 5 and 10",
        &["0.filesystem.entry-fields", "10.json-timestamp", "5.entry-time"],
    )
    .requires("Stat tells name, type, path, size, mode, permissions, owner, group and time of a file")
    .why("listings show them, and sync tools compare them")
    .needs(EVENTS)
    .act(act!(|p| {
        let path = p.path("a.txt");
        p.upload("upload", &path, b"hello").await?;
        p.sh("touch", &format!("chmod 640 {path}; touch -d '2001-02-03 04:05:06.5 UTC' {path}")).await?;
        call(p, "stat", "Stat", json!({ "path": path })).await
    }))
    .judge(|o| {
        o.at("touch")?.succeeded()?;
        let expected = json!({
            "name": "a.txt", "type": "FILE_TYPE_FILE", "path": format!("{}/a.txt", o.dir),
            "size": "5", "mode": 0o640,
            "permissions": "-rw-r-----", "owner": "root", "group": "root",
            "modifiedTime": "2001-02-03T04:05:06.500Z",
        });
        let stat = o.at("stat")?;
        stat.same("entry", stat.ok()?["entry"].clone(), expected)
    }),
    case("filesystem/stat/missing", "contract 5", &["5.stat-missing"])
        .requires("Stat of a missing path is not_found")
        .why("the usual way to ask whether a file is there")
        .positive_control(controls::ok)
        .act(act!(|p| {
            controls::stat(p).await?;
            call(p, "stat", "Stat", json!({ "path": MISSING })).await
        }))
        .judge(|o| o.at("stat")?.error(404, "not_found", "file not found")),
    case("filesystem/stat/symlink", "contract 5", &["5.entry-link", "5.entry-type", "5.entry-size"])
        .requires(
            "a symlink has the type of its target, its own size, permissions with L, and \
            symlinkTarget",
        )
        .why("a link to a directory is opened like one")
        .needs(&["filesystem/stat/file", "process/start/events"])
        .act(act!(|p| {
            let (target, link) = (p.path("d"), p.path("l"));
            p.sh("make", &format!("mkdir -p {target} && ln -s d {link} && ln -s gone {link}2")).await?;
            call(p, "stat", "Stat", json!({ "path": link })).await?;
            call(p, "dangling", "Stat", json!({ "path": p.path("l2") })).await
        }))
        .judge(|o| {
            o.at("make")?.succeeded()?;
            let stat = o.at("stat")?;
            stat.ok()?;
            stat.field_is("/entry/type", "FILE_TYPE_DIRECTORY")?;
            stat.field_is("/entry/size", "1")?;
            stat.field_is("/entry/permissions", "Lrwxrwxrwx")?;
            stat.field_is("/entry/symlinkTarget", format!("{}/d", o.dir))?;
            o.at("dangling")?.ok()?;
            o.at("dangling")?.field_is("/entry/type", Value::Null)
        }),
    case("filesystem/make-dir/parents", "contract 5", &["5.makedir-parents"])
        .requires("MakeDir makes the path with all its parents, 0755, and tells of the last")
        .why("the host makes project directories in one call")
        .act(act!(|p| {
            call(p, "make", "MakeDir", json!({ "path": p.path("a/b/c") })).await?;
            call(p, "stat", "Stat", json!({ "path": p.path("a/b") })).await
        }))
        .judge(|o| {
            let make = o.at("make")?;
            make.ok()?;
            make.field_is("/entry/path", format!("{}/a/b/c", o.dir))?;
            make.field_is("/entry/type", "FILE_TYPE_DIRECTORY")?;
            make.field_is("/entry/permissions", "drwxr-xr-x")?;
            o.at("stat")?.ok()?;
            o.at("stat")?.field_is("/entry/permissions", "drwxr-xr-x")
        }),
    case("filesystem/make-dir/in-the-way", "contract 5", &["5.makedir-exists", "5.makedir-file"])
        .requires("an existing directory is already_exists, a file in its place invalid_argument")
        .why("the caller tells \"fine, it is there\" from \"something is in the way\"")
        .needs(&["filesystem/make-dir/parents"])
        .act(act!(|p| {
            call(p, "first", "MakeDir", json!({ "path": p.path("d") })).await?;
            call(p, "again", "MakeDir", json!({ "path": p.path("d") })).await?;
            p.upload("upload", &p.path("f"), b"").await?;
            call(p, "file", "MakeDir", json!({ "path": p.path("f") })).await
        }))
        .judge(|o| {
            o.at("first")?.ok()?;
            o.at("again")?.error(409, "already_exists", "directory already exists: ")?;
            o.at("file")?.error(400, "invalid_argument", "path exists but is not a directory: ")
        }),
    case("filesystem/move/file", "contract 5", &["5.move-over", "5.move-parents", "5.move-entry"])
        .requires("Move renames with the content, over what is there, and makes the parents")
        .why("an editor saves by writing beside and moving over")
        .needs(STAT)
        .act(act!(|p| {
            let (from, to) = (p.path("a"), p.path("new/b"));
            p.upload("upload", &from, b"moved").await?;
            p.upload("other", &to, b"old").await?;
            call(p, "move", "Move", json!({ "source": from, "destination": to })).await?;
            p.send("download", Ask::download(&to)).await?;
            call(p, "gone", "Stat", json!({ "path": from })).await
        }))
        .judge(|o| {
            o.at("move")?.ok()?;
            o.at("move")?.field_is("/entry/path", format!("{}/new/b", o.dir))?;
            o.at("download")?.body_is(b"moved")?;
            o.at("gone")?.error(404, "not_found", "")
        }),
    case("filesystem/move/missing", "contract 5", &["5.move-missing"])
        .requires("Move of a missing source is not_found \"source not found\"")
        .why("the caller learns which of the two paths is wrong")
        .positive_control(controls::ok)
        .act(act!(|p| {
            controls::moves(p).await?;
            call(p, "move", "Move", json!({ "source": MISSING, "destination": p.path("b") })).await
        }))
        .judge(|o| o.at("move")?.error(404, "not_found", "source not found")),
    case("filesystem/list-dir/depth", "contract 5", &["5.list-depth", "5.list-links"])
        .requires("ListDir lists as deep as asked, 0 meaning 1, without the root and not into links")
        .why("file browsers load level by level")
        .needs(EVENTS)
        .act(act!(|p| {
            let dir = p.path("d");
            let script = format!("mkdir -p {dir}/a/b/c && touch {dir}/f {dir}/a/g && ln -s a {dir}/l");
            p.sh("make", &script).await?;
            call(p, "zero", "ListDir", json!({ "path": dir })).await?;
            call(p, "two", "ListDir", json!({ "path": dir, "depth": 2 })).await
        }))
        .judge(|o| {
            o.at("make")?.succeeded()?;
            let root = format!("{}/d", o.dir);
            let zero = o.at("zero")?;
            zero.same("entries", paths(&zero, &root)?, vec!["/a".into(), "/f".into(), "/l".into()])?;
            let two = o.at("two")?;
            let all = ["/a", "/a/b", "/a/g", "/f", "/l"];
            two.same("entries", paths(&two, &root)?, all.map(str::to_owned).to_vec())
        }),
    case("filesystem/list-dir/fresh", "contract 5", &["5.list-empty"])
        .requires("an empty directory lists as {}, and each change shows in the next listing")
        .why("a stale list sends the host after files that are gone")
        .needs(LIST)
        .act(act!(|p| {
            let dir = p.path("d");
            call(p, "make", "MakeDir", json!({ "path": dir })).await?;
            call(p, "empty", "ListDir", json!({ "path": dir })).await?;
            p.upload("upload", &p.path("d/f"), b"").await?;
            call(p, "full", "ListDir", json!({ "path": dir })).await?;
            call(p, "remove", "Remove", json!({ "path": p.path("d/f") })).await?;
            call(p, "again", "ListDir", json!({ "path": dir })).await
        }))
        .judge(|o| {
            o.at("empty")?.same("answer", o.at("empty")?.ok()?, json!({}))?;
            let full = o.at("full")?;
            full.same("entries", paths(&full, &format!("{}/d", o.dir))?, vec!["/f".into()])?;
            o.at("again")?.same("answer", o.at("again")?.ok()?, json!({}))
        }),
    case("filesystem/list-dir/errors", "contract 5", &["5.list-missing", "5.list-file"])
        .requires("a missing path is not_found, a file invalid_argument")
        .why("an empty list in their place hides the mistake")
        .positive_control(controls::ok)
        .act(act!(|p| {
            controls::list_dir(p).await?;
            call(p, "missing", "ListDir", json!({ "path": MISSING })).await?;
            p.upload("upload", &p.path("f"), b"").await?;
            call(p, "file", "ListDir", json!({ "path": p.path("f") })).await
        }))
        .judge(|o| {
            o.at("missing")?.error(404, "not_found", "path not found")?;
            o.at("file")?.error(400, "invalid_argument", "path is not a directory")
        }),
    case("filesystem/remove/tree", "contract 5", &["5.remove-recursive", "5.remove-link"])
        .requires("Remove takes a directory with all in it, and of a symlink only the link")
        .why("following a link would delete what is outside")
        .needs(&["filesystem/stat/file", "process/start/events"])
        .act(act!(|p| {
            let (dir, kept) = (p.path("d"), p.path("kept"));
            let script = format!("mkdir -p {dir}/a {kept} && touch {kept}/f && ln -s {kept} {dir}/a/l");
            p.sh("make", &script).await?;
            call(p, "remove", "Remove", json!({ "path": dir })).await?;
            call(p, "gone", "Stat", json!({ "path": dir })).await?;
            call(p, "kept", "Stat", json!({ "path": p.path("kept/f") })).await
        }))
        .judge(|o| {
            o.at("make")?.succeeded()?;
            o.at("remove")?.same("answer", o.at("remove")?.ok()?, json!({}))?;
            o.at("gone")?.error(404, "not_found", "")?;
            o.at("kept")?.ok().map(drop)
        }),
    case("filesystem/remove/missing", "contract 10", &["10.remove-missing"])
        .requires("Remove of a missing path is not_found")
        .why("a retry must be told from a broken disk")
        .positive_control(controls::ok)
        .act(act!(|p| {
            controls::remove(p).await?;
            call(p, "remove", "Remove", json!({ "path": MISSING })).await
        }))
        .judge(|o| o.at("remove")?.error(404, "not_found", "")),
    case("filesystem/watch-dir/events", "contract 10", &["10.watchdir-start", "10.watchdir-names"])
        .requires("WatchDir streams a start at once, then each event with its full path")
        .why("editors and dev servers reload by it")
        .features(&[Feature::WatchDir])
        .needs(EVENTS)
        .act(act!(|p| {
            let dir = p.path("d");
            call(p, "make", "MakeDir", json!({ "path": dir })).await?;
            let ask = Ask::stream("filesystem.Filesystem/WatchDir", &[json!({ "path": dir })]);
            let mut open = p.open(ask).await?;
            open.until_frames(1).await;
            p.sh("write", &format!("echo x > {dir}/f; rm {dir}/f")).await?;
            open.until(|seen| String::from_utf8_lossy(&seen.body).contains("EVENT_TYPE_REMOVE")).await;
            p.keep("watch", open);
            Ok(())
        }))
        .judge(|o| {
            o.at("write")?.succeeded()?;
            let watch = o.at("watch")?;
            let text = String::from_utf8_lossy(&watch.exchange.body).into_owned();
            let first =
                crate::stream::envelope::read(&watch.exchange.body).0.first().map(|frame| frame.data.clone());
            let first = first.map(|data| String::from_utf8_lossy(&data).into_owned());
            watch.same("first message", first.as_deref(), Some(r#"{"start":{}}"#))?;
            for kind in ["CREATE", "WRITE", "REMOVE"] {
                let event = format!(r#""name":"{}/d/f","type":"EVENT_TYPE_{kind}""#, o.dir);
                watch.holds(text.contains(&event), &event, &text)?;
            }
            Ok(())
        }),
    case("filesystem/watch-dir/missing", "contract 10", &["10.watch-missing", "10.watch-file"])
        .requires("WatchDir of a missing path is not_found, of a file invalid_argument")
        .why("a watch on nothing waits for ever")
        .features(&[Feature::WatchDir])
        .needs(&["process/start/events"])
        .positive_control(controls::began)
        .act(act!(|p| {
            controls::watch(p).await?;
            p.stream("missing", "filesystem.Filesystem/WatchDir", json!({ "path": MISSING })).await?;
            p.upload("upload", &p.path("f"), b"").await?;
            p.stream("file", "filesystem.Filesystem/WatchDir", json!({ "path": p.path("f") })).await
        }))
        .judge(|o| {
            o.at("missing")?.stream_error("not_found", "")?;
            o.at("file")?.stream_error("invalid_argument", "")
        }),
    case("filesystem/watcher/drains", "contract 5", &["5.watcher-drain", "5.event-names"])
        .requires("GetWatcherEvents tells what happened since the last call, and each event once")
        .why("an event that comes twice, or never, builds twice, or never")
        .act(act!(|p| {
            let dir = p.path("d");
            call(p, "make", "MakeDir", json!({ "path": dir })).await?;
            let made = p.unary("create", rpc("CreateWatcher").as_str(), json!({ "path": dir })).await?;
            let id = json!({ "watcherId": made["watcherId"] });
            p.upload("upload", &p.path("f"), b"x").await?;
            let into = json!({ "source": p.path("f"), "destination": p.path("d/f") });
            call(p, "move", "Move", into).await?;
            until_events(p, "events", &id).await?;
            call(p, "drained", "GetWatcherEvents", id.clone()).await?;
            call(p, "remove", "RemoveWatcher", id.clone()).await?;
            call(p, "after", "GetWatcherEvents", id).await
        }))
        .judge(|o| {
            o.at("create")?.ok()?;
            let events = o.at("events")?;
            let expected = json!([{ "name": format!("{}/d/f", o.dir), "type": "EVENT_TYPE_RENAME" }]);
            events.same("events", events.ok()?["events"].clone(), expected)?;
            o.at("drained")?.same("answer", o.at("drained")?.ok()?, json!({}))?;
            o.at("remove")?.ok()?;
            o.at("after")?.error(404, "not_found", "watcher not found: ")
        }),
    case(
        "filesystem/watcher/unknown",
        "contract 5",
        &["5.watcher-unknown", "5.watcher-remove", "10.watch-missing"],
    )
    .requires("events of an unknown watcher are not_found; removing one is fine")
    .why("the host makes a new watcher when it hears that the old one is gone")
    .act(act!(|p| {
        let id = json!({ "watcherId": "w-none" });
        call(p, "events", "GetWatcherEvents", id.clone()).await?;
        call(p, "remove", "RemoveWatcher", id).await?;
        call(p, "missing", "CreateWatcher", json!({ "path": MISSING })).await
    }))
    .judge(|o| {
        o.at("events")?.error(404, "not_found", "watcher not found: w-none")?;
        o.at("remove")?.ok()?;
        o.at("missing")?.error(404, "not_found", "")
    }),
];

/// So often are events asked for before their absence is an answer.
const POLLS: usize = 100;

fn rpc(name: &str) -> String {
    format!("filesystem.Filesystem/{name}")
}

async fn call(p: &mut Probe, label: &str, name: &str, message: Value) -> Result<(), SetupError> {
    p.unary(label, &rpc(name), message).await.map(drop)
}

/// Asks for events until there are any, and writes down that answer.
async fn until_events(p: &mut Probe, label: &str, id: &Value) -> Result<(), SetupError> {
    for _ in 1..POLLS {
        let mut open = p.open(Ask::unary(&rpc("GetWatcherEvents"), id)).await?;
        open.until(|_| false).await;
        if open.seen().status != Some(200) || open.seen().body != b"{}" {
            p.keep(label, open);
            return Ok(());
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    call(p, label, "GetWatcherEvents", id.clone()).await
}

/// The entries' paths below `root`, sorted: their order is the kernel's.
fn paths(seen: &Seen<'_>, root: &str) -> Result<Vec<String>, Objection> {
    let json = seen.ok()?;
    let entries = json["entries"].as_array().into_iter().flatten();
    let path = |entry: &Value| entry["path"].as_str().unwrap_or_default().to_owned();
    let mut paths: Vec<_> =
        entries.map(path).map(|path| path.strip_prefix(root).map_or(path.clone(), str::to_owned)).collect();
    paths.sort();
    Ok(paths)
}
