//! What has happened, compared with what was expected, and what was never tried.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode, header};
use serde::Deserialize;
use serde_json::{Value, json};

use super::ask::{Span, Told, bad, bad_script};
use super::port::Context;
use crate::fault::Expect;
use crate::routes::reply;
use crate::strict::StrictReport;
use crate::verify::{self, Expectations, Unverified};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct More {
    expect: Vec<Value>,
    #[serde(default)]
    in_order: bool,
    #[serde(default)]
    nothing_else: bool,
    settle: Option<Span>,
}

pub(super) async fn verify(
    State(Context { live, .. }): State<Context>,
    Told(asked): Told<Value>,
) -> Response {
    let more = match more(asked) {
        Ok(more) => more,
        Err(refused) => return bad(refused),
    };
    let list: Vec<_> = match more.expect.iter().map(Expect::from_json).collect::<Result<_, _>>() {
        Ok(list) => list,
        Err(error) => return bad_script(&error),
    };
    if let Some(Span(longest)) = more.settle {
        live.journal.settled(longest).await;
    }
    let expectations = Expectations { list, in_order: more.in_order, nothing_else: more.nothing_else };
    // A long journal takes a while to go through: the calls of the mock do not wait for it.
    let verified = tokio::task::spawn_blocking(move || verify::of(&live, &expectations)).await;
    let verified = match verified {
        Ok(verified) => verified,
        Err(panic) => return reply::error(StatusCode::INTERNAL_SERVER_ERROR, panic.to_string()),
    };
    match verified {
        Ok(()) => Json(json!({ "ok": true, "failures": [] })).into_response(),
        Err(Unverified::Bad(error)) => bad_script(&error),
        Err(Unverified::Failed(failed)) => {
            let text = failed.to_string();
            let (failures, dropped) = (failed.failures, failed.dropped);
            Json(json!({ "ok": false, "failures": failures, "dropped": dropped, "text": text }))
                .into_response()
        }
    }
}

fn more(asked: Value) -> Result<More, String> {
    let asked = if asked.is_array() { json!({ "expect": asked }) } else { asked };
    serde_json::from_value(asked).map_err(|error| {
        let expected = "a list of expectations, or an object with expect, in_order, nothing_else and settle";
        format!("expected {expected}: {error}")
    })
}

pub(super) async fn strict(State(Context { live, .. }): State<Context>) -> Json<StrictReport> {
    Json(live.strict_report(live.strictness))
}

pub(super) async fn coverage(State(Context { live, .. }): State<Context>, headers: HeaderMap) -> Response {
    let coverage = live.coverage();
    let accept = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    if accept.starts_with("text/plain") {
        coverage.to_string().into_response()
    } else {
        Json(coverage).into_response()
    }
}
