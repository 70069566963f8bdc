//! The control port and the Rust handles can do the same: every operation of one has its counterpart in the other.

use crate::handle::GuestHandle;
use crate::levers::{Clock, Faults};
use crate::mock::MockEnvd;

/// An operation of the port and the method that does the same; it does not compile without the method.
macro_rules! pairs {
    ($($operation:literal => $($method:path),+;)+) => {{
        $($(let _ = $method;)+)+
        [$(($operation, vec![$(stringify!($method)),+])),+]
    }};
}

/// Those that take more than one type cannot be named alone.
fn generic(guest: &GuestHandle, faults: &Faults) {
    drop(guest.write_file("/tmp/a", "content"));
    drop(faults.verify(crate::fault::Expect::call("GET /health")));
    drop(faults.export_to(Vec::new()));
}

fn pairs() -> Vec<(&'static str, Vec<&'static str>)> {
    let _ = generic;
    let mut pairs = pairs_of_methods();
    let export = pairs.iter_mut().find(|(operation, _)| *operation == "GET /journal/export");
    export.unwrap().1.push("Faults::export_to");
    pairs.push(("PUT /guest/files", vec!["GuestHandle::write_file"]));
    pairs.push(("POST /verify", vec!["Faults::verify"]));
    pairs
}

fn pairs_of_methods() -> Vec<(&'static str, Vec<&'static str>)> {
    pairs! {
        "GET /guest" => MockEnvd::url, MockEnvd::generation, MockEnvd::addr, MockEnvd::control_url, GuestHandle::root;
        "GET /guest/processes" => GuestHandle::processes;
        "GET /guest/programs" => GuestHandle::programs, Faults::programs;
        "GET /guest/files" => GuestHandle::read_file, GuestHandle::exists;
        "DELETE /guest/files" => GuestHandle::remove;
        "POST /guest/clock" => GuestHandle::set_clock;
        "PUT /guest/preload" => GuestHandle::set_preload;
        "POST /guest/crash" => Faults::crash;
        "GET /script" => Faults::script;
        "PUT /script" => Faults::replace, Faults::allow_dead_rules;
        "GET /script/rules" => Faults::report;
        "POST /script/rules" => Faults::add;
        "DELETE /script/rules/{name}" => Faults::remove;
        "GET /schema" => crate::script_schema;
        "GET /journal" => Faults::journal, Faults::settled_journal;
        "DELETE /journal" => Faults::forget_journal;
        "GET /journal/stream" => Faults::journal;
        "GET /journal/export" => Faults::export;
        "GET /coverage" => Faults::coverage;
        "GET /strict" => MockEnvd::strict_report;
        "POST /reset" => Faults::reset;
        "GET /clock" => Clock::now, Clock::pace, Clock::next;
        "POST /clock/advance" => Clock::advance, Clock::advance_to_next, Clock::waited_for;
        "POST /connections/reset" => Faults::reset_connections;
        "POST /connections/refuse" => Faults::refuse_connections_for, Faults::refuse_connections;
        "DELETE /connections/refuse" => Faults::accept_connections;
        "GET /metrics" => Faults::metrics;
    }
    .into()
}

/// Kind: something that only one of the two can do.
#[test]
fn every_operation_of_the_port_has_its_method_and_every_method_its_operation() {
    let document = super::openapi::document();
    let paths = document["paths"].as_object().unwrap();
    let mut operations: Vec<String> = paths
        .iter()
        .flat_map(|(path, methods)| {
            methods.as_object().unwrap().keys().map(move |method| format!("{} {path}", method.to_uppercase()))
        })
        // It describes the port itself.
        .filter(|operation| operation != "GET /openapi.json")
        .collect();
    let mut paired: Vec<&str> = pairs().iter().map(|(operation, _)| *operation).collect();
    operations.sort();
    paired.sort_unstable();
    assert_eq!(paired, operations);

    let known: Vec<&str> = pairs().into_iter().flat_map(|(_, methods)| methods).collect();
    for (file, source) in
        [("levers.rs", include_str!("../levers.rs")), ("handle.rs", include_str!("../handle.rs"))]
    {
        let methods = source.lines().filter_map(|line| line.trim().strip_prefix("pub "));
        let methods = methods.filter_map(|line| line.trim_start_matches("async ").strip_prefix("fn "));
        for method in methods.filter_map(|method| method.split(['(', '<']).next()) {
            let paired = known.iter().any(|one| one.split("::").any(|part| part == method));
            assert!(paired, "{method} of {file} has no operation of the control port");
        }
    }
}
