//! gRPC and gRPC-Web on the same port (contract 1): as little as shows that they are understood.

use envd_proto::filesystem::{StatRequest, StatResponse};
use prost::Message as _;

use crate::case::{Case, act, case};
use crate::feature::Feature;
use crate::observation::Observation;
use crate::probe::Ask;
use crate::stream::envelope;
use crate::verdict::Judged;

/// The flag of the trailers in a gRPC-Web body.
const TRAILERS: u8 = 0x80;

fn stat(kind: &str, path: &str) -> Ask {
    let body = envelope::write(0, &StatRequest { path: path.to_owned() }.encode_to_vec());
    Ask::new("POST", "/filesystem.Filesystem/Stat")
        .header("content-type", kind)
        .header("te", "trailers")
        .body(body)
}

/// The one message of the body is the entry of this path.
fn tells_of(o: &Observation, label: &str, path: &str) -> Judged {
    let seen = o.at(label)?;
    seen.status(200)?;
    let first = envelope::read(&seen.exchange.body).0.into_iter().next();
    let message = first.and_then(|frame| StatResponse::decode(frame.data.as_slice()).ok());
    let entry = message.and_then(|message| message.entry).unwrap_or_default();
    seen.same("path", entry.path.as_str(), path)
}

/// The trailers at the end of a gRPC-Web body.
fn trailers(o: &Observation, label: &str) -> Result<String, crate::verdict::Objection> {
    let seen = o.at(label)?;
    seen.status(200)?;
    let (frames, rest) = envelope::read(&seen.exchange.body);
    seen.same("bytes behind the last whole frame", rest, 0)?;
    let last = frames.last().filter(|frame| frame.flag == TRAILERS);
    let text = last.map(|frame| String::from_utf8_lossy(&frame.data).into_owned());
    text.ok_or_else(|| seen.wrong("a frame of flag 128 at last", "none"))
}

pub(in crate::suites) const CASES: &[Case] = &[
    case("wire/grpc-web/unary", "contract 1", &["1.grpc"])
        .requires("a unary RPC in gRPC-Web is a message frame and then trailers with grpc-status 0")
        .why("web clients of that protocol use the same port")
        .act(act!(|p| p.send("web", stat("application/grpc-web+proto", "/usr")).await.map(drop)))
        .judge(|o| {
            tells_of(o, "web", "/usr")?;
            let text = trailers(o, "web")?;
            o.at("web")?.holds(text.contains("grpc-status: 0"), "grpc-status: 0", text)
        }),
    case("wire/grpc-web/error", "contract 1", &["1.grpc"])
        .requires("an error in gRPC-Web is HTTP 200 with grpc-status 5 for not_found in the trailers")
        .why("the number is all that such a client looks at")
        .positive_control(|o| tells_of(o, "twin", "/usr"))
        .act(act!(|p| {
            p.send("twin", stat("application/grpc-web+proto", "/usr")).await?;
            p.send("web", stat("application/grpc-web+proto", "/envd-conformance-no-such")).await.map(drop)
        }))
        .judge(|o| {
            let text = trailers(o, "web")?;
            o.at("web")?.holds(text.contains("grpc-status: 5"), "grpc-status: 5", text)
        }),
    case("wire/grpc/unary", "contract 1", &["1.grpc"])
        .requires("a unary RPC in gRPC over HTTP/2 is a message and grpc-status 0 in the trailers")
        .why("clients of that protocol use the same port")
        .features(&[Feature::Http2])
        .needs(&["wire/http2/health"])
        .act(act!(|p| {
            p.send_h2("ok", &stat("application/grpc", "/usr")).await?;
            p.send_h2("error", &stat("application/grpc+proto", "/envd-conformance-no-such")).await
        }))
        .judge(|o| {
            tells_of(o, "ok", "/usr")?;
            o.at("ok")?.header_is("grpc-status", "0")?;
            o.at("error")?.status(200)?;
            o.at("error")?.header_is("grpc-status", "5")
        }),
];
