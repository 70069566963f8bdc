//! What Start runs, and where: program, arguments, working directory, user (contract 4.1).

use serde_json::json;

use super::start::EVENTS;
use crate::case::{Case, act, case};
use crate::feature::Feature;
use crate::observation::Observation;
use crate::probe::{Ask, Probe, SetupError, pid, shell};
use crate::suites::controls;
use crate::suites::helpers::{printed, printed_with_dir};
use crate::verdict::Judged;

const CWD: &[&str] = &["process/start/cwd"];

/// Runs `pwd` in a working directory.
async fn pwd_in(p: &mut Probe, label: &str, cwd: &str) -> Result<(), SetupError> {
    let mut process = shell("pwd -P");
    process["cwd"] = cwd.into();
    p.run(label, json!({ "process": process, "stdin": false })).await
}

/// Runs a program with arguments and without stdin.
async fn program(p: &mut Probe, cmd: &str, args: &[&str]) -> Result<(), SetupError> {
    p.run("run", json!({ "process": { "cmd": cmd, "args": args }, "stdin": false })).await
}

fn failed_to_start(o: &Observation, words: &str) -> Judged {
    o.at("run")?.stream_error("internal", words)
}

pub(in crate::suites) const CASES: &[Case] = &[
    case("process/start/cmd-is-no-line", "contract 0.1 and 10", &["0.1.exec-as-program", "10.exec-plain"])
        .requires("a cmd without arguments is the name of a program, and no shell reads it")
        .why("a line that a shell reads can be made to do more than it says")
        .features(&[Feature::DirectExec])
        .needs(EVENTS)
        .act(act!(|p| program(p, "echo one; echo two", &[]).await))
        .judge(|o| {
            let seen = o.at("run")?;
            let run = seen.run()?;
            seen.same("exit code", run.exit_code(), Some(127))?;
            seen.bytes("stdout", &run.stdout, b"")
        }),
    case("process/start/cmd-tilde", "contract 10", &["10.exec-plain"])
        .requires("a tilde in cmd is not expanded")
        .why("another program would run than the one that is named")
        .features(&[Feature::DirectExec])
        .needs(EVENTS)
        .act(act!(|p| program(p, "~/../bin/sh", &["-c", "echo expanded"]).await))
        .judge(|o| {
            let seen = o.at("run")?;
            seen.same("exit code", seen.run()?.exit_code(), Some(127))
        }),
    case("process/start/path-lookup", "contract 4.1", &["10.path-fixed"])
        .requires("a program without a slash is found by PATH")
        .why("callers say `python`, not where it is")
        .needs(EVENTS)
        .act(act!(|p| program(p, "sh", &["-c", "echo found"]).await))
        .judge(|o| printed(o, "run", "found\n")),
    case("process/start/cmd-empty", "contract 4.1", &["4.1.cmd-empty"])
        .requires("an empty cmd ends by itself, and not with success")
        .why("a stream that neither ends nor fails holds its caller")
        .generations(&[1, 2])
        .needs(EVENTS)
        .act(act!(|p| program(p, "", &[]).await))
        .judge(|o| {
            let seen = o.at("run")?;
            let frames = seen.frames()?;
            let run = crate::stream::Run::of(&seen.exchange.body);
            let refused = frames.len() == 1 || run.exit_code().is_some_and(|code| code != 0);
            seen.holds(refused, "an error, or an exit code other than 0", run.end)
        }),
    case("process/start/argument-bytes", "contract 4.1", &["0.process.config-fields"])
        .requires("newlines, quotes, blanks at the end and UTF-8 in arguments arrive as they are")
        .why("scripts are passed as one argument of many lines")
        .needs(EVENTS)
        .act(act!(|p| program(
            p,
            "/bin/sh",
            &["-c", "printf '%s|' \"$@\"", "0", "a\nb", "\"'`$", "end ", "é☃"],
        )
        .await))
        .judge(|o| printed(o, "run", "a\nb|\"'`$|end |é☃|")),
    case("process/start/many-arguments", "contract 4.1", &["0.process.config-fields"])
        .requires("five thousand arguments arrive, in order")
        .why("compilers are called with every file of a project")
        .needs(EVENTS)
        .act(act!(|p| {
            let numbers = (1..=5000).map(|n| n.to_string());
            let script = "echo $# $1 ${2500} ${5000}".to_owned();
            let args: Vec<_> = ["-c".to_owned(), script, "0".to_owned()].into_iter().chain(numbers).collect();
            p.run("run", json!({ "process": { "cmd": "/bin/sh", "args": args }, "stdin": false })).await
        }))
        .judge(|o| printed(o, "run", "5000 1 2500 5000\n")),
    case("process/start/argument-nul", "contract 4.1", &["4.1.spawn-error"])
        .requires("a NUL in an argument is an error that says so, and nothing runs")
        .why("an argument that ends early is another argument")
        .needs(EVENTS)
        .positive_control(controls::ran)
        .act(act!(|p| {
            controls::run(p).await?;
            program(p, "/bin/sh", &["-c", "echo ran", "a\0b"]).await
        }))
        .judge(|o| {
            let seen = o.at("run")?;
            seen.same("envelopes", seen.frames()?.len(), 1)?;
            seen.says("nul byte found")
        }),
    case("process/start/argument-too-long", "contract 4.1", &["4.1.arg-too-long"])
        .requires("an argument of 200 kB is internal \"Argument list too long (os error 7)\"")
        .why("the caller has to learn that it must send a file instead")
        .needs(EVENTS)
        .positive_control(controls::ran)
        .act(act!(|p| {
            controls::run(p).await?;
            program(p, "/bin/true", &[&"x".repeat(200_000)]).await
        }))
        .judge(|o| failed_to_start(o, "Argument list too long (os error 7)")),
    case("process/start/cwd-default", "contract 4.1", &["4.1.cwd-default", "3.8.home-passwd"])
        .requires("without cwd and default workdir a command starts in its user's home")
        .why("relative paths of commands would point elsewhere")
        .needs(CWD)
        .act(act!(|p| p.sh("run", "test \"$(pwd -P)\" = \"$(cd && pwd -P)\" && echo home").await))
        .judge(|o| printed(o, "run", "home\n")),
    case("process/start/cwd-tilde", "contract 4.1 and 3.8", &["4.1.cwd-resolved", "3.8.path-tilde"])
        .requires("~ and ~/ in cwd are the home")
        .why("it is how people name it")
        .needs(CWD)
        .act(act!(|p| {
            p.sh("home", "cd && pwd -P").await?;
            pwd_in(p, "tilde", "~").await?;
            pwd_in(p, "slash", "~/").await?;
            pwd_in(p, "up", "~/..").await?;
            p.sh("above", "cd && cd .. && pwd -P").await
        }))
        .judge(|o| {
            let home = o.at("home")?.succeeded()?.text();
            printed(o, "tilde", &home)?;
            printed(o, "slash", &home)?;
            printed(o, "up", &o.at("above")?.succeeded()?.text())
        }),
    case("process/start/cwd-tilde-name", "contract 4.1", &["4.1.cwd-tilde", "3.8.path-tilde-name"])
        .requires("~name in cwd is invalid_argument \"cannot expand user-specific home dir\"")
        .why("another user's home must not be guessed")
        .needs(CWD)
        .positive_control(controls::ran)
        .act(act!(|p| {
            controls::run(p).await?;
            pwd_in(p, "run", "~root").await
        }))
        .judge(|o| o.at("run")?.stream_error("invalid_argument", "cannot expand user-specific home dir")),
    case("process/start/cwd-relative", "contract 4.1 and 3.8", &["4.1.cwd-resolved", "3.8.path-relative"])
        .requires("a relative cwd starts at the home")
        .why("a project is named by its directory in the home")
        .needs(CWD)
        .act(act!(|p| {
            p.sh("make", &format!("mkdir -p {}", p.path("d"))).await?;
            let up = "../".repeat(9);
            pwd_in(p, "run", &format!("{up}{}", p.path("d").trim_start_matches('/'))).await?;
            p.sh("home", "cd && pwd -P").await?;
            pwd_in(p, "here", ".").await
        }))
        .judge(|o| {
            printed_with_dir(o, "run", "{dir}/d\n")?;
            let (home, here) = (o.at("home")?.succeeded()?.text(), o.at("here")?);
            here.same("output", here.succeeded()?.text(), home)
        }),
    case(
        "process/start/cwd-dots-and-links",
        "contract 4.1 and 3.8",
        &["4.1.cwd-resolved", "3.8.path-absolute"],
    )
    .requires("a cwd with .. or through a link is where the kernel says")
    .why("checked-out trees are full of links")
    .needs(CWD)
    .act(act!(|p| {
        let dir = p.path("a");
        p.sh("make", &format!("mkdir -p {dir}/b && ln -s a/b {}", p.path("l"))).await?;
        pwd_in(p, "dots", &format!("{}/..", p.path("l"))).await?;
        pwd_in(p, "link", &p.path("l")).await
    }))
    .judge(|o| {
        printed_with_dir(o, "dots", "{dir}/a\n")?;
        printed_with_dir(o, "link", "{dir}/a/b\n")
    }),
    case("process/start/cwd-file", "contract 4.1", &["4.1.cwd-file"])
        .requires("a file as cwd is internal \"error starting process: Not a directory (os error 20)\"")
        .why("a command that starts elsewhere in silence works on the wrong files")
        .needs(CWD)
        .positive_control(controls::ran)
        .act(act!(|p| {
            controls::run(p).await?;
            p.upload("upload", &p.path("f"), b"").await?;
            pwd_in(p, "run", &p.path("f")).await
        }))
        .judge(|o| failed_to_start(o, "error starting process: Not a directory (os error 20)")),
    case("process/start/ids", "contract 4.1", &["4.1.ids"])
        .requires("a command has the real and effective uid and gid of its user")
        .why("a command with half of its rights fails in strange places")
        .needs(EVENTS)
        .act(act!(|p| p.sh("run", "id -u; id -ru; id -g; id -rg").await))
        .judge(|o| printed(o, "run", "0\n0\n0\n0\n")),
    case("process/start/user-field", "contract 0.1", &["0.1.no-process-user"])
        .requires("a user in ProcessConfig is an unknown field and is ignored")
        .why("a newer host must be able to run commands in an older guest")
        .generations(&[1, 2])
        .needs(EVENTS)
        .act(act!(|p| {
            let mut process = shell("id -un");
            process["user"] = "user".into();
            p.run("run", json!({ "process": process, "stdin": false })).await
        }))
        .judge(|o| printed(o, "run", "root\n")),
    case("process/start/niceness", "contract 4.1 and 10", &["4.1.niceness"])
        .requires("a command runs at niceness 0")
        .why("at -20 it starves the agent that has to stop it")
        .needs(EVENTS)
        .act(act!(|p| p.sh("run", "set -- $(cat /proc/self/stat); shift 18; echo $1").await))
        .judge(|o| printed(o, "run", "0\n")),
    case("process/start/own-group", "contract 10", &["10.own-group"])
        .requires("a command leads a process group of its own")
        .why("a signal for its group would reach others")
        .needs(EVENTS)
        .act(act!(|p| p.sh("run", "set -- $(cat /proc/$$/stat); test $5 = $$ && echo own").await))
        .judge(|o| printed(o, "run", "own\n")),
    case("process/start/descriptors", "contract 10", &["10.cloexec"])
        .requires("a command has no open descriptors but 0, 1 and 2, whatever else the guest does")
        .why("a leaked terminal or file stays open as long as the command runs")
        .needs(EVENTS)
        .act(act!(|p| {
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
        }))
        .judge(|o| printed(o, "run", "0 1 2 ")),
    case("process/start/tag-twice", "contract 4", &["4.tags-not-unique"])
        .requires("two processes may have the same tag: both run and both are listed")
        .why("a host that restarts a command under its name would be refused")
        .needs(&["process/list/shows"])
        .act(act!(|p| {
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
        }))
        .judge(|o| {
            let list = o.at("list")?;
            let tag = format!("{}/run", o.dir.trim_start_matches("/tmp/"));
            let json = list.ok()?;
            let all = json["processes"].as_array().into_iter().flatten();
            list.same("processes with the tag", all.filter(|info| info["tag"] == tag.as_str()).count(), 2)?;
            o.at("first")?.run()?;
            o.at("second")?.run().map(drop)
        }),
];
