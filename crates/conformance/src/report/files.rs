//! The reports that a run writes to files: opened before it begins, fed by its events, finished at its end. A run does
//! not end for a report that cannot be written; that is told at the end.

use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::path::{Path, PathBuf};

use super::{Badge, Bundle, Html, Json, Junit, Tap};
use crate::runner::Event;

/// Which files are asked for.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Wanted {
    /// Writes a report in JUnit XML.
    #[arg(long, value_name = "FILE")]
    pub junit: Option<PathBuf>,
    /// Writes one event a line, in JSON, while it runs.
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Writes a report in the Test Anything Protocol.
    #[arg(long, value_name = "FILE")]
    pub tap: Option<PathBuf>,
    /// Writes one self-contained page.
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// Writes a badge, as SVG.
    #[arg(long, value_name = "FILE")]
    pub badge: Option<PathBuf>,
    /// Keeps all transcripts in this directory, for `regrade`.
    #[arg(long, value_name = "DIR")]
    pub bundle: Option<PathBuf>,
}

/// The reports under way.
#[derive(Debug, Default)]
pub struct Files {
    json: Option<Json<BufWriter<File>>>,
    tap: Option<Tap<BufWriter<File>>>,
    bundle: Option<Bundle>,
    junit: Option<(PathBuf, Junit)>,
    html: Option<(PathBuf, Html)>,
    badge: Option<(PathBuf, Badge)>,
    failed: Option<io::Error>,
}

impl Files {
    /// Opens what is wanted.
    ///
    /// # Errors
    /// When a file cannot be made, with its name.
    pub fn open(wanted: Wanted) -> io::Result<Self> {
        let writer = |path: PathBuf| named(&path, File::create(&path)).map(BufWriter::new);
        for path in [&wanted.junit, &wanted.html, &wanted.badge].into_iter().flatten() {
            named(path, File::create(path))?;
        }
        Ok(Self {
            json: wanted.json.map(writer).transpose()?.map(Json::new),
            tap: wanted.tap.map(writer).transpose()?.map(Tap::new),
            bundle: wanted.bundle.map(|path| named(&path, Bundle::create(&path))).transpose()?,
            junit: wanted.junit.map(|path| (path, Junit::default())),
            html: wanted.html.map(|path| (path, Html::default())),
            badge: wanted.badge.map(|path| (path, Badge::default())),
            failed: None,
        })
    }

    /// Takes one event.
    pub fn event(&mut self, event: &Event) {
        if let Err(error) = self.stream(event) {
            self.failed.get_or_insert(error);
        }
        if let Some((_, junit)) = &mut self.junit {
            junit.event(event);
        }
        if let Some((_, html)) = &mut self.html {
            html.event(event);
        }
        if let Some((_, badge)) = &mut self.badge {
            badge.event(event);
        }
    }

    fn stream(&mut self, event: &Event) -> io::Result<()> {
        if let Some(json) = &mut self.json {
            json.event(event)?;
        }
        if let Some(tap) = &mut self.tap {
            tap.event(event)?;
        }
        self.bundle.as_mut().map_or(Ok(()), |bundle| bundle.event(event))
    }

    /// Writes what is written at the end.
    ///
    /// # Errors
    /// The first failure of any report.
    pub fn finish(self) -> io::Result<()> {
        let texts = [
            self.junit.map(|(path, report)| (path, report.xml().map_err(io::Error::other))),
            self.html.map(|(path, report)| (path, report.page().map_err(io::Error::other))),
            self.badge.map(|(path, report)| (path, Ok(report.svg()))),
        ];
        for (path, text) in texts.into_iter().flatten() {
            named(&path, text.and_then(|text| File::create(&path)?.write_all(text.as_bytes())))?;
        }
        self.failed.map_or(Ok(()), Err)
    }
}

fn named<T>(path: &Path, done: io::Result<T>) -> io::Result<T> {
    done.map_err(|error| io::Error::new(error.kind(), format!("cannot write {}: {error}", path.display())))
}
