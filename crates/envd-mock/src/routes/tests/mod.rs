//! What goes wrong inside the guest, seen in the answers of the routes.

mod clock;
mod disks;
mod harness;
#[cfg(target_os = "linux")]
mod portable;
mod preloads;
mod processes;
