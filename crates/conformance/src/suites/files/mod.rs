//! `/files` (contract 2, 3.8 and 10). Each file holds a table of cases.

pub(super) mod transfer;
