//! Directories that are never used as a guest's root: those of the system, and homes with all that they lie in. They are
//! known by device and inode, whatever path, link or mount leads to them.

use std::collections::HashSet;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// What systems keep for themselves, on Linux and macOS.
const SYSTEM: &[&str] = &[
    "/",
    "/Applications",
    "/Library",
    "/System",
    "/Users",
    "/Volumes",
    "/bin",
    "/boot",
    "/boot/efi",
    "/cores",
    "/dev",
    "/dev/pts",
    "/dev/shm",
    "/efi",
    "/etc",
    "/home",
    "/lib",
    "/lib32",
    "/lib64",
    "/libx32",
    "/lost+found",
    "/media",
    "/mnt",
    "/nix",
    "/nix/store",
    "/opt",
    "/private",
    "/private/etc",
    "/private/tmp",
    "/private/var",
    "/proc",
    "/root",
    "/run",
    "/run/lock",
    "/run/user",
    "/sbin",
    "/snap",
    "/srv",
    "/sys",
    "/tmp",
    "/usr",
    "/usr/bin",
    "/usr/games",
    "/usr/include",
    "/usr/lib",
    "/usr/lib32",
    "/usr/lib64",
    "/usr/libexec",
    "/usr/local",
    "/usr/local/bin",
    "/usr/local/etc",
    "/usr/local/lib",
    "/usr/local/sbin",
    "/usr/local/share",
    "/usr/sbin",
    "/usr/share",
    "/usr/src",
    "/var",
    "/var/cache",
    "/var/home",
    "/var/lib",
    "/var/local",
    "/var/log",
    "/var/mail",
    "/var/opt",
    "/var/roothome",
    "/var/run",
    "/var/spool",
    "/var/tmp",
];
/// Whole trees of the system: nothing below them is anybody's project.
const WHOLE: &[&str] = &["/boot", "/dev/pts", "/etc", "/proc", "/sys"];
/// Bytes of `/etc/passwd` that are read.
const PASSWD: usize = 1 << 20;

/// Why `dir` must not be the root of a guest; `None` when it may.
pub(super) fn reason(dir: &Path, identity: (u64, u64)) -> Option<&'static str> {
    if WHOLE.iter().any(|whole| dir.starts_with(whole))
        || known(SYSTEM.iter().map(PathBuf::from)).contains(&identity)
    {
        return Some("is a directory of the system");
    }
    if known(std::iter::once(std::env::temp_dir())).contains(&identity) {
        return Some("is the directory of temporary files");
    }
    let homes: Vec<PathBuf> = homes();
    if known(homes.iter().cloned()).contains(&identity) {
        return Some("is a home directory");
    }
    let above = homes.iter().flat_map(|home| [Some(home.clone()), fs::canonicalize(home).ok()]).flatten();
    let above = above.flat_map(|home| home.ancestors().skip(1).map(Path::to_owned).collect::<Vec<_>>());
    known(above).contains(&identity).then_some("holds a home directory")
}

/// Device and inode of each of these directories that there is.
fn known(paths: impl Iterator<Item = PathBuf>) -> HashSet<(u64, u64)> {
    paths.filter_map(|path| fs::metadata(path).ok()).map(|meta| (meta.dev(), meta.ino())).collect()
}

/// This user's home, and those that the machine gives its people and root.
fn homes() -> Vec<PathBuf> {
    let mut passwd = fs::read("/etc/passwd").unwrap_or_default();
    passwd.truncate(PASSWD);
    let passwd = String::from_utf8_lossy(&passwd).into_owned();
    let listed = passwd.lines().filter_map(|line| {
        let fields: Vec<&str> = line.split(':').collect();
        let uid: u32 = fields.get(2)?.parse().ok()?;
        let person = uid == 0 || (1000..60_000).contains(&uid) || uid == rustix::process::getuid().as_raw();
        fields.get(5).filter(|_| person).map(PathBuf::from)
    });
    let own = std::env::var_os("HOME").map(PathBuf::from);
    own.into_iter().chain(listed).filter(|home| home.is_absolute()).collect()
}
