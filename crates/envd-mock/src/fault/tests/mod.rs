//! The written forms of faults, tested as one: what is printed is read again, and what is wrong is told.

mod inverse;
mod page;
mod refused;
mod schema;
mod settled;
mod strategies;
