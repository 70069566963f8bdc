//! The Filesystem service (contract 5 and 10). Each file holds a table of cases.

pub(super) mod calls;
pub(super) mod changes;
pub(super) mod entries;
pub(super) mod listings;
pub(super) mod streams;
pub(super) mod trees;
pub(super) mod watches;
