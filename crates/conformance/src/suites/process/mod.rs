//! The Process service (contract 4). Each file holds a table of cases.

pub(super) mod config;
pub(super) mod ends;
pub(super) mod environment;
pub(super) mod input;
pub(super) mod joins;
pub(super) mod output;
pub(super) mod signals;
pub(super) mod start;
pub(super) mod stdin;
pub(super) mod streams;
pub(super) mod terminal;
