//! Entries: what Stat tells of everything that can be in a tree (contract 5 and 10).

use serde_json::{Value, json};

use crate::case::{Case, Isolation, act, case};
use crate::observation::Observation;
use crate::probe::{Probe, SetupError};
use crate::suites::controls;
use crate::suites::helpers::{all_succeeded, entry_is, fs};
use crate::verdict::Judged;

const STAT: &[&str] = &["filesystem/stat/file"];

/// Makes things in the case's directory `d` by a script, and looks at each name.
async fn look(p: &mut Probe, script: &str, names: &[&str]) -> Result<(), SetupError> {
    p.sh("make", &format!("mkdir -p {0} && cd {0} && {script}", p.path("d"))).await?;
    for name in names {
        fs(p, name, "Stat", json!({ "path": p.path(&format!("d/{name}")) })).await?;
    }
    Ok(())
}

fn made(o: &Observation) -> Judged {
    all_succeeded(o, &["make"])
}

pub(in crate::suites) const CASES: &[Case] = &[
    case(
        "filesystem/stat/directory",
        "contract 5",
        &["5.entry-type", "5.entry-permissions", "0.filesystem.entry-fields"],
    )
    .requires("a directory is FILE_TYPE_DIRECTORY with a d in its permissions")
    .why("a browser opens it instead of showing it")
    .needs(STAT)
    .act(act!(|p| look(p, "mkdir -m 750 a", &["a"]).await))
    .judge(|o| {
        made(o)?;
        entry_is(o, "a", "type", "FILE_TYPE_DIRECTORY")?;
        entry_is(o, "a", "permissions", "drwxr-x---")?;
        entry_is(o, "a", "mode", 0o750)
    }),
    case("filesystem/stat/root", "contract 5", &["5.entry-name", "5.as-root"])
        .requires("/ is a directory without a name")
        .why("it is where every browser begins")
        .needs(STAT)
        .act(act!(|p| fs(p, "stat", "Stat", json!({ "path": "/" })).await.map(drop)))
        .judge(|o| {
            entry_is(o, "stat", "name", Value::Null)?;
            entry_is(o, "stat", "path", "/")?;
            entry_is(o, "stat", "type", "FILE_TYPE_DIRECTORY")
        }),
    case("filesystem/stat/empty-file", "contract 5 and 1", &["1.json-defaults", "5.entry-size"])
        .requires("the size of an empty file is left out in JSON")
        .why("absent means 0, and a client that demands the field fails")
        .needs(STAT)
        .act(act!(|p| look(p, ": > f", &["f"]).await))
        .judge(|o| {
            made(o)?;
            entry_is(o, "f", "type", "FILE_TYPE_FILE")?;
            entry_is(o, "f", "size", Value::Null)
        }),
    case("filesystem/stat/special", "contract 5", &["5.entry-type", "5.entry-permissions"])
        .requires("a fifo and a device have no type, and p and c in their permissions")
        .why("a host that opened them would hang")
        .needs(STAT)
        .act(act!(|p| {
            look(p, "mkfifo -m 600 fifo", &["fifo"]).await?;
            fs(p, "device", "Stat", json!({ "path": "/dev/null" })).await.map(drop)
        }))
        .judge(|o| {
            made(o)?;
            entry_is(o, "fifo", "type", Value::Null)?;
            entry_is(o, "fifo", "permissions", "prw-------")?;
            entry_is(o, "device", "type", Value::Null)?;
            entry_is(o, "device", "permissions", "crw-rw-rw-")
        }),
    case("filesystem/stat/mode-bits", "contract 5", &["5.entry-mode", "5.entry-permissions"])
        .requires("mode has the setuid, setgid and sticky bits; permissions do not show them")
        .why("a copy that loses setuid is another program")
        .needs(STAT)
        .act(act!(|p| look(p, ": > f && chmod 4755 f && mkdir a && chmod 3777 a", &["f", "a"]).await))
        .judge(|o| {
            made(o)?;
            entry_is(o, "f", "mode", 0o4755)?;
            entry_is(o, "f", "permissions", "-rwxr-xr-x")?;
            entry_is(o, "a", "mode", 0o3777)?;
            entry_is(o, "a", "permissions", "drwxrwxrwx")
        }),
    case(
        "filesystem/stat/no-permissions",
        "contract 5",
        &["5.entry-permissions", "5.as-root", "1.json-defaults"],
    )
    .requires("a file of mode 0 is ---------- and its mode is left out; it is looked at as root")
    .why("the host sees what its user may not")
    .needs(STAT)
    .act(act!(|p| look(p, ": > f && chmod 0 f", &["f"]).await))
    .judge(|o| {
        made(o)?;
        entry_is(o, "f", "mode", Value::Null)?;
        entry_is(o, "f", "permissions", "----------")
    }),
    case("filesystem/stat/owner-unnamed", "contract 5", &["5.entry-owner"])
        .requires("an owner without a name is told as its number")
        .why("archives come with ids of other machines")
        .needs(STAT)
        .tags(&["owners"])
        .act(act!(|p| look(p, ": > f && chown 4321:4322 f", &["f"]).await))
        .judge(|o| {
            made(o)?;
            entry_is(o, "f", "owner", "4321")?;
            entry_is(o, "f", "group", "4322")
        }),
    case("filesystem/stat/owner-named", "contract 5", &["5.entry-owner"])
        .requires("owner and group are told by name, each its own, and of a link the link's")
        .why("a listing shows them")
        .needs(STAT)
        .tags(&["owners"])
        .act(act!(|p| look(p, ": > f && chown user:root f && ln -s f l", &["f", "l"]).await))
        .judge(|o| {
            made(o)?;
            entry_is(o, "f", "owner", "user")?;
            entry_is(o, "f", "group", "root")?;
            entry_is(o, "l", "owner", "root")
        }),
    case("filesystem/stat/link-chain", "contract 5", &["5.entry-link", "5.entry-type"])
        .requires("symlink_target is the canonical end of a chain of links")
        .why("a click has to lead to the thing itself")
        .needs(STAT)
        .act(act!(|p| look(p, "mkdir a && : > a/f && ln -s a/../a/f one && ln -s one two", &["two"]).await))
        .judge(|o| {
            made(o)?;
            entry_is(o, "two", "symlinkTarget", format!("{}/d/a/f", o.dir))?;
            entry_is(o, "two", "type", "FILE_TYPE_FILE")?;
            entry_is(o, "two", "size", "3")
        }),
    case("filesystem/stat/link-broken", "contract 5", &["5.entry-link", "5.entry-mode", "5.entry-type"])
        .requires("a dangling link and a loop have no type, mode 0, and their own path as target")
        .why("the one thing that can be said of them is where they are")
        .needs(STAT)
        .act(act!(|p| look(p, "ln -s gone dangling && ln -s loop loop", &["dangling", "loop"]).await))
        .judge(|o| {
            made(o)?;
            for name in ["dangling", "loop"] {
                entry_is(o, name, "type", Value::Null)?;
                entry_is(o, name, "mode", Value::Null)?;
                entry_is(o, name, "permissions", "Lrwxrwxrwx")?;
                entry_is(o, name, "symlinkTarget", format!("{}/d/{name}", o.dir))?;
            }
            Ok(())
        }),
    case("filesystem/stat/link-time", "contract 5", &["5.entry-time", "5.entry-mode", "5.entry-size"])
        .requires("of a link, time and size are its own and the mode is its target's")
        .why("sync tools compare the link, not what is behind it")
        .needs(STAT)
        .act(act!(|p| {
            let make = "echo long > f && chmod 604 f && touch -d '2001-02-03 04:05:06 UTC' f && \
                ln -s f l && touch -h -d '2011-12-13 14:15:16 UTC' l";
            look(p, make, &["l"]).await
        }))
        .judge(|o| {
            made(o)?;
            entry_is(o, "l", "modifiedTime", "2011-12-13T14:15:16Z")?;
            entry_is(o, "l", "size", "1")?;
            entry_is(o, "l", "mode", 0o604)
        }),
    case("filesystem/stat/times", "contract 10", &["10.json-timestamp", "5.entry-time"])
        .requires("times are RFC 3339 in UTC with 0, 3, 6 or 9 digits, before 1970 too")
        .why("a client of protobuf's JSON cannot read another form")
        .needs(STAT)
        .act(act!(|p| {
            let make = "touch -d '2001-02-03 04:05:06 UTC' whole && touch -d '2001-02-03 \
                04:05:06.123456 UTC' micro && \
                        touch -d '2001-02-03 04:05:06.000000001 UTC' nano && \
                        touch -d '1965-01-01 00:00:00.5 UTC' old";
            look(p, make, &["whole", "micro", "nano", "old"]).await
        }))
        .judge(|o| {
            made(o)?;
            entry_is(o, "whole", "modifiedTime", "2001-02-03T04:05:06Z")?;
            entry_is(o, "micro", "modifiedTime", "2001-02-03T04:05:06.123456Z")?;
            entry_is(o, "nano", "modifiedTime", "2001-02-03T04:05:06.000000001Z")?;
            entry_is(o, "old", "modifiedTime", "1965-01-01T00:00:00.500Z")
        }),
    case("filesystem/stat/large", "contract 5 and 1", &["1.json-int64", "5.entry-size"])
        .requires("a size over 2^53 is exact, as a text")
        .why("a JSON number loses its last digits there")
        .needs(STAT)
        .act(act!(|p| look(p, "truncate -s 9007199254740993 f || truncate -s 8589934593 f", &["f"]).await))
        .judge(|o| {
            made(o)?;
            let stat = o.at("f")?;
            let size = stat.ok()?["entry"]["size"].clone();
            let exact = size == "9007199254740993" || size == "8589934593";
            stat.holds(
                exact,
                "\"9007199254740993\", or \"8589934593\" where the disk has no larger files",
                size,
            )
        }),
    case("filesystem/stat/odd-names", "contract 5", &["5.entry-name"])
        .requires("names with newline, quote, backslash, blanks and UTF-8 come back as they are")
        .why("such names are in every archive")
        .needs(STAT)
        .act(act!(|p| {
            for name in ODD {
                p.upload("upload", &p.path(name), b"").await?;
                fs(p, name, "Stat", json!({ "path": p.path(name) })).await?;
            }
            Ok(())
        }))
        .judge(|o| {
            ODD.iter().try_for_each(|name| {
                entry_is(o, name, "name", *name)?;
                entry_is(o, name, "path", format!("{}/{name}", o.dir))
            })
        }),
    case("filesystem/stat/below-file", "contract 5", &["5.stat-other"])
        .requires(
            "a path below a file is internal \"error getting file info: Not a directory (os \
            error 20)\"",
        )
        .why("the mistake is in the path's middle")
        .needs(STAT)
        .act(act!(|p| look(p, ": > f", &["f", "f/below"]).await))
        .judge(|o| {
            entry_is(o, "f", "name", "f")?;
            o.at("f/below")?.error(
                500,
                "internal",
                "error getting file info: Not a directory (os \
                error 20)",
            )
        }),
    case("filesystem/stat/nul", "contract 5", &["5.stat-other"])
        .requires(
            "a NUL in a path is internal \"error getting file info\", and no shorter path \
            is looked at",
        )
        .why("a name that ends early is another file")
        .tags(&["security"])
        .positive_control(controls::ok)
        .act(act!(|p| {
            controls::stat(p).await?;
            fs(p, "stat", "Stat", json!({ "path": "/etc\0/passwd" })).await.map(drop)
        }))
        .judge(|o| o.at("stat")?.error(500, "internal", "error getting file info: ")),
    case(
        "filesystem/stat/missing-text",
        "contract 5",
        &["5.stat-missing", "1.error-mapping", "1.error-no-details"],
    )
    .requires(
        "the error of a missing file is exactly its code and \"file not found: No such \
            file or directory (os error 2)\"",
    )
    .why("hosts match the text")
    .positive_control(controls::ok)
    .act(act!(|p| {
        controls::stat(p).await?;
        fs(p, "stat", "Stat", json!({ "path": "/envd-conformance-no-such" })).await.map(drop)
    }))
    .judge(|o| {
        let seen = o.at("stat")?;
        seen.status(404)?;
        let message = "file not found: No such file or directory (os error 2)";
        seen.same("body", seen.json()?, json!({ "code": "not_found", "message": message }))
    }),
    case("filesystem/stat/tilde", "contract 5 and 3.8", &["5.tilde-error", "3.8.path-tilde"])
        .requires("~ is the default user's home, ~name is invalid_argument")
        .why("the same path must mean the same in every call")
        .needs(STAT)
        .act(act!(|p| {
            p.sh("home", "cd && pwd -P").await?;
            fs(p, "home dir", "Stat", json!({ "path": "~" })).await?;
            fs(p, "named", "Stat", json!({ "path": "~root" })).await.map(drop)
        }))
        .judge(|o| {
            entry_is(o, "home dir", "path", o.at("home")?.succeeded()?.text().trim())?;
            o.at("named")?.error(400, "invalid_argument", "cannot expand user-specific home dir")
        }),
    case(
        "filesystem/calls/user-unknown",
        "contract 5 and 3.4",
        &["5.user-unknown", "3.4.user-unchecked", "4.1.user-unknown"],
    )
    .requires(
        "an unknown default user is taken by /init and makes later calls fail: 401 \
            unauthenticated here, internal in Start",
    )
    .why("files of nobody would be made as root")
    .needs(STAT)
    .isolation(Isolation::Fresh)
    .act(act!(|p| {
        p.init("init", json!({ "defaultUser": "nobody-here" })).await?;
        fs(p, "stat", "Stat", json!({ "path": "/" })).await?;
        p.sh("run", "true").await
    }))
    .judge(|o| {
        o.at("init")?.status(204)?;
        o.at("stat")?.error(401, "unauthenticated", "invalid user: user 'nobody-here' not found")?;
        o.at("run")?.stream_error("internal", "user 'nobody-here' not found")
    }),
];

const ODD: [&str; 6] = ["a\nb", "a\"b", "a\\b", " a ", "日本é", "..."];
