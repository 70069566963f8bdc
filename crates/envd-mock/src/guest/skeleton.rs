//! The files and directories that a fresh guest has. Data only: who places them, and where, is `ns`'s and `plain`'s.

/// Path, mode and owner of each directory that a fresh guest starts with, from the top down.
pub(super) const DIRS: &[(&str, u32, u32)] = &[
    ("/dev", 0o755, 0),
    ("/etc", 0o755, 0),
    ("/home", 0o755, 0),
    ("/home/user", 0o755, 1000),
    ("/mnt", 0o755, 0),
    ("/opt", 0o755, 0),
    ("/proc", 0o555, 0),
    ("/root", 0o700, 0),
    ("/run", 0o755, 0),
    ("/run/wrenn", 0o755, 0),
    ("/srv", 0o755, 0),
    ("/sys", 0o555, 0),
    ("/tmp", 0o1777, 0),
    ("/var", 0o755, 0),
    ("/var/tmp", 0o1777, 0),
];

/// Path and content of each file that a fresh guest starts with; all belong to root and have mode 0644.
pub(super) const FILES: &[(&str, &str)] = &[
    ("/etc/passwd", PASSWD),
    ("/etc/group", GROUP),
    ("/etc/hostname", "sandbox\n"),
    ("/etc/hosts", "127.0.0.1\tlocalhost\n::1\tlocalhost\n"),
    ("/etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\n"),
    ("/etc/profile", "umask 022\n"),
    ("/run/wrenn/.WRENN_SANDBOX", "true"),
];

const PASSWD: &str = "\
root:x:0:0:root:/root:/bin/sh
user:x:1000:1000:user:/home/user:/bin/sh
nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin
";

const GROUP: &str = "\
root:x:0:
tty:x:5:
user:x:1000:
nogroup:x:65534:
";
