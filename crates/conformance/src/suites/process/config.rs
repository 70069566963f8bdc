//! What Start runs, and where: program, arguments, working directory, user (contract 4.1).

use serde_json::json;

use super::start::EVENTS;
use crate::case::Case;
use crate::feature::Feature;
use crate::observation::Observation;
use crate::probe::{Ask, Probe, Trouble, pid, shell};
use crate::suites::helpers::{printed, printed_with_dir};
use crate::suites::twins;
use crate::verdict::Judged;

const CWD: &[&str] = &["process/start/cwd"];

/// Runs `pwd` in a working directory.
async fn pwd_in(p: &mut Probe, label: &str, cwd: &str) -> Result<(), Trouble> {
    let mut process = shell("pwd -P");
    process["cwd"] = cwd.into();
    p.run(label, json!({ "process": process, "stdin": false })).await
}

/// Runs a program with arguments and without stdin.
async fn program(p: &mut Probe, cmd: &str, args: &[&str]) -> Result<(), Trouble> {
    p.run("run", json!({ "process": { "cmd": cmd, "args": args }, "stdin": false })).await
}

fn failed_to_start(o: &Observation, words: &str) -> Judged {
    o.at("run")?.stream_error("internal", words)
}

pub(in crate::suites) const CASES: &[Case] = &[
    Case {
        id: "process/start/cmd-is-no-line",
        source: "contract 0.1 and 10",
        reqs: &["0.1.exec-as-program", "10.exec-plain"],
        features: &[Feature::DirectExec],
        requirement: "a cmd without arguments is the name of a program, and no shell reads it",
        why: "a line that a shell reads can be made to do more than it says",
        needs: EVENTS,
        act: |p| Box::pin(program(p, "echo one; echo two", &[])),
        judge: |o| {
            let seen = o.at("run")?;
            let run = seen.run()?;
            seen.same("exit code", run.exit_code(), Some(127))?;
            seen.bytes("stdout", &run.stdout, b"")
        },
        ..Case::BASE
    },
    Case {
        id: "process/start/cmd-tilde",
        source: "contract 10",
        reqs: &["10.exec-plain"],
        features: &[Feature::DirectExec],
        requirement: "a tilde in cmd is not expanded",
        why: "another program would run than the one that is named",
        needs: EVENTS,
        act: |p| Box::pin(program(p, "~/../bin/sh", &["-c", "echo expanded"])),
        judge: |o| {
            let seen = o.at("run")?;
            seen.same("exit code", seen.run()?.exit_code(), Some(127))
        },
        ..Case::BASE
    },
    Case {
        id: "process/start/path-lookup",
        source: "contract 4.1",
        reqs: &["10.path-fixed"],
        requirement: "a program without a slash is found by PATH",
        why: "callers say `python`, not where it is",
        needs: EVENTS,
        act: |p| Box::pin(program(p, "sh", &["-c", "echo found"])),
        judge: |o| printed(o, "run", "found\n"),
        ..Case::BASE
    },
    Case {
        id: "process/start/cmd-empty",
        source: "contract 4.1",
        reqs: &["4.1.cmd-empty"],
        requirement: "an empty cmd ends by itself, and not with success",
        why: "a stream that neither ends nor fails holds its caller",
        needs: EVENTS,
        act: |p| Box::pin(program(p, "", &[])),
        judge: |o| {
            let seen = o.at("run")?;
            let frames = seen.frames()?;
            let run = crate::stream::Run::of(&seen.exchange.body);
            let refused = frames.len() == 1 || run.exit_code().is_some_and(|code| code != 0);
            seen.holds(refused, "an error, or an exit code other than 0", run.end)
        },
        generations: &[1, 2],
        ..Case::BASE
    },
    Case {
        id: "process/start/argument-bytes",
        source: "contract 4.1",
        reqs: &["0.process.config-fields"],
        requirement: "newlines, quotes, blanks at the end and UTF-8 in arguments arrive as they are",
        why: "scripts are passed as one argument of many lines",
        needs: EVENTS,
        act: |p| {
            Box::pin(program(
                p,
                "/bin/sh",
                &["-c", "printf '%s|' \"$@\"", "0", "a\nb", "\"'`$", "end ", "é☃"],
            ))
        },
        judge: |o| printed(o, "run", "a\nb|\"'`$|end |é☃|"),
        ..Case::BASE
    },
    Case {
        id: "process/start/many-arguments",
        source: "contract 4.1",
        reqs: &["0.process.config-fields"],
        requirement: "five thousand arguments arrive, in order",
        why: "compilers are called with every file of a project",
        needs: EVENTS,
        act: |p| {
            Box::pin(async move {
                let numbers = (1..=5000).map(|n| n.to_string());
                let script = "echo $# $1 ${2500} ${5000}".to_owned();
                let args: Vec<_> =
                    ["-c".to_owned(), script, "0".to_owned()].into_iter().chain(numbers).collect();
                p.run("run", json!({ "process": { "cmd": "/bin/sh", "args": args }, "stdin": false })).await
            })
        },
        judge: |o| printed(o, "run", "5000 1 2500 5000\n"),
        ..Case::BASE
    },
    Case {
        id: "process/start/argument-nul",
        source: "contract 4.1",
        reqs: &["4.1.spawn-error"],
        requirement: "a NUL in an argument is an error that says so, and nothing runs",
        why: "an argument that ends early is another argument",
        needs: EVENTS,
        twin: Some(twins::ran),
        act: |p| {
            Box::pin(async move {
                twins::run(p).await?;
                program(p, "/bin/sh", &["-c", "echo ran", "a\0b"]).await
            })
        },
        judge: |o| {
            let seen = o.at("run")?;
            seen.same("envelopes", seen.frames()?.len(), 1)?;
            seen.says("nul byte found")
        },
        ..Case::BASE
    },
    Case {
        id: "process/start/argument-too-long",
        source: "contract 4.1",
        reqs: &["4.1.arg-too-long"],
        requirement: "an argument of 200 kB is internal \"Argument list too long (os error 7)\"",
        why: "the caller has to learn that it must send a file instead",
        needs: EVENTS,
        twin: Some(twins::ran),
        act: |p| {
            Box::pin(async move {
                twins::run(p).await?;
                program(p, "/bin/true", &[&"x".repeat(200_000)]).await
            })
        },
        judge: |o| failed_to_start(o, "Argument list too long (os error 7)"),
        ..Case::BASE
    },
    Case {
        id: "process/start/cwd-default",
        source: "contract 4.1",
        reqs: &["4.1.cwd-default", "3.8.home-passwd"],
        requirement: "without cwd and default workdir a command starts in its user's home",
        why: "relative paths of commands would point elsewhere",
        needs: CWD,
        act: |p| {
            Box::pin(
                async move { p.sh("run", "test \"$(pwd -P)\" = \"$(cd && pwd -P)\" && echo home").await },
            )
        },
        judge: |o| printed(o, "run", "home\n"),
        ..Case::BASE
    },
    Case {
        id: "process/start/cwd-tilde",
        source: "contract 4.1 and 3.8",
        reqs: &["4.1.cwd-resolved", "3.8.path-tilde"],
        requirement: "~ and ~/ in cwd are the home",
        why: "it is how people name it",
        needs: CWD,
        act: |p| {
            Box::pin(async move {
                p.sh("home", "cd && pwd -P").await?;
                pwd_in(p, "tilde", "~").await?;
                pwd_in(p, "slash", "~/").await?;
                pwd_in(p, "up", "~/..").await?;
                p.sh("above", "cd && cd .. && pwd -P").await
            })
        },
        judge: |o| {
            let home = o.at("home")?.succeeded()?.text();
            printed(o, "tilde", &home)?;
            printed(o, "slash", &home)?;
            printed(o, "up", &o.at("above")?.succeeded()?.text())
        },
        ..Case::BASE
    },
    Case {
        id: "process/start/cwd-tilde-name",
        source: "contract 4.1",
        reqs: &["4.1.cwd-tilde", "3.8.path-tilde-name"],
        requirement: "~name in cwd is invalid_argument \"cannot expand user-specific home dir\"",
        why: "another user's home must not be guessed",
        needs: CWD,
        twin: Some(twins::ran),
        act: |p| {
            Box::pin(async move {
                twins::run(p).await?;
                pwd_in(p, "run", "~root").await
            })
        },
        judge: |o| o.at("run")?.stream_error("invalid_argument", "cannot expand user-specific home dir"),
        ..Case::BASE
    },
    Case {
        id: "process/start/cwd-relative",
        source: "contract 4.1 and 3.8",
        reqs: &["4.1.cwd-resolved", "3.8.path-relative"],
        requirement: "a relative cwd starts at the home",
        why: "a project is named by its directory in the home",
        needs: CWD,
        act: |p| {
            Box::pin(async move {
                p.sh("make", &format!("mkdir -p {}", p.path("d"))).await?;
                let up = "../".repeat(9);
                pwd_in(p, "run", &format!("{up}{}", p.path("d").trim_start_matches('/'))).await?;
                p.sh("home", "cd && pwd -P").await?;
                pwd_in(p, "here", ".").await
            })
        },
        judge: |o| {
            printed_with_dir(o, "run", "{dir}/d\n")?;
            let (home, here) = (o.at("home")?.succeeded()?.text(), o.at("here")?);
            here.same("output", here.succeeded()?.text(), home)
        },
        ..Case::BASE
    },
    Case {
        id: "process/start/cwd-dots-and-links",
        source: "contract 4.1 and 3.8",
        reqs: &["4.1.cwd-resolved", "3.8.path-absolute"],
        requirement: "a cwd with .. or through a link is where the kernel says",
        why: "checked-out trees are full of links",
        needs: CWD,
        act: |p| {
            Box::pin(async move {
                let dir = p.path("a");
                p.sh("make", &format!("mkdir -p {dir}/b && ln -s a/b {}", p.path("l"))).await?;
                pwd_in(p, "dots", &format!("{}/..", p.path("l"))).await?;
                pwd_in(p, "link", &p.path("l")).await
            })
        },
        judge: |o| {
            printed_with_dir(o, "dots", "{dir}/a\n")?;
            printed_with_dir(o, "link", "{dir}/a/b\n")
        },
        ..Case::BASE
    },
    Case {
        id: "process/start/cwd-file",
        source: "contract 4.1",
        reqs: &["4.1.cwd-file"],
        requirement: "a file as cwd is internal \"error starting process: Not a directory (os error 20)\"",
        why: "a command that starts elsewhere in silence works on the wrong files",
        needs: CWD,
        twin: Some(twins::ran),
        act: |p| {
            Box::pin(async move {
                twins::run(p).await?;
                p.upload("upload", &p.path("f"), b"").await?;
                pwd_in(p, "run", &p.path("f")).await
            })
        },
        judge: |o| failed_to_start(o, "error starting process: Not a directory (os error 20)"),
        ..Case::BASE
    },
    Case {
        id: "process/start/ids",
        source: "contract 4.1",
        reqs: &["4.1.ids"],
        requirement: "a command has the real and effective uid and gid of its user",
        why: "a command with half of its rights fails in strange places",
        needs: EVENTS,
        act: |p| Box::pin(async move { p.sh("run", "id -u; id -ru; id -g; id -rg").await }),
        judge: |o| printed(o, "run", "0\n0\n0\n0\n"),
        ..Case::BASE
    },
    Case {
        id: "process/start/user-field",
        source: "contract 0.1",
        reqs: &["0.1.no-process-user"],
        requirement: "a user in ProcessConfig is an unknown field and is ignored",
        why: "a newer host must be able to run commands in an older guest",
        needs: EVENTS,
        act: |p| {
            Box::pin(async move {
                let mut process = shell("id -un");
                process["user"] = "user".into();
                p.run("run", json!({ "process": process, "stdin": false })).await
            })
        },
        judge: |o| printed(o, "run", "root\n"),
        generations: &[1, 2],
        ..Case::BASE
    },
    Case {
        id: "process/start/niceness",
        source: "contract 4.1 and 10",
        reqs: &["4.1.niceness"],
        requirement: "a command runs at niceness 0",
        why: "at -20 it starves the agent that has to stop it",
        needs: EVENTS,
        act: |p| {
            Box::pin(async move { p.sh("run", "set -- $(cat /proc/self/stat); shift 18; echo $1").await })
        },
        judge: |o| printed(o, "run", "0\n"),
        ..Case::BASE
    },
    Case {
        id: "process/start/own-group",
        source: "contract 10",
        reqs: &["10.own-group"],
        requirement: "a command leads a process group of its own",
        why: "a signal for its group would reach others",
        needs: EVENTS,
        act: |p| {
            Box::pin(
                async move { p.sh("run", "set -- $(cat /proc/$$/stat); test $5 = $$ && echo own").await },
            )
        },
        judge: |o| printed(o, "run", "own\n"),
        ..Case::BASE
    },
    Case {
        id: "process/start/descriptors",
        source: "contract 10",
        reqs: &["10.cloexec"],
        requirement: "a command has no open descriptors but 0, 1 and 2, whatever else the guest does",
        why: "a leaked terminal or file stays open as long as the command runs",
        needs: EVENTS,
        act: |p| {
            Box::pin(async move {
                let size = json!({ "size": { "cols": 80, "rows": 24 } });
                let pty = p.start("pty", json!({ "process": shell("read line"), "pty": size })).await?;
                let ask = Ask::stream("filesystem.Filesystem/WatchDir", &[json!({ "path": "/tmp" })]);
                let mut watch = p.open(ask).await?;
                watch.until_frames(1).await;
                let look = "for n in $(seq 0 99); do test -e /proc/$$/fd/$n && printf '%s ' $n; done; true";
                p.sh("run", look).await?;
                p.keep("watch", watch);
                p.kill("pty").await?;
                p.finish("pty", pty).await;
                Ok(())
            })
        },
        judge: |o| printed(o, "run", "0 1 2 "),
        ..Case::BASE
    },
    Case {
        id: "process/start/tag-twice",
        source: "contract 4",
        reqs: &["4.tags-not-unique"],
        requirement: "two processes may have the same tag: both run and both are listed",
        why: "a host that restarts a command under its name would be refused",
        needs: &["process/list/shows"],
        act: |p| {
            Box::pin(async move {
                let first = p.start_sh("run", "read line").await?;
                let second = p.start_sh("run", "read line").await?;
                p.unary("list", "process.Process/List", json!({})).await?;
                for open in [&first, &second] {
                    let message = json!({ "process": { "pid": pid(open)? }, "signal": 9 });
                    p.unary("kill", "process.Process/SendSignal", message).await?;
                }
                p.finish("first", first).await;
                p.finish("second", second).await;
                Ok(())
            })
        },
        judge: |o| {
            let list = o.at("list")?;
            let tag = format!("{}/run", o.dir.trim_start_matches("/tmp/"));
            let json = list.ok()?;
            let all = json["processes"].as_array().into_iter().flatten();
            list.same("processes with the tag", all.filter(|info| info["tag"] == tag.as_str()).count(), 2)?;
            o.at("first")?.run()?;
            o.at("second")?.run().map(drop)
        },
        ..Case::BASE
    },
];
