//! Connect and HTTP below all RPCs: content types, encodings, envelopes, deadlines, methods (contract 1).

use super::edit::{
    FS, INTERNAL, INVALID, NOT_FOUND, START, UNIMPLEMENTED, answer, fault, frames, refusal, request, text,
};
use crate::mutant::Mutant;

const PROCESS: &str = "/process.Process/";

pub(crate) const MUTANTS: &[Mutant] = &[
    answer("wire/binary-as-json", "binary answers are called JSON", "/", |_, a| {
        a.head("application/proto", "application/json");
    }),
    answer("wire/stream-as-json", "streams are called JSON", "/", |_, a| {
        a.head("content-type: application/connect+json", "content-type: application/json");
    }),
    answer("wire/stream-charset", "the content type of a stream has a charset", START, |_, a| {
        a.head("application/connect+json\r\n", "application/connect+json; charset=utf-8\r\n");
    }),
    answer("wire/offer-lost", "streams do not offer their encodings", START, |_, a| {
        a.without("connect-accept-encoding");
    }),
    request("wire/version-ignored", "Connect-Protocol-Version is not looked at", "/", |_, r| {
        r.head("connect-protocol-version", "x-protocol-version");
    }),
    request("wire/version-demanded", "Connect-Protocol-Version is demanded", PROCESS, |_, r| {
        if !r.heads("connect-protocol-version") {
            r.with("connect-protocol-version", "0");
        }
    }),
    request("wire/charset-refused", "a charset in the content type is refused", "/", |_, r| {
        r.head("; charset=", "-charset-");
    }),
    request("wire/deadline-ignored", "deadlines are ignored", "/", |_, r| {
        r.head("connect-timeout-ms", "x-timeout-ms");
    }),
    request("wire/deadline-zero", "a deadline of 0 is one", "/", |_, r| {
        r.head("connect-timeout-ms: 0\r\n", "connect-timeout-ms: 1\r\n");
    }),
    request("wire/deadline-unreadable", "a deadline that cannot be read is one of 1 ms", "/", |_, r| {
        for value in ["soon", "abc", "1s", "x", "-1", "1.5", "never", "10ms", "5s"] {
            r.head(&format!("connect-timeout-ms: {value}\r\n"), "connect-timeout-ms: 1\r\n");
        }
    }),
    request("wire/gzip-refused", "a gzip request is refused", PROCESS, |_, r| {
        r.head("\r\ncontent-encoding: gzip", "\r\ncontent-encoding: br");
    }),
    request("wire/gzip-of-files-refused", "a gzip request is refused by file calls", FS, |_, r| {
        r.head("\r\ncontent-encoding: gzip", "\r\ncontent-encoding: br");
    }),
    request("wire/zstd-refused", "a zstd request is refused", "/", |_, r| {
        r.head("\r\ncontent-encoding: zstd", "\r\ncontent-encoding: br");
    }),
    request("wire/two-lengths-first", "of two lengths the first counts", "/", |_, r| {
        r.head("content-length: 15\r\ncontent-length: 2\r\n", "content-length: 15\r\n");
    }),
    request("wire/encoding-ignored", "an encoding that is not known is ignored", "/", |_, r| {
        r.head("\r\ncontent-encoding: br", "\r\nx-encoding: br");
        r.head("\r\ncontent-encoding: deflate", "\r\nx-encoding: deflate");
    }),
    request("wire/stream-encoding-ignored", "the encoding of a stream is not looked at", "/", |_, r| {
        r.head("connect-content-encoding:", "x-content-encoding:");
    }),
    request("wire/stream-encoding-assumed", "a compressed envelope is taken as gzip", "/", |_, r| {
        if r.heads("connect+") && !r.heads("connect-content-encoding:") {
            r.with("connect-content-encoding", "gzip");
        }
    }),
    answer("wire/unimplemented-as-404", "what is unimplemented is 404", "/", |_, a| {
        a.head("501 Not Implemented", "404 Not Found");
    }),
    answer("wire/encoding-as-invalid", "an encoding that is not known is invalid_argument", "/", |_, a| {
        refusal(a, UNIMPLEMENTED, INVALID);
    }),
    answer("wire/unknown-method-as-not-found", "an unknown RPC is not_found", "/", |_, a| {
        refusal(a, ("unimplemented", "404 Not Found"), NOT_FOUND);
    }),
    answer("wire/unknown-method-501", "an unknown RPC is 501", "/", |_, a| {
        if a.says("method not found") {
            a.head("404 Not Found", "501 Not Implemented");
        }
    }),
    answer("wire/method-text", "an unknown RPC is told otherwise", "/", |_, a| {
        a.body("method not found", "no such method");
    }),
    answer("wire/get-404", "GET on an RPC is 404", "GET /", |_, a| {
        if a.says("GET requests") {
            a.head("405 Method Not Allowed", "404 Not Found");
        }
    }),
    answer("wire/decode-as-internal", "a request that cannot be read is internal", "/", |_, a| {
        if a.says("failed to decode") {
            refusal(a, INVALID, INTERNAL);
        }
    }),
    answer("wire/decode-200", "a request that cannot be read has the status of a success", "/", |_, a| {
        if a.says("failed to decode") {
            a.head("400 Bad Request", "200 OK");
        }
    }),
    answer("wire/decode-text", "a request that cannot be read is told otherwise", "/", |_, a| {
        a.body("failed to decode", "cannot read");
    }),
    answer("wire/version-as-internal", "another protocol version is internal", "/", |_, a| {
        if a.says("unsupported protocol version") {
            refusal(a, INVALID, INTERNAL);
        }
    }),
    request("wire/empty-is-message", "an empty JSON body is a message", "/", |_, r| {
        if r.heads("content-type: application/json") && r.bytes_mut().is_empty() {
            *r.bytes_mut() = b"{}".to_vec();
        }
    }),
    request("wire/cut-is-end", "a cut envelope is the end of a request", START, |_, r| {
        let body = r.bytes_mut().clone();
        let (frames, rest) = conformance::stream::envelope::read(&body);
        if rest > 0 && frames.is_empty() {
            r.bytes_mut().clear();
        }
    }),
    request("wire/first-message-only", "more than one message of a call is passed over", START, |_, r| {
        r.messages(|all| all.truncate(1));
    }),
    frames(
        "wire/too-large-as-invalid",
        "a message that is too large is invalid_argument",
        "/process.Process/",
        |_, flag, m| super::edit::code(flag, m, "resource_exhausted", "invalid_argument"),
    ),
    frames(
        "wire/unannounced-as-invalid",
        "compression without a word of it is invalid_argument",
        "/",
        |_, flag, m| super::edit::code(flag, m, "internal", "invalid_argument"),
    ),
    frames("wire/unimplemented-as-unknown", "a stream's unimplemented is unknown", "/", |_, flag, m| {
        super::edit::code(flag, m, "unimplemented", "unknown")
    }),
    frames(
        "wire/unary-as-stream-text",
        "a unary RPC called as a stream is told otherwise",
        "/",
        |_, flag, m| text(flag, m, "streaming content type used", "stream used"),
    ),
    frames("wire/limit-text", "the limit of a message is not told", "/", |_, flag, m| {
        text(flag, m, "4194304", "4 MiB")
    }),
    fault(
        "fault/end-missing",
        "no stream has END_STREAM, not in binary either",
        "process.Process/Start: end-missing",
    ),
    fault("fault/end-twice", "END_STREAM comes twice", "process.Process/Start: end-twice"),
    fault("fault/end-trailing", "something follows END_STREAM", "process.Process/Start: end-trailing"),
    fault("fault/end-malformed", "END_STREAM is no JSON", "process.Process/Start: end-malformed"),
    fault("fault/end-error", "every stream ends in an error", "process.Process/Start: end-error internal"),
    fault("fault/third-lost", "the third message of a stream is lost", "process.Process/Start down[3]: drop"),
    fault(
        "fault/third-twice",
        "the third message of a stream comes twice",
        "process.Process/Start down[3]: duplicate",
    ),
    fault(
        "fault/swapped",
        "the second and third message change places",
        "process.Process/Start down[2]: swap",
    ),
    fault(
        "fault/flag-four",
        "the second message has a flag that is not known",
        "process.Process/Start down[2]: flag 4",
    ),
    fault(
        "fault/false-compressed",
        "the second message is called compressed",
        "process.Process/Start down[2]: false-compressed",
    ),
    fault(
        "fault/length-longer",
        "the tenth message says one byte too many",
        "process.Process/Start down[10]: length-longer 1",
    ),
    fault("fault/output-merged", "output waits to be merged", "process.Process/Start: output-merged"),
    fault(
        "fault/output-doubled",
        "output comes twice, in binary too",
        "process.Process/Start: output-doubled",
    ),
    fault(
        "fault/output-lost",
        "twelve bytes of output are lost at 30000",
        "process.Process/Start: output-lost 12 from=30000",
    ),
    fault("fault/end-lost", "the guest never tells an end", "process.Process/Start: end-lost"),
    fault("fault/exit-code", "every command exits with 3", "process.Process/Start: exit-code 3"),
    fault("fault/start-late", "every start takes a while", "process.Process/Start: start-late 400ms"),
    fault(
        "fault/abort-late",
        "a stream is cut at 200 kB of output",
        "process.Process/Start stdout@200000: abort",
    ),
    fault("fault/stall-late", "output stops at 300 kB", "process.Process/Start stdout@300000: abort"),
    fault("fault/flip-late", "a bit is wrong at 500 kB", "process.Process/Start @500000: flip"),
    fault("fault/pty-cut", "a terminal's output is cut at 100 kB", "process.Process/Start pty@100000: abort"),
    fault("fault/stderr-cut", "stderr is cut at 10 kB", "process.Process/Start stderr@10000: abort"),
    fault(
        "fault/every-tenth-unavailable",
        "every tenth call is unavailable",
        "process.Process/Start every=10: error unavailable",
    ),
    fault("fault/spawn-fails", "nothing can be started", "process.Process/Start: spawn-fails"),
    fault("fault/list-unavailable", "List is unavailable", "process.Process/List: error unavailable"),
    fault("fault/listing-cut", "a big listing is cut", "filesystem.Filesystem/ListDir @500000: cut"),
    fault(
        "fault/content-type-lost",
        "Stat has no content type",
        "filesystem.Filesystem/Stat: header-remove content-type",
    ),
];
