//! The declarations among themselves: all kinds have some, and no two kinds have the same.

use std::time::Duration;

use super::report::Report;
use super::row::{Body, End, Ends, Expect, Of, Protocol, Rests, Row};
use super::rows::ALL;
use super::run::run;
use crate::fault::{CallFault, ConnectionFault, Kind, On, Script};

fn rows() -> Vec<Row> {
    ALL.iter().flat_map(|rows| rows.iter().copied()).collect()
}

fn kinds() -> Vec<(Of, &'static Kind)> {
    let connections = ConnectionFault::KINDS.iter().map(|kind| (Of::Connection, kind));
    connections.chain(CallFault::KINDS.iter().map(|kind| (Of::Call, kind))).collect()
}

#[test]
fn every_kind_is_declared_on_each_protocol_that_it_is_meant_for() {
    for (of, kind) in kinds() {
        let on = |protocol| {
            rows().iter().any(|row| row.of == of && row.kind == kind.word && row.on.contains(&protocol))
        };
        let meant = match kind.on {
            On::Both => (true, true),
            On::Http1 => (true, false),
            On::Http2 => (false, true),
        };
        assert_eq!((on(Protocol::Http1), on(Protocol::Http2)), meant, "{of} {}", kind.word);
    }
}

#[test]
fn there_are_at_least_fifty_kinds() {
    assert!(kinds().len() >= 50, "{}", kinds().len());
}

/// What is seen on one protocol; words of the journal do not count.
fn on(row: &Row, protocol: Protocol) -> Expect {
    let (end, rest) = (row.expect.end_on(protocol), row.expect.rest_on(protocol));
    Expect { end: Ends(end, end), rest: Rests(rest, rest), words: "", ..row.expect }
}

#[test]
fn no_two_kinds_declare_the_same() {
    let rows = rows();
    for (index, one) in rows.iter().enumerate() {
        for other in &rows[..index] {
            // A reset is a reset, whichever table it stands in.
            let alike = one.kind != other.kind && one.on == other.on;
            let same = one.on.iter().all(|protocol| on(one, *protocol) == on(other, *protocol));
            assert!(!(alike && same), "{:?} and {:?}", one.rules, other.rules);
        }
    }
}

/// What is reported of one row on one protocol.
async fn findings(row: Row) -> Vec<String> {
    let report = run(&[Row { on: &[Protocol::Http1], ..row }]).await.unwrap();
    let [checked] = report.checked.as_slice() else { panic!("{report}") };
    assert_eq!(report.is_ok(), checked.findings.is_empty());
    checked.findings.iter().map(|finding| format!("{}: {}", finding.when, finding.one.what)).collect()
}

fn row(rules: &str) -> Row {
    rows().into_iter().find(|row| row.rules == rules).expect("a declared rule")
}

#[tokio::test]
async fn what_is_declared_wrongly_is_reported() {
    let abort = row("GET /files @10: abort");
    let wrong = Expect { end: Ends(End::Rst, End::Rst), ..abort.expect };
    assert_eq!(findings(Row { expect: wrong, ..abort }).await, ["armed: end of the answer"]);
    let wrong = Expect { body: Body::First(11), ..abort.expect };
    assert_eq!(findings(Row { expect: wrong, ..abort }).await, ["armed: body"]);
    let wrong = Expect { words: "RST", ..abort.expect };
    assert_eq!(findings(Row { expect: wrong, ..abort }).await, ["journal: the run"]);
}

#[tokio::test]
async fn a_fault_that_does_nothing_is_reported() {
    let status = row("POST /init: status 503 body=later header.retry-after=1");
    let idle = Row { rules: "POST /init header.x-absent=1: status 503", ..status };
    let seen = findings(idle).await;
    let expected = ["armed: status", "armed: header", "armed: header", "armed: body", "journal: the run"];
    assert_eq!(seen, expected);
}

#[test]
fn what_is_logged_is_a_failure() {
    let report = |log| Report { checked: vec![], log, took: Duration::ZERO };
    assert!(report(vec![]).is_ok());
    assert!(!report(vec!["WARN a fault".to_owned()]).is_ok());
}

#[test]
fn every_kind_is_told_from_all_others_on_each_protocol() {
    for protocol in [Protocol::Http1, Protocol::Http2] {
        let there: Vec<Row> = rows().into_iter().filter(|row| row.on.contains(&protocol)).collect();
        let of_another = |one: &Row| {
            there.iter().any(|other| one.kind != other.kind && on(one, protocol) == on(other, protocol))
        };
        for row in &there {
            let mut own = there.iter().filter(|one| (one.of, one.kind) == (row.of, row.kind));
            assert!(own.any(|one| !of_another(one)), "{} {} on {protocol}", row.of, row.kind);
        }
    }
}

#[test]
fn rows_arm_the_kind_that_they_are_about() {
    for row in rows() {
        let script = Script::parse_expressions("row", row.rules).unwrap();
        let connections = script.connections.iter().map(|rule| (Of::Connection, rule.fault.word()));
        let calls = script.calls.iter().map(|rule| (Of::Call, rule.fault.word()));
        let armed: Vec<_> = connections.chain(calls).collect();
        assert_eq!(armed, [(row.of, row.kind)], "{}", row.rules);
    }
}
