//! `/files` both ways: bodies, ranges, conditions, encodings, signatures (contract 2, 3.8 and 10).

use std::io::Read as _;

use base64::prelude::{BASE64_STANDARD_NO_PAD, Engine as _};
use serde_json::json;
use sha2::{Digest as _, Sha256};

use crate::case::{Case, Isolation, act, case};
use crate::feature::Feature;
use crate::observation::Observation;
use crate::probe::{Ask, Probe, SetupError};
use crate::suites::controls;
use crate::verdict::Judged;

const TRIP: &[&str] = &["files/upload/round-trip"];
const SIGNED: &[&str] = &["files/signature/valid"];
const TOKEN: &str = "envd-conformance-s3cret";
/// Some time in 2096, in seconds since 1970.
const FAR: &str = "4000000000";

/// Every byte, and a length that no buffer has.
fn content(length: usize) -> Vec<u8> {
    (0..length).map(|n| (n * 7 + n / 251) as u8).collect()
}

pub(in crate::suites) const CASES: &[Case] = &[
    case("files/upload/round-trip", "contract 3.8", &["3.8.answer", "0.1.upload-post"])
        .requires("what is uploaded is downloaded byte for byte; the answer names path, name and type")
        .why("files are the way by which code enters a sandbox")
        .features(&[Feature::Upload])
        .act(act!(|p| {
            let path = p.path("deep/er/a.bin");
            p.upload("upload", &path, &content(200_001)).await?;
            p.send("download", Ask::download(&path)).await.map(drop)
        }))
        .judge(|o| {
            let upload = o.at("upload")?;
            let path = format!("{}/deep/er/a.bin", o.dir);
            let file = json!({ "path": path, "name": "a.bin", "type": "file" });
            let expected = if upload.exchange.method == "PUT" { file } else { json!([file]) };
            upload.same("answer", upload.ok()?, expected)?;
            let download = o.at("download")?;
            download.status(200)?;
            download.body_is(&content(200_001))
        }),
    case("files/upload/large", "contract 3.8 and 10", &["10.no-upload-limit"])
        .requires("an upload of 3 MiB is taken")
        .why("the host lets its callers send 100 MB")
        .features(&[Feature::Upload])
        .needs(TRIP)
        .act(act!(|p| {
            let path = p.path("large.bin");
            p.upload("upload", &path, &content(3 << 20)).await?;
            p.send("download", Ask::download(&path)).await.map(drop)
        }))
        .judge(|o| {
            o.at("upload")?.status(200)?;
            let download = o.at("download")?;
            download.status(200)?;
            download.body_is(&content(3 << 20))
        }),
    case("files/upload/replaces", "contract 3.8", &["3.8.truncates", "3.8.keeps-mode"])
        .requires("an upload over an existing file replaces the whole content and keeps its mode")
        .why("the tail of the old file would stay, or a script would lose its x bit")
        .features(&[Feature::Upload])
        .needs(&["files/upload/round-trip", "process/start/events"])
        .act(act!(|p| {
            let path = p.path("a.sh");
            p.upload("first", &path, b"a long first content\n").await?;
            p.sh("chmod", &format!("chmod 750 {path}")).await?;
            p.upload("second", &path, b"short").await?;
            p.send("download", Ask::download(&path)).await?;
            p.unary("stat", "filesystem.Filesystem/Stat", json!({ "path": path })).await.map(drop)
        }))
        .judge(|o| {
            o.at("chmod")?.succeeded()?;
            o.at("second")?.status(200)?;
            o.at("download")?.body_is(b"short")?;
            o.at("stat")?.field_is("/entry/mode", 0o750)
        }),
    case("files/upload/no-file-part", "contract 10", &["10.no-file-part"])
        .requires("an upload without a part named file is 400")
        .why("a caller that misspells the field believes that its file is there")
        .features(&[Feature::PostUpload])
        .positive_control(controls::ok)
        .act(act!(|p| {
            controls::upload(p).await?;
            let path = p.path("none");
            p.send("upload", Ask::upload(&path, "other", b"x")).await.map(drop)
        }))
        .judge(|o| o.at("upload")?.status(400)),
    case("files/upload/onto-directory", "contract 3.8", &["3.8.onto-directory"])
        .requires("an upload onto a directory is 400 and says so")
        .why("the caller has to hear which path is wrong")
        .features(&[Feature::Upload])
        .positive_control(controls::ok)
        .act(act!(|p| {
            controls::upload(p).await?;
            p.upload("upload", "/tmp", b"x").await
        }))
        .judge(|o| {
            o.at("upload")?.status(400)?;
            o.at("upload")?.says("path is a directory: /tmp")
        }),
    case("files/upload/one-tree", "contract 3.8", &["3.8.part-file"])
        .requires("a command reads an uploaded file, and a download what a command wrote")
        .why("files and commands share one machine")
        .needs(&["files/upload/round-trip", "process/start/events"])
        .act(act!(|p| {
            let (a, b) = (p.path("a.txt"), p.path("b.txt"));
            p.upload("upload", &a, b"from the host\n").await?;
            p.sh("run", &format!("tr a-z A-Z < {a} > {b}")).await?;
            p.send("download", Ask::download(&b)).await.map(drop)
        }))
        .judge(|o| {
            o.at("run")?.succeeded()?;
            o.at("download")?.body_is(b"FROM THE HOST\n")
        }),
    case("files/download/missing", "contract 3.8", &["3.8.missing", "3.error-shape"])
        .requires("a missing path is 404 with a JSON code and a message that names the path")
        .why("the host turns it into its own not-found")
        .positive_control(controls::ok)
        .act(act!(|p| {
            controls::download(p).await?;
            p.send("get", Ask::download("/tmp/envd-conformance-no-such")).await.map(drop)
        }))
        .judge(|o| {
            let seen = o.at("get")?;
            seen.status(404)?;
            seen.field_is("/code", 404)?;
            seen.field_is("/message", "path '/tmp/envd-conformance-no-such' does not exist")
        }),
    case("files/download/directory", "contract 3.8", &["3.8.directory"])
        .requires("a directory is 400 and says so")
        .why("a listing is another call")
        .positive_control(controls::ok)
        .act(act!(|p| {
            controls::download(p).await?;
            p.send("get", Ask::download("/tmp")).await.map(drop)
        }))
        .judge(|o| {
            o.at("get")?.status(400)?;
            o.at("get")?.field_is("/message", "path '/tmp' is a directory")
        }),
    case("files/download/user-unknown", "contract 3.8", &["3.8.user-unknown"])
        .requires("an unknown username is 401 \"user 'x' not found\"")
        .why("a misspelt user must not become root")
        .positive_control(controls::ok)
        .act(act!(|p| {
            controls::download(p).await?;
            let ask = Ask::new("GET", "/files").query("path", "/etc/passwd").query("username", "nobody-here");
            p.send("get", ask).await.map(drop)
        }))
        .judge(|o| {
            o.at("get")?.status(401)?;
            o.at("get")?.says("user 'nobody-here' not found")
        }),
    case("files/download/headers", "contract 3.8", &["3.8.type", "3.8.disposition", "3.8.length"])
        .requires(
            "a download has its length, a content type by extension and its name in \
            Content-Disposition",
        )
        .why("browsers and proxies go by them")
        .features(&[Feature::Gzip])
        .needs(TRIP)
        .act(act!(|p| download(p, "page.html", b"<p>", |ask| ask).await))
        .judge(|o| {
            let seen = o.at("download")?;
            seen.status(200)?;
            seen.header_is("content-length", "3")?;
            let kind = seen.header("content-type").unwrap_or_default();
            seen.holds(kind.starts_with("text/html"), "content-type text/html", kind)?;
            let name = seen.header("content-disposition").unwrap_or_default();
            seen.holds(name.contains("filename=\"page.html\""), "filename=\"page.html\"", name)
        }),
    case("files/download/odd-name", "contract 10", &["10.disposition"])
        .requires("a file whose name holds a newline is downloaded, and its header is one line")
        .why("one such file has killed real daemons")
        .needs(TRIP)
        .act(act!(|p| download(p, "odd\nx-injected: yes", b"odd", |ask| ask).await))
        .judge(|o| {
            let seen = o.at("download")?;
            seen.status(200)?;
            seen.same("header x-injected", seen.header("x-injected"), None)?;
            seen.body_is(b"odd")
        }),
    case("files/range/part", "contract 10 and RFC 9110, 14.2", &["10.range"])
        .requires("a byte range is 206 with these bytes and Content-Range")
        .why("an interrupted download goes on by it")
        .features(&[Feature::Range])
        .needs(TRIP)
        .act(act!(|p| download(p, "a", b"0123456789", |ask| ask.header("range", "bytes=2-4")).await))
        .judge(|o| {
            let seen = o.at("download")?;
            seen.status(206)?;
            seen.header_is("content-range", "bytes 2-4/10")?;
            seen.body_is(b"234")
        }),
    case("files/range/suffix", "contract 10 and RFC 9110, 14.1.2", &["10.range"])
        .requires("a suffix range is the last bytes")
        .why("archive readers begin at the end")
        .features(&[Feature::Range])
        .needs(&["files/range/part"])
        .act(act!(|p| download(p, "a", b"0123456789", |ask| ask.header("range", "bytes=-3")).await))
        .judge(|o| {
            let seen = o.at("download")?;
            seen.status(206)?;
            seen.header_is("content-range", "bytes 7-9/10")?;
            seen.body_is(b"789")
        }),
    case("files/range/beyond", "contract 10 and RFC 9110, 15.5.17", &["10.range-unsatisfiable"])
        .requires("a range beyond the end is 416 with the length in Content-Range")
        .why("a client that asks for more learns that it has all")
        .features(&[Feature::Range])
        .needs(&["files/range/part"])
        .positive_control(controls::part)
        .act(act!(|p| {
            controls::range(p).await?;
            download(p, "a", b"0123456789", |ask| ask.header("range", "bytes=10-")).await
        }))
        .judge(|o| {
            o.at("download")?.status(416)?;
            o.at("download")?.header_is("content-range", "bytes */10")
        }),
    case("files/condition/etag", "contract 10 and RFC 9110, 13.1.2", &["10.if-none-match", "10.validators"])
        .requires("If-None-Match with the ETag is 304 without a body, and 200 once the file has changed")
        .why("a cache would serve old code, or fetch it every time")
        .features(&[Feature::Range])
        .needs(TRIP)
        .act(act!(|p| {
            let path = p.path("a");
            download(p, "a", b"first", |ask| ask).await?;
            let etag = p.header("download", "etag")?;
            p.send("same", Ask::download(&path).header("if-none-match", &etag)).await?;
            p.upload("change", &path, b"another").await?;
            p.send("changed", Ask::download(&path).header("if-none-match", &etag)).await.map(drop)
        }))
        .judge(|o| {
            let first = o.at("download")?;
            first.holds(first.header("etag").is_some(), "an ETag", &first.exchange.headers)?;
            o.at("same")?.status(304)?;
            o.at("changed")?.status(200)?;
            o.at("changed")?.body_is(b"another")
        }),
    case("files/encoding/gzip", "contract 3.8", &["3.8.gzip"])
        .requires("a download that accepts gzip is gzip, and unpacks to the file")
        .why("Go's transport always asks for it")
        .features(&[Feature::Gzip])
        .needs(TRIP)
        .act(act!(|p| {
            download(p, "a", &b"again and ".repeat(500), |ask| ask.header("accept-encoding", "gzip")).await
        }))
        .judge(|o| {
            let seen = o.at("download")?;
            seen.status(200)?;
            seen.header_is("content-encoding", "gzip")?;
            let mut plain = Vec::new();
            let read = flate2::read::GzDecoder::new(seen.exchange.body.as_slice()).read_to_end(&mut plain);
            seen.holds(read.is_ok(), "a body that is gzip", format!("{read:?}"))?;
            seen.bytes("unpacked body", &plain, &b"again and ".repeat(500))
        }),
    case("files/encoding/none-acceptable", "contract 3.8", &["3.8.406"])
        .requires("406 when neither gzip nor identity is acceptable")
        .why("a body that the client cannot read is worse than none")
        .features(&[Feature::Gzip])
        .needs(TRIP)
        .positive_control(controls::ok)
        .act(act!(|p| {
            controls::download(p).await?;
            download(p, "a", b"x", |ask| ask.header("accept-encoding", "gzip;q=0, identity;q=0")).await
        }))
        .judge(|o| o.at("download")?.status(406)),
    case("files/signature/valid", "contract 2", &["2.signature-form", "2.signature-operation"])
        .requires("with a token set, a right signature opens exactly its path, operation and user")
        .why("the host hands such links to browsers")
        .isolation(Isolation::Fresh)
        .act(act!(|p| {
            let path = locked(p).await?;
            p.send("read", signed(&path, "read", None, &path)).await?;
            p.send("as write", signed(&path, "write", None, &path)).await?;
            p.send("elsewhere", signed(&path, "read", None, "/etc/passwd")).await.map(drop)
        }))
        .judge(|o| {
            o.at("read")?.status(200)?;
            o.at("read")?.body_is(b"secret")?;
            for label in ["as write", "elsewhere"] {
                refused(o, label, "invalid signature")?;
            }
            Ok(())
        }),
    case(
        "files/signature/missing",
        "contract 2",
        &["2.signature-missing", "2.header-wrong", "2.header-wins"],
    )
    .requires("with a token set, /files without token and signature is 401, with the token 200")
    .why("every file would be open to the network")
    .isolation(Isolation::Fresh)
    .act(act!(|p| {
        let path = locked(p).await?;
        p.send("bare", Ask::download(&path)).await?;
        p.send("wrong token", Ask::download(&path).header("x-access-token", "wrong")).await?;
        p.send("token", Ask::download(&path).header("x-access-token", TOKEN)).await.map(drop)
    }))
    .judge(|o| {
        refused(o, "bare", "missing signature query parameter")?;
        refused(o, "wrong token", "access token present in header but does not match")?;
        o.at("token")?.status(200)
    }),
    case("files/signature/expiry", "contract 2", &["2.signature-expiration", "2.expired"])
        .requires("an expiration in the future opens, one in the past is 401, and it cannot be changed")
        .why("a leaked link has to end some day")
        .needs(SIGNED)
        .isolation(Isolation::Fresh)
        .act(act!(|p| {
            let path = locked(p).await?;
            p.send("future", signed(&path, "read", Some(FAR), &path)).await?;
            p.send("past", signed(&path, "read", Some("1000000000"), &path)).await?;
            let stretched = signed(&path, "read", None, &path).query("signature_expiration", FAR);
            p.send("stretched", stretched).await.map(drop)
        }))
        .judge(|o| {
            o.at("future")?.status(200)?;
            refused(o, "past", "signature is already expired")?;
            refused(o, "stretched", "invalid signature")
        }),
];

async fn download(p: &mut Probe, name: &str, content: &[u8], with: fn(Ask) -> Ask) -> Result<(), SetupError> {
    let path = p.path(name);
    p.upload("upload", &path, content).await?;
    p.send("download", with(Ask::download(&path))).await.map(drop)
}

/// A guest with a file and then a token.
async fn locked(p: &mut Probe) -> Result<String, SetupError> {
    let path = p.path("a b+c.txt");
    p.upload("upload", &path, b"secret").await?;
    p.init("init", json!({ "access_token": TOKEN })).await?;
    Ok(path)
}

/// A download of `target` with a signature for `path`.
fn signed(path: &str, operation: &str, expiration: Option<&str>, target: &str) -> Ask {
    let mut text = format!("{path}:{operation}:root:{TOKEN}");
    let mut ask = Ask::download(target);
    if let Some(expiration) = expiration {
        text.push_str(&format!(":{expiration}"));
        ask = ask.query("signature_expiration", expiration);
    }
    ask.query("signature", &signature(&text))
}

fn signature(text: &str) -> String {
    format!("v1_{}", BASE64_STANDARD_NO_PAD.encode(Sha256::digest(text)))
}

fn refused(o: &Observation, label: &str, words: &str) -> Judged {
    o.at(label)?.status(401)?;
    o.at(label)?.says(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_vector_of_the_contract_holds() {
        let text = "/home/user/a.txt:read:root:s3cret";
        assert_eq!(signature(text), "v1_W0H70l5eP6cXb6svHqsDGEavs8WBopekZlY/hy8DMKY");
    }
}
