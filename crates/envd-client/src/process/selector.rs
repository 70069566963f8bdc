//! How a process is named, signalled and sized.

use envd_proto::process as wire;

/// Which process.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Selector {
    /// By its process id in the guest.
    Pid(u32),
    /// By the tag that it was started with.
    Tag(String),
}

/// The signals that envd sends, always to the whole process group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Signal {
    /// SIGKILL.
    Kill,
    /// SIGTERM.
    Terminate,
}

/// A terminal's size in character cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Size {
    /// Width.
    pub cols: u16,
    /// Height.
    pub rows: u16,
}

impl Size {
    /// `cols` wide, `rows` high.
    pub const fn new(cols: u16, rows: u16) -> Self {
        Self { cols, rows }
    }

    pub(super) fn wire(self) -> wire::Pty {
        wire::Pty { size: Some(wire::pty::Size { cols: self.cols.into(), rows: self.rows.into() }) }
    }
}

impl Signal {
    pub(super) fn wire(self) -> i32 {
        match self {
            Self::Kill => wire::Signal::Sigkill.into(),
            Self::Terminate => wire::Signal::Sigterm.into(),
        }
    }
}

impl Selector {
    pub(super) fn wire(&self) -> Option<wire::ProcessSelector> {
        let selector = match self {
            Self::Pid(pid) => wire::process_selector::Selector::Pid(*pid),
            Self::Tag(tag) => wire::process_selector::Selector::Tag(tag.clone()),
        };
        Some(wire::ProcessSelector { selector: Some(selector) })
    }
}

impl From<u32> for Selector {
    fn from(pid: u32) -> Self {
        Self::Pid(pid)
    }
}

impl From<&str> for Selector {
    fn from(tag: &str) -> Self {
        Self::Tag(tag.into())
    }
}

impl From<String> for Selector {
    fn from(tag: String) -> Self {
        Self::Tag(tag)
    }
}
