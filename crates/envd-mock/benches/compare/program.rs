//! Programs that are measured: started, found by their ready line, and killed in the end.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::json;

/// How long a program may take to be ready.
const PATIENCE: Duration = Duration::from_secs(10);

/// A program that serves; it is killed when it is dropped.
pub(crate) struct Program {
    child: Child,
    pub(crate) address: SocketAddr,
}

impl Program {
    /// Starts `command` and waits for the line that tells its URL.
    pub(crate) fn start(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("it starts");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("a pipe")).read_line(&mut line).expect("a ready line");
        let url = line.split_once("url=http://").expect("a ready line with its URL").1;
        let address = url.split_whitespace().next().expect("a URL").trim_end_matches('/');
        Self { child, address: address.parse().expect("an address") }
    }

    /// User and system time that it has used so far.
    pub(crate) fn cpu(&self) -> Duration {
        cpu_of(self.child.id())
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // SIGTERM lets a mock remove its tree; whoever does not listen is killed.
        let pid = rustix::process::Pid::from_child(&self.child);
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        let deadline = Instant::now() + PATIENCE;
        while matches!(self.child.try_wait(), Ok(None)) && Instant::now() < deadline {
            pause(2);
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The bare axum server.
pub(crate) fn bare() -> Command {
    let mut command = Command::new(std::env::current_exe().expect("a path"));
    command.arg(crate::bare::FLAG);
    command
}

/// A mock with these arguments, on free ports.
pub(crate) fn mock(binary: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(binary);
    command.args(args).args(["--listen", "127.0.0.1:0"]);
    command
}

/// The build that is measured.
pub(crate) fn current() -> PathBuf {
    env!("CARGO_BIN_EXE_envd-mock").into()
}

/// An older build to compare with.
pub(crate) fn baseline() -> Option<PathBuf> {
    std::env::var_os("ENVD_MOCK_BASELINE").map(PathBuf::from)
}

/// Toxiproxy in front of `upstream`, when it is installed: `TOXIPROXY_SERVER`, else `toxiproxy-server` on the PATH.
pub(crate) fn toxiproxy(upstream: SocketAddr) -> Option<Program> {
    let server = std::env::var("TOXIPROXY_SERVER").unwrap_or_else(|_| "toxiproxy-server".to_owned());
    let (control, address) = (free_address(), free_address());
    let port = control.port().to_string();
    let child = Command::new(server)
        .args(["-host", "127.0.0.1", "-port", &port])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    let program = Program { child, address };
    let body = json!({
        "name": "bench", "listen": address.to_string(), "upstream": upstream.to_string(), "enabled": true,
    })
    .to_string();
    let mut socket = connect(control);
    write!(
        socket,
        "POST /proxies HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    )
    .expect("it reads");
    let mut answer = String::new();
    socket.read_to_string(&mut answer).expect("it answers");
    assert!(answer.starts_with("HTTP/1.1 201"), "expected the proxy to be made, got: {answer}");
    Some(program)
}

/// Between two looks at another process, which tells nobody when it is ready or gone.
#[expect(clippy::disallowed_methods, reason = "a benchmark may poll, and has a deadline for it")]
fn pause(millis: u64) {
    std::thread::sleep(Duration::from_millis(millis));
}

fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a free port")
}

/// A connection to a server that may not listen yet.
fn connect(address: SocketAddr) -> TcpStream {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match TcpStream::connect(address) {
            Ok(socket) => return socket,
            Err(error) => assert!(Instant::now() < deadline, "{address} does not listen: {error}"),
        }
        pause(5);
    }
}

/// From `/proc/PID/stat`: fields 14 and 15, in ticks, of all threads and not of children.
fn cpu_of(pid: u32) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("the process is there");
    let rest = stat.rsplit_once(')').expect("a name in parentheses").1;
    let fields: Vec<u64> = rest.split_whitespace().skip(11).take(2).flat_map(str::parse).collect();
    let tick = rustix::param::clock_ticks_per_second();
    Duration::from_secs_f64(fields.iter().sum::<u64>() as f64 / tick as f64)
}
