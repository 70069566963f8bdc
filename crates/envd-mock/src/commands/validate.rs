//! `envd-mock validate`: checks scripts as `--script` would read them, without starting anything.

use std::path::{Path, PathBuf};

use clap::Args;

use crate::fault::{Form, Script};
use crate::generation::Generation;
use crate::incident;

/// Which scripts are checked, and against what.
#[derive(Debug, Args)]
pub(crate) struct Validate {
    /// Scripts as --script takes them: TOML, JSON (.json), expressions (.txt), or incident:NAME
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The wire generation in which the rules must be able to act
    #[arg(long, value_name = "N", default_value_t)]
    generation: Generation,
    /// Permit rules that can never act
    #[arg(long)]
    allow_dead_rules: bool,
}

/// What was found.
#[derive(Debug, PartialEq, Eq)]
pub struct Validated {
    /// A line for each valid script, and every problem of the others.
    pub text: String,
    /// Whether all are valid.
    pub ok: bool,
}

impl Validate {
    pub(crate) fn run(&self) -> Validated {
        let alive_in = (!self.allow_dead_rules).then(|| self.generation.number());
        let mut validated = Validated { text: String::new(), ok: true };
        for file in &self.files {
            let problems = problems(file, alive_in);
            validated.ok &= problems.is_empty();
            if problems.is_empty() {
                validated.text.push_str(&format!("{}: ok\n", file.display()));
            }
            problems.iter().for_each(|problem| validated.text.push_str(&format!("{problem}\n")));
        }
        validated
    }
}

/// Everything that is wrong with one script, each with its place.
fn problems(file: &Path, alive_in: Option<u8>) -> Vec<String> {
    let name = file.display().to_string();
    if let Some(incident) = name.strip_prefix("incident:") {
        return match incident::text(incident) {
            Ok(text) => all(Form::Toml, &name, text, alive_in),
            Err(unknown) => vec![unknown.to_string()],
        };
    }
    match std::fs::read_to_string(file) {
        Ok(text) => all(Form::of_file(file), &name, &text, alive_in),
        Err(error) => vec![format!("{name}: cannot read the script: {error}")],
    }
}

fn all(form: Form, name: &str, text: &str, alive_in: Option<u8>) -> Vec<String> {
    Script::problems(form, name, text, alive_in).iter().map(ToString::to_string).collect()
}
