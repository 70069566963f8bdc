//! ListDir: depth, order, links, sizes (contract 5).

use serde_json::json;

use crate::case::{Case, act, case};
use crate::observation::Observation;
use crate::probe::{Probe, SetupError};
use crate::suites::controls;
use crate::suites::helpers::{all_succeeded, fs, listed};
use crate::verdict::{Judged, Objection};

const LIST: &[&str] = &["filesystem/list-dir/depth"];

/// Makes things in the case's directory `d`, and lists it.
async fn list(p: &mut Probe, script: &str, depth: u32) -> Result<(), SetupError> {
    p.sh("make", &format!("mkdir -p {0} && cd {0} && {script}", p.path("d"))).await?;
    fs(p, "list", "ListDir", json!({ "path": p.path("d"), "depth": depth })).await.map(drop)
}

fn sorted(o: &Observation, label: &str) -> Result<Vec<String>, Objection> {
    let mut all = listed(&o.at(label)?, &format!("{}/d", o.dir))?;
    all.sort();
    Ok(all)
}

fn lists(o: &Observation, expected: &[&str]) -> Judged {
    all_succeeded(o, &["make"])?;
    o.at("list")?.same("entries", sorted(o, "list")?, expected.iter().map(|&path| path.to_owned()).collect())
}

pub(in crate::suites) const CASES: &[Case] = &[
    case("filesystem/list-dir/order", "contract 5", &["5.list-order"])
        .requires("a directory comes before what is in it, and its whole subtree before its next sibling")
        .why("a tree is drawn while it is read")
        .needs(LIST)
        .act(act!(
            |p| list(p, "for a in 1 2 3 4; do mkdir -p $a/x/y && : > $a/f && : > $a/x/g; done", 9).await
        ))
        .judge(|o| {
            let seen = o.at("list")?;
            let all = listed(&seen, &format!("{}/d", o.dir))?;
            let mut open: Vec<String> = Vec::new();
            for path in &all {
                while open.last().is_some_and(|parent| !path.starts_with(&format!("{parent}/"))) {
                    open.pop();
                }
                let parent = path.rsplit_once('/').map(|(parent, _)| parent).unwrap_or_default();
                let right = open.last().map_or("", String::as_str) == parent;
                seen.holds(right, &format!("{path} behind its parent and inside its subtree"), &all)?;
                open.push(path.clone());
            }
            seen.same("number of entries", all.len(), 20)
        }),
    case("filesystem/list-dir/depth-exact", "contract 5", &["5.list-depth", "0.filesystem.list-fields"])
        .requires("depth 1 is the directory's own entries, 3 goes three levels down, and not a fourth")
        .why("a listing that goes too far takes minutes")
        .needs(LIST)
        .act(act!(|p| {
            list(p, "mkdir -p a/b/c/d/e", 3).await?;
            fs(p, "one", "ListDir", json!({ "path": p.path("d"), "depth": 1 })).await.map(drop)
        }))
        .judge(|o| {
            lists(o, &["/a", "/a/b", "/a/b/c"])?;
            o.at("one")?.same("entries", sorted(o, "one")?, vec!["/a".to_owned()])
        }),
    case("filesystem/list-dir/deep", "contract 5", &["5.list-depth"])
        .requires("the largest depth lists a tree of 200 levels to its bottom")
        .why("a recursion that is too deep kills the daemon")
        .needs(LIST)
        .act(act!(|p| {
            let script = "mkdir -p $(printf 'x/%.0s' $(seq 200))";
            list(p, script, u32::MAX).await
        }))
        .judge(|o| {
            let seen = o.at("list")?;
            let all = listed(&seen, &format!("{}/d", o.dir))?;
            seen.same("number of entries", all.len(), 200)?;
            seen.same("the last path", all.last().map(String::as_str), Some("/x".repeat(200).as_str()))
        }),
    case("filesystem/list-dir/hidden", "contract 5", &["5.list-order"])
        .requires("names that begin with a dot are listed, . and .. are not")
        .why("a project's configuration is in them")
        .needs(LIST)
        .act(act!(|p| list(p, ": > .env && mkdir .git && : > ...", 1).await))
        .judge(|o| lists(o, &["/...", "/.env", "/.git"])),
    case("filesystem/list-dir/loop", "contract 5", &["5.list-links"])
        .requires("a link to a parent directory is listed and not descended into")
        .why("the listing would never end")
        .needs(LIST)
        .act(act!(|p| list(p, "mkdir a && ln -s .. a/up && ln -s . here", 20).await))
        .judge(|o| lists(o, &["/a", "/a/up", "/here"])),
    case("filesystem/list-dir/through-link", "contract 5", &["5.list-prefix"])
        .requires("of a directory that is reached through a link, paths begin as the request's does")
        .why("a browser goes on from the paths that it was given")
        .needs(LIST)
        .act(act!(|p| {
            list(p, "mkdir -p a/b && ln -s a l", 1).await?;
            fs(p, "link", "ListDir", json!({ "path": p.path("d/l"), "depth": 2 })).await?;
            fs(p, "dots", "ListDir", json!({ "path": p.path("d/a/../a") })).await.map(drop)
        }))
        .judge(|o| {
            o.at("link")?.same("entries", sorted(o, "link")?, vec!["/l/b".to_owned()])?;
            o.at("dots")?.same("entries", sorted(o, "dots")?, vec!["/a/../a/b".to_owned()])
        }),
    case("filesystem/list-dir/unresolvable", "contract 5", &["5.list-resolve", "5.list-missing"])
        .requires(
            "a loop and a path below a file are internal \"error resolving path\", a \
            dangling link is not_found",
        )
        .why("each is another mistake in the tree")
        .needs(LIST)
        .positive_control(controls::ok)
        .act(act!(|p| {
            controls::list_dir(p).await?;
            list(p, ": > f && ln -s loop loop && ln -s gone m", 1).await?;
            for name in ["loop", "f/below", "m"] {
                fs(p, name, "ListDir", json!({ "path": p.path(&format!("d/{name}")) })).await?;
            }
            Ok(())
        }))
        .judge(|o| {
            o.at("loop")?.error(500, "internal", "error resolving path: ")?;
            o.at("f/below")?.error(500, "internal", "error resolving path: ")?;
            o.at("m")?.error(404, "not_found", "path not found: ")
        }),
    case("filesystem/list-dir/large", "contract 5", &["5.list-large"])
        .requires("300 entries with paths of 3700 bytes, over 1 MiB of answer, are listed whole")
        .why("a listing that is cut looks whole")
        .needs(LIST)
        .act(act!(|p| {
            let level = "n".repeat(240);
            let deep = [level.as_str(); 15].join("/");
            let script =
                format!("mkdir -p {0}/{deep} && cd {0} && cd {deep} && seq 1 300 | xargs touch", p.path("d"));
            p.sh("make", &script).await?;
            fs(p, "list", "ListDir", json!({ "path": p.path(&format!("d/{deep}")) })).await.map(drop)
        }))
        .judge(|o| {
            all_succeeded(o, &["make"])?;
            let list = o.at("list")?;
            let all = listed(&list, &format!("{}/d", o.dir))?;
            list.same("number of entries", all.len(), 300)?;
            list.holds(list.exchange.body.len() > 1 << 20, "an answer over 1 MiB", list.exchange.body.len())?;
            let names = |path: &String| path.rsplit('/').next().and_then(|name| name.parse::<u32>().ok());
            let mut numbers: Vec<_> = all.iter().filter_map(names).collect();
            numbers.sort_unstable();
            list.same("all names there", numbers == (1..=300).collect::<Vec<_>>(), true)
        }),
    case("filesystem/list-dir/entries", "contract 5", &["0.filesystem.entry-fields", "5.list-links"])
        .requires("an entry of a listing is the same as Stat's of its path")
        .why("a browser shows both beside one another")
        .needs(LIST)
        .act(act!(|p| {
            list(p, "echo x > f && chmod 604 f && ln -s f l && ln -s gone m && mkdir a", 1).await?;
            for name in ["f", "l", "m", "a"] {
                fs(p, name, "Stat", json!({ "path": p.path(&format!("d/{name}")) })).await?;
            }
            Ok(())
        }))
        .judge(|o| {
            let list = o.at("list")?;
            let json = list.ok()?;
            for name in ["f", "l", "m", "a"] {
                let stat = o.at(name)?.ok()?["entry"].clone();
                let mut entries = json["entries"].as_array().into_iter().flatten();
                let entry = entries.find(|entry| entry["name"] == name).cloned().unwrap_or_default();
                list.same(&format!("entry {name}"), entry, stat)?;
            }
            Ok(())
        }),
    case("filesystem/list-dir/not-utf-8", "contract 5", &["5.list-order"])
        .requires("names that are no UTF-8 do not spoil a listing: the others are there, in valid JSON")
        .why("one old archive would hide the whole directory")
        .needs(LIST)
        .act(act!(|p| list(p, r#": > "$(printf 'caf\351')" && : > plain"#, 1).await))
        .judge(|o| {
            all_succeeded(o, &["make"])?;
            let all = sorted(o, "list")?;
            o.at("list")?.holds(all.iter().any(|path| path == "/plain"), "/plain among the entries", &all)
        }),
    case("filesystem/list-dir/while-it-changes", "contract 5", &["5.list-order"])
        .requires("a tree that changes while it is listed is listed: what vanished is left out")
        .why("a build deletes its temporary files all the time")
        .needs(LIST)
        .act(act!(|p| {
            let script = format!(
                "mkdir -p {0} && cd {0} && echo up; while :; do mkdir -p a/b && : > a/b/f; rm -rf a; done",
                p.path("d")
            );
            let mut open = p.start_sh("run", &script).await?;
            open.until_output("up").await;
            for _ in 0..30 {
                fs(p, "list", "ListDir", json!({ "path": p.path("d"), "depth": 5 })).await?;
            }
            p.kill("run").await?;
            p.keep("run", open);
            Ok(())
        }))
        .judge(|o| {
            let statuses: Vec<_> =
                o.steps.iter().filter(|step| step.label == "list").map(|step| step.exchange.status).collect();
            o.at("list")?.ok()?;
            o.at("list")?.holds(statuses.iter().all(|status| *status == Some(200)), "200 each time", statuses)
        }),
];
