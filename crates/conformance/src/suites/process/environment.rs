//! The environment of commands, and what is refused in it (contract 4.1 and 10).

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::start::EVENTS;
use crate::case::{Case, act, case};
use crate::observation::Observation;
use crate::probe::{Probe, SetupError, shell};
use crate::suites::controls;
use crate::suites::helpers::printed;
use crate::verdict::{Judged, Objection};

const ENV: &[&str] = &["process/start/environment"];

/// Runs `env` itself, so that no shell adds anything.
async fn env(p: &mut Probe, label: &str, envs: Value, more: Value) -> Result<(), SetupError> {
    let mut request =
        json!({ "process": { "cmd": "/usr/bin/env", "args": ["-0"], "envs": envs }, "stdin": false });
    if let (Some(request), Some(more)) = (request.as_object_mut(), more.as_object()) {
        request.extend(more.clone());
    }
    p.run(label, request).await
}

fn environment(o: &Observation, label: &str) -> Result<BTreeMap<String, String>, Objection> {
    let seen = o.at(label)?;
    let run = seen.succeeded()?;
    let text = String::from_utf8_lossy(&[run.stdout, run.pty].concat()).into_owned();
    let pairs = text.split('\0').filter_map(|pair| pair.split_once('='));
    Ok(pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
}

fn variable_is(o: &Observation, name: &str, expected: Option<&str>) -> Judged {
    let all = environment(o, "run")?;
    o.at("run")?.same(&format!("variable {name}"), all.get(name).map(String::as_str), expected)
}

pub(in crate::suites) const CASES: &[Case] = &[
    case(
        "process/environment/exactly",
        "contract 4.1 and 10",
        &["4.1.env-base", "4.1.env-no-term", "10.exec-plain"],
    )
    .requires("a command has PATH, HOME, USER, LOGNAME and what /envs tells, and nothing else")
    .why("what envd itself was started with is nobody else's business")
    .generations(&[2])
    .needs(ENV)
    .act(act!(|p| {
        p.get("envs", "/envs").await?;
        env(p, "run", json!({}), json!({})).await
    }))
    .judge(|o| {
        let defaults = o.at("envs")?.ok()?;
        let defaults = defaults.as_object().into_iter().flat_map(|all| all.keys().cloned());
        let own = ["HOME", "LOGNAME", "PATH", "USER"].map(str::to_owned);
        let expected: BTreeSet<String> = own.into_iter().chain(defaults).collect();
        let observed: BTreeSet<String> = environment(o, "run")?.into_keys().collect();
        o.at("run")?.same("variables", observed, expected)
    }),
    case("process/environment/terminal", "contract 4.1", &["4.1.env-no-term"])
        .requires("TERM is not set, not even in a terminal")
        .why("the caller knows what its terminal can do, the guest does not")
        .needs(ENV)
        .act(act!(
            |p| env(p, "run", json!({}), json!({ "pty": { "size": { "cols": 80, "rows": 24 } } })).await
        ))
        .judge(|o| {
            variable_is(o, "USER", Some("root"))?;
            variable_is(o, "TERM", None)
        }),
    case("process/environment/path", "contract 10", &["10.path-fixed"])
        .requires("PATH is the same for every command and holds the usual places, all absolute")
        .why("a program is found today and not tomorrow otherwise")
        .needs(ENV)
        .act(act!(|p| {
            env(p, "run", json!({}), json!({})).await?;
            env(p, "again", json!({ "A": "b" }), json!({})).await
        }))
        .judge(|o| {
            let seen = o.at("run")?;
            let path = environment(o, "run")?.remove("PATH").unwrap_or_default();
            let places: Vec<&str> = path.split(':').collect();
            let usual = ["/usr/local/bin", "/usr/bin", "/bin"].iter().all(|place| places.contains(place));
            let absolute = places.iter().all(|place| place.starts_with('/'));
            seen.holds(
                usual && absolute,
                "absolute places, /usr/local/bin, /usr/bin and /bin among them",
                &path,
            )?;
            seen.same("PATH of another command", environment(o, "again")?.remove("PATH"), Some(path))
        }),
    case("process/environment/request-wins", "contract 4.1", &["4.1.env-order"])
        .requires("the request's variables win over all others, PATH and HOME too")
        .why("a virtual environment works by its PATH")
        .generations(&[2])
        .needs(ENV)
        .act(act!(|p| env(
            p,
            "run",
            json!({ "PATH": "/opt/x", "HOME": "/h", "WRENN_SANDBOX": "mine" }),
            json!({}),
        )
        .await))
        .judge(|o| {
            variable_is(o, "PATH", Some("/opt/x"))?;
            variable_is(o, "HOME", Some("/h"))?;
            variable_is(o, "WRENN_SANDBOX", Some("mine"))
        }),
    case("process/environment/empty-value", "contract 4.1", &["0.process.config-fields"])
        .requires("a variable with an empty value is set and empty")
        .why("many programs tell unset from empty")
        .needs(ENV)
        .act(act!(|p| env(p, "run", json!({ "EMPTY": "" }), json!({})).await))
        .judge(|o| variable_is(o, "EMPTY", Some(""))),
    case("process/environment/odd-values", "contract 4.1", &["0.process.config-fields"])
        .requires(
            "newlines, =, quotes and UTF-8 in a value arrive as they are, and names need \
            not be a shell's",
        )
        .why("keys and certificates are passed so")
        .generations(&[1, 2])
        .needs(ENV)
        .act(act!(
            |p| env(p, "run", json!({ "ODD": "a=b\n\"c\" $d é☃ ", "with.dot-1": "x" }), json!({})).await
        ))
        .judge(|o| {
            variable_is(o, "ODD", Some("a=b\n\"c\" $d é☃ "))?;
            variable_is(o, "with.dot-1", Some("x"))
        }),
    case("process/environment/many", "contract 4.1", &["0.process.config-fields"])
        .requires("five hundred variables of 100 bytes arrive")
        .why("continuous integration passes hundreds")
        .needs(ENV)
        .act(act!(|p| {
            let all = (0..500).map(|n| (format!("V{n}"), Value::from("x".repeat(100))));
            let mut process = shell("env | grep -c '^V[0-9]*=x\\{100\\}$'");
            process["envs"] = Value::Object(all.collect());
            p.run("run", json!({ "process": process, "stdin": false })).await
        }))
        .judge(|o| printed(o, "run", "500\n")),
    case("process/environment/not-kept", "contract 4.1", &["4.1.env-order"])
        .requires(
            "the request's variables are the request's alone: neither /envs nor the next \
            command has them",
        )
        .why("a secret of one command would be every command's")
        .needs(ENV)
        .act(act!(|p| {
            env(p, "first", json!({ "ONLY_HERE": "x" }), json!({})).await?;
            p.get("envs", "/envs").await?;
            env(p, "run", json!({}), json!({})).await
        }))
        .judge(|o| {
            let first = environment(o, "first")?;
            o.at("first")?.same("ONLY_HERE", first.get("ONLY_HERE").map(String::as_str), Some("x"))?;
            o.at("envs")?.ok()?;
            o.at("envs")?.field_is("/ONLY_HERE", Value::Null)?;
            variable_is(o, "ONLY_HERE", None)
        }),
    case("process/environment/value-nul", "contract 10", &["10.start-poison"])
        .requires("a NUL in a variable's value is invalid_argument, and the next Start is fine")
        .why("one bad value must not break what follows")
        .needs(EVENTS)
        .act(act!(|p| {
            env(p, "poison", json!({ "A": "b\0c" }), json!({})).await?;
            p.sh("after", "echo fine").await
        }))
        .judge(|o| {
            o.at("poison")?.stream_error("invalid_argument", "")?;
            printed(o, "after", "fine\n")
        }),
    case("process/environment/bad-name", "contract 10", &["10.start-poison"])
        .requires("a variable's name that is empty or holds = or NUL is invalid_argument")
        .why("such a name sets another variable than it says")
        .needs(EVENTS)
        .positive_control(controls::ran)
        .act(act!(|p| {
            controls::run(p).await?;
            env(p, "empty", json!({ "": "x" }), json!({})).await?;
            env(p, "equals", json!({ "A=B": "x" }), json!({})).await?;
            env(p, "nul", json!({ "A\0": "x" }), json!({})).await
        }))
        .judge(|o| {
            ["empty", "equals", "nul"]
                .iter()
                .try_for_each(|label| o.at(label)?.stream_error("invalid_argument", ""))
        }),
];
