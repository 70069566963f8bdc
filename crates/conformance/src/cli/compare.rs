//! `diff`: two reports, or two subjects in lockstep.

use std::path::Path;
use std::process::ExitCode;

use super::{Refusal, Which, print, untold, usage};
use crate::compare::{Class, Difference, lockstep, reports};
use crate::report::json;
use crate::subject::At;
use crate::suites;

#[derive(Debug, clap::Args)]
pub(super) struct Diff {
    /// A JSON report, or the address of a guest: the one that is known.
    a: String,
    /// The same: the one that is compared with it.
    b: String,
    #[command(flatten)]
    which: Which,
}

impl Diff {
    /// Exit code 1 if anything breaks.
    pub(super) async fn done(self) -> Result<ExitCode, Refusal> {
        let is_url = |text: &str| text.starts_with("http://");
        let all = suites::all();
        let chosen = self.which.selection().of(&all).map_err(usage)?;
        let differences = match (is_url(&self.a), is_url(&self.b)) {
            (true, true) => {
                let (a, b) = (At::url(&self.a).map_err(usage)?, At::url(&self.b).map_err(usage)?);
                lockstep(&a, &b, &chosen).await.map_err(untold)?
            }
            (false, false) => {
                let read = |text: &str| json::read(Path::new(text)).map_err(usage);
                let (mut a, mut b) = (read(&self.a)?, read(&self.b)?);
                for report in [&mut a, &mut b] {
                    report.retain(|record| self.chosen(&chosen, &record.id));
                }
                reports(&a, &b)
            }
            _ => return Err(usage("expected two reports or two addresses, found one of each")),
        };
        print(&told(&differences))?;
        let breaks = differences.iter().any(|difference| difference.class == Class::Breaking);
        Ok(ExitCode::from(u8::from(breaks)))
    }

    /// Without patterns, also cases that this suite does not know.
    fn chosen(&self, chosen: &[&crate::case::Case], id: &str) -> bool {
        self.which.only.is_empty() && self.which.skip.is_empty() || chosen.iter().any(|case| case.id == id)
    }
}

fn told(differences: &[Difference]) -> String {
    let mut out = String::new();
    for difference in differences.iter().filter(|difference| difference.class != Class::Equal) {
        out.push_str(&format!("{:<9} {}: {}\n", difference.class.word(), difference.id, difference.what));
    }
    let count = |class: Class| {
        let count = differences.iter().filter(|difference| difference.class == class).count();
        format!("{count} {}", class.word())
    };
    let sum = [Class::Breaking, Class::Additive, Class::Timing, Class::Equal].map(count).join(", ");
    out + &sum + "\n"
}
