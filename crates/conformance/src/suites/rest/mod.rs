//! The small REST routes, and what all routes share (contract 1 and 3). Each file holds a table of cases.

pub(super) mod basics;
pub(super) mod browsers;
pub(super) mod routes;
