//! How paths are resolved (contract 3.8 and 10): the same for /files, commands and the Filesystem service.

use serde_json::json;

use super::uploads::POST;
use crate::case::{Case, Isolation, act, case};
use crate::probe::{Ask, Part, Probe, SetupError};
use crate::suites::helpers::{entry_is, form, fs, printed, uploaded_is};

const TRIP: &[&str] = &["files/upload/round-trip"];
const BOTH: &[&str] = &["files/upload/round-trip", "process/start/events"];

/// The case's directory as it is reached from any home: up as far as it goes, and down again.
fn around(p: &Probe, name: &str) -> String {
    format!("{}{}", "../".repeat(9), p.path(name).trim_start_matches('/'))
}

async fn upload_as(p: &mut Probe, label: &str, user: &str, path: &str) -> Result<(), SetupError> {
    p.send(label, p.dialect().upload(path, user, b"x")).await.map(drop)
}

pub(in crate::suites) const CASES: &[Case] = &[
    case("files/path/tilde", "contract 3.8", &["3.8.path-tilde", "3.8.home-passwd"])
        .requires("~/ is the home of the user that is named, as passwd has it")
        .why("a file for one user must not land with another")
        .needs(BOTH)
        .act(act!(|p| {
            p.sh(
                "homes",
                "awk -F: '$1==\"root\"{print $6}' /etc/passwd; awk -F: \
                '$1==\"user\"{print $6}' /etc/passwd",
            )
            .await?;
            let name = format!("envd-conformance-{}", std::process::id());
            upload_as(p, "root", "root", &format!("~/{name}")).await?;
            upload_as(p, "user", "user", &format!("~/{name}")).await?;
            p.sh("clean", &format!("rm ~root/{name} ~user/{name}")).await
        }))
        .judge(|o| {
            let homes = o.at("homes")?.succeeded()?.text();
            let mut homes = homes.lines();
            for label in ["root", "user"] {
                let seen = o.at(label)?;
                let json = seen.ok()?;
                let file = json.get(0).unwrap_or(&json);
                let (path, home) =
                    (file["path"].as_str().unwrap_or_default(), homes.next().unwrap_or_default());
                let within =
                    path.strip_prefix(home).is_some_and(|rest| rest.starts_with("/envd-conformance-"));
                seen.holds(within, &format!("a path directly in {home}"), path)?;
            }
            printed(o, "clean", "")
        }),
    case("files/path/relative", "contract 3.8", &["3.8.path-relative"])
        .requires("a relative path starts at the home and is canonical when it exists")
        .why("callers name files as a shell in the home would")
        .needs(BOTH)
        .act(act!(|p| {
            p.upload("upload", &p.path("d/f"), b"found").await?;
            p.send("get", Ask::download(&around(p, "d/f"))).await?;
            fs(p, "stat", "Stat", json!({ "path": around(p, "d/f") })).await.map(drop)
        }))
        .judge(|o| {
            o.at("get")?.status(200)?;
            o.at("get")?.body_is(b"found")?;
            entry_is(o, "stat", "path", format!("{}/d/f", o.dir))
        }),
    case(
        "files/path/absolute-dots",
        "contract 3.8 and 5",
        &["3.8.path-absolute", "5.entry-path", "5.entry-name"],
    )
    .requires("an absolute path is not normalised: .. and a trailing slash stay in the answer")
    .why("a host that compares paths gets back what it asked for")
    .needs(TRIP)
    .tags(&["security"])
    .act(act!(|p| {
        fs(p, "make", "MakeDir", json!({ "path": p.path("a/b") })).await?;
        fs(p, "dots", "Stat", json!({ "path": p.path("a/b/..") })).await?;
        fs(p, "slash", "Stat", json!({ "path": p.path("a/b/") })).await.map(drop)
    }))
    .judge(|o| {
        entry_is(o, "dots", "path", format!("{}/a/b/..", o.dir))?;
        entry_is(o, "dots", "name", serde_json::Value::Null)?;
        entry_is(o, "slash", "path", format!("{}/a/b/", o.dir))?;
        entry_is(o, "slash", "name", "b")
    }),
    case("files/path/traversal", "contract 3.8", &["3.8.path-absolute"])
        .requires("the guest is the guest: .. beyond its root is its root, for downloads and uploads")
        .why("no path of a request may leave the machine, and all of the machine is reachable")
        .needs(TRIP)
        .tags(&["security"])
        .act(act!(|p| {
            p.send("twin", Ask::download("/etc/passwd")).await?;
            p.send("get", Ask::download(&format!("/tmp{}/etc/passwd", "/..".repeat(30)))).await?;
            let target = format!("/tmp{}{}", "/..".repeat(30), p.path("f"));
            p.upload("upload", &target, b"x").await?;
            p.send("back", Ask::download(&p.path("f"))).await.map(drop)
        }))
        .judge(|o| {
            let expected = &o.at("twin")?.exchange.body;
            o.at("get")?.status(200)?;
            o.at("get")?.body_is(expected)?;
            o.at("upload")?.status(200)?;
            o.at("back")?.body_is(b"x")
        }),
    case("files/path/escaped-dots", "contract 3.8", &["3.8.path-absolute"])
        .requires("the query is decoded once: %252e%252e is a name, and not the parent")
        .why("a proxy that decodes sees one path and the guest another")
        .needs(TRIP)
        .tags(&["security"])
        .act(act!(|p| {
            p.upload("upload", &p.path("d/f"), b"x").await?;
            let target =
                format!("/files?username=root&path={}/d/%252e%252e/d/f", p.path("").trim_end_matches('/'));
            p.send("twice", Ask::new("GET", target.clone())).await?;
            p.send("once", Ask::new("GET", target.replace("%25", "%"))).await.map(drop)
        }))
        .judge(|o| {
            o.at("once")?.status(200)?;
            o.at("twice")?.status(404)
        }),
    case("files/path/plus-is-blank", "contract 2 and 3.8", &["3.8.path-absolute"])
        .requires("in a query + is a blank and %2B a plus")
        .why("signatures hold both")
        .needs(TRIP)
        .act(act!(|p| {
            p.upload("blank", &p.path("a b"), b"blank").await?;
            p.upload("plus", &p.path("a+b"), b"plus").await?;
            let target = |form: &str| format!("/files?username=root&path={}{form}", p.path(""));
            let (blank, plus) = (target("a+b"), target("a%2Bb"));
            p.send("get blank", Ask::new("GET", blank)).await?;
            p.send("get plus", Ask::new("GET", plus)).await.map(drop)
        }))
        .judge(|o| {
            o.at("get blank")?.body_is(b"blank")?;
            o.at("get plus")?.body_is(b"plus")?;
            o.at("get plus")?.status(200)
        }),
    case("files/path/default-user", "contract 3.8 and 3.4", &["3.4.user-affects", "3.8.new-mode"])
        .requires("without a username the default user decides home and owner")
        .why("hosts of the next generation send no username")
        .features(POST)
        .needs(BOTH)
        .isolation(Isolation::Fresh)
        .act(act!(|p| {
            p.init("init", json!({ "defaultUser": "user" })).await?;
            let part = Part { name: "file", filename: Some("named"), content: b"x" };
            p.send("upload", form(Some("~/f"), None, &[part])).await?;
            p.send("nameless", form(None, None, &[part])).await?;
            fs(p, "stat", "Stat", json!({ "path": "f" })).await.map(drop)
        }))
        .judge(|o| {
            o.at("init")?.status(204)?;
            o.at("upload")?.field_is("/0/path", "/home/user/f")?;
            o.at("nameless")?.field_is("/0/path", "/home/user/named")?;
            entry_is(o, "stat", "path", "/home/user/f")?;
            entry_is(o, "stat", "owner", "user")
        }),
    case("files/path/no-filename", "contract 3.8", &["3.8.target-filename"])
        .requires("a part without filename and path goes to upload in the home")
        .why("the name is told in the answer")
        .features(POST)
        .needs(BOTH)
        .isolation(Isolation::Fresh)
        .act(act!(|p| {
            let part = Part { name: "file", filename: None, content: b"x" };
            p.send("upload", form(None, Some("user"), &[part])).await.map(drop)
        }))
        .judge(|o| {
            o.at("upload")?.ok()?;
            o.at("upload")?.field_is("/0/path", "/home/user/upload")?;
            o.at("upload")?.field_is("/0/name", "upload")
        }),
    case(
        "files/path/default-workdir",
        "contract 3.8 and 10",
        &["10.relative-workdir", "3.8.path-empty", "5.empty-path"],
    )
    .requires("with a default workdir relative and empty paths are there, ~ is the home still")
    .why("a project is addressed from its own root")
    .needs(BOTH)
    .isolation(Isolation::Fresh)
    .act(act!(|p| {
        fs(p, "make", "MakeDir", json!({ "path": "/srv/project" })).await?;
        p.init("init", json!({ "defaultWorkdir": "/srv/project" })).await?;
        upload_as(p, "relative", "root", "sub/f").await?;
        upload_as(p, "tilde", "root", "~/f").await?;
        fs(p, "empty", "Stat", json!({ "path": "" })).await?;
        fs(p, "list", "ListDir", json!({ "path": "" })).await?;
        p.send("get", Ask::download("sub/f")).await.map(drop)
    }))
    .judge(|o| {
        uploaded_is(o, "relative", "path", "/srv/project/sub/f")?;
        uploaded_is(o, "tilde", "path", "/root/f")?;
        entry_is(o, "empty", "path", "/srv/project")?;
        o.at("list")?.field_is("/entries/0/path", "/srv/project/sub")?;
        o.at("get")?.status(200)
    }),
    case("files/path/not-utf-8", "contract 3.8", &["3.8.duplicate-query"])
        .requires("a path that is no UTF-8 is answered: refused, or taken as the name that it becomes")
        .why("one odd byte must not end the connection without a word")
        .act(act!(|p| p.get("get", "/files?username=root&path=/tmp/%ff%fe").await))
        .judge(|o| {
            let seen = o.at("get")?;
            seen.whole()?;
            let status = seen.exchange.status.unwrap_or_default();
            seen.holds([400, 404].contains(&status), "status 400 or 404", status)
        }),
];
