//! The same call in JSON and in binary, and what the forms may look like (contract part 0 and 1).

use envd_proto::filesystem as fs_proto;
use envd_proto::filesystem::{
    CreateWatcherResponse, GetWatcherEventsResponse, ListDirResponse, MakeDirResponse, MoveResponse,
    StatResponse,
};
use envd_proto::process as ps_proto;
use envd_proto::process::process_event::Event;
use envd_proto::process::process_selector::Selector;
use envd_proto::process::{ListResponse, StartResponse};
use prost::{Message, Name};
use serde_json::json;

use crate::case::{Case, act, case};
use crate::observation::Observation;
use crate::probe::{Ask, shell};
use crate::stream::envelope;
use crate::suites::helpers::{fs, ps, send};
use crate::verdict::{Judged, Objection};

const SAME: &[&str] = &["wire/unary/json-is-binary"];

pub(super) fn binary(rpc: &str, message: &impl Message) -> Ask {
    Ask::new("POST", format!("/{rpc}"))
        .header("content-type", "application/proto")
        .body(message.encode_to_vec())
}

fn binary_stream(rpc: &str, message: &impl Message) -> Ask {
    let ask = Ask::new("POST", format!("/{rpc}")).header("content-type", "application/connect+proto");
    ask.body(envelope::write(0, &message.encode_to_vec()))
}

pub(super) fn decoded<M: Message + Default>(o: &Observation, label: &str) -> Result<M, Objection> {
    let seen = o.at(label)?;
    seen.status(200)?;
    M::decode(seen.exchange.body.as_slice()).map_err(|why| seen.wrong("a binary message", why.to_string()))
}

/// The two steps carry the same message, one in JSON and one in binary.
pub(super) fn same<M: Message + Default + Name + PartialEq + std::fmt::Debug>(
    o: &Observation,
    json: &str,
    binary: &str,
) -> Judged {
    let text = o.at(json)?;
    text.status(200)?;
    let of_json = envd_proto::json::decode::<M>(&text.exchange.body);
    let of_json = of_json.map_err(|why| text.wrong("canonical JSON", why.to_string()))?;
    let of_binary = decoded::<M>(o, binary)?;
    let holds = of_json == of_binary;
    o.at(binary)?.holds(holds, &format!("the message {of_json:?}"), format!("{of_binary:?}"))
}

fn by_tag(tag: String) -> Option<ps_proto::ProcessSelector> {
    Some(ps_proto::ProcessSelector { selector: Some(Selector::Tag(tag)) })
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|&word| word.to_owned()).collect()
}

pub(in crate::suites) const CASES: &[Case] = &[
    case(
        "wire/forms/list-dir",
        "contract part 0 and 1",
        &["0.filesystem.entry-fields", "0.filesystem.list-fields", "0.filesystem.rpcs"],
    )
    .requires("ListDir answers the same in both forms, for files, directories and links")
    .why("the host speaks binary, people and scripts speak JSON")
    .needs(&["process/start/events", "wire/unary/json-is-binary"])
    .act(act!(|p| {
        p.sh(
            "make",
            &format!("mkdir -p {0}/a && cd {0} && echo x > f && ln -s f l && ln -s gone m", p.path("d")),
        )
        .await?;
        fs(p, "json", "ListDir", json!({ "path": p.path("d"), "depth": 2 })).await?;
        let message = fs_proto::ListDirRequest { path: p.path("d"), depth: 2 };
        send(p, "binary", binary("filesystem.Filesystem/ListDir", &message)).await
    }))
    .judge(|o| {
        let listed = decoded::<ListDirResponse>(o, "binary")?.entries.len();
        o.at("binary")?.same("entries", listed, 4)?;
        same::<ListDirResponse>(o, "json", "binary")
    }),
    case(
        "wire/forms/make-and-move",
        "contract part 0 and 1",
        &["0.filesystem.move-fields", "0.filesystem.rpcs"],
    )
    .requires("MakeDir, Move and Remove do in binary what they do in JSON")
    .why("the host changes trees in binary")
    .needs(SAME)
    .act(act!(|p| {
        let rpc = |name: &str| format!("filesystem.Filesystem/{name}");
        let (a, b) = (p.path("a"), p.path("b"));
        send(p, "make", binary(&rpc("MakeDir"), &fs_proto::MakeDirRequest { path: a.clone() })).await?;
        let moves = fs_proto::MoveRequest { source: a, destination: b.clone() };
        send(p, "move", binary(&rpc("Move"), &moves)).await?;
        send(p, "stat", binary(&rpc("Stat"), &fs_proto::StatRequest { path: b.clone() })).await?;
        send(p, "remove", binary(&rpc("Remove"), &fs_proto::RemoveRequest { path: b.clone() })).await?;
        fs(p, "gone", "Stat", json!({ "path": b })).await.map(drop)
    }))
    .judge(|o| {
        let made = decoded::<MakeDirResponse>(o, "make")?.entry.unwrap_or_default();
        o.at("make")?.same("path", made.path, format!("{}/a", o.dir))?;
        let moved = decoded::<MoveResponse>(o, "move")?.entry.unwrap_or_default();
        o.at("move")?.same("path", &moved.path, &format!("{}/b", o.dir))?;
        let looked = decoded::<StatResponse>(o, "stat")?.entry.unwrap_or_default();
        o.at("stat")?.holds(looked == moved, &format!("{moved:?}"), format!("{looked:?}"))?;
        o.at("remove")?.status(200)?;
        o.at("remove")?.body_is(b"")?;
        o.at("gone")?.error(404, "not_found", "")
    }),
    case(
        "wire/forms/watcher",
        "contract part 0 and 1",
        &["0.filesystem.watch-fields", "0.filesystem.event-enum"],
    )
    .requires("a watcher is made, drained and removed in binary, with the numbers of the event types")
    .why("a number that is one off is another event")
    .needs(&["wire/unary/json-is-binary", "filesystem/watcher/drains"])
    .act(act!(|p| {
        let rpc = |name: &str| format!("filesystem.Filesystem/{name}");
        fs(p, "make", "MakeDir", json!({ "path": p.path("d") })).await?;
        let message = fs_proto::CreateWatcherRequest { path: p.path("d"), recursive: true };
        let created = p.send("create", binary(&rpc("CreateWatcher"), &message)).await?;
        let watcher_id =
            CreateWatcherResponse::decode(created.body.as_slice()).unwrap_or_default().watcher_id;
        fs(p, "change", "MakeDir", json!({ "path": p.path("d/a") })).await?;
        let ask = fs_proto::GetWatcherEventsRequest { watcher_id: watcher_id.clone() };
        for _ in 0..200 {
            if !p.send("events", binary(&rpc("GetWatcherEvents"), &ask)).await?.body.is_empty() {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        send(p, "remove", binary(&rpc("RemoveWatcher"), &fs_proto::RemoveWatcherRequest { watcher_id })).await
    }))
    .judge(|o| {
        decoded::<CreateWatcherResponse>(o, "create")?;
        let last = o.steps.iter().rfind(|step| step.label == "events").map(|step| step.exchange.body.clone());
        let events =
            GetWatcherEventsResponse::decode(last.unwrap_or_default().as_slice()).unwrap_or_default().events;
        let first = events.first().map(|event| (event.name.clone(), event.r#type));
        o.at("events")?.same("first event", first, Some((format!("{}/d/a", o.dir), 1)))?;
        o.at("remove")?.status(200)
    }),
    case(
        "wire/forms/process-list",
        "contract part 0 and 1",
        &["0.process.config-fields", "4.3.fields", "0.process.rpcs"],
    )
    .requires("List answers the same in both forms: config, pid and tag")
    .why("the host finds its processes in binary")
    .needs(&["wire/unary/json-is-binary", "process/list/shows"])
    .act(act!(|p| {
        let mut process = shell("read line");
        process["envs"] = json!({ "A": "b" });
        process["cwd"] = "/usr".into();
        let open = p.start("run", json!({ "process": process, "stdin": true })).await?;
        ps(p, "json", "List", json!({})).await?;
        send(p, "binary", binary("process.Process/List", &ps_proto::ListRequest {})).await?;
        p.kill("run").await?;
        p.keep("run", open);
        Ok(())
    }))
    .judge(|o| {
        let tag = format!("{}/run", o.dir.trim_start_matches("/tmp/"));
        let own =
            |list: ListResponse| list.processes.into_iter().find(|info| info.tag.as_deref() == Some(&tag));
        let text = o.at("json")?;
        text.status(200)?;
        let of_json = envd_proto::json::decode::<ListResponse>(&text.exchange.body);
        let of_json = own(of_json.map_err(|why| text.wrong("canonical JSON", why.to_string()))?);
        let of_binary = own(decoded::<ListResponse>(o, "binary")?);
        let holds = of_json.is_some() && of_json == of_binary;
        o.at("binary")?.holds(holds, &format!("the entry {of_json:?}"), format!("{of_binary:?}"))?;
        let config = of_binary.and_then(|info| info.config).unwrap_or_default();
        o.at("binary")?.same("args", config.args, words(&["-c", "read line"]))
    }),
    case(
        "wire/forms/whole-process",
        "contract part 0 and 1",
        &[
            "0.process.start-fields",
            "0.process.event-fields",
            "0.process.input-fields",
            "0.process.end-fields",
        ],
    )
    .requires("a process is started, fed, closed and ended in binary alone")
    .why("it is all that the host ever speaks")
    .needs(&["wire/stream/binary", "process/send-input/reaches"])
    .act(act!(|p| {
        let config = ps_proto::ProcessConfig {
            cmd: "/bin/sh".into(),
            args: words(&["-c", "cat; echo err >&2; kill -9 $$"]),
            ..Default::default()
        };
        let start = ps_proto::StartRequest {
            process: Some(config),
            tag: Some(p.own_tag("run")),
            ..Default::default()
        };
        let mut open = p.open(binary_stream("process.Process/Start", &start)).await?;
        open.until_frames(1).await;
        let stdin = ps_proto::process_input::Input::Stdin(b"fed".as_slice().into());
        let input = Some(ps_proto::ProcessInput { input: Some(stdin) });
        let message = ps_proto::SendInputRequest { process: by_tag(p.tag("run")), input };
        send(p, "input", binary("process.Process/SendInput", &message)).await?;
        let message = ps_proto::CloseStdinRequest { process: by_tag(p.tag("run")) };
        send(p, "close", binary("process.Process/CloseStdin", &message)).await?;
        p.finish("run", open).await;
        Ok(())
    }))
    .judge(|o| {
        for label in ["input", "close"] {
            o.at(label)?.status(200)?;
            o.at(label)?.body_is(b"")?;
        }
        let seen = o.at("run")?;
        let mut frames = seen.frames()?;
        frames.pop();
        let decode =
            |frame: &envelope::Frame| StartResponse::decode(frame.data.as_slice()).ok()?.event?.event;
        let all: Vec<Event> = frames.iter().filter_map(decode).collect();
        let end = all.last().and_then(|event| match event {
            Event::End(end) => Some((end.exit_code, end.exited, end.status.clone())),
            _ => None,
        });
        seen.same("end", end, Some((-1, false, "signal: 9 (SIGKILL)".to_owned())))?;
        let shown = format!("{all:?}");
        seen.holds(shown.contains("fed") && shown.contains("err"), "fed and err in the output", shown)
    }),
    case(
        "wire/forms/signal-and-update",
        "contract part 0",
        &["0.process.signal-enum", "0.process.empty-answers", "0.process.selector-fields", "0.process.rpcs"],
    )
    .requires("Update and SendSignal by pid work in binary, with empty answers")
    .why("a resized window and a stopped command are binary calls")
    .needs(&["wire/stream/binary", "process/update/resizes"])
    .act(act!(|p| {
        let size = json!({ "size": { "cols": 80, "rows": 24 } });
        let script = "trap 'stty size; exit 0' TERM; echo up; while :; do sleep 0.05; done";
        let mut open = p.start("run", json!({ "process": shell(script), "pty": size })).await?;
        open.until_output("up").await;
        let pid = u32::try_from(crate::probe::pid(&open)?).unwrap_or_default();
        let process = Some(ps_proto::ProcessSelector { selector: Some(Selector::Pid(pid)) });
        let size = Some(ps_proto::pty::Size { cols: 99, rows: 33 });
        let update = ps_proto::UpdateRequest { process: process.clone(), pty: Some(ps_proto::Pty { size }) };
        send(p, "update", binary("process.Process/Update", &update)).await?;
        let signal = ps_proto::SendSignalRequest { process, signal: 15 };
        send(p, "signal", binary("process.Process/SendSignal", &signal)).await?;
        p.finish("run", open).await;
        Ok(())
    }))
    .judge(|o| {
        for label in ["update", "signal"] {
            o.at(label)?.status(200)?;
            o.at(label)?.body_is(b"")?;
        }
        let seen = o.at("run")?;
        let text = String::from_utf8_lossy(&seen.succeeded()?.pty).into_owned();
        seen.holds(text.contains("33 99"), "33 99 as the size", text)
    }),
];
