//! What a guest remembers: `/init`, tokens, snapshots, preloads (contract 2 and 3.4 to 3.7). Each file holds a table
//! of cases.

pub(super) mod across;
pub(super) mod gates;
pub(super) mod identity;
pub(super) mod init;
pub(super) mod preload;
pub(super) mod snapshot;
pub(super) mod stamps;
pub(super) mod token;
