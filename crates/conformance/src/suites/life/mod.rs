//! What a guest remembers: `/init`, tokens, snapshots, preloads (contract 2 and 3.4 to 3.7). Each file holds a table
//! of cases.

pub(super) mod init;
