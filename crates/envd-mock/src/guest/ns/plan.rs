//! What a guest is built of, decided before the fork: a list of steps that the holder carries out without
//! allocating. Knows the host's layout; does nothing itself.

use std::ffi::{CStr, CString, OsStr};
use std::fs;
use std::io;
use std::os::fd::RawFd;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use super::baseline::Limits;
use super::in_place::InPlace;
use super::root::Root;

/// As [`Root`], as the holder needs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ground<'a> {
    Machine,
    Dir(&'a CStr),
    /// Where, and how many bytes.
    Disk(&'a CStr, &'a CStr),
}

/// The user namespaces of commands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Inner {
    /// One of so many ids for all of them.
    All(u32),
    /// One for each of these users; root's commands stay in the init's.
    Users(Vec<u32>),
}

/// One thing to make in the guest; what is there already is left alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    Dir {
        path: CString,
        mode: u32,
        owner: u32,
    },
    File {
        path: CString,
        mode: u32,
        content: Vec<u8>,
    },
    Link {
        path: CString,
        target: CString,
    },
    Bind {
        slot: usize,
        target: CString,
        dir: bool,
    },
    Mount {
        kind: &'static CStr,
        target: CString,
        data: CString,
    },
    /// A setting of the kernel for the guest's namespaces, where it has it.
    Set {
        path: CString,
        value: String,
    },
    /// A directory of the guest's own that becomes read-only.
    Freeze {
        path: CString,
    },
}

/// A mount of the host that the guest sees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Source {
    pub(super) path: CString,
    pub(super) devices: bool,
    pub(super) fd: RawFd,
}

/// The whole plan of one guest.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(super) root: Root,
    pub(super) root_path: CString,
    disk_size: CString,
    /// Nothing is shown but what every guest sees.
    pub(super) usual: bool,
    pub(super) walls: Walls,
    pub(super) limits: Limits,
}

/// What a guest has around it, wherever its tree lies.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Walls {
    pub(super) steps: Vec<Step>,
    pub(super) sources: Vec<Source>,
    /// Guest user ids that get a user namespace of their own, where ids cannot be mapped.
    pub(super) nested: Vec<u32>,
    /// How many ids the namespace of all commands has, where they come from a range.
    pub(super) inner: Option<u32>,
    pub(super) nested_fds: Vec<RawFd>,
    /// The guest has a network namespace, whose loopback is to be brought up.
    pub(super) own_network: bool,
}

/// The host's directories that commands need, shown read-only where they exist.
const SHOWN: &[&str] = &[
    "/usr",
    "/bin",
    "/sbin",
    "/lib",
    "/lib32",
    "/lib64",
    "/libx32",
    "/etc/alternatives",
    "/etc/ssl",
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
];
const DEVICES: &[&str] = &["null", "zero", "full", "random", "urandom", "tty"];
/// What the kernel counts for each user, and the host's user pays for with the guest: the most that one guest has.
const BUDGETS: &[(&str, u32)] = &[
    ("max_user_namespaces", 256),
    ("max_pid_namespaces", 128),
    ("max_mnt_namespaces", 128),
    ("max_ipc_namespaces", 128),
    ("max_net_namespaces", 32),
    ("max_uts_namespaces", 128),
    ("max_cgroup_namespaces", 128),
    ("max_time_namespaces", 128),
    ("max_inotify_instances", 32),
    ("max_inotify_watches", 65_536),
    ("max_fanotify_groups", 16),
    ("max_fanotify_marks", 8192),
];
/// Parts of /proc that a guest has no business with.
const MASKED: &[&str] = &["kcore", "kmsg", "keys", "sysrq-trigger", "timer_list"];

impl Plan {
    /// A plan that changes nothing: the machine as it is.
    pub(crate) fn machine() -> Self {
        Self {
            root: Root::Machine,
            root_path: c"/".into(),
            disk_size: c"".into(),
            usual: false,
            walls: Walls::default(),
            limits: Limits::default(),
        }
    }

    /// As this plan, for a guest that may use so much.
    pub(crate) fn limit(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    /// As this plan, for a guest with a network of its own: a loopback, on which every port and ping are everyone's.
    pub(crate) fn without_network(mut self) -> io::Result<Self> {
        self.walls.own_network = true;
        let steps = &mut self.walls.steps;
        let frozen = steps.iter().position(|step| matches!(step, Step::Freeze { .. })).unwrap_or(steps.len());
        for (name, value) in [("ip_unprivileged_port_start", "0"), ("ping_group_range", "0 65535")] {
            let path = c(OsStr::new(&format!("/proc/sys/net/ipv4/{name}")))?;
            steps.insert(frozen, Step::Set { path, value: value.to_owned() });
        }
        Ok(self)
    }

    /// Where the tree lies.
    pub(super) fn ground(&self) -> Ground<'_> {
        match self.root {
            Root::Machine => Ground::Machine,
            Root::Dir(_) => Ground::Dir(&self.root_path),
            Root::Disk(..) => Ground::Disk(&self.root_path, &self.disk_size),
        }
    }

    /// The plan of a guest over `root`, with `binds` (host path, guest path) shown read-only beside the usual.
    ///
    /// # Errors
    /// When a path holds a NUL byte or a bind's source does not exist.
    pub(crate) fn guest(root: Root, binds: &[(PathBuf, PathBuf)], inner: Inner) -> io::Result<Self> {
        let path = match &root {
            Root::Machine => return Ok(Self::machine()),
            Root::Dir(path) | Root::Disk(path, _) => c(path.as_os_str())?,
        };
        let size = if let Root::Disk(_, size) = &root { *size } else { 0 };
        let walls = match inner {
            Inner::All(count) => Walls { inner: Some(count), nested_fds: vec![-1], ..Walls::default() },
            Inner::Users(nested) => Walls { nested_fds: vec![-1; nested.len()], nested, ..Walls::default() },
        };
        let mut plan = Self {
            root_path: path,
            disk_size: c(OsStr::new(&size.to_string()))?,
            usual: binds.is_empty(),
            walls,
            limits: Limits::default(),
            root,
        };
        plan.skeleton()?;
        for path in SHOWN {
            plan.show(Path::new(path), Path::new(path))?;
        }
        for (host, guest) in binds {
            std::fs::metadata(host)?;
            plan.bind(host, guest, false)?;
        }
        plan.devices()?;
        plan.proc()?;
        Ok(plan)
    }

    /// Starts to watch over what the steps will add to the directory that is the root.
    ///
    /// # Errors
    /// When the directory is in use, or no process can be started.
    pub(crate) fn in_place(&mut self) -> io::Result<Option<InPlace>> {
        self.usual = false;
        InPlace::begin(self.root.path(), self.walls.steps.clone()).map(Some)
    }

    /// As a plan that has nothing but the files and directories of every guest.
    ///
    /// # Errors
    /// As [`Plan::guest`].
    pub(crate) fn plain(root: Root) -> io::Result<Self> {
        let mut plan = Self { root_path: c(root.path().as_os_str())?, root, ..Self::machine() };
        plan.skeleton()?;
        Ok(plan)
    }

    fn skeleton(&mut self) -> io::Result<()> {
        for &(path, mode, owner) in super::super::skeleton::DIRS {
            self.walls.steps.push(Step::Dir { path: c(OsStr::new(path))?, mode, owner });
        }
        for (path, content) in super::super::skeleton::FILES {
            let content = content.as_bytes().to_vec();
            self.walls.steps.push(Step::File { path: c(OsStr::new(path))?, mode: 0o644, content });
        }
        Ok(())
    }

    /// Shows a path of the host under the same name: as the link that it is, or as a read-only mount.
    fn show(&mut self, host: &Path, guest: &Path) -> io::Result<()> {
        let Ok(meta) = std::fs::symlink_metadata(host) else { return Ok(()) };
        if meta.is_symlink() {
            let target = std::fs::read_link(host)?;
            self.walls.steps.push(Step::Link { path: c(guest.as_os_str())?, target: c(target.as_os_str())? });
            return Ok(());
        }
        self.bind(host, guest, false)
    }

    fn bind(&mut self, host: &Path, guest: &Path, devices: bool) -> io::Result<()> {
        let dir = host.is_dir();
        for parent in guest.ancestors().skip(1).collect::<Vec<_>>().into_iter().rev().skip(1) {
            let path = c(parent.as_os_str())?;
            let made = |step: &Step| matches!(step, Step::Dir { path: made, .. } if *made == path);
            if !self.walls.steps.iter().any(made) {
                self.walls.steps.push(Step::Dir { path, mode: 0o755, owner: 0 });
            }
        }
        self.walls.sources.push(Source { path: c(host.as_os_str())?, devices, fd: -1 });
        let slot = self.walls.sources.len() - 1;
        self.walls.steps.push(Step::Bind { slot, target: c(guest.as_os_str())?, dir });
        Ok(())
    }

    fn devices(&mut self) -> io::Result<()> {
        self.mount(c"tmpfs", "/dev", "mode=755,size=64m")?;
        for (path, mode) in [("/dev/pts", 0o755), ("/dev/shm", 0o1777)] {
            self.walls.steps.push(Step::Dir { path: c(OsStr::new(path))?, mode, owner: 0 });
        }
        for (path, target) in [
            ("/dev/fd", "/proc/self/fd"),
            ("/dev/stdin", "/proc/self/fd/0"),
            ("/dev/stdout", "/proc/self/fd/1"),
            ("/dev/stderr", "/proc/self/fd/2"),
            ("/dev/ptmx", "pts/ptmx"),
        ] {
            self.walls.steps.push(Step::Link { path: c(OsStr::new(path))?, target: c(OsStr::new(target))? });
        }
        self.mount(c"devpts", "/dev/pts", "newinstance,ptmxmode=0666,mode=0620,max=512")?;
        for name in DEVICES {
            let path = PathBuf::from("/dev").join(name);
            self.bind(&path, &path, true)?;
        }
        Ok(())
    }

    fn proc(&mut self) -> io::Result<()> {
        self.mount(c"proc", "/proc", "")?;
        for (name, most) in BUDGETS {
            let path = format!("/proc/sys/user/{name}");
            // A guest leaves most of what there is to the host's other programs.
            let shared = fs::read_to_string(&path).ok().and_then(|text| text.trim().parse::<u32>().ok());
            let value = shared.map_or(*most, |shared| (*most).min(shared / 4).max(1)).to_string();
            self.walls.steps.push(Step::Set { path: c(OsStr::new(&path))?, value });
        }
        self.walls.steps.push(Step::Freeze { path: c"/proc/sys".into() });
        for name in MASKED {
            let path = PathBuf::from("/proc").join(name);
            if path.exists() {
                self.bind(Path::new("/dev/null"), &path, true)?;
            }
        }
        Ok(())
    }

    fn mount(&mut self, kind: &'static CStr, target: &str, data: &str) -> io::Result<()> {
        let (target, data) = (c(OsStr::new(target))?, c(OsStr::new(data))?);
        self.walls.steps.push(Step::Mount { kind, target, data });
        Ok(())
    }

    /// Whether step `index` is a mount, which a machine may forbid.
    pub(super) fn mounts_at(&self, index: usize) -> bool {
        matches!(
            self.walls.steps.get(index),
            Some(Step::Bind { .. } | Step::Mount { .. } | Step::Freeze { .. })
        )
    }

    /// What step `index` was about, for a message.
    pub(super) fn describe(&self, index: usize) -> String {
        match self.walls.steps.get(index) {
            Some(Step::Dir { path, .. } | Step::File { path, .. } | Step::Link { path, .. }) => {
                format!("make {}", path.to_string_lossy())
            }
            Some(Step::Set { path, .. }) => format!("set {}", path.to_string_lossy()),
            Some(Step::Bind { target, .. } | Step::Mount { target, .. } | Step::Freeze { path: target }) => {
                format!("mount {}", target.to_string_lossy())
            }
            None => "the guest".to_owned(),
        }
    }
}

fn c(text: &OsStr) -> io::Result<CString> {
    Ok(CString::new(text.as_bytes())?)
}
