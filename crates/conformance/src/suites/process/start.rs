//! Start (contract 4.1).

use serde_json::{Value, json};

use crate::case::{Case, act, case};
use crate::probe::{pid, shell};
use crate::stream::Run;
use crate::suites::controls;
use crate::suites::helpers::so_far;
use crate::verdict::Seen;

/// The case that all of a process's streams rest on.
pub(in crate::suites) const EVENTS: &[&str] = &["process/start/events"];

/// As many lines as fill several reads of a pipe, in which a lost or moved byte shows.
const LINES: u64 = 40_000;

pub(in crate::suites) const CASES: &[Case] = &[
    case("process/end/told-when-over", "contract 4.1", &["4.1.event-order"])
        .requires("when a process has left and closed its output, the end event is there")
        .why("a host that waits for the end of a command waits until its own time is over")
        .act(act!(|p| {
            let mut open = p.start_sh("run", "exit 3").await?;
            let wait = format!("while kill -0 {}; do :; done 2>&-; echo gone; read line", pid(&open)?);
            let mut look = p.start_sh("look", &wait).await?;
            look.until_output("gone").await;
            open.until(|seen| Run::of(&seen.body).end.is_some()).await;
            p.keep("run", open);
            p.keep("look", look);
            p.kill("look").await
        }))
        .judge(|o| {
            let look = o.at("look")?;
            look.holds(so_far(&look).shows("gone"), "the process is gone", so_far(&look).text())?;
            let seen = o.at("run")?;
            seen.same("order of events", so_far(&seen).order.as_str(), "se")
        }),
    case("process/start/events", "contract 4.1", &["4.1.event-order", "0.1.end-sent", "0.process.rpcs"])
        .requires("Start streams one start with a pid, then data, then one end, then END_STREAM")
        .why("a host that waits for the end event never returns without it")
        .act(act!(|p| p.sh("run", "echo hello").await))
        .judge(|o| {
            let seen = o.at("run")?;
            let run = seen.run()?;
            let mut squeezed: Vec<char> = run.order.chars().filter(|kind| *kind != 'k').collect();
            squeezed.dedup();
            seen.same("order of events", squeezed.iter().collect::<String>().as_str(), "sde")?;
            seen.holds(run.pid.is_some_and(|pid| pid > 0), "a pid above 0", run.pid)?;
            seen.bytes("stdout", &run.stdout, b"hello\n")
        }),
    case("process/output/start-at-once", "contract 4.1", &["4.1.event-order", "10.prompt"])
        .requires("the start event is on the wire before the process prints anything")
        .why("the host drops the stream of a background process once it has seen the start")
        .needs(EVENTS)
        .act(act!(|p| {
            let open = p.start_sh("run", "read line").await?;
            p.keep("before", open);
            p.kill("run").await
        }))
        .judge(|o| {
            let seen = o.at("before")?;
            seen.same("status", seen.exchange.status, Some(200))?;
            seen.same("events", so_far(&seen).order.as_str(), "s")?;
            o.at("kill")?.ok().map(drop)
        }),
    case("process/start/prompt-flush", "contract 4.1 and H1", &["10.prompt"])
        .requires("start and each chunk are on the wire while the process still runs")
        .why("the host gives up when no headers come in 30 s, and a terminal needs every key at once")
        .needs(EVENTS)
        .act(act!(|p| {
            let mut open = p.start_sh("run", "echo ready; read line; echo got $line").await?;
            open.until_output("ready").await;
            p.keep("while it runs", open);
            p.kill("run").await
        }))
        .judge(|o| {
            let seen = o.at("while it runs")?;
            let run = Run::of(&seen.exchange.body);
            seen.holds(run.pid.is_some() && run.end.is_none(), "start, and no end yet", &run.order)?;
            seen.bytes("stdout", &run.stdout, b"ready\n")
        }),
    case(
        "process/start/exit-code",
        "contract 4.1",
        &["4.1.end-exit-code", "4.1.end-exited", "4.1.end-status"],
    )
    .requires("the end event of exit 7 says exitCode 7, exited, status \"exit status: 7\"")
    .why("the host reports the exit code of every command from it")
    .needs(EVENTS)
    .act(act!(|p| p.sh("run", "exit 7").await))
    .judge(|o| {
        let seen = o.at("run")?;
        let expected = json!({ "exitCode": 7, "exited": true, "status": "exit status: 7" });
        seen.same("end event", seen.run()?.end, Some(expected))
    }),
    case("process/start/killed", "contract 4.1 and 10", &["4.1.end-signal", "10.status-strings"])
        .requires("the end event of a killed process says -1, not exited, status \"signal: 9 (SIGKILL)\"")
        .why("an out-of-memory kill must not look like an exit")
        .needs(EVENTS)
        .act(act!(|p| p.sh("run", "kill -9 $$").await))
        .judge(|o| {
            let seen = o.at("run")?;
            let end = seen.run()?.end.unwrap_or_default();
            seen.same("exitCode", end["exitCode"].as_i64(), Some(-1))?;
            seen.same("exited", end["exited"].as_bool().unwrap_or(false), false)?;
            seen.same("status", end["status"].as_str(), Some("signal: 9 (SIGKILL)"))
        }),
    case("process/start/two-streams", "contract 4.1", &["4.1.stream-order", "0.process.event-fields"])
        .requires("stdout and stderr come apart, each in order")
        .why("a caller that parses stdout breaks on what belongs to stderr")
        .needs(EVENTS)
        .act(act!(|p| p.sh("run", "echo a; echo x >&2; echo b; echo y >&2").await))
        .judge(|o| {
            let seen = o.at("run")?;
            let run = seen.succeeded()?;
            seen.bytes("stdout", &run.stdout, b"a\nb\n")?;
            seen.bytes("stderr", &run.stderr, b"x\ny\n")
        }),
    case("process/start/big-output", "contract 4.1 and 10", &["4.1.lossless"])
        .requires("640 kB of output arrive byte for byte")
        .why("silent loss corrupts what a command prints, such as an archive")
        .needs(EVENTS)
        .act(act!(|p| p.sh("run", &format!("seq -f '%015.0f' 1 {LINES}")).await))
        .judge(|o| {
            let seen = o.at("run")?;
            let expected: String = (1..=LINES).map(|n| format!("{n:015}\n")).collect();
            seen.bytes("stdout", &seen.succeeded()?.stdout, expected.as_bytes())
        }),
    case("process/start/raw-bytes", "contract 4.1", &["4.1.lossless", "1.json-int64"])
        .requires("bytes that are no text arrive as they are")
        .why("commands print binary data, cut anywhere between reads")
        .needs(EVENTS)
        .act(act!(|p| p.sh("run", r"printf '\000\377\303\n\200'").await))
        .judge(|o| {
            let seen = o.at("run")?;
            seen.bytes("stdout", &seen.succeeded()?.stdout, b"\x00\xff\xc3\n\x80")
        }),
    case("process/start/not-found", "contract 4.1", &["4.1.not-found"])
        .requires("a program that is not there is exit code 127 with a word on stderr, not an RPC error")
        .why("the host shows it as the command's own failure")
        .needs(EVENTS)
        .act(act!(|p| {
            let process = json!({ "process": { "cmd": "envd-conformance-no-such" }, "stdin": false });
            let ask = p.start_ask("run", process);
            p.send("run", ask).await.map(drop)
        }))
        .judge(|o| {
            let seen = o.at("run")?;
            let run = seen.run()?;
            seen.same("exit code", run.exit_code(), Some(127))?;
            seen.holds(!run.stderr.is_empty(), "a message on stderr", "nothing")
        }),
    case("process/start/environment", "contract 4.1", &["4.1.env-base", "4.1.env-order"])
        .requires("the process gets PATH, HOME, USER, LOGNAME and what the request says, which wins")
        .why("commands find programs and their home by it")
        .needs(EVENTS)
        .act(act!(|p| {
            let mut process = shell("echo $A-$USER-$LOGNAME; test -n \"$PATH\" && test -n \"$HOME\"");
            process["envs"] = json!({ "A": "b c", "LOGNAME": "mine" });
            let ask = p.start_ask("run", json!({ "process": process, "stdin": false }));
            p.send("run", ask).await.map(drop)
        }))
        .judge(|o| {
            let seen = o.at("run")?;
            seen.same("stdout", seen.succeeded()?.text().as_str(), "b c-root-mine\n")
        }),
    case("process/start/arguments", "contract 4.1 and 10", &["10.exec-plain", "0.process.config-fields"])
        .requires("arguments reach the program as they are, without a shell between")
        .why("quoting by a hidden shell is an injection")
        .generations(&[1, 2])
        .needs(EVENTS)
        .act(act!(|p| {
            let args = ["-c", "printf '%s|' \"$@\"", "0", "$HOME", "~", "a  b", "", "*"];
            let ask = p.start_ask("run", json!({ "process": { "cmd": "/bin/sh", "args": args } }));
            p.send("run", ask).await.map(drop)
        }))
        .judge(|o| {
            let seen = o.at("run")?;
            seen.same("stdout", seen.succeeded()?.text().as_str(), "$HOME|~|a  b||*|")
        }),
    case("process/start/cwd", "contract 4.1", &["4.1.cwd-resolved"])
        .requires("the process starts in cwd")
        .why("a build in the wrong directory fails, or worse, does not")
        .needs(EVENTS)
        .act(act!(|p| {
            let mut process = shell("pwd");
            process["cwd"] = "/usr".into();
            let ask = p.start_ask("run", json!({ "process": process, "stdin": false }));
            p.send("run", ask).await.map(drop)
        }))
        .judge(|o| {
            let seen = o.at("run")?;
            seen.same("stdout", seen.succeeded()?.text().as_str(), "/usr\n")
        }),
    case("process/start/cwd-missing", "contract 4.1", &["4.1.cwd-missing"])
        .requires("a cwd that does not exist is invalid_argument")
        .why("the host tells its caller which argument is wrong")
        .needs(&["process/start/events"])
        .positive_control(controls::ran)
        .act(act!(|p| {
            controls::run(p).await?;
            let mut process = shell("pwd");
            process["cwd"] = "/envd-conformance-no-such".into();
            let ask = p.start_ask("run", json!({ "process": process, "stdin": false }));
            p.send("run", ask).await.map(drop)
        }))
        .judge(|o| {
            o.at("run")?.stream_error("invalid_argument", "cwd '/envd-conformance-no-such' does not exist")
        }),
    case("process/start/config-missing", "contract 4.1", &["4.1.config-required", "1.stream-error-alone"])
        .requires("Start without a process is invalid_argument, in the END_STREAM envelope alone")
        .why("an error before the first event must end the stream")
        .needs(&["process/start/events"])
        .positive_control(controls::ran)
        .act(act!(|p| {
            controls::run(p).await?;
            p.stream("run", "process.Process/Start", json!({})).await
        }))
        .judge(|o| {
            let seen = o.at("run")?;
            seen.same("envelopes", seen.frames()?.len(), 1)?;
            seen.stream_error("invalid_argument", "process config required")
        }),
    case("process/start/stdin-off", "contract 4.1", &["4.1.stdin-off"])
        .requires("with stdin false the process reads the end of its input at once")
        .why("every Exec of the host says so; a command that reads would hang")
        .needs(EVENTS)
        .act(act!(|p| p.sh("run", "timeout --foreground 1 cat; echo $?").await))
        .judge(|o| {
            let seen = o.at("run")?;
            seen.same("stdout", seen.succeeded()?.text().as_str(), "0\n")
        }),
    case("process/start/pid", "contract 4.1", &["4.pid-program"])
        .requires("the pid of the start event is the program's own, and the one that List shows")
        .why("the host signals by pid")
        .needs(EVENTS)
        .act(act!(|p| {
            let mut open = p.start_sh("run", "echo $$; read line").await?;
            open.until_output("\n").await;
            p.keep("start", open);
            p.unary("list", "process.Process/List", json!({})).await?;
            p.kill("run").await
        }))
        .judge(|o| {
            let seen = o.at("start")?;
            let run = Run::of(&seen.exchange.body);
            seen.same("$$", run.text().trim().parse().ok(), run.pid)?;
            let list = o.at("list")?;
            let listed = own(&list, &format!("{}/run", tag_of(&o.dir)))?;
            list.same("pid", listed["pid"].as_u64(), run.pid)
        }),
];

/// The case's process tag without the name: its directory, without `/tmp/`.
pub(super) fn tag_of(dir: &str) -> &str {
    dir.strip_prefix("/tmp/").unwrap_or(dir)
}

/// The entry of the process with this tag.
pub(super) fn own(list: &Seen<'_>, tag: &str) -> Result<Value, crate::verdict::Objection> {
    let json = list.ok()?;
    let mut all = json["processes"].as_array().into_iter().flatten();
    let found = all.find(|info| info["tag"] == tag).cloned();
    found.ok_or_else(|| list.wrong(format!("a process with tag {tag:?}"), json.to_string()))
}
