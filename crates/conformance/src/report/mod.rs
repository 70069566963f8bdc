//! Reports: each is fed by the events of a run.

mod badge;
mod bundle;
mod files;
mod html;
pub mod json;
mod junit;
mod progress;
mod tap;
mod terminal;
mod wire;

pub use badge::Badge;
pub use bundle::{Bundle, Saved, saved};
pub use files::{Files, Wanted};
pub use html::{Html, transcript};
pub use json::Json;
pub use junit::Junit;
pub use tap::Tap;
pub use terminal::Terminal;
