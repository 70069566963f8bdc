//! MakeDir, Move and Remove: what they change, and what they refuse (contract 5 and 10).

use serde_json::json;

use crate::case::{Case, Isolation, act, case};
use crate::observation::Observation;
use crate::probe::{Ask, Probe, SetupError};
use crate::suites::controls;
use crate::suites::helpers::{all_succeeded, entry_is, fs, printed};
use crate::verdict::Judged;

const MAKE: &[&str] = &["filesystem/make-dir/parents"];
const MOVE: &[&str] = &["filesystem/move/file"];
const REMOVE: &[&str] = &["filesystem/remove/tree"];

/// Makes things in the case's directory `d`.
async fn make(p: &mut Probe, script: &str) -> Result<(), SetupError> {
    p.sh("make", &format!("mkdir -p {0} && cd {0} && {script}", p.path("d"))).await
}

async fn moves(p: &mut Probe, label: &str, from: &str, to: &str) -> Result<(), SetupError> {
    let message =
        json!({ "source": p.path(&format!("d/{from}")), "destination": p.path(&format!("d/{to}")) });
    fs(p, label, "Move", message).await.map(drop)
}

async fn on(p: &mut Probe, label: &str, call: &str, name: &str) -> Result<(), SetupError> {
    fs(p, label, call, json!({ "path": p.path(&format!("d/{name}")) })).await.map(drop)
}

/// Looks at the case's directory with a script.
async fn look(p: &mut Probe, script: &str) -> Result<(), SetupError> {
    p.sh("look", &format!("cd {} && {script}", p.path("d"))).await
}

fn internal(o: &Observation, label: &str, words: &str) -> Judged {
    o.at(label)?.error(500, "internal", words)
}

pub(in crate::suites) const CASES: &[Case] = &[
    case("filesystem/make-dir/owner", "contract 5", &["5.makedir-parents"])
        .requires(
            "every directory that is made belongs to the default user, those that were \
            there keep their owner",
        )
        .why("the user could not write into a directory that was made for it")
        .needs(MAKE)
        .isolation(Isolation::Fresh)
        .act(act!(|p| {
            fs(p, "base", "MakeDir", json!({ "path": p.path("d") })).await?;
            p.init("init", json!({ "defaultUser": "user" })).await?;
            on(p, "new", "MakeDir", "a/b").await?;
            on(p, "between", "Stat", "a").await?;
            fs(p, "old", "Stat", json!({ "path": p.path("d") })).await.map(drop)
        }))
        .judge(|o| {
            entry_is(o, "new", "owner", "user")?;
            entry_is(o, "between", "owner", "user")?;
            entry_is(o, "between", "group", "user")?;
            entry_is(o, "old", "owner", "root")
        }),
    case("filesystem/make-dir/over-link", "contract 5", &["5.makedir-exists", "5.makedir-dangling"])
        .requires(
            "over a link to a directory it is already_exists, over a dangling link internal \
            \"File exists\"",
        )
        .why("a link that leads nowhere is in the way")
        .needs(&["process/start/events", "filesystem/make-dir/parents"])
        .positive_control(controls::ok)
        .act(act!(|p| {
            controls::make_dir(p).await?;
            make(p, "mkdir a && ln -s a l && ln -s gone m").await?;
            on(p, "link", "MakeDir", "l").await?;
            on(p, "dangling", "MakeDir", "m").await
        }))
        .judge(|o| {
            o.at("link")?.error(
                409,
                "already_exists",
                &format!("directory already exists: {}/d/l", o.dir),
            )?;
            internal(
                o,
                "dangling",
                &format!("failed to create directory {}/d/m: File exists (os error 17)", o.dir),
            )
        }),
    case("filesystem/make-dir/below-file", "contract 5", &["5.makedir-under-file", "5.makedir-file"])
        .requires(
            "below a file it is internal \"error getting file info: Not a directory\", over \
            a link to a file invalid_argument",
        )
        .why("two mistakes that the caller repairs in different places")
        .needs(&["process/start/events", "filesystem/make-dir/parents"])
        .positive_control(controls::ok)
        .act(act!(|p| {
            controls::make_dir(p).await?;
            make(p, ": > f && ln -s f l").await?;
            on(p, "below", "MakeDir", "f/a").await?;
            on(p, "link", "MakeDir", "l").await
        }))
        .judge(|o| {
            internal(o, "below", "error getting file info: Not a directory (os error 20)")?;
            o.at("link")?.error(400, "invalid_argument", "path exists but is not a directory: ")
        }),
    case("filesystem/make-dir/deep", "contract 5", &["5.makedir-parents"])
        .requires("a hundred levels are made in one call")
        .why("dependency trees are deep")
        .needs(&["process/start/events", "filesystem/make-dir/parents"])
        .act(act!(|p| {
            let deep = "x/".repeat(100);
            on(p, "deep", "MakeDir", deep.trim_end_matches('/')).await?;
            p.sh("look", &format!("find {} -type d | wc -l", p.path("d"))).await
        }))
        .judge(|o| {
            entry_is(o, "deep", "name", "x")?;
            printed(o, "look", "101\n")
        }),
    case(
        "filesystem/make-dir/at-once",
        "contract 5",
        &["5.makedir-parents", "5.makedir-exists", "8.makedir-not-idempotent"],
    )
    .requires("of ten MakeDir for one path at once, one makes it and the others say already_exists")
    .why("a directory serves as a lock")
    .needs(MAKE)
    .act(act!(|p| {
        on(p, "parent", "MakeDir", "p").await?;
        let message = json!({ "path": p.path("d/p/lock") });
        let asks = (0..10).map(|_| Ask::unary("filesystem.Filesystem/MakeDir", &message));
        let opened = futures::future::join_all(asks.map(|ask| p.open(ask))).await;
        for opened in opened {
            p.finish("make", opened?).await;
        }
        Ok(())
    }))
    .judge(|o| {
        let first = o.at("make")?;
        first.whole()?;
        let all = o.steps.iter().filter(|step| step.label == "make").map(|step| step.exchange.status);
        let (made, refused) = all.fold((0, 0), |(made, refused), status| match status {
            Some(200) => (made + 1, refused),
            Some(409) => (made, refused + 1),
            _ => (made, refused),
        });
        first.same("made and refused", (made, refused), (1, 9))
    }),
    case("filesystem/move/parents-of-nothing", "contract 5", &["5.move-parents", "5.move-missing"])
        .requires("the parents of the destination are made even when the source is missing")
        .why("real builds leave them behind, and hosts have seen it")
        .needs(MOVE)
        .act(act!(|p| {
            make(p, "true").await?;
            moves(p, "move", "gone", "a/b/c").await?;
            look(p, "find . -mindepth 1 | sort").await
        }))
        .judge(|o| {
            o.at("move")?.error(404, "not_found", "source not found: ")?;
            printed(o, "look", "./a\n./a/b\n")
        }),
    case(
        "filesystem/move/directory",
        "contract 5",
        &["5.move-over", "5.move-entry", "0.filesystem.move-fields"],
    )
    .requires("a directory moves with all below it, over an empty directory too")
    .why("a build is put into place by one rename")
    .needs(MOVE)
    .act(act!(|p| {
        make(p, "mkdir -p a/b empty && echo x > a/b/f").await?;
        moves(p, "move", "a", "empty").await?;
        look(p, "find . -mindepth 1 | sort").await
    }))
    .judge(|o| {
        entry_is(o, "move", "type", "FILE_TYPE_DIRECTORY")?;
        entry_is(o, "move", "path", format!("{}/d/empty", o.dir))?;
        printed(o, "look", "./empty\n./empty/b\n./empty/b/f\n")
    }),
    case("filesystem/move/refused", "contract 5", &["5.move-fails"])
        .requires(
            "over a full directory, of a file over a directory, and into itself it is \
            internal \"error renaming\", and nothing changes",
        )
        .why("a move that half works loses files")
        .needs(MOVE)
        .act(act!(|p| {
            make(p, "mkdir -p full a && : > full/f && : > f").await?;
            moves(p, "full", "a", "full").await?;
            moves(p, "mismatch", "f", "a").await?;
            moves(p, "itself", "a", "a/b").await?;
            look(p, "find . -mindepth 1 | sort").await
        }))
        .judge(|o| {
            internal(o, "full", "error renaming: ")?;
            internal(o, "mismatch", "error renaming: ")?;
            internal(o, "itself", "error renaming: ")?;
            printed(o, "look", "./a\n./f\n./full\n./full/f\n")
        }),
    case("filesystem/move/link", "contract 5", &["5.move-link"])
        .requires("a symlink is moved as a link, and one that is the destination is replaced, not followed")
        .why("the file behind the link belongs to somebody else")
        .needs(MOVE)
        .act(act!(|p| {
            make(p, "echo kept > t && ln -s t from && ln -s t to && echo new > f").await?;
            moves(p, "link", "from", "there").await?;
            moves(p, "over", "f", "to").await?;
            look(p, "readlink there; cat t; test -L to || cat to").await
        }))
        .judge(|o| {
            entry_is(o, "link", "permissions", "Lrwxrwxrwx")?;
            entry_is(o, "over", "permissions", "-rw-r--r--")?;
            printed(o, "look", "t\nkept\nnew\n")
        }),
    case("filesystem/move/onto-itself", "contract 5", &["5.move-over"])
        .requires("a file moved onto itself stays")
        .why("a rename dialogue that is confirmed unchanged must not delete")
        .needs(MOVE)
        .act(act!(|p| {
            make(p, "echo kept > f").await?;
            moves(p, "move", "f", "f").await?;
            look(p, "cat f").await
        }))
        .judge(|o| {
            entry_is(o, "move", "name", "f")?;
            printed(o, "look", "kept\n")
        }),
    case("filesystem/move/keeps-all", "contract 5", &["5.move-entry"])
        .requires("mode, owner and time move with the file")
        .why("a move is no copy")
        .needs(MOVE)
        .tags(&["owners"])
        .act(act!(|p| {
            make(p, "echo x > f && chmod 640 f && chown user:user f && touch -d '2001-02-03 04:05:06 UTC' f")
                .await?;
            moves(p, "move", "f", "g").await?;
            on(p, "stat", "Stat", "g").await
        }))
        .judge(|o| {
            all_succeeded(o, &["make"])?;
            ["move", "stat"].iter().try_for_each(|label| {
                entry_is(o, label, "mode", 0o640)?;
                entry_is(o, label, "owner", "user")?;
                entry_is(o, label, "modifiedTime", "2001-02-03T04:05:06Z")
            })
        }),
    case("filesystem/move/again", "contract 8", &["8.makedir-not-idempotent"])
        .requires("a move, a removal and a MakeDir that are repeated are errors")
        .why("the caller learns that it was done before")
        .needs(MOVE)
        .act(act!(|p| {
            make(p, ": > f && mkdir a").await?;
            for label in ["move", "move again"] {
                moves(p, label, "f", "g").await?;
            }
            for label in ["remove", "remove again"] {
                on(p, label, "Remove", "a").await?;
            }
            for label in ["dir", "dir again"] {
                on(p, label, "MakeDir", "b").await?;
            }
            Ok(())
        }))
        .judge(|o| {
            for label in ["move", "remove", "dir"] {
                o.at(label)?.ok()?;
            }
            o.at("move again")?.error(404, "not_found", "")?;
            o.at("remove again")?.error(404, "not_found", "")?;
            o.at("dir again")?.error(409, "already_exists", "")
        }),
    case("filesystem/remove/deep", "contract 5", &["5.remove-recursive"])
        .requires("a tree of 200 levels and 100 files is removed in one call")
        .why("dependency trees are deep, and a recursion that is too deep kills the daemon")
        .needs(REMOVE)
        .act(act!(|p| {
            let script = "mkdir -p $(printf 'x/%.0s' $(seq 200)) && seq 1 100 | xargs touch && \
                find x -type d | tail -1";
            make(p, script).await?;
            fs(p, "remove", "Remove", json!({ "path": p.path("d") })).await?;
            fs(p, "gone", "Stat", json!({ "path": p.path("d") })).await.map(drop)
        }))
        .judge(|o| {
            all_succeeded(o, &["make"])?;
            o.at("remove")?.ok()?;
            o.at("gone")?.error(404, "not_found", "")
        }),
    case("filesystem/remove/kinds", "contract 5", &["5.remove-link", "5.remove-recursive"])
        .requires("a file, a fifo, a dangling link and a read-only directory are removed")
        .why("what cannot be removed fills the disk")
        .needs(REMOVE)
        .act(act!(|p| {
            make(p, ": > file && mkfifo fifo && ln -s gone link && mkdir dir && : > dir/f && chmod 500 dir")
                .await?;
            for name in ["file", "fifo", "link", "dir"] {
                on(p, name, "Remove", name).await?;
            }
            look(p, "find . -mindepth 1").await
        }))
        .judge(|o| {
            for name in ["file", "fifo", "link", "dir"] {
                o.at(name)?.ok()?;
            }
            printed(o, "look", "")
        }),
    case("filesystem/remove/odd-names", "contract 5", &["5.remove-recursive"])
        .requires("a directory with names that are no UTF-8 is removed with all of them")
        .why("old archives hold Latin-1")
        .needs(REMOVE)
        .act(act!(|p| {
            make(
                p,
                r#": > "$(printf 'caf\351')" && mkdir "$(printf '\377\376')" && : > "$(printf \
                '\377\376/\200')""#,
            )
            .await?;
            fs(p, "remove", "Remove", json!({ "path": p.path("d") })).await?;
            fs(p, "gone", "Stat", json!({ "path": p.path("d") })).await.map(drop)
        }))
        .judge(|o| {
            all_succeeded(o, &["make"])?;
            o.at("remove")?.ok()?;
            o.at("gone")?.error(404, "not_found", "")
        }),
    case("filesystem/remove/tilde-name", "contract 5", &["5.tilde-error"])
        .requires("~name is invalid_argument for every call")
        .why("removing a guess would be the worst of all")
        .positive_control(controls::ok)
        .act(act!(|p| {
            controls::remove(p).await?;
            for call in ["Remove", "MakeDir", "ListDir", "CreateWatcher"] {
                fs(p, call, call, json!({ "path": "~user/x" })).await?;
            }
            fs(p, "Move", "Move", json!({ "source": "~user/x", "destination": "/tmp/x" })).await.map(drop)
        }))
        .judge(|o| {
            ["Remove", "MakeDir", "ListDir", "CreateWatcher", "Move"].iter().try_for_each(|call| {
                o.at(call)?.error(400, "invalid_argument", "cannot expand user-specific home dir")
            })
        }),
    case("filesystem/remove/whose-cwd", "contract 5", &["5.remove-recursive"])
        .requires("the directory in which a command runs can be removed, and the command goes on")
        .why("a sandbox is cleaned while something still runs in it")
        .needs(REMOVE)
        .act(act!(|p| {
            make(p, "mkdir a").await?;
            let script = format!("cd {}; echo up; read line; echo $line", p.path("d/a"));
            let mut open = p.start_sh("run", &script).await?;
            open.until_output("up").await;
            on(p, "remove", "Remove", "a").await?;
            p.input("input", "run", "alive\n").await?;
            p.finish("run", open).await;
            Ok(())
        }))
        .judge(|o| {
            o.at("remove")?.ok()?;
            printed(o, "run", "up\nalive\n")
        }),
];
