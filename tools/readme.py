"""Runs the snippets of a Markdown file, in their order, and fails when one fails or when there are none.

- ```sh: run by bash from the repository's root, one block after the other. A line that starts the mock
  (`cargo run --bin envd-mock ...`) runs in the background: what follows waits for its ready line, and it must end
  cleanly when it is told to at the end. Lines that would run this script again, or that clone the repository,
  are left to the recipe that covers them (see COVERED), and `just NAME` only has to exist.
- ```rust: compiled in a crate of its own with envd-client and envd-mock at hand, and run while the mock is up:
  as tests when it has `#[test]` or `#[tokio::test]`, else as a program; without `fn main` it is the body of one.
- ```text, ```console, ```toml, ```yaml and ```dockerfile are read by people only. Any other kind, or none, is an error.
"""

import os
import queue
import re
import shlex
import signal
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

REPO = Path(__file__).resolve().parent.parent
MOCK = re.compile(r"^cargo run( -q| --quiet)?( -p envd-mock)? --bin envd-mock\b")
COVERED = {
    r"^cargo test --workspace$": "the recipe `test`",
    r"^(bash )?\.ci/run$": "CI itself",
    r"^(git clone|cd) ": "whoever has this file",
}
PROSE = {"console", "text", "toml", "yaml", "dockerfile"}
READY = "envd-mock ready url="
DEADLINE_S = 900


def main():
    blocks = list(fenced(Path(sys.argv[1]).read_text()))
    wrong = [f"line {n}: {kind or 'nothing'}" for kind, n, _ in blocks if kind not in PROSE | {"sh", "rust"}]
    if wrong:
        fail(f"expected each block to be sh, rust, {', '.join(sorted(PROSE))}; found {'; '.join(wrong)}")
    mocks, ran = [], {"sh": 0, "rust": 0}
    try:
        for kind, line, text in blocks:
            if kind == "sh":
                run_shell(text, line, mocks)
            elif kind == "rust":
                run_rust(text, line)
            else:
                continue
            ran[kind] += 1
        for mock in mocks:
            mock.end()
    finally:
        for mock in mocks:
            mock.process.kill()
    for kind, count in ran.items():
        if not count:
            fail(f"expected at least one {kind} block, found none")
    if not mocks:
        fail("expected a block that starts the mock, found none")
    print(f"readme: {ran['sh']} sh and {ran['rust']} rust blocks passed")


def fenced(text):
    """Each block as kind, line number and text."""
    kind, start, body = None, 0, []
    for number, line in enumerate(text.splitlines(), 1):
        fence = re.match(r"^\s*```(.*)$", line)
        if fence and kind is None:
            kind, start, body = fence[1].strip(), number, []
        elif fence:
            yield kind, start, "\n".join(body)
            kind = None
        elif kind is not None:
            body.append(line)
    if kind is not None:
        fail(f"the block of line {start} has no end")


def run_shell(text, line, mocks):
    foreground = []
    for command in commands(text):
        covered = next((by for pattern, by in COVERED.items() if re.match(pattern, bare(command))), None)
        if MOCK.match(command):
            shell(foreground, line)
            foreground = []
            mocks.append(Mock(bare(command), line))
        elif covered:
            print(f"readme: line {line}: `{bare(command)}` is run by {covered}", flush=True)
        elif bare(command).startswith("just "):
            require_recipe(shlex.split(bare(command))[1], line)
        else:
            foreground.append(command)
    shell(foreground, line)


def commands(text):
    """The lines; one that a backslash continues is one with the next."""
    return [command for command in re.split(r"(?<!\\)\n", text) if command.strip()]


def bare(command):
    return command.split(" #")[0].strip()


def shell(lines, line):
    if not [text for text in lines if not text.startswith("#")]:
        return
    run(["bash", "-euo", "pipefail", "-c", "\n".join(lines)], line, cwd=REPO)


def require_recipe(name, line):
    run(["just", "--show", name], line, cwd=REPO, stdout=subprocess.DEVNULL)


class Mock:
    """The mock, started by the README's own command."""

    def __init__(self, command, line):
        self.line = line
        self.process = subprocess.Popen(shlex.split(command), cwd=REPO, stdout=subprocess.PIPE,
                                        stdin=subprocess.DEVNULL, text=True, start_new_session=True)
        lines = queue.Queue()
        self.reader = threading.Thread(target=self.read, args=(lines,), daemon=True)
        self.reader.start()
        try:
            ready = lines.get(timeout=DEADLINE_S)
        except queue.Empty:
            ready = ""
        if not ready.startswith(READY):
            os.killpg(self.process.pid, signal.SIGKILL)
            fail(f"line {line}: expected `{command}` to print `{READY}...`, found {ready!r}")
        print(f"readme: line {line}: {ready.strip()}", flush=True)

    def read(self, lines):
        for text in self.process.stdout:
            lines.put(text)
        lines.put("")

    def end(self):
        if self.process.poll() is not None:
            fail(f"line {self.line}: the mock ended by itself with {self.process.returncode}")
        # cargo runs the program in its own place or as its child: the signal goes to both.
        os.killpg(self.process.pid, signal.SIGTERM)
        # Its output ends with the last of them.
        self.reader.join(timeout=5)
        if self.reader.is_alive():
            fail(f"line {self.line}: the mock did not end within 5 s of SIGTERM")


def run_rust(text, line):
    with tempfile.TemporaryDirectory(prefix="envd-readme-") as name:
        crate = Path(name)
        tests = "#[test]" in text or "#[tokio::test]" in text
        source = crate / ("tests/snippet.rs" if tests else "src/main.rs")
        source.parent.mkdir()
        source.write_text(text if tests or "fn main" in text else wrapped(text))
        (crate / "Cargo.toml").write_text(manifest())
        (crate / "Cargo.lock").write_text((REPO / "Cargo.lock").read_text())
        environment = os.environ | {"CARGO_TARGET_DIR": os.environ.get("CARGO_TARGET_DIR", f"{REPO}/target")}
        run(["cargo", "test" if tests else "run", "--quiet"], line, cwd=crate, env=environment)


def wrapped(text):
    visible = "\n".join("    " + row for row in text.splitlines())
    return ("#[tokio::main]\nasync fn main() -> Result<(), Box<dyn std::error::Error>> {\n"
            f"{visible}\n    Ok(())\n}}\n")


def manifest():
    crates = "\n".join(f'{n} = {{ path = "{REPO}/crates/{n}" }}' for n in ("envd-client", "envd-mock"))
    return f"""[package]
name = "readme-snippet"
version = "0.0.0"
edition = "2024"
publish = false

[workspace]

[dependencies]
{crates}
futures = "0.3"
tokio = {{ version = "1", features = ["macros", "rt-multi-thread"] }}
"""


def run(command, line, **options):
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, timeout=DEADLINE_S, **options)
    except subprocess.TimeoutExpired:
        fail(f"line {line}: not done after {DEADLINE_S} s: {command}")
    if done.returncode != 0:
        fail(f"line {line}: exit code {done.returncode}")
    print(f"readme: line {line}: passed", flush=True)


def fail(why):
    sys.exit(f"readme: {why}")


if __name__ == "__main__":
    main()
