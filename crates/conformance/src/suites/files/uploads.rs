//! Uploads as forms: parts and their targets, what is refused, what is left behind (contract 3.8 and 10).

use std::io::Write as _;

use serde_json::{Value, json};

use crate::case::Case;
use crate::feature::Feature;
use crate::observation::Observation;
use crate::probe::{Ask, Part, Probe, Trouble, What};
use crate::suites::helpers::{all_succeeded, entry_is, form, fs, printed};
use crate::suites::twins;
use crate::verdict::Judged;

const TRIP: &[&str] = &["files/upload/round-trip"];
const BOTH: &[&str] = &["files/upload/round-trip", "process/start/events"];
const POST: &[Feature] = &[Feature::PostUpload];
/// So many blocks of 64 KiB are 256 MiB.
const BLOCKS: u64 = 4096;
/// The SHA-256 of these blocks.
const BLOCKS_SHA256: &str = "352518908b9bd8786525776e67bdf0d050f4119c7c7e29ce83144807f3269b14";

fn part<'a>(filename: Option<&'a str>, content: &'a [u8]) -> Part<'a> {
    Part { name: "file", filename, content }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).expect("a Vec takes all");
    encoder.finish().expect("a Vec takes all")
}

/// The upload is refused with this status and these words, in the handlers' shape.
fn refused(o: &Observation, label: &str, status: u16, words: &str) -> Judged {
    let seen = o.at(label)?;
    seen.status(status)?;
    seen.field_is("/code", status)?;
    let message = seen.json()?["message"].clone();
    let message = message.as_str().unwrap_or_default();
    seen.holds(message.contains(words), &format!("a message that holds {words:?}"), message)
}

fn taken(o: &Observation) -> Judged {
    o.at("twin")?.status(200)
}

fn content_is(o: &Observation, label: &str, content: &[u8]) -> Judged {
    o.at(label)?.status(200)?;
    o.at(label)?.body_is(content)
}

async fn send(p: &mut Probe, label: &str, ask: Ask) -> Result<(), Trouble> {
    p.send(label, ask).await.map(drop)
}

async fn get(p: &mut Probe, label: &str, name: &str) -> Result<(), Trouble> {
    send(p, label, Ask::download(&p.path(name))).await
}

pub(in crate::suites) const CASES: &[Case] = &[
    Case {
        id: "files/upload/answer-shape",
        source: "contract 3.8",
        reqs: &["3.8.answer"],
        requirement: "the answer is JSON with a list of path, name and type, and nothing else",
        why: "clients parse it strictly",
        features: POST,
        act: |p| Box::pin(async move { p.upload("upload", &p.path("a.txt"), b"x").await }),
        judge: |o| {
            let seen = o.at("upload")?;
            let expected = json!([{ "path": format!("{}/a.txt", o.dir), "name": "a.txt", "type": "file" }]);
            seen.same("answer", seen.ok()?, expected)?;
            let kind = seen.header("content-type").unwrap_or_default();
            seen.holds(kind.starts_with("application/json"), "content-type application/json", kind)
        },
        ..Case::BASE
    },
    Case {
        id: "files/upload/empty-file",
        source: "contract 3.8",
        reqs: &["3.8.part-file"],
        requirement: "a part of no bytes makes an empty file",
        why: "marker files are empty",
        features: POST,
        needs: TRIP,
        act: |p| {
            Box::pin(async move {
                p.upload("upload", &p.path("empty"), b"").await?;
                get(p, "download", "empty").await
            })
        },
        judge: |o| {
            o.at("upload")?.status(200)?;
            content_is(o, "download", b"")
        },
        ..Case::BASE
    },
    Case {
        id: "files/upload/boundary-in-content",
        source: "contract 3.8",
        reqs: &["3.8.part-file"],
        requirement: "content that looks like a boundary, CR-LF and dashes included, is content",
        why: "uploaded mail and archives hold such lines",
        features: POST,
        needs: TRIP,
        act: |p| {
            Box::pin(async move {
                p.upload("upload", &p.path("f"), TRICKY).await?;
                get(p, "download", "f").await
            })
        },
        judge: |o| content_is(o, "download", TRICKY),
        ..Case::BASE
    },
    Case {
        id: "files/upload/other-parts",
        source: "contract 3.8",
        reqs: &["3.8.part-file"],
        requirement: "parts that are not named file are passed over, wherever they are",
        why: "forms carry other fields",
        features: POST,
        needs: TRIP,
        act: |p| {
            Box::pin(async move {
                let (path, note) = (p.path("f"), Part { name: "note", filename: None, content: b"not this" });
                send(p, "upload", form(Some(&path), Some("root"), &[note, part(Some("x"), b"this"), note]))
                    .await?;
                get(p, "download", "f").await
            })
        },
        judge: |o| {
            let upload = o.at("upload")?;
            upload.same("files in the answer", upload.ok()?.as_array().map(Vec::len), Some(1))?;
            content_is(o, "download", b"this")
        },
        ..Case::BASE
    },
    Case {
        id: "files/upload/by-filename",
        source: "contract 3.8",
        reqs: &["3.8.target-filename", "3.8.in-order"],
        requirement: "without a path each part goes where its filename says",
        why: "several files are uploaded in one form so",
        features: POST,
        needs: TRIP,
        act: |p| {
            Box::pin(async move {
                let (a, b) = (p.path("a"), p.path("d/b"));
                let parts = [part(Some(&a), b"first"), part(Some(&b), b"second")];
                send(p, "upload", form(None, Some("root"), &parts)).await?;
                get(p, "a", "a").await?;
                get(p, "b", "d/b").await
            })
        },
        judge: |o| {
            let upload = o.at("upload")?;
            upload.ok()?;
            upload.field_is("/0/path", format!("{}/a", o.dir))?;
            upload.field_is("/1/path", format!("{}/d/b", o.dir))?;
            content_is(o, "a", b"first")?;
            content_is(o, "b", b"second")
        },
        ..Case::BASE
    },
    Case {
        id: "files/upload/path-over-filename",
        source: "contract 3.8",
        reqs: &["3.8.target-path"],
        requirement: "the query's path wins over the part's filename",
        why: "browsers send a filename of their own",
        features: POST,
        needs: &["files/upload/by-filename"],
        act: |p| {
            Box::pin(async move {
                let (path, other) = (p.path("asked"), p.path("other"));
                send(p, "upload", form(Some(&path), Some("root"), &[part(Some(&other), b"x")])).await?;
                get(p, "asked", "asked").await?;
                get(p, "other", "other").await
            })
        },
        judge: |o| {
            content_is(o, "asked", b"x")?;
            o.at("other")?.status(404)
        },
        ..Case::BASE
    },
    Case {
        id: "files/upload/filename-traversal",
        source: "contract 3.8",
        reqs: &["3.8.target-filename", "3.8.path-absolute"],
        requirement: "a filename with .. is resolved as a path is: there is no jail, and none is pretended",
        why: "a path that is cleaned in silence is another file than the answer names",
        features: POST,
        needs: &["files/upload/by-filename"],
        tags: &["security"],
        act: |p| {
            Box::pin(async move {
                fs(p, "make", "MakeDir", json!({ "path": p.path("a/b") })).await?;
                let filename = p.path("a/b/../up");
                send(p, "upload", form(None, Some("root"), &[part(Some(&filename), b"x")])).await?;
                get(p, "download", "a/up").await
            })
        },
        judge: |o| {
            o.at("upload")?.status(200)?;
            content_is(o, "download", b"x")
        },
        ..Case::BASE
    },
    Case {
        id: "files/upload/same-path",
        source: "contract 3.8",
        reqs: &["3.8.same-path", "3.8.in-order"],
        requirement: "two parts for one path are 400 \"cannot upload multiple files to same path\", and the first is written",
        why: "which of the two is there must not be a matter of luck",
        features: POST,
        needs: TRIP,
        twin: Some(taken),
        act: |p| {
            Box::pin(async move {
                let path = p.path("f");
                let parts = [part(Some("a"), b"first"), part(Some("b"), b"second")];
                send(p, "twin", form(Some(&p.path("twin")), Some("root"), &parts[..1])).await?;
                send(p, "upload", form(Some(&path), Some("root"), &parts)).await?;
                get(p, "download", "f").await
            })
        },
        judge: |o| {
            refused(o, "upload", 400, "cannot upload multiple files to same path '")?;
            content_is(o, "download", b"first")
        },
        ..Case::BASE
    },
    Case {
        id: "files/upload/earlier-parts-stay",
        source: "contract 3.8",
        reqs: &["3.8.in-order", "3.8.onto-directory"],
        requirement: "when a later part fails, the earlier ones are in place and the ones behind are not",
        why: "the caller repairs what is missing, not what is there",
        features: POST,
        needs: &["files/upload/by-filename"],
        act: |p| {
            Box::pin(async move {
                let (a, c) = (p.path("a"), p.path("c"));
                let parts = [part(Some(&a), b"first"), part(Some("/tmp"), b"x"), part(Some(&c), b"third")];
                send(p, "upload", form(None, Some("root"), &parts)).await?;
                get(p, "a", "a").await?;
                get(p, "c", "c").await
            })
        },
        judge: |o| {
            refused(o, "upload", 400, "path is a directory: /tmp")?;
            content_is(o, "a", b"first")?;
            o.at("c")?.status(404)
        },
        ..Case::BASE
    },
    Case {
        id: "files/upload/no-parts",
        source: "contract 10",
        reqs: &["10.no-file-part"],
        requirement: "a form without any part, and an empty body, are 400",
        why: "a caller that lost its file on the way believes that it is there",
        features: POST,
        twin: Some(taken),
        act: |p| {
            Box::pin(async move {
                let path = p.path("f");
                send(p, "twin", form(Some(&path), Some("root"), &[part(None, b"x")])).await?;
                send(p, "no part", form(Some(&path), Some("root"), &[])).await?;
                send(p, "no body", form(Some(&path), Some("root"), &[]).body("")).await
            })
        },
        judge: |o| {
            refused(o, "no part", 400, "")?;
            refused(o, "no body", 400, "")
        },
        ..Case::BASE
    },
    Case {
        id: "files/upload/bad-boundary",
        source: "contract 3.8",
        reqs: &["3.8.bad-boundary"],
        requirement: "another content type, none, or a form without boundary is 500 \"error parsing multipart: Invalid `boundary`\"",
        why: "it is what hosts of another generation meet",
        features: POST,
        twin: Some(taken),
        act: |p| {
            Box::pin(async move {
                let path = p.path("f");
                send(p, "twin", form(Some(&path), Some("root"), &[part(None, b"x")])).await?;
                let bare =
                    || Ask::new("POST", "/files").query("path", &path).query("username", "root").body("x");
                send(p, "type", bare().header("content-type", "application/octet-stream")).await?;
                send(p, "none", bare()).await?;
                send(p, "boundary", bare().header("content-type", "multipart/form-data")).await
            })
        },
        judge: |o| {
            ["type", "none", "boundary"]
                .iter()
                .try_for_each(|label| refused(o, label, 500, "error parsing multipart: Invalid `boundary`"))
        },
        ..Case::BASE
    },
    Case {
        id: "files/upload/truncated",
        source: "contract 3.8",
        reqs: &["3.8.truncated"],
        requirement: "a form that is cut is 500 \"error reading field\", and no file is made of its half",
        why: "half a program is worse than none",
        features: POST,
        needs: TRIP,
        twin: Some(taken),
        act: |p| {
            Box::pin(async move {
                let whole = form(Some(&p.path("f")), Some("root"), &[part(None, &[b'x'; 5000])]);
                let mut body = whole.sent().to_vec();
                send(p, "twin", form(Some(&p.path("twin")), Some("root"), &[part(None, b"x")])).await?;
                body.truncate(3000);
                send(p, "cut", whole.body(body)).await?;
                get(p, "download", "f").await
            })
        },
        judge: |o| {
            refused(o, "cut", 500, "error reading field")?;
            o.at("download")?.status(404)
        },
        ..Case::BASE
    },
    Case {
        id: "files/upload/connection-cut",
        source: "contract 3.8",
        reqs: &["3.8.truncated"],
        requirement: "an upload whose connection breaks leaves the old file as it was, and nothing beside it",
        why: "a network that fails must not destroy what was there",
        features: POST,
        needs: TRIP,
        tags: &["cut"],
        act: |p| {
            Box::pin(async move {
                let path = p.path("d/f");
                p.upload("old", &path, b"old").await?;
                let whole = form(Some(&path), Some("root"), &[part(None, &[b'x'; 50_000])]);
                let body = whole.sent()[..30_000].to_vec();
                let cut = whole.body(body).header("content-length", "51000").then_shut();
                send(p, "cut", cut).await?;
                get(p, "download", "d/f").await?;
                fs(p, "list", "ListDir", json!({ "path": p.path("d") })).await.map(drop)
            })
        },
        judge: |o| {
            o.at("old")?.status(200)?;
            content_is(o, "download", b"old")?;
            let list = o.at("list")?;
            list.same("entries", list.ok()?["entries"].as_array().map(Vec::len), Some(1))
        },
        ..Case::BASE
    },
    Case {
        id: "files/upload/gzip-part",
        source: "contract 3.8",
        reqs: &["3.8.gzip-part"],
        requirement: "with Content-Encoding gzip each part is unpacked, not the body",
        why: "that is how clients of this generation send it",
        features: POST,
        needs: TRIP,
        act: |p| {
            Box::pin(async move {
                let (path, packed) = (p.path("f"), gzip(&b"packed ".repeat(1000)));
                let ask = form(Some(&path), Some("root"), &[part(None, &packed)]);
                send(p, "upload", ask.header("content-encoding", "gzip")).await?;
                get(p, "download", "f").await
            })
        },
        judge: |o| {
            o.at("upload")?.status(200)?;
            content_is(o, "download", &b"packed ".repeat(1000))
        },
        ..Case::BASE
    },
    Case {
        id: "files/upload/gzip-broken",
        source: "contract 3.8",
        reqs: &["3.8.bad-gzip"],
        requirement: "a part that is no gzip, or cut gzip, is 400 \"gzip decompression failed\" and makes no file",
        why: "garbage under the right name is found late",
        features: POST,
        needs: &["files/upload/gzip-part"],
        twin: Some(taken),
        act: |p| {
            Box::pin(async move {
                let packed = gzip(&b"packed ".repeat(1000));
                for (label, content) in
                    [("twin", &packed[..]), ("none", b"plain"), ("cut", &packed[..packed.len() - 9])]
                {
                    let ask = form(Some(&p.path(label)), Some("root"), &[part(None, content)]);
                    send(p, label, ask.header("content-encoding", "gzip")).await?;
                }
                get(p, "download", "cut").await
            })
        },
        judge: |o| {
            refused(o, "none", 400, "gzip decompression failed")?;
            refused(o, "cut", 400, "gzip decompression failed")?;
            o.at("download")?.status(404)
        },
        ..Case::BASE
    },
    Case {
        id: "files/upload/bad-encoding",
        source: "contract 3.8",
        reqs: &["3.8.bad-encoding"],
        requirement: "another Content-Encoding is 400 and names what is supported",
        why: "packed bytes must not be stored as if they were plain",
        features: POST,
        needs: TRIP,
        twin: Some(taken),
        act: |p| {
            Box::pin(async move {
                let ask = form(Some(&p.path("f")), Some("root"), &[part(None, b"x")]);
                send(p, "twin", ask.clone().header("content-encoding", "identity")).await?;
                send(p, "br", ask.header("content-encoding", "br")).await
            })
        },
        judge: |o| refused(o, "br", 400, "unsupported Content-Encoding: br, supported: [\"gzip\"]"),
        ..Case::BASE
    },
    Case {
        id: "files/upload/parent-is-file",
        source: "contract 3.8",
        reqs: &["3.8.parent-is-file"],
        requirement: "a file among the parents is 500 \"error ensuring directories: path is a file\"",
        why: "the caller learns that a file is in the way",
        features: POST,
        needs: TRIP,
        act: |p| {
            Box::pin(async move {
                p.upload("file", &p.path("f"), b"x").await?;
                p.upload("below", &p.path("f/below"), b"x").await
            })
        },
        judge: |o| {
            o.at("file")?.status(200)?;
            refused(o, "below", 500, "error ensuring directories: path is a file: ")
        },
        ..Case::BASE
    },
    Case {
        id: "files/upload/tilde-name",
        source: "contract 3.8",
        reqs: &["3.8.tilde-error", "3.8.path-tilde-name"],
        requirement: "~name is 400 \"cannot expand user-specific home dir\"",
        why: "a directory that is called ~name would be made in its place",
        features: POST,
        twin: Some(twins::ok),
        act: |p| {
            Box::pin(async move {
                twins::upload(p).await?;
                p.upload("upload", "~user/f", b"x").await
            })
        },
        judge: |o| refused(o, "upload", 400, "cannot expand user-specific home dir"),
        ..Case::BASE
    },
    Case {
        id: "files/upload/new-file",
        source: "contract 3.8",
        reqs: &["3.8.new-mode", "3.8.new-parents"],
        requirement: "a new file is 0644 and its new parents 0755, all of the user that is named",
        why: "the user's commands could not change what was uploaded for them",
        features: POST,
        needs: TRIP,
        act: |p| {
            Box::pin(async move {
                let path = p.path("d/e/f");
                fs(p, "make", "MakeDir", json!({ "path": p.path("") })).await?;
                send(p, "upload", form(Some(&path), Some("user"), &[part(None, b"x")])).await?;
                for (label, name) in [("file", "d/e/f"), ("parent", "d/e"), ("first", "d")] {
                    fs(p, label, "Stat", json!({ "path": p.path(name) })).await?;
                }
                Ok(())
            })
        },
        judge: |o| {
            o.at("upload")?.status(200)?;
            for (label, permissions) in
                [("file", "-rw-r--r--"), ("parent", "drwxr-xr-x"), ("first", "drwxr-xr-x")]
            {
                entry_is(o, label, "permissions", permissions)?;
                entry_is(o, label, "owner", "user")?;
                entry_is(o, label, "group", "user")?;
            }
            Ok(())
        },
        ..Case::BASE
    },
    Case {
        id: "files/upload/existing-file",
        source: "contract 3.8",
        reqs: &["3.8.keeps-mode", "3.8.truncates", "8.upload-overwrites"],
        requirement: "an existing file keeps its mode, changes its owner to the user, and is no longer than the upload",
        why: "a script keeps its x bit, and no tail of the old text is run",
        features: POST,
        needs: BOTH,
        act: |p| {
            Box::pin(async move {
                let path = p.path("f");
                p.upload("old", &path, b"a long old content").await?;
                p.sh("chmod", &format!("chmod 4711 {path}")).await?;
                send(p, "upload", form(Some(&path), Some("user"), &[part(None, b"new")])).await?;
                fs(p, "stat", "Stat", json!({ "path": path })).await.map(drop)
            })
        },
        judge: |o| {
            all_succeeded(o, &["chmod"])?;
            o.at("upload")?.status(200)?;
            entry_is(o, "stat", "size", "3")?;
            entry_is(o, "stat", "owner", "user")?;
            let stat = o.at("stat")?;
            let mode = stat.ok()?["entry"]["mode"].as_u64().unwrap_or_default();
            stat.same("mode without setuid", mode & 0o777, 0o711)
        },
        ..Case::BASE
    },
    Case {
        id: "files/upload/through-link",
        source: "contract 3.8",
        reqs: &["3.8.upload-follows"],
        requirement: "an upload to a symlink changes its target, and the link stays",
        why: "`current` stays a link to the version that is deployed",
        features: POST,
        needs: BOTH,
        act: |p| {
            Box::pin(async move {
                let dir = p.path("d");
                p.sh(
                    "make",
                    &format!("mkdir -p {dir} && echo old > {dir}/target && ln -s target {dir}/link"),
                )
                .await?;
                p.upload("upload", &p.path("d/link"), b"new").await?;
                p.sh("look", &format!("cd {dir} && readlink link && cat target")).await
            })
        },
        judge: |o| {
            o.at("upload")?.status(200)?;
            printed(o, "look", "target\nnew")
        },
        ..Case::BASE
    },
    Case {
        id: "files/upload/odd-name",
        source: "contract 3.8 and 10",
        reqs: &["3.8.answer", "10.disposition"],
        requirement: "names with newline, quote, backslash and UTF-8, and of 255 bytes, are made and read back",
        why: "such names are in every archive",
        features: POST,
        needs: TRIP,
        act: |p| {
            Box::pin(async move {
                for (label, name) in
                    [("newline", "a\nb"), ("quote", "a\"b'\\"), ("utf-8", "日本 é.txt"), ("long", LONGEST)]
                {
                    p.upload(label, &p.path(name), label.as_bytes()).await?;
                    get(p, &format!("{label} back"), name).await?;
                }
                Ok(())
            })
        },
        judge: |o| {
            for (label, name) in
                [("newline", "a\nb"), ("quote", "a\"b'\\"), ("utf-8", "日本 é.txt"), ("long", LONGEST)]
            {
                o.at(label)?.status(200)?;
                o.at(label)?.field_is("/0/name", name)?;
                let back = format!("{label} back");
                content_is(o, &back, label.as_bytes())?;
            }
            Ok(())
        },
        ..Case::BASE
    },
    Case {
        id: "files/upload/name-too-long",
        source: "contract 3.8",
        reqs: &["3.8.new-mode"],
        requirement: "a name of 256 bytes is 500, and the guest goes on",
        why: "the kernel has no such names, and says so",
        features: POST,
        needs: &["files/upload/odd-name"],
        twin: Some(taken),
        act: |p| {
            Box::pin(async move {
                p.upload("twin", &p.path(LONGEST), b"x").await?;
                p.upload("upload", &p.path(&format!("{LONGEST}x")), b"x").await
            })
        },
        judge: |o| refused(o, "upload", 500, ""),
        ..Case::BASE
    },
    Case {
        id: "files/upload/chunked",
        source: "RFC 9112, 7.1",
        reqs: &["1.http1", "3.8.part-file"],
        requirement: "an upload without a length, in chunks cut anywhere, is taken",
        why: "the host streams a file whose size it does not know",
        features: POST,
        needs: TRIP,
        act: |p| {
            Box::pin(async move {
                let ask = form(Some(&p.path("f")), Some("root"), &[part(None, TRICKY)]);
                let length = ask.sent().len();
                send(p, "upload", ask.header("transfer-encoding", "chunked").cut_at((0..length).step_by(7)))
                    .await?;
                get(p, "download", "f").await
            })
        },
        judge: |o| {
            o.at("upload")?.status(200)?;
            content_is(o, "download", TRICKY)
        },
        ..Case::BASE
    },
    Case {
        id: "files/upload/at-once",
        source: "contract 3.8",
        reqs: &["8.upload-overwrites"],
        requirement: "of ten uploads to one path at once, one is there whole at the end",
        why: "two writers must not make a file that neither has written",
        features: POST,
        needs: TRIP,
        act: |p| {
            Box::pin(async move {
                let path = p.path("f");
                let asks: Vec<_> =
                    (0..10u8).map(|n| Ask::upload(&path, "file", &[b'0' + n; 100_000])).collect();
                let opened = futures::future::join_all(asks.into_iter().map(|ask| p.open(ask))).await;
                for opened in opened {
                    p.finish("upload", opened?).await;
                }
                get(p, "download", "f").await
            })
        },
        judge: |o| {
            o.at("upload")?.status(200)?;
            let seen = o.at("download")?;
            seen.status(200)?;
            let first = seen.exchange.body.first().copied().unwrap_or_default();
            seen.body_is(&[first; 100_000])
        },
        ..Case::BASE
    },
    Case {
        id: "files/upload/quarter-gigabyte",
        source: "contract 10",
        reqs: &["10.no-upload-limit"],
        requirement: "an upload of 256 MiB is taken, and downloads byte for byte",
        why: "models and data sets are this big",
        features: POST,
        needs: TRIP,
        act: |p| {
            Box::pin(async move {
                let path = p.path("big");
                let mut upload = p.open(Ask::upload_blocks(&path, BLOCKS)).await?;
                upload.until_with(std::time::Duration::from_secs(60), |_| false).await;
                p.keep("upload", upload);
                let mut download = p.open(Ask::download(&path)).await?;
                download.add_up(What::Body);
                download.until_with(std::time::Duration::from_secs(60), |_| false).await;
                p.keep("download", download);
                fs(p, "remove", "Remove", json!({ "path": path })).await.map(drop)
            })
        },
        judge: |o| {
            o.at("upload")?.status(200)?;
            let seen = o.at("download")?;
            seen.status(200)?;
            let sum = seen.exchange.sum.as_ref();
            seen.same("bytes", sum.map(|sum| sum.bytes), Some(BLOCKS * crate::probe::ask::BLOCK as u64))?;
            seen.same("SHA-256", sum.map(|sum| sum.sha256.as_str()), Some(BLOCKS_SHA256))
        },
        bulk: true,
        ..Case::BASE
    },
    Case {
        id: "files/query/duplicate",
        source: "contract 3.8",
        reqs: &["3.8.duplicate-query", "3.extractor-text"],
        requirement: "a query value that is given twice, or is no number, is 400 text \"Failed to deserialize query string\"",
        why: "which of two paths was meant must not be guessed",
        twin: Some(|o| o.at("twin")?.status(200)),
        act: |p| {
            Box::pin(async move {
                let ask = || Ask::download("/etc/passwd");
                send(p, "twin", ask()).await?;
                send(p, "twice", ask().query("path", "/etc/group")).await?;
                send(p, "number", ask().query("signature_expiration", "soon")).await
            })
        },
        judge: |o| {
            ["twice", "number"].iter().try_for_each(|label| {
                let seen = o.at(label)?;
                seen.status(400)?;
                seen.header_is("content-type", "text/plain; charset=utf-8")?;
                seen.says("Failed to deserialize query string")
            })
        },
        ..Case::BASE
    },
    Case {
        id: "files/upload/user-unknown",
        source: "contract 3.8",
        reqs: &["3.8.user-unknown", "3.8.check-order"],
        requirement: "an unknown or empty user is 401, before the encoding and the form are looked at",
        why: "who may not ask is not told what else is wrong",
        features: POST,
        twin: Some(taken),
        act: |p| {
            Box::pin(async move {
                let path = p.path("f");
                send(p, "twin", form(Some(&path), Some("root"), &[part(None, b"x")])).await?;
                let odd = |user| {
                    form(Some(&path), Some(user), &[part(None, b"x")]).header("content-encoding", "br")
                };
                send(p, "unknown", odd("nobody-here")).await?;
                send(p, "empty", odd("")).await
            })
        },
        judge: |o| {
            refused(o, "unknown", 401, "user 'nobody-here' not found")?;
            refused(o, "empty", 401, "user '' not found")
        },
        ..Case::BASE
    },
    Case {
        id: "files/upload/encoding-before-path",
        source: "contract 3.8",
        reqs: &["3.8.check-order"],
        requirement: "a bad Content-Encoding is told before a bad path",
        why: "every build must tell the same mistake first",
        features: POST,
        twin: Some(twins::ok),
        act: |p| {
            Box::pin(async move {
                twins::upload(p).await?;
                let ask =
                    form(Some("~user/f"), Some("root"), &[part(None, b"x")]).header("content-encoding", "br");
                send(p, "upload", ask).await
            })
        },
        judge: |o| refused(o, "upload", 400, "unsupported Content-Encoding"),
        ..Case::BASE
    },
    Case {
        id: "files/upload/error-shape",
        source: "contract 3",
        reqs: &["3.error-shape"],
        requirement: "an error of /files is JSON with code and message, by its content type too",
        why: "clients show the message",
        features: POST,
        twin: Some(twins::ok),
        act: |p| {
            Box::pin(async move {
                twins::upload(p).await?;
                p.upload("upload", "/tmp", b"x").await
            })
        },
        judge: |o| {
            let seen = o.at("upload")?;
            seen.status(400)?;
            seen.header_is("content-type", "application/json")?;
            let expected = json!({ "code": 400, "message": "path is a directory: /tmp" });
            seen.same::<Value>("body", seen.json()?, expected)
        },
        ..Case::BASE
    },
];

/// Lines like the boundary's, and ends of line of every kind.
const TRICKY: &[u8] =
    b"--envd-conformance\r\n\r\n--envd-conformance-boundar\r\n--\r\n\r--envd-conformance-boundaryx\n\r\n--";
/// As long as the kernel lets a name be.
const LONGEST: &str = concat!(
    "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789",
    "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789",
    "0123456789012345678901234567890123456789012345678901234"
);
