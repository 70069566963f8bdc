//! How a path in a call becomes a path in the guest: tilde, relative and empty ones (contract section 3.8, with
//! relative paths below the default workdir). Pure text; what exists is the tree's.

/// Why a path cannot be resolved; the caller is to blame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PathError {
    #[error("cannot expand user-specific home dir")]
    ForeignHome,
}

/// The path that `path` stands for: an absolute one is kept as it is, `..` included.
pub(crate) fn resolve(path: &str, home: &str, workdir: Option<&str>) -> Result<String, PathError> {
    let workdir = workdir.filter(|dir| !dir.is_empty());
    match (path, workdir) {
        ("", None) => Ok(home.to_owned()),
        ("", Some(dir)) => resolve(dir, home, None),
        _ if path.starts_with('/') => Ok(path.to_owned()),
        _ => match (path.strip_prefix('~'), workdir) {
            (Some(rest), _) => expand(rest, home),
            (None, Some(dir)) => Ok(join(&resolve(dir, home, None)?, path)),
            (None, None) => Ok(join(home, path)),
        },
    }
}

/// Whether `path` is joined to a directory, and so made canonical where it exists.
pub(crate) fn is_relative(path: &str) -> bool {
    !(path.is_empty() || path.starts_with(['/', '~']))
}

/// `name` below `dir`, with one slash between them.
pub(crate) fn join(dir: &str, name: &str) -> String {
    if dir.ends_with('/') { format!("{dir}{name}") } else { format!("{dir}/{name}") }
}

/// The path that a leading tilde stands for; `None` without one.
pub(crate) fn expand_tilde(text: &str, home: &str) -> Result<Option<String>, PathError> {
    text.strip_prefix('~').map(|rest| expand(rest, home)).transpose()
}

fn expand(rest: &str, home: &str) -> Result<String, PathError> {
    match rest.chars().next() {
        None => Ok(home.to_owned()),
        Some('/' | '\\') => Ok(format!("{}{rest}", home.trim_end_matches('/'))),
        Some(_) => Err(PathError::ForeignHome),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn each_form_resolves_as_the_contract_says() {
        for (path, workdir, expected) in [
            ("", None, "/root"),
            ("", Some("/work"), "/work"),
            ("", Some(""), "/root"),
            ("", Some("~/w"), "/root/w"),
            ("", Some("w"), "/root/w"),
            ("~", Some("/work"), "/root"),
            ("~/a", None, "/root/a"),
            ("~\\a", None, "/root\\a"),
            ("/a/../b/", None, "/a/../b/"),
            ("a/../b", None, "/root/a/../b"),
            ("a", Some("/work/"), "/work/a"),
            ("./~x", Some("/"), "/./~x"),
        ] {
            assert_eq!(resolve(path, "/root", workdir).as_deref(), Ok(expected), "{path:?} in {workdir:?}");
        }
    }

    #[test]
    fn the_home_of_another_user_is_refused() {
        assert_eq!(resolve("~user/a", "/root", None), Err(PathError::ForeignHome));
        assert_eq!(resolve("", "/root", Some("~user")), Err(PathError::ForeignHome));
        assert_eq!(PathError::ForeignHome.to_string(), "cannot expand user-specific home dir");
    }

    #[test]
    fn a_home_at_the_root_gives_no_double_slash() {
        assert_eq!(resolve("~/a", "/", None).as_deref(), Ok("/a"));
        assert_eq!(resolve("a", "/", None).as_deref(), Ok("/a"));
    }

    proptest! {
        #[test]
        fn what_resolves_is_absolute(path in ".*", dir in proptest::option::of(".*")) {
            if let Ok(resolved) = resolve(&path, "/root", dir.as_deref()) {
                prop_assert!(resolved.starts_with('/'), "{resolved:?}");
            }
        }

        #[test]
        fn an_absolute_path_is_left_alone(path in "/.*") {
            prop_assert_eq!(resolve(&path, "/root", Some("/work")), Ok(path));
        }

        #[test]
        fn a_relative_path_ends_as_it_was_written(path in "[^/~].*") {
            prop_assert!(is_relative(&path));
            let resolved = resolve(&path, "/root", Some("/work")).unwrap();
            prop_assert_eq!(resolved, format!("/work/{path}"));
        }
    }
}
