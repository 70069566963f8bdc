//! `/files` (contract 2, 3.8 and 10). Each file holds a table of cases.

pub(super) mod downloads;
pub(super) mod paths;
pub(super) mod ranges;
pub(super) mod refusals;
pub(super) mod signatures;
pub(super) mod transfer;
pub(super) mod uploads;
