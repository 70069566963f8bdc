//! The badge: how many of the requirements that must hold do, as a small SVG.

use crate::case::Level;
use crate::runner::Event;
use crate::verdict::Verdict;

/// Width of a character, in pixels, near enough for the font.
const CHAR: usize = 7;

/// Collects a run.
#[derive(Debug, Default)]
pub struct Badge {
    held: usize,
    judged: usize,
    code: Option<u8>,
}

impl Badge {
    /// Takes one event.
    pub fn event(&mut self, event: &Event) {
        match event {
            Event::Finished(outcome) if outcome.case.level == Level::Must => match outcome.verdict {
                Verdict::Pass => {
                    self.held += 1;
                    self.judged += 1;
                }
                Verdict::Fail(_) | Verdict::Inconclusive(_) | Verdict::Blocked(_) => self.judged += 1,
                Verdict::Unsupported(_) | Verdict::Skip(_) => {}
            },
            Event::Ended(summary) => self.code = Some(summary.exit_code()),
            _ => {}
        }
    }

    /// The picture of what was collected.
    pub fn svg(&self) -> String {
        let (label, value) = ("envd conformance", format!("{} of {}", self.held, self.judged));
        let colour = match self.code {
            Some(0) => "#2e7d32",
            Some(1) => "#c62828",
            _ => "#616161",
        };
        let (left, right) = (label.len() * CHAR + 12, value.len() * CHAR + 12);
        let (all, middle_left, middle_right) = (left + right, left / 2, left + right / 2);
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{all}\" height=\"20\" role=\"img\" \
             aria-label=\"{label}: {value}\">\n<title>{label}: {value}</title>\n\
             <rect width=\"{left}\" height=\"20\" fill=\"#424242\"/>\n\
             <rect x=\"{left}\" width=\"{right}\" height=\"20\" fill=\"{colour}\"/>\n\
             <g fill=\"#fff\" font-family=\"Verdana,DejaVu Sans,sans-serif\" font-size=\"11\" text-anchor=\"middle\">\n\
             <text x=\"{middle_left}\" y=\"14\">{label}</text>\n<text x=\"{middle_right}\" y=\"14\">{value}</text>\n\
             </g>\n</svg>\n"
        )
    }
}
