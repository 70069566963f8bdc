//! Traffic as a file: each call with its bodies and the time of every piece, written while it passes and played back
//! later. docs/traffic.md describes the file.

mod fingerprint;
mod line;
mod load;
mod pace;
mod pieces;
mod play;
mod played;
mod recorder;
mod recording;
mod secret;
mod tapped;
#[cfg(test)]
mod tests;

pub use load::BadRecording;
pub use pace::{BadPace, ReplayPace};
pub(crate) use play::Player;
pub(crate) use recorder::Recorder;
pub(crate) use recording::Recording;
