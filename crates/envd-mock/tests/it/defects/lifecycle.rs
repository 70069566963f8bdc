//! Defects of `/init`, of life cycles, the preload and activity.

use std::time::Duration;

use envd_client::PreloadState;
use envd_mock::{Defect, MockEnvd, Pace};

use super::{pair, pair_of};
use crate::bare::{Wire, ask};
use crate::sh;

async fn init(mock: &MockEnvd, json: &str) -> u16 {
    ask("POST /init").with("content-type", "application/json").body(json).send(mock.addr()).await.status
}

async fn env(mock: &MockEnvd, name: &str) -> String {
    let envs = ask("GET /envs").send(mock.addr()).await.json();
    envs[name].as_str().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn defaults_are_accepted_and_ignored() {
    let [sound, faulty] = pair(Defect::DefaultsIgnored).await;
    for (mock, expected) in [(&sound, "user\n/tmp\n"), (&faulty, "root\n/root\n")] {
        assert_eq!(init(mock, r#"{"defaultUser":"user","defaultWorkdir":"/tmp"}"#).await, 204);
        assert_eq!(sh(&mock.client(), "id -un; pwd").await.stdout, expected);
    }
}

#[tokio::test]
async fn a_timestamp_of_rfc_3339_gates_nothing() {
    let [sound, faulty] = pair(Defect::Rfc3339Ignored).await;
    for (mock, expected) in [(&sound, "first"), (&faulty, "second")] {
        init(mock, r#"{"timestamp":"2026-05-05T05:05:05Z","envVars":{"A":"first"}}"#).await;
        init(mock, r#"{"timestamp":"2026-05-05T05:05:04Z","envVars":{"A":"second"}}"#).await;
        assert_eq!(env(mock, "A").await, expected);
        init(mock, r#"{"timestamp":"1900000000","envVars":{"A":"third"}}"#).await;
        init(mock, r#"{"timestamp":"1899999999.5","envVars":{"A":"fourth"}}"#).await;
        assert_eq!(env(mock, "A").await, "third", "decimal seconds gate both");
    }
}

#[tokio::test]
async fn a_nul_in_a_name_gets_no_answer() {
    let [sound, faulty] = pair(Defect::NulNameCrash).await;
    let body = r#"{"sandbox_id":"a\u0000b"}"#;
    assert_eq!(init(&sound, body).await, 400);
    let call = ask("POST /init").with("content-type", "application/json").body(body);
    let mut wire = Wire::open(faulty.addr()).await;
    wire.write(&call.bytes(faulty.addr())).await;
    assert_eq!(wire.rest().await, b"");
    assert_eq!(ask("GET /health").send(faulty.addr()).await.status, 200, "the mock itself stays");
}

#[tokio::test]
async fn the_first_life_cycle_after_a_snapshot_changes_nothing() {
    let [sound, faulty] = pair(Defect::FirstLifecycleIgnored).await;
    for (mock, reset) in [(&sound, true), (&faulty, false)] {
        let client = mock.client();
        client.start_memory_preload().await.unwrap();
        client.prepare_snapshot().await.unwrap();
        assert_eq!(init(mock, r#"{"lifecycle_id":"a"}"#).await, 204);
        let state = client.memory_preload_status().await.unwrap().state;
        assert_eq!(state == PreloadState::Idle, reset, "{state}");
    }
}

#[tokio::test]
async fn a_cancel_counts_before_the_start_and_after_the_end() {
    let [sound, faulty] = pair_of(Defect::CancelSticky, || MockEnvd::builder().clock(Pace::Manual)).await;
    for (mock, early, late) in [
        (&sound, PreloadState::Running, PreloadState::Done),
        (&faulty, PreloadState::Cancelled, PreloadState::Cancelled),
    ] {
        let client = mock.client();
        client.cancel_memory_preload().await.unwrap();
        assert_eq!(client.memory_preload_status().await.unwrap().state, PreloadState::Idle);
        assert_eq!(client.start_memory_preload().await.unwrap().state, PreloadState::Running);
        assert_eq!(client.memory_preload_status().await.unwrap().state, early);
        for id in ["a", "b"] {
            init(mock, &format!(r#"{{"lifecycle_id":"{id}"}}"#)).await;
        }
        client.start_memory_preload().await.unwrap();
        mock.clock().advance(Duration::from_secs(60)).unwrap();
        assert_eq!(client.memory_preload_status().await.unwrap().state, PreloadState::Done);
        client.cancel_memory_preload().await.unwrap();
        assert_eq!(client.memory_preload_status().await.unwrap().state, late);
    }
}

#[tokio::test]
async fn partitions_are_counted_beside_their_disk() {
    let machine = tempfile::tempdir().unwrap();
    let counters = |sectors: u32| {
        let line = |name: &str| format!(" 8 0 {name} 1 0 {sectors} 0 1 0 0 0 0 0 0\n");
        std::fs::write(machine.path().join("proc/diskstats"), line("sda") + &line("sda1")).unwrap();
    };
    for dir in ["proc", "sys/block/sda"] {
        std::fs::create_dir_all(machine.path().join(dir)).unwrap();
    }
    let builder = || MockEnvd::builder().clock(Pace::Manual).machine(machine.path());
    counters(0);
    let [sound, faulty] = pair_of(Defect::PartitionsCounted, builder).await;
    for mock in [&sound, &faulty] {
        // The first reading is taken.
        mock.guarded().await.unwrap();
    }
    counters(8);
    for (mock, expected) in [(&sound, 4096.0), (&faulty, 8192.0)] {
        mock.clock().advance(Duration::from_secs(1)).unwrap();
        assert_eq!(mock.client().activity().await.unwrap().disk_bps, expected);
    }
}
