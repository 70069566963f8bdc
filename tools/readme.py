"""Runs the snippets of Markdown files, in their order, and fails when one fails or when a file has none.

- ```sh: run by bash from the repository's root, one block after the other. A line that starts the mock and does
  nothing else (`cargo run --bin envd-mock ...`) runs in the background: what follows waits for its ready line, and
  it must end cleanly when it is told to at the end of the file. Lines that would run this script again, or that clone
  the repository, are left to the recipe that covers them (see COVERED), and `just NAME` only has to exist. What a
  comment `# prints TEXT` behind a line says must be a line of what its block prints.
- ```rust: compiled in a crate of its own with envd-client and envd-mock at hand, and run while the mock is up:
  as tests when it has `#[test]` or `#[tokio::test]`, else as a program; without `fn main` it is the body of one.
- ```toml: a script, with which a mock must start.
- ```text, ```console, ```yaml and ```dockerfile are read by people only. Any other kind, or none, is an error.
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
# What a line of bash is made of, as far as that matters here: `#` begins a comment only where a word may begin.
TOKEN = re.compile(
    r"""(?P<blank>\s+|\\\n)|(?P<comment>\#.*)|(?P<operator>[|&;<>()]+)"""
    r"""|(?P<word>(?:\\.|'[^']*'|"(?:\\.|[^"\\])*"|[^\s'"\\|&;<>()])+)""", re.DOTALL)
COVERED = {
    r"^cargo test --workspace$": "the recipe `test`",
    r"^(bash )?\.ci/run$": "CI itself",
    r"^(git clone|cd) ": "whoever has this file",
}
PRINTS = "# prints "
PROSE = {"console", "text", "yaml", "dockerfile"}
READY = "envd-mock ready url="
DEADLINE_S = 900


def main():
    for name in sys.argv[1:] or ["README.md"]:
        run_file(name)


def run_file(name):
    blocks = list(fenced((REPO / name).read_text()))
    kinds = PROSE | {"sh", "rust", "toml"}
    wrong = [f"line {n}: {kind or 'nothing'}" for kind, n, _ in blocks if kind not in kinds]
    if wrong:
        fail(f"{name}: expected each block to be one of {', '.join(sorted(kinds))}; found {'; '.join(wrong)}")
    mocks, ran = [], {"sh": 0, "rust": 0, "toml": 0}
    try:
        for kind, line, text in blocks:
            if kind == "sh":
                run_shell(text, line, mocks)
            elif kind == "rust":
                run_rust(text, line)
            elif kind == "toml":
                run_script(text, line)
            else:
                continue
            ran[kind] += 1
        for mock in mocks:
            mock.end()
    finally:
        for mock in mocks:
            mock.process.kill()
    for kind in ("sh", "rust"):
        if not ran[kind]:
            fail(f"{name}: expected at least one {kind} block, found none")
    if not mocks:
        fail(f"{name}: expected a block that starts the mock, found none")
    print(f"readme: {name}: {ran['sh']} sh, {ran['rust']} rust and {ran['toml']} toml blocks passed")


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
        alone, rest = bare(command)
        covered = next((by for pattern, by in COVERED.items() if re.match(pattern, alone)), None)
        if MOCK.match(alone) and not rest:
            shell(foreground, line)
            foreground = []
            mocks.append(Mock(shlex.split(alone), line))
        elif covered:
            print(f"readme: line {line}: `{alone}` is run by {covered}", flush=True)
        elif alone.startswith("just "):
            require_recipe(shlex.split(alone)[1], line)
        else:
            foreground.append(command)
    shell(foreground, line)


def commands(text):
    """The lines; one that a backslash continues is one with the next."""
    return [command for command in re.split(r"(?<!\\)\n", text) if command.strip()]


def tokens(command):
    """Kind and place of each token; stops where a quote is left open, which only bash can make sense of."""
    place = 0
    while found := TOKEN.match(command, place):
        yield found.lastgroup, found.start()
        place = found.end()


def bare(command):
    """The first command without its comment, and what an operator joins to it."""
    ends = {kind: place for kind, place in reversed(list(tokens(command)))}
    comment = ends.get("comment", len(command))
    operator = min(ends.get("operator", comment), comment)
    return command[:operator].strip(), command[operator:comment].strip()


def promised(command):
    """What a comment says that the line prints."""
    comments = [command[place:] for kind, place in tokens(command) if kind == "comment"]
    return [text.removeprefix(PRINTS).strip() for text in comments if text.startswith(PRINTS)]


def shell(lines, line):
    if not [text for text in lines if not text.startswith("#")]:
        return
    promises = [promise for text in lines for promise in promised(text)]
    done = run(["bash", "-euo", "pipefail", "-c", "\n".join(lines)], line, cwd=REPO, stdout=subprocess.PIPE, text=True)
    for promise in promises:
        if promise not in done.stdout.splitlines():
            fail(f"line {line}: expected a line {promise!r} to be printed, found {done.stdout!r}")


def require_recipe(name, line):
    run(["just", "--show", name], line, cwd=REPO, stdout=subprocess.DEVNULL)


def run_script(text, line):
    with tempfile.NamedTemporaryFile("w", prefix="envd-readme-", suffix=".toml") as script:
        script.write(text)
        script.flush()
        command = "cargo run --quiet --bin envd-mock -- --listen 127.0.0.1:0 --script"
        mock = Mock([*command.split(), script.name], line)
        try:
            mock.end()
        finally:
            mock.process.kill()


class Mock:
    """A mock, started by a command of the file's own."""

    def __init__(self, command, line):
        self.line = line
        self.process = subprocess.Popen(command, cwd=REPO, stdout=subprocess.PIPE,
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
            fail(f"line {line}: expected `{shlex.join(command)}` to print `{READY}...`, found {ready!r}")
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
    print(done.stdout or "", end="", flush=True)
    if done.returncode != 0:
        fail(f"line {line}: exit code {done.returncode}")
    print(f"readme: line {line}: passed", flush=True)
    return done


def fail(why):
    sys.exit(f"readme: {why}")


if __name__ == "__main__":
    main()
