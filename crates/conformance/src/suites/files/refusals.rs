//! Uploads that are refused, and what they leave behind (contract 3.8 and 10).

use serde_json::{Value, json};

use super::uploads::{POST, TRIP, UPLOAD, content_is, get, gzip, part, refused, taken};
use crate::case::{Case, act, case};
use crate::probe::Ask;
use crate::suites::controls;
use crate::suites::helpers::{form, fs, send};

pub(in crate::suites) const CASES: &[Case] = &[
    case("files/upload/same-path", "contract 3.8", &["3.8.same-path", "3.8.in-order"])
        .requires(
            "two parts for one path are 400 \"cannot upload multiple files to same path\", \
            and the first is written",
        )
        .why("which of the two is there must not be a matter of luck")
        .features(POST)
        .needs(TRIP)
        .positive_control(taken)
        .act(act!(|p| {
            let path = p.path("f");
            let parts = [part(Some("a"), b"first"), part(Some("b"), b"second")];
            send(p, "twin", form(Some(&p.path("twin")), Some("root"), &parts[..1])).await?;
            send(p, "upload", form(Some(&path), Some("root"), &parts)).await?;
            get(p, "download", "f").await
        }))
        .judge(|o| {
            refused(o, "upload", 400, "cannot upload multiple files to same path '")?;
            content_is(o, "download", b"first")
        }),
    case("files/upload/earlier-parts-stay", "contract 3.8", &["3.8.in-order", "3.8.onto-directory"])
        .requires("when a later part fails, the earlier ones are in place and the ones behind are not")
        .why("the caller repairs what is missing, not what is there")
        .features(POST)
        .needs(&["files/upload/by-filename"])
        .act(act!(|p| {
            let (a, c) = (p.path("a"), p.path("c"));
            let parts = [part(Some(&a), b"first"), part(Some("/tmp"), b"x"), part(Some(&c), b"third")];
            send(p, "upload", form(None, Some("root"), &parts)).await?;
            get(p, "a", "a").await?;
            get(p, "c", "c").await
        }))
        .judge(|o| {
            refused(o, "upload", 400, "path is a directory: /tmp")?;
            content_is(o, "a", b"first")?;
            o.at("c")?.status(404)
        }),
    case("files/upload/no-parts", "contract 10", &["10.no-file-part"])
        .requires("a form without any part, and an empty body, are 400")
        .why("a caller that lost its file on the way believes that it is there")
        .features(POST)
        .positive_control(taken)
        .act(act!(|p| {
            let path = p.path("f");
            send(p, "twin", form(Some(&path), Some("root"), &[part(None, b"x")])).await?;
            send(p, "no part", form(Some(&path), Some("root"), &[])).await?;
            send(p, "no body", form(Some(&path), Some("root"), &[]).body("")).await
        }))
        .judge(|o| {
            refused(o, "no part", 400, "")?;
            refused(o, "no body", 400, "")
        }),
    case("files/upload/bad-boundary", "contract 3.8", &["3.8.bad-boundary"])
        .requires(
            "another content type, none, or a form without boundary is 500 \"error parsing \
            multipart: Invalid `boundary`\"",
        )
        .why("it is what hosts of another generation meet")
        .features(POST)
        .positive_control(taken)
        .act(act!(|p| {
            let path = p.path("f");
            send(p, "twin", form(Some(&path), Some("root"), &[part(None, b"x")])).await?;
            let bare = || Ask::new("POST", "/files").query("path", &path).query("username", "root").body("x");
            send(p, "type", bare().header("content-type", "application/octet-stream")).await?;
            send(p, "none", bare()).await?;
            send(p, "boundary", bare().header("content-type", "multipart/form-data")).await
        }))
        .judge(|o| {
            ["type", "none", "boundary"]
                .iter()
                .try_for_each(|label| refused(o, label, 500, "error parsing multipart: Invalid `boundary`"))
        }),
    case("files/upload/truncated", "contract 3.8", &["3.8.truncated"])
        .requires("a form that is cut is 500 \"error reading field\", and no file is made of its half")
        .why("half a program is worse than none")
        .features(POST)
        .needs(TRIP)
        .positive_control(taken)
        .act(act!(|p| {
            let whole = form(Some(&p.path("f")), Some("root"), &[part(None, &[b'x'; 5000])]);
            let mut body = whole.sent().to_vec();
            send(p, "twin", form(Some(&p.path("twin")), Some("root"), &[part(None, b"x")])).await?;
            body.truncate(3000);
            send(p, "cut", whole.body(body)).await?;
            get(p, "download", "f").await
        }))
        .judge(|o| {
            refused(o, "cut", 500, "error reading field")?;
            o.at("download")?.status(404)
        }),
    case("files/upload/connection-cut", "contract 3.8", &["3.8.truncated"])
        .requires("an upload whose connection breaks leaves the old file as it was, and nothing beside it")
        .why("a network that fails must not destroy what was there")
        .features(UPLOAD)
        .needs(TRIP)
        .tags(&["cut"])
        .act(act!(|p| {
            let path = p.path("d/f");
            p.upload("old", &path, b"old").await?;
            let whole = p.dialect().upload(&path, "root", &[b'x'; 50_000]);
            let body = whole.sent()[..30_000].to_vec();
            let cut = whole.body(body).header("content-length", "51000").then_shut();
            send(p, "cut", cut).await?;
            get(p, "download", "d/f").await?;
            fs(p, "list", "ListDir", json!({ "path": p.path("d") })).await.map(drop)
        }))
        .judge(|o| {
            o.at("old")?.status(200)?;
            content_is(o, "download", b"old")?;
            let list = o.at("list")?;
            list.same("entries", list.ok()?["entries"].as_array().map(Vec::len), Some(1))
        }),
    case("files/upload/gzip-broken", "contract 3.8", &["3.8.bad-gzip"])
        .requires(
            "a part that is no gzip, or cut gzip, is 400 \"gzip decompression failed\" and \
            makes no file",
        )
        .why("garbage under the right name is found late")
        .features(POST)
        .needs(&["files/upload/gzip-part"])
        .positive_control(taken)
        .act(act!(|p| {
            let packed = gzip(&b"packed ".repeat(1000));
            for (label, content) in
                [("twin", &packed[..]), ("none", b"plain"), ("cut", &packed[..packed.len() - 9])]
            {
                let ask = form(Some(&p.path(label)), Some("root"), &[part(None, content)]);
                send(p, label, ask.header("content-encoding", "gzip")).await?;
            }
            get(p, "download", "cut").await
        }))
        .judge(|o| {
            refused(o, "none", 400, "gzip decompression failed")?;
            refused(o, "cut", 400, "gzip decompression failed")?;
            o.at("download")?.status(404)
        }),
    case("files/upload/bad-encoding", "contract 3.8", &["3.8.bad-encoding"])
        .requires("another Content-Encoding is 400 and names what is supported")
        .why("packed bytes must not be stored as if they were plain")
        .features(POST)
        .needs(TRIP)
        .positive_control(taken)
        .act(act!(|p| {
            let ask = form(Some(&p.path("f")), Some("root"), &[part(None, b"x")]);
            send(p, "twin", ask.clone().header("content-encoding", "identity")).await?;
            send(p, "br", ask.header("content-encoding", "br")).await
        }))
        .judge(|o| refused(o, "br", 400, "unsupported Content-Encoding: br, supported: [\"gzip\"]")),
    case("files/upload/parent-is-file", "contract 3.8", &["3.8.parent-is-file"])
        .requires("a file among the parents is 500 \"error ensuring directories: path is a file\"")
        .why("the caller learns that a file is in the way")
        .features(UPLOAD)
        .needs(TRIP)
        .act(act!(|p| {
            p.upload("file", &p.path("f"), b"x").await?;
            p.upload("below", &p.path("f/below"), b"x").await
        }))
        .judge(|o| {
            o.at("file")?.status(200)?;
            refused(o, "below", 500, "error ensuring directories: path is a file: ")
        }),
    case("files/upload/tilde-name", "contract 3.8", &["3.8.tilde-error", "3.8.path-tilde-name"])
        .requires("~name is 400 \"cannot expand user-specific home dir\"")
        .why("a directory that is called ~name would be made in its place")
        .features(UPLOAD)
        .positive_control(controls::ok)
        .act(act!(|p| {
            controls::upload(p).await?;
            p.upload("upload", "~user/f", b"x").await
        }))
        .judge(|o| refused(o, "upload", 400, "cannot expand user-specific home dir")),
    case("files/upload/name-too-long", "contract 3.8", &["3.8.new-mode"])
        .requires("a name of 256 bytes is 500, and the guest goes on")
        .why("the kernel has no such names, and says so")
        .features(UPLOAD)
        .needs(&["files/upload/odd-name"])
        .positive_control(taken)
        .act(act!(|p| {
            p.upload("twin", &p.path(LONGEST), b"x").await?;
            p.upload("upload", &p.path(&format!("{LONGEST}x")), b"x").await
        }))
        .judge(|o| refused(o, "upload", 500, "")),
    case("files/query/duplicate", "contract 3.8", &["3.8.duplicate-query", "3.extractor-text"])
        .requires(
            "a query value that is given twice, or is no number, is 400 text \"Failed to \
            deserialize query string\"",
        )
        .why("which of two paths was meant must not be guessed")
        .positive_control(|o| o.at("twin")?.status(200))
        .act(act!(|p| {
            let ask = || Ask::download("/etc/passwd");
            send(p, "twin", ask()).await?;
            send(p, "twice", ask().query("path", "/etc/group")).await?;
            send(p, "number", ask().query("signature_expiration", "soon")).await
        }))
        .judge(|o| {
            ["twice", "number"].iter().try_for_each(|label| {
                let seen = o.at(label)?;
                seen.status(400)?;
                seen.header_is("content-type", "text/plain; charset=utf-8")?;
                seen.says("Failed to deserialize query string")
            })
        }),
    case("files/upload/user-unknown", "contract 3.8", &["3.8.user-unknown", "3.8.check-order"])
        .requires("an unknown or empty user is 401, before the encoding and the form are looked at")
        .why("who may not ask is not told what else is wrong")
        .features(UPLOAD)
        .positive_control(taken)
        .act(act!(|p| {
            let path = p.path("f");
            p.upload("twin", &path, b"x").await?;
            let dialect = p.dialect();
            let odd = |user| dialect.upload(&path, user, b"x").header("content-encoding", "br");
            send(p, "unknown", odd("nobody-here")).await?;
            send(p, "empty", odd("")).await
        }))
        .judge(|o| {
            refused(o, "unknown", 401, "user 'nobody-here' not found")?;
            refused(o, "empty", 401, "user '' not found")
        }),
    case("files/upload/encoding-before-path", "contract 3.8", &["3.8.check-order"])
        .requires("a bad Content-Encoding is told before a bad path")
        .why("every build must tell the same mistake first")
        .features(POST)
        .positive_control(controls::ok)
        .act(act!(|p| {
            controls::upload(p).await?;
            let ask =
                form(Some("~user/f"), Some("root"), &[part(None, b"x")]).header("content-encoding", "br");
            send(p, "upload", ask).await
        }))
        .judge(|o| refused(o, "upload", 400, "unsupported Content-Encoding")),
    case("files/upload/error-shape", "contract 3", &["3.error-shape"])
        .requires("an error of /files is JSON with code and message, by its content type too")
        .why("clients show the message")
        .features(UPLOAD)
        .positive_control(controls::ok)
        .act(act!(|p| {
            controls::upload(p).await?;
            p.upload("upload", "/tmp", b"x").await
        }))
        .judge(|o| {
            let seen = o.at("upload")?;
            seen.status(400)?;
            seen.header_is("content-type", "application/json")?;
            let expected = json!({ "code": 400, "message": "path is a directory: /tmp" });
            seen.same::<Value>("body", seen.json()?, expected)
        }),
];

/// As long as the kernel lets a name be.
const LONGEST: &str = concat!(
    "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789",
    "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789",
    "0123456789012345678901234567890123456789012345678901234"
);
