//! Totals in the text format of Prometheus.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header;

use super::port::Context;
use crate::journal::Tally;
use crate::live::Live;

const TEXT: [(header::HeaderName, &str); 1] =
    [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")];

pub(super) async fn read(State(Context { live, .. }): State<Context>) -> Response {
    (TEXT, text(&live)).into_response()
}

/// All totals.
pub(crate) fn text(live: &Live) -> String {
    page(&live.journal.tally(), live.journal.size() as u64, live.journal.dropped())
}

fn page(tally: &Tally, journal_bytes: u64, dropped: u64) -> String {
    let mut text = String::new();
    pairs(&mut text, "calls_total", "Calls that have ended.", ["operation", "end"], &tally.calls);
    pairs(&mut text, "faults_total", "Faults that were done.", ["rule", "kind"], &tally.faults);
    let singles = [
        ("connections_total", "counter", "Connections that were accepted.", tally.connections),
        ("open_connections", "gauge", "Connections that are open.", tally.open_connections),
        ("open_calls", "gauge", "Calls that are going on.", tally.open_calls),
        ("unknown_requests_total", "counter", "Requests that no route knows.", tally.unknown.count),
        ("sent_bytes_total", "counter", "Bytes to peers, over connections that have ended.", tally.sent),
        (
            "received_bytes_total",
            "counter",
            "Bytes from peers, over connections that have ended.",
            tally.received,
        ),
        ("journal_bytes", "gauge", "Bytes that the journal takes on the heap.", journal_bytes),
        ("journal_dropped_total", "counter", "Entries that were dropped to keep the bound.", dropped),
    ];
    for (name, kind, help, value) in singles {
        head(&mut text, name, kind, help);
        line(&mut text, format_args!("envd_mock_{name} {value}"));
    }
    text
}

fn pairs(
    text: &mut String,
    name: &str,
    help: &str,
    labels: [&str; 2],
    counts: &BTreeMap<(String, String), u64>,
) {
    head(text, name, "counter", help);
    for ((first, second), count) in counts {
        let values = format!("{}={},{}={}", labels[0], quoted(first), labels[1], quoted(second));
        line(text, format_args!("envd_mock_{name}{{{values}}} {count}"));
    }
}

fn head(text: &mut String, name: &str, kind: &str, help: &str) {
    line(text, format_args!("# HELP envd_mock_{name} {help}"));
    line(text, format_args!("# TYPE envd_mock_{name} {kind}"));
}

fn line(text: &mut String, line: std::fmt::Arguments<'_>) {
    writeln!(text, "{line}").expect("a String takes everything");
}

/// The value of a label.
fn quoted(value: &str) -> String {
    format!("\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn totals_are_written_as_prometheus_reads_them() {
        let mut tally = Tally::default();
        tally.calls.insert(("GET /files".to_owned(), "complete".to_owned()), 3);
        tally.faults.insert(("a \"quoted\" rule".to_owned(), "reset".to_owned()), 1);
        tally.open_connections = 2;
        insta::assert_snapshot!(page(&tally, 512, 0));
    }
}
