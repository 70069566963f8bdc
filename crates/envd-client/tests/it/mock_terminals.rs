//! Terminals against the mock.

use bytes::Bytes;
use envd_client::{Code, Terminal};
use futures::stream;

use crate::peer::soon;
use crate::{assert_refused, guest};

/// Reads until `mark` shows.
async fn until(terminal: &mut Terminal, mark: &str) -> String {
    let mut seen = String::new();
    while !seen.contains(mark) {
        let piece = soon(terminal.read()).await.unwrap().unwrap_or_else(|| panic!("over, after {seen:?}"));
        seen.push_str(&String::from_utf8_lossy(&piece));
    }
    seen
}

#[tokio::test]
async fn a_terminal_echoes_has_a_size_and_ends() {
    let (_mock, client) = guest().await;
    let mut terminal = client.command("sh").pty(100, 30).terminal().await.unwrap();
    terminal.send("stty size; tty\n").await.unwrap();
    let seen = until(&mut terminal, "/dev/pts/").await;
    assert!(seen.contains("stty size"), "the echo: {seen:?}");
    assert!(seen.contains("30 100\r\n"), "{seen:?}");
    terminal.resize(120, 40).await.unwrap();
    terminal.send("stty size\n").await.unwrap();
    until(&mut terminal, "40 120\r\n").await;
    terminal.send("exit 4\n").await.unwrap();
    while soon(terminal.read()).await.unwrap().is_some() {}
    assert_eq!(terminal.exit().unwrap().code, 4);
}

#[tokio::test]
async fn a_terminal_is_attached_again_and_killed() {
    let (_mock, client) = guest().await;
    let first = client.command("sh").tag("tty").terminal().await.unwrap();
    let pid = first.pid();
    drop(first);
    let mut again = client.process("tty").terminal().await.unwrap();
    assert_eq!(again.pid(), pid);
    let keys = ["ec", "ho $((40 + 2))\n"].map(|keys| Ok(Bytes::from(keys)));
    again.process().stream_pty(stream::iter(keys)).await.unwrap();
    until(&mut again, "42").await;
    again.kill().await.unwrap();
    while soon(again.read()).await.unwrap().is_some() {}
    assert_eq!(again.exit().unwrap().status, "signal: 9 (SIGKILL)");
}

#[tokio::test]
async fn a_terminal_without_a_size_is_80_by_24() {
    let (_mock, client) = guest().await;
    let mut terminal = client.command("stty").arg("size").terminal().await.unwrap();
    until(&mut terminal, "24 80").await;
}

#[tokio::test]
async fn a_terminal_is_no_pipe() {
    let (_mock, client) = guest().await;
    let terminal = client.command("cat").terminal().await.unwrap();
    let refused = terminal.process().send_stdin("x").await;
    assert_refused(refused, Code::FailedPrecondition, "stdin not enabled or closed");
    let refused = terminal.process().close_stdin().await;
    assert_refused(refused, Code::FailedPrecondition, "cannot close stdin for PTY process");
    terminal.kill().await.unwrap();
}

#[tokio::test]
async fn output_of_a_terminal_is_collected_as_stdout() {
    let (_mock, client) = guest().await;
    let output = client.command("sh").args(["-c", "echo a; echo b >&2"]).pty(80, 24).output().await.unwrap();
    assert_eq!((output.stdout_text().as_str(), output.stderr.len()), ("a\r\nb\r\n", 0));
}
