//! Output and the end of processes: order, promptness, loss, and what the end event says (contract 4.1 and 10).

use std::time::Duration;

use envd_proto::process::process_selector::Selector;
use envd_proto::process::{ConnectRequest, ProcessConfig, ProcessSelector, StartRequest};
use futures::future::join_all;
use prost::Message as _;
use serde_json::json;

use super::start::EVENTS;
use crate::case::{Case, act, case};
use crate::observation::Observation;
use crate::probe::{Ask, Open, Probe, SetupError, What};
use crate::stream::envelope;
use crate::suites::helpers::{fs, numbered, printed};
use crate::verdict::Judged;

const BIG: &[&str] = &["process/start/big-output"];
const PARALLEL: usize = 100;
/// Longer than any buffer between the two takes to fill.
const DAWDLE: Duration = Duration::from_millis(300);
/// Longer than a build that does not wait takes to print all.
const LONG_DAWDLE: Duration = Duration::from_millis(1500);
const MEGABYTES: &str = "seq -f '%015.0f' 1 400000";
/// The SHA-256 of the first 512 MiB of what `seq 1 70000000` prints.
const SEQ: &str = "23498f8f8939e4baded916565fff0630bb659e458c853a39983e1f847ac59066";
const BULK: u64 = 512 << 20;

/// How long the half gigabyte may take.
const WHILE: Duration = Duration::from_secs(60);

/// Every number of [`MEGABYTES`], 6.4 MB.
fn numbers() -> String {
    (1..=400_000).map(|n| format!("{n:015}\n")).collect()
}

/// The step has added up all of [`numbers`].
fn all_numbers(o: &Observation, label: &str) -> Judged {
    let seen = o.at(label)?;
    seen.frames()?;
    let sum = seen.exchange.sum.clone().unwrap_or_default();
    let (expected, digest) = (numbers(), crate::probe::sha256(numbers().as_bytes()));
    seen.same("bytes of stdout", sum.bytes, expected.len() as u64)?;
    seen.same("SHA-256 of stdout", sum.sha256, digest)
}

pub(in crate::suites) const CASES: &[Case] = &[
    case("process/output/chunk-by-chunk", "contract 10", &["10.prompt"])
        .requires("each line arrives while the process waits for the answer to it")
        .why("a dialogue with a program stands still otherwise")
        .needs(&["process/send-input/reaches"])
        .act(act!(|p| {
            let script = "for n in 1 2 3 4 5; do echo ask $n; read line; test $line = yes-$n || exit 9; done";
            let mut open = p.start_sh("run", script).await?;
            for n in 1..=5 {
                open.until_output(&format!("ask {n}\n")).await;
                p.input("input", "run", &format!("yes-{n}\n")).await?;
            }
            p.finish("run", open).await;
            Ok(())
        }))
        .judge(|o| printed(o, "run", "ask 1\nask 2\nask 3\nask 4\nask 5\n")),
    case("process/output/both-in-order", "contract 4.1", &["4.1.stream-order", "4.1.lossless"])
        .requires("2000 lines on each of stdout and stderr come whole, each stream in its order")
        .why("a log whose lines are swapped tells another story")
        .needs(&["process/start/two-streams"])
        .act(act!(|p| {
            p.sh("run", "n=0; while [ $n -lt 2000 ]; do echo o$n; echo e$n >&2; n=$((n+1)); done").await
        }))
        .judge(|o| {
            let seen = o.at("run")?;
            let run = seen.succeeded()?;
            let lines = |mark: &str| (0..2000).map(|n| format!("{mark}{n}\n")).collect::<String>();
            seen.bytes("stdout", &run.stdout, lines("o").as_bytes())?;
            seen.bytes("stderr", &run.stderr, lines("e").as_bytes())
        }),
    case("process/output/message-size", "contract 4.1", &["4.1.chunk-limit"])
        .requires("no message of a flood is over 4 MiB")
        .why("clients refuse larger ones, and the command's output with them")
        .needs(BIG)
        .act(act!(|p| p.sh("run", "seq 1 600000").await))
        .judge(|o| {
            let seen = o.at("run")?;
            let largest = seen.frames()?.iter().map(|frame| frame.data.len()).max().unwrap_or_default();
            seen.holds(largest <= 4 << 20, "messages of at most 4194304 bytes", largest)?;
            seen.succeeded().map(drop)
        }),
    case("process/output/slow-reader", "contract 10", &["10.back-pressure", "4.1.lossless"])
        .requires("a reader that looks away while 6.4 MB are printed gets all of them")
        .why("output that is lost in silence is worse than an error")
        .needs(BIG)
        .act(act!(|p| {
            let mut open = binary_start(p, MEGABYTES).await?;
            open.add_up(What::Stdout);
            tokio::time::sleep(DAWDLE).await;
            p.finish("run", open).await;
            Ok(())
        }))
        .judge(|o| all_numbers(o, "run")),
    case("process/output/two-readers", "contract 4.2 and 10", &["10.slowest-reader", "4.2.many"])
        .requires("of two readers, one slow, both get all 6.4 MB")
        .why("a log viewer that hangs must not cost the build its output")
        .needs(&["process/connect/joins", "process/start/big-output"])
        .act(act!(|p| {
            let mut first = binary_start(p, &format!("read line; {MEGABYTES}")).await?;
            first.until_frames(1).await;
            let selector = ProcessSelector { selector: Some(Selector::Tag(p.tag("run"))) };
            let message = ConnectRequest { process: Some(selector) }.encode_to_vec();
            let mut second = p.open(binary("process.Process/Connect", &message)).await?;
            second.until_frames(1).await;
            first.add_up(What::Stdout);
            second.add_up(What::Stdout);
            p.input("go", "run", "\n").await?;
            let late = async {
                tokio::time::sleep(DAWDLE).await;
                second.until(|_| false).await;
            };
            tokio::join!(first.until(|_| false), late);
            p.keep("first", first);
            p.keep("second", second);
            Ok(())
        }))
        .judge(|o| {
            all_numbers(o, "first")?;
            all_numbers(o, "second")
        }),
    case("process/output/nobody-reads", "contract 4.1", &["4.1.disconnect"])
        .requires("a process whose stream was dropped is not held up by its output")
        .why("a background command that logs would stop after 64 KiB")
        .needs(&["process/start/survives-drop"])
        .act(act!(|p| {
            let done = p.path("done");
            let script = format!(
                "read line; {MEGABYTES}; mkdir -p {0} && echo over > {done}.new && mv {done}.new {done}",
                p.path("")
            );
            let open = p.start_sh("run", &script).await?;
            p.keep("start", open);
            p.input("go", "run", "\n").await?;
            for _ in 0..500 {
                let found = fs(p, "stat", "Stat", json!({ "path": done })).await?;
                if found["entry"].is_object() {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            p.send("done", Ask::download(&done)).await.map(drop)
        }))
        .judge(|o| {
            o.at("go")?.ok()?;
            o.at("done")?.status(200)?;
            o.at("done")?.body_is(b"over\n")
        }),
    case("process/output/hundred-at-once", "contract 4.1 and 10", &["4.1.lossless", "10.subscribed-early"])
        .requires("a hundred commands started at once lose none of their output and none of their ends")
        .why("of sixty parallel echoes real builds have lost three")
        .needs(EVENTS)
        .act(act!(|p| {
            let asks: Vec<_> = numbered("run", PARALLEL)
                .map(|name| {
                    p.start_ask(
                        &name,
                        json!({ "process": { "cmd": "/bin/echo", "args": [name] }, "stdin": false }),
                    )
                })
                .collect();
            let opened = join_all(asks.into_iter().map(|ask| p.open(ask))).await;
            let mut opened: Vec<_> = opened.into_iter().collect::<Result<_, _>>()?;
            join_all(opened.iter_mut().map(|open| open.until(|_| false))).await;
            for (name, open) in numbered("run", PARALLEL).zip(opened) {
                p.keep(&name, open);
            }
            Ok(())
        }))
        .judge(|o| numbered("run", PARALLEL).try_for_each(|name| printed(o, &name, &format!("{name}\n")))),
    case("process/output/half-gigabyte", "contract 10", &["10.back-pressure", "4.1.lossless"])
        .requires("512 MiB of output arrive byte for byte at a reader that pauses")
        .why("an archive that is streamed out of a sandbox is this big")
        .needs(BIG)
        .bulk()
        .act(act!(|p| half_gigabyte(p).await))
        .judge(|o| {
            let seen = o.at("run")?;
            seen.status(200)?;
            let sum = seen.exchange.sum.as_ref();
            seen.same("bytes of stdout", sum.map(|sum| sum.bytes), Some(BULK))?;
            seen.same("SHA-256 of stdout", sum.map(|sum| sum.sha256.as_str()), Some(SEQ))
        }),
];

async fn half_gigabyte(p: &mut Probe) -> Result<(), SetupError> {
    let mut open = binary_start(p, &format!("seq 1 70000000 | head -c {BULK}")).await?;
    open.add_up(What::Stdout);
    open.until(|seen| seen.sum.as_ref().is_some_and(|sum| sum.bytes > BULK / 4)).await;
    tokio::time::sleep(LONG_DAWDLE).await;
    open.until_with(WHILE, |_| false).await;
    p.keep("run", open);
    Ok(())
}

/// Starts a script over a binary stream, in which big output is cheap.
async fn binary_start(p: &Probe, script: &str) -> Result<Open, SetupError> {
    let args = ["-c", script].map(str::to_owned).to_vec();
    let config = ProcessConfig { cmd: "/bin/sh".to_owned(), args, ..ProcessConfig::default() };
    let request =
        StartRequest { process: Some(config), tag: Some(p.own_tag("run")), ..StartRequest::default() };
    p.open(binary("process.Process/Start", &request.encode_to_vec())).await
}

fn binary(rpc: &str, message: &[u8]) -> Ask {
    let ask = Ask::new("POST", format!("/{rpc}")).header("content-type", "application/connect+proto");
    ask.body(envelope::write(0, message))
}
