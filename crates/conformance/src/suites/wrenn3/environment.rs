//! The environment of commands of generation 3, between the profile and the request (contract 4.1 and 10).

use serde_json::{Value, json};

use super::commands::THIRD;
use crate::case::{Case, Isolation, act};
use crate::probe::{Probe, SetupError, shell};
use crate::suites::helpers::printed;

const PROFILE: Case = Case { source: "contract 4.1 and 10", ..THIRD };

/// Runs a script with this environment, as the user that is named.
async fn script(p: &mut Probe, label: &str, script: &str, more: Value) -> Result<(), SetupError> {
    let mut process = shell(script);
    if let (Some(process), Some(more)) = (process.as_object_mut(), more.as_object()) {
        process.extend(more.clone());
    }
    p.run(label, json!({ "process": process, "stdin": false })).await
}

pub(in crate::suites) const CASES: &[Case] = &[
    PROFILE
        .id("process/login-shell/variable")
        .requires("SHELL is the user's login shell, as passwd has it")
        .why("programs that start a shell go by it")
        .act(act!(|p| {
            p.sh("run", "awk -F: '$1==\"root\"{print $7}' /etc/passwd | cmp - /dev/fd/3 3<<E\n$SHELL\nE")
                .await
        }))
        .judge(|o| printed(o, "run", "")),
    PROFILE
        .id("process/login-shell/profile")
        .requires("/etc/profile and .bashrc in the home are run before a command")
        .why("tools that an image installs are found by them")
        .needs(&["process/user/named", "files/upload/round-trip"])
        .isolation(Isolation::Fresh)
        .act(act!(|p| {
            p.upload("bashrc", "/home/user/.bashrc", b"export FROM_BASHRC=set\n").await?;
            p.sh("make", "printf '\\nexport FROM_PROFILE=set\\n' >>/etc/profile").await?;
            script(p, "run", "echo $FROM_PROFILE $FROM_BASHRC", json!({ "user": "user" })).await
        }))
        .judge(|o| {
            o.at("make")?.succeeded()?;
            printed(o, "run", "set set\n")
        }),
    PROFILE
        .id("process/login-shell/request-wins")
        .reqs(&["10.generation-3", "4.1.generation-3"])
        .requires("the request's variables win over what the profile sets, PATH too")
        .why("a virtual environment works by its PATH")
        .needs(&["process/login-shell/profile"])
        .isolation(Isolation::Fresh)
        .act(act!(|p| {
            let profile = b"export PATH=/from/profile:$PATH MINE=profile\n";
            p.upload("bashrc", "/root/.bashrc", profile).await?;
            let envs = json!({ "PATH": "/usr/bin:/bin", "MINE": "request" });
            script(p, "run", "echo $PATH $MINE", json!({ "envs": envs })).await
        }))
        .judge(|o| printed(o, "run", "/usr/bin:/bin request\n")),
    PROFILE
        .id("process/login-shell/odd-values")
        .requires("newlines, =, quotes and UTF-8 in a variable's value arrive as they are")
        .why("keys and certificates are passed so")
        .act(act!(|p| {
            let envs = json!({ "ODD": "a=b\n\"c\" '$d' `e` é☃ " });
            script(p, "run", "printf '%s|' \"$ODD\"", json!({ "envs": envs })).await
        }))
        .judge(|o| printed(o, "run", "a=b\n\"c\" '$d' `e` é☃ |")),
    PROFILE
        .id("process/login-shell/nologin")
        .reqs(&["10.generation-3"])
        .requires("commands of a user whose shell turns everybody away run all the same")
        .why("services run as such users")
        .needs(&["process/user/named"])
        .tags(&["owners"])
        .act(act!(|p| script(p, "run", "id -un", json!({ "user": "nobody", "cwd": "/" })).await))
        .judge(|o| printed(o, "run", "nobody\n")),
];
