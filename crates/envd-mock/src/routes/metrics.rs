//! `GET /metrics` (contract, section 3.2).

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;

use super::reply::NO_STORE;
use crate::guest::Guest;
use crate::guest::stats::Stats;

const MIB: u64 = 1 << 20;

#[derive(serde::Serialize)]
struct Metrics {
    ts: u64,
    cpu_count: usize,
    cpu_used_pct: f64,
    mem_total_mib: u64,
    mem_used_mib: u64,
    mem_total: u64,
    mem_used: u64,
    disk_used: u64,
    disk_total: u64,
}

pub(crate) async fn get(State(guest): State<Arc<Guest>>) -> Response {
    match read(&guest) {
        Ok(metrics) => (NO_STORE, Json(metrics)).into_response(),
        Err(error) => {
            tracing::warn!(%error, "the guest's disk cannot be measured");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

fn read(guest: &Guest) -> std::io::Result<Metrics> {
    let (activity, memory, disk) = (
        guest.stats.activity(guest.config.time.now()),
        guest.stats.memory(),
        Stats::disk(&guest.stand().root)?,
    );
    Ok(Metrics {
        ts: guest.clock.unix_seconds(),
        cpu_count: activity.cpu_count,
        cpu_used_pct: activity.cpu_used_pct,
        mem_total_mib: memory.total / MIB,
        mem_used_mib: memory.used / MIB,
        mem_total: memory.total,
        mem_used: memory.used,
        disk_used: disk.used,
        disk_total: disk.total,
    })
}
