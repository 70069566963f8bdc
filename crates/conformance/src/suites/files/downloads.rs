//! Downloads: headers, encodings, what is no file (contract 3.8 and 10).

use std::io::Read as _;

use serde_json::json;

use crate::case::{Case, act, case};
use crate::feature::Feature;
use crate::observation::Observation;
use crate::probe::{Ask, Probe, SetupError};
use crate::suites::controls;
use crate::suites::helpers::{MISSING, all_succeeded};
use crate::verdict::Judged;

const TRIP: &[&str] = &["files/upload/round-trip"];
const BOTH: &[&str] = &["files/upload/round-trip", "process/start/events"];
const GZIP: &[Feature] = &[Feature::Gzip];

async fn get(p: &mut Probe, label: &str, ask: Ask) -> Result<(), SetupError> {
    p.send(label, ask).await.map(drop)
}

fn refused(o: &Observation, label: &str, status: u16, message: &str) -> Judged {
    let seen = o.at(label)?;
    seen.status(status)?;
    seen.field_is("/code", status)?;
    seen.field_is("/message", message.replace("{dir}", &o.dir))
}

/// Uploads `name` and downloads it with this Accept-Encoding.
async fn accepting(p: &mut Probe, label: &str, accept: &str) -> Result<(), SetupError> {
    let path = p.path("f");
    p.upload("upload", &path, b"content").await?;
    get(p, label, Ask::download(&path).header("accept-encoding", accept)).await
}

fn is_gzip(o: &Observation, label: &str) -> Judged {
    let seen = o.at(label)?;
    seen.status(200)?;
    seen.header_is("content-encoding", "gzip")?;
    let mut plain = Vec::new();
    let read = flate2::read::GzDecoder::new(seen.exchange.body.as_slice()).read_to_end(&mut plain);
    seen.holds(read.is_ok(), "a body that is gzip", format!("{read:?}"))?;
    seen.bytes("unpacked body", &plain, b"content")
}

fn is_plain(o: &Observation, label: &str) -> Judged {
    let seen = o.at(label)?;
    seen.status(200)?;
    seen.same("header content-encoding", seen.header("content-encoding"), None)?;
    seen.body_is(b"content")
}

pub(in crate::suites) const CASES: &[Case] = &[
    case("files/download/dangling", "contract 3.8", &["3.8.missing"])
        .requires("a dangling link is 404 as a missing file is, and the message names the link")
        .why("a broken link is a missing file to who reads it")
        .needs(BOTH)
        .act(act!(|p| {
            p.sh("make", &format!("mkdir -p {0} && ln -s nowhere {0}/l", p.path("d"))).await?;
            get(p, "get", Ask::download(&p.path("d/l"))).await
        }))
        .judge(|o| {
            all_succeeded(o, &["make"])?;
            refused(o, "get", 404, "path '{dir}/d/l' does not exist")
        }),
    case("files/download/no-path", "contract 3.8", &["3.8.directory", "3.8.path-empty"])
        .requires("no path, and an empty one, is the home, which is a directory: 400")
        .why("a caller that forgets the path must not get a file")
        .positive_control(controls::ok)
        .act(act!(|p| {
            controls::download(p).await?;
            get(p, "none", Ask::new("GET", "/files?username=root")).await?;
            get(p, "empty", Ask::download("")).await
        }))
        .judge(|o| {
            for label in ["none", "empty"] {
                let seen = o.at(label)?;
                seen.status(400)?;
                seen.says("' is a directory")?;
            }
            Ok(())
        }),
    case("files/download/special", "contract 3.8", &["3.8.special"])
        .requires("a fifo and a device are 400 \"is not a regular file\", at once")
        .why("reading a fifo waits for ever, reading /dev/zero never ends")
        .needs(BOTH)
        .act(act!(|p| {
            p.sh("make", &format!("mkdir -p {0} && mkfifo {0}/fifo", p.path("d"))).await?;
            get(p, "fifo", Ask::download(&p.path("d/fifo"))).await?;
            get(p, "device", Ask::download("/dev/null")).await
        }))
        .judge(|o| {
            all_succeeded(o, &["make"])?;
            refused(o, "fifo", 400, "path '{dir}/d/fifo' is not a regular file")?;
            refused(o, "device", 400, "path '/dev/null' is not a regular file")
        }),
    case("files/download/below-file", "contract 3.8", &["3.8.check-error"])
        .requires("a path below a file is 500 \"error checking path\"")
        .why("the mistake is in the path's middle, not at its end")
        .needs(TRIP)
        .positive_control(controls::ok)
        .act(act!(|p| {
            controls::download(p).await?;
            p.upload("upload", &p.path("f"), b"x").await?;
            get(p, "get", Ask::download(&p.path("f/below"))).await
        }))
        .judge(|o| {
            o.at("get")?.status(500)?;
            o.at("get")?.says("error checking path: ")
        }),
    case("files/download/nul", "contract 3.8", &["3.8.check-error"])
        .requires("a NUL in the path is 500 \"error checking path\", and no shorter path is read")
        .why("a name that ends early is another file")
        .tags(&["security"])
        .positive_control(controls::ok)
        .act(act!(|p| {
            controls::download(p).await?;
            get(p, "get", Ask::download("/etc/passwd\0.txt")).await
        }))
        .judge(|o| {
            o.at("get")?.status(500)?;
            o.at("get")?.says("error checking path: ")
        }),
    case("files/download/follows-links", "contract 3.8", &["3.8.follows"])
        .requires("links are followed, relative and absolute, at the end and in the middle")
        .why("a deployed tree is reached through links")
        .needs(BOTH)
        .act(act!(|p| {
            let dir = p.path("d");
            p.sh(
                "make",
                &format!(
                    "mkdir -p {dir}/a && echo it > {dir}/a/f && ln -s a/f {dir}/l \
                && ln -s {dir}/a {dir}/m"
                ),
            )
            .await?;
            get(p, "end", Ask::download(&format!("{dir}/l"))).await?;
            get(p, "middle", Ask::download(&format!("{dir}/m/f"))).await
        }))
        .judge(|o| {
            ["end", "middle"].iter().try_for_each(|label| {
                o.at(label)?.status(200)?;
                o.at(label)?.body_is(b"it\n")
            })
        }),
    case("files/download/reads-as-root", "contract 3.8", &["3.8.as-root"])
        .requires("a file that its user may not read is read all the same")
        .why("the host looks into every sandbox with the same call")
        .needs(BOTH)
        .act(act!(|p| {
            let path = p.path("d/secret");
            p.upload("upload", &path, b"secret").await?;
            p.sh("chmod", &format!("chmod 0 {path}; chmod 700 {}", p.path("d"))).await?;
            get(p, "get", Ask::new("GET", "/files").query("path", &path).query("username", "user")).await
        }))
        .judge(|o| {
            all_succeeded(o, &["chmod"])?;
            o.at("get")?.status(200)?;
            o.at("get")?.body_is(b"secret")
        }),
    case("files/download/type-unknown", "contract 3.8", &["3.8.type"])
        .requires("a name without a known extension is application/octet-stream")
        .why("a browser that guesses may run what it should store")
        .features(GZIP)
        .needs(&["files/download/headers"])
        .act(act!(|p| {
            for (label, name) in [("none", "LICENSE"), ("unknown", "a.envd-odd")] {
                p.upload("upload", &p.path(name), b"<html>").await?;
                get(p, label, Ask::download(&p.path(name))).await?;
            }
            Ok(())
        }))
        .judge(|o| {
            ["none", "unknown"].iter().try_for_each(|label| {
                o.at(label)?.status(200)?;
                o.at(label)?.header_is("content-type", "application/octet-stream")
            })
        }),
    case("files/download/types", "contract 3.8", &["3.8.type"])
        .requires(
            "the content type of text, JSON, PNG and script files goes by the extension, \
            without a charset",
        )
        .why("a picture is shown and not stored")
        .features(GZIP)
        .needs(&["files/download/headers"])
        .act(act!(|p| {
            for (name, _) in TYPES {
                p.upload("upload", &p.path(name), b"x").await?;
                get(p, name, Ask::download(&p.path(name))).await?;
            }
            Ok(())
        }))
        .judge(|o| {
            TYPES.iter().try_for_each(|(name, kind)| {
                o.at(name)?.status(200)?;
                o.at(name)?.header_is("content-type", kind)
            })
        }),
    case("files/download/disposition-plain", "contract 3.8", &["3.8.disposition"])
        .requires("Content-Disposition of a plain name is exactly inline with the quoted base name")
        .why("clients parse it with a regular expression")
        .needs(TRIP)
        .act(act!(|p| {
            p.upload("upload", &p.path("d/a b.tar.gz"), b"x").await?;
            get(p, "get", Ask::download(&p.path("d/a b.tar.gz"))).await
        }))
        .judge(|o| {
            o.at("get")?.status(200)?;
            o.at("get")?.header_is("content-disposition", "inline; filename=\"a b.tar.gz\"")
        }),
    case("files/download/disposition-star", "contract 10 and RFC 6266, 4.3", &["10.disposition"])
        .requires("a name that is not plain ASCII has filename* in UTF-8 beside an ASCII fallback")
        .why("the file would be stored under a broken name")
        .needs(TRIP)
        .act(act!(|p| {
            p.upload("upload", &p.path("né \"1\".txt"), b"x").await?;
            get(p, "get", Ask::download(&p.path("né \"1\".txt"))).await
        }))
        .judge(|o| {
            let seen = o.at("get")?;
            seen.status(200)?;
            let value = seen.header("content-disposition").unwrap_or_default();
            let star = value.contains("filename*=UTF-8''n%C3%A9%20%221%22.txt");
            seen.holds(star, "filename*=UTF-8''n%C3%A9%20%221%22.txt", value)?;
            let fallback = value.starts_with("inline; filename=\"") && value.is_ascii();
            seen.holds(fallback, "an ASCII filename before it", value)
        }),
    case("files/download/size-zero-special", "contract 10", &["10.special-files"])
        .requires("a file whose size is told as 0 is read to its end")
        .why("the files of /proc look empty otherwise")
        .needs(&["process/start/events"])
        .act(act!(|p| {
            p.sh("expected", "cat /proc/version").await?;
            get(p, "get", Ask::download("/proc/version")).await
        }))
        .judge(|o| {
            let expected = o.at("expected")?.succeeded()?.stdout;
            o.at("get")?.status(200)?;
            o.at("get")?.body_is(&expected)
        }),
    case("files/download/head", "contract 1 and RFC 9110, 9.3.2", &["1.head", "3.8.length"])
        .requires("HEAD of a file has the headers of its GET and no body")
        .why("a client asks for the length first")
        .needs(&["files/download/headers"])
        .act(act!(|p| {
            let path = p.path("f.txt");
            p.upload("upload", &path, b"0123456789").await?;
            get(p, "get", Ask::download(&path)).await?;
            let head = Ask::new("HEAD", "/files").query("path", &path).query("username", "root");
            get(p, "head", head).await
        }))
        .judge(|o| {
            let (get, head) = (o.at("get")?, o.at("head")?);
            get.status(200)?;
            head.status(200)?;
            head.body_is(b"")?;
            for name in ["content-length", "content-type", "content-disposition", "etag", "last-modified"] {
                head.same(&format!("header {name}"), head.header(name), get.header(name))?;
            }
            head.header_is("content-length", "10")
        }),
    case("files/download/vary", "contract 3.8", &["3.8.vary"])
        .requires("a download varies by Accept-Encoding")
        .why("a cache would hand gzip to who cannot read it")
        .features(GZIP)
        .needs(TRIP)
        .act(act!(|p| accepting(p, "get", "identity").await))
        .judge(|o| {
            let seen = o.at("get")?;
            seen.status(200)?;
            let all = seen.headers_named("vary");
            let named = all
                .iter()
                .flat_map(|value| value.split(','))
                .any(|name| name.trim().eq_ignore_ascii_case("accept-encoding"));
            seen.holds(named, "accept-encoding in Vary", all)
        }),
    case("files/encoding/small", "contract 3.8", &["3.8.gzip"])
        .requires("gzip is used at any size, even for seven bytes")
        .why("a client that asked for gzip counts on it")
        .features(GZIP)
        .needs(TRIP)
        .act(act!(|p| accepting(p, "get", "gzip").await))
        .judge(|o| is_gzip(o, "get")),
    case("files/encoding/weights", "contract 3.8 and RFC 9110, 12.4.2", &["3.8.q-values"])
        .requires("gzip;q=0 is no gzip, and gzip with a small weight is gzip")
        .why("a weight of 0 is a refusal")
        .features(GZIP)
        .needs(&["files/encoding/small"])
        .act(act!(|p| {
            accepting(p, "refused", "gzip;q=0").await?;
            accepting(p, "little", "br, gzip;q=0.1").await
        }))
        .judge(|o| {
            is_plain(o, "refused")?;
            is_gzip(o, "little")
        }),
    case("files/encoding/star", "contract 3.8", &["3.8.star"])
        .requires("* is identity, and gzip where identity is refused")
        .why("curl and proxies say *")
        .features(GZIP)
        .needs(&["files/encoding/small"])
        .act(act!(|p| {
            accepting(p, "star", "*").await?;
            accepting(p, "refused", "*, identity;q=0").await
        }))
        .judge(|o| {
            is_plain(o, "star")?;
            is_gzip(o, "refused")
        }),
    case("files/encoding/unknown", "contract 3.8", &["3.8.q-values"])
        .requires("an offer of encodings that the guest does not have is answered plainly")
        .why("identity is always acceptable unless it is refused")
        .features(GZIP)
        .needs(TRIP)
        .act(act!(|p| accepting(p, "get", "br, zstd, x-odd").await))
        .judge(|o| is_plain(o, "get")),
    case("files/encoding/none-says-which", "contract 3.8", &["3.8.406", "3.error-shape"])
        .requires("406 names what is supported, in JSON")
        .why("the client can correct itself")
        .features(GZIP)
        .needs(TRIP)
        .positive_control(|o| is_plain(o, "twin"))
        .act(act!(|p| {
            accepting(p, "twin", "br").await?;
            accepting(p, "get", "br, identity;q=0").await
        }))
        .judge(|o| refused(o, "get", 406, "no acceptable encoding found, supported: [\"gzip\"]")),
    case("files/encoding/identity-for-ranges", "contract 3.8", &["3.8.identity-forced"])
        .requires("a range is never gzip; when identity is refused too it is 406")
        .why("bytes 2 to 4 of a packed file are no use")
        .features(GZIP)
        .needs(&["files/encoding/small"])
        .act(act!(|p| {
            let path = p.path("f");
            p.upload("upload", &path, b"0123456789").await?;
            let ask =
                |accept| Ask::download(&path).header("range", "bytes=2-4").header("accept-encoding", accept);
            get(p, "gzip", ask("gzip")).await?;
            get(p, "refused", ask("gzip, identity;q=0")).await
        }))
        .judge(|o| {
            let seen = o.at("gzip")?;
            seen.same("header content-encoding", seen.header("content-encoding"), None)?;
            seen.status(206)?;
            seen.body_is(b"234")?;
            refused(o, "refused", 406, "identity encoding not acceptable for Range or conditional request")
        }),
    case("files/download/shrinking", "RFC 9112, 8", &["3.8.length"])
        .requires(
            "a file that is cut while it is sent ends with a broken body, never with a \
            whole one of another length",
        )
        .why("a client must be able to trust the length")
        .needs(BOTH)
        .act(act!(|p| {
            let path = p.path("d/big");
            p.sh("make", &format!("mkdir -p {} && head -c 30000000 /dev/zero > {path}", p.path("d"))).await?;
            let mut open = p.open(Ask::download(&path)).await?;
            open.until(|seen| !seen.body.is_empty()).await;
            p.sh("cut", &format!("head -c 1000000 /dev/zero > {path}")).await?;
            p.finish("get", open).await;
            Ok(())
        }))
        .judge(|o| {
            all_succeeded(o, &["make", "cut"])?;
            let seen = o.at("get")?;
            seen.same("status", seen.exchange.status, Some(200))?;
            seen.header_is("content-length", "30000000")?;
            let whole = seen.whole().is_ok();
            seen.holds(
                !whole || seen.exchange.body.len() == 30_000_000,
                "a cut body, or all of it",
                seen.exchange.body.len(),
            )
        }),
    case("files/download/missing-for-head", "contract 1", &["1.head"])
        .requires("HEAD of a missing file is 404 without a body")
        .why("a client asks by HEAD whether a file is there")
        .positive_control(|o| o.at("twin")?.status(200))
        .act(act!(|p| {
            let head = |path| Ask::new("HEAD", "/files").query("path", path).query("username", "root");
            get(p, "twin", head("/etc/passwd")).await?;
            get(p, "head", head(MISSING)).await
        }))
        .judge(|o| {
            o.at("head")?.status(404)?;
            o.at("head")?.body_is(b"")
        }),
    case("files/download/in-time-of-write", "contract 3.8", &["8.upload-overwrites"])
        .requires("a download sees an old or a new file whole while uploads replace it, never a mix")
        .why("a program that is replaced while it is read must not be half of each")
        .needs(TRIP)
        .act(act!(|p| {
            let path = p.path("f");
            p.upload("old", &path, &[b'0'; 300_000]).await?;
            for n in 1..=5u8 {
                let upload = p.open(p.dialect().upload(&path, "root", &[b'0' + n; 300_000])).await?;
                get(p, "get", Ask::download(&path)).await?;
                p.finish("upload", upload).await;
            }
            Ok(())
        }))
        .judge(|o| {
            for step in o.steps.iter().filter(|step| step.label == "get") {
                let body = &step.exchange.body;
                let one = body.first().copied().unwrap_or_default();
                let pure = body.len() == 300_000 && body.iter().all(|byte| *byte == one);
                o.at("get")?.holds(
                    pure,
                    "300000 bytes of one upload",
                    json!({ "bytes": body.len(), "first": one }),
                )?;
            }
            o.at("get")?.status(200)
        }),
];

const TYPES: [(&str, &str); 4] =
    [("a.txt", "text/plain"), ("a.json", "application/json"), ("a.png", "image/png"), ("a.css", "text/css")];
