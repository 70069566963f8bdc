//! Mishaps of the memory preload.

use std::time::Duration;

use serde_json::{Value, json};

use super::harness::TestGuest;
use crate::guest::mishap::MishapKind;
use crate::guest::preload::Plight;
use crate::time::Pace;

const PATH: &str = "/memory/preload";
const DAY: Duration = Duration::from_secs(86_400);

impl TestGuest {
    async fn begin(&self, plight: Plight) -> Value {
        self.json("POST", PATH, None, Some(MishapKind::Preload(plight))).await.1
    }

    async fn state(&self) -> Value {
        self.json("GET", PATH, None, None).await.1
    }

    async fn new_life(&self, id: u32) {
        let body = json!({ "lifecycle_id": id.to_string() });
        assert_eq!(self.json("POST", "/init", Some(body), None).await.0, 204);
    }
}

#[tokio::test]
async fn a_preload_is_stuck_slow_failing_or_lying_until_the_next_life() {
    let test = TestGuest::at(Pace::Manual).await;
    test.new_life(0).await;
    assert_eq!(test.begin(Plight::Stuck).await["state"], "running");
    test.time.advance(DAY).unwrap();
    let stuck = test.state().await;
    assert_eq!((&stuck["state"], &stuck["pages"]), (&json!("running"), &json!(0)));

    test.new_life(1).await;
    assert_eq!(test.state().await["state"], "idle");
    assert_eq!(test.begin(Plight::Slow(DAY)).await["state"], "running");
    test.time.advance(DAY / 2).unwrap();
    let half = test.state().await;
    assert_eq!((&half["state"], &half["bytes"]), (&json!("running"), &json!(128 << 20)));
    test.time.advance(DAY / 2).unwrap();
    assert_eq!(test.state().await["state"], "done");

    test.new_life(2).await;
    test.begin(Plight::Fails("/dev/mem: no".into())).await;
    test.time.advance(Duration::from_secs(1)).unwrap();
    let failed = test.state().await;
    assert_eq!((&failed["state"], &failed["error"]), (&json!("failed"), &json!("/dev/mem: no")));

    test.new_life(3).await;
    let lie = test.begin(Plight::Lies).await;
    let nothing = [&lie["pages"], &lie["bytes"], &lie["regions"]];
    assert_eq!((&lie["state"], nothing), (&json!("done"), [&json!(0); 3]));
    assert_eq!(test.told.words().len(), 4);

    test.begin(Plight::Stuck).await;
    assert_eq!(test.told.words().len(), 4, "a run that was not started cannot be stuck");
}
