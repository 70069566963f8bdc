//! Who may call and what a guest is asked: tokens, names of hosts, origins, routes, metrics, defaults (contract 1, 2, 3.2,
//! 3.4, 10).

use super::edit::{START, answer, request, target, wrap};
use crate::mutant::Mutant;

pub(crate) const MUTANTS: &[Mutant] = &[
    request("init/empty-user-is-root", "an empty default user is root", "/init", |_, r| {
        r.json(|m| {
            if m["defaultUser"] == "" {
                m["defaultUser"] = "root".into();
            }
        });
    }),
    request("init/empty-workdir-is-root", "an empty default working directory is /", "/init", |_, r| {
        r.json(|m| {
            if m["defaultWorkdir"] == "" {
                m["defaultWorkdir"] = "/".into();
            }
        });
    }),
    request(
        "token/stream-input-deaf",
        "StreamInput is refused with the token, too",
        "/process.Process/StreamInput",
        |_, r| r.head("\r\nx-access-token:", "\r\nx-other-token:"),
    ),
    request("token/basic-chooses-user", "the user of HTTP Basic auth runs the command", START, |_, r| {
        if r.heads("\r\nauthorization: Basic dXNlcjo=\r\n") {
            wrap(r, "exec setpriv --reuid user --regid user --init-groups \"$@\"");
        }
    }),
    answer("routes/options-404", "OPTIONS of an unknown path is 404", "OPTIONS /", |_, a| {
        if a.is("415") {
            a.status("404 Not Found");
        }
    }),
    request("routes/grpc-web-text-as-binary", "grpc-web-text is read as gRPC-Web", "/", |_, r| {
        r.head("application/grpc-web-text", "application/grpc-web+proto");
    }),
    answer("metrics/disk-reserved", "disk_total leaves out what is kept for root", "/metrics", |_, a| {
        a.json(|m| {
            if let Some(total) = m["disk_total"].as_u64() {
                m["disk_total"] = (total / 20 * 19).into();
            }
        });
    }),
    request("host/prefix", "a Host that begins with localhost is one of loopback", "/", |_, r| {
        r.head("\r\nhost: localhost.", "\r\nhost: localhost\r\nx-rest: ");
    }),
    request("origin/preflight-open", "a preflight is answered whatever its Origin", "OPTIONS /", |_, r| {
        r.head("\r\norigin: ", "\r\nx-origin: ");
    }),
    request("target/name-ignored", "the name in an absolute target does not count", "GET http://", |_, r| {
        target(r, |target| {
            let path = target.trim_start_matches("http://").find('/').map_or(0, |at| at + "http://".len());
            target[path..].to_owned()
        });
    }),
];
