//! Health, metrics, environment, activity, and what all REST routes share (contract 1 and 3.1 to 3.6).

use serde_json::Value;

use crate::case::{Case, act, case};
use crate::feature::Feature;
use crate::probe::Ask;
use crate::suites::controls;

pub(in crate::suites) const CASES: &[Case] = &[
    case("health/get/version", "contract 3.1", &["3.1.version", "3.1.no-store"])
        .requires("GET /health is 200, not cached, with the version as JSON")
        .why("the host polls it until 200 and reads the version; anything else destroys the sandbox")
        .act(act!(|p| p.get("health", "/health").await))
        .judge(|o| {
            let health = o.at("health")?;
            let version = health.ok()?["version"].clone();
            health.holds(
                version.as_str().is_some_and(|v| !v.is_empty()),
                "a version that is a text",
                version,
            )?;
            health.header_is("cache-control", "no-store")
        }),
    case("health/head/no-body", "contract 1", &["1.head"])
        .requires("HEAD works on a GET route and has no body")
        .why("load balancers and probes ask with HEAD")
        .act(act!(|p| p.send("head", Ask::new("HEAD", "/health")).await.map(drop)))
        .judge(|o| o.at("head")?.status(200)),
    case("routes/method/wrong", "contract 1", &["1.wrong-method"])
        .requires("a wrong method on a known route is 405 with an empty body and the methods in Allow")
        .why("a host of another generation tells from it what the guest can do")
        .generations(&[1, 2])
        .positive_control(controls::ok)
        .act(act!(|p| {
            controls::health(p).await?;
            p.send("put", Ask::new("PUT", "/files?path=/tmp/x")).await?;
            p.send("post", Ask::new("POST", "/health")).await.map(drop)
        }))
        .judge(|o| {
            for (label, methods) in [("put", "GET,HEAD,POST"), ("post", "GET,HEAD")] {
                let seen = o.at(label)?;
                seen.status(405)?;
                seen.body_is(b"")?;
                seen.header_is("allow", methods)?;
            }
            Ok(())
        }),
    case("routes/path/exact", "contract 1", &["1.route-exact", "1.unknown-get"])
        .requires("a trailing slash is another path: 404 with the JSON of an unknown method")
        .why("a route that matches too much hides mistakes of the host")
        .positive_control(controls::ok)
        .act(act!(|p| {
            controls::health(p).await?;
            p.get("slash", "/health/").await
        }))
        .judge(|o| o.at("slash")?.error(404, "unimplemented", "method not found: health/")),
    case("routes/cors/any-answer", "contract 1 and 10", &["1.cors-origin", "10.cors-rpc"])
        .requires("REST and RPC answers carry Access-Control-Allow-Origin for an origin that is admitted")
        .why("a page that talks to a guest is refused by its browser otherwise")
        .should()
        .act(act!(|p| {
            let local = |ask: Ask| ask.header("origin", "http://localhost");
            p.send("rest", local(Ask::new("GET", "/health"))).await?;
            let list = Ask::unary("process.Process/List", &serde_json::json!({}));
            p.send("rpc", local(list)).await.map(drop)
        }))
        .judge(|o| {
            for label in ["rest", "rpc"] {
                let seen = o.at(label)?;
                seen.status(200)?;
                let allowed = seen.header("access-control-allow-origin");
                let admitted = matches!(allowed, Some("*" | "http://localhost"));
                seen.holds(admitted, "header access-control-allow-origin", allowed)?;
            }
            Ok(())
        }),
    case("metrics/get/fields", "contract 3.2", &["3.2.fields", "3.2.used", "3.2.no-store"])
        .requires(
            "GET /metrics is 200, not cached, with every field a number and no more used \
            than there is",
        )
        .why("the host samples memory and disk from it every second")
        .act(act!(|p| p.get("metrics", "/metrics").await))
        .judge(|o| {
            let seen = o.at("metrics")?;
            let json = seen.ok()?;
            seen.header_is("cache-control", "no-store")?;
            let whole = "ts cpu_count mem_total_mib mem_used_mib mem_total mem_used disk_used disk_total";
            for name in whole.split(' ') {
                seen.holds(json[name].is_u64(), &format!("{name} as a whole number"), &json[name])?;
            }
            seen.holds(json["cpu_used_pct"].is_number(), "cpu_used_pct as a number", &json["cpu_used_pct"])?;
            let within = |used: &str, total: &str| json[used].as_u64() <= json[total].as_u64();
            let sound = within("mem_used", "mem_total") && within("disk_used", "disk_total");
            seen.holds(sound, "used at most as much as the total", &json)
        }),
    case("envs/get/sandbox", "contract 3.3", &["3.3.flat", "3.3.sandbox"])
        .requires("GET /envs is 200, not cached: a flat object of texts with WRENN_SANDBOX")
        .why("programs in the guest tell by it that they are in a sandbox")
        .act(act!(|p| p.get("envs", "/envs").await))
        .judge(|o| {
            let seen = o.at("envs")?;
            let json = seen.ok()?;
            seen.header_is("cache-control", "no-store")?;
            let flat = json.as_object().is_some_and(|all| all.values().all(Value::is_string));
            seen.holds(flat, "an object of texts", &json)?;
            let sandbox = json["WRENN_SANDBOX"].as_str();
            seen.holds(matches!(sandbox, Some("true" | "false")), "WRENN_SANDBOX true or false", sandbox)
        }),
    case("activity/get/fields", "contract 3.6", &["3.6.fields", "3.6.no-store"])
        .requires("GET /activity is 200, not cached, with four numbers")
        .why("the host keeps a busy sandbox alive by it; an error counts as idle")
        .features(&[Feature::Activity])
        .act(act!(|p| p.get("activity", "/activity").await))
        .judge(|o| {
            let seen = o.at("activity")?;
            let json = seen.ok()?;
            seen.header_is("cache-control", "no-store")?;
            for name in ["cpu_count", "cpu_used_pct", "net_bps", "disk_bps"] {
                seen.holds(json[name].is_number(), &format!("{name} as a number"), &json[name])?;
            }
            Ok(())
        }),
];
