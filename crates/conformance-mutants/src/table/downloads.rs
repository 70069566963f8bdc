//! Downloads: content, headers, ranges, conditions, encodings (contract 3.8, section 10, RFC 9110).

use super::edit::{answer, before, fault, request};
use crate::mutant::Mutant;

const GET: &str = "GET /files";

pub(crate) const MUTANTS: &[Mutant] = &[
    answer("download/byte-wrong", "one byte of a big download is wrong", GET, |_, a| {
        if let Some(byte) = a.bytes_mut().get_mut(65_536) {
            *byte ^= 1;
        }
    }),
    answer("download/as-text", "what is no text in a download is replaced", GET, |_, a| {
        if a.header("content-encoding").is_none() {
            *a.bytes_mut() = String::from_utf8_lossy(a.bytes_mut()).into_owned().into_bytes();
        }
    }),
    answer("download/204-when-empty", "an empty file is 204", GET, |_, a| {
        if a.is("200") && a.bytes_mut().is_empty() {
            a.status("204 No Content");
        }
    }),
    answer("download/missing-410", "a missing file is 410", GET, |_, a| a.head("404 Not Found", "410 Gone")),
    answer("download/missing-text", "the error of a missing file does not name it", GET, |_, a| {
        if a.is("404") {
            *a.bytes_mut() = br#"{"code":404,"message":"path does not exist"}"#.to_vec();
        }
    }),
    answer("download/directory-404", "a directory is 404", GET, |_, a| {
        if a.says("is a directory") {
            a.head("400 Bad Request", "404 Not Found");
        }
    }),
    answer("download/directory-text", "a directory is told otherwise", GET, |_, a| {
        a.body("is a directory", "is no file");
    }),
    answer("download/special-text", "a fifo is told otherwise", GET, |_, a| {
        a.body("is not a regular file", "cannot be read");
    }),
    answer("download/checking-404", "a path below a file is 404", GET, |_, a| {
        if a.says("error checking path") {
            a.head("500 Internal Server Error", "404 Not Found");
        }
    }),
    answer("download/checking-text", "a path that cannot be is told otherwise", GET, |_, a| {
        a.body("error checking path", "error opening path");
    }),
    answer("download/type-lost", "every download is application/octet-stream", GET, |_, a| {
        if a.header("content-disposition").is_some() {
            a.with("content-type", "application/octet-stream");
        }
    }),
    answer("download/type-text", "a download without a known extension is text", GET, |_, a| {
        a.head("content-type: application/octet-stream", "content-type: text/plain");
    }),
    answer("download/charset", "a text has a charset", GET, |_, a| {
        a.head("content-type: text/plain\r\n", "content-type: text/plain; charset=utf-8\r\n");
    }),
    answer("download/attachment", "a download is an attachment", GET, |_, a| {
        a.head("inline;", "attachment;");
    }),
    answer("download/name-unquoted", "the name of a download has no quotes", GET, |_, a| {
        let plain = a.header("content-disposition").map(|value| value.replace('"', ""));
        if let Some(plain) = plain {
            a.with("content-disposition", &plain);
        }
    }),
    answer("download/name-star-lost", "the name in UTF-8 is lost", GET, |_, a| {
        let short = a
            .header("content-disposition")
            .and_then(|value| Some(value.split_once("; filename*")?.0.to_owned()));
        if let Some(short) = short {
            a.with("content-disposition", &short);
        }
    }),
    answer("download/disposition-lost", "a download has no name", GET, |_, a| {
        a.without("content-disposition");
    }),
    answer("download/name-injected", "what follows a newline in a name is a header", GET, |call, a| {
        let name = call.target.split('&').next().and_then(|path| path.split_once("%0A"));
        if let Some((header, value)) = name.and_then(|(_, line)| line.split_once("%3A%20")) {
            a.with(header, value);
        }
    }),
    answer(
        "download/big-in-chunks",
        "a download over 16 MiB comes in chunks, without a length",
        GET,
        |_, a| {
            let length = a.bytes_mut().len();
            if length > 16 << 20 {
                a.without("content-length");
                a.with("transfer-encoding", "chunked");
                let size = format!("{length:x}\r\n").into_bytes();
                *a.bytes_mut() = [&size, a.bytes_mut().as_slice(), b"\r\n0\r\n\r\n"].concat();
            }
        },
    ),
    answer("download/vary-lost", "a download does not vary", GET, |_, a| {
        a.head("vary: Accept-Encoding\r\n", "");
    }),
    answer("download/ranges-unsaid", "a download does not say that it takes ranges", GET, |_, a| {
        a.without("accept-ranges");
    }),
    answer("download/head-with-other-length", "HEAD says another length than GET", "HEAD /files", |_, a| {
        if a.header("content-length").is_some() {
            a.with("content-length", "0");
        }
    }),
    answer("download/head-404-as-400", "HEAD of a missing file is 400", "HEAD /files", |_, a| {
        a.head("404 Not Found", "400 Bad Request");
    }),
    answer("download/stale", "a download is the one of before", GET, |call, a| {
        if a.is("200") && a.header("content-encoding").is_none() {
            let mut kept = call.kept();
            let first = kept.entry(call.target.clone()).or_insert(a.bytes_mut().clone()).clone();
            *a.bytes_mut() = first;
        }
    }),
    answer("download/empty-special", "a file without a size comes back empty", GET, |call, a| {
        if a.is("200") && call.target.contains("path=/proc/") {
            a.bytes_mut().clear();
        }
    }),
    before("download/link-refused", "a link is not followed", GET, "test -L \"$1\" && mv \"$1\" \"$1.gone\""),
    before(
        "download/unreadable",
        "a file that its user may not read is not found",
        GET,
        "case $(stat -c %a \"$1\") in 0|600|400) mv \"$1\" \"$1.gone\";; esac",
    ),
    request("range/ignored", "Range is ignored", GET, |_, r| r.head("\r\nrange: ", "\r\nx-range: ")),
    request("range/suffix-ignored", "a suffix range is ignored", GET, |_, r| {
        r.head("\r\nrange: bytes=-", "\r\nx-range: bytes=-");
    }),
    request("range/open-ignored", "a range without an end is ignored", GET, |_, r| {
        if r.heads("-\r\n") {
            r.head("\r\nrange: ", "\r\nx-range: ");
        }
    }),
    request("range/unreadable-refused", "a Range of another unit is refused", GET, |_, r| {
        if r.heads("\r\nrange: ") && !r.heads("\r\nrange: bytes=") {
            r.head("\r\nrange: ", "\r\nrange: bytes=99999999-\r\nx-range: ");
        }
    }),
    request("range/one-byte-open", "a range of one byte has no end", GET, |_, r| {
        for at in 0..10 {
            r.head(&format!("\r\nrange: bytes={at}-{at}\r\n"), &format!("\r\nrange: bytes={at}-\r\n"));
        }
    }),
    answer("range/one-more", "a range has one byte too many", GET, |_, a| {
        if a.is("206") {
            a.bytes_mut().push(0);
        }
    }),
    answer("range/one-less", "a range lacks its last byte", GET, |_, a| {
        if a.is("206") {
            a.bytes_mut().pop();
        }
    }),
    answer("range/as-200", "a range is 200", GET, |_, a| a.head("206 Partial Content", "200 OK")),
    answer("range/content-range-lost", "a range does not say which it is", GET, |_, a| {
        if a.is("206") {
            a.without("content-range");
        }
    }),
    answer("range/total-star", "a range does not tell the total", GET, |_, a| {
        let Some((range, _)) = a.header("content-range").and_then(|value| value.split_once('/')) else {
            return;
        };
        let range = format!("{range}/*");
        if a.is("206") {
            a.with("content-range", &range);
        }
    }),
    answer("range/beyond-as-200", "a range beyond the end is an empty 200", GET, |_, a| {
        if a.is("416") {
            a.status("200 OK");
        }
    }),
    answer("range/beyond-untold", "416 does not tell the length", GET, |_, a| {
        if a.is("416") {
            a.without("content-range");
        }
    }),
    answer("range/32-bit", "ranges are counted in 32 bits", GET, |_, a| {
        let Some(value) = a.header("content-range").map(str::to_owned) else { return };
        let cut = |part: &str| part.parse::<u64>().map_or(part.to_owned(), |n| (n & 0xffff_ffff).to_string());
        let parts: Vec<String> = value.trim_start_matches("bytes ").split(['-', '/']).map(cut).collect();
        if let [from, to, all] = parts.as_slice() {
            a.with("content-range", &format!("bytes {from}-{to}/{all}"));
        }
    }),
    answer("range/head-too", "HEAD heeds Range", "HEAD /files", |call, a| {
        if a.is("200") && call.target.contains("range") {
            a.status("206 Partial Content");
        }
    }),
    request("range/gzip-wins", "gzip wins over Range", GET, |_, r| {
        if r.heads("accept-encoding:") {
            r.head("\r\nrange: ", "\r\nx-range: ");
        }
    }),
    request("condition/none-match-ignored", "If-None-Match is ignored", GET, |_, r| {
        r.head("if-none-match: ", "x-none: ");
    }),
    request("condition/star-ignored", "If-None-Match: * is ignored", GET, |_, r| {
        r.head("if-none-match: *", "x-none: *");
    }),
    request("condition/list-ignored", "of If-None-Match only the first is looked at", GET, |_, r| {
        r.head("if-none-match: \"other\", ", "if-none-match: \"other\"\r\nx-none: ");
        r.head("if-none-match: \"x\", ", "if-none-match: \"x\"\r\nx-none: ");
        r.head("if-none-match: \"a\", ", "if-none-match: \"a\"\r\nx-none: ");
    }),
    request("condition/weak-ignored", "a weak ETag never matches", GET, |_, r| r.head("W/\"", "W/\"not")),
    request("condition/date-ignored", "If-Modified-Since is ignored", GET, |_, r| {
        r.head("if-modified-since: ", "x-since: ");
    }),
    request("condition/date-wins", "If-Modified-Since wins over If-None-Match", GET, |_, r| {
        if r.heads("if-modified-since: ") {
            r.head("if-none-match: ", "x-none: ");
        }
    }),
    request("condition/date-unreadable", "a date that cannot be read is now", GET, |_, r| {
        if !r.heads(" GMT") {
            r.head("if-modified-since: ", "if-modified-since: Fri, 01 Jan 2100 00:00:00 GMT\r\nx-since: ");
        }
    }),
    request("condition/if-range-ignored", "If-Range is ignored", GET, |_, r| r.head("if-range: ", "x-if: ")),
    request("condition/if-range-refused", "If-Range never holds", GET, |_, r| {
        r.head("if-range: \"", "if-range: \"not");
    }),
    request("condition/if-range-date-ignored", "If-Range with a date is ignored", GET, |_, r| {
        if !r.heads("if-range: \"") {
            r.head("if-range: ", "x-if: ");
        }
    }),
    answer("condition/etag-constant", "every file has the same ETag", GET, |_, a| {
        if a.header("etag").is_some() {
            a.with("etag", "\"1\"");
        }
    }),
    answer("condition/etag-weak", "ETags are weak", GET, |_, a| a.head("etag: \"", "etag: W/\"")),
    answer("condition/etag-lost", "a download has no ETag", GET, |_, a| {
        if a.is("200") {
            a.without("etag");
        }
    }),
    answer("condition/etag-of-size", "the ETag is the size alone", GET, |_, a| {
        let Some(size) = a.header("etag").and_then(|tag| tag.split('-').nth(1)).map(str::to_owned) else {
            return;
        };
        a.with("etag", &format!("\"{size}\""));
    }),
    answer("condition/304-without-etag", "a 304 has no ETag", GET, |_, a| {
        if a.is("304") {
            a.without("etag");
        }
    }),
    answer("condition/modified-lost", "a download has no Last-Modified", GET, |_, a| {
        a.without("last-modified");
    }),
    answer("condition/modified-is-now", "Last-Modified is the time of the download", GET, |_, a| {
        let date = a.header("date").map(str::to_owned);
        if let Some(date) = date.filter(|_| a.header("last-modified").is_some()) {
            a.with("last-modified", &date);
        }
    }),
    request("encoding/gzip-never", "gzip is never used", GET, |_, r| {
        r.head("accept-encoding: ", "x-accept: ");
    }),
    request("encoding/unknown-refused", "an offer without a known encoding is 406", GET, |_, r| {
        if ["gzip", "identity", "*"].iter().all(|known| !r.heads(known)) {
            r.head("accept-encoding: ", "accept-encoding: identity;q=0, ");
        }
    }),
    request("encoding/weights-ignored", "weights of encodings are ignored", GET, |_, r| {
        r.head(";q=0.1", "");
        r.head(";q=0.5", "");
        r.head(";q=0", "");
    }),
    request("encoding/star-is-gzip", "* is gzip", GET, |_, r| {
        r.head("accept-encoding: *", "accept-encoding: gzip");
    }),
    answer("encoding/small-plain", "gzip is not said for what is small", GET, |_, a| {
        if a.bytes_mut().len() < 1000 {
            a.without("content-encoding");
        }
    }),
    answer("encoding/unsaid", "gzip is not called gzip", GET, |_, a| a.without("content-encoding")),
    answer("encoding/406-as-200", "what is not acceptable is sent plainly", GET, |_, a| {
        a.head("406 Not Acceptable", "200 OK");
    }),
    answer("encoding/406-as-415", "nothing acceptable is 415", GET, |_, a| {
        a.head("406 Not Acceptable", "415 Unsupported Media Type");
    }),
    answer("encoding/406-text", "406 does not tell what is supported", GET, |_, a| {
        a.body("supported", "known");
    }),
    fault("download/cut", "a download ends after 100 kB as if it were whole", "GET /files @100000: cut"),
    fault("download/flipped", "a bit of a download is wrong", "GET /files @7: flip"),
    fault(
        "download/length-longer",
        "a download says one byte more than it has",
        "GET /files: content-length 4",
    ),
    fault("download/slow", "downloads are interrupted at 300 bytes", "GET /files @300: reset"),
];
