//! What commands get: arguments, environment, directory, terminal, descriptors (contract 4.1), as changes of requests.

use serde_json::{Value, json};

use super::edit::{START, edit_text, lose, process, request, wrap, wrap_terminal};
use crate::mutant::Mutant;

pub(crate) const MUTANTS: &[Mutant] = &[
    request("command/cwd-ignored", "cwd is ignored", START, |_, r| process(r, |p| lose(p, "cwd"))),
    request("command/cwd-default-root", "without cwd a command starts at /", START, |_, r| {
        process(r, |p| {
            if p["cwd"].is_null() {
                p["cwd"] = "/".into();
            }
        });
    }),
    request("command/cwd-relative-to-root", "a relative cwd starts at /", START, |_, r| {
        process(r, |p| {
            edit_text(
                p,
                "cwd",
                |cwd| if cwd.starts_with(['/', '~']) { cwd.into() } else { format!("/{cwd}") },
            );
        });
    }),
    request("command/cwd-no-tilde", "a tilde in cwd is not expanded", START, |_, r| {
        process(r, |p| {
            edit_text(p, "cwd", |cwd| if cwd.starts_with('~') { format!("./{cwd}") } else { cwd.into() });
        });
    }),
    request("command/cwd-tilde-name", "~name in cwd is taken as ~", START, |_, r| {
        process(r, |p| edit_text(p, "cwd", |cwd| if cwd.starts_with('~') { "~".into() } else { cwd.into() }));
    }),
    request("command/cwd-lexical", "dots in cwd are taken away before links are followed", START, |_, r| {
        process(r, |p| edit_text(p, "cwd", lexical));
    }),
    request("command/cwd-of-file", "a file as cwd is taken as its directory", START, |_, r| {
        process(r, |p| edit_text(p, "cwd", |cwd| cwd.strip_suffix("/f").unwrap_or(cwd).into()));
    }),
    request("command/envs-ignored", "envs are ignored", START, |_, r| process(r, |p| lose(p, "envs"))),
    request("command/env-empty-lost", "variables with an empty value are left out", START, |_, r| {
        envs(r, |_, value| Some(value).filter(|value| !value.is_empty()));
    }),
    request("command/env-one-line", "a newline in a variable is a blank", START, |_, r| {
        envs(r, |_, value| Some(value.replace('\n', " ")));
    }),
    request(
        "command/env-odd-names",
        "variables with names that no shell takes are left out",
        START,
        |_, r| {
            envs(r, |name, value| {
                name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '=').then_some(value)
            });
        },
    ),
    request("command/env-path-kept", "PATH of the request is ignored", START, |_, r| {
        envs(r, |name, value| (name != "PATH").then_some(value));
    }),
    request("command/env-home-kept", "HOME of the request is ignored", START, |_, r| {
        envs(r, |name, value| (name != "HOME").then_some(value));
    }),
    request("command/env-bad-name", "a bad name of a variable is passed over", START, |_, r| {
        envs(r, |name, value| (!name.is_empty() && !name.contains(['=', '\0'])).then_some(value));
    }),
    request("command/env-nul-cut", "a variable's value is cut at a NUL", START, |_, r| {
        envs(r, |_, value| Some(value.split('\0').next().unwrap_or_default().to_owned()));
    }),
    request("command/env-hundred", "of many variables only a hundred arrive", START, |_, r| {
        process(r, |p| {
            if let Some(envs) = p["envs"].as_object_mut() {
                *envs = std::mem::take(envs).into_iter().take(100).collect();
            }
        });
    }),
    request("command/env-term", "TERM is set", START, |_, r| wrap(r, "export TERM=xterm; exec \"$@\"")),
    request("command/env-shell", "SHELL is set", START, |_, r| wrap(r, "export SHELL=/bin/sh; exec \"$@\"")),
    request("command/env-path-short", "PATH lacks the directories of the administrator", START, |_, r| {
        process(r, |p| {
            if p["envs"]["PATH"].is_null() {
                p["envs"]["PATH"] = "/usr/bin:/bin".into();
            }
        });
    }),
    request("command/env-user-lost", "USER and LOGNAME are not set", START, |_, r| {
        wrap(r, "unset USER LOGNAME; exec \"$@\"");
    }),
    request("command/args-by-shell", "a shell reads the arguments", START, |_, r| {
        process(r, |p| {
            if p["cmd"] != "/bin/sh" {
                let all = p["args"].as_array().cloned().unwrap_or_default();
                let words = [p["cmd"].clone()].into_iter().chain(all);
                let line: Vec<String> = words.filter_map(|word| word.as_str().map(str::to_owned)).collect();
                *p = json!({ "cmd": "/bin/sh", "args": ["-c", line.join(" ")], "envs": p["envs"], "cwd": p["cwd"] });
            }
        });
    }),
    request("command/args-trimmed", "blanks at the end of an argument are lost", START, |_, r| {
        args(r, |arg| arg.trim_end().to_owned());
    }),
    request("command/args-nul-cut", "an argument is cut at a NUL", START, |_, r| {
        args(r, |arg| arg.split('\0').next().unwrap_or_default().to_owned());
    }),
    request("command/args-too-long-cut", "an argument that is too long is cut", START, |_, r| {
        args(r, |arg| arg.chars().take(100_000).collect());
    }),
    request("command/args-thousand", "of many arguments only a thousand arrive", START, |_, r| {
        process(r, |p| {
            if let Some(args) = p["args"].as_array_mut() {
                args.truncate(1000);
            }
        });
    }),
    request("command/args-ascii", "what is no ASCII in arguments becomes a question mark", START, |_, r| {
        args(r, |arg| arg.chars().map(|c| if c.is_ascii() { c } else { '?' }).collect());
    }),
    request("command/tilde-in-cmd", "a tilde in cmd is expanded", START, |_, r| {
        process(r, |p| edit_text(p, "cmd", |cmd| cmd.replacen("~/", "/root/../", 1)));
    }),
    request("command/line-in-cmd", "a cmd without arguments is a line for a shell", START, |_, r| {
        process(r, |p| {
            if p["args"].as_array().is_none_or(Vec::is_empty) {
                p["args"] = json!(["-c", p["cmd"]]);
                p["cmd"] = "/bin/sh".into();
            }
        });
    }),
    request("command/empty-cmd-succeeds", "an empty cmd is a success", START, |_, r| {
        process(r, |p| {
            edit_text(p, "cmd", |cmd| if cmd.is_empty() { "/bin/true".into() } else { cmd.into() });
        });
    }),
    request("command/no-path-lookup", "a program without a slash is not looked up in PATH", START, |_, r| {
        process(r, |p| {
            edit_text(p, "cmd", |cmd| if cmd.contains('/') { cmd.into() } else { format!("/nowhere/{cmd}") });
        });
    }),
    request("command/user-refused", "the field user is heeded", START, |_, r| {
        process(r, |p| {
            if p["user"].is_string() {
                p["cmd"] = "/bin/false".into();
            }
        });
    }),
    request("command/nice", "commands run at niceness 5", START, |_, r| wrap(r, "exec nice -n 5 \"$@\"")),
    request("command/umask", "commands run with a umask of 077", START, |_, r| {
        wrap(r, "umask 077; exec \"$@\"");
    }),
    request("command/group-of-daemon", "commands have a group of their own choice", START, |_, r| {
        wrap(r, "exec setpriv --regid 1 --clear-groups \"$@\"");
    }),
    request("command/shell-between", "a shell stays between envd and the program", START, |_, r| {
        wrap(r, "\"$@\"; exit $?");
    }),
    request("command/descriptor-leaked", "commands inherit a descriptor", START, |_, r| {
        wrap(r, "exec 9</dev/null; exec \"$@\"");
    }),
    request("command/term-ignored", "commands ignore SIGTERM", START, |_, r| {
        wrap(r, "trap '' TERM; exec \"$@\"");
    }),
    request("command/stderr-merged", "stderr goes where stdout goes", START, |_, r| {
        wrap(r, "exec \"$@\" 2>&1");
    }),
    request("command/orphan", "a command leaves a process behind that holds its output", START, |_, r| {
        wrap(r, "sleep 0.3 & exec \"$@\"");
    }),
    request("command/stdin-always-on", "stdin is always on", START, |_, r| {
        r.json(|m| edit_bool(m, "stdin", true));
    }),
    request("command/stdin-always-off", "stdin is never on", START, |_, r| {
        r.json(|m| m["stdin"] = false.into());
    }),
    request("command/stdin-default-off", "without the field there is no stdin", START, |_, r| {
        r.json(|m| {
            if m["stdin"].is_null() {
                m["stdin"] = false.into();
            }
        });
    }),
    request("command/stdin-closed", "stdin false closes the descriptor", START, |_, r| {
        r.json(|m| {
            if m["stdin"] == false && m["pty"].is_null() {
                super::edit::wrap_process(&mut m["process"], "exec \"$@\" <&-");
            }
        });
    }),
    request("command/tag-ignored", "tags are ignored", START, |_, r| r.json(|m| lose(m, "tag"))),
    request("command/tag-cut", "tags are cut after 60 characters", START, |_, r| {
        r.json(|m| edit_text(m, "tag", |tag| tag.chars().take(60).collect()));
    }),
    request("terminal/ignored", "there is no terminal", START, |_, r| r.json(|m| lose(m, "pty"))),
    request("terminal/swapped", "rows and columns are swapped", START, |_, r| {
        size(r, |size| *size = json!({ "cols": size["rows"], "rows": size["cols"] }));
    }),
    request("terminal/size-fixed", "every terminal is 80 by 24", START, |_, r| {
        size(r, |size| *size = json!({ "cols": 80, "rows": 24 }));
    }),
    request("terminal/size-capped", "sizes over sixteen bits are capped", START, |_, r| size(r, capped)),
    request("terminal/zero-is-default", "a size of 0 is 80 by 24", START, |_, r| {
        size(r, |size| {
            if size["cols"].as_u64().unwrap_or(0) == 0 {
                *size = json!({ "cols": 80, "rows": 24 });
            }
        });
    }),
    request("terminal/without-size", "a pty without a size is a terminal", START, |_, r| {
        r.json(|m| {
            if m["pty"].is_object() && m["pty"]["size"].is_null() {
                m["pty"]["size"] = json!({ "cols": 80, "rows": 24 });
            }
        });
    }),
    request("terminal/no-echo", "a terminal does not echo", START, |_, r| {
        wrap_terminal(r, "stty -echo; exec \"$@\"");
    }),
    request("terminal/no-translation", "a terminal leaves LF as it is", START, |_, r| {
        wrap_terminal(r, "stty -onlcr; exec \"$@\"");
    }),
    request("terminal/end-interrupts", "Ctrl+D interrupts", START, |_, r| {
        wrap_terminal(r, "stty eof undef intr ^D; exec \"$@\"");
    }),
    request("terminal/interrupt-quits", "Ctrl+C is SIGQUIT", START, |_, r| {
        wrap_terminal(r, "stty intr undef quit ^C; exec \"$@\"");
    }),
    request("terminal/no-session", "a terminal controls nobody", START, |_, r| {
        wrap_terminal(r, "exec setsid -w \"$@\"");
    }),
    request("terminal/stderr-lost", "stderr is not the terminal", START, |_, r| {
        wrap_terminal(r, "exec \"$@\" 2>/dev/null");
    }),
    request("terminal/stdin-by-name", "stdin of a terminal is opened by the name /dev/tty", START, |_, r| {
        wrap_terminal(r, "exec \"$@\" </dev/tty");
    }),
    request("terminal/stdin-heeded", "stdin false cuts a terminal's keys off", START, |_, r| {
        r.json(|m| {
            if m["pty"]["size"].is_object() && m["stdin"] == false {
                super::edit::wrap_process(&mut m["process"], "exec \"$@\" </dev/null");
            }
        });
    }),
    request("terminal/term-set", "TERM is set in a terminal", START, |_, r| {
        wrap_terminal(r, "export TERM=xterm; exec \"$@\"");
    }),
];

/// What is over sixteen bits is the most that they hold.
pub(super) fn capped(size: &mut Value) {
    for side in ["cols", "rows"] {
        if size[side].as_u64().is_some_and(|cells| cells > 65_535) {
            size[side] = 65_535.into();
        }
    }
}

fn size(request: &mut crate::http::Request, edit: impl Fn(&mut Value)) {
    request.json(|message| {
        if message["pty"]["size"].is_object() {
            edit(&mut message["pty"]["size"]);
        }
    });
}

fn args(request: &mut crate::http::Request, edit: impl Fn(&str) -> String) {
    process(request, |process| {
        for arg in process["args"].as_array_mut().into_iter().flatten() {
            if let Some(text) = arg.as_str().map(&edit) {
                *arg = text.into();
            }
        }
    });
}

fn envs(request: &mut crate::http::Request, edit: impl Fn(&str, String) -> Option<String>) {
    process(request, |process| {
        let Some(envs) = process["envs"].as_object().cloned() else { return };
        let kept = envs.into_iter().filter_map(|(name, value)| {
            let value = edit(&name, value.as_str()?.to_owned())?;
            Some((name, Value::from(value)))
        });
        process["envs"] = Value::Object(kept.collect());
    });
}

fn edit_bool(message: &mut Value, field: &str, value: bool) {
    if message[field].is_boolean() {
        message[field] = value.into();
    }
}

/// A path without `.` and `..`, as its text alone would have it.
pub(super) fn lexical(path: &str) -> String {
    if !path.starts_with('/') {
        return path.to_owned();
    }
    let mut parts = Vec::new();
    for part in path.split('/').filter(|part| !matches!(*part, "" | ".")) {
        if part == ".." {
            parts.pop();
        } else {
            parts.push(part);
        }
    }
    format!("/{}", parts.join("/"))
}
