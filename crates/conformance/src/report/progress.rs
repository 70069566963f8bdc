//! The bar on a terminal: how far the run is, and what runs now. Draws nothing elsewhere.

use std::collections::BTreeSet;

use indicatif::{ProgressBar, ProgressStyle};

use crate::runner::Event;

/// A bar, or nothing.
#[derive(Debug)]
pub(super) struct Progress {
    bar: ProgressBar,
    running: BTreeSet<&'static str>,
}

impl Progress {
    pub(super) fn new(shown: bool) -> Self {
        let bar = if shown { ProgressBar::new(0) } else { ProgressBar::hidden() };
        if let Ok(style) = ProgressStyle::with_template("{bar:24} {pos}/{len} {elapsed} {wide_msg}") {
            bar.set_style(style);
        }
        Self { bar, running: BTreeSet::new() }
    }

    pub(super) fn event(&mut self, event: &Event) {
        match event {
            Event::Began(began) => self.bar.set_length(began.cases as u64),
            Event::Started { case, .. } => _ = self.running.insert(case),
            Event::Finished(outcome) => {
                self.running.remove(outcome.case.id);
                self.bar.inc(1);
            }
            Event::Ended(_) => return self.bar.finish_and_clear(),
        }
        self.bar.set_message(self.running.iter().copied().collect::<Vec<_>>().join("  "));
    }

    /// Prints something else without tearing the bar.
    pub(super) fn aside<T>(&self, print: impl FnOnce() -> T) -> T {
        self.bar.suspend(print)
    }
}
