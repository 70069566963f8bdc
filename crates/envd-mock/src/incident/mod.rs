//! Incidents of the field as scripts: the files of `fixtures/scripts`, what they declare of a good client, and how one
//! is found by its name.

mod catalogue;
mod page;
mod record;

pub use catalogue::{UnknownIncident, all, names, script, text};
pub use page::{lines, page};
pub use record::{Act, Blame, Expectation, Incident, Kind, Left, Retry, Seen, Settings};
