//! The numbers of `/metrics` and `/activity`: processor, memory, network and disk of the machine that the guest
//! shares. Rates are worked out between two readings at least a second apart; nothing runs in the background.

use std::io;
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::habits::{Habits, MemoryRule};

const TICK: Duration = Duration::from_secs(1);
const SECTOR: u64 = 512;

/// Rates over the last tick; all zero during the first second.
#[derive(Debug, Default, Clone, Copy, PartialEq, serde::Serialize)]
pub(crate) struct Activity {
    pub(crate) cpu_count: usize,
    /// Percent of all processors together, two decimals.
    pub(crate) cpu_used_pct: f64,
    /// Bytes a second, both ways, all interfaces but the loopback.
    pub(crate) net_bps: u64,
    /// Bytes a second, both ways, whole disks only.
    pub(crate) disk_bps: u64,
}

/// Bytes of memory.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Memory {
    pub(crate) total: u64,
    /// What counts as used, by the guest's rule.
    pub(crate) used: u64,
}

/// Bytes of a file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Disk {
    pub(crate) total: u64,
    /// What is not available to an ordinary user.
    pub(crate) used: u64,
}

/// The sampler.
#[derive(Debug)]
pub(crate) struct Stats {
    /// Where `proc` and `sys` lie.
    machine: PathBuf,
    habits: Habits,
    last: Mutex<Option<(Duration, Counters, Activity)>>,
}

/// What the kernel counts since boot.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Counters {
    busy: u64,
    ticks: u64,
    net: u64,
    disk: u64,
}

impl Stats {
    pub(crate) fn new(machine: PathBuf, habits: Habits) -> Self {
        Self { machine, habits, last: Mutex::default() }
    }

    /// The rates at `now` of the mock's clock, zeros in the first second after the first call; a new reading is taken when the last one is
    /// a tick old.
    pub(crate) fn activity(&self, now: Duration) -> Activity {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let (read, counters, rates_then) =
            *last.get_or_insert_with(|| (now, self.counters(), Activity::default()));
        let elapsed = now.saturating_sub(read);
        if elapsed < TICK {
            return rates_then;
        }
        let counters_now = self.counters();
        let rates_now = rates(counters, counters_now, elapsed);
        *last = Some((now, counters_now, rates_now));
        rates_now
    }

    /// The file system that `root` lies on.
    pub(crate) fn disk(root: impl AsFd) -> io::Result<Disk> {
        let stat = rustix::fs::fstatvfs(root)?;
        let total = stat.f_blocks.saturating_mul(stat.f_frsize);
        Ok(Disk { total, used: total.saturating_sub(stat.f_bavail.saturating_mul(stat.f_frsize)) })
    }

    /// The memory of the machine; zeros where it cannot be read.
    pub(crate) fn memory(&self) -> Memory {
        memory(&self.read("proc/meminfo"), self.habits.memory)
    }

    fn counters(&self) -> Counters {
        let (busy, ticks) = processor(&self.read("proc/stat"));
        let counted =
            |name: &str| self.habits.counts_partitions || self.machine.join("sys/block").join(name).exists();
        Counters {
            busy,
            ticks,
            net: network(&self.read("proc/net/dev")),
            disk: disk(&self.read("proc/diskstats"), counted),
        }
    }

    fn read(&self, path: &str) -> String {
        std::fs::read_to_string(self.machine.join(path)).unwrap_or_default()
    }
}

fn rates(before: Counters, after: Counters, elapsed: Duration) -> Activity {
    let per_second = |from: u64, to: u64| {
        u64::try_from(u128::from(to.saturating_sub(from)) * 1000 / elapsed.as_millis().max(1))
            .unwrap_or(u64::MAX)
    };
    let ticks = after.ticks.saturating_sub(before.ticks).max(1);
    let share = after.busy.saturating_sub(before.busy) as f64 / ticks as f64;
    Activity {
        cpu_count: std::thread::available_parallelism().map_or(1, usize::from),
        cpu_used_pct: (share * 10_000.0).round().min(10_000.0) / 100.0,
        net_bps: per_second(before.net, after.net),
        disk_bps: per_second(before.disk, after.disk),
    }
}

/// Busy and all ticks, from the first line of /proc/stat: user nice system idle iowait irq softirq steal ...
fn processor(stat: &str) -> (u64, u64) {
    let line = stat.lines().next().unwrap_or_default();
    let ticks: Vec<u64> = line.split_whitespace().skip(1).take(8).filter_map(|n| n.parse().ok()).collect();
    let all = ticks.iter().fold(0u64, |sum, n| sum.saturating_add(*n));
    let idle = ticks.iter().skip(3).take(2).fold(0u64, |sum, n| sum.saturating_add(*n));
    (all.saturating_sub(idle), all)
}

/// Received and sent bytes, columns 1 and 9 behind the name in /proc/net/dev.
fn network(dev: &str) -> u64 {
    let lines = dev.lines().filter_map(|line| line.split_once(':')).filter(|(name, _)| name.trim() != "lo");
    lines.fold(0, |sum, (_, columns)| {
        let column =
            |n: usize| columns.split_whitespace().nth(n).and_then(|n| n.parse().ok()).unwrap_or(0u64);
        sum.saturating_add(column(0)).saturating_add(column(8))
    })
}

/// Read and written bytes, columns 6 and 10 of /proc/diskstats, of what counts as a disk and is no loop or ram disk.
fn disk(diskstats: &str, counted: impl Fn(&str) -> bool) -> u64 {
    let mut sectors = 0u64;
    for line in diskstats.lines() {
        let columns: Vec<&str> = line.split_whitespace().collect();
        let Some(name) = columns.get(2) else { continue };
        if name.starts_with("loop") || name.starts_with("ram") || !counted(name) {
            continue;
        }
        let column = |n: usize| columns.get(n).and_then(|n| n.parse().ok()).unwrap_or(0u64);
        sectors = sectors.saturating_add(column(5)).saturating_add(column(9));
    }
    sectors.saturating_mul(SECTOR)
}

fn memory(meminfo: &str, rule: MemoryRule) -> Memory {
    let field = |name: &str| {
        let line = meminfo.lines().find_map(|line| line.strip_prefix(name));
        let kib = line.and_then(|rest| rest.split_whitespace().next()).and_then(|n| n.parse::<u64>().ok());
        kib.unwrap_or(0).saturating_mul(1024)
    };
    let total = field("MemTotal:");
    let unused = match rule {
        MemoryRule::NotAvailable => field("MemAvailable:"),
        MemoryRule::NotFree => ["MemFree:", "Buffers:", "Cached:", "SReclaimable:"]
            .into_iter()
            .fold(0, |sum: u64, name| sum.saturating_add(field(name))),
    };
    Memory { total, used: total.saturating_sub(unused) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_second_is_zero_and_then_there_are_processors() {
        let start = TICK * 100;
        let stats = Stats::new("/".into(), Habits::MEANT);
        assert_eq!(stats.activity(start), Activity::default());
        assert_eq!(stats.activity(start + TICK / 2), Activity::default());
        let later = stats.activity(start + TICK);
        assert!(later.cpu_count > 0 && (0.0..=100.0).contains(&later.cpu_used_pct));
    }

    #[test]
    fn the_machine_has_memory() {
        for rule in [MemoryRule::NotAvailable, MemoryRule::NotFree] {
            let memory = Stats::new("/".into(), Habits { memory: rule, ..Habits::MEANT }).memory();
            assert!(memory.total > 0 && memory.used > 0 && memory.used < memory.total, "{rule:?}");
        }
    }

    #[test]
    fn partitions_loops_and_ram_disks_are_not_counted() {
        let text = " 8 0 sda 1 0 100 0 1 0 50 0 0 0 0\n 8 1 sda1 1 0 100 0 1 0 50 0 0 0 0\n 7 0 loop0 1 0 9 0 1 0 9 0 0 0 0\nx\n";
        assert_eq!(disk(text, |name| name != "sda1"), 150 * SECTOR);
    }

    #[test]
    fn the_loopback_is_not_counted() {
        let text =
            "Inter-| Receive\n face |bytes\n lo: 5 0 0 0 0 0 0 0 5 0\n eth0: 100 1 0 0 0 0 0 0 20 1 0\n";
        assert_eq!(network(text), 120);
    }

    #[test]
    fn a_rate_is_per_second_and_a_share_has_two_decimals() {
        let before = Counters { busy: 100, ticks: 1000, net: 1000, disk: 0 };
        let after = Counters { busy: 101, ticks: 1003, net: 3000, disk: 4096 };
        let activity = rates(before, after, Duration::from_secs(2));
        assert_eq!((activity.cpu_used_pct, activity.net_bps, activity.disk_bps), (33.33, 1000, 2048));
        assert_eq!(rates(after, before, TICK).net_bps, 0);
    }

    #[test]
    fn unreadable_counters_are_zero() {
        assert_eq!(processor(""), (0, 0));
        assert_eq!(processor("cpu 10 0 5 80 5 0 0 0 7 7"), (15, 100));
        assert_eq!(memory("MemTotal: x kB", MemoryRule::NotFree), Memory { total: 0, used: 0 });
    }
}
