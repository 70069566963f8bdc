//! What the mock really allocates, counted by an allocator: that the journal's limit means bytes of the heap, and that neither
//! the journal nor a large directory is held more often than it has to be. A program of its own, since the allocator counts
//! everything in it, and one test, since another would be counted too.

#![expect(clippy::unwrap_used, reason = "in a test, a failed expectation is a failed test")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use envd_mock::MockEnvd;

const MIB: usize = 1 << 20;
const LIMIT: usize = 2 * MIB;
/// What else changes meanwhile: connections, tasks, threads.
const SLACK: usize = MIB / 2;
const CALLS: usize = 4_000;
const FILES: usize = 2_000;

struct Counting;

static LIVE: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

fn grow(bytes: usize) {
    PEAK.fetch_max(LIVE.fetch_add(bytes, Ordering::Relaxed) + bytes, Ordering::Relaxed);
}

// SAFETY: hands everything to the system's allocator and counts.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        grow(layout.size());
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(block, layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        grow(size);
        LIVE.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: as the caller promises.
        unsafe { System.realloc(block, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_limit_of_the_journal_counts_the_heap_and_answers_are_not_held_as_a_whole() {
    let mock = MockEnvd::builder().programs_only(true).journal_limit(LIMIT as u64).start().await.unwrap();
    let (address, control) = (host(&mock.url()), host(&mock.control_url()));
    let root = mock.guest().root().to_path_buf();
    tokio::task::spawn_blocking(move || {
        // Whatever is allocated once is there before anything is counted.
        calls(&address, 200);
        request(&control, "GET", "/journal", "");
        request(&control, "DELETE", "/journal", "");
        let empty = LIVE.load(Ordering::Relaxed);
        calls(&address, CALLS);
        let (journal, told) = (quiet().saturating_sub(empty), size(&control));
        assert!(told <= LIMIT && told > LIMIT * 3 / 4, "the journal says that it has {told} bytes");
        assert!(
            journal.abs_diff(told) <= told / 10 + SLACK,
            "{journal} bytes are allocated, {told} are told"
        );
        for path in ["/journal", "/journal/export"] {
            let (grown, length) = peak(|| request(&control, "GET", path, ""));
            assert!(length > LIMIT && grown < MIB + SLACK, "{path}: {grown} bytes more for {length}");
            assert!(quiet() <= empty + told + SLACK, "{path}: {} bytes stay", quiet() - empty - told);
        }
        let verify = || request(&control, "POST", "/verify", r#"[{"operation":"GET /nothing"}]"#);
        let (grown, _) = peak(verify);
        assert!(grown < MIB + SLACK, "verify: {grown} bytes more");

        let dir = root.join("tmp/list");
        std::fs::create_dir(&dir).unwrap();
        for n in 0..FILES {
            std::fs::write(dir.join(format!("{n:0>200}")), "").unwrap();
        }
        let list = || request(&address, "POST", "/filesystem.Filesystem/ListDir", r#"{"path":"/tmp/list"}"#);
        list();
        let before = quiet();
        let (grown, length) = peak(list);
        assert!(length > MIB, "{length}");
        assert!(grown < 3 * length, "{grown} bytes more for a list of {length}");
        assert!(quiet() <= before + SLACK, "{} bytes of a list stay", quiet() - before);
    })
    .await
    .unwrap();
}

/// So many calls that have hardly anything in common.
fn calls(address: &str, count: usize) {
    let mut stream = connect(address);
    let mut buffer = [0; 64 * 1024];
    let mut call = String::with_capacity(1024);
    for n in 0..count {
        call.clear();
        write!(call, "GET /health?n={n:0>300} HTTP/1.1\r\nhost: {address}\r\nx-other: {n:0>300}\r\n\r\n")
            .unwrap();
        stream.write_all(call.as_bytes()).unwrap();
        assert!(stream.read(&mut buffer).unwrap() > 0);
    }
}

/// Bytes that are allocated, once that does not become less any more.
fn quiet() -> usize {
    let mut least = usize::MAX;
    for _ in 0..100 {
        let live = LIVE.load(Ordering::Relaxed);
        if live >= least {
            break;
        }
        least = live;
        // Not for something to happen, but for threads of the runtime to get on.
        std::thread::park_timeout(Duration::from_millis(20));
    }
    least
}

/// How much more was allocated at the most during this, and what it gave.
fn peak<T>(act: impl FnOnce() -> T) -> (usize, T) {
    let before = quiet();
    PEAK.store(before, Ordering::Relaxed);
    let done = act();
    (PEAK.load(Ordering::Relaxed).saturating_sub(before), done)
}

/// Bytes that the journal says it takes.
fn size(control: &str) -> usize {
    let mut stream = send(control, "GET", "/metrics", "");
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("envd_mock_journal_bytes ")).unwrap();
    line.parse().unwrap()
}

/// Bytes of the answer, which is read and forgotten.
fn request(address: &str, method: &str, path: &str, body: &str) -> usize {
    let mut stream = send(address, method, path, body);
    let (mut length, mut buffer) = (0, [0; 64 * 1024]);
    loop {
        match stream.read(&mut buffer).unwrap() {
            0 => return length,
            read => {
                let status = length > 0 || buffer.starts_with(b"HTTP/1.1 20");
                assert!(status, "{path}: {}", String::from_utf8_lossy(&buffer[..read.min(300)]));
                length += read;
            }
        }
    }
}

fn send(address: &str, method: &str, path: &str, body: &str) -> TcpStream {
    let mut stream = connect(address);
    let length = body.len();
    let head = format!("{method} {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n");
    let head = format!("{head}content-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}");
    stream.write_all(head.as_bytes()).unwrap();
    stream
}

fn connect(address: &str) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    stream
}

fn host(url: &str) -> String {
    url.trim_start_matches("http://").to_owned()
}
