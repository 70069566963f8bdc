//! Terminals: their size, session, translation and keys (contract 4.1, 4.4 and 4.8).

use serde_json::{Value, json};

use super::start::EVENTS;
use crate::case::{Case, act, case};
use crate::observation::Observation;
use crate::probe::{Open, Probe, SetupError, shell};
use crate::suites::controls;
use crate::suites::helpers::{all_ok, keys, printed, ps};
use crate::verdict::Judged;

const PTY: &[&str] = &["process/pty/size"];
const TYPED: &[&str] = &["process/pty/input"];
const RESIZED: &[&str] = &["process/update/resizes"];

async fn terminal(p: &mut Probe, script: &str, cols: u32, rows: u32) -> Result<Open, SetupError> {
    p.start("run", json!({ "process": shell(script), "pty": { "size": { "cols": cols, "rows": rows } } }))
        .await
}

/// Runs a script in a terminal of 80 by 24 to its end.
async fn in_terminal(p: &mut Probe, script: &str) -> Result<(), SetupError> {
    let open = terminal(p, script, 80, 24).await?;
    p.finish("run", open).await;
    Ok(())
}

async fn resize(p: &mut Probe, label: &str, size: Value) -> Result<(), SetupError> {
    ps(p, label, "Update", json!({ "process": { "tag": p.tag("run") }, "pty": size })).await.map(drop)
}

fn shown(o: &Observation, text: &str) -> Judged {
    let seen = o.at("run")?;
    seen.bytes("pty", &seen.succeeded()?.pty, text.as_bytes())
}

fn shown_at_last(o: &Observation, text: &str) -> Judged {
    let seen = o.at("run")?;
    let all = String::from_utf8_lossy(&seen.succeeded()?.pty).into_owned();
    seen.holds(all.ends_with(text), &format!("output that ends in {text:?}"), all)
}

pub(in crate::suites) const CASES: &[Case] = &[
    case("process/pty/size-cut", "contract 4.1", &["4.1.pty-size"])
        .requires("cols and rows are cut to sixteen bits: 70000 is 4464, 65537 is 1")
        .why("the kernel has no more, and an error would be another answer")
        .needs(PTY)
        .act(act!(|p| {
            let open = terminal(p, "stty size", 70_000, 65_537).await?;
            p.finish("run", open).await;
            Ok(())
        }))
        .judge(|o| shown(o, "1 4464\r\n")),
    case("process/pty/size-zero", "contract 4.1", &["4.1.pty-size"])
        .requires("a terminal of 0 by 0 is a terminal")
        .why("clients that do not know their size yet ask for it so")
        .needs(PTY)
        .act(act!(|p| {
            let open = terminal(p, "stty size; test -t 0 && echo terminal", 0, 0).await?;
            p.finish("run", open).await;
            Ok(())
        }))
        .judge(|o| shown(o, "0 0\r\nterminal\r\n")),
    case("process/pty/without-size", "contract 4.1", &["4.1.pty-size-needed"])
        .requires("a pty without a size is plain pipes")
        .why("an empty message means nothing was chosen")
        .needs(PTY)
        .act(act!(|p| {
            p.run("run", json!({ "process": shell("test -t 1 || echo pipe"), "pty": {}, "stdin": false }))
                .await
        }))
        .judge(|o| printed(o, "run", "pipe\n")),
    case("process/pty/session", "contract 4.1", &["4.1.pty-session"])
        .requires("the command leads a session whose controlling terminal is the pty")
        .why("without it there is no job control, and no password prompt")
        .needs(PTY)
        .act(act!(|p| in_terminal(
                p,
                "set -- $(cat /proc/$$/stat); test $6 = $$ && echo leader; test $7 -ne 0 && echo \
                    controlled; \
                 test $8 = $$ && echo foreground; echo open >/dev/tty",
            ).await))
        .judge(|o| shown(o, "leader\r\ncontrolled\r\nforeground\r\nopen\r\n")),
    case("process/pty/three-descriptors", "contract 4.1", &["4.1.pty-session", "4.1.pty-only"])
        .requires("stdin, stdout and stderr are the same terminal")
        .why("a program that finds one of them to be none turns its colours off")
        .needs(PTY)
        .act(act!(|p| in_terminal(
                p,
                "cd /proc/$$/fd; test -t 0 && test -t 1 && test -t 2 && test $(readlink 0) = \
                    $(readlink 1) && \
                 test $(readlink 1) = $(readlink 2) && echo same",
            ).await))
        .judge(|o| shown(o, "same\r\n")),
    case("process/pty/translation", "contract 4.1", &["4.1.pty-translation"])
        .requires("the terminal makes CR-LF of LF, and leaves what is not LF")
        .why("lines would be drawn as a staircase")
        .needs(PTY)
        .act(act!(|p| in_terminal(p, r"printf 'a\nb\r\n\033[1mc\n\n'").await))
        .judge(|o| shown(o, "a\r\nb\r\r\n\u{1b}[1mc\r\n\r\n")),
    case("process/pty/raw", "contract 4.1", &["4.1.pty-translation"])
        .requires("a program can turn translation and echo off")
        .why("editors draw in raw mode")
        .needs(TYPED)
        .act(act!(|p| {
            let mut open = terminal(
                p,
                r"stty raw -echo; printf 'up\n'; head -c 3 | od -An -tx1; printf 'x\n'",
                80,
                24,
            )
            .await?;
            open.until_output("up").await;
            keys(p, "keys", "run", "\r\u{3}a").await?;
            p.finish("run", open).await;
            Ok(())
        }))
        .judge(|o| shown(o, "up\n 0d 03 61\nx\n")),
    case("process/pty/end-of-input", "contract 4.7", &["4.7.pty"])
        .requires("Ctrl+D at the start of a line ends the input of a terminal")
        .why("it is what the error of CloseStdin tells people to do")
        .needs(TYPED)
        .act(act!(|p| {
            let mut open = terminal(p, "stty -echo; echo up; cat; echo over", 80, 24).await?;
            open.until_output("up").await;
            keys(p, "line", "run", "one\n").await?;
            keys(p, "end", "run", "\u{4}").await?;
            p.finish("run", open).await;
            Ok(())
        }))
        .judge(|o| shown(o, "up\r\none\r\nover\r\n")),
    case("process/pty/interrupt", "contract 4.1", &["4.1.pty-session"])
        .requires("Ctrl+C interrupts the foreground of a terminal")
        .why("it is how a person stops a command")
        .needs(TYPED)
        .act(act!(|p| {
            let mut open = terminal(
                p,
                "trap 'echo interrupted; exit 5' INT; echo up; while :; do sleep 0.05; done",
                80,
                24,
            )
            .await?;
            open.until_output("up").await;
            keys(p, "keys", "run", "\u{3}").await?;
            p.finish("run", open).await;
            Ok(())
        }))
        .judge(|o| {
            let seen = o.at("run")?;
            let run = seen.run()?;
            seen.holds(
                run.shows("interrupted"),
                "interrupted in the output",
                String::from_utf8_lossy(&run.pty),
            )?;
            seen.same("exit code", run.exit_code(), Some(5))
        }),
    case("process/pty/stdin-flag", "contract 4.1", &["4.1.pty-stdin-flag"])
        .requires("with a pty, stdin false changes nothing: keys arrive")
        .why("a host sends the flag with everything")
        .needs(TYPED)
        .act(act!(|p| {
            let size = json!({ "size": { "cols": 80, "rows": 24 } });
            let request = json!({ "process": shell("stty -echo; echo up; read line; echo got $line"), "pty": size, "stdin": false });
            let mut open = p.start("run", request).await?;
            open.until_output("up").await;
            keys(p, "keys", "run", "it\n").await?;
            p.finish("run", open).await;
            Ok(())
        }))
        .judge(|o| shown_at_last(o, "got it\r\n")),
    case("process/pty/big-output", "contract 4.1 and 10", &["4.1.lossless", "4.1.pty-only"])
        .requires("300 kB through a terminal arrive whole and in order")
        .why("a long log scrolls by, and is read later")
        .needs(PTY)
        .act(act!(|p| in_terminal(p, "seq -f '%013.0f' 1 20000").await))
        .judge(|o| {
            let expected: String = (1..=20_000).map(|n| format!("{n:013}\r\n")).collect();
            shown(o, &expected)
        }),
    case("process/pty/exit-code", "contract 4.1", &["4.1.end-exit-code"])
        .requires("the end of a terminal's process has its exit code")
        .why("a shell that was left with an error says so")
        .needs(PTY)
        .act(act!(|p| in_terminal(p, "exit 42").await))
        .judge(|o| {
            let seen = o.at("run")?;
            seen.same("exit code", seen.run()?.exit_code(), Some(42))
        }),
    case("process/pty/kill", "contract 4.6", &["4.6.term-kill", "4.1.end-signal"])
        .requires("SIGKILL ends a terminal's process, and the end says so")
        .why("closing a tab has to end what runs in it")
        .needs(PTY)
        .act(act!(|p| {
            let open = terminal(p, "read line", 80, 24).await?;
            p.kill("run").await?;
            p.finish("run", open).await;
            Ok(())
        }))
        .judge(|o| {
            all_ok(o, &["kill"])?;
            let seen = o.at("run")?;
            let end = seen.run()?.end.unwrap_or_default();
            seen.same("status", end["status"].as_str(), Some("signal: 9 (SIGKILL)"))
        }),
    case("process/update/size-cut", "contract 4.8", &["4.8.resizes"])
        .requires("the size of an Update is cut to sixteen bits as well")
        .why("two ways to set a size must not differ")
        .needs(RESIZED)
        .act(act!(|p| {
            let mut open = terminal(p, "stty -echo; echo up; read line; stty size", 80, 24).await?;
            open.until_output("up").await;
            resize(p, "update", json!({ "size": { "cols": 70_000, "rows": 65_540 } })).await?;
            keys(p, "keys", "run", "\n").await?;
            p.finish("run", open).await;
            Ok(())
        }))
        .judge(|o| {
            all_ok(o, &["update"])?;
            shown_at_last(o, "4 4464\r\n")
        }),
    case("process/update/tells-the-program", "contract 4.8", &["4.8.resizes"])
        .requires("a program in the foreground gets SIGWINCH when the size changes")
        .why("it draws itself anew only then")
        .needs(RESIZED)
        .act(act!(|p| {
            let script = "trap 'echo changed; stty size; exit' WINCH; stty -echo; echo up; while \
                :; do sleep 0.05; done";
            let mut open = terminal(p, script, 80, 24).await?;
            open.until_output("up").await;
            resize(p, "update", json!({ "size": { "cols": 100, "rows": 30 } })).await?;
            p.finish("run", open).await;
            Ok(())
        }))
        .judge(|o| {
            all_ok(o, &["update"])?;
            shown_at_last(o, "changed\r\n30 100\r\n")
        }),
    case("process/update/nothing", "contract 4.8", &["4.8.nothing"])
        .requires("an Update without a pty or without a size leaves the terminal as it is")
        .why("an empty message must not make a window of 0 by 0")
        .needs(RESIZED)
        .act(act!(|p| {
            let mut open = terminal(p, "stty -echo; echo up; read line; stty size", 80, 24).await?;
            open.until_output("up").await;
            resize(p, "none", Value::Null).await?;
            resize(p, "empty", json!({})).await?;
            keys(p, "keys", "run", "\n").await?;
            p.finish("run", open).await;
            Ok(())
        }))
        .judge(|o| {
            all_ok(o, &["none", "empty"])?;
            shown_at_last(o, "24 80\r\n")
        }),
    case("process/update/order-of-checks", "contract 4.8", &["4.8.order"])
        .requires("an Update tells of a missing selector, then of an unknown process, and only \
            then of the pty")
        .why("the nearest mistake is told first")
        .needs(EVENTS)
        .positive_control(controls::ok)
        .act(act!(|p| {
            controls::input(p).await?;
            let size = json!({ "size": { "cols": 1, "rows": 1 } });
            ps(p, "selector", "Update", json!({ "pty": size })).await?;
            ps(p, "process", "Update", json!({ "process": { "pid": 4_194_302 }, "pty": size }))
                .await
                .map(drop)
        }))
        .judge(|o| {
            o.at("selector")?.error(400, "invalid_argument", "process selector required")?;
            o.at("process")?.error(404, "not_found", "process with pid 4194302 not found")
        }),
];
