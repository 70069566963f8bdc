//! The declarations among themselves: all kinds have some, and no two kinds have the same.

use super::row::{Expect, Of, Protocol, Row};
use super::rows::ALL;
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

#[test]
fn no_two_kinds_declare_the_same() {
    let on = |row: &Row, protocol: Protocol| {
        let own = Expect { words: "", ..row.expect };
        let (end, rest) = (own.end_on(protocol), own.rest_on(protocol));
        // The other protocol does not count.
        (Expect { end: Expect::USUAL.end, rest: Expect::USUAL.rest, ..own }, end, rest)
    };
    for protocol in [Protocol::Http1, Protocol::Http2] {
        let there: Vec<Row> = rows().into_iter().filter(|row| row.on.contains(&protocol)).collect();
        for (index, one) in there.iter().enumerate() {
            for other in &there[..index] {
                let alike = on(one, protocol) == on(other, protocol);
                // A reset is a reset, whichever table it stands in.
                let same_kind = one.kind == other.kind;
                assert!(!alike || same_kind, "on {protocol}: {:?} and {:?}", one.rules, other.rules);
            }
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
