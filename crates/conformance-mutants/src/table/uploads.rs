//! Uploads, and who may use `/files` (contract 2, 3.8).

use super::edit::{after, answer, before, edit_text, fault, request, target};
use crate::http::Request;
use crate::mutant::{Change, Mutant};

const POST: &str = "POST /files";

pub(crate) const MUTANTS: &[Mutant] = &[
    request("upload/path-ignored", "the query's path loses to the filename", POST, |_, r| {
        target(r, |t| without(t, "path"));
    }),
    request("upload/user-ignored", "the username of an upload is ignored", POST, |_, r| {
        target(r, |t| {
            t.replace("username=nobody", "username=root").replace("username=daemon", "username=root")
        });
    }),
    request("upload/any-part", "every part is a file", POST, |_, r| part_names(r)),
    request("upload/filename-base", "of a filename only the last part counts", POST, |_, r| {
        filenames(r, |name| name.rsplit('/').next().unwrap_or_default().to_owned());
    }),
    request("upload/encoding-ignored", "Content-Encoding is ignored", POST, |_, r| {
        r.head("content-encoding:", "x-encoding:");
    }),
    request(
        "upload/other-encodings-ignored",
        "a Content-Encoding that is not known is ignored",
        POST,
        |_, r| {
            if !r.heads("content-encoding: gzip") {
                r.head("content-encoding:", "x-encoding:");
            }
        },
    ),
    request("upload/tail-lost", "the last part of a form is lost", POST, |_, r| last_part_lost(r)),
    request("upload/cr-lf-is-lf", "CR-LF in content becomes LF", POST, |_, r| content(r, "\r\n", "\n")),
    request("upload/empty-form-ok", "a form without parts is a form with one", POST, |_, r| {
        if !r.says("content-disposition") && r.says("--envd-conformance-boundary--") {
            let part =
                "--envd-conformance-boundary\r\ncontent-disposition: form-data; name=\"file\"\r\n\r\n\r\n";
            *r.bytes_mut() = format!("{part}--envd-conformance-boundary--\r\n").into_bytes();
        }
    }),
    answer("upload/no-part-is-ok", "an upload without a file is 200 and an empty list", POST, |_, a| {
        if a.is("400") && a.says("file") && !a.says("path") && !a.says("gzip") && !a.says("Encoding") {
            a.status("200 OK");
            *a.bytes_mut() = b"[]".to_vec();
        }
    }),
    answer("upload/201", "an upload is 201", POST, |_, a| a.head("200 OK", "201 Created")),
    answer("upload/one-object", "the answer is no list", POST, |_, a| {
        a.json(|m| {
            if let Some(first) = m.as_array().and_then(|all| all.first()).cloned() {
                *m = first;
            }
        });
    }),
    answer("upload/type-lost", "the answer does not tell a type", POST, |_, a| {
        a.body(",\"type\":\"file\"", "");
    }),
    answer("upload/name-is-path", "the answer's name is the path", POST, |_, a| {
        a.json(|m| {
            for file in m.as_array_mut().into_iter().flatten() {
                file["name"] = file["path"].clone();
            }
        });
    }),
    answer("upload/size-told", "the answer tells more than it should", POST, |_, a| {
        a.json(|m| {
            for file in m.as_array_mut().into_iter().flatten() {
                file["size"] = 1.into();
            }
        });
    }),
    answer("upload/answer-as-text", "the answer to an upload is called text", POST, |_, a| {
        a.head("content-type: application/json", "content-type: text/plain");
    }),
    answer("upload/name-one-line", "a newline in the answer's name is a blank", POST, |_, a| {
        a.json(|m| {
            for file in m.as_array_mut().into_iter().flatten() {
                edit_text(file, "name", |name| name.replace('\n', " "));
            }
        });
    }),
    request("upload/filename-cleaned", "dots are passed over in a part's filename", POST, |_, r| {
        filenames(r, |name| name.replace("/../", "/"));
    }),
    request("upload/filename-blob", "a part without a filename is called blob", POST, |_, r| {
        if !r.heads("path=") {
            r.body("name=\"file\"\r\n", "name=\"file\"; filename=\"blob\"\r\n");
        }
    }),
    request("upload/chunks-refused", "a form that comes in chunks is not taken", POST, |_, r| {
        if r.heads("transfer-encoding: chunked") {
            r.head("content-type: multipart/form-data", "content-type: multipart/mixed");
        }
    }),
    answer(
        "upload/mixed",
        "what ten uploads have fought for is half of one and half of another",
        "/files",
        |call, a| {
            if call.method == "POST" {
                call.nth(&call.target);
            } else if a.is("200") && call.kept().get(&call.target).is_some_and(|uploads| uploads.len() >= 10)
            {
                let half = a.bytes_mut().len() / 2;
                a.bytes_mut()[half..].iter_mut().for_each(|byte| *byte ^= 1);
            }
        },
    ),
    after("upload/mode-600", "a file that is uploaded is 0600", POST, "test -f \"$1\" && chmod 600 \"$1\""),
    after("upload/mode-reset", "an upload resets the mode", POST, "test -f \"$1\" && chmod 644 \"$1\""),
    after(
        "upload/mode-executable",
        "a file that is uploaded is executable",
        POST,
        "test -f \"$1\" && chmod a+x \"$1\"",
    ),
    after(
        "upload/parents-700",
        "parents that an upload makes are 0700",
        POST,
        "test -f \"$1\" && chmod 700 \"${1%/*}\"",
    ),
    after(
        "upload/parents-of-root",
        "parents that an upload makes are root's",
        POST,
        "test -f \"$1\" && chown 0:0 \"${1%/*}\"",
    ),
    after(
        "upload/owner-root",
        "a file that is uploaded is root's",
        POST,
        "test -f \"$1\" && chown 0:0 \"$1\"",
    ),
    after(
        "upload/group-root",
        "a file that is uploaded is of root's group",
        POST,
        "test -f \"$1\" && chgrp 0 \"$1\"",
    ),
    after(
        "upload/last-byte-lost",
        "the last byte of an upload is lost",
        POST,
        "test -s \"$1\" && truncate -s -1 \"$1\"",
    ),
    after(
        "upload/newline-added",
        "a newline is added to an upload",
        POST,
        "test -f \"$1\" && echo >> \"$1\"",
    ),
    after(
        "upload/newline-lost",
        "a newline at the end of an upload is lost",
        POST,
        "test \"$(tail -c 1 \"$1\" | od -An -tx1)\" = ' 0a' && truncate -s -1 \"$1\"",
    ),
    Mutant {
        id: "upload/time-of-day",
        bug: "an upload is written in place, and its time is the day",
        change: Change::Aside(
            POST,
            "test -f \"$1\" && ! test -L \"$1\" && ln -f \"$1\" \"$1.old\"",
            "rm -f \"$1.old\"; touch -c -d \"$(date +%F)\" \"$1\"",
        ),
    },
    after(
        "upload/megabyte",
        "of an upload a megabyte is kept",
        POST,
        "test -f \"$1\" && truncate -s '<1M' \"$1\"",
    ),
    after(
        "upload/empty-not-made",
        "an empty upload makes no file",
        POST,
        "test -f \"$1\" && ! test -s \"$1\" && rm \"$1\"",
    ),
    after(
        "upload/temporary-left",
        "an upload leaves a temporary file behind",
        POST,
        "test -d \"${1%/*}\" && : > \"${1%/*}/.envd-upload.1\"",
    ),
    after(
        "upload/link-replaced",
        "an upload to a link replaces it",
        POST,
        "test -L \"$1\" && cat \"$1\" > \"$1.new\" && mv \"$1.new\" \"$1\"",
    ),
    before(
        "upload/truncates-first",
        "an upload empties the file before it is whole",
        POST,
        "test -f \"$1\" && : > \"$1\"",
    ),
    before(
        "upload/removes-first",
        "an upload removes the file before it is whole",
        POST,
        "test -f \"$1\" && rm \"$1\"",
    ),
    Mutant {
        id: "upload/not-truncated",
        bug: "a longer file keeps its end under an upload",
        change: Change::Aside(
            POST,
            "o=/run/$(echo \"$1\" | md5sum | cut -c -32); test -f \"$1\" && cp \"$1\" $o",
            "o=/run/$(echo \"$1\" | md5sum | cut -c -32); test -f $o && n=$(stat -c %s \"$1\") && tail -c +$((n + 1)) $o >> \"$1\"; rm -f $o",
        ),
    },
    after(
        "upload/half-stays",
        "a form that is cut leaves its half as a file",
        POST,
        "test -e \"$1\" || { mkdir -p \"${1%/*}\" && echo half > \"$1\"; }",
    ),
    answer("upload/500-as-400", "errors of a form are 400", POST, |_, a| {
        a.head("500 Internal Server Error", "400 Bad Request");
    }),
    answer("upload/400-as-500", "mistakes of the caller are 500", POST, |_, a| {
        a.head("400 Bad Request", "500 Internal Server Error");
    }),
    answer("upload/directory-text", "an upload onto a directory is told otherwise", POST, |_, a| {
        a.body("path is a directory", "is a directory");
    }),
    answer("upload/twice-text", "two parts for one path are told otherwise", POST, |_, a| {
        a.body("cannot upload multiple files to same path", "file exists");
    }),
    answer("upload/twice-ok", "two parts for one path are fine", POST, |_, a| {
        if a.says("multiple files") {
            a.status("200 OK");
            *a.bytes_mut() = b"[]".to_vec();
        }
    }),
    answer("upload/gzip-text", "broken gzip is told otherwise", POST, |_, a| {
        a.body("gzip decompression failed", "bad gzip");
    }),
    answer("upload/encoding-text", "an encoding that is not known is told otherwise", POST, |_, a| {
        a.body(", supported:", ", known:");
    }),
    answer("upload/boundary-text", "a form without boundary is told otherwise", POST, |_, a| {
        a.body("Invalid `boundary`", "no boundary");
    }),
    answer("upload/field-text", "a cut form is told otherwise", POST, |_, a| {
        a.body("error reading field", "error");
    }),
    answer("upload/directories-text", "a file among the parents is told otherwise", POST, |_, a| {
        a.body("error ensuring directories", "error making directories");
    }),
    answer("files/error-code-text", "the code of an error is a text", "/files", |_, a| {
        a.json(|m| {
            if m["code"].is_u64() {
                m["code"] = m["code"].to_string().into();
            }
        });
    }),
    answer("files/error-plain", "errors of /files are not called JSON", "/files", |_, a| {
        if a.says("\"code\":") {
            a.with("content-type", "text/plain");
        }
    }),
    answer("files/error-field", "errors of /files have no message", "/files", |_, a| {
        if a.says("\"code\":") {
            a.body("\"message\"", "\"error\"");
        }
    }),
    answer("files/user-404", "an unknown user is 404", "/files", |_, a| {
        if a.says("user '") {
            a.head("401 Unauthorized", "404 Not Found");
        }
    }),
    request("files/user-unknown-root", "an unknown user is root", "/files", |_, r| {
        target(r, |t| {
            let known = ["root", "nobody", "daemon", "bin", "games", "www-data", "user"];
            let name = t.split('&').find_map(|p| p.rsplit_once("username=")).map_or("root", |(_, name)| name);
            if known.contains(&name) {
                t.to_owned()
            } else {
                t.replace(&format!("username={name}"), "username=root")
            }
        });
    }),
    answer("files/tilde-text", "~name is told otherwise", "/files", |_, a| {
        a.body("user-specific home dir", "that");
    }),
    request("files/tilde-kept", "a tilde is a name in uploads and downloads", "/files", |_, r| {
        target(r, |t| t.replace("path=~", "path=./~").replace("path=%7E", "path=./~"));
    }),
    request("files/dots-taken", "dots are taken out of paths", "/files", |_, r| {
        target(r, |t| {
            let Some((head, rest)) = t.split_once("path=/") else { return t.to_owned() };
            let (path, more) =
                rest.split_once('&').map_or((rest, String::new()), |(path, more)| (path, format!("&{more}")));
            format!("{head}path={}{more}", super::commands::lexical(&format!("/{path}")))
        });
    }),
    request("files/parent-is-name", "a step to the parent is passed over in paths", "/files", |_, r| {
        target(r, |t| t.replace("/..", ""));
    }),
    request("files/decoded-twice", "the query is decoded twice", "/files", |_, r| {
        target(r, |t| t.replace("%25", "%"));
    }),
    request("files/plus-is-plus", "a plus in the query is a plus", "/files", |_, r| {
        target(r, |t| t.replace('+', "%2B"));
    }),
    request("files/relative-to-root", "relative paths start at /", "/files", |_, r| {
        target(r, |t| match t.split_once("path=") {
            Some((head, path)) if !path.starts_with(['/', '~', '%', '&']) && !path.is_empty() => {
                format!("{head}path=/{path}")
            }
            _ => t.to_owned(),
        });
    }),
    request("files/workdir-ignored", "relative paths start at the home", "/files", |_, r| {
        target(r, |t| match t.split_once("path=") {
            Some((head, path)) if !path.starts_with(['/', '~', '%', '&', '.']) && !path.is_empty() => {
                format!("{head}path=~/{path}")
            }
            _ => t.to_owned(),
        });
    }),
    request("files/default-user-root", "without a username it is root", "/files", |_, r| {
        target(r, |t| {
            if t.contains("username=") {
                t.to_owned()
            } else {
                format!("{t}{}username=root", if t.contains('?') { '&' } else { '?' })
            }
        });
    }),
    request("files/nul-cut", "a path is cut at a NUL", "/files", |_, r| {
        target(r, |t| match t.split_once("%00") {
            Some((head, rest)) => format!("{head}{}", rest.find('&').map_or("", |at| &rest[at..])),
            None => t.to_owned(),
        });
    }),
    request(
        "files/first-of-two",
        "of a query value that is given twice the first counts",
        "/files",
        |_, r| {
            target(r, |t| {
                let (path, query) = t.split_once('?').unwrap_or((t, ""));
                let mut seen = std::collections::BTreeSet::new();
                let once = query
                    .split('&')
                    .filter(|pair| seen.insert(pair.split('=').next().unwrap_or_default().to_owned()));
                format!("{path}?{}", once.collect::<Vec<_>>().join("&"))
            });
        },
    ),
    answer("files/query-json", "a bad query is JSON", "/files", |_, a| {
        if a.says("Failed to deserialize") {
            *a.bytes_mut() = br#"{"code":400,"message":"bad query"}"#.to_vec();
        }
    }),
    fault("upload/disk-full", "the disk is full", "POST /files: disk-full 100"),
    fault("upload/answer-early", "big uploads are refused early", "POST /files up@1048576: answer-early 413"),
    fault(
        "upload/parts-cut",
        "a connection is cut after 300 kB of an upload",
        "POST /files up@300000: reset",
    ),
];

/// A target without a value of its query.
pub(super) fn without(target: &str, name: &str) -> String {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let kept: Vec<&str> = query.split('&').filter(|pair| !pair.starts_with(&format!("{name}="))).collect();
    if kept.is_empty() { path.to_owned() } else { format!("{path}?{}", kept.join("&")) }
}

fn part_names(request: &mut Request) {
    for name in
        ["other", "x", "note", "field", "notfile", "files", "File", "before", "after", "between", "text"]
    {
        request.body(&format!("name=\"{name}\""), "name=\"file\"");
    }
}

/// Changes the filename of every part.
fn filenames(request: &mut Request, edit: impl Fn(&str) -> String) {
    let text = String::from_utf8_lossy(request.bytes_mut()).into_owned();
    for rest in text.split("filename=\"").skip(1) {
        let name = rest.split('"').next().unwrap_or_default();
        request.body(&format!("filename=\"{name}\""), &format!("filename=\"{}\"", edit(name)));
    }
}

/// Replaces text in the content of a form's only part.
fn content(request: &mut Request, from: &str, to: &str) {
    let text = String::from_utf8_lossy(request.bytes_mut()).into_owned();
    let (Some(begin), Some(end)) = (text.find("\r\n\r\n"), text.rfind("\r\n--")) else { return };
    if begin + 4 <= end && text.is_ascii() {
        let changed = text[begin + 4..end].replace(from, to);
        *request.bytes_mut() = [&text[..begin + 4], &changed, &text[end..]].concat().into_bytes();
    }
}

fn last_part_lost(request: &mut Request) {
    const MARK: &[u8] = b"--envd-conformance-boundary";
    let body = request.bytes_mut();
    let places: Vec<usize> =
        body.windows(MARK.len()).enumerate().filter(|(_, w)| *w == MARK).map(|(at, _)| at).collect();
    if let [.., last, end] = places.as_slice()
        && places.len() > 2
    {
        body.drain(*last..*end);
    }
}
