//! Signatures that stand in for the token on /files (contract 2), with computed vectors.

use base64::prelude::{BASE64_STANDARD_NO_PAD, Engine as _};
use serde_json::json;
use sha2::{Digest as _, Sha256};

use crate::case::{Case, Isolation, act};
use crate::observation::Observation;
use crate::probe::{Ask, Probe, SetupError};
use crate::suites::controls;
use crate::verdict::Judged;

const OWN: Case = Case { isolation: Isolation::Fresh, tags: &["token", "security"], ..Case::BASE };
const SIGNED: &[&str] = &["files/signature/valid"];
const TOKEN: &str = "envd-conformance-s3cret";
const PATH: &str = "/tmp/envd-conformance/f";

/// What a signature is made over, and what is asked for with it.
struct Link<'a> {
    path: &'a str,
    operation: &'a str,
    user: &'a str,
    expiration: Option<&'a str>,
}

const LINK: Link<'_> = Link { path: PATH, operation: "read", user: "root", expiration: None };

impl Link<'_> {
    fn signature(&self) -> String {
        let Self { path, operation, user, expiration } = self;
        let end = expiration.map(|time| format!(":{time}")).unwrap_or_default();
        format!(
            "v1_{}",
            BASE64_STANDARD_NO_PAD.encode(Sha256::digest(format!("{path}:{operation}:{user}:{TOKEN}{end}")))
        )
    }
}

/// A guest with a file and then a token.
async fn locked(p: &mut Probe) -> Result<(), SetupError> {
    p.upload("upload", PATH, b"secret").await?;
    p.init("init", json!({ "access_token": TOKEN })).await
}

async fn get(p: &mut Probe, label: &str, ask: Ask, signature: &str) -> Result<(), SetupError> {
    p.send(label, ask.query("signature", signature)).await.map(drop)
}

fn opens(o: &Observation, label: &str) -> Judged {
    o.at(label)?.status(200)
}

fn refused(o: &Observation, label: &str, words: &str) -> Judged {
    let seen = o.at(label)?;
    seen.status(401)?;
    seen.field_is("/code", 401)?;
    seen.says(words)
}

pub(in crate::suites) const CASES: &[Case] = &[
    OWN.case("files/signature/padded", "contract 2", &["2.signature-padded", "2.signature-form"])
        .requires("the padded form of a signature is refused")
        .why("two forms of one signature are two links to revoke")
        .needs(SIGNED)
        .positive_control(|o| opens(o, "twin"))
        .act(act!(|p| {
            locked(p).await?;
            get(p, "twin", Ask::download(PATH), &LINK.signature()).await?;
            get(p, "padded", Ask::download(PATH), &format!("{}=", LINK.signature())).await
        }))
        .judge(|o| refused(o, "padded", "invalid signature")),
    OWN.case("files/signature/no-prefix", "contract 2", &["2.signature-form"])
        .requires("a signature without v1_, in another case or empty is refused")
        .why("the prefix is the version of the scheme")
        .needs(SIGNED)
        .positive_control(|o| opens(o, "twin"))
        .act(act!(|p| {
            locked(p).await?;
            let right = LINK.signature();
            get(p, "twin", Ask::download(PATH), &right).await?;
            get(p, "bare", Ask::download(PATH), right.trim_start_matches("v1_")).await?;
            get(p, "case", Ask::download(PATH), &right.to_ascii_lowercase()).await?;
            get(p, "capital", Ask::download(PATH), &right.replacen('v', "V", 1)).await?;
            get(p, "empty", Ask::download(PATH), "").await
        }))
        .judge(|o| {
            ["bare", "case", "capital", "empty"]
                .iter()
                .try_for_each(|label| refused(o, label, "invalid signature"))
        }),
    OWN.case("files/signature/write", "contract 2", &["2.signature-operation"])
        .requires("an upload needs a signature for write; one for read is refused, and nothing is written")
        .why("a link to look must not be a link to change")
        .needs(SIGNED)
        .act(act!(|p| {
            locked(p).await?;
            let dialect = p.dialect();
            let ask = || dialect.upload(PATH, "root", b"new");
            get(p, "read", ask(), &LINK.signature()).await?;
            p.send("kept", Ask::download(PATH).header("x-access-token", TOKEN)).await?;
            get(p, "write", ask(), &Link { operation: "write", ..LINK }.signature()).await?;
            p.send("written", Ask::download(PATH).header("x-access-token", TOKEN)).await.map(drop)
        }))
        .judge(|o| {
            refused(o, "read", "invalid signature")?;
            o.at("kept")?.body_is(b"secret")?;
            opens(o, "write")?;
            o.at("written")?.body_is(b"new")
        }),
    OWN.case("files/signature/user-opens", "contract 2", &["2.signature-user"])
        .requires("a signature for a user opens with that username")
        .why("a link to a user's file is signed for that user")
        .needs(SIGNED)
        .act(act!(|p| {
            locked(p).await?;
            let ask = Ask::new("GET", "/files").query("path", PATH).query("username", "user");
            get(p, "user", ask, &Link { user: "user", ..LINK }.signature()).await
        }))
        .judge(|o| opens(o, "user")),
    OWN.case("files/signature/user", "contract 2", &["2.signature-user"])
        .requires("the username is signed: a signature for one user is none for another")
        .why("relative paths are other files for other users")
        .needs(SIGNED)
        .positive_control(|o| opens(o, "twin"))
        .act(act!(|p| {
            locked(p).await?;
            let ask = || Ask::new("GET", "/files").query("path", PATH).query("username", "user");
            get(p, "twin", ask(), &Link { user: "user", ..LINK }.signature()).await?;
            get(p, "other", ask(), &LINK.signature()).await
        }))
        .judge(|o| refused(o, "other", "invalid signature")),
    OWN.case("files/signature/default-user", "contract 2", &["2.signature-user"])
        .requires("without a username the default user is signed")
        .why("the host signs for the user that it has set")
        .needs(SIGNED)
        .act(act!(|p| {
            locked(p).await?;
            let ask = || Ask::new("GET", "/files").query("path", PATH);
            get(p, "root", ask(), &LINK.signature()).await?;
            p.init("user", json!({ "defaultUser": "user" })).await?;
            get(p, "user's", ask(), &Link { user: "user", ..LINK }.signature()).await?;
            get(p, "root's", ask(), &LINK.signature()).await
        }))
        .judge(|o| {
            opens(o, "root")?;
            opens(o, "user's")?;
            refused(o, "root's", "invalid signature")
        }),
    OWN.case("files/signature/path-as-given", "contract 2", &["2.signature-raw-path"])
        .requires("the path is signed as it is given, not as it is resolved, and empty when there is none")
        .why("the host signs what it writes into the link")
        .needs(SIGNED)
        .act(act!(|p| {
            locked(p).await?;
            let dotted = "/tmp/../tmp/envd-conformance/f";
            get(p, "given", Ask::download(dotted), &Link { path: dotted, ..LINK }.signature()).await?;
            get(p, "resolved", Ask::download(dotted), &LINK.signature()).await?;
            let none = Ask::new("GET", "/files?username=root");
            get(p, "none", none, &Link { path: "", ..LINK }.signature()).await
        }))
        .judge(|o| {
            opens(o, "given")?;
            refused(o, "resolved", "invalid signature")?;
            o.at("none")?.status(400)?;
            o.at("none")?.says("is a directory")
        }),
    OWN.case(
        "files/signature/expiry-after-comparison",
        "contract 2",
        &["2.expired", "2.signature-expiration"],
    )
    .requires("a wrong signature with a passed expiration is told as invalid, a right one as expired")
    .why("who cannot sign learns nothing")
    .needs(&["files/signature/expiry"])
    .positive_control(controls::ok)
    .act(act!(|p| {
        locked(p).await?;
        get(p, "twin", Ask::download(PATH), &LINK.signature()).await?;
        let old = || Ask::download(PATH).query("signature_expiration", "1000000000");
        get(p, "wrong", old(), &LINK.signature()).await?;
        get(p, "right", old(), &Link { expiration: Some("1000000000"), ..LINK }.signature()).await
    }))
    .judge(|o| {
        refused(o, "wrong", "invalid signature")?;
        refused(o, "right", "signature is already expired")
    }),
    OWN.case("files/signature/header-first", "contract 2", &["2.header-wins", "2.header-wrong"])
        .requires(
            "a wrong token in the header is refused even with a right signature; an empty \
            header is none",
        )
        .why("two proofs that differ are a mistake somewhere")
        .needs(SIGNED)
        .act(act!(|p| {
            locked(p).await?;
            let signed = || Ask::download(PATH).query("signature", &LINK.signature());
            p.send("wrong", signed().header("x-access-token", "wrong")).await?;
            p.send("empty", signed().header("x-access-token", "")).await?;
            p.send("bare", Ask::download(PATH).header("x-access-token", "")).await.map(drop)
        }))
        .judge(|o| {
            refused(o, "wrong", "access token present in header but does not match")?;
            opens(o, "empty")?;
            refused(o, "bare", "missing signature query parameter")
        }),
    OWN.case("files/signature/before-all", "contract 2 and 3.8", &["2.before-file", "3.8.check-order"])
        .requires("who shows nothing is told nothing: 401 comes before a missing user and a missing file")
        .why("the answer would tell which files and users there are")
        .positive_control(controls::ok)
        .act(act!(|p| {
            locked(p).await?;
            get(p, "twin", Ask::download(PATH), &LINK.signature()).await?;
            p.send("missing", Ask::download("/tmp/envd-conformance-no-such")).await?;
            let ask = Ask::new("GET", "/files").query("path", PATH).query("username", "nobody-here");
            p.send("user", ask).await.map(drop)
        }))
        .judge(|o| {
            ["missing", "user"]
                .iter()
                .try_for_each(|label| refused(o, label, "missing signature query parameter"))
        }),
    OWN.case("files/signature/no-token", "contract 2", &["2.token-state"])
        .requires("without a token a signature and a header mean nothing")
        .why("old links to an open guest go on working")
        .act(act!(|p| {
            p.upload("upload", PATH, b"open").await?;
            get(p, "signature", Ask::download(PATH), "v1_nonsense").await?;
            p.send("header", Ask::download(PATH).header("x-access-token", "wrong")).await.map(drop)
        }))
        .judge(|o| {
            opens(o, "signature")?;
            opens(o, "header")
        }),
    OWN.case("files/signature/odd-path", "contract 2", &["2.signature-raw-path", "2.signature-form"])
        .requires("a path with blanks, plus, colon and UTF-8 is signed as its decoded text")
        .why("encoding is the link's, not the file's")
        .needs(SIGNED)
        .act(act!(|p| {
            let path = "/tmp/envd-conformance/a b+c:d é%2F";
            p.upload("upload", path, b"odd").await?;
            p.init("init", json!({ "access_token": TOKEN })).await?;
            get(p, "get", Ask::download(path), &Link { path, ..LINK }.signature()).await
        }))
        .judge(|o| {
            opens(o, "get")?;
            o.at("get")?.body_is(b"odd")
        }),
    OWN.case("files/signature/head", "contract 2", &["2.signature-operation", "1.head"])
        .requires("HEAD takes a signature for read")
        .why("browsers look at a link before they follow it")
        .needs(SIGNED)
        .act(act!(|p| {
            locked(p).await?;
            let ask = || Ask::new("HEAD", "/files").query("path", PATH).query("username", "root");
            get(p, "signed", ask(), &LINK.signature()).await?;
            p.send("bare", ask()).await.map(drop)
        }))
        .judge(|o| {
            opens(o, "signed")?;
            o.at("bare")?.status(401)
        }),
];
