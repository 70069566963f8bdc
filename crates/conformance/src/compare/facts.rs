//! What a host could notice of an observation, as flat facts under names: statuses, headers, fields, output. Pure.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use regex::Regex;
use serde_json::Value;

use crate::observation::{Ended, Exchange, Observation};
use crate::stream::{Run, envelope};
use crate::verdict::excerpt;

/// A name and a value each.
pub(super) type Facts = BTreeMap<String, String>;

/// All of them. The names of the run are left out of values, since each side has the same ones.
pub(super) fn facts(observation: &Observation) -> Facts {
    let mut out = Facts::new();
    for step in &observation.steps {
        exchange(&step.label, &step.exchange, &mut out);
    }
    let host = observation.steps.first().map(|step| step.exchange.host.clone()).unwrap_or_default();
    for value in out.values_mut() {
        *value = timeless(&value.replace(&observation.dir, "DIR").replace(&host, "HOST"));
    }
    out
}

/// Without points in time: two subjects are never asked in the same instant.
fn timeless(value: &str) -> String {
    const TIMES: [(&str, &str); 3] = [
        (r"[A-Z][a-z]{2}, [0-9]{2} [A-Z][a-z]{2} [0-9]{4} [0-9:]{8} GMT", "DATE"),
        (r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+Z", "TIME"),
        (r"[0-9]{9,}(\.[0-9]+)?", "NUMBER"),
    ];
    static PATTERNS: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
        TIMES.iter().filter_map(|(pattern, word)| Some((Regex::new(pattern).ok()?, *word))).collect()
    });
    PATTERNS.iter().fold(value.to_owned(), |text, (time, word)| time.replace_all(&text, *word).into_owned())
}

fn exchange(label: &str, seen: &Exchange, out: &mut Facts) {
    let status = seen.status.map_or_else(|| "none".to_owned(), |status| status.to_string());
    out.insert(format!("{label} status"), status);
    let ended = match &seen.ended {
        Ended::Whole => "whole",
        Ended::Left => "left",
        Ended::Cut(_) => "cut",
        Ended::Late(_) => "late",
    };
    out.insert(format!("{label} end"), ended.to_owned());
    for (name, value) in &seen.headers {
        let name = name.to_ascii_lowercase();
        if !["transfer-encoding", "content-length", "connection"].contains(&name.as_str()) {
            out.insert(format!("{label} header {name}"), value.clone());
        }
    }
    body(label, seen, out);
}

fn body(label: &str, seen: &Exchange, out: &mut Facts) {
    let typed = |part: &str| {
        seen.headers
            .iter()
            .any(|(name, value)| name.eq_ignore_ascii_case("content-type") && value.contains(part))
    };
    if typed("connect+json") {
        return stream(label, &seen.body, out);
    }
    match serde_json::from_slice::<Value>(&seen.body) {
        Ok(json) if typed("json") => fields(&format!("{label} field "), &json, out),
        _ => _ = out.insert(format!("{label} body"), excerpt(&seen.body)),
    }
}

/// A stream by what it adds up to: how its output is cut into messages is nobody's matter.
fn stream(label: &str, body: &[u8], out: &mut Facts) {
    let run = Run::of(body);
    let mut order = run.order.clone();
    while order.contains("dd") {
        order = order.replace("dd", "d");
    }
    out.insert(format!("{label} events"), order);
    for (name, bytes) in [("stdout", &run.stdout), ("stderr", &run.stderr), ("pty", &run.pty)] {
        if !bytes.is_empty() {
            out.insert(format!("{label} {name}"), excerpt(bytes));
        }
    }
    if let Some(end) = &run.end {
        fields(&format!("{label} end event "), end, out);
    }
    let last = envelope::read(body).0.pop().filter(|frame| frame.flag & 2 != 0);
    if let Some(json) = last.and_then(|frame| serde_json::from_slice(&frame.data).ok()) {
        fields(&format!("{label} END_STREAM "), &json, out);
    }
}

fn fields(at: &str, json: &Value, out: &mut Facts) {
    match json {
        Value::Object(map) => map.iter().for_each(|(key, value)| fields(&format!("{at}/{key}"), value, out)),
        Value::Array(list) => {
            list.iter().enumerate().for_each(|(nth, value)| fields(&format!("{at}/{nth}"), value, out));
        }
        other => _ = out.insert(at.to_owned(), other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_in_time_are_no_facts() {
        let all = r#"Wed, 25 Nov 2026 01:56:34 GMT "2026-11-25T01:56:34.5Z" 1795571794 404"#;
        assert_eq!(timeless(all), r#"DATE "TIME" NUMBER 404"#);
    }
}
