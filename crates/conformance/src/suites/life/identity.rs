//! Who a guest is and where its commands begin: ids, events host, default user and workdir (contract 3.4).

use serde_json::{Value, json};

use crate::case::{Case, Isolation, act};
use crate::feature::Feature;
use crate::observation::Observation;
use crate::probe::Ask;
use crate::suites::helpers::{all_are, entry_is, fs, printed};
use crate::verdict::Judged;

const OWN: Case = Case { isolation: Isolation::Fresh, ..Case::BASE };
const SET: &[&str] = &["init/envs/merge"];

fn env_is(o: &Observation, label: &str, name: &str, value: impl Into<Value>) -> Judged {
    o.at(label)?.ok()?;
    o.at(label)?.field_is(&format!("/{name}"), value)
}

pub(in crate::suites) const CASES: &[Case] = &[
    OWN.case(
        "init/ids/files-and-environment",
        "contract 3.4",
        &["3.4.sandbox-id", "3.4.template-id", "3.4.proxy-domain"],
    )
    .requires("ids and domain are in /run/wrenn without a newline, in /envs, and in commands")
    .why("programs in the sandbox tell by them who they are")
    .features(&[Feature::Lifecycle])
    .needs(SET)
    .act(act!(|p| {
        p.init("init", json!({ "sandbox_id": "sb-1", "template_id": "tm-2", "proxy_domain": "x.example" }))
            .await?;
        p.get("envs", "/envs").await?;
        let script = "cd /run/wrenn && cat .WRENN_SANDBOX_ID .WRENN_TEMPLATE_ID .WRENN_PROXY_DOMAIN; \
                          echo; echo $WRENN_SANDBOX_ID $WRENN_TEMPLATE_ID $WRENN_PROXY_DOMAIN";
        p.sh("run", script).await
    }))
    .judge(|o| {
        o.at("init")?.status(204)?;
        env_is(o, "envs", "WRENN_SANDBOX_ID", "sb-1")?;
        env_is(o, "envs", "WRENN_TEMPLATE_ID", "tm-2")?;
        env_is(o, "envs", "WRENN_PROXY_DOMAIN", "x.example")?;
        printed(o, "run", "sb-1tm-2x.example\nsb-1 tm-2 x.example\n")
    }),
    OWN.case("init/ids/empty", "contract 3.4", &["3.4.sandbox-id", "3.4.template-id", "3.4.proxy-domain"])
        .requires("an empty sandbox_id or template_id is set; an empty proxy_domain is ignored")
        .why("a host without domains sends an empty one with every call")
        .features(&[Feature::Lifecycle])
        .needs(&["init/ids/files-and-environment"])
        .act(act!(|p| {
            p.init("first", json!({ "sandbox_id": "sb", "template_id": "tm", "proxy_domain": "x.example" }))
                .await?;
            p.init("empty", json!({ "sandbox_id": "", "template_id": "", "proxy_domain": "" })).await?;
            p.get("envs", "/envs").await?;
            p.sh("run", "cd /run/wrenn && cat .WRENN_SANDBOX_ID .WRENN_TEMPLATE_ID .WRENN_PROXY_DOMAIN").await
        }))
        .judge(|o| {
            all_are(o, &["first", "empty"], 204)?;
            env_is(o, "envs", "WRENN_SANDBOX_ID", "")?;
            env_is(o, "envs", "WRENN_TEMPLATE_ID", "")?;
            env_is(o, "envs", "WRENN_PROXY_DOMAIN", "x.example")?;
            printed(o, "run", "x.example")
        }),
    OWN.case("init/ids/sandbox-file", "contract 7 and 3.3", &["7.sandbox-file", "3.3.sandbox"])
        .requires("/run/wrenn/.WRENN_SANDBOX says what WRENN_SANDBOX in /envs says")
        .why("programs read the one or the other")
        .isolation(Isolation::Shared)
        .act(act!(|p| {
            p.get("envs", "/envs").await?;
            p.send("file", Ask::download("/run/wrenn/.WRENN_SANDBOX")).await.map(drop)
        }))
        .judge(|o| {
            let value = o.at("envs")?.ok()?["WRENN_SANDBOX"].clone();
            o.at("file")?.status(200)?;
            o.at("file")?.body_is(value.as_str().unwrap_or("no text").as_bytes())
        }),
    OWN.case("init/hyperloop/hosts", "contract 3.4", &["3.4.hyperloop"])
        .requires("hyperloop_ip is one line in /etc/hosts, replaced by the next, and WRENN_EVENTS_ADDRESS")
        .why("events of the sandbox go there")
        .needs(SET)
        .act(act!(|p| {
            p.sh("before", "grep -v events.wrenn.local /etc/hosts").await?;
            p.init("first", json!({ "hyperloop_ip": "10.1.2.3" })).await?;
            p.init("second", json!({ "hyperloop_ip": "10.4.5.6" })).await?;
            p.sh("lines", "grep events.wrenn.local /etc/hosts | tr -s ' \\t' ' '").await?;
            p.sh("others", "grep -v events.wrenn.local /etc/hosts").await?;
            p.get("envs", "/envs").await
        }))
        .judge(|o| {
            all_are(o, &["first", "second"], 204)?;
            printed(o, "lines", "10.4.5.6 events.wrenn.local\n")?;
            printed(o, "others", &o.at("before")?.succeeded()?.text())?;
            env_is(o, "envs", "WRENN_EVENTS_ADDRESS", "http://10.4.5.6")
        }),
    OWN.case("init/volumes/failure", "contract 3.4", &["3.4.nfs"])
        .requires("a mount that cannot be made is no reason to refuse the /init, and the rest is applied")
        .why("a sandbox without its volume is better than none")
        .needs(SET)
        .act(act!(|p| {
            let mounts = json!([{ "nfs_target": "127.0.0.1:/envd-conformance-no-such",
                "path": "/mnt/envd-conformance" }]);
            p.init("init", json!({ "volume_mounts": mounts, "envVars": { "A": "x" } })).await?;
            p.get("envs", "/envs").await
        }))
        .judge(|o| {
            o.at("init")?.status(204)?;
            env_is(o, "envs", "A", "x")
        }),
    OWN.case("init/default-user/empty", "contract 3.4", &["3.4.user-empty", "3.4.workdir"])
        .requires("an empty defaultUser and defaultWorkdir are ignored")
        .why("a host sends empty fields for what it does not know")
        .needs(&["init/default-user/applies", "init/default-workdir/applies"])
        .act(act!(|p| {
            p.init("first", json!({ "defaultUser": "user", "defaultWorkdir": "/usr" })).await?;
            p.init("empty", json!({ "defaultUser": "", "defaultWorkdir": "" })).await?;
            p.sh("run", "id -un; pwd").await
        }))
        .judge(|o| {
            all_are(o, &["first", "empty"], 204)?;
            printed(o, "run", "user\n/usr\n")
        }),
    OWN.case(
        "init/default-user/all-of-it",
        "contract 3.4 and 4.1",
        &["3.4.user-affects", "4.1.ids", "4.1.env-base", "0.1.defaults-applied"],
    )
    .requires(
        "a command of the default user has its uid, gid, home, USER and LOGNAME, and \
            cannot read root's files",
    )
    .why("a half-changed user is root in disguise")
    .needs(&["init/default-user/applies"])
    .tags(&["owners", "security"])
    .act(act!(|p| {
        p.upload("upload", "/tmp/envd-conformance/secret", b"secret").await?;
        p.sh("chmod", "chmod 600 /tmp/envd-conformance/secret").await?;
        p.init("init", json!({ "defaultUser": "user" })).await?;
        let script = "id -u; id -g; echo $HOME $USER $LOGNAME; pwd; cat \
                /tmp/envd-conformance/secret 2>/dev/null || echo denied";
        p.sh("run", script).await
    }))
    .judge(|o| {
        o.at("chmod")?.succeeded()?;
        o.at("init")?.status(204)?;
        printed(o, "run", "1000\n1000\n/home/user user user\n/home/user\ndenied\n")
    }),
    OWN.case("init/default-user/home-missing", "contract 4.1", &["4.1.home-missing"])
        .requires("a user whose home is missing cannot start without a cwd, and can with one")
        .why("the error names the directory that is not there")
        .needs(&["init/default-user/applies"])
        .tags(&["owners"])
        .act(act!(|p| {
            p.sh("home", "awk -F: '$1==\"nobody\"{print $6}' /etc/passwd").await?;
            p.init("init", json!({ "defaultUser": "nobody" })).await?;
            p.sh("without", "true").await?;
            let mut process = crate::probe::shell("id -un");
            process["cwd"] = "/".into();
            p.run("with", json!({ "process": process, "stdin": false })).await
        }))
        .judge(|o| {
            let home = o.at("home")?.succeeded()?.text();
            o.at("without")?
                .stream_error("invalid_argument", &format!("cwd '{}' does not exist", home.trim()))?;
            printed(o, "with", "nobody\n")
        }),
    OWN.case("init/default-user/running-stay", "contract 3.4", &["3.4.user-affects"])
        .requires("what runs already keeps its user; files that are made from then on have the new one")
        .why("a change of defaults is no change of the past")
        .needs(&["init/default-user/applies"])
        .act(act!(|p| {
            let open = p.start_sh("run", "read line; id -un").await?;
            p.init("init", json!({ "defaultUser": "user" })).await?;
            fs(p, "make", "MakeDir", json!({ "path": "/tmp/envd-conformance/d" })).await?;
            p.input("input", "run", "\n").await?;
            p.finish("run", open).await;
            Ok(())
        }))
        .judge(|o| {
            o.at("init")?.status(204)?;
            entry_is(o, "make", "owner", "user")?;
            printed(o, "run", "root\n")
        }),
    OWN.case("init/default-workdir/missing", "contract 3.4 and 4.1", &["4.1.cwd-default", "4.1.cwd-missing"])
        .requires(
            "a default workdir that does not exist is taken, and makes Start without cwd \
            fail by name",
        )
        .why("the directory may be made later")
        .needs(&["init/default-workdir/applies"])
        .act(act!(|p| {
            p.init("init", json!({ "defaultWorkdir": "/srv/later" })).await?;
            p.sh("before", "pwd").await?;
            fs(p, "make", "MakeDir", json!({ "path": "/srv/later" })).await?;
            p.sh("after", "pwd").await
        }))
        .judge(|o| {
            o.at("init")?.status(204)?;
            o.at("before")?.stream_error("invalid_argument", "cwd '/srv/later' does not exist")?;
            printed(o, "after", "/srv/later\n")
        }),
    OWN.case("init/default-workdir/cwd-relative", "contract 10", &["10.relative-workdir"])
        .requires("a relative cwd joins the default workdir")
        .why("commands and files must mean the same place")
        .needs(&["init/default-workdir/applies"])
        .act(act!(|p| {
            p.init("init", json!({ "defaultWorkdir": "/usr" })).await?;
            let mut process = crate::probe::shell("pwd -P");
            process["cwd"] = "bin/../share".into();
            p.run("run", json!({ "process": process, "stdin": false })).await
        }))
        .judge(|o| {
            o.at("init")?.status(204)?;
            printed(o, "run", "/usr/share\n")
        }),
];
