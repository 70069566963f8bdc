//! Parts of downloads and conditions on them (contract 10; RFC 9110, 13 and 14).

use crate::case::{Case, act, case};
use crate::feature::Feature;
use crate::observation::Observation;
use crate::probe::{Ask, Probe, SetupError};
use crate::suites::controls;
use crate::verdict::Judged;

const PART: &[&str] = &["files/range/part"];
const ETAG: &[&str] = &["files/condition/etag"];
const RANGE: &[Feature] = &[Feature::Range];
const DIGITS: &[u8] = b"0123456789";
const LONG_AGO: &str = "Sat, 01 Jan 2000 00:00:00 GMT";
const FAR: &str = "Fri, 01 Jan 2100 00:00:00 GMT";

/// Uploads ten digits as `f`.
async fn digits(p: &mut Probe) -> Result<String, SetupError> {
    let path = p.path("f");
    p.upload("upload", &path, DIGITS).await?;
    Ok(path)
}

/// Ten digits, asked for with one header.
async fn with(p: &mut Probe, label: &str, name: &str, value: &str) -> Result<(), SetupError> {
    let path = digits(p).await?;
    p.send(label, Ask::download(&path).header(name, value)).await.map(drop)
}

fn part(o: &Observation, label: &str, range: &str, body: &[u8]) -> Judged {
    let seen = o.at(label)?;
    seen.status(206)?;
    seen.header_is("content-range", range)?;
    seen.header_is("content-length", &body.len().to_string())?;
    seen.body_is(body)
}

fn whole(o: &Observation, label: &str) -> Judged {
    let seen = o.at(label)?;
    seen.status(200)?;
    seen.same("header content-range", seen.header("content-range"), None)?;
    seen.body_is(DIGITS)
}

pub(in crate::suites) const CASES: &[Case] = &[
    case("files/range/from", "RFC 9110, 14.1.2", &["10.range"])
        .requires("a range without an end goes to the end of the file")
        .why("it is how a download is taken up again")
        .features(RANGE)
        .needs(PART)
        .act(act!(|p| with(p, "get", "range", "bytes=7-").await))
        .judge(|o| part(o, "get", "bytes 7-9/10", b"789")),
    case("files/range/past-the-end", "RFC 9110, 14.1.2", &["10.range"])
        .requires(
            "a range that ends beyond the file ends with it, and a suffix longer than the \
            file is all of it",
        )
        .why("clients ask for a block without knowing the length")
        .features(RANGE)
        .needs(PART)
        .act(act!(|p| {
            with(p, "end", "range", "bytes=8-99").await?;
            with(p, "suffix", "range", "bytes=-99").await
        }))
        .judge(|o| {
            part(o, "end", "bytes 8-9/10", b"89")?;
            part(o, "suffix", "bytes 0-9/10", DIGITS)
        }),
    case("files/range/one-byte", "RFC 9110, 14.1.2", &["10.range"])
        .requires("first and last byte are ranges of one byte")
        .why("off by one is found here first")
        .features(RANGE)
        .needs(PART)
        .act(act!(|p| {
            with(p, "first", "range", "bytes=0-0").await?;
            with(p, "last", "range", "bytes=9-9").await
        }))
        .judge(|o| {
            part(o, "first", "bytes 0-0/10", b"0")?;
            part(o, "last", "bytes 9-9/10", b"9")
        }),
    case("files/range/unreadable", "RFC 9110, 14.2", &["10.range"])
        .requires("a Range of another unit, or one that cannot be read, is ignored: 200 with all")
        .why("a header that is not understood must not hide the file")
        .features(RANGE)
        .needs(PART)
        .act(act!(|p| {
            for (label, value) in [("unit", "lines=1-2"), ("order", "bytes=4-2"), ("words", "bytes=a-b")] {
                with(p, label, "range", value).await?;
            }
            Ok(())
        }))
        .judge(|o| ["unit", "order", "words"].iter().try_for_each(|label| whole(o, label))),
    case("files/range/empty-suffix", "RFC 9110, 14.1.2", &["10.range-unsatisfiable"])
        .requires("the last zero bytes are 416")
        .why("there is no part of no bytes")
        .features(RANGE)
        .needs(PART)
        .positive_control(controls::part)
        .act(act!(|p| {
            controls::range(p).await?;
            with(p, "get", "range", "bytes=-0").await
        }))
        .judge(|o| {
            o.at("get")?.status(416)?;
            o.at("get")?.header_is("content-range", "bytes */10")
        }),
    case("files/range/of-empty-file", "RFC 9110, 15.5.17", &["10.range-unsatisfiable"])
        .requires("a range of an empty file is 416 with a length of 0")
        .why("nothing is there to be a part of")
        .features(RANGE)
        .needs(PART)
        .positive_control(controls::part)
        .act(act!(|p| {
            controls::range(p).await?;
            let path = p.path("empty");
            p.upload("upload", &path, b"").await?;
            p.send("get", Ask::download(&path).header("range", "bytes=0-0")).await.map(drop)
        }))
        .judge(|o| {
            o.at("get")?.status(416)?;
            o.at("get")?.header_is("content-range", "bytes */0")
        }),
    case("files/range/accepted", "RFC 9110, 14.3", &["10.range"])
        .requires("a whole download says accept-ranges: bytes")
        .why("download managers ask for parts only then")
        .should()
        .features(RANGE)
        .needs(PART)
        .act(act!(|p| with(p, "get", "accept", "*/*").await))
        .judge(|o| {
            whole(o, "get")?;
            o.at("get")?.header_is("accept-ranges", "bytes")
        }),
    case("files/range/head", "RFC 9110, 14.2", &["10.range", "1.head"])
        .requires("a Range is for GET alone: HEAD ignores it")
        .why("the length that HEAD tells is the whole file's")
        .features(RANGE)
        .needs(PART)
        .act(act!(|p| {
            let path = digits(p).await?;
            let head = Ask::new("HEAD", "/files").query("path", &path).query("username", "root");
            p.send("head", head.header("range", "bytes=2-4")).await.map(drop)
        }))
        .judge(|o| {
            let seen = o.at("head")?;
            seen.status(200)?;
            seen.header_is("content-length", "10")
        }),
    case("files/range/large-file", "contract 10", &["10.range"])
        .requires("a range far into a sparse file of 8 GiB is these bytes, with the numbers in full")
        .why("an offset that is cut to 32 bits is another place")
        .features(RANGE)
        .needs(&["files/range/part", "process/start/events"])
        .act(act!(|p| {
            let path = p.path("d/sparse");
            let make =
                format!("mkdir -p {} && truncate -s 8589934592 {path} && printf end >> {path}", p.path("d"));
            p.sh("make", &make).await?;
            p.send("get", Ask::download(&path).header("range", "bytes=8589934591-8589934593")).await.map(drop)
        }))
        .judge(|o| {
            o.at("make")?.succeeded()?;
            part(o, "get", "bytes 8589934591-8589934593/8589934595", b"\0en")
        }),
    case("files/condition/validators", "contract 10", &["10.validators"])
        .requires("a download has a strong ETag, and a Last-Modified that is the file's time")
        .why("without them nothing can be taken up again safely")
        .features(RANGE)
        .needs(&["files/upload/round-trip", "process/start/events"])
        .act(act!(|p| {
            let path = digits(p).await?;
            p.sh("touch", &format!("touch -d '2001-02-03 04:05:06 UTC' {path}")).await?;
            p.send("get", Ask::download(&path)).await.map(drop)
        }))
        .judge(|o| {
            o.at("touch")?.succeeded()?;
            let seen = o.at("get")?;
            seen.status(200)?;
            seen.header_is("last-modified", "Sat, 03 Feb 2001 04:05:06 GMT")?;
            let etag = seen.header("etag").unwrap_or_default();
            seen.holds(
                etag.len() > 2 && etag.starts_with('"') && etag.ends_with('"'),
                "a quoted \
                ETag",
                etag,
            )
        }),
    case("files/condition/etag-list", "RFC 9110, 13.1.2", &["10.if-none-match"])
        .requires("If-None-Match takes a list, weak forms and *")
        .why("caches ask for every version that they have")
        .features(RANGE)
        .needs(ETAG)
        .act(act!(|p| {
            let path = digits(p).await?;
            p.send("first", Ask::download(&path)).await?;
            let etag = p.header("first", "etag")?;
            let asked = [
                ("list", format!("\"other\", {etag}")),
                ("weak", format!("W/{etag}")),
                ("star", "*".to_owned()),
            ];
            for (label, value) in asked {
                p.send(label, Ask::download(&path).header("if-none-match", &value)).await?;
            }
            p.send("other", Ask::download(&path).header("if-none-match", "\"other\"")).await.map(drop)
        }))
        .judge(|o| {
            for label in ["list", "weak", "star"] {
                o.at(label)?.status(304)?;
                o.at(label)?.body_is(b"")?;
            }
            whole(o, "other")
        }),
    case("files/condition/not-modified-headers", "RFC 9110, 15.4.5", &["10.if-none-match"])
        .requires("a 304 carries the ETag")
        .why("a cache renews its entry by it")
        .features(RANGE)
        .needs(ETAG)
        .act(act!(|p| {
            let path = digits(p).await?;
            p.send("first", Ask::download(&path)).await?;
            let etag = p.header("first", "etag")?;
            p.send("same", Ask::download(&path).header("if-none-match", &etag)).await.map(drop)
        }))
        .judge(|o| {
            let (first, same) = (o.at("first")?, o.at("same")?);
            first.status(200)?;
            same.status(304)?;
            same.same("header etag", same.header("etag"), first.header("etag"))
        }),
    case("files/condition/date", "contract 10 and RFC 9110, 13.1.3", &["10.if-modified-since"])
        .requires("If-Modified-Since is 304 when the file is not newer, and 200 when it is")
        .why("older clients know no ETags")
        .features(RANGE)
        .needs(ETAG)
        .act(act!(|p| {
            let path = digits(p).await?;
            p.send("first", Ask::download(&path)).await?;
            let date = p.header("first", "last-modified")?;
            for (label, value) in [("same", date.as_str()), ("far", FAR), ("old", LONG_AGO)] {
                p.send(label, Ask::download(&path).header("if-modified-since", value)).await?;
            }
            Ok(())
        }))
        .judge(|o| {
            o.at("same")?.status(304)?;
            whole(o, "old")
        }),
    case("files/condition/etag-over-date", "RFC 9110, 13.2.2", &["10.if-none-match", "10.if-modified-since"])
        .requires("with If-None-Match the date is ignored")
        .why("a file that changed twice in one second has one date and two ETags")
        .features(RANGE)
        .needs(ETAG)
        .act(act!(|p| {
            let path = digits(p).await?;
            p.send("first", Ask::download(&path)).await?;
            let date = p.header("first", "last-modified")?;
            let ask =
                Ask::download(&path).header("if-none-match", "\"other\"").header("if-modified-since", &date);
            p.send("get", ask).await.map(drop)
        }))
        .judge(|o| whole(o, "get")),
    case("files/condition/date-unreadable", "RFC 9110, 13.1.3", &["10.if-modified-since"])
        .requires("a date that cannot be read is no condition")
        .why("a strange header is no reason to answer nothing")
        .features(RANGE)
        .needs(ETAG)
        .act(act!(|p| with(p, "get", "if-modified-since", "yesterday").await))
        .judge(|o| whole(o, "get")),
    case("files/condition/if-range", "contract 10 and RFC 9110, 13.1.5", &["10.if-range"])
        .requires("If-Range with the file's ETag is the part, with another all of it")
        .why("the half that a client has and the half that comes must be of one file")
        .features(RANGE)
        .needs(&["files/range/part", "files/condition/etag"])
        .act(act!(|p| {
            let path = digits(p).await?;
            p.send("first", Ask::download(&path)).await?;
            let etag = p.header("first", "etag")?;
            let ask =
                |value: &str| Ask::download(&path).header("range", "bytes=2-4").header("if-range", value);
            p.send("same", ask(&etag)).await?;
            p.send("other", ask("\"other\"")).await?;
            p.send("weak", ask(&format!("W/{etag}"))).await.map(drop)
        }))
        .judge(|o| {
            part(o, "same", "bytes 2-4/10", b"234")?;
            whole(o, "other")?;
            whole(o, "weak")
        }),
    case("files/condition/if-range-date", "RFC 9110, 13.1.5", &["10.if-range"])
        .requires("If-Range with an older date than the file's is all of it")
        .why("clients without ETags use dates")
        .features(RANGE)
        .needs(PART)
        .act(act!(|p| {
            let path = digits(p).await?;
            let ask = Ask::download(&path).header("range", "bytes=2-4").header("if-range", LONG_AGO);
            p.send("get", ask).await.map(drop)
        }))
        .judge(|o| whole(o, "get")),
    case("files/condition/changes", "contract 10", &["10.validators"])
        .requires("an ETag changes with the content even when length and second stay the same")
        .why("a quick fix would stay invisible")
        .features(RANGE)
        .needs(ETAG)
        .act(act!(|p| {
            let path = digits(p).await?;
            p.send("first", Ask::download(&path)).await?;
            p.upload("change", &path, b"9876543210").await?;
            p.send("second", Ask::download(&path)).await.map(drop)
        }))
        .judge(|o| {
            let (first, second) = (o.at("first")?, o.at("second")?);
            second.status(200)?;
            second.body_is(b"9876543210")?;
            let (old, new) = (first.header("etag"), second.header("etag"));
            second.holds(new.is_some() && old != new, &format!("an ETag other than {old:?}"), new)
        }),
];
