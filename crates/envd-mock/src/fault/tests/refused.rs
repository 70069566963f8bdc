//! What cannot be used is told.
