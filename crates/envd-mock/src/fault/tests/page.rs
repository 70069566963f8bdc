//! The page docs/grammar.md says what the code does.

use crate::fault::condition::{OF_CALLS, OF_EVERY_RULE};
use crate::fault::{CallFault, CallRule, ConnectionFault, Script, schema};

const PAGE: &str = include_str!("../../../../../docs/grammar.md");

/// The code blocks of this language.
fn blocks(language: &str) -> Vec<&'static str> {
    let start = format!("```{language}\n");
    let blocks: Vec<_> =
        PAGE.split(&*start).skip(1).map(|rest| rest.split("\n```").next().unwrap()).collect();
    assert!(!blocks.is_empty(), "no block of {language}");
    blocks
}

#[test]
fn every_expression_of_the_page_is_one() {
    for line in blocks("fault").into_iter().flat_map(str::lines) {
        Script::parse_expressions("docs/grammar.md", line).unwrap_or_else(|error| panic!("{error}"));
    }
    for line in blocks("bare-fault").into_iter().flat_map(str::lines) {
        CallRule::parse_bare("docs/grammar.md", line).unwrap_or_else(|error| panic!("{error}"));
    }
}

#[test]
fn every_script_of_the_page_is_one() {
    let scripts = blocks("toml").into_iter().map(|text| Script::from_toml("docs/grammar.md", text));
    let mut scripts: Vec<_> = scripts.map(|read| read.unwrap_or_else(|error| panic!("{error}"))).collect();
    for text in blocks("json") {
        let value = serde_json::from_str(text).unwrap();
        scripts.push(Script::from_json(&value).unwrap_or_else(|error| panic!("{error}")));
    }
    assert!(scripts.iter().all(|script| script.calls.len() + script.connections.len() > 0));
}

#[test]
fn the_page_shows_one_script_in_two_forms() {
    let json = Script::from_json(&serde_json::from_str(blocks("json")[0]).unwrap()).unwrap();
    assert_eq!(Script::from_toml("docs/grammar.md", blocks("toml")[0]), Ok(json));
}

#[test]
fn every_word_of_the_code_is_in_the_grammar_of_the_page() {
    let grammar = blocks("ebnf").concat();
    let kinds = CallFault::KINDS.iter().chain(ConnectionFault::KINDS);
    let keys = OF_EVERY_RULE.iter().chain(OF_CALLS).map(|key| key.word);
    // The target of a rule is no condition.
    let keys = keys.filter(|key| *key != "operation");
    let signs = ["#", "%", "@", "up", "down", "stdout", "stderr", "pty", "end", "..", "*", ":", ";"];
    for word in kinds.map(|kind| kind.word).chain(keys).chain(signs) {
        let terminal = grammar.contains(&format!("\"{word}\""));
        assert!(terminal, "the grammar has no {word:?}");
    }
}

#[test]
fn every_parameter_is_in_the_grammar_of_the_page() {
    let grammar = blocks("ebnf").concat();
    for param in CallFault::KINDS.iter().chain(ConnectionFault::KINDS).flat_map(|kind| kind.params) {
        assert!(grammar.contains(&format!("\"{}\"", param.name)), "the grammar has no {:?}", param.name);
    }
}

#[test]
fn every_key_of_the_schema_is_on_the_page() {
    let schema = schema();
    for rule in ["call", "connection"] {
        for key in schema["$defs"][rule]["properties"].as_object().unwrap().keys() {
            assert!(PAGE.contains(&format!("`{key}`")), "{key}");
        }
    }
}
