//! Commands and running processes (contract 4).

mod command;
mod control;
mod event;
mod selector;
mod terminal;

pub use command::{Command, Output};
pub use control::{Process, ProcessInfo};
pub use event::{Event, EventStream, Exit};
pub use selector::{Selector, Signal, Size};
pub use terminal::Terminal;
