//! The file calls that only look: entries, listings, and their errors (contract 5).

use serde_json::{Value, json};

use super::commands::lexical;
use super::edit::{
    FS, INTERNAL, INVALID, NOT_FOUND, UNAUTHENTICATED, answer, edit_text, entries, fault, forgiven, lose,
    refusal, request,
};
use crate::mutant::Mutant;

const STAT: &str = "/filesystem.Filesystem/Stat";
const LIST: &str = "/filesystem.Filesystem/ListDir";

pub(crate) const MUTANTS: &[Mutant] = &[
    answer("entry/time-object", "timestamps are objects", FS, |_, a| {
        entries(a, |e| e["modifiedTime"] = json!({ "seconds": "981173106", "nanos": 500_000_000 }));
    }),
    answer("entry/time-whole", "timestamps have whole seconds", FS, |_, a| {
        entries(a, |e| {
            edit_text(e, "modifiedTime", |t| {
                t.split('.').next().map_or(String::new(), |t| format!("{}Z", t.trim_end_matches('Z')))
            });
        });
    }),
    answer("entry/time-offset", "timestamps end in +00:00", FS, |_, a| {
        entries(a, |e| edit_text(e, "modifiedTime", |t| t.replace('Z', "+00:00")));
    }),
    answer("entry/time-digits", "fractions of seconds have two digits", FS, |_, a| {
        entries(a, |e| edit_text(e, "modifiedTime", |t| t.replace("00Z", "Z")));
    }),
    answer("entry/time-unsigned", "times before 1970 are 1970", FS, |_, a| {
        entries(a, |e| {
            edit_text(e, "modifiedTime", |t| {
                if t.starts_with("196") { "1970-01-01T00:00:00Z".into() } else { t.into() }
            });
        });
    }),
    answer("entry/time-lost", "entries have no time", FS, |_, a| entries(a, |e| lose(e, "modifiedTime"))),
    answer("entry/size-number", "sizes are numbers", FS, |_, a| {
        entries(a, |e| {
            if let Some(size) = e["size"].as_str().and_then(|size| size.parse::<u64>().ok()) {
                e["size"] = size.into();
            }
        });
    }),
    answer("entry/size-32-bit", "sizes are counted in 32 bits", FS, |_, a| {
        entries(a, |e| {
            edit_text(e, "size", |size| {
                size.parse::<u64>().map_or(size.into(), |size| (size & 0xffff_ffff).to_string())
            });
        });
    }),
    answer("entry/size-zero", "a size of 0 is written out", FS, |_, a| {
        entries(a, |e| {
            if e["size"].is_null() {
                e["size"] = "0".into();
            }
        });
    }),
    answer("entry/link-type", "links have the type of a link", FS, |_, a| {
        entries(a, |e| {
            if e.get("symlinkTarget").is_some() {
                e["type"] = "FILE_TYPE_SYMLINK".into();
            }
        });
    }),
    answer("entry/broken-is-file", "a dangling link is a file", FS, |_, a| {
        entries(a, |e| {
            if e["type"].is_null() && e.get("symlinkTarget").is_some() {
                e["type"] = "FILE_TYPE_FILE".into();
            }
        });
    }),
    answer("entry/special-is-file", "a fifo is a file", FS, |_, a| {
        entries(a, |e| {
            if e["type"].is_null() && e.get("symlinkTarget").is_none() {
                e["type"] = "FILE_TYPE_FILE".into();
            }
        });
    }),
    answer("entry/directory-is-file", "directories are files", FS, |_, a| {
        a.body("FILE_TYPE_DIRECTORY", "FILE_TYPE_FILE");
    }),
    answer("entry/type-number", "types are numbers", FS, |_, a| {
        a.body("\"FILE_TYPE_FILE\"", "1");
        a.body("\"FILE_TYPE_DIRECTORY\"", "2");
    }),
    answer("entry/letter-l", "the letter of a link is small", FS, |_, a| {
        entries(a, |e| edit_text(e, "permissions", |p| p.replacen('L', "l", 1)));
    }),
    answer("entry/letter-d", "permissions of a directory have no letter", FS, |_, a| {
        entries(a, |e| {
            edit_text(
                e,
                "permissions",
                |p| if p.starts_with('d') { p.replacen('d', "-", 1) } else { p.into() },
            );
        });
    }),
    answer("entry/letter-special", "permissions of what is special begin with ?", FS, |_, a| {
        entries(a, |e| {
            edit_text(e, "permissions", |p| {
                if p.starts_with(['p', 'c', 'b', 's']) { format!("?{}", &p[1..]) } else { p.into() }
            });
        });
    }),
    answer("entry/sticky-shown", "the sticky bit is shown in permissions", FS, |_, a| {
        entries(a, |e| {
            if e["mode"].as_u64().is_some_and(|mode| mode & 0o1000 != 0) {
                edit_text(e, "permissions", |p| format!("{}t", &p[..9]));
            }
        });
    }),
    answer("entry/setuid-lost", "mode has nine bits", FS, |_, a| {
        entries(a, |e| {
            if let Some(mode) = e["mode"].as_u64() {
                e["mode"] = (mode & 0o777).into();
            }
        });
    }),
    answer("entry/mode-with-type", "mode has the bits of the type", FS, |_, a| {
        entries(a, |e| e["mode"] = (e["mode"].as_u64().unwrap_or(0) | 0o100_000).into());
    }),
    answer("entry/mode-octal", "mode is written in octal digits", FS, |_, a| {
        entries(a, |e| {
            if let Some(mode) = e["mode"].as_u64() {
                e["mode"] = format!("{mode:o}").parse::<u64>().unwrap_or(0).into();
            }
        });
    }),
    answer("entry/mode-zero", "a mode of 0 is written out", FS, |_, a| {
        entries(a, |e| {
            if e["mode"].is_null() {
                e["mode"] = 0.into();
            }
        });
    }),
    answer("entry/mode-of-link", "the mode of a link is its own", FS, |_, a| {
        entries(a, |e| {
            if e.get("symlinkTarget").is_some() {
                e["mode"] = 0o777.into();
            }
        });
    }),
    answer("entry/owner-number", "owners are numbers", FS, |_, a| {
        entries(a, |e| edit_text(e, "owner", |o| if o == "root" { "0".into() } else { o.into() }));
    }),
    answer("entry/owner-unknown-lost", "an owner without a name is left out", FS, |_, a| {
        entries(a, |e| {
            if e["owner"].as_str().is_some_and(|owner| owner.parse::<u32>().is_ok()) {
                lose(e, "owner");
            }
        });
    }),
    answer("entry/group-is-owner", "the group is the owner", FS, |_, a| {
        entries(a, |e| e["group"] = e["owner"].clone());
    }),
    answer("entry/name-is-path", "the name is the path", FS, |_, a| {
        entries(a, |e| e["name"] = e["path"].clone());
    }),
    answer("entry/root-name", "the root is called /", FS, |_, a| {
        entries(a, |e| {
            if e["path"] == "/" {
                e["name"] = "/".into();
            }
        });
    }),
    answer("entry/name-one-line", "a newline in a name is a question mark", FS, |_, a| {
        entries(a, |e| edit_text(e, "name", |name| name.replace('\n', "?")));
    }),
    answer("entry/name-escaped", "a backslash in a name is doubled", FS, |_, a| {
        entries(a, |e| edit_text(e, "name", |name| name.replace('\\', "\\\\")));
    }),
    answer("entry/path-canonical", "the path has no dots and no slash at its end", FS, |_, a| {
        entries(a, |e| edit_text(e, "path", lexical));
    }),
    answer("entry/target-lost", "the target of a link is not told", FS, |_, a| {
        entries(a, |e| lose(e, "symlinkTarget"));
    }),
    answer("entry/target-base", "of a link's target only the last part is told", FS, |_, a| {
        entries(a, |e| edit_text(e, "symlinkTarget", |t| t.rsplit('/').next().unwrap_or_default().into()));
    }),
    answer("entry/target-broken-lost", "a dangling link has no target", FS, |_, a| {
        entries(a, |e| {
            if e["type"].is_null() {
                lose(e, "symlinkTarget");
            }
        });
    }),
    request("stat/follows", "Stat looks at what a link points to", STAT, |_, r| {
        r.json(|m| edit_text(m, "path", |path| format!("{path}/.")));
    }),
    answer("stat/missing-as-internal", "Stat of a missing path is internal", STAT, |_, a| {
        refusal(a, NOT_FOUND, INTERNAL);
    }),
    answer(
        "stat/missing-text",
        "the system's words are cut from the error of a missing path",
        STAT,
        |_, a| {
            a.body(": No such file or directory (os error 2)", "");
        },
    ),
    answer("stat/internal-as-missing", "Stat of a path that cannot be is not_found", STAT, |_, a| {
        refusal(a, INTERNAL, NOT_FOUND);
    }),
    answer("stat/invalid-as-internal", "~name is internal", STAT, |_, a| refusal(a, INVALID, INTERNAL)),
    answer("stat/user-as-internal", "an unknown default user is internal", STAT, |_, a| {
        refusal(a, UNAUTHENTICATED, INTERNAL);
    }),
    request("fs/nul-cut", "paths are cut at a NUL", FS, |_, r| {
        r.json(|m| edit_text(m, "path", |path| path.split('\0').next().unwrap_or_default().into()));
    }),
    request("fs/tilde-kept", "a tilde is a name in calls of the file system", FS, |_, r| {
        r.json(|m| {
            edit_text(
                m,
                "path",
                |path| if path.starts_with('~') { format!("./{path}") } else { path.into() },
            );
        });
    }),
    request("fs/tilde-name", "~name is the home", FS, |_, r| {
        r.json(|m| edit_text(m, "path", |path| if path.starts_with('~') { "~".into() } else { path.into() }));
    }),
    answer("fs/404-as-400", "the code is not_found, the status 400, of files", FS, |_, a| {
        a.head("404 Not Found", "400 Bad Request");
    }),
    answer("fs/messages-lost", "errors have no text", FS, |_, a| {
        if a.says("\"code\":") {
            a.json(|m| lose(m, "message"));
        }
    }),
    answer("fs/os-error-lost", "the system's number is cut from errors", FS, |_, a| {
        if a.says("\"code\":") {
            a.json(|m| {
                edit_text(m, "message", |text| text.split(" (os error").next().unwrap_or_default().into());
            });
        }
    }),
    answer("list/never-new", "a listing is never made anew", LIST, |call, a| {
        let path = call.target.clone();
        let mut kept = call.kept();
        let first = kept.entry(path).or_insert(a.bytes_mut().clone()).clone();
        *a.bytes_mut() = first;
    }),
    request("list/depth-one", "the depth of a listing is always 1", LIST, |_, r| {
        r.json(|m| lose(m, "depth"));
    }),
    request("list/depth-more", "listings go one level too deep", LIST, |_, r| {
        r.json(|m| m["depth"] = (m["depth"].as_u64().unwrap_or(0).max(1) + 1).min(4_294_967_295).into());
    }),
    request("list/depth-three-more", "from a depth of 3 on listings go one level too deep", LIST, |_, r| {
        r.json(|m| {
            if let Some(depth) = m["depth"].as_u64().filter(|depth| (3..100).contains(depth)) {
                m["depth"] = (depth + 1).into();
            }
        });
    }),
    request("list/depth-less", "listings go one level less deep", LIST, |_, r| {
        r.json(|m| {
            if let Some(depth) = m["depth"].as_u64().filter(|depth| *depth > 1) {
                m["depth"] = (depth - 1).into();
            }
        });
    }),
    request("list/depth-capped", "listings go a hundred levels deep at most", LIST, |_, r| {
        r.json(|m| {
            if m["depth"].as_u64().is_some_and(|depth| depth > 100) {
                m["depth"] = 100.into();
            }
        });
    }),
    request("list/depth-zero-all", "a depth of 0 lists all", LIST, |_, r| {
        r.json(|m| {
            if m["depth"].as_u64().unwrap_or(0) == 0 {
                m["depth"] = 1000.into();
            }
        });
    }),
    answer("list/hidden-lost", "names that begin with a dot are not listed", LIST, |_, a| {
        listed(a, |entry| !entry["name"].as_str().is_some_and(|name| name.starts_with('.')));
    }),
    answer("list/links-lost", "links are not listed", LIST, |_, a| {
        listed(a, |entry| entry.get("symlinkTarget").is_none());
    }),
    answer("list/links-up-lost", "a link to a directory above it is not listed", LIST, |_, a| {
        listed(a, |entry| {
            let (path, target) = (entry["path"].as_str(), entry["symlinkTarget"].as_str());
            !path.zip(target).is_some_and(|(path, target)| path.starts_with(&format!("{target}/")))
        });
    }),
    answer("list/special-lost", "what has no type is not listed", LIST, |_, a| {
        listed(a, |entry| entry.get("type").is_some());
    }),
    answer("list/not-utf-8-lost", "one odd name spoils a listing", LIST, |_, a| {
        if a.says("\u{fffd}") {
            a.json(|m| *m = json!({}));
        }
    }),
    answer("list/hundred", "listings have a hundred entries at most", LIST, |_, a| {
        a.json(|m| {
            if let Some(all) = m["entries"].as_array_mut() {
                all.truncate(100);
            }
        });
    }),
    answer("list/last-lost", "the last of many entries is lost", LIST, |_, a| {
        a.json(|m| {
            if let Some(all) = m["entries"].as_array_mut().filter(|all| all.len() > 4) {
                all.pop();
            }
        });
    }),
    answer("list/dots-listed", ". is listed", LIST, |_, a| {
        a.json(|m| {
            let dot = json!({ "name": ".", "type": "FILE_TYPE_DIRECTORY", "path": "." });
            if let Some(all) = m["entries"].as_array_mut() {
                all.insert(0, dot);
            }
        });
    }),
    answer("list/empty-spelt-out", "an empty listing has an empty list", LIST, |_, a| {
        a.json(|m| {
            if *m == json!({}) {
                m["entries"] = json!([]);
            }
        });
    }),
    answer("list/breadth-first", "a listing goes breadth first", LIST, |_, a| {
        a.json(|m| {
            if let Some(all) = m["entries"].as_array_mut() {
                all.sort_by_key(|entry| entry["path"].as_str().map_or(0, |path| path.matches('/').count()));
            }
        });
    }),
    answer("list/post-order", "a directory comes behind what is in it", LIST, |_, a| {
        a.json(|m| {
            if let Some(all) = m["entries"].as_array_mut() {
                all.reverse();
            }
        });
    }),
    answer("list/size-lost", "listings do not tell sizes", LIST, |_, a| entries(a, |e| lose(e, "size"))),
    answer("list/base-paths", "the paths of a listing are names", LIST, |_, a| {
        entries(a, |e| e["path"] = e["name"].clone());
    }),
    answer("list/missing-as-internal", "ListDir of a missing path is internal", LIST, |_, a| {
        refusal(a, NOT_FOUND, INTERNAL);
    }),
    answer("list/missing-as-empty", "ListDir of a missing path is empty", LIST, |_, a| {
        forgiven(a, "not_found");
    }),
    answer("list/file-as-internal", "ListDir of a file is internal", LIST, |_, a| {
        refusal(a, INVALID, INTERNAL);
    }),
    answer("list/unresolvable-as-missing", "ListDir of what cannot be is not_found", LIST, |_, a| {
        refusal(a, INTERNAL, NOT_FOUND);
    }),
    answer("list/through-link-canonical", "paths below a link begin as the target's do", LIST, |_, a| {
        entries(a, |e| edit_text(e, "path", |path| path.replace("/link/", "/dir/").replace("/l/", "/d/")));
    }),
    fault(
        "list/vanished-as-internal",
        "every twentieth listing fails as if something had vanished",
        "filesystem.Filesystem/ListDir every=20: error internal message=\"error reading directory\"",
    ),
    fault("fs/read-only", "the disk cannot be written", "filesystem.Filesystem/MakeDir: read-only"),
];

fn listed(answer: &mut crate::http::Answer, keep: impl Fn(&Value) -> bool) {
    answer.json(|message| {
        if let Some(all) = message["entries"].as_array_mut() {
            all.retain(|entry| keep(entry));
        }
    });
}
