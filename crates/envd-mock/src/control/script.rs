//! The script in force: read, replaced, added to, taken from, and put back as it was at the start.

use axum::Json;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode, header};
use serde::Deserialize;
use serde_json::Value;

use super::ask::{Asked, Content, bad, bad_script};
use super::port::Context;
use crate::fault::{self, CallRule, ConnectionRule, Form, Script};
use crate::live::{DeadRules, RuleReport, ScriptRefused};
use crate::routes::reply;

const TOML: &str = "application/toml";
/// What problems call a text that came here.
const SOURCE: &str = "body";

pub(super) async fn read(State(Context { live, .. }): State<Context>, headers: HeaderMap) -> Response {
    let script = live.script();
    match of(&headers, header::ACCEPT) {
        accept if accept.contains("toml") => {
            ([(header::CONTENT_TYPE, TOML)], script.to_toml()).into_response()
        }
        _ => Json(script.to_json()).into_response(),
    }
}

/// What becomes of rules that can never act.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Allow {
    #[serde(default)]
    allow_dead_rules: bool,
}

pub(super) async fn replace(
    State(Context { live, .. }): State<Context>,
    Asked(Allow { allow_dead_rules }): Asked<Allow>,
    headers: HeaderMap,
    Content(content): Content,
) -> Response {
    off_the_workers(move || {
        let alive_in = live.alive_in().filter(|_| !allow_dead_rules);
        let script = match script(&headers, &content, alive_in, |value| whole_script(value, alive_in)) {
            Ok(script) => script,
            Err(refused) => return refused.told(),
        };
        match live.admit(&script, DeadRules::allowed(allow_dead_rules)) {
            Ok(()) => {
                live.replace(script);
                StatusCode::NO_CONTENT.into_response()
            }
            Err(refused) => told(refused),
        }
    })
    .await
}

pub(super) async fn add(
    State(Context { live, .. }): State<Context>,
    Asked(Allow { allow_dead_rules }): Asked<Allow>,
    headers: HeaderMap,
    Content(content): Content,
) -> Response {
    off_the_workers(move || {
        let alive_in = live.alive_in().filter(|_| !allow_dead_rules);
        let added = match script(&headers, &content, alive_in, |value| some_rules(value, alive_in)) {
            Ok(script) => script,
            Err(refused) => return refused.told(),
        };
        let connections = added.connections.iter().map(|rule| rule.name.clone());
        let names: Vec<String> =
            connections.chain(added.calls.iter().map(|rule| rule.name.clone())).collect();
        let admitted = live.admit(&added, DeadRules::allowed(allow_dead_rules));
        match admitted.and_then(|()| live.add(added)) {
            Ok(()) => (StatusCode::CREATED, Json(serde_json::json!({ "added": names }))).into_response(),
            Err(refused) => told(refused),
        }
    })
    .await
}

/// A script of many megabytes takes a while to read: the calls of the mock do not wait for it.
async fn off_the_workers(work: impl FnOnce() -> Response + Send + 'static) -> Response {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|panic| reply::error(StatusCode::INTERNAL_SERVER_ERROR, panic.to_string()))
}

fn told(refused: ScriptRefused) -> Response {
    match refused {
        ScriptRefused::Dead(error) => bad_script(&error),
        ScriptRefused::NameTaken(_) => reply::error(StatusCode::CONFLICT, refused.to_string()),
        ScriptRefused::Unfit(unfit) => bad(unfit.to_string()),
    }
}

pub(super) async fn remove(
    State(Context { live, .. }): State<Context>,
    Path(name): Path<String>,
) -> Response {
    if live.remove(&name) {
        return StatusCode::NO_CONTENT.into_response();
    }
    reply::error(StatusCode::NOT_FOUND, format!("there is no rule called {name:?}"))
}

pub(super) async fn rules(State(Context { live, .. }): State<Context>) -> Json<Vec<RuleReport>> {
    Json(live.report())
}

pub(super) async fn schema() -> Json<Value> {
    Json(crate::script::script_schema())
}

pub(super) async fn reset(State(Context { live, .. }): State<Context>) -> StatusCode {
    live.reset();
    StatusCode::NO_CONTENT
}

/// Reads a script or a part of one in the form that its content type names.
fn script(
    headers: &HeaderMap,
    content: &[u8],
    alive_in: Option<u8>,
    json: impl FnOnce(&Value) -> Result<Script, Refusal>,
) -> Result<Script, Refusal> {
    let text =
        std::str::from_utf8(content).map_err(|error| Refusal::Text(format!("expected UTF-8, {error}")))?;
    let kind = of(headers, header::CONTENT_TYPE);
    match kind.split(';').next().unwrap_or_default().trim() {
        "application/json" => {
            let value = serde_json::from_str(text)
                .map_err(|error| Refusal::Text(format!("expected JSON, {error}")))?;
            json(&value)
        }
        TOML | "text/x-toml" => Ok(Script::read(Form::Toml, SOURCE, text, alive_in)?),
        "text/plain" => Ok(Script::read(Form::Expressions, SOURCE, text, alive_in)?),
        other => {
            let expected = "expected the content type application/json, application/toml or text/plain";
            Err(Refusal::Kind(format!("{expected}, got {other:?}")))
        }
    }
}

fn of(headers: &HeaderMap, name: header::HeaderName) -> &str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// Why something is no script.
enum Refusal {
    Script(fault::ScriptError),
    /// It is not even text of its kind, or has a part that cannot be.
    Text(String),
    /// Of a content type that no script has.
    Kind(String),
}

impl Refusal {
    fn told(self) -> Response {
        match self {
            Self::Script(error) => bad_script(&error),
            Self::Text(message) => bad(message),
            Self::Kind(message) => reply::error(StatusCode::UNSUPPORTED_MEDIA_TYPE, message),
        }
    }
}

impl From<fault::ScriptError> for Refusal {
    fn from(error: fault::ScriptError) -> Self {
        Self::Script(error)
    }
}

fn whole_script(value: &Value, alive_in: Option<u8>) -> Result<Script, Refusal> {
    Ok(Script::live_from_json(value, alive_in)?)
}

/// One rule with its target, or lists of them as in a script.
fn some_rules(value: &Value, alive_in: Option<u8>) -> Result<Script, Refusal> {
    let mut record = value.clone();
    let Some(target) = record.as_object_mut().and_then(|record| record.remove("target")) else {
        let other = ["seed", "program"].into_iter().find(|key| value.get(key).is_some());
        return match other {
            Some(key) => {
                Err(Refusal::Text(format!("/{key}: expected rules alone; PUT /script takes the rest")))
            }
            None => whole_script(value, alive_in),
        };
    };
    match target.as_str() {
        Some("call") => Ok(CallRule::live_from_json(&record, alive_in)?.into()),
        Some("connection") => Ok(ConnectionRule::from_json(&record)?.into()),
        _ => Err(Refusal::Text(format!("/target: expected \"call\" or \"connection\", got {target}"))),
    }
}
