//! Whether a program takes the place of a command. Pure.

use std::collections::BTreeMap;

use super::content::Filling;
use super::model::{Args, ProgramWhen};
use crate::glob::Glob;

/// A command as a `Start` asks for it, with what the guest adds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) cmd: String,
    pub(crate) args: Vec<String>,
    /// All of it: the guest's own, the defaults, the request's.
    pub(crate) env: BTreeMap<String, String>,
    pub(crate) cwd: String,
    pub(crate) user: String,
}

impl Asked {
    fn last_segment(&self) -> &str {
        self.cmd.rsplit('/').next().unwrap_or(&self.cmd)
    }

    fn line(&self, cmd: &str) -> String {
        std::iter::once(cmd).chain(self.args.iter().map(String::as_str)).collect::<Vec<_>>().join(" ")
    }
}

impl ProgramWhen {
    /// Whether `asked` meets all of it.
    pub(crate) fn matches(&self, asked: &Asked) -> bool {
        let meets = |glob: &Option<Glob>, text: &str| glob.as_ref().is_none_or(|glob| glob.matches(text));
        let command = |glob: &Glob| glob.matches(&asked.cmd) || glob.matches(asked.last_segment());
        let variable =
            |(name, glob): (&String, &Glob)| asked.env.get(name).is_some_and(|value| glob.matches(value));
        self.command.as_ref().is_none_or(command)
            && meets(&self.cwd, &asked.cwd)
            && meets(&self.user, &asked.user)
            && self.env.iter().all(variable)
            && self.args.match_those_of(asked)
    }
}

impl Args {
    fn match_those_of(&self, asked: &Asked) -> bool {
        match self {
            Self::Any => true,
            Self::Each(globs) => {
                globs.len() == asked.args.len()
                    && globs.iter().zip(&asked.args).all(|(glob, arg)| glob.matches(arg))
            }
            Self::Line(glob) => {
                glob.matches(&asked.line(&asked.cmd)) || glob.matches(&asked.line(asked.last_segment()))
            }
        }
    }
}

/// What a program knows while it is played.
#[derive(Debug)]
pub(super) struct Known<'a> {
    pub(super) asked: &'a Asked,
    pub(super) stdin: &'a [u8],
}

impl Filling for Known<'_> {
    fn stdin(&self) -> &[u8] {
        self.stdin
    }

    fn args(&self) -> &[String] {
        &self.asked.args
    }

    fn env(&self, name: &str) -> Option<&str> {
        self.asked.env.get(name).map(String::as_str)
    }

    fn cwd(&self) -> &str {
        &self.asked.cwd
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guest::program::Program;
    use proptest::prelude::*;

    fn asked(cmd: &str, args: &[&str]) -> Asked {
        Asked {
            cmd: cmd.to_owned(),
            args: args.iter().map(|&arg| arg.to_owned()).collect(),
            env: [("CI".to_owned(), "yes".to_owned())].into(),
            cwd: "/home/user/x".to_owned(),
            user: "user".to_owned(),
        }
    }

    fn matches(program: &Program, asked: &Asked) -> bool {
        program.when.matches(asked)
    }

    #[test]
    fn a_command_is_named_by_itself_or_by_the_end_of_its_path() {
        let git = Program::named("git");
        assert!(matches(&git, &asked("git", &[])) && matches(&git, &asked("/usr/bin/git", &["x"])));
        assert!(!matches(&git, &asked("/git/run", &[])));
        assert!(!matches(&Program::named("/usr/bin/git"), &asked("git", &[])));
    }

    #[test]
    fn each_argument_has_its_own_pattern() {
        let clone = Program::named("git").arg("clone").arg("**");
        assert!(matches(&clone, &asked("git", &["clone", "https://example.org/x"])));
        assert!(!matches(&clone, &asked("git", &["clone"])));
        assert!(!matches(&clone, &asked("git", &["clone", "a", "b"])));
        let none = Program::named("git").args(Vec::<String>::new());
        assert!(matches(&none, &asked("git", &[])) && !matches(&none, &asked("git", &["x"])));
    }

    #[test]
    fn a_command_line_is_matched_as_a_whole() {
        let clone = Program::named("git").command_line("git clone **");
        assert!(matches(&clone, &asked("/usr/bin/git", &["clone", "a", "b"])));
        assert!(!matches(&clone, &asked("git", &["fetch"])));
    }

    #[test]
    fn all_conditions_must_be_met() {
        let program = Program::named("git").env("CI", "*").cwd("/home/user/**").user("user");
        assert!(matches(&program, &asked("git", &[])));
        for other in [
            Program::named("git").env("GONE", "**"),
            Program::named("git").env("CI", "no"),
            Program::named("git").cwd("/tmp"),
            Program::named("git").user("root"),
        ] {
            assert!(!matches(&other, &asked("git", &[])), "{other:?}");
        }
    }

    proptest! {
        #[test]
        fn a_program_without_conditions_on_arguments_takes_all(args in proptest::collection::vec(".*", 0..5)) {
            let args: Vec<_> = args.iter().map(String::as_str).collect();
            prop_assert!(matches(&Program::named("x"), &asked("x", &args)));
            prop_assert!(matches(&Program::named("x").command_line("**"), &asked("x", &args)));
        }
    }
}
