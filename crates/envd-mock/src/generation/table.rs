//! The table: one record for each generation, as the contract's section 0 and Part 1 tell them and section 10 settles
//! what they are meant to do.

use std::time::Duration;

use super::traits::{Download, Form, InitForm, Names, Route, TimestampForm, Traits, Wire};
use crate::guest::habits::{Chunking, Habits, Launch, MemoryRule};

const VERSION: &str = env!("CARGO_PKG_VERSION");

pub(super) const ONE: Traits = Traits {
    number: 1,
    version: "0.2.0",
    routes: &[
        route("/health", "GET,HEAD"),
        route("/metrics", "GET,HEAD"),
        route("/envs", "GET,HEAD"),
        route("/init", "POST"),
        route("/snapshot/prepare", "POST"),
        route("/files", "GET,HEAD,POST"),
    ],
    wire: Wire { init: InitForm::Camel, ..TWO.wire },
    guest: Habits {
        chunking: Chunking { pipe: 32 << 10, terminal: 16 << 10, gather: Duration::ZERO },
        memory: MemoryRule::NotFree,
        ..TWO.guest
    },
};

pub(super) const TWO: Traits = Traits {
    number: 2,
    version: VERSION,
    routes: &[
        route("/health", "GET,HEAD"),
        route("/metrics", "GET,HEAD"),
        route("/envs", "GET,HEAD"),
        route("/init", "POST"),
        route("/snapshot/prepare", "POST"),
        route("/activity", "GET,HEAD"),
        route("/memory/preload", "GET,HEAD,POST"),
        route("/memory/preload/cancel", "POST"),
        route("/files", "GET,HEAD,POST"),
    ],
    wire: Wire {
        init: InitForm::Snake,
        download: Download::Negotiated,
        ranges: true,
        reads_sizeless: true,
        names: Names::Escaped,
        form: Form { limit: None, needs_file: true },
        asks_token: true,
        rpc_cors: true,
        watch_dir: true,
        timestamps: TimestampForm::Canonical,
        deadlines: true,
    },
    guest: Habits::MEANT,
};

pub(super) const THREE: Traits = Traits {
    number: 3,
    version: VERSION,
    routes: &[
        route("/health", "GET,HEAD"),
        route("/metrics", "GET,HEAD"),
        route("/envs", "GET,HEAD"),
        route("/init", "POST"),
        route("/snapshot/prepare", "POST"),
        route("/activity", "GET,HEAD"),
        route("/memory/preload", "GET,HEAD,POST"),
        route("/memory/preload/cancel", "POST"),
        route("/files", "GET,HEAD,PUT"),
        route("/volumes/mount", "POST"),
        route("/volumes/unmount", "POST"),
    ],
    wire: Wire { download: Download::Plain, ..TWO.wire },
    guest: Habits {
        launch: Launch { by_shell: true, ..TWO.guest.launch },
        chooses_user: true,
        replay: 256 << 10,
        chunking: Chunking { pipe: 32 << 10, terminal: 32 << 10, gather: Duration::from_millis(4) },
        ..TWO.guest
    },
};

const fn route(path: &'static str, methods: &'static str) -> Route {
    Route { path, methods }
}
