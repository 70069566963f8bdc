//! The guest behind the port: what it is, what runs in it and has run, its files, its clock, its preload.

use std::io;
use std::time::{Duration, SystemTime};

use axum::Json;
use axum::extract;
use axum::response::{IntoResponse, Response};
use http::{StatusCode, header};
use serde::Deserialize;

use super::ask::{Asked, Content, Told, bad};
use super::port::{Context, Own};
use crate::guest::ProgramRun;
use crate::guest::preload::{Claim, State};
use crate::handle::{GuestHandle, ProcessSummary};
use crate::journal::millis;
use crate::routes::reply;

#[derive(Deserialize)]
pub(super) struct At {
    path: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Stepped {
    time: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Claimed {
    state: State,
    pages: Option<u64>,
    error: Option<String>,
}

pub(super) async fn describe(
    extract::State(Context { facts, .. }): extract::State<Context>,
    Own { handle: guest, .. }: Own,
) -> Response {
    let description = serde_json::json!({
        "url": facts.url,
        "generation": facts.generation.number(),
        "version": facts.version,
        "root": guest.root().display().to_string(),
        "users": users(&guest),
    });
    Json(description).into_response()
}

pub(super) async fn processes(Own { handle: guest, .. }: Own) -> Json<Vec<ProcessSummary>> {
    Json(guest.processes())
}

/// The programs that stand in for commands, and what they have done.
pub(super) async fn programs(Own { handle: guest, .. }: Own) -> Json<serde_json::Value> {
    let programs = guest.programs();
    let (runs, dropped) = programs.kept();
    let runs: Vec<_> = runs.iter().map(run).collect();
    Json(serde_json::json!({ "programs": programs.runs(), "runs": runs, "dropped": dropped }))
}

/// A run, in the words of the journal.
fn run(run: &ProgramRun) -> serde_json::Value {
    serde_json::json!({
        "program": run.program,
        "pid": run.pid,
        "cmd": run.cmd,
        "args": run.args,
        "cwd": run.cwd,
        "user": run.user,
        "tag": run.tag,
        "at_ms": millis(run.at),
        "ended_ms": run.ended.map(millis),
        "exit_code": run.exit_code,
        "status": run.status,
    })
}

pub(super) async fn read_file(Own { handle: guest, .. }: Own, Asked(At { path }): Asked<At>) -> Response {
    let seen = path.clone();
    match blocking(move || guest.read_file(&path)).await {
        Ok(content) => ([(header::CONTENT_TYPE, "application/octet-stream")], content).into_response(),
        Err(error) => failure(&seen, &error),
    }
}

pub(super) async fn write_file(
    Own { handle: guest, .. }: Own,
    Asked(At { path }): Asked<At>,
    Content(content): Content,
) -> Response {
    let seen = path.clone();
    done(&seen, blocking(move || guest.write_file(&path, content)).await)
}

pub(super) async fn remove_file(Own { handle: guest, .. }: Own, Asked(At { path }): Asked<At>) -> Response {
    let seen = path.clone();
    done(&seen, blocking(move || guest.remove(&path)).await)
}

/// Steps the clock that the guest shows, as `/init` does.
pub(super) async fn set_clock(Own { guest, .. }: Own, Told(Stepped { time }): Told<Stepped>) -> Response {
    match time.parse::<jiff::Timestamp>() {
        Ok(time) => {
            // What lies before 1970 has no HTTP date.
            let since = Duration::try_from(time.as_duration()).unwrap_or_default();
            guest.clock.step_to(SystemTime::UNIX_EPOCH + since);
            StatusCode::NO_CONTENT.into_response()
        }
        Err(error) => bad(format!("expected a time such as 2031-05-06T07:08:09Z, got {time:?}: {error}")),
    }
}

/// Says from now on that the preload is in this state, until the next life cycle.
pub(super) async fn set_preload(Own { guest, .. }: Own, Told(told): Told<Claimed>) -> Response {
    let Claimed { state, pages, error } = told;
    match guest.preload.claim(Claim { state, pages, error }) {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(refused) => bad(refused.to_string()),
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}

fn done(path: &str, result: io::Result<()>) -> Response {
    match result {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(error) => failure(path, &error),
    }
}

fn failure(path: &str, error: &io::Error) -> Response {
    let status = match error.kind() {
        io::ErrorKind::NotFound => StatusCode::NOT_FOUND,
        io::ErrorKind::StorageFull => StatusCode::INSUFFICIENT_STORAGE,
        _ => StatusCode::BAD_REQUEST,
    };
    reply::error(status, format!("{path}: {error}"))
}

/// The names in the guest's passwd.
fn users(guest: &GuestHandle) -> Vec<String> {
    let passwd = guest.read_file("/etc/passwd").unwrap_or_default();
    let text = String::from_utf8_lossy(&passwd);
    text.lines().filter_map(|line| line.split_once(':')).map(|(name, _)| name.to_owned()).collect()
}
