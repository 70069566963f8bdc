//! What generation 3 alone has (contract 0.1). Each file holds a table of cases.

pub(super) mod commands;
pub(super) mod environment;
pub(super) mod puts;
pub(super) mod replay;
pub(super) mod routes;
pub(super) mod volumes;
