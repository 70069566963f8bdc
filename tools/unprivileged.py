"""Runs the workspace's test binaries as an unprivileged user.

Called as root, it builds the tests and runs each binary as uid 65534, with a home and a temporary directory of
its own. Called as anyone else it has nothing to add to `cargo test`, and says so. Where a machine makes the run
impossible it refuses; it never passes without having run the tests.
"""

import contextlib
import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

UID = GID = 65534
REPO = Path(__file__).resolve().parent.parent
INSIDE = "--in-own-mount-namespace"
DEADLINE_S = 900


def main():
    if os.geteuid() != 0:
        print(f"unprivileged: uid {os.geteuid()} is unprivileged already: `just test` is this run")
        return
    require_programs()
    binaries = build()
    hidden = hidden_directories([REPO, *(Path(b["executable"]) for b in binaries)])
    if hidden and INSIDE not in sys.argv:
        # Another user cannot walk through, say, a private /root. In a mount namespace of our own it can.
        again = ["unshare", "--mount", "--propagation", "private", sys.executable, __file__, INSIDE]
        sys.exit(subprocess.run(again).returncode)
    for directory in hidden:
        # This interpreter goes on loading its own modules.
        open_up(directory, [REPO, Path(sys.base_prefix), *(Path(b["executable"]).parent for b in binaries)])
    with tempfile.TemporaryDirectory(prefix="envd-unprivileged-") as scratch:
        os.chown(scratch, UID, GID)
        require_namespaces(scratch)
        run_all(binaries, scratch)


def require_programs():
    for program in ("setpriv", "unshare", "cargo"):
        if not shutil.which(program):
            refuse(f"expected the program {program} on PATH, found none (util-linux has the first two)")


def build():
    """The test binaries, built: the compiler's messages about them."""
    command = ["cargo", "test", "--workspace", "--locked", "--no-run", "--quiet", "--message-format=json"]
    done = subprocess.run(command, cwd=REPO, stdout=subprocess.PIPE, text=True)
    if done.returncode != 0:
        sys.exit(done.returncode)
    messages = (json.loads(line) for line in done.stdout.splitlines() if line.startswith("{"))
    tests = [
        {"executable": m["executable"], "name": m["target"]["name"], "manifest": m["manifest_path"]}
        for m in messages
        if m.get("reason") == "compiler-artifact" and m["profile"]["test"] and m.get("executable")
    ]
    if not tests:
        refuse("expected test binaries from cargo, found none")
    return sorted(tests, key=lambda t: (t["manifest"], t["name"]))


def hidden_directories(paths):
    """The topmost ancestors that other users may not walk through."""
    hidden = set()
    for path in paths:
        for ancestor in reversed(path.parents):
            if not ancestor.stat().st_mode & stat.S_IXOTH:
                hidden.add(ancestor)
                break
    return sorted(hidden)


def open_up(directory, needed):
    """Covers `directory` by an open one in which only what is needed shows, at its own place."""
    below = sorted({p for p in needed if p.is_relative_to(directory)})
    handles = [(p, os.open(p, os.O_PATH)) for p in below]
    mount("-t", "tmpfs", "-o", "mode=755", "tmpfs", str(directory))
    for path, handle in handles:
        if not path.exists():
            path.mkdir(parents=True)
            # Not canonicalised: the name leads to what is below the cover, and the path would not.
            mount("--no-canonicalize", "--bind", f"/proc/{os.getpid()}/fd/{handle}", str(path))
        os.close(handle)


def mount(*arguments):
    if subprocess.run(["mount", *arguments]).returncode != 0:
        refuse(f"mount {' '.join(arguments)} failed; put the repository and the target directory "
               "where every user may walk to them, such as /tmp or /srv")


def as_other(command, scratch, cwd, environment=None, **options):
    prefix = ["setpriv", f"--reuid={UID}", f"--regid={GID}", "--clear-groups", "--inh-caps=-all", "--"]
    clean = {"PATH": os.environ["PATH"], "HOME": scratch, "TMPDIR": scratch, "LANG": "C.UTF-8"}
    return subprocess.Popen([*prefix, *command], cwd=cwd, env=clean | (environment or {}),
                            stdin=subprocess.DEVNULL, start_new_session=True, **options)


def require_namespaces(scratch):
    probe = ["unshare", "--user", "--map-root-user", "--mount", "--pid", "--fork", "true"]
    process = as_other(probe, scratch, scratch, stderr=subprocess.PIPE, text=True)
    _, why = process.communicate(timeout=30)
    if process.returncode != 0:
        refuse("an unprivileged user may not make user, mount and PID namespaces on this machine "
               f"({why.strip()}): allow it (sysctl kernel.unprivileged_userns_clone=1, "
               "kernel.apparmor_restrict_unprivileged_userns=0, or a container started with a wider seccomp profile)")


def run_all(binaries, scratch):
    failed = []
    for test in binaries:
        crate = Path(test["manifest"]).parent
        print(f"unprivileged: {crate.name}/{test['name']} as uid {UID}", flush=True)
        environment = {
            "CARGO_MANIFEST_DIR": str(crate),
            "INSTA_UPDATE": "no",
            "INSTA_WORKSPACE_ROOT": str(REPO),
            "PROPTEST_FAILURE_PERSISTENCE": "off",
            "RUST_BACKTRACE": "1",
        }
        why = run_one(as_other([test["executable"], "--quiet"], scratch, crate, environment))
        if why:
            failed.append(f"{crate.name}/{test['name']} ({why})")
    if failed:
        sys.exit(f"unprivileged: failed: {', '.join(failed)}")
    print(f"unprivileged: {len(binaries)} test binaries passed as uid {UID}")


def run_one(process):
    """Why the run failed; nothing, when it passed. Whatever it started ends with it."""
    try:
        code = process.wait(timeout=DEADLINE_S)
        return f"exit code {code}" if code else None
    except subprocess.TimeoutExpired:
        return f"not done after {DEADLINE_S} s"
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def refuse(why):
    sys.exit(f"unprivileged: refused: {why}")


if __name__ == "__main__":
    main()
