//! Keeps the command small: what a burst of work needed goes back to the system. The allocator is told so once, and asked again
//! whenever the command has become quiet. Concerns the command alone: a library leaves the allocator to the program around it.

#[cfg(all(target_os = "linux", target_env = "gnu"))]
pub use glibc::{give_back, tune};

/// Other allocators are left as they are.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub fn tune() {}

/// Other allocators are left as they are.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub async fn give_back() {
    std::future::pending().await
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
mod glibc {
    use std::time::Duration;

    /// Blocks of this size are mapped one by one and unmapped when they are freed. Left to itself, glibc raises the bound to
    /// the largest block that was ever freed, and keeps everything below.
    const MAPPED: i32 = 256 << 10;
    /// Free bytes at the end of a heap that stay.
    const SPARE: i32 = 1 << 20;
    /// Each further heap keeps free bytes of its own.
    const HEAPS: i32 = 4;
    const BEAT: Duration = Duration::from_secs(1);
    /// Processor time of a beat in which something was done.
    const BUSY: Duration = Duration::from_millis(30);
    /// Beats of uninterrupted work after which memory is given back all the same.
    const PATIENCE: u32 = 10;

    /// To be called before there are threads.
    pub fn tune() {
        for (parameter, value) in
            [(libc::M_MMAP_THRESHOLD, MAPPED), (libc::M_TRIM_THRESHOLD, SPARE), (libc::M_ARENA_MAX, HEAPS)]
        {
            // SAFETY: takes two numbers and changes nothing but the allocator's own state.
            unsafe { libc::mallopt(parameter, value) };
        }
    }

    /// Gives free memory back whenever the process has become quiet; does not end.
    pub async fn give_back() {
        let (mut before, mut worked) = (processor_time(), 0);
        loop {
            tokio::time::sleep(BEAT).await;
            let now = processor_time();
            let busy = now.saturating_sub(std::mem::replace(&mut before, now)) > BUSY;
            if busy {
                worked += 1;
            }
            if worked > 0 && (!busy || worked >= PATIENCE) {
                // SAFETY: takes a number and changes nothing but the allocator's own state.
                unsafe { libc::malloc_trim(0) };
                (before, worked) = (processor_time(), 0);
            }
        }
    }

    fn processor_time() -> Duration {
        let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: writes to `time` alone, which outlives the call.
        unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &raw mut time) };
        Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
    }
}
