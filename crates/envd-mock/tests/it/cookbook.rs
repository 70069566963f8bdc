//! docs/cookbook.md: each rule on the page fires on the usual calls of a host. This covers documentation that shows a rule which
//! is parsed but never acts, or which a later change of the fault engine breaks.

use std::net::SocketAddr;
use std::time::Duration;

use envd_mock::MockEnvd;
use envd_mock::fault::Script;
use futures::StreamExt as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::bare::{Ask, ask, stream, unary};

const PAGE: &str = include_str!("../../../../docs/cookbook.md");
/// The client's deadline for a call, so that a rule that hangs a call does not hold up the test.
const CALL: Duration = Duration::from_secs(1);
/// The deadline for a rule to fire. On a busy machine the calls are repeated until then.
const RULE: Duration = Duration::from_secs(60);
/// Mocks that run at the same time.
const PARALLEL: usize = 8;

/// The fenced blocks with this language.
fn blocks(language: &str) -> Vec<&'static str> {
    let start = format!("```{language}\n");
    PAGE.split(start.as_str()).skip(1).map(|rest| rest.split("\n```").next().unwrap()).collect()
}

/// The usual calls of a host.
fn calls() -> Vec<Ask> {
    let start = r#"{"process":{"cmd":"sh","args":["-c","echo hello; echo again"]},"stdin":false}"#;
    let content = "sixty-four bytes of content, padded to that length: 0123456789ab";
    let form = format!(
        "--BOUND\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\n{content}\r\n--BOUND--\r\n"
    );
    vec![
        ask("GET /health"),
        ask("GET /health"),
        ask("GET /health"),
        ask("POST /init").with("content-type", "application/json").body("{}"),
        unary("/process.Process/List", "{}"),
        unary("/filesystem.Filesystem/MakeDir", r#"{"path":"/tmp/cookbook"}"#),
        ask("POST /files?path=/tmp/a.txt&username=user")
            .with("content-type", "multipart/form-data; boundary=BOUND")
            .body(form),
        ask("GET /files?path=/tmp/a.txt&username=user"),
        stream("/process.Process/Start", start),
        ask("GET /activity"),
        ask("GET /activity"),
        ask("POST /memory/preload").body(""),
        ask("POST /snapshot/prepare").body(""),
    ]
}

/// Makes a call on a connection of its own. The rule may do anything to it, so no outcome is an error.
async fn attempt(address: SocketAddr, call: &Ask) {
    let exchange = async {
        let mut socket = TcpStream::connect(address).await?;
        socket.write_all(&call.bytes(address)).await?;
        socket.read_to_end(&mut Vec::new()).await
    };
    let _ = tokio::time::timeout(CALL, exchange).await;
}

/// Whether the only rule has fired or, with a probability, was drawn.
fn has_acted(mock: &MockEnvd, rule: &str) -> bool {
    let counts = mock.faults().report()[0].counts;
    if rule.contains('%') { counts.drawn > 0 } else { counts.fired > 0 }
}

/// Runs the calls against a mock with this rule.
///
/// # Errors
/// The rule did not act in time.
async fn check(rule: &str) -> Result<(), String> {
    let script = Script::parse_expressions("docs/cookbook.md", rule).map_err(|error| error.to_string())?;
    let mock =
        MockEnvd::builder().script(script).start().await.map_err(|error| format!("{rule}: {error}"))?;
    let acts = async {
        while !has_acted(&mock, rule) {
            for call in calls() {
                attempt(mock.addr(), &call).await;
            }
            mock.faults().settled_journal().await;
        }
    };
    let acted = tokio::time::timeout(RULE, acts).await;
    acted.map_err(|_| format!("{rule}: expected it to fire, got {:?}", mock.faults().report()))
}

#[tokio::test]
async fn every_rule_of_the_cookbook_fires_on_the_usual_calls_of_a_host() {
    let rules = blocks("fault");
    assert!(rules.len() >= 25, "expected at least 25 entries, got {}", rules.len());
    let checked: Vec<_> = futures::stream::iter(rules).map(check).buffer_unordered(PARALLEL).collect().await;
    let failed: Vec<_> = checked.into_iter().filter_map(Result::err).collect();
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

#[tokio::test]
async fn every_script_of_the_cookbook_starts_a_mock() {
    let scripts = blocks("toml");
    assert!(!scripts.is_empty(), "the page has no script");
    for text in scripts {
        let script = Script::from_toml("docs/cookbook.md", text).unwrap_or_else(|error| panic!("{error}"));
        let mock = MockEnvd::builder().script(script).start().await;
        drop(mock.unwrap_or_else(|error| panic!("{error}\n{text}")));
    }
}
