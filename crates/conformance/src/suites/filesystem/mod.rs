//! The Filesystem service (contract 5 and 10). Each file holds a table of cases.

pub(super) mod calls;
