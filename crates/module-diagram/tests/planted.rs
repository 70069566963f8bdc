//! Planted mistakes: the check finds a wrong dependency however it is written, an undeclared module, a line of the diagram
//! that is no longer true, and a cycle.

use module_diagram::{Line, Sources, violations};

const DIAGRAM: &[Line<'_>] = &[("api", &["core"]), ("core", &[]), ("edge", &["api"])];

fn sources() -> Sources {
    Sources::default()
        .with("lib.rs", "mod api; mod core; mod edge; pub use api::{Handle, open};")
        .with("api.rs", "use crate::core::Rule;")
        .with("core/mod.rs", "mod rule; pub use rule::Rule;")
        .with("core/rule.rs", "use super::Other;")
        .with("edge/run.rs", "use crate::Handle;")
}

#[test]
fn a_crate_that_follows_its_diagram_has_no_violations() {
    assert_eq!(violations(&sources(), DIAGRAM), Vec::<String>::new());
}

#[test]
fn a_wrong_dependency_is_found_however_it_is_written() {
    for planted in [
        "use crate::edge::Run;",
        "use crate::{edge, core as _};",
        "use crate::{\n    core::Rule,\n    edge::{self, Run},\n};",
        "use super::super::edge::Run;",
        "fn f() { crate::edge::run() }",
        "fn f() { log!(\"{}\", crate::edge::run()) }",
        "mod inner { use super::super::super::edge::Run; }",
    ] {
        let found = violations(&sources().with("core/planted.rs", planted), DIAGRAM);
        assert!(found.iter().any(|line| line.starts_with("core must not use edge")), "{planted}: {found:?}");
    }
}

#[test]
fn a_wrong_dependency_through_a_name_of_the_root_is_found() {
    let found = violations(&sources().with("core/planted.rs", "use crate::open;"), DIAGRAM);
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[0].starts_with("core must not use api") && found[1].starts_with("cycle:"), "{found:?}");
}

#[test]
fn test_code_and_text_do_not_count() {
    let text = "// use crate::edge;\nconst S: &str = \"crate::edge\";\n#[cfg(test)]\nmod tests { use crate::edge::Run; }";
    assert_eq!(violations(&sources().with("core/planted.rs", text), DIAGRAM), Vec::<String>::new());
}

#[test]
fn a_module_outside_the_diagram_and_a_stale_line_are_found() {
    let found = violations(&sources().with("new.rs", "").with("api.rs", ""), DIAGRAM);
    assert_eq!(
        found,
        ["the module new is not in the diagram", "the diagram lets api use core, which it does not"]
    );
}

#[test]
fn a_cycle_is_found_even_if_the_diagram_declares_it() {
    let diagram: &[Line<'_>] = &[("api", &["core"]), ("core", &["edge"]), ("edge", &["api"])];
    let found = violations(&sources().with("core/rule.rs", "use crate::edge::Run;"), diagram);
    assert_eq!(found, ["cycle: api -> core -> edge -> api"]);
}
