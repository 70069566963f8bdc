//! `envd-mock proxy`: where the upstream is and how it is spoken to.

use clap::Args;

use super::command::Failed;
use super::common::Common;
use super::up::Up;
use crate::proxy::Proxy;
use crate::upstream::{Target, UpstreamProtocol};

/// What a proxy can be told.
#[derive(Debug, Args)]
pub struct ProxyArgs {
    /// The envd behind it: http://HOST[:PORT]
    #[arg(long, value_name = "URL")]
    upstream: Target,
    /// How the upstream is spoken to: as the client speaks, HTTP/1.1, or HTTP/2 with prior knowledge
    #[arg(long, value_enum, value_name = "PROTOCOL", default_value_t)]
    upstream_protocol: UpstreamProtocol,
    #[command(flatten)]
    pub(super) common: Common,
}

impl ProxyArgs {
    pub(super) async fn start(self) -> Result<Up, Failed> {
        let builder = self.common.tell(Proxy::before(self.upstream.clone()))?;
        let proxy = builder.upstream_protocol(self.upstream_protocol).start().await?;
        Ok(Up::Proxy(proxy, self.upstream))
    }
}
