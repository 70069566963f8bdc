//! Which path goes where.

use axum::extract::DefaultBodyLimit;
use axum::routing::{MethodRouter, delete, get, post, put};

use super::port::Context;
use super::{clock, connections, guest, journal, metrics, openapi, script, verify};

/// The largest file that is written in one request, in bytes.
const LARGEST_FILE: usize = 64 << 20;
/// The largest script, in bytes.
const LARGEST_SCRIPT: usize = 16 << 20;

/// Every path with its methods; `openapi.json` documents the same ones.
pub(super) fn routes() -> Vec<(&'static str, MethodRouter<Context>)> {
    let files = get(guest::read_file).put(guest::write_file).delete(guest::remove_file);
    let whole = get(script::read).put(script::replace).layer(DefaultBodyLimit::max(LARGEST_SCRIPT));
    let rules = get(script::rules).post(script::add).layer(DefaultBodyLimit::max(LARGEST_SCRIPT));
    vec![
        ("/guest", get(guest::describe)),
        ("/guest/processes", get(guest::processes)),
        ("/guest/programs", get(guest::programs)),
        ("/guest/files", files.layer(DefaultBodyLimit::max(LARGEST_FILE))),
        ("/guest/clock", post(guest::set_clock)),
        ("/guest/preload", put(guest::set_preload)),
        ("/guest/crash", post(connections::crash)),
        ("/script", whole),
        ("/script/rules", rules),
        ("/script/rules/{name}", delete(script::remove)),
        ("/schema", get(script::schema)),
        ("/journal", get(journal::query).delete(journal::forget)),
        ("/journal/stream", get(journal::stream)),
        ("/journal/export", get(journal::export)),
        ("/verify", post(verify::verify)),
        ("/coverage", get(verify::coverage)),
        ("/strict", get(verify::strict)),
        ("/reset", post(script::reset)),
        ("/clock", get(clock::read)),
        ("/clock/advance", post(clock::advance)),
        ("/connections/reset", post(connections::reset)),
        ("/connections/refuse", post(connections::refuse).delete(connections::listen_again)),
        ("/metrics", get(metrics::read)),
        ("/openapi.json", get(openapi::read)),
    ]
}
