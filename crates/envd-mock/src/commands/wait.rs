//! `envd-mock wait`: returns when a mock is ready, for shell scripts and CI.

use std::io::{Read as _, Write as _};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Args;
use http::Uri;

use crate::cli::ready;
use crate::units;

/// Between two tries.
const TICK: Duration = Duration::from_millis(20);
/// For one try.
const TRY: Duration = Duration::from_secs(2);

/// What is waited for.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct Wait {
    /// Wait until GET /health is answered with 2xx here; rules and the journal count these calls like any others
    #[arg(long, value_name = "URL", required_unless_present = "ready_file", value_parser = target)]
    url: Option<Target>,
    /// Wait until a running mock has written this file (its --ready-file), and print the line in it
    #[arg(long, value_name = "FILE", conflicts_with = "url")]
    ready_file: Option<PathBuf>,
    /// Give up and exit with 1 after this time
    #[arg(long, value_name = "DURATION", value_parser = units::duration, default_value = "30s")]
    timeout: Duration,
}

/// Who is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Target {
    url: String,
    host: String,
    port: u16,
    path: String,
}

fn target(text: &str) -> Result<Target, String> {
    let expected = || format!("expected a URL such as http://127.0.0.1:49983, got {text:?}");
    let uri: Uri = text.parse().map_err(|_| expected())?;
    let host = uri.host().filter(|_| uri.scheme_str() == Some("http")).ok_or_else(expected)?;
    let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    let path = format!("{}/health", uri.path().trim_end_matches('/'));
    Ok(Target { url: text.to_owned(), host, port: uri.port_u16().unwrap_or(80), path })
}

impl Wait {
    /// Waits; what to print.
    ///
    /// # Errors
    /// Who was not ready in time, and what was seen last.
    pub fn run(&self) -> Result<String, String> {
        let deadline = Instant::now() + self.timeout;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let (who, seen) = match (&self.url, &self.ready_file) {
                (Some(target), _) => (target.url.clone(), ask(target, left.min(TRY)).map(|()| String::new())),
                (None, Some(file)) => {
                    (file.display().to_string(), ready::read(file).map(|line| format!("{line}\n")))
                }
                (None, None) => return Err("nothing to wait for: give --url or --ready-file".to_owned()),
            };
            match seen {
                Ok(text) => return Ok(text),
                Err(last) if Instant::now() + TICK >= deadline => {
                    return Err(format!("{who} was not ready within {:?}: {last}", self.timeout));
                }
                #[expect(clippy::disallowed_methods, reason = "nothing tells when another process is ready")]
                Err(_) => std::thread::sleep(TICK),
            }
        }
    }
}

/// One try.
fn ask(target: &Target, limit: Duration) -> Result<(), String> {
    let Target { host, port, path, .. } = target;
    let limit = limit.max(TICK);
    let said = |error: std::io::Error| error.to_string();
    let addresses = (host.as_str(), *port).to_socket_addrs().map_err(said)?;
    let mut last = format!("{host} has no address");
    for address in addresses {
        match TcpStream::connect_timeout(&address, limit) {
            Ok(stream) => return health(stream, &format!("{host}:{port}"), path, limit).map_err(said)?,
            Err(error) => last = format!("{address}: {error}"),
        }
    }
    Err(last)
}

/// The inner result is about the status.
fn health(
    mut stream: TcpStream,
    host: &str,
    path: &str,
    limit: Duration,
) -> std::io::Result<Result<(), String>> {
    stream.set_read_timeout(Some(limit))?;
    stream.set_write_timeout(Some(limit))?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")?;
    let mut head = Vec::new();
    let mut buffer = [0; 512];
    while !head.contains(&b'\n') && head.len() < 4096 {
        match stream.read(&mut buffer)? {
            0 => break,
            read => head.extend_from_slice(&buffer[..read]),
        }
    }
    let line = String::from_utf8_lossy(&head);
    let line = line.lines().next().unwrap_or_default();
    let ready = line.strip_prefix("HTTP/1.1 ").is_some_and(|status| status.starts_with('2'));
    Ok(if ready { Ok(()) } else { Err(format!("GET {path} was answered with {line:?}")) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_names_who_is_asked() {
        let of = |text| target(text).map(|target| (target.host, target.port, target.path));
        assert_eq!(of("http://127.0.0.1:49983"), Ok(("127.0.0.1".to_owned(), 49983, "/health".to_owned())));
        assert_eq!(of("http://[::1]:1/base/"), Ok(("::1".to_owned(), 1, "/base/health".to_owned())));
        assert_eq!(of("http://localhost"), Ok(("localhost".to_owned(), 80, "/health".to_owned())));
        for bad in ["", "127.0.0.1:49983", "https://localhost", "/health"] {
            assert!(of(bad).unwrap_err().starts_with("expected a URL"), "{bad}");
        }
    }
}
