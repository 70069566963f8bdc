//! Recordings of connect-go and bytes written by hand, played to the client: it must read in them what they say.

use std::time::Duration;

use envd_client::{Client, Codec, Event, Selector};
use envd_proto::process::{
    ConnectResponse, ProcessEvent, StartResponse, process_event, process_event::data_event::Output,
};
use envd_proto::{filesystem, json, process};
use serde_json::Value;

use crate::peer::{Peer, soon};
use recording::{Direction, Recording};

#[path = "../../../envd-proto/tests/it/recording.rs"]
#[expect(dead_code, reason = "shared with the tests of the messages, which use the rest")]
mod recording;

/// The response as it was on the wire, with the length that the recordings leave out.
fn response(direction: &Direction) -> Vec<u8> {
    let length = direction.body.len();
    let head = format!("{}\r\nContent-Length: {length}\r\n\r\n", direction.head.join("\r\n"));
    [head.as_bytes(), &direction.body].concat()
}

fn expected_code(response: &Direction) -> Option<String> {
    let end = response.end.as_ref().and_then(|end| end.get("error"));
    Some(end.or(response.error.as_ref())?["code"].as_str().unwrap().to_owned())
}

fn as_event(event: Option<ProcessEvent>) -> Option<Event> {
    match event?.event? {
        process_event::Event::Start(start) => Some(Event::Start { pid: start.pid }),
        process_event::Event::Data(data) => Some(match data.output? {
            Output::Stdout(data) => Event::Stdout(data),
            Output::Stderr(data) => Event::Stderr(data),
            Output::Pty(data) => Event::Pty(data),
        }),
        process_event::Event::End(end) => Some(Event::End(envd_client::Exit {
            code: end.exit_code,
            exited: end.exited,
            status: end.status,
            error: end.error,
        })),
        process_event::Event::Keepalive(_) => None,
    }
}

fn stated<M: prost::Message + prost::Name + Default>(message: &Value) -> M {
    json::decode(message.to_string().as_bytes()).unwrap()
}

/// What the client makes of a stream of process events, and what it should.
async fn process_events(client: Client, recording: &Recording) -> Result<(), String> {
    let (starts, response) = (recording.request.kind.ends_with("StartRequest"), &recording.response);
    let events = if starts {
        client.command("true").stream().await
    } else {
        client.process(Selector::Tag("job-1".into())).connect().await
    };
    let wanted = response.messages.iter().filter_map(|message| {
        as_event(if starts {
            stated::<StartResponse>(message).event
        } else {
            stated::<ConnectResponse>(message).event
        })
    });
    let (wanted, mut seen, mut failed) = (wanted.collect::<Vec<_>>(), Vec::new(), None);
    match events {
        Err(error) => failed = error.code(),
        Ok(mut events) => {
            while let Some(event) = events.next().await {
                match event {
                    Ok(event) => seen.push(event),
                    Err(error) => failed = error.code(),
                }
            }
        }
    }
    let code = failed.map(|code| code.as_str().to_owned());
    (seen == wanted && code == expected_code(response)).then_some(()).ok_or_else(|| {
        format!("expected {wanted:?} and {:?}, seen {seen:?} and {code:?}", expected_code(response))
    })
}

/// The same for a call that is answered once; `read` gives what the client made of the answer.
fn once<T>(
    response: &Direction,
    answer: Result<T, envd_client::Error>,
    read: impl FnOnce(T, Option<&Value>) -> bool,
) -> Result<(), String> {
    match (answer, expected_code(response)) {
        (Ok(answer), None) => {
            read(answer, response.messages.first()).then_some(()).ok_or_else(|| "another answer".to_owned())
        }
        (Err(error), Some(code)) if error.code().is_some_and(|seen| seen.as_str() == code) => Ok(()),
        (Ok(_), Some(code)) => Err(format!("expected {code}, seen success")),
        (Err(error), code) => Err(format!("expected {code:?}, seen {error}")),
    }
}

async fn play(client: Client, recording: &Recording) -> Result<(), String> {
    let (job, response) = (client.process(Selector::Tag("job-1".into())), &recording.response);
    match recording.request.kind.as_str() {
        "process.StartRequest" | "process.ConnectRequest" => process_events(client, recording).await,
        "process.ListRequest" => once(response, client.list().await, |seen, wanted| {
            let wanted: process::ListResponse = stated(wanted.unwrap());
            let wanted = wanted.processes.into_iter().map(|one| (one.pid, one.tag));
            seen.into_iter().map(|one| (one.pid, one.tag)).eq(wanted)
        }),
        "process.SendInputRequest" => once(response, job.send_stdin("x").await, |(), _| true),
        "process.SendSignalRequest" => once(response, job.kill().await, |(), _| true),
        "process.UpdateRequest" => {
            once(response, job.resize(envd_client::Size::new(1, 2)).await, |(), _| true)
        }
        "process.StreamInputRequest" => {
            let sent = job.stream_stdin(futures::stream::iter([Ok(bytes::Bytes::from("x"))])).await;
            once(response, sent, |(), _| true)
        }
        "filesystem.StatRequest" => once(response, client.stat("/a").await, |seen, wanted| {
            let wanted = stated::<filesystem::StatResponse>(wanted.unwrap()).entry.unwrap();
            (seen.path, seen.size, seen.owner) == (wanted.path, wanted.size, wanted.owner)
        }),
        "filesystem.ListDirRequest" => once(response, client.list_dir("/", 1).await, |seen, wanted| {
            let wanted = stated::<filesystem::ListDirResponse>(wanted.unwrap()).entries;
            seen.into_iter().map(|one| one.path).eq(wanted.into_iter().map(|one| one.path))
        }),
        "filesystem.WatchDirRequest" => {
            let mut watch = client.watch_dir("/tmp/w", true).await.map_err(|error| error.to_string())?;
            let mut seen = Vec::new();
            while let Some(event) = watch.next().await {
                seen.push(event.map_err(|error| error.to_string())?.path);
            }
            let events = response.messages.iter().map(stated::<filesystem::WatchDirResponse>);
            let wanted: Vec<_> = events
                .filter_map(|event| match event.event? {
                    filesystem::watch_dir_response::Event::Filesystem(event) => Some(event.name),
                    _ => None,
                })
                .collect();
            (seen == wanted).then_some(()).ok_or_else(|| format!("expected {wanted:?}, seen {seen:?}"))
        }
        other => Err(format!("expected a call that this test can make, found {other}: add it")),
    }
}

#[tokio::test]
async fn the_client_reads_in_recordings_what_they_say() {
    let recordings = recording::all();
    assert!(!recordings.is_empty());
    let mut wrong = Vec::new();
    for recording in &recordings {
        let codec = if recording.request.is_json() { Codec::Json } else { Codec::Proto };
        let peer = Peer::bind().await;
        let client = peer.builder().codec(codec).unary_timeout(Duration::from_secs(5)).build().unwrap();
        let played = soon(async {
            tokio::join!(play(client, recording), async {
                let mut conn = peer.accept().await;
                conn.request().await;
                conn.send(&response(&recording.response)).await;
            })
        });
        if let (Err(error), ()) = played.await {
            wrong.push(format!("{}: {error}", recording.name));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
