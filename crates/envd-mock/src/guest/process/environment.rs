//! What a command finds in its environment, and where it is looked for. Pure.

use std::collections::BTreeMap;

use super::ProcessError;
use crate::guest::users::User;

/// The PATH of every command, whatever the host's is.
pub(super) const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The environment in the contract's order (section 4.1): the guest's own, the defaults of /init, the request's;
/// later wins. `shell` becomes SHELL; unless `checks`, what no environment can hold is left for the kernel to refuse.
pub(super) fn assemble(
    user: &User,
    (shell, checks): (Option<&str>, bool),
    defaults: &BTreeMap<String, String>,
    request: &BTreeMap<String, String>,
) -> Result<BTreeMap<String, String>, ProcessError> {
    let own = [("PATH", PATH), ("HOME", &*user.home), ("USER", &user.name), ("LOGNAME", &user.name)];
    let own = own.into_iter().chain(shell.map(|shell| ("SHELL", shell)));
    let mut all: BTreeMap<_, _> = own.map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
    for (key, value) in defaults.iter().chain(request) {
        let impossible = key.is_empty() || key.contains(['=', '\0']) || value.contains('\0');
        if checks && impossible {
            return Err(ProcessError::BadEnv(key.clone()));
        }
        all.insert(key.clone(), value.clone());
    }
    Ok(all)
}

/// The paths that `cmd` may mean, as execvp(3) tries them.
pub(super) fn candidates(cmd: &str, path: &str) -> Vec<String> {
    if cmd.is_empty() || cmd.contains('/') {
        return vec![cmd.to_owned()];
    }
    let dir = |dir: &str| if dir.is_empty() { cmd.to_owned() } else { format!("{dir}/{cmd}") };
    path.split(':').map(dir).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|&(key, value)| (key.to_owned(), value.to_owned())).collect()
    }

    fn user() -> User {
        User { name: "user".into(), uid: 1000, gid: 1000, home: "/home/user".into(), shell: "/bin/sh".into() }
    }

    #[test]
    fn the_request_wins_over_the_defaults_and_those_over_the_guest() {
        let all = assemble(&user(), (None, true), &map(&[("A", "d"), ("HOME", "/d")]), &map(&[("A", "r")]))
            .unwrap();
        assert_eq!((all["A"].as_str(), all["HOME"].as_str(), all["USER"].as_str()), ("r", "/d", "user"));
        assert_eq!(all["PATH"], PATH);
        assert_eq!((all.get("TERM"), all.get("SHELL")), (None, None));
        let shell = assemble(&user(), (Some("/bin/zsh"), true), &BTreeMap::new(), &map(&[])).unwrap();
        assert_eq!(shell["SHELL"], "/bin/zsh");
    }

    #[test]
    fn a_key_that_cannot_be_one_is_refused() {
        for (key, value) in [("", "x"), ("A=B", "x"), ("A\0", "x"), ("A", "x\0y")] {
            let with = |checks| assemble(&user(), (None, checks), &BTreeMap::new(), &map(&[(key, value)]));
            assert!(with(true).is_err() && with(false).is_ok(), "{key:?}={value:?}");
        }
    }

    #[test]
    fn a_slash_ends_the_search() {
        assert_eq!(candidates("./x", "/a:/b"), ["./x"]);
        assert_eq!(candidates("x", "/a::/b"), ["/a/x", "x", "/b/x"]);
        assert_eq!(candidates("", "/a"), [""]);
    }
}
