//! WatchDir: its start, its events as they happen, its keepalives and its end (contract 10).

use std::time::Duration;

use serde_json::{Value, json};

use super::watches::{contains, short};
use crate::case::{Case, act, case};
use crate::feature::Feature;
use crate::observation::Observation;
use crate::probe::{Ask, Open, Probe, SetupError};
use crate::stream::envelope;
use crate::suites::controls;
use crate::suites::helpers::fs;
use crate::verdict::Objection;

const STREAMS: &[&str] = &["filesystem/watch-dir/events"];
const STREAM: &[Feature] = &[Feature::WatchDir];
/// The shortest interval that can be asked for, and a little more.
const SOON: Duration = Duration::from_millis(1200);
/// How long a keepalive that is due after a second may take.
const KEEPALIVE: Duration = Duration::from_secs(3);

/// Opens WatchDir and waits for its start.
async fn watch_dir(p: &mut Probe, recursive: bool, headers: &[(&str, &str)]) -> Result<Open, SetupError> {
    fs(p, "make", "MakeDir", json!({ "path": p.path("d") })).await?;
    let message = json!({ "path": p.path("d"), "recursive": recursive });
    let ask = Ask::stream("filesystem.Filesystem/WatchDir", &[message]);
    let ask = headers.iter().fold(ask, |ask, (name, value)| ask.header(name, value));
    let mut open = p.open(ask).await?;
    open.until_frames(1).await;
    Ok(open)
}

/// The messages of a stream that still runs.
fn messages(body: &[u8]) -> Vec<Value> {
    let frames = envelope::read(body).0;
    frames.iter().filter_map(|frame| serde_json::from_slice(&frame.data).ok()).collect()
}

fn streamed(o: &Observation) -> Result<Vec<String>, Objection> {
    let all = messages(&o.at("watch")?.exchange.body);
    o.at("watch")?.same("first message", all.first().cloned().unwrap_or_default(), json!({ "start": {} }))?;
    Ok(all.iter().skip(1).map(|message| short(o, &message["filesystem"])).collect())
}

pub(in crate::suites) const CASES: &[Case] = &[
    case("filesystem/watch-dir/start-at-once", "contract 10", &["10.watchdir-start"])
        .requires("the start is on the wire before anything happens")
        .why("a tool begins its work when the watch stands")
        .features(STREAM)
        .needs(&["process/start/events"])
        .act(act!(|p| {
            let open = watch_dir(p, false, &[]).await?;
            p.keep("watch", open);
            Ok(())
        }))
        .judge(|o| {
            let seen = o.at("watch")?;
            seen.same("status", seen.exchange.status, Some(200))?;
            seen.same("messages", messages(&seen.exchange.body), vec![json!({ "start": {} })])
        }),
    case("filesystem/watch-dir/as-it-happens", "contract 10", &["10.watchdir-names", "5.event-names"])
        .requires("each event is streamed while the next thing has not happened yet")
        .why("a change shows at once, not with the next one")
        .features(STREAM)
        .needs(STREAMS)
        .act(act!(|p| {
            let mut open = watch_dir(p, false, &[]).await?;
            for name in ["a", "b", "c"] {
                fs(p, name, "MakeDir", json!({ "path": p.path(&format!("d/{name}")) })).await?;
                let event = format!("d/{name}\"");
                open.until(|seen| contains(&seen.body, &event)).await;
            }
            p.keep("watch", open);
            Ok(())
        }))
        .judge(|o| {
            let all = streamed(o)?;
            let created: Vec<_> = all.iter().filter(|event| event.starts_with("CREATE")).cloned().collect();
            let expected = ["CREATE /a", "CREATE /b", "CREATE /c"].map(str::to_owned).to_vec();
            o.at("watch")?.same("CREATE events", created, expected)
        }),
    case("filesystem/watch-dir/recursive", "contract 10", &["10.watch-chain", "5.event-recursive"])
        .requires("with recursive the stream tells a whole chain of new directories")
        .why("the two ways to watch must tell the same")
        .features(STREAM)
        .needs(STREAMS)
        .act(act!(|p| {
            let mut open = watch_dir(p, true, &[]).await?;
            p.sh("change", &format!("mkdir -p {0}/a/b/c && : > {0}/a/b/c/f", p.path("d"))).await?;
            open.until(|seen| contains(&seen.body, "/a/b/c/f\"")).await;
            p.keep("watch", open);
            Ok(())
        }))
        .judge(|o| {
            let all = streamed(o)?;
            for event in ["CREATE /a", "CREATE /a/b", "CREATE /a/b/c", "CREATE /a/b/c/f"] {
                o.at("watch")?.holds(all.iter().any(|known| known == event), event, &all)?;
            }
            Ok(())
        }),
    case("filesystem/watch-dir/keepalive", "contract 10", &["10.watchdir-keepalive"])
        .requires("with Keepalive-Ping-Interval: 1 a quiet stream has a keepalive after a second")
        .why("proxies cut a connection that is silent")
        .features(STREAM)
        .needs(STREAMS)
        .timing()
        .act(act!(|p| {
            let mut open = watch_dir(p, false, &[("keepalive-ping-interval", "1")]).await?;
            let since = std::time::Instant::now();
            open.until_with(KEEPALIVE + SOON, |seen| messages(&seen.body).len() >= 2).await;
            p.measure("keepalive after", since.elapsed());
            p.keep("watch", open);
            Ok(())
        }))
        .judge(|o| {
            let all = messages(&o.at("watch")?.exchange.body);
            o.at("watch")?.same("messages", all, vec![json!({ "start": {} }), json!({ "keepalive": {} })])?;
            let after = o.measured("keepalive after")?.as_secs_f64();
            o.at("watch")?.holds(
                (0.5..KEEPALIVE.as_secs_f64()).contains(&after),
                "a second between start and keepalive",
                after,
            )
        }),
    case("filesystem/watch-dir/keepalive-unreadable", "contract 10", &["10.watchdir-keepalive-default"])
        .requires(
            "an interval of 0, below it, or that is no number means the default of 90 s: no \
            keepalive comes soon",
        )
        .why("0 taken as it stands floods the client")
        .features(STREAM)
        .needs(&["filesystem/watch-dir/keepalive"])
        .act(act!(|p| {
            let mut opened = Vec::new();
            for value in ["0", "-1", "soon"] {
                opened.push((value, watch_dir(p, false, &[("keepalive-ping-interval", value)]).await?));
            }
            tokio::time::sleep(SOON).await;
            fs(p, "change", "MakeDir", json!({ "path": p.path("d/a") })).await?;
            for (value, mut open) in opened {
                open.until(|seen| contains(&seen.body, "d/a\"")).await;
                p.keep(value, open);
            }
            Ok(())
        }))
        .judge(|o| {
            ["0", "-1", "soon"].iter().try_for_each(|value| {
                let seen = o.at(value)?;
                let all = messages(&seen.exchange.body);
                seen.holds(all.len() >= 2, "a start and an event", &all)?;
                seen.holds(all.iter().all(|message| message.get("keepalive").is_none()), "no keepalive", &all)
            })
        }),
    case("filesystem/watch-dir/leaves", "contract 10", &["10.watchdir-start"])
        .requires("a stream that is dropped ends its watch, and others go on: fifteen times over")
        .why("the kernel has few watches, and a page that is reloaded takes one each time")
        .features(STREAM)
        .needs(STREAMS)
        .act(act!(|p| {
            let mut stays = watch_dir(p, false, &[]).await?;
            for _ in 0..15 {
                drop(watch_dir(p, true, &[]).await?);
            }
            fs(p, "change", "MakeDir", json!({ "path": p.path("d/a") })).await?;
            stays.until(|seen| contains(&seen.body, "d/a\"")).await;
            p.keep("watch", stays);
            Ok(())
        }))
        .judge(|o| {
            o.at("change")?.ok()?;
            let all = streamed(o)?;
            o.at("watch")?.holds(all.iter().any(|event| event == "CREATE /a"), "CREATE /a", &all)
        }),
    case("filesystem/watch-dir/tilde-name", "contract 5", &["5.tilde-error"])
        .requires("~name is invalid_argument in END_STREAM")
        .why("the mistake must look like that of the other calls")
        .features(STREAM)
        .needs(&["process/start/events"])
        .positive_control(controls::began)
        .act(act!(|p| {
            controls::watch(p).await?;
            p.stream("watch", "filesystem.Filesystem/WatchDir", json!({ "path": "~user" })).await
        }))
        .judge(|o| o.at("watch")?.stream_error("invalid_argument", "cannot expand user-specific home dir")),
];
