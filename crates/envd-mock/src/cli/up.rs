//! What the command has started: its ready line, and its end.

use crate::mock::MockEnvd;
use crate::playback::Playback;
use crate::proxy::Proxy;
use crate::upstream::Target;

/// A server that is up.
#[derive(Debug)]
pub enum Up {
    /// A guest.
    Mock(MockEnvd),
    /// A proxy, before this upstream.
    Proxy(Proxy, Target),
    /// A recording.
    Playback(Playback),
}

impl Up {
    /// The one line that is printed, without its newline.
    pub fn ready_line(&self) -> String {
        let line = |url: String, control: String| format!("envd-mock ready url={url} control={control}");
        match self {
            Self::Mock(mock) => format!(
                "{} generation={} root={}",
                line(mock.url(), mock.control_url()),
                mock.generation(),
                mock.guest().root().display()
            ),
            Self::Proxy(proxy, upstream) => {
                format!("{} upstream={upstream}", line(proxy.url(), proxy.control_url()))
            }
            Self::Playback(playback) => {
                let file = playback.file().display();
                format!("{} recording={file}", line(playback.url(), playback.control_url()))
            }
        }
    }

    /// Waits until nothing would be left even if this process were killed.
    ///
    /// # Errors
    /// When that cannot be had.
    pub async fn guarded(&self) -> std::io::Result<()> {
        match self {
            Self::Mock(mock) => mock.guarded().await,
            Self::Proxy(..) | Self::Playback(_) => Ok(()),
        }
    }

    /// Ends it, and waits for that.
    pub async fn stop(self) {
        match self {
            Self::Mock(mock) => mock.stop().await,
            Self::Proxy(proxy, _) => proxy.stop().await,
            Self::Playback(playback) => playback.stop().await,
        }
    }
}
