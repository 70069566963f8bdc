//! Commands of generation 3: a line for the login shell, tildes, and the user that a request names (contract 0.1 and 4.1).

use serde_json::{Value, json};

use crate::case::{Case, act};
use crate::feature::Feature;
use crate::observation::Observation;
use crate::probe::{Probe, SetupError};
use crate::suites::helpers::{printed, ps};
use crate::suites::process::start::EVENTS;
use crate::verdict::Judged;

pub(super) const THIRD: Case = Case {
    generations: &[3],
    features: &[Feature::LoginShell],
    source: "contract 0.1 and 4.1",
    reqs: &["4.1.generation-3"],
    needs: EVENTS,
    ..Case::BASE
};
const LINE: &[&str] = &["process/login-shell/line"];
const NAMED: Case = Case { features: &[Feature::ProcessUser], reqs: &["4.1.process-user"], ..THIRD };

/// Runs a process to its end, without stdin.
async fn process(p: &mut Probe, label: &str, process: Value) -> Result<(), SetupError> {
    p.run(label, json!({ "process": process, "stdin": false })).await
}

fn exit_is(o: &Observation, label: &str, code: i64) -> Judged {
    let seen = o.at(label)?;
    seen.same("exit code", seen.run()?.exit_code(), Some(code))
}

pub(in crate::suites) const CASES: &[Case] = &[
    THIRD
        .id("process/login-shell/line")
        .requires("a cmd without arguments is a line for the user's login shell")
        .why("hosts of this generation send whole lines")
        .act(act!(|p| process(p, "run", json!({ "cmd": "echo $((1+1)) | tr 2 b; exit 3" })).await))
        .judge(|o| {
            exit_is(o, "run", 3)?;
            let run = o.at("run")?;
            run.same("stdout", run.run()?.text().as_str(), "b\n")
        }),
    THIRD
        .id("process/login-shell/bare")
        .requires("an empty cmd without arguments is the login shell itself, which reads its stdin")
        .why("an interactive session is asked for so")
        .needs(LINE)
        .act(act!(|p| {
            let open = p.start("run", json!({ "process": { "cmd": "" }, "stdin": true })).await?;
            p.input("input", "run", "echo from-stdin\nexit 4\n").await?;
            p.finish("run", open).await;
            Ok(())
        }))
        .judge(|o| {
            exit_is(o, "run", 4)?;
            let run = o.at("run")?;
            run.same("stdout", run.run()?.text().as_str(), "from-stdin\n")
        }),
    THIRD
        .id("process/login-shell/arguments-stand")
        .requires(
            "with arguments no shell reads them: only a leading ~ or ~/ is expanded, and \
            ~name stays as it is",
        )
        .why("quoting by a hidden shell is an injection")
        .act(act!(|p| {
            let script = "printf '%s|' \"$@\"";
            let args = ["-c", script, "0", "$HOME", "~", "~/a b", "~user/x", "a~", "a  b", "", "*", "$(id)"];
            process(p, "run", json!({ "cmd": "/bin/sh", "args": args })).await?;
            process(p, "home", json!({ "cmd": "/bin/sh", "args": ["-c", "printf %s \"$HOME\""] })).await
        }))
        .judge(|o| {
            let home = o.at("home")?.succeeded()?.text();
            printed(o, "run", &format!("$HOME|{home}|{home}/a b|~user/x|a~|a  b||*|$(id)|"))
        }),
    THIRD
        .id("process/login-shell/cmd-tilde")
        .requires("a leading ~/ in cmd is the home, and ~name is invalid_argument")
        .why("programs of a user are named so")
        .act(act!(|p| {
            process(p, "run", json!({ "cmd": "~/../bin/sh", "args": ["-c", "echo ran"], "cwd": "/" }))
                .await?;
            process(p, "name", json!({ "cmd": "~user/x", "args": ["a"] })).await
        }))
        .judge(|o| {
            printed(o, "run", "ran\n")?;
            o.at("name")?.stream_error("invalid_argument", "cannot expand user-specific home dir")
        }),
    THIRD
        .id("process/login-shell/list")
        .source("contract 4.3")
        .requires("List tells cmd and arguments as they were expanded")
        .why("a host that looks for its process sees what runs")
        .needs(&["process/login-shell/arguments-stand"])
        .act(act!(|p| {
            let args = ["-c", "printf %s \"$1\"; read line", "0", "~/x"];
            let open = p.start("run", json!({ "process": { "cmd": "/bin/sh", "args": args } })).await?;
            ps(p, "list", "List", json!({})).await?;
            p.input("input", "run", "\n").await?;
            p.finish("run", open).await;
            Ok(())
        }))
        .judge(|o| {
            let text = o.at("run")?.succeeded()?.text();
            let list = o.at("list")?;
            let all = list.ok()?["processes"].as_array().cloned().unwrap_or_default();
            let expanded = |process: &Value| process.pointer("/config/args/3") == Some(&json!(text));
            list.holds(all.iter().any(expanded), &format!("a process with the argument {text:?}"), all)
        }),
    NAMED
        .id("process/user/named")
        .requires(
            "a command runs as the user that its request names, with that user's home; an \
            empty name is the default user",
        )
        .why("one host runs commands for several users of a sandbox")
        .act(act!(|p| {
            let ask = |user: &str| {
                json!({ "cmd": "/bin/sh", "args": ["-c", "id -un; echo $HOME \
                $USER; pwd"], "user": user })
            };
            process(p, "user", ask("user")).await?;
            process(p, "empty", ask("")).await
        }))
        .judge(|o| {
            printed(o, "user", "user\n/home/user user\n/home/user\n")?;
            printed(o, "empty", "root\n/root root\n/root\n")
        }),
    NAMED
        .id("process/user/unknown")
        .requires("a user that there is not is internal \"user 'x' not found\", and nothing runs")
        .why("a misspelt user must not become root")
        .needs(&["process/user/named"])
        .act(act!(|p| {
            process(p, "run", json!({ "cmd": "/bin/sh", "args": ["-c", "true"], "user": "nobody-here" }))
                .await
        }))
        .judge(|o| o.at("run")?.stream_error("internal", "user 'nobody-here' not found")),
];
