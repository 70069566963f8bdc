//! Programs: scripted stand-ins for commands. What one is, which command it stands in for, and how it is played.
//! How it appears among the guest's processes is `process`'s; nothing here makes a system call of its own.

mod asked;
mod builder;
mod content;
mod history;
mod model;
mod play;
mod programs;
mod stdin;

pub(crate) use asked::Asked;
pub use builder::RealRun;
pub(crate) use content::{BadTemplate, Content, Template};
pub use history::ProgramRun;
pub(crate) use model::{Act, Args, Finish, Read, Step, Stream};
pub use model::{Program, ProgramWhen};
pub(crate) use play::{Ending, Outlet, Stage};
pub(crate) use programs::Chosen;
pub(crate) use programs::Lasting;
pub use programs::{ProgramRuns, Programs};
pub(crate) use stdin::Stdin;
