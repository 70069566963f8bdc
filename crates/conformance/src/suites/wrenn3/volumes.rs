//! `/volumes/mount` and `/volumes/unmount` as far as a guest can be asked without a device of its own (contract 3.9).

use std::time::Duration;

use serde_json::json;

use super::super::files::uploads::refused;
use crate::case::{Case, act};
use crate::feature::Feature;
use crate::observation::Observation;
use crate::probe::Ask;
use crate::suites::helpers::send;
use crate::verdict::Judged;

const THIRD: Case = Case {
    generations: &[3],
    features: &[Feature::Volumes],
    reqs: &["3.9.volumes"],
    source: "contract 3.9",
    ..Case::BASE
};
/// How long a guest looks for a device before it says that there is none: fifty tries, 100 ms apart.
const LOOKS: Duration = Duration::from_secs(5);

fn mount(serial: &str, path: &str) -> Ask {
    Ask::unary("volumes/mount", &json!({ "serial": serial, "mount_path": path }))
}

fn unmount(path: &str) -> Ask {
    Ask::unary("volumes/unmount", &json!({ "mount_path": path }))
}

/// The body was refused before it was looked at, as text.
fn unread(o: &Observation, label: &str, status: u16) -> Judged {
    let seen = o.at(label)?;
    seen.status(status)?;
    seen.header_is("content-type", "text/plain; charset=utf-8")
}

pub(in crate::suites) const CASES: &[Case] = &[
    THIRD
        .id("volumes/mount/bad-serial")
        .requires(
            "a serial that is empty or not only ASCII letters and digits is 400 \"invalid \
            volume serial\"",
        )
        .why("a serial is looked for in /sys, and must not lead elsewhere")
        .tags(&["security"])
        .act(act!(|p| {
            for serial in ["", "a b", "../vda", "vol-1", "é"] {
                send(p, serial, mount(serial, "/mnt/envd-conformance")).await?;
            }
            Ok(())
        }))
        .judge(|o| {
            ["", "a b", "../vda", "vol-1", "é"]
                .iter()
                .try_for_each(|serial| refused(o, serial, 400, "invalid volume serial"))
        }),
    THIRD
        .id("volumes/mount/no-path")
        .requires("an empty mount_path is 400 \"mount_path is required\", to mount and to unmount")
        .why("the caller has to hear which field is wrong")
        .act(act!(|p| {
            send(p, "mount", mount("envdconformance", "")).await?;
            send(p, "unmount", unmount("")).await
        }))
        .judge(|o| {
            refused(o, "mount", 400, "mount_path is required")?;
            refused(o, "unmount", 400, "mount_path is required")
        }),
    THIRD
        .id("volumes/mount/body")
        .requires(
            "a body that is not JSON by its type is 415, bad JSON 400, and a wrong shape \
            422, each as text",
        )
        .why("the caller has to hear that it was not understood")
        .act(act!(|p| {
            for (name, path) in [("mount", "/volumes/mount"), ("unmount", "/volumes/unmount")] {
                let ask = || Ask::new("POST", path).header("content-type", "application/json");
                send(p, &format!("{name} type"), Ask::new("POST", path).body("{}")).await?;
                send(p, &format!("{name} syntax"), ask().body("{")).await?;
                send(p, &format!("{name} shape"), ask().body(r#"{"serial":1,"mount_path":2}"#)).await?;
                send(p, &format!("{name} fields"), ask().body("{}")).await?;
            }
            Ok(())
        }))
        .judge(|o| {
            ["mount", "unmount"].iter().try_for_each(|name| {
                unread(o, &format!("{name} type"), 415)?;
                unread(o, &format!("{name} syntax"), 400)?;
                unread(o, &format!("{name} shape"), 422)?;
                unread(o, &format!("{name} fields"), 422)
            })
        }),
    THIRD
        .id("volumes/mount/no-device")
        .requires(
            "a serial that no device has is 404 \"no block device with serial X\", and \
            other calls are answered meanwhile",
        )
        .why("a device may come late, and the guest must not stand still for it")
        .waits(LOOKS)
        .act(act!(|p| {
            let waiting = p.open(mount("envdconformance", "/mnt/envd-conformance")).await?;
            send(p, "health", Ask::new("GET", "/health")).await?;
            p.finish("mount", waiting).await;
            Ok(())
        }))
        .judge(|o| {
            o.at("health")?.status(200)?;
            refused(o, "mount", 404, "no block device with serial envdconformance")
        }),
    THIRD
        .id("volumes/unmount/nothing-there")
        .requires("unmounting what is not mounted is 204, and not cached")
        .why("a host that unmounts twice must not fail")
        .act(act!(|p| send(p, "unmount", unmount("/tmp/envd-conformance-no-such")).await))
        .judge(|o| {
            o.at("unmount")?.status(204)?;
            o.at("unmount")?.header_is("cache-control", "no-store")
        }),
];
