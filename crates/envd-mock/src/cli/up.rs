//! What the command has started: its ready line, and its end.

use crate::levers::Faults;
use crate::mock::MockEnvd;
use crate::playback::Playback;
use crate::proxy::Proxy;
use crate::strict::StrictReport;
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

    /// What goes wrong, while it is up and once it has ended.
    pub fn faults(&self) -> Faults {
        match self {
            Self::Mock(mock) => mock.faults(),
            Self::Proxy(proxy, _) => proxy.faults(),
            Self::Playback(playback) => playback.faults(),
        }
    }

    /// Ends it, and waits for that.
    ///
    /// # Errors
    /// What a strict run does not let pass.
    pub async fn finish(self) -> Result<(), StrictReport> {
        match self {
            Self::Mock(mock) => mock.finish().await,
            Self::Proxy(proxy, _) => proxy.finish().await,
            Self::Playback(playback) => playback.finish().await,
        }
    }
}
