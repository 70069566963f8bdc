"""Drives the mock with connectrpc, the Connect client from PyPI, and fails on the first thing that is not what a
guest should do. The mock's program is named by ENVD_MOCK."""

import sys
import time
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parent / "gen")]

from guest import PROTOCOLS, Guest  # noqa: E402
from mock import Mock  # noqa: E402
from rest import Rest  # noqa: E402


def main():
    mock = Mock()
    try:
        drive(mock)
    finally:
        mock.kill()


def drive(mock):
    rest = Rest(mock.url)
    step("guest", "health", rest.wait_until_ready)
    step("guest", "init", rest.init)
    with Guest(rest, *PROTOCOLS[0]) as guest:
        step("guest", "64 MiB up and down", lambda: rest.big_file(guest))
    for protocol in PROTOCOLS:
        with Guest(rest, *protocol) as guest:
            step(guest.name, "run a command", guest.run_command)
            step(guest.name, "a missing program", guest.missing_program)
            step(guest.name, "background and reconnect", guest.background)
            step(guest.name, "terminal", guest.terminal)
            step(guest.name, "standard input", guest.standard_input)
            step(guest.name, "files", guest.files)
            step(guest.name, "errors", guest.refusals)
    step("guest", "prepare a snapshot", rest.prepare)
    step("guest", "preload", rest.preload)
    step("guest", "SIGTERM", mock.terminate)


def step(about, name, do):
    before = time.monotonic()
    try:
        do()
    except Exception as error:
        error.add_note(f"python: failed: {about}: {name}")
        raise
    print(f"python: {about}: {name} ({(time.monotonic() - before) * 1000:.0f} ms)", flush=True)


if __name__ == "__main__":
    main()
