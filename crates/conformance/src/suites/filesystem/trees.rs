//! Watchers of a whole tree, and of a directory alone: what is told of what happens below (contract 5 and 10).

use super::watches::{events, watched};
use crate::case::{Case, act, case};

pub(in crate::suites) const CASES: &[Case] = &[
    case("filesystem/watcher/flat", "contract 5", &["5.event-flat"])
        .requires("without recursive nothing from below a directory is told")
        .why("a watch on the home would drown in what its caches do")
        .needs(&["process/start/events", "filesystem/watcher/drains"])
        .act(act!(|p| watched(p, false, "mkdir -p a/b", "echo x > a/f; mkdir a/c; rm a/f").await))
        .judge(|o| {
            let all = events(o)?;
            let below = all.iter().find(|event| event.contains("/a/"));
            o.at("events")?.same("first event from below", below, None)
        }),
    case("filesystem/watcher/recursive", "contract 5", &["5.event-recursive", "0.filesystem.watch-fields"])
        .requires(
            "with recursive what happens below is told, in directories that were there and \
            in new ones",
        )
        .why("a project is a tree")
        .needs(&["process/start/events", "filesystem/watcher/drains"])
        .act(act!(|p| watched(p, true, "mkdir -p a/b", "touch a/b/f; mkdir n; sleep 0.1; touch n/g").await))
        .judge(|o| {
            let all = events(o)?;
            for event in ["CREATE /a/b/f", "CREATE /n", "CREATE /n/g"] {
                o.at("events")?.holds(all.iter().any(|known| known == event), event, &all)?;
            }
            Ok(())
        }),
    case("filesystem/watcher/moved-in", "contract 5", &["5.event-recursive", "5.event-rename"])
        .requires(
            "a directory that is moved in is a RENAME, and what then happens to the files \
            in it is told",
        )
        .why("a build puts its output in place in one step, and goes on to change it")
        .should()
        .needs(&["filesystem/watcher/recursive"])
        .timing()
        .act(act!(|p| {
            let before = "mkdir -p ../out/s && : > ../out/s/f";
            watched(p, true, before, "mv ../out/s .; sleep 0.3; echo new > s/f; : > s/g").await
        }))
        .judge(|o| {
            let all = events(o)?;
            for event in ["RENAME /s", "WRITE /s/f", "CREATE /s/g"] {
                o.at("events")?.holds(all.iter().any(|known| known == event), event, &all)?;
            }
            Ok(())
        }),
    case("filesystem/watcher/chain", "contract 10", &["10.watch-chain"])
        .requires(
            "a chain of directories that is made at once loses no event, each comes once, \
            and none is made up",
        )
        .why("an unpacked archive is seen only by its top otherwise")
        .needs(&["process/start/events", "filesystem/watcher/recursive"])
        .act(act!(|p| watched(p, true, "true", "mkdir -p a/b/c/d/e; : > a/b/c/d/e/f").await))
        .judge(|o| {
            let all = events(o)?;
            let written = all.iter().any(|event| event.starts_with("WRITE"));
            o.at("events")?.holds(!written, "no WRITE, since nothing was written", &all)?;
            let created: Vec<_> = all.iter().filter(|event| event.starts_with("CREATE")).cloned().collect();
            let chain = ["/a", "/a/b", "/a/b/c", "/a/b/c/d", "/a/b/c/d/e", "/a/b/c/d/e/f"];
            o.at("events")?.same(
                "CREATE events",
                created,
                chain.map(|path| format!("CREATE {path}")).to_vec(),
            )
        }),
];
