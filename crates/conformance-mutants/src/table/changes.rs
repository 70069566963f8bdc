//! The file calls that change something: MakeDir, Move, Remove (contract 5).

use super::edit::{EXISTS, INTERNAL, INVALID, NOT_FOUND, after, answer, before, entries, forgiven, refusal};
use crate::mutant::Mutant;

const MAKE: &str = "/filesystem.Filesystem/MakeDir";
const MOVE: &str = "/filesystem.Filesystem/Move";
const REMOVE: &str = "/filesystem.Filesystem/Remove";

pub(crate) const MUTANTS: &[Mutant] = &[
    answer("make/mode-700", "MakeDir tells of mode 0700", MAKE, |_, a| {
        entries(a, |e| {
            e["mode"] = 0o700.into();
            e["permissions"] = "drwx------".into();
        });
    }),
    after("make/parents-700", "parents are made 0700", MAKE, "chmod 700 \"${1%/*}\""),
    answer("make/owner-root", "directories are told as root's", MAKE, |_, a| {
        entries(a, |e| e["owner"] = "root".into());
    }),
    before("make/at-hand", "MakeDir of what is there is fine", MAKE, "test -d \"$1\" && rmdir \"$1\""),
    before(
        "make/over-link",
        "MakeDir over a dangling link makes its target",
        MAKE,
        "test -L \"$1\" && ! test -e \"$1\" && rm \"$1\"",
    ),
    answer("make/exists-as-ok", "MakeDir of a directory that is there is fine", MAKE, |_, a| {
        forgiven(a, "already_exists");
    }),
    answer("make/exists-as-internal", "MakeDir of a directory that is there is internal", MAKE, |_, a| {
        refusal(a, EXISTS, INTERNAL);
    }),
    answer("make/file-as-exists", "MakeDir over a file is already_exists", MAKE, |_, a| {
        refusal(a, INVALID, EXISTS);
    }),
    answer("make/below-file-as-invalid", "MakeDir below a file is invalid_argument", MAKE, |_, a| {
        refusal(a, INTERNAL, INVALID);
    }),
    answer("make/entry-lost", "MakeDir does not tell the entry", MAKE, |_, a| {
        if a.is("200") {
            *a.bytes_mut() = b"{}".to_vec();
        }
    }),
    after(
        "make/deep",
        "MakeDir makes ninety levels at most",
        MAKE,
        "case $1 in */*/*/*/*/*/*/*/*/*/*/*/*/*/*/*/*/*/*/*/*/*/*/*/*/*/*/*/*/*/*) rmdir \"$1\";; esac",
    ),
    after("move/time-new", "a move changes the time", MOVE, "touch -h \"$1\""),
    after("move/mode-new", "a move changes the mode", MOVE, "test -f \"$1\" && chmod 640 \"$1\""),
    after("move/owner-new", "a move changes the owner", MOVE, "chown -h 1:1 \"$1\""),
    after(
        "move/source-stays",
        "a move is a copy",
        MOVE,
        "test -e \"$1\" && ! test -e \"$2\" && cp -a \"$1\" \"$2\"",
    ),
    before(
        "move/keeps-destination",
        "a move does not replace what is there",
        MOVE,
        "test -f \"$1\" && cp \"$1\" \"$2\"",
    ),
    before(
        "move/follows-source",
        "a move of a link moves its target",
        MOVE,
        "test -L \"$2\" && t=$(readlink -f \"$2\") && rm \"$2\" && mv \"$t\" \"$2\"",
    ),
    before(
        "move/follows-destination",
        "a move onto a link replaces its target",
        MOVE,
        "test -L \"$1\" && t=$(readlink -f \"$1\") && rm \"$1\" && rm -f \"$t\"",
    ),
    before(
        "move/clears-destination",
        "a move replaces a full directory",
        MOVE,
        "test -d \"$1\" && case $1 in \"$2\"*) ;; *) rm -rf \"$1\";; esac",
    ),
    before("move/onto-itself", "a move onto itself removes", MOVE, "test \"$1\" = \"$2\" && rm -rf \"$1\""),
    after(
        "move/parents-of-nothing",
        "a failed move leaves no parents",
        MOVE,
        "test -e \"$1\" || rmdir \"${1%/*}\" 2>/dev/null; true",
    ),
    answer("move/source-told", "a move tells the entry with another name", MOVE, |_, a| {
        entries(a, |e| e["name"] = "moved".into());
    }),
    answer("move/missing-as-internal", "Move of a missing source is internal", MOVE, |_, a| {
        refusal(a, NOT_FOUND, INTERNAL);
    }),
    answer("move/missing-text", "Move of a missing source is told otherwise", MOVE, |_, a| {
        a.body("source not found", "not found");
    }),
    answer("move/missing-as-ok", "Move of a missing source is fine", MOVE, |_, a| forgiven(a, "not_found")),
    answer("move/refused-as-invalid", "a Move that cannot be is invalid_argument", MOVE, |_, a| {
        refusal(a, INTERNAL, INVALID);
    }),
    after("remove/comes-back", "Remove leaves an empty directory", REMOVE, "mkdir -p \"$1\""),
    before(
        "remove/follows",
        "Remove takes what links lead to",
        REMOVE,
        "find \"$1\" -type l | while read -r l; do rm -rf \"$(readlink -f \"$l\")\"; done",
    ),
    before(
        "remove/special-kept",
        "Remove of a fifo does nothing",
        REMOVE,
        "test -p \"$1\" && mv \"$1\" \"$1.kept\" && : > \"$1\" && ln \"$1\" \"$1.x\"",
    ),
    after(
        "remove/parent-too",
        "Remove takes an empty parent as well",
        REMOVE,
        "rmdir \"${1%/*}\" 2>/dev/null; true",
    ),
    answer("remove/missing-as-ok", "Remove of a missing path is fine", REMOVE, |_, a| {
        forgiven(a, "not_found");
    }),
    answer("remove/missing-as-internal", "Remove of a missing path is internal", REMOVE, |_, a| {
        refusal(a, NOT_FOUND, INTERNAL);
    }),
    answer("remove/tilde-as-internal", "Remove of ~name is internal", REMOVE, |_, a| {
        refusal(a, INVALID, INTERNAL);
    }),
    before(
        "remove/odd-names-refused",
        "Remove fails where a name is no UTF-8",
        REMOVE,
        "test -d \"$1\" && ls -b \"$1\" | grep -q '\\\\[0-9]' && mv \"$1\" \"$1.kept\"",
    ),
    before(
        "remove/deep-refused",
        "Remove fails for deep trees",
        REMOVE,
        "test -n \"$(find \"$1\" -mindepth 100 -print -quit 2>/dev/null)\" && mv \"$1\" \"$1.kept\"",
    ),
];
