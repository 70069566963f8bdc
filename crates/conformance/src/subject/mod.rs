//! Where the envd under test comes from: embedded, at an address, or started by command. Judges nothing.

mod embedded;
mod orphans;
mod spawn;

use std::any::Any;
use std::net::SocketAddr;
use std::time::Duration;

use futures::future::BoxFuture;

use crate::case::Case;
use crate::probe::SetupError;

pub use embedded::{Embedded, Playing, embedded};
pub use orphans::adopt_orphans;
pub use spawn::{Spawn, SpawnError};

/// One envd that is up. Dropping it ends it, if the kit has started it.
pub struct Subject {
    /// Where it listens.
    pub address: SocketAddr,
    /// What the Host header says.
    pub host: String,
    /// What keeps it up.
    pub guard: Option<Box<dyn Any + Send + Sync>>,
}

impl std::fmt::Debug for Subject {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Subject").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Subject {
    /// How it ended, when the kit has started it as a process and it has.
    pub fn ended(&self) -> Option<String> {
        let group = self.guard.as_ref()?.downcast_ref::<spawn::Group>()?;
        group.ended()
    }

    /// The same, for one that has just closed a connection: it may be dying.
    pub async fn ends_soon(&self) -> Option<String> {
        let is_process = self.guard.as_ref().is_some_and(|guard| guard.is::<spawn::Group>());
        let until = tokio::time::Instant::now() + DYING;
        while is_process && tokio::time::Instant::now() < until {
            if let Some(how) = self.ended() {
                return Some(how);
            }
            tokio::time::sleep(DYING / 20).await;
        }
        None
    }
}

/// How long a process may take from its last closed connection to its end.
const DYING: Duration = Duration::from_millis(100);

/// A source of subjects.
pub trait Subjects: Send + Sync {
    /// One more subject: a fresh one if [`Subjects::renewable`], else always the same.
    fn start(&self) -> BoxFuture<'_, Result<Subject, SetupError>>;

    /// Whether each start gives a fresh envd.
    fn renewable(&self) -> bool {
        true
    }

    /// Why `case` cannot be seen at its subjects, whatever they do. Only who knows how they are made can tell: of a guest
    /// that is just there it is never said.
    fn unfit(&self, case: &Case) -> Option<String> {
        let _ = case;
        None
    }

    /// What a report calls it.
    fn name(&self) -> String;
}

/// An envd that is already up at an address.
#[derive(Debug, Clone)]
pub struct At {
    host: String,
}

/// Why a text is no address of a guest: the caller's mistake.
#[derive(Debug, thiserror::Error)]
#[error("url {0:?} is not of the form http://HOST:PORT")]
pub struct BadUrl(String);

impl At {
    /// Reads `http://HOST:PORT`; without a port it is envd's own, 49983.
    ///
    /// # Errors
    /// [`BadUrl`].
    pub fn url(url: &str) -> Result<Self, BadUrl> {
        let bad = || BadUrl(url.to_owned());
        let authority = url.strip_prefix("http://").ok_or_else(bad)?.trim_end_matches('/');
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b".-_:[]".contains(&byte);
        if authority.is_empty() || !authority.bytes().all(allowed) {
            return Err(bad());
        }
        let name_end = authority.rfind(']').unwrap_or(0);
        let host = match authority[name_end..].split_once(':') {
            None => format!("{authority}:49983"),
            Some((_, port)) => port.parse::<u16>().map(|_| authority.to_owned()).map_err(|_| bad())?,
        };
        Ok(Self { host })
    }
}

impl Subjects for At {
    fn start(&self) -> BoxFuture<'_, Result<Subject, SetupError>> {
        Box::pin(async {
            let found = tokio::net::lookup_host(&self.host).await;
            let address = found.ok().and_then(|mut all| all.next());
            let address =
                address.ok_or_else(|| SetupError::Start(format!("{} has no address", self.host)))?;
            Ok(Subject { address, host: self.host.clone(), guard: None })
        })
    }

    fn renewable(&self) -> bool {
        false
    }

    fn name(&self) -> String {
        format!("http://{}", self.host)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_host_and_port() {
        let host = |url| At::url(url).map(|at| at.host).ok();
        assert_eq!(host("http://127.0.0.1:1234/").as_deref(), Some("127.0.0.1:1234"));
        assert_eq!(host("http://[::1]").as_deref(), Some("[::1]:49983"));
        for bad in ["127.0.0.1:1", "https://a", "http://", "http://a/b", "http://a:b", "http://a:70000"] {
            assert_eq!(host(bad), None, "{bad}");
        }
    }
}
