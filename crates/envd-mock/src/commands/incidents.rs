//! `envd-mock incidents`: lists what went wrong in the field, each a script. Starts nothing.

use clap::Args;
use serde_json::json;

use crate::incident;

/// How the list is told.
#[derive(Debug, Args)]
pub(crate) struct Incidents {
    /// As a JSON array, with what each declares
    #[arg(long, conflicts_with = "page")]
    json: bool,
    /// As the page docs/incidents.md
    #[arg(long)]
    page: bool,
}

impl Incidents {
    /// What is to be printed.
    pub(crate) fn text(&self) -> String {
        match (self.json, self.page) {
            (true, _) => format!("{:#}\n", list()),
            (_, true) => incident::page(),
            _ => incident::lines(),
        }
    }
}

/// As the files have it, with the name of each.
fn list() -> serde_json::Value {
    let one = |name: &str| {
        let mut script = incident::script(name).map(|script| script.to_json()).unwrap_or_default();
        let mut incident = script["incident"].take();
        incident["name"] = json!(name);
        incident
    };
    incident::names().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_told_in_lines_or_in_json() {
        let lines = Incidents { json: false, page: false }.text();
        assert!(lines.contains("exec-no-end-event"), "{lines}");
        let json: serde_json::Value =
            serde_json::from_str(&Incidents { json: true, page: false }.text()).unwrap();
        let all = json.as_array().unwrap();
        assert_eq!(all.len(), lines.lines().count());
        assert!(all.iter().all(|one| one["name"].is_string() && one["expect"][0]["do"].is_string()));
    }
}
