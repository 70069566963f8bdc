//! Compression of requests and answers of RPCs (contract 1).

use std::io::{Read as _, Write as _};

use serde_json::{Value, json};

use crate::case::{Case, act, case};
use crate::observation::Observation;
use crate::probe::{Ask, Probe, SetupError, shell};
use crate::stream::{Run, envelope};
use crate::suites::controls;
use crate::suites::helpers::send;
use crate::suites::process::start::EVENTS;
use crate::verdict::{Judged, Objection, Seen};

const STAT: &str = "filesystem.Filesystem/Stat";
const LIST_DIR: &str = "filesystem.Filesystem/ListDir";
/// `{"path":"/usr"}` as zstd has it: one raw block.
const ZSTD: &[u8] = &[
    0x28, 0xb5, 0x2f, 0xfd, 0x20, 0x0f, 0x79, 0x00, 0x00, b'{', b'"', b'p', b'a', b't', b'h', b'"', b':',
    b'"', b'/', b'u', b's', b'r', b'"', b'}',
];
/// As much as a listing of this many entries is over 1024 bytes.
const FILES: &str = "0 1 2 3 4 5 6 7 8 9";

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).expect("a Vec takes all");
    encoder.finish().expect("a Vec takes all")
}

fn gunzip(seen: &Seen<'_>, bytes: &[u8]) -> Result<Vec<u8>, Objection> {
    let mut plain = Vec::new();
    let read = flate2::read::GzDecoder::new(bytes).read_to_end(&mut plain);
    seen.holds(read.is_ok(), "bytes that are gzip", format!("{read:?}"))?;
    Ok(plain)
}

/// A listing over 1024 bytes, asked for with this Accept-Encoding.
async fn listing(p: &mut Probe, label: &str, accept: &str) -> Result<(), SetupError> {
    p.sh("make", &format!("mkdir -p {0} && cd {0} && touch {FILES}", p.path("d"))).await?;
    let ask = Ask::unary(LIST_DIR, &json!({ "path": p.path("d") }));
    send(p, label, ask.header("accept-encoding", accept)).await
}

fn plain(o: &Observation, label: &str) -> Judged {
    let seen = o.at(label)?;
    seen.status(200)?;
    seen.same("header content-encoding", seen.header("content-encoding"), None)?;
    seen.json().map(drop)
}

/// A process that prints a little, then much, over a stream that accepts gzip.
async fn mixed(p: &mut Probe, accept: &str) -> Result<(), SetupError> {
    let script = "echo small; sleep 0.1; seq 1 2000; sleep 0.1; echo last";
    let ask = p.start_ask("run", json!({ "process": shell(script), "stdin": false }));
    send(p, "run", ask.header("connect-accept-encoding", accept)).await
}

/// The body with its compressed envelopes unpacked.
fn unpacked(seen: &Seen<'_>) -> Result<Vec<u8>, Objection> {
    let mut body = Vec::new();
    for frame in seen.frames()? {
        let data = if frame.flag & 1 == 0 { frame.data } else { gunzip(seen, &frame.data)? };
        body.extend(envelope::write(frame.flag & !1, &data));
    }
    Ok(body)
}

pub(in crate::suites) const CASES: &[Case] = &[
    case("wire/encoding/unary-gzip", "contract 1", &["1.response-threshold", "1.response-encoding"])
        .requires(
            "a unary answer over 1024 bytes is gzip when that is accepted, and unpacks to \
            the plain one",
        )
        .why("Go's client always offers it")
        .needs(EVENTS)
        .act(act!(|p| {
            listing(p, "gzip", "gzip").await?;
            send(p, "plain", Ask::unary(LIST_DIR, &json!({ "path": p.path("d") }))).await
        }))
        .judge(|o| {
            plain(o, "plain")?;
            let seen = o.at("gzip")?;
            seen.status(200)?;
            seen.header_is("content-encoding", "gzip")?;
            let body = gunzip(&seen, &seen.exchange.body)?;
            seen.bytes("unpacked body", &body, &o.at("plain")?.exchange.body)
        }),
    case("wire/encoding/unary-small", "contract 1", &["1.response-threshold"])
        .requires("a unary answer below 1024 bytes is plain")
        .why("packing makes it longer")
        .needs(&["wire/encoding/unary-gzip"])
        .act(act!(|p| {
            send(p, "stat", Ask::unary(STAT, &json!({ "path": "/usr" })).header("accept-encoding", "gzip"))
                .await
        }))
        .judge(|o| plain(o, "stat")),
    case("wire/encoding/unary-first-known", "contract 1", &["1.response-encoding"])
        .requires(
            "of the client's offers the first that the guest knows is used, and none when \
            it knows none",
        )
        .why("an encoding that was not offered cannot be read")
        .needs(&["wire/encoding/unary-gzip"])
        .act(act!(|p| {
            listing(p, "second", "br, gzip").await?;
            listing(p, "none", "br, x-odd").await?;
            listing(p, "identity", "identity").await
        }))
        .judge(|o| {
            o.at("second")?.status(200)?;
            o.at("second")?.header_is("content-encoding", "gzip")?;
            plain(o, "none")?;
            plain(o, "identity")
        }),
    case("wire/encoding/zstd-request", "contract 1", &["1.request-zstd"])
        .requires("a unary request in zstd is understood")
        .why("newer clients pack with it")
        .act(act!(|p| {
            let ask = Ask::new("POST", format!("/{STAT}")).header("content-type", "application/json");
            send(p, "stat", ask.header("content-encoding", "zstd").body(ZSTD)).await
        }))
        .judge(|o| {
            o.at("stat")?.ok()?;
            o.at("stat")?.field_is("/entry/path", "/usr")
        }),
    case("wire/encoding/zstd-offer", "contract 1", &["1.response-encoding"])
        .requires("a client that offers zstd alone gets zstd above 1024 bytes")
        .why("the list of what is accepted is said on every stream")
        .needs(&["wire/encoding/unary-gzip"])
        .act(act!(|p| listing(p, "zstd", "zstd").await))
        .judge(|o| {
            let seen = o.at("zstd")?;
            seen.status(200)?;
            seen.header_is("content-encoding", "zstd")?;
            let magic = seen.exchange.body.get(..4).unwrap_or_default();
            seen.bytes("first four bytes", magic, &ZSTD[..4])
        }),
    case("wire/encoding/broken-gzip", "contract 1", &["1.request-gzip"])
        .requires("a body that is called gzip and is none is refused, and not taken as it stands")
        .why("garbage must not be read as a message")
        .positive_control(|o| o.at("twin")?.ok().map(drop))
        .act(act!(|p| {
            let ask = || {
                Ask::new("POST", format!("/{STAT}"))
                    .header("content-type", "application/json")
                    .header("content-encoding", "gzip")
            };
            send(p, "twin", ask().body(gzip(br#"{"path":"/usr"}"#))).await?;
            send(p, "plain", ask().body(*br#"{"path":"/usr"}"#)).await
        }))
        .judge(|o| {
            let seen = o.at("plain")?;
            seen.whole()?;
            let status = seen.exchange.status.unwrap_or_default();
            seen.holds((400..=599).contains(&status), "an error", status)?;
            let code = seen.json()?["code"].clone();
            seen.holds(code.is_string(), "a code in the error", code)
        }),
    case("wire/encoding/bomb", "contract 1", &["1.limit", "1.request-gzip"])
        .requires("a gzip body that unpacks to over 4 MiB is resource_exhausted, unary and in an envelope")
        .why("a few kilobytes must not fill the memory of the guest")
        .needs(&["process/start/events"])
        .tags(&["security", "limits"])
        .positive_control(|o| o.at("twin")?.ok().map(drop))
        .act(act!(|p| {
            let ask = || {
                Ask::new("POST", format!("/{STAT}"))
                    .header("content-type", "application/json")
                    .header("content-encoding", "gzip")
            };
            send(p, "twin", ask().body(gzip(br#"{"path":"/usr"}"#))).await?;
            let bomb =
                gzip(format!("{{\"path\":\"/usr\",\"padding\":\"{}\"}}", "x".repeat(32 << 20)).as_bytes());
            send(p, "unary", ask().body(bomb.clone())).await?;
            let stream = Ask::new("POST", "/process.Process/Connect")
                .header("content-type", "application/connect+json");
            send(
                p,
                "stream",
                stream.header("connect-content-encoding", "gzip").body(envelope::write(1, &bomb)),
            )
            .await
        }))
        .judge(|o| {
            o.at("unary")?.error(429, "resource_exhausted", "")?;
            o.at("stream")?.stream_error("resource_exhausted", "")
        }),
    case("wire/encoding/stream-mixed", "contract 1", &["1.stream-threshold"])
        .requires(
            "a stream that accepts gzip announces it, packs messages of 1024 bytes or more, \
            and leaves the others plain",
        )
        .why("mixed flags are what Go's client meets every day")
        .needs(EVENTS)
        .act(act!(|p| mixed(p, "gzip").await))
        .judge(|o| {
            let seen = o.at("run")?;
            let body = unpacked(&seen)?;
            seen.header_is("connect-content-encoding", "gzip")?;
            let run = Run::of(&body);
            let expected: String = (1..=2000).map(|n| format!("{n}\n")).collect();
            seen.same("stdout", run.text(), format!("small\n{expected}last\n"))?;
            let flags: Vec<(u8, usize)> = seen
                .frames()?
                .iter()
                .zip(envelope::read(&body).0)
                .map(|(sent, plain)| (sent.flag & 1, plain.data.len()))
                .collect();
            let right = flags.iter().all(|(flag, length)| (*flag == 1) == (*length >= 1024));
            seen.holds(right, "flag 1 on messages of 1024 bytes or more, 0 on others", flags)
        }),
    case("wire/encoding/stream-plain", "contract 1", &["1.stream-threshold", "1.response-encoding"])
        .requires("a stream whose client accepts nothing, or nothing known, is plain")
        .why("a client that cannot unpack loses the output")
        .needs(EVENTS)
        .act(act!(|p| mixed(p, "br").await))
        .judge(|o| {
            let seen = o.at("run")?;
            seen.succeeded()?;
            seen.same("header connect-content-encoding", seen.header("connect-content-encoding"), None)
        }),
    case("wire/encoding/stream-accepts", "contract 1", &["1.stream-accepts"])
        .requires("a stream says connect-accept-encoding: gzip, zstd, on success and on error")
        .why("the client learns how it may pack")
        .needs(EVENTS)
        .act(act!(|p| {
            p.sh("run", "true").await?;
            p.stream("error", "process.Process/Connect", json!({})).await
        }))
        .judge(|o| {
            o.at("run")?.run()?;
            o.at("run")?.header_is("connect-accept-encoding", "gzip, zstd")?;
            o.at("error")?.header_is("connect-accept-encoding", "gzip, zstd")
        }),
    case("wire/encoding/stream-unknown", "contract 1", &["1.request-unknown-encoding"])
        .requires(
            "a stream in an unknown encoding is unimplemented \"unsupported compression \
            encoding: br\"",
        )
        .why("a client falls back when it hears that")
        .needs(&["process/start/events"])
        .positive_control(controls::ran)
        .act(act!(|p| {
            controls::run(p).await?;
            let ask = Ask::stream("process.Process/Connect", &[json!({})]);
            send(p, "br", ask.header("connect-content-encoding", "br")).await
        }))
        .judge(|o| o.at("br")?.stream_error("unimplemented", "unsupported compression encoding: br")),
    case("wire/encoding/stream-request-mixed", "contract 1", &["1.request-gzip"])
        .requires("packed and plain envelopes may follow one another in a client's stream")
        .why("clients pack only what is worth it")
        .needs(&["process/stream-input/reaches"])
        .act(act!(|p| {
            let open = p.start_sh("run", "read a; read b; read c; echo $a $b $c").await?;
            let data = |text: &str| json!({ "data": { "input": { "stdin": crate::probe::base64(text) } } });
            let start = json!({ "start": { "process": { "tag": p.tag("run") } } });
            let frame = |packed: bool, message: &Value| match packed {
                true => envelope::write(1, &gzip(message.to_string().as_bytes())),
                false => envelope::write(0, message.to_string().as_bytes()),
            };
            let body = [
                frame(false, &start),
                frame(true, &data("one\n")),
                frame(false, &data("two\n")),
                frame(true, &data("three\n")),
            ]
            .concat();
            let ask = Ask::new("POST", "/process.Process/StreamInput")
                .header("content-type", "application/connect+json");
            send(p, "input", ask.header("connect-content-encoding", "gzip").body(body)).await?;
            p.finish("run", open).await;
            Ok(())
        }))
        .judge(|o| {
            o.at("input")?.messages()?;
            crate::suites::helpers::printed(o, "run", "one two three\n")
        }),
];
