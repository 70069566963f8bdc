//! Each known defect from outside: a guest that has it beside one that is sound.

mod files;
mod lifecycle;
mod processes;
mod wire;

use envd_mock::{Builder, Defect, Generation, MockEnvd};

/// A sound guest, and one with the defect, of the first generation whose builds have it.
async fn pair(defect: Defect) -> [MockEnvd; 2] {
    pair_of(defect, MockEnvd::builder).await
}

/// As `pair`, of guests with something else in common.
async fn pair_of(defect: Defect, builder: impl Fn() -> Builder) -> [MockEnvd; 2] {
    let builds = |generation: &Generation| Defect::as_built(*generation).any(|built| built == defect);
    let generation = Generation::ALL.into_iter().find(builds).expect("some build has it");
    let builder = || builder().generation(generation);
    [builder().start().await.unwrap(), builder().defect(defect).start().await.unwrap()]
}

#[test]
fn every_defect_is_shown_by_a_test() {
    let tests = [
        include_str!("defects/files.rs"),
        include_str!("defects/lifecycle.rs"),
        include_str!("defects/processes.rs"),
        include_str!("defects/wire.rs"),
    ]
    .concat();
    for defect in Defect::all() {
        let shown = [format!("pair(Defect::{defect:?})"), format!("pair_of(Defect::{defect:?},")];
        assert!(shown.iter().any(|text| tests.contains(text)), "no test shows {defect} ({})", defect.id());
    }
}

#[tokio::test]
async fn a_defect_that_cannot_show_is_refused() {
    let error = MockEnvd::builder().defect(Defect::PutDropsLink).start().await.unwrap_err();
    assert_eq!(error.to_string(), "the defect put-drops-link shows in generation 3 only, and this is 2");
    assert_eq!(error.exit_code(), 2);
}

#[tokio::test]
async fn as_built_is_the_set_of_its_generation() {
    for generation in Generation::ALL {
        let mock = MockEnvd::builder().generation(generation).as_built(true).start().await.unwrap();
        let missing = crate::bare::unary("/filesystem.Filesystem/Remove", r#"{"path":"/tmp/none"}"#);
        assert_eq!(missing.send(mock.addr()).await.status, 500, "{generation}");
        let mut events = mock.client().command("echo").arg("hi").stream().await.unwrap();
        assert!(matches!(events.next().await, Some(Ok(envd_client::Event::Start { .. }))), "{generation}");
    }
}
