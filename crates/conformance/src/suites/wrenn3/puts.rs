//! Uploads by PUT: the body is the file (contract 3.8). What all generations require of an upload is in `files`.

use serde_json::{Value, json};

use crate::case::{Case, Isolation, act};
use crate::feature::Feature;
use crate::probe::{Ask, Dialect, Part, Probe, SetupError};
use crate::suites::controls;
use crate::suites::files::uploads::{TRIP, content_is, get, gzip, refused, taken};
use crate::suites::helpers::{entry_is, fs, send};

const THIRD: Case = Case { generations: &[3], features: &[Feature::PutUpload], needs: TRIP, ..Case::BASE };
const TOKEN: &str = "envd-conformance-s3cret";
const NO_PATH: &str = "missing required 'path' parameter";

/// Every byte, more than a buffer holds.
fn content(length: usize) -> Vec<u8> {
    (0..length).map(|n| (n * 11 + n / 509) as u8).collect()
}

/// An upload for root, whatever the subject is taken for.
fn put(p: &Probe, name: &str, content: &[u8]) -> Ask {
    Dialect { put: true, ..p.dialect() }.upload(&p.path(name), "root", content)
}

async fn chunked(p: &mut Probe, name: &str, content: &[u8], piece: usize) -> Result<(), SetupError> {
    let ask = put(p, name, content).header("transfer-encoding", "chunked");
    send(p, "upload", ask.cut_at((0..content.len()).step_by(piece).skip(1))).await?;
    get(p, "download", name).await
}

pub(in crate::suites) const CASES: &[Case] = &[
    THIRD
        .case("files/put/answer-shape", "contract 3.8", &["3.8.put"])
        .requires("the answer to a PUT is one JSON object of path, name and type, and nothing else")
        .why("clients of this generation parse an object, not a list")
        .needs(&[])
        .act(act!(|p| send(p, "upload", put(p, "d/a.txt", b"x")).await))
        .judge(|o| {
            let seen = o.at("upload")?;
            let expected = json!({ "path": format!("{}/d/a.txt", o.dir), "name": "a.txt", "type": "file" });
            seen.same::<Value>("answer", seen.ok()?, expected)?;
            seen.header_is("content-type", "application/json")
        }),
    THIRD
        .case("files/put/form-is-content", "contract 3.8", &["3.8.put"])
        .requires("the body is the file whatever its Content-Type: a form is stored with its boundaries")
        .why("a file that happens to be a form must not be unpacked")
        .act(act!(|p| {
            let form = Ask::form(&[Part { name: "file", filename: Some("other"), content: b"inner" }]);
            let ask = put(p, "f", form.sent());
            send(
                p,
                "upload",
                ask.header("content-type", "multipart/form-data; boundary=envd-conformance-boundary"),
            )
            .await?;
            get(p, "download", "f").await
        }))
        .judge(|o| {
            o.at("upload")?.status(200)?;
            let form = Ask::form(&[Part { name: "file", filename: Some("other"), content: b"inner" }]);
            content_is(o, "download", form.sent())
        }),
    THIRD
        .case("files/put/gzip-verbatim", "contract 3.8", &["3.8.put"])
        .requires("Content-Encoding is ignored: gzip is stored as it came, and so is what is no gzip")
        .why("a .gz that is unpacked on its way has another checksum")
        .act(act!(|p| {
            let packed = put(p, "packed", &gzip(b"packed")).header("content-encoding", "gzip");
            send(p, "packed", packed).await?;
            let plain = put(p, "plain", b"plain").header("content-encoding", "br");
            send(p, "plain", plain).await?;
            get(p, "packed back", "packed").await?;
            get(p, "plain back", "plain").await
        }))
        .judge(|o| {
            o.at("packed")?.status(200)?;
            o.at("plain")?.status(200)?;
            content_is(o, "packed back", &gzip(b"packed"))?;
            content_is(o, "plain back", b"plain")
        }),
    THIRD
        .case("files/put/chunked-large", "contract 3.8 and RFC 9112, 7.1", &["3.8.put", "10.no-upload-limit"])
        .requires("8 MiB without a length, in chunks, are taken byte for byte")
        .why("the host streams what it does not hold, and no framework's limit may cut it")
        .act(act!(|p| chunked(p, "f", &content(8 << 20), 50_021).await))
        .judge(|o| {
            o.at("upload")?.status(200)?;
            content_is(o, "download", &content(8 << 20))
        }),
    THIRD
        .case("files/put/no-body", "contract 3.8", &["3.8.put"])
        .requires("a PUT without any body makes an empty file")
        .why("marker files are empty")
        .act(act!(|p| {
            send(p, "upload", put(p, "empty", b"")).await?;
            get(p, "download", "empty").await
        }))
        .judge(|o| {
            o.at("upload")?.status(200)?;
            content_is(o, "download", b"")
        }),
    THIRD
        .case("files/put/no-path", "contract 3.8", &["3.8.put"])
        .requires(
            "a PUT without a path, or with an empty one, is 400 \"missing required 'path' \
            parameter\"",
        )
        .why("the body has no filename that could stand in for it")
        .needs(&[])
        .positive_control(taken)
        .act(act!(|p| {
            send(p, "twin", put(p, "f", b"x")).await?;
            let bare = || Ask::new("PUT", "/files").body("x").query("username", "root");
            send(p, "none", bare()).await?;
            send(p, "empty", bare().query("path", "")).await
        }))
        .judge(|o| {
            refused(o, "none", 400, NO_PATH)?;
            refused(o, "empty", 400, NO_PATH)
        }),
    THIRD
        .case("files/put/path-before-auth", "contract 3.8", &["3.8.put"])
        .requires("a missing path is told before a missing token, and before an unknown user")
        .why("every build must tell the same mistake first")
        .needs(&["files/put/no-path", "init/token/guards"])
        .tags(&["token", "security"])
        .isolation(Isolation::Fresh)
        .act(act!(|p| {
            send(p, "user", Ask::new("PUT", "/files").query("username", "nobody-here").body("x")).await?;
            p.init("init", json!({ "access_token": TOKEN })).await?;
            send(p, "token", Ask::new("PUT", "/files").body("x")).await
        }))
        .judge(|o| {
            o.at("init")?.status(204)?;
            refused(o, "user", 400, NO_PATH)?;
            refused(o, "token", 400, NO_PATH)
        }),
    THIRD
        .case("files/put/token", "contract 2", &["3.8.put", "2.signature-missing", "2.header-wrong"])
        .requires(
            "with a token set a PUT without it, or with another, is 401 and writes nothing; \
            with it it is taken",
        )
        .why("whoever reaches the guest could replace its programs")
        .needs(&["files/upload/round-trip", "init/token/guards"])
        .tags(&["token", "security"])
        .isolation(Isolation::Fresh)
        .act(act!(|p| {
            p.init("init", json!({ "access_token": TOKEN })).await?;
            send(p, "bare", put(p, "f", b"x")).await?;
            send(p, "wrong", put(p, "f", b"x").header("x-access-token", "wrong")).await?;
            let download = Ask::download(&p.path("f")).header("x-access-token", TOKEN);
            send(p, "nothing", download.clone()).await?;
            send(p, "right", put(p, "f", b"x").header("x-access-token", TOKEN)).await?;
            send(p, "download", download).await
        }))
        .judge(|o| {
            o.at("init")?.status(204)?;
            refused(o, "bare", 401, "missing signature query parameter")?;
            refused(o, "wrong", 401, "access token present in header but does not match")?;
            o.at("nothing")?.status(404)?;
            o.at("right")?.status(200)?;
            content_is(o, "download", b"x")
        }),
    THIRD
        .case(
            "files/put/default-user",
            "contract 0.1, 3.4 and 3.8",
            &["3.8.put", "3.4.user-affects", "3.8.new-mode"],
        )
        .requires("without a username the default user decides home and owner")
        .why("hosts of this generation send no username")
        .isolation(Isolation::Fresh)
        .act(act!(|p| {
            p.init("init", json!({ "defaultUser": "user" })).await?;
            send(p, "upload", Ask::new("PUT", "/files").query("path", "~/d/f").body("x")).await?;
            fs(p, "stat", "Stat", json!({ "path": "~/d/f" })).await.map(drop)
        }))
        .judge(|o| {
            o.at("init")?.status(204)?;
            o.at("upload")?.field_is("/path", "/home/user/d/f")?;
            entry_is(o, "stat", "path", "/home/user/d/f")?;
            entry_is(o, "stat", "owner", "user")
        }),
    THIRD
        .case("files/put/body-broken", "contract 3.8", &["3.8.put"])
        .requires(
            "a chunk that is none is 400, the old file stays as it was, and nothing is left \
            beside it",
        )
        .why("half a program under the right name is worse than none")
        .act(act!(|p| {
            send(p, "old", put(p, "d/f", b"old")).await?;
            let (path, host) = (p.path("d/f"), p.host().to_owned());
            let request = format!(
                "PUT /files?path={path}&username=root HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\
                 transfer-encoding: chunked\r\n\r\n3\r\nnew\r\nno length\r\n"
            );
            p.raw("broken", request.as_bytes(), false).await?;
            get(p, "download", "d/f").await?;
            fs(p, "list", "ListDir", json!({ "path": p.path("d") })).await.map(drop)
        }))
        .judge(|o| {
            o.at("old")?.status(200)?;
            let broken = o.at("broken")?;
            broken.same("status", broken.exchange.status, Some(400))?;
            content_is(o, "download", b"old")?;
            let list = o.at("list")?;
            list.same("entries", list.ok()?["entries"].as_array().map(Vec::len), Some(1))
        }),
    THIRD
        .case("files/put/trailing-slash", "contract 3.8", &["3.8.put"])
        .requires(
            "a path that ends in a slash and is no directory is 500 \"error finalizing \
            file\", and no file is made",
        )
        .why("a file must not land under another name than was asked for")
        .positive_control(taken)
        .act(act!(|p| {
            send(p, "twin", put(p, "d/f", b"x")).await?;
            send(p, "upload", put(p, "new/", b"x")).await?;
            get(p, "download", "new").await
        }))
        .judge(|o| {
            refused(o, "upload", 500, "error finalizing file: ")?;
            o.at("download")?.status(404)
        }),
    THIRD
        .case("files/put/not-permitted", "contract 3.8", &["3.8.put"])
        .requires("where no file can be made it is 500 \"error opening file\", and the guest goes on")
        .why("the caller learns that the place is at fault, not the upload")
        .positive_control(taken)
        .act(act!(|p| {
            send(p, "twin", put(p, "f", b"x")).await?;
            p.upload("upload", "/proc/envd-conformance", b"x").await?;
            controls::health(p).await
        }))
        .judge(|o| refused(o, "upload", 500, "error opening file: ")),
    THIRD
        .case(
            "files/put/post-refused",
            "contract 0.1",
            &["3.8.put", "0.1.other-generations", "1.wrong-method"],
        )
        .requires(
            "POST /files, the upload of the generations before, is 405 with GET, HEAD and \
            PUT in Allow, and writes nothing",
        )
        .why("an older host must learn that this guest is newer")
        .positive_control(taken)
        .act(act!(|p| {
            send(p, "twin", put(p, "twin", b"x")).await?;
            send(p, "post", Ask::upload(&p.path("f"), "file", b"x")).await?;
            get(p, "download", "f").await
        }))
        .judge(|o| {
            let post = o.at("post")?;
            post.status(405)?;
            post.body_is(b"")?;
            post.header_is("allow", "GET,HEAD,PUT")?;
            o.at("download")?.status(404)
        }),
];
