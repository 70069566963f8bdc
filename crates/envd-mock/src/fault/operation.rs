//! How an operation is written: `*`, `package.Service/Method`, `METHOD /path` or `/path`. What it matches is decided
//! elsewhere.

use std::str::FromStr;

use serde_json::json;

use super::condition::too_long;
use super::node::{Node, Problem, Value};
use super::param::{Param, from_text};
use super::rule::Operation;
use super::source::ScriptError;

impl Operation {
    fn parse(text: &str) -> Option<Self> {
        if text == "*" {
            return Some(Self::Any);
        }
        if text.starts_with('/') {
            return text.parse().ok().map(|path| Self::Rest(None, path));
        }
        if let Some((method, path)) = text.split_once(' ').filter(|(method, _)| is_method(method)) {
            let path = path.trim_start();
            return path
                .starts_with('/')
                .then(|| path.parse().ok())?
                .map(|path| Self::Rest(Some(method.to_owned()), path));
        }
        (text.contains('/') && !text.contains(char::is_whitespace)).then(|| text.parse().ok())?.map(Self::Rpc)
    }
}

/// Whether it can be the method of a request.
pub(crate) fn is_method(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_uppercase())
}

impl std::fmt::Display for Operation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Any => f.write_str("*"),
            Self::Rpc(glob) | Self::Rest(None, glob) => glob.fmt(f),
            Self::Rest(Some(method), glob) => write!(f, "{method} {glob}"),
        }
    }
}

impl FromStr for Operation {
    type Err = ScriptError;

    fn from_str(text: &str) -> Result<Self, ScriptError> {
        Self::read(&Value::Text(text.to_owned()).into()).map_err(ScriptError::nowhere)
    }
}

impl Param for Operation {
    fn read(node: &Node) -> Result<Self, Problem> {
        from_text(node, Self::parse).map_err(|problem| match &node.value {
            Value::Text(text) => too_long(text, problem),
            _ => problem,
        })
    }

    fn write(&self) -> Option<Value> {
        Some(Value::Text(self.to_string()))
    }

    fn schema() -> serde_json::Value {
        json!({ "type": "string", "examples": ["process.Process/Start", "filesystem.Filesystem/*", "GET /files", "/memory/**", "*"] })
    }

    fn missing() -> Option<Self> {
        Some(Self::Any)
    }

    fn expected() -> String {
        "an operation such as process.Process/Start, filesystem.Filesystem/*, GET /files, /memory/** or *"
            .to_owned()
    }

    fn example() -> String {
        "process.Process/Start".to_owned()
    }
}
