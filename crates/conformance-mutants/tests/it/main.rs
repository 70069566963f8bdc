//! The kill matrix as a whole: it is up to date, and mutants are caught as it says.

mod matrix;
