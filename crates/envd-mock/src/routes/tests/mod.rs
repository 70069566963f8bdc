//! What goes wrong inside the guest, seen in the answers of the routes.

mod clock;
mod disks;
mod harness;
mod preloads;
mod processes;
