//! Uploads as forms: parts and their targets, what is refused, what is left behind (contract 3.8 and 10).

use std::io::Write as _;

use serde_json::json;

use crate::case::{Case, act, case};
use crate::feature::Feature;
use crate::observation::Observation;
use crate::probe::{Ask, Part, Probe, SetupError, What};
use crate::suites::helpers::{all_succeeded, entry_is, form, fs, printed, send, uploaded_is};
use crate::verdict::Judged;

pub(in crate::suites) const TRIP: &[&str] = &["files/upload/round-trip"];
const BOTH: &[&str] = &["files/upload/round-trip", "process/start/events"];
pub(in crate::suites) const POST: &[Feature] = &[Feature::PostUpload];
pub(in crate::suites) const UPLOAD: &[Feature] = &[Feature::Upload];
/// So many blocks of 64 KiB are 256 MiB.
const BLOCKS: u64 = 4096;
/// The SHA-256 of these blocks.
const BLOCKS_SHA256: &str = "352518908b9bd8786525776e67bdf0d050f4119c7c7e29ce83144807f3269b14";

pub(in crate::suites) fn part<'a>(filename: Option<&'a str>, content: &'a [u8]) -> Part<'a> {
    Part { name: "file", filename, content }
}

pub(in crate::suites) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).expect("a Vec takes all");
    encoder.finish().expect("a Vec takes all")
}

/// The upload is refused with this status and these words, in the handlers' shape.
pub(in crate::suites) fn refused(o: &Observation, label: &str, status: u16, words: &str) -> Judged {
    let seen = o.at(label)?;
    seen.status(status)?;
    seen.field_is("/code", status)?;
    let message = seen.json()?["message"].clone();
    let message = message.as_str().unwrap_or_default();
    seen.holds(message.contains(words), &format!("a message that holds {words:?}"), message)
}

pub(in crate::suites) fn taken(o: &Observation) -> Judged {
    o.at("twin")?.status(200)
}

pub(in crate::suites) fn content_is(o: &Observation, label: &str, content: &[u8]) -> Judged {
    o.at(label)?.status(200)?;
    o.at(label)?.body_is(content)
}

pub(in crate::suites) async fn get(p: &mut Probe, label: &str, name: &str) -> Result<(), SetupError> {
    send(p, label, Ask::download(&p.path(name))).await
}

pub(in crate::suites) const CASES: &[Case] = &[
    case("files/upload/answer-shape", "contract 3.8", &["3.8.answer"])
        .requires("the answer is JSON with a list of path, name and type, and nothing else")
        .why("clients parse it strictly")
        .features(POST)
        .act(act!(|p| p.upload("upload", &p.path("a.txt"), b"x").await))
        .judge(|o| {
            let seen = o.at("upload")?;
            let expected = json!([{ "path": format!("{}/a.txt", o.dir), "name": "a.txt", "type": "file" }]);
            seen.same("answer", seen.ok()?, expected)?;
            let kind = seen.header("content-type").unwrap_or_default();
            seen.holds(kind.starts_with("application/json"), "content-type application/json", kind)
        }),
    case("files/upload/empty-file", "contract 3.8", &["3.8.part-file"])
        .requires("an upload of no bytes makes an empty file")
        .why("marker files are empty")
        .features(UPLOAD)
        .needs(TRIP)
        .act(act!(|p| {
            p.upload("upload", &p.path("empty"), b"").await?;
            get(p, "download", "empty").await
        }))
        .judge(|o| {
            o.at("upload")?.status(200)?;
            content_is(o, "download", b"")
        }),
    case("files/upload/boundary-in-content", "contract 3.8", &["3.8.part-file"])
        .requires("content that looks like a boundary, CR-LF and dashes included, is content")
        .why("uploaded mail and archives hold such lines")
        .features(POST)
        .needs(TRIP)
        .act(act!(|p| {
            p.upload("upload", &p.path("f"), TRICKY).await?;
            get(p, "download", "f").await
        }))
        .judge(|o| content_is(o, "download", TRICKY)),
    case("files/upload/other-parts", "contract 3.8", &["3.8.part-file"])
        .requires("parts that are not named file are passed over, wherever they are")
        .why("forms carry other fields")
        .features(POST)
        .needs(TRIP)
        .act(act!(|p| {
            let (path, note) = (p.path("f"), Part { name: "note", filename: None, content: b"not this" });
            send(p, "upload", form(Some(&path), Some("root"), &[note, part(Some("x"), b"this"), note]))
                .await?;
            get(p, "download", "f").await
        }))
        .judge(|o| {
            let upload = o.at("upload")?;
            upload.same("files in the answer", upload.ok()?.as_array().map(Vec::len), Some(1))?;
            content_is(o, "download", b"this")
        }),
    case("files/upload/by-filename", "contract 3.8", &["3.8.target-filename", "3.8.in-order"])
        .requires("without a path each part goes where its filename says")
        .why("several files are uploaded in one form so")
        .features(POST)
        .needs(TRIP)
        .act(act!(|p| {
            let (a, b) = (p.path("a"), p.path("d/b"));
            let parts = [part(Some(&a), b"first"), part(Some(&b), b"second")];
            send(p, "upload", form(None, Some("root"), &parts)).await?;
            get(p, "a", "a").await?;
            get(p, "b", "d/b").await
        }))
        .judge(|o| {
            let upload = o.at("upload")?;
            upload.ok()?;
            upload.field_is("/0/path", format!("{}/a", o.dir))?;
            upload.field_is("/1/path", format!("{}/d/b", o.dir))?;
            content_is(o, "a", b"first")?;
            content_is(o, "b", b"second")
        }),
    case("files/upload/path-over-filename", "contract 3.8", &["3.8.target-path"])
        .requires("the query's path wins over the part's filename")
        .why("browsers send a filename of their own")
        .features(POST)
        .needs(&["files/upload/by-filename"])
        .act(act!(|p| {
            let (path, other) = (p.path("asked"), p.path("other"));
            send(p, "upload", form(Some(&path), Some("root"), &[part(Some(&other), b"x")])).await?;
            get(p, "asked", "asked").await?;
            get(p, "other", "other").await
        }))
        .judge(|o| {
            content_is(o, "asked", b"x")?;
            o.at("other")?.status(404)
        }),
    case("files/upload/filename-traversal", "contract 3.8", &["3.8.target-filename", "3.8.path-absolute"])
        .requires("a filename with .. is resolved as a path is: there is no jail, and none is pretended")
        .why("a path that is cleaned in silence is another file than the answer names")
        .features(POST)
        .needs(&["files/upload/by-filename"])
        .tags(&["security"])
        .act(act!(|p| {
            fs(p, "make", "MakeDir", json!({ "path": p.path("a/b") })).await?;
            let filename = p.path("a/b/../up");
            send(p, "upload", form(None, Some("root"), &[part(Some(&filename), b"x")])).await?;
            get(p, "download", "a/up").await
        }))
        .judge(|o| {
            o.at("upload")?.status(200)?;
            content_is(o, "download", b"x")
        }),
    case("files/upload/gzip-part", "contract 3.8", &["3.8.gzip-part"])
        .requires("with Content-Encoding gzip each part is unpacked, not the body")
        .why("that is how clients of this generation send it")
        .features(POST)
        .needs(TRIP)
        .act(act!(|p| {
            let (path, packed) = (p.path("f"), gzip(&b"packed ".repeat(1000)));
            let ask = form(Some(&path), Some("root"), &[part(None, &packed)]);
            send(p, "upload", ask.header("content-encoding", "gzip")).await?;
            get(p, "download", "f").await
        }))
        .judge(|o| {
            o.at("upload")?.status(200)?;
            content_is(o, "download", &b"packed ".repeat(1000))
        }),
    case("files/upload/new-file", "contract 3.8", &["3.8.new-mode", "3.8.new-parents"])
        .requires("a new file is 0644 and its new parents 0755, all of the user that is named")
        .why("the user's commands could not change what was uploaded for them")
        .features(UPLOAD)
        .needs(TRIP)
        .act(act!(|p| {
            let path = p.path("d/e/f");
            fs(p, "make", "MakeDir", json!({ "path": p.path("") })).await?;
            send(p, "upload", p.dialect().upload(&path, "user", b"x")).await?;
            for (label, name) in [("file", "d/e/f"), ("parent", "d/e"), ("first", "d")] {
                fs(p, label, "Stat", json!({ "path": p.path(name) })).await?;
            }
            Ok(())
        }))
        .judge(|o| {
            o.at("upload")?.status(200)?;
            for (label, permissions) in
                [("file", "-rw-r--r--"), ("parent", "drwxr-xr-x"), ("first", "drwxr-xr-x")]
            {
                entry_is(o, label, "permissions", permissions)?;
                entry_is(o, label, "owner", "user")?;
                entry_is(o, label, "group", "user")?;
            }
            Ok(())
        }),
    case(
        "files/upload/existing-file",
        "contract 3.8",
        &["3.8.keeps-mode", "3.8.truncates", "8.upload-overwrites"],
    )
    .requires(
        "an existing file keeps its mode, changes its owner to the user, and is no \
            longer than the upload",
    )
    .why("a script keeps its x bit, and no tail of the old text is run")
    .features(UPLOAD)
    .needs(BOTH)
    .act(act!(|p| {
        let path = p.path("f");
        p.upload("old", &path, b"a long old content").await?;
        p.sh("chmod", &format!("chmod 4711 {path}")).await?;
        send(p, "upload", p.dialect().upload(&path, "user", b"new")).await?;
        fs(p, "stat", "Stat", json!({ "path": path })).await.map(drop)
    }))
    .judge(|o| {
        all_succeeded(o, &["chmod"])?;
        o.at("upload")?.status(200)?;
        entry_is(o, "stat", "size", "3")?;
        entry_is(o, "stat", "owner", "user")?;
        let stat = o.at("stat")?;
        let mode = stat.ok()?["entry"]["mode"].as_u64().unwrap_or_default();
        stat.same("mode without setuid", mode & 0o777, 0o711)
    }),
    case("files/upload/through-link", "contract 3.8", &["3.8.upload-follows"])
        .requires("an upload to a symlink changes its target, and the link stays")
        .why("`current` stays a link to the version that is deployed")
        .features(UPLOAD)
        .needs(BOTH)
        .act(act!(|p| {
            let dir = p.path("d");
            p.sh("make", &format!("mkdir -p {dir} && echo old > {dir}/target && ln -s target {dir}/link"))
                .await?;
            p.upload("upload", &p.path("d/link"), b"new").await?;
            p.sh("look", &format!("cd {dir} && readlink link && cat target")).await
        }))
        .judge(|o| {
            o.at("upload")?.status(200)?;
            printed(o, "look", "target\nnew")
        }),
    case("files/upload/odd-name", "contract 3.8 and 10", &["3.8.answer", "10.disposition"])
        .requires(
            "names with newline, quote, backslash and UTF-8, and of 255 bytes, are made and \
            read back",
        )
        .why("such names are in every archive")
        .features(UPLOAD)
        .needs(TRIP)
        .act(act!(|p| {
            for (label, name) in
                [("newline", "a\nb"), ("quote", "a\"b'\\"), ("utf-8", "日本 é.txt"), ("long", LONGEST)]
            {
                p.upload(label, &p.path(name), label.as_bytes()).await?;
                get(p, &format!("{label} back"), name).await?;
            }
            Ok(())
        }))
        .judge(|o| {
            for (label, name) in
                [("newline", "a\nb"), ("quote", "a\"b'\\"), ("utf-8", "日本 é.txt"), ("long", LONGEST)]
            {
                o.at(label)?.status(200)?;
                uploaded_is(o, label, "name", name)?;
                let back = format!("{label} back");
                content_is(o, &back, label.as_bytes())?;
            }
            Ok(())
        }),
    case("files/upload/chunked", "RFC 9112, 7.1", &["1.http1", "3.8.part-file"])
        .requires("an upload without a length, in chunks cut anywhere, is taken")
        .why("the host streams a file whose size it does not know")
        .features(UPLOAD)
        .needs(TRIP)
        .act(act!(|p| {
            let ask = p.dialect().upload(&p.path("f"), "root", TRICKY);
            let length = ask.sent().len();
            send(p, "upload", ask.header("transfer-encoding", "chunked").cut_at((0..length).step_by(7)))
                .await?;
            get(p, "download", "f").await
        }))
        .judge(|o| {
            o.at("upload")?.status(200)?;
            content_is(o, "download", TRICKY)
        }),
    case("files/upload/at-once", "contract 3.8", &["8.upload-overwrites"])
        .requires("of ten uploads to one path at once, one is there whole at the end")
        .why("two writers must not make a file that neither has written")
        .features(UPLOAD)
        .needs(TRIP)
        .act(act!(|p| {
            let path = p.path("f");
            let asks: Vec<_> =
                (0..10u8).map(|n| p.dialect().upload(&path, "root", &[b'0' + n; 100_000])).collect();
            let opened = futures::future::join_all(asks.into_iter().map(|ask| p.open(ask))).await;
            for opened in opened {
                p.finish("upload", opened?).await;
            }
            get(p, "download", "f").await
        }))
        .judge(|o| {
            o.at("upload")?.status(200)?;
            let seen = o.at("download")?;
            seen.status(200)?;
            let first = seen.exchange.body.first().copied().unwrap_or_default();
            seen.body_is(&[first; 100_000])
        }),
    case("files/upload/quarter-gigabyte", "contract 10", &["10.no-upload-limit"])
        .requires("an upload of 256 MiB is taken, and downloads byte for byte")
        .why("models and data sets are this big")
        .features(UPLOAD)
        .needs(TRIP)
        .bulk()
        .act(act!(|p| {
            let path = p.path("big");
            let mut upload = p.open(p.dialect().upload_blocks(&path, BLOCKS)).await?;
            upload.until_with(std::time::Duration::from_secs(60), |_| false).await;
            p.keep("upload", upload);
            let mut download = p.open(Ask::download(&path)).await?;
            download.add_up(What::Body);
            download.until_with(std::time::Duration::from_secs(60), |_| false).await;
            p.keep("download", download);
            fs(p, "remove", "Remove", json!({ "path": path })).await.map(drop)
        }))
        .judge(|o| {
            o.at("upload")?.status(200)?;
            let seen = o.at("download")?;
            seen.status(200)?;
            let sum = seen.exchange.sum.as_ref();
            seen.same("bytes", sum.map(|sum| sum.bytes), Some(BLOCKS * crate::probe::ask::BLOCK as u64))?;
            seen.same("SHA-256", sum.map(|sum| sum.sha256.as_str()), Some(BLOCKS_SHA256))
        }),
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
