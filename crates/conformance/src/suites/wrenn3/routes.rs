//! The routes of generation 3, and its downloads, which are what the file is (contract 1 and 3.8).

use super::super::files::uploads::content_is;
use crate::case::{Case, act};
use crate::probe::Ask;
use crate::suites::helpers::{allow_exactly, delete_each, send};

const THIRD: Case = Case { generations: &[3], ..Case::BASE };
/// Every route with its methods.
const ROUTES: [(&str, &str); 11] = [
    ("/health", "GET,HEAD"),
    ("/metrics", "GET,HEAD"),
    ("/envs", "GET,HEAD"),
    ("/init", "POST"),
    ("/snapshot/prepare", "POST"),
    ("/activity", "GET,HEAD"),
    ("/memory/preload", "GET,HEAD,POST"),
    ("/memory/preload/cancel", "POST"),
    ("/files", "GET,HEAD,PUT"),
    ("/volumes/mount", "POST"),
    ("/volumes/unmount", "POST"),
];

pub(in crate::suites) const CASES: &[Case] = &[
    THIRD
        .case(
            "routes/method/every-route-of-3",
            "contract 0.1 and 1",
            &["1.wrong-method", "0.1.other-generations"],
        )
        .requires("DELETE on each route is 405, empty, with exactly its methods in Allow")
        .why("Allow is how a host learns the generation")
        .act(act!(|p| delete_each(p, &ROUTES).await))
        .judge(|o| allow_exactly(o, &ROUTES)),
    THIRD
        .case("files/download/as-it-is", "contract 3.8", &["0.1.other-generations"])
        .requires(
            "a download is application/octet-stream and never encoded, whatever its name \
            and Accept-Encoding",
        )
        .why("the host hands the bytes on as they come")
        .needs(&["files/upload/round-trip"])
        .act(act!(|p| {
            let path = p.path("page.html");
            p.upload("upload", &path, b"<p>").await?;
            send(p, "gzip", Ask::download(&path).header("accept-encoding", "gzip")).await?;
            let none = Ask::download(&path).header("accept-encoding", "gzip;q=0, identity;q=0");
            send(p, "none", none).await
        }))
        .judge(|o| {
            ["gzip", "none"].iter().try_for_each(|label| {
                let seen = o.at(label)?;
                seen.status(200)?;
                seen.header_is("content-type", "application/octet-stream")?;
                seen.same("header content-encoding", seen.header("content-encoding"), None)?;
                seen.header_is("content-length", "3")?;
                content_is(o, label, b"<p>")
            })
        }),
];
