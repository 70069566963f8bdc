//! Printing and reading are each other's inverse, in all written forms, and no text panics.

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use super::strategies::{call, call_of, connection, connection_of, script};
use crate::fault::{CallFault, CallRule, ConnectionFault, ConnectionRule, Script};

proptest! {
    #[test]
    fn a_rule_of_calls_is_read_as_it_was_printed(rule in call()) {
        let text = rule.to_string();
        let read: CallRule = text.parse().map_err(|error| TestCaseError::fail(format!("{text}: {error}")))?;
        prop_assert_eq!(&read, &rule, "{}", text);
        prop_assert_eq!(read.to_string(), text);
        prop_assert_eq!(CallRule::from_json(&rule.to_json()), Ok(rule));
    }

    #[test]
    fn a_rule_of_connections_is_read_as_it_was_printed(rule in connection()) {
        let text = rule.to_string();
        let read: ConnectionRule = text.parse().map_err(|error| TestCaseError::fail(format!("{text}: {error}")))?;
        prop_assert_eq!(&read, &rule, "{}", text);
        prop_assert_eq!(read.to_string(), text);
        prop_assert_eq!(ConnectionRule::from_json(&rule.to_json()), Ok(rule));
    }

    #[test]
    fn a_script_is_read_as_it_was_printed(script in script()) {
        let toml = script.to_toml();
        let read = Script::from_toml("s.toml", &toml);
        prop_assert_eq!(read.as_ref(), Ok(&script), "{}", toml);
        let json = script.to_json().to_string();
        let value = serde_json::from_str(&json).expect("JSON");
        let read = Script::from_json(&value);
        prop_assert_eq!(read.as_ref(), Ok(&script), "{}", json);
        let connections = script.connections.iter().map(ToString::to_string);
        for separator in ["\n", " ; "] {
            let lines: Vec<_> = connections.clone().chain(script.calls.iter().map(ToString::to_string)).collect();
            let text = lines.join(separator);
            let read = Script::parse_expressions("text", &text).map(|read| read.merge(seed_of(&script)).expect("no names"));
            prop_assert_eq!(read.as_ref(), Ok(&script), "{}", text);
        }
    }

    #[test]
    fn an_expression_is_also_a_bare_one(rule in call()) {
        let text = rule.to_string();
        prop_assert_eq!(CallRule::parse_bare("X-Envd-Fault", &text), Ok(rule), "{}", text);
    }

    #[test]
    fn the_fault_may_stand_in_a_record_as_a_text(rule in call()) {
        let mut record = rule.to_json();
        record["fault"] = fault_text(&rule).into();
        prop_assert_eq!(CallRule::from_json(&record), Ok(rule));
    }

    #[test]
    fn no_text_panics(text in prop_oneof![".{0,60}", "[a-z#%@:;=\\[\\]\"'\\\\. \n{}*/0-9]{0,60}"]) {
        for example in ["", "* ", "GET /files ", "* #1 ", "*: status ", "connection ", "*: error unavailable "] {
            let text = format!("{example}{text}");
            let said = [
                text.parse::<CallRule>().map(|_| ()),
                text.parse::<ConnectionRule>().map(|_| ()),
                Script::parse_expressions("text", &text).map(|_| ()),
                CallRule::parse_bare("text", &text).map(|_| ()),
                Script::from_toml("text", &text).map(|_| ()),
            ];
            for error in said.into_iter().filter_map(Result::err) {
                prop_assert!(error.to_string().contains("expected"));
            }
        }
    }
}

/// Nothing but the seed: expressions have none.
fn seed_of(script: &Script) -> Script {
    Script { seed: script.seed, zero_seed: script.zero_seed, ..Script::default() }
}

/// What stands behind the colon of a rule without any condition.
fn fault_text(rule: &CallRule) -> String {
    let alone = CallRule {
        name: String::new(),
        when: Default::default(),
        often: Default::default(),
        at: None,
        ttl: None,
        fault: rule.fault.clone(),
    };
    alone.to_string().split_once(": ").expect("a colon").1.to_owned()
}

/// Many rules of every kind, each read as it was printed: random choice alone might leave a kind out.
#[test]
fn every_kind_is_read_as_it_was_printed() {
    let mut runner = TestRunner::deterministic();
    for kind in CallFault::KINDS {
        for _ in 0..16 {
            let rule = call_of(kind.word).new_tree(&mut runner).expect("a rule").current();
            assert_eq!(rule.fault.word(), kind.word);
            assert_eq!(rule.to_string().parse(), Ok(rule));
        }
    }
    for kind in ConnectionFault::KINDS {
        for _ in 0..16 {
            let rule = connection_of(kind.word).new_tree(&mut runner).expect("a rule").current();
            assert_eq!(rule.fault.word(), kind.word);
            assert_eq!(rule.to_string().parse(), Ok(rule));
        }
    }
}

#[test]
fn every_example_of_the_catalogue_is_a_rule_of_its_kind() {
    for kind in CallFault::KINDS {
        let rule: CallRule = kind.example.parse().unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(rule.fault.word(), kind.word);
    }
    for kind in ConnectionFault::KINDS {
        let rule: ConnectionRule = kind.example.parse().unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(rule.fault.word(), kind.word);
    }
}
