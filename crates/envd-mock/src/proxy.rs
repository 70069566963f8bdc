//! A running proxy as a value: what goes wrong with a mock, in front of any envd.

use crate::builder::Builder;
use crate::served::{Served, levers};
use crate::server::{Behind, StartError};
use crate::upstream::{BadTarget, Target, UpstreamProtocol};

/// A proxy that is up: faults and journal before an envd that is somebody else's. Dropping it ends it.
///
/// ```no_run
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let proxy = envd_mock::Proxy::to("http://127.0.0.1:49983")?
///     .fault("process.Process/Start #2 down[5]: reset".parse()?)
///     .start()
///     .await?;
/// println!("drive it at {}", proxy.url());
/// # Ok(())
/// # }
/// ```
#[must_use = "the proxy ends when it is dropped"]
pub struct Proxy {
    served: Served,
}

levers!(Proxy);

impl Proxy {
    /// Describes a proxy before the envd at this base URL, `http://HOST[:PORT]`.
    ///
    /// # Errors
    /// [`BadTarget`], when it is none.
    pub fn to(upstream: &str) -> Result<Builder<Self>, BadTarget> {
        upstream.parse().map(Self::before)
    }

    /// Describes a proxy before an envd.
    pub fn before(upstream: Target) -> Builder<Self> {
        Builder::before(Behind::Upstream(upstream, UpstreamProtocol::default()))
    }
}

impl Builder<Proxy> {
    /// How the upstream is spoken to; as the client speaks, by default.
    pub fn upstream_protocol(mut self, protocol: UpstreamProtocol) -> Self {
        if let Behind::Upstream(_, known) = &mut self.config.behind {
            *known = protocol;
        }
        self
    }

    /// Starts the proxy; it answers when this returns, whether the upstream does or not.
    ///
    /// # Errors
    /// [`StartError`]: the address is remote or cannot be bound, the upstream is the proxy itself, or a rule needs a
    /// guest of the mock's own.
    pub async fn start(self) -> Result<Proxy, StartError> {
        Ok(Proxy { served: Served::start(self.config).await? })
    }
}
