//! Why the walls of a guest do not stand.

use std::io;
use std::path::PathBuf;

/// Why a guest could not be built.
#[derive(Debug, thiserror::Error)]
pub enum LaunchError {
    /// The kernel, or what guards it, refuses namespaces to this process.
    #[error(
        "this machine does not let the mock wall its guest in ({what}: {source}); ways out: \
         in a container, run `envd-mock --root /`, which takes the container as it is, or start the container with \
         `--security-opt seccomp=unconfined --security-opt systempaths=unconfined`; \
         on Ubuntu 23.10 or later, `sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0`; \
         elsewhere, see that `sysctl user.max_user_namespaces` is not 0"
    )]
    Forbidden {
        /// What was refused.
        what: String,
        /// What the kernel said.
        source: io::Error,
    },
    /// The owners of a directory of the host cannot be shown to a guest of the host's root.
    #[error(
        "cannot use {} in place as root: {source} (its file system, or one mounted below it, or this kernel has no \
         mounts that map ids); copy it with `--files DIR`, or run the mock as the user that owns it",
        path.display()
    )]
    Unmapped {
        /// The directory.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// Something else went wrong.
    #[error("cannot build the guest: {what}: {source}")]
    Failed {
        /// What was being done.
        what: String,
        /// What the kernel said.
        source: io::Error,
    },
}
