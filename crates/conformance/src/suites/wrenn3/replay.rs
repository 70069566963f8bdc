//! What a reader that joins late is told of what was before (contract 4.2).

use serde_json::json;

use crate::case::{Case, act};
use crate::feature::Feature;
use crate::observation::Observation;
use crate::suites::helpers::{printed, so_far};
use crate::verdict::Judged;

const THIRD: Case = Case {
    generations: &[3],
    features: &[Feature::Replay],
    reqs: &["10.replay"],
    needs: &["process/connect/joins"],
    ..Case::BASE
};
/// The newest output that is kept, in bytes.
const KEPT: usize = 256 << 10;
/// Whole chunks are kept, and one is at most what was gathered and one more read (contract 4.1).
const CHUNK: usize = 65_535 + 32_768;
/// As [`KEPT`] and half as much again, in lines of seven digits and an end.
const LINES: usize = KEPT * 3 / 2 / 8;

/// What was replayed is the newest of all that was printed.
fn newest(o: &Observation, label: &str) -> Judged {
    let seen = o.at(label)?;
    let run = seen.succeeded()?;
    let all: String = (0..LINES).map(|n| format!("{n:07}\n")).chain(["last\n".to_owned()]).collect();
    let text = run.text();
    seen.holds(all.ends_with(&text), "the end of all that was printed", text.lines().next())?;
    let within = KEPT - CHUNK..=KEPT + "last\n".len();
    seen.holds(within.contains(&text.len()), "nearly 256 KiB of it", text.len())
}

pub(in crate::suites) const CASES: &[Case] = &[
    THIRD
        .id("process/connect/replays")
        .source("contract 4.2")
        .requires(
            "a reader that joins late is told a start, what was printed before, and what \
            comes from then on",
        )
        .why("a host that reconnects shows the whole of a build")
        .act(act!(|p| {
            let mut first = p.start_sh("run", "echo before; echo aside >&2; read line; echo after").await?;
            first.until_output("before").await;
            first.until_output("aside").await;
            let late = p.join("run").await?;
            p.input("input", "run", "\n").await?;
            p.finish("late", late).await;
            p.finish("first", first).await;
            Ok(())
        }))
        .judge(|o| {
            printed(o, "first", "before\nafter\n")?;
            printed(o, "late", "before\nafter\n")?;
            let late = o.at("late")?;
            late.bytes("stderr", &so_far(&late).stderr, b"aside\n")?;
            late.same("first event", so_far(&late).order.chars().next(), Some('s'))
        }),
    THIRD
        .id("process/connect/replay-bound")
        .source("contract 4.2")
        .requires("of more than 256 KiB the newest are replayed")
        .why("the end of a log says why it failed, and memory has an end")
        .needs(&["process/connect/replays"])
        .act(act!(|p| {
            let script = format!("seq -f %07.0f 0 {}; echo ready >&2; read line; echo last", LINES - 1);
            let mut first = p.start_sh("run", &script).await?;
            first.until_output("ready").await;
            first.until_output(&format!("{:07}\n", LINES - 1)).await;
            let late = p.join("run").await?;
            p.input("input", "run", "\n").await?;
            p.finish("late", late).await;
            p.finish("first", first).await;
            Ok(())
        }))
        .judge(|o| {
            o.at("first")?.succeeded()?;
            newest(o, "late")
        }),
    THIRD
        .id("process/connect/replay-after-deadline")
        .source("contract 4.2 and 10")
        .requires("a reader whose deadline has ended its stream finds all of it again when it comes back")
        .why("a caller that polls with short deadlines must miss nothing")
        .needs(&["wire/deadline/stream", "process/connect/replays"])
        .act(act!(|p| {
            let process = crate::probe::shell("echo early; read line; echo $line");
            let ask = p.start_ask("run", json!({ "process": process, "stdin": true }));
            p.send("run", ask.header("connect-timeout-ms", "300")).await?;
            let again = p.join("run").await?;
            p.input("input", "run", "late\n").await?;
            p.finish("again", again).await;
            Ok(())
        }))
        .judge(|o| {
            o.at("run")?.stream_error("deadline_exceeded", "")?;
            printed(o, "again", "early\nlate\n")
        }),
];
