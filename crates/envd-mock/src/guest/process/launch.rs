//! From a command to the program that is run for it: the command itself, or the user's shell that runs the profile and
//! then the command. Pure.

use std::collections::BTreeMap;

use super::ProcessError;
use super::environment::candidates;
use super::start::Spec;
use crate::guest::habits::Launch;
use crate::guest::path;
use crate::guest::users::User;

const SHELL: &str = "/bin/sh";
const NICE: &str = "/usr/bin/nice";
/// Shells that do nothing but turn a user away.
const LOCKED: [&str; 2] = ["nologin", "false"];
const PROFILE: &str =
    r#"[ -r /etc/profile ] && . /etc/profile; [ -r "$HOME/.bashrc" ] && . "$HOME/.bashrc"; "#;
/// What a terminal's descriptor that is left open looks like to a command.
const LEAK: &str = r#"exec 3<>/dev/ptmx; exec "$@""#;

/// A program to run.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Program {
    /// Paths to try in turn.
    pub(super) candidates: Vec<String>,
    pub(super) argv: Vec<String>,
}

/// The shell that runs a user's commands; `None` where no shell does.
pub(super) fn shell(launch: Launch, user: &User) -> Option<&str> {
    let name = user.shell.rsplit('/').next().unwrap_or_default();
    let locked = launch.spares_locked && LOCKED.contains(&name);
    launch.by_shell.then_some(if locked { SHELL } else { &user.shell })
}

/// The command with its tildes replaced, where the shell would do so: one that names another user is an error in the
/// command and a letter in an argument.
pub(super) fn expanded(launch: Launch, spec: Spec, user: &User) -> Result<Spec, ProcessError> {
    if !launch.by_shell {
        return Ok(spec);
    }
    let cmd = path::expand_tilde(&spec.cmd, &user.home)?.unwrap_or(spec.cmd);
    let argument = |text: String| path::expand_tilde(&text, &user.home).ok().flatten().unwrap_or(text);
    Ok(Spec { cmd, args: spec.args.into_iter().map(argument).collect(), ..spec })
}

/// The program for a command; `leaks` when it inherits a terminal that is none of its business.
pub(super) fn program(
    launch: Launch,
    user: &User,
    spec: &Spec,
    env: &BTreeMap<String, String>,
    leaks: bool,
) -> Program {
    let search = env.get("PATH").map_or("", String::as_str);
    let mut program = match shell(launch, user) {
        Some(shell) => by_shell(launch, shell, spec),
        None => {
            let argv = std::iter::once(&spec.cmd).chain(&spec.args).cloned().collect();
            Program { candidates: candidates(&spec.cmd, search), argv }
        }
    };
    if launch.niced {
        program = behind([NICE, "-n", "-20"], program);
    }
    if leaks && launch.leaks_terminals {
        program = behind([SHELL, "-c", LEAK, SHELL], program);
    }
    program
}

fn by_shell(launch: Launch, shell: &str, spec: &Spec) -> Program {
    let kept = if launch.profile_wins { String::new() } else { exports(&spec.envs) };
    let run = match (spec.cmd.as_str(), spec.args.as_slice()) {
        ("", []) => r#"exec "$0""#,
        (_, []) => r#"exec "$0" -c "$1""#,
        _ => r#"exec "$@""#,
    };
    let script = format!("{PROFILE}{kept}{run}");
    let command = std::iter::once(&spec.cmd).chain(&spec.args).cloned();
    let argv = [shell.to_owned(), "-c".to_owned(), script, shell.to_owned()].into_iter().chain(command);
    Program { candidates: vec![shell.to_owned()], argv: argv.collect() }
}

fn behind<const N: usize>(words: [&str; N], program: Program) -> Program {
    let argv = words.into_iter().map(str::to_owned).chain(program.argv).collect();
    Program { candidates: vec![words[0].to_owned()], argv }
}

/// Sets again what the profile may have changed; what a shell cannot name it cannot have changed either.
fn exports(envs: &BTreeMap<String, String>) -> String {
    let named = |key: &&String| {
        !key.starts_with(|c: char| c.is_ascii_digit())
            && key.bytes().all(|byte| byte == b'_' || byte.is_ascii_alphanumeric())
    };
    let set = |key: &String| format!("export {key}='{}'; ", envs[key].replace('\'', r"'\''"));
    envs.keys().filter(named).map(set).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guest::habits::Habits;

    const PLAIN: Launch = Habits::MEANT.launch;
    const BY_SHELL: Launch = Launch { by_shell: true, ..PLAIN };

    fn user(shell: &str) -> User {
        User { name: "user".into(), uid: 1, gid: 1, home: "/home/user".into(), shell: shell.into() }
    }

    fn spec(words: &[&str]) -> Spec {
        let mut words = words.iter().map(|word| (*word).to_owned());
        Spec {
            cmd: words.next().unwrap_or_default(),
            args: words.collect(),
            envs: BTreeMap::from([("A".into(), "it's".into()), ("b.c".into(), "x".into())]),
            cwd: "/".into(),
            tag: None,
            stdin: false,
            pty: None,
        }
    }

    fn argv(launch: Launch, shell: &str, words: &[&str], leaks: bool) -> Vec<String> {
        program(launch, &user(shell), &spec(words), &BTreeMap::new(), leaks).argv
    }

    #[test]
    fn without_a_shell_a_command_is_a_program() {
        assert_eq!(argv(PLAIN, "/bin/zsh", &["ls", "-l"], true), ["ls", "-l"]);
        let niced = Launch { niced: true, ..PLAIN };
        assert_eq!(argv(niced, "/bin/zsh", &["ls"], false), ["/usr/bin/nice", "-n", "-20", "ls"]);
        let leaky = Launch { leaks_terminals: true, ..PLAIN };
        assert_eq!(argv(leaky, "/bin/zsh", &["ls"], false), ["ls"]);
        assert_eq!(argv(leaky, "/bin/zsh", &["ls"], true), ["/bin/sh", "-c", LEAK, "/bin/sh", "ls"]);
    }

    #[test]
    fn the_shell_runs_the_profile_and_then_sets_what_was_asked_for() {
        let words = argv(BY_SHELL, "/bin/bash", &["ls", "-l"], false);
        assert_eq!(
            [&words[0], &words[1], &words[3], &words[4], &words[5]],
            ["/bin/bash", "-c", "/bin/bash", "ls", "-l"]
        );
        assert_eq!(words[2], format!(r#"{PROFILE}export A='it'\''s'; exec "$@""#));
        let profile = Launch { profile_wins: true, ..BY_SHELL };
        assert_eq!(
            argv(profile, "/bin/sh", &["echo a; b"], false)[2],
            format!(r#"{PROFILE}exec "$0" -c "$1""#)
        );
        assert!(argv(BY_SHELL, "/bin/sh", &[], false)[2].ends_with(r#"exec "$0""#));
    }

    #[test]
    fn a_user_who_is_turned_away_has_another_shell_for_commands() {
        let of = |launch, path| shell(launch, &user(path)).map(str::to_owned);
        assert_eq!(of(BY_SHELL, "/usr/sbin/nologin").as_deref(), Some("/bin/sh"));
        assert_eq!(of(BY_SHELL, "/bin/false").as_deref(), Some("/bin/sh"));
        let stuck = Launch { spares_locked: false, ..BY_SHELL };
        assert_eq!(of(stuck, "/usr/sbin/nologin").as_deref(), Some("/usr/sbin/nologin"));
        assert_eq!(of(PLAIN, "/bin/bash"), None);
    }

    #[test]
    fn a_tilde_is_the_home_of_nobody_else() {
        let all = expanded(BY_SHELL, spec(&["~/run", "~", "a~", "~other/x"]), &user("/bin/sh")).unwrap();
        assert_eq!(all.cmd, "/home/user/run");
        assert_eq!(all.args, ["/home/user", "a~", "~other/x"]);
        assert!(expanded(BY_SHELL, spec(&["~other/x"]), &user("/bin/sh")).is_err());
        assert_eq!(expanded(PLAIN, spec(&["~/run"]), &user("/bin/sh")).unwrap().cmd, "~/run");
    }
}
