//! What a script is once it is read: names, seeds, defaults, and the canonical form.

use crate::fault::{CallRule, ConnectionRule, Position, Script, Which};

fn names(script: &Script) -> Vec<&str> {
    let connections = script.connections.iter().map(|rule| &*rule.name);
    connections.chain(script.calls.iter().map(|rule| &*rule.name)).collect()
}

fn expressions(text: &str) -> Script {
    Script::parse_expressions("text", text).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn a_rule_is_called_what_it_says() {
    let rule: CallRule = "  GET   /files  @5 #1 :   cut ".parse().unwrap();
    assert_eq!(rule.name, "GET /files #1 @5: cut");
    let rule: CallRule = "GET /files name=x: cut".parse().unwrap();
    assert_eq!((&*rule.name, rule.to_string().as_str()), ("x", "GET /files name=x: cut"));
}

#[test]
fn signs_have_a_long_form() {
    let long: CallRule = "GET /files nth=2.. probability=0.5 at=down[5]@3: cut".parse().unwrap();
    assert_eq!(long, "GET /files #2.. %0.5 down[5] @3: cut".parse().unwrap());
}

#[test]
fn default_names_that_collide_are_numbered() {
    let script = expressions("* : cut\n*: cut ; *: cut\n");
    assert_eq!(names(&script), ["*: cut", "*: cut (2)", "*: cut (3)"]);
    let script = script.merge(expressions("*: cut")).unwrap();
    assert_eq!(names(&script)[3], "*: cut (4)");
    let twice = script.clone().merge(script).unwrap();
    let all: std::collections::HashSet<_> = names(&twice).into_iter().collect();
    assert_eq!(all.len(), 8);
}

#[test]
fn a_default_name_gives_way_to_a_given_one() {
    let script = expressions("*: cut\n* #1 name=\"*: cut\": hang");
    assert_eq!(names(&script), ["*: cut (2)", "*: cut"]);
}

#[test]
fn rules_without_a_name_get_one() {
    let mut script = expressions("*: cut\n*: cut");
    script.calls.iter_mut().for_each(|rule| rule.name.clear());
    assert_eq!(names(&Script::default().merge(script).unwrap()), ["*: cut", "*: cut (2)"]);
}

#[test]
fn the_last_seed_that_is_given_wins() {
    let seed = |text: &str| Script::from_toml("s", text).unwrap();
    let all =
        [("seed = 1", "seed = 2", 2), ("seed = 1", "", 1), ("seed = 1", "seed = 0", 0), ("", "seed = 3", 3)];
    for (first, second, wins) in all {
        assert_eq!(seed(first).merge(seed(second)).unwrap().seed, wins, "{first:?}, {second:?}");
    }
}

#[test]
fn a_kind_without_a_position_acts_where_it_usually_does() {
    for (text, at) in [
        ("*: end-missing", Some(Position::DownEnvelope(Which::End, 0))),
        ("*: end-error internal", Some(Position::DownEnvelope(Which::End, 0))),
        ("*: trailers-lost", Some(Position::DownEnvelope(Which::End, 0))),
        ("*: stop-reading", Some(Position::Up(0))),
        ("*: answer-early 413", Some(Position::Up(0))),
        ("*: cut", None),
        ("*: status 503", None),
    ] {
        assert_eq!(text.parse::<CallRule>().unwrap().at, at, "{text}");
    }
}

#[test]
fn a_bare_fault_is_one_of_any_call() {
    for (bare, whole) in [
        ("status 503", "*: status 503"),
        ("down[5] @3: reset", "* down[5]@3: reset"),
        ("stdout@4096: abort", "* stdout@4096: abort"),
        ("header.x=1: cut", "* header.x=1: cut"),
        ("error unavailable message=\"later:\"", "*: error unavailable message=\"later:\""),
        ("GET /files: cut", "GET /files: cut"),
        ("* #2: cut", "* #2: cut"),
    ] {
        let read = CallRule::parse_bare("X-Envd-Fault", bare).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(read, whole.parse().unwrap(), "{bare}");
    }
}

#[test]
fn the_canonical_forms_are_these() {
    let script = expressions(
        "POST /files tag=x header.X-Test=a* query.path=/tmp/** every=3 times=2 after=1s until=5s \
         name=\"my rule\" ttl=60s: error unavailable message=\"try later\"\n\
         connection #1..3 %0.5: slice 7 gap=1000us\n\
         GET /activity: series '[{\"cpu_used_pct\":90}]'\n\
         POST /init #4..: status 503 header.retry-after=1 body=base64:AAE=",
    )
    .with_seed(7);
    insta::assert_snapshot!("canonical_toml", script.to_toml());
    insta::assert_snapshot!("canonical_json", serde_json::to_string_pretty(&script.to_json()).unwrap());
    let lines: Vec<_> = script.calls.iter().map(ToString::to_string).collect();
    insta::assert_snapshot!("canonical_expressions", lines.join("\n"));
}

#[test]
fn programs_are_kept_as_they_are_written() {
    let text = "[[program]]\ncommand = \"make\"\nsteps = [{ stdout = \"hi\" }]\n";
    let script = Script::from_toml("s", text).unwrap();
    assert_eq!(script.programs_raw.len(), 1);
    assert_eq!(script.to_toml(), text);
}

#[test]
fn expressions_are_found_in_lines_and_between_semicolons() {
    let script =
        expressions("\n ; ; connection #3: stall ; \r\n\n*: hang ; * tag=a;b name=\"a ; b\": cut ;\n");
    assert_eq!(names(&script), ["connection #3: stall", "*: hang", "a ; b"]);
}

#[test]
fn a_rule_in_rust_is_the_rule_in_words() {
    use crate::fault::{CallFault, ConnectionFault, Size};
    let rule =
        ConnectionRule::nth(2..).probability(0.5).fault(ConnectionFault::Slice { size: Size(7), gap: None });
    assert_eq!(rule.unwrap(), "connection #2.. %0.5: slice 7".parse().unwrap());
    let rule =
        CallRule::on("GET /files").unwrap().nth(1..=3).query("path", "/tmp/**").tag("a b").generation(2);
    let rule = rule.header("x", "1").command("sh *").path("*").connection(1).every(2).times(3).name("n");
    let written = "GET /files #1..3 query.path=/tmp/** tag='a b' generation=2 header.x=1 command=\"sh *\" path=* \
                   connection=1 every=2 times=3 name=n: cut";
    assert_eq!(rule.fault(CallFault::Cut {}).unwrap(), written.parse().unwrap());
}

/// Kind: a unit that is understood in one place and not in another.
#[test]
fn shares_and_sizes_have_their_units_everywhere() {
    for (with_unit, plain) in [
        ("GET /files %10%: cut", "GET /files %0.1: cut"),
        ("GET /files probability=2.5%: cut", "GET /files %0.025: cut"),
        ("GET /files @1MiB: cut", "GET /files @1048576: cut"),
        ("POST /files up@64kB: reset", "POST /files up@64000: reset"),
        ("process.Process/Start down[2]@1KiB: cut", "process.Process/Start down[2]@1024: cut"),
        ("process.Process/Start stdout@1.5KiB: cut", "process.Process/Start stdout@1536: cut"),
        ("GET /files: content-length +1KiB", "GET /files: content-length +1024"),
        ("GET /files: slice 1KiB", "GET /files: slice 1024"),
        ("connection @1KiB: reset", "connection @1024: reset"),
    ] {
        let (read, expected) = (expressions(with_unit), expressions(plain));
        assert_eq!(read, expected, "{with_unit}");
        // What is printed reads as it was.
        assert_eq!(Script::from_json(&read.to_json()).unwrap(), read, "{with_unit}");
        assert_eq!(Script::from_toml("again", &read.to_toml()).unwrap(), read, "{with_unit}");
    }
    let json =
        serde_json::json!({ "call": [{ "probability": "10%", "at": "@1MiB", "fault": "slow 1MiB/s" }] });
    let toml =
        "[[call]]\nprobability = \"10%\"\nat = \"@1MiB\"\nfault = { kind = \"slow\", rate = \"1MiB/s\" }\n";
    assert_eq!(Script::from_json(&json).unwrap(), Script::from_toml("toml", toml).unwrap());
    for refused in
        ["GET /files %101%: cut", "GET /files %-1%: cut", "GET /files @1TiB: cut", "GET /files %%: cut"]
    {
        assert!(Script::parse_expressions("text", refused).is_err(), "{refused}");
    }
}

#[test]
fn a_pattern_that_is_too_long_is_told_the_limit() {
    let long = "x".repeat(5000);
    for (rule, place) in
        [(format!("GET /{long}: hang"), 1), (format!("GET /health header.a={long}: hang"), 22)]
    {
        let error = Script::parse_expressions("text", &rule).unwrap_err();
        assert_eq!(error.position(), Some((1, place)));
        assert!(error.expected().contains("a pattern of at most 4096 characters"), "{}", error.expected());
    }
}
