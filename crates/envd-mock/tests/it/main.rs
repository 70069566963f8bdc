//! The mock from outside: over bare sockets, by its library and by its command.
#![expect(clippy::unwrap_used, reason = "in a test, a failed expectation is a failed test")]

mod arrows;
mod bare;
mod binary;
mod command;
mod connections;
mod control;
mod control_faults;
mod cookbook;
mod dead_rules;
mod defects;
mod downloads;
mod faults;
mod filesystem;
mod forbidden;
mod generations;
mod guard;
mod http2;
mod in_place;
mod init;
mod isolation;
mod left_behind;
mod limits;
mod memory;
mod processes;
mod programs;
mod proxy;
mod recorded;
mod repeat;
mod rest;
mod rpc;
mod selfcheck;
mod strict;
mod traffic;
mod uploads;
mod walls;

/// Runs a script with the guest's sh.
async fn sh(client: &envd_client::Client, script: &str) -> envd_client::Output {
    client.command("sh").args(["-c", script]).output().await.expect("the script runs to its end")
}
