//! `/files` (contract section 3.8): a file out of the guest, or files into it, streamed in constant memory.

mod answer;
mod asked;
mod auth;
mod body;
mod conditions;
mod disposition;
mod download;
mod encoding;
mod pieces;
mod put;
mod range;
mod receive;
mod settle;
mod upload;
mod worn;

pub(crate) use download::get;
pub(crate) use put::put;
pub(crate) use upload::post;
