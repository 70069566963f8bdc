//! Boot, initialisation and snapshot: health, `/init`, `/snapshot/prepare` (contract 3.1, 3.4, 3.5).

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use http::Method;
use http::header::{CONTENT_TYPE, HeaderValue};
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, timeout_at};

use crate::client::Client;
use crate::error::{Error, ErrorKind, Result, Wait};
use crate::generation::Spelling;
use crate::transport::{OutBody, Rest, Secret};

const POLL: Duration = Duration::from_millis(100);

impl Client {
    /// Asks whether the guest is up.
    ///
    /// # Errors
    /// When it does not answer with status 200.
    pub async fn health(&self) -> Result<()> {
        let call = self.repeatable("GET /health");
        self.transport.rest(&call, Rest::new(Method::GET, "/health")).await?.expect(&call, &[200])?;
        Ok(())
    }

    /// The version that the guest reports.
    ///
    /// # Errors
    /// When it does not answer with status 200 and a version.
    pub async fn version(&self) -> Result<String> {
        #[derive(Deserialize)]
        struct Health {
            version: String,
        }
        let call = self.repeatable("GET /health");
        let health: Health =
            self.transport.rest(&call, Rest::new(Method::GET, "/health")).await?.json(&call)?;
        Ok(health.version)
    }

    /// Waits until the guest is up, asking every 100 ms.
    ///
    /// # Errors
    /// [`ErrorKind::NotReady`] with what the last attempt met, when `budget` is spent.
    pub async fn wait_until_ready(&self, budget: Duration) -> Result<()> {
        let end = Instant::now() + budget;
        let mut last = None;
        loop {
            match timeout_at(end, self.health()).await {
                Ok(Ok(())) => return Ok(()),
                Ok(Err(error)) => last = Some(error),
                Err(_) => return Err(self.not_ready(budget, last)),
            }
            if Instant::now() + POLL >= end {
                return Err(self.not_ready(budget, last));
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// Initialises the guest after boot or resume.
    ///
    /// # Errors
    /// When it does not answer with status 204: 400 for a value that cannot be an environment variable, 401 for
    /// another token than the one that is set.
    pub async fn init(&self, init: &Init) -> Result<()> {
        let call = self.repeatable("POST /init");
        let spelling = call.within(None, self.spelling_for(init)).await?;
        let body =
            init.body(spelling).map_err(|error| Error::usage("POST /init", "init", error.to_string()))?;
        let request = Rest::new(Method::POST, "/init")
            .header(CONTENT_TYPE, HeaderValue::from_static("application/json"))
            .body(OutBody::Whole(body.into()));
        self.transport.rest(&call, request).await?.expect(&call, &[204])?;
        Ok(())
    }

    /// The guest is asked only if it matters.
    async fn spelling_for(&self, init: &Init) -> Result<Spelling> {
        match self.known_generation() {
            None if init.token.is_none() && init.hyperloop_ip.is_none() => Ok(Spelling::Snake),
            _ => Ok(self.generation().await?.spelling()),
        }
    }

    /// Lets the guest get ready for a snapshot. Best effort: the host goes on if it fails.
    ///
    /// # Errors
    /// When the guest does not answer with status 204.
    pub async fn prepare_snapshot(&self) -> Result<()> {
        let call = self.repeatable("POST /snapshot/prepare");
        let request = Rest::new(Method::POST, "/snapshot/prepare");
        self.transport.rest(&call, request).await?.expect(&call, &[204])?;
        Ok(())
    }

    fn not_ready(&self, budget: Duration, last: Option<Error>) -> Error {
        let call = self.repeatable("GET /health");
        let last =
            last.unwrap_or_else(|| call.error(ErrorKind::Timeout { what: Wait::Answer, limit: budget }));
        call.error(ErrorKind::NotReady { budget, last: Box::new(last) })
    }
}

/// What `/init` tells the guest. Every one has a timestamp and a lifecycle id of its own; a guest that sees a new
/// lifecycle id takes the call for a resume (contract 3.4).
#[derive(Clone)]
pub struct Init {
    timestamp: String,
    lifecycle_id: String,
    token: Option<Secret>,
    default_user: Option<String>,
    default_workdir: Option<String>,
    env: BTreeMap<String, String>,
    sandbox_id: Option<String>,
    template_id: Option<String>,
    proxy_domain: Option<String>,
    hyperloop_ip: Option<String>,
}

#[derive(Serialize)]
struct Wire<'a> {
    timestamp: &'a str,
    lifecycle_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    access_token: Option<&'a str>,
    #[serde(rename = "defaultUser", skip_serializing_if = "Option::is_none")]
    default_user: Option<&'a str>,
    #[serde(rename = "defaultWorkdir", skip_serializing_if = "Option::is_none")]
    default_workdir: Option<&'a str>,
    #[serde(rename = "envVars", skip_serializing_if = "BTreeMap::is_empty")]
    env: &'a BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sandbox_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    template_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    proxy_domain: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hyperloop_ip: Option<&'a str>,
}

/// The spelling of generation 1, which knows neither life cycles nor names.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct OldWire<'a> {
    timestamp: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    access_token: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    default_user: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    default_workdir: Option<&'a str>,
    #[serde(rename = "envVars", skip_serializing_if = "BTreeMap::is_empty")]
    env: &'a BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hyperloop_ip: Option<&'a str>,
}

impl Default for Init {
    fn default() -> Self {
        Self::new()
    }
}

impl Init {
    /// The time of now (RFC 3339, UTC, nanoseconds) and a fresh lifecycle id, nothing else.
    pub fn new() -> Self {
        Self {
            timestamp: jiff::Timestamp::now().to_string(),
            lifecycle_id: uuid::Uuid::new_v4().to_string(),
            token: None,
            default_user: None,
            default_workdir: None,
            env: BTreeMap::new(),
            sandbox_id: None,
            template_id: None,
            proxy_domain: None,
            hyperloop_ip: None,
        }
    }

    /// Another timestamp: RFC 3339 or decimal seconds. A guest skips most of a call that is not newer than the last.
    #[must_use]
    pub fn timestamp(mut self, text: impl Into<String>) -> Self {
        self.timestamp = text.into();
        self
    }

    /// Another lifecycle id.
    #[must_use]
    pub fn lifecycle_id(mut self, id: impl Into<String>) -> Self {
        self.lifecycle_id = id.into();
        self
    }

    /// The token that the guest asks for from now on.
    #[must_use]
    pub fn access_token(mut self, token: impl Into<String>) -> Self {
        self.token = Some(Secret::new(token));
        self
    }

    /// The user of later calls; empty means no change.
    #[must_use]
    pub fn default_user(mut self, name: impl Into<String>) -> Self {
        self.default_user = non_empty(name);
        self
    }

    /// The directory that relative paths of later calls start from; empty means no change.
    #[must_use]
    pub fn default_workdir(mut self, path: impl Into<String>) -> Self {
        self.default_workdir = non_empty(path);
        self
    }

    /// One more environment variable of all later commands.
    #[must_use]
    pub fn env(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.env.insert(name.into(), value.into());
        self
    }

    /// More environment variables.
    #[must_use]
    pub fn envs<K: Into<String>, V: Into<String>>(self, all: impl IntoIterator<Item = (K, V)>) -> Self {
        all.into_iter().fold(self, |init, (name, value)| init.env(name, value))
    }

    /// The sandbox's id (`WRENN_SANDBOX_ID`); empty means none.
    #[must_use]
    pub fn sandbox_id(mut self, id: impl Into<String>) -> Self {
        self.sandbox_id = non_empty(id);
        self
    }

    /// The template's id (`WRENN_TEMPLATE_ID`); empty means none.
    #[must_use]
    pub fn template_id(mut self, id: impl Into<String>) -> Self {
        self.template_id = non_empty(id);
        self
    }

    /// The domain of the sandbox's proxy (`WRENN_PROXY_DOMAIN`); empty means none.
    #[must_use]
    pub fn proxy_domain(mut self, domain: impl Into<String>) -> Self {
        self.proxy_domain = non_empty(domain);
        self
    }

    /// The address of the events host; empty means none.
    #[must_use]
    pub fn hyperloop_ip(mut self, ip: impl Into<String>) -> Self {
        self.hyperloop_ip = non_empty(ip);
        self
    }

    fn body(&self, spelling: Spelling) -> serde_json::Result<Vec<u8>> {
        match spelling {
            Spelling::Snake => serde_json::to_vec(&self.wire()),
            Spelling::Camel => serde_json::to_vec(&self.old_wire()),
        }
    }

    fn old_wire(&self) -> OldWire<'_> {
        let Wire { timestamp, access_token, default_user, default_workdir, env, hyperloop_ip, .. } =
            self.wire();
        OldWire { timestamp, access_token, default_user, default_workdir, env, hyperloop_ip }
    }

    fn wire(&self) -> Wire<'_> {
        Wire {
            timestamp: &self.timestamp,
            lifecycle_id: &self.lifecycle_id,
            access_token: self.token.as_ref().map(Secret::reveal),
            default_user: self.default_user.as_deref(),
            default_workdir: self.default_workdir.as_deref(),
            env: &self.env,
            sandbox_id: self.sandbox_id.as_deref(),
            template_id: self.template_id.as_deref(),
            proxy_domain: self.proxy_domain.as_deref(),
            hyperloop_ip: self.hyperloop_ip.as_deref(),
        }
    }
}

/// Shows neither the token nor the values of the environment, which hold secrets as a rule.
impl fmt::Debug for Init {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Init")
            .field("timestamp", &self.timestamp)
            .field("lifecycle_id", &self.lifecycle_id)
            .field("token", &self.token)
            .field("default_user", &self.default_user)
            .field("default_workdir", &self.default_workdir)
            .field("env", &self.env.keys())
            .field("sandbox_id", &self.sandbox_id)
            .field("template_id", &self.template_id)
            .finish_non_exhaustive()
    }
}

fn non_empty(text: impl Into<String>) -> Option<String> {
    Some(text.into()).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wire_has_the_contracts_spelling() {
        let init = Init::new()
            .timestamp("2026-01-02T03:04:05.000000006Z")
            .lifecycle_id("l")
            .access_token("t")
            .default_user("user")
            .default_workdir("/w")
            .env("A", "b")
            .sandbox_id("s")
            .template_id("")
            .proxy_domain("p");
        let text = serde_json::to_string(&init.wire()).unwrap();
        assert_eq!(
            text,
            r#"{"timestamp":"2026-01-02T03:04:05.000000006Z","lifecycle_id":"l","access_token":"t","defaultUser":"user","defaultWorkdir":"/w","envVars":{"A":"b"},"sandbox_id":"s","proxy_domain":"p"}"#
        );
    }

    #[test]
    fn an_old_guest_gets_what_it_knows_in_its_own_spelling() {
        let init = Init::new()
            .timestamp("7")
            .access_token("t")
            .default_user("user")
            .sandbox_id("s")
            .hyperloop_ip("i");
        let text = String::from_utf8(init.body(Spelling::Camel).unwrap()).unwrap();
        assert_eq!(text, r#"{"timestamp":"7","accessToken":"t","defaultUser":"user","hyperloopIp":"i"}"#);
    }

    #[test]
    fn each_has_a_lifecycle_of_its_own() {
        assert_ne!(Init::new().lifecycle_id, Init::new().lifecycle_id);
        assert!(Init::new().timestamp.ends_with('Z'));
    }

    #[test]
    fn no_debug_shows_secrets() {
        let text = format!("{:?}", Init::new().access_token("s3cret").env("KEY", "hidden"));
        assert!(text.contains("KEY") && !text.contains("s3cret") && !text.contains("hidden"), "{text}");
    }
}
