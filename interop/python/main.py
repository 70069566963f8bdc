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
    steps("guest", {"health": rest.wait_until_ready, "init": rest.init})
    with Guest(rest, *PROTOCOLS[0]) as guest:
        steps("guest", {"64 MiB up and down": lambda: rest.big_file(guest)})
    for protocol in PROTOCOLS:
        with Guest(rest, *protocol) as guest:
            steps(guest.name, {
                "run a command": guest.run_command,
                "a missing program": guest.missing_program,
                "background and reconnect": guest.background,
                "terminal": guest.terminal,
                "standard input": guest.standard_input,
                "files": guest.files,
                "errors": guest.refusals,
            })
    steps("guest", {"prepare a snapshot": rest.prepare, "preload": rest.preload, "SIGTERM": mock.terminate})


def steps(about, all_of_them):
    before = time.monotonic()
    for name, do in all_of_them.items():
        try:
            do()
        except Exception as error:
            error.add_note(f"python: failed: {about}: {name}")
            raise
    took = (time.monotonic() - before) * 1000
    print(f"python: {about}: {', '.join(all_of_them)} ({took:.0f} ms)", flush=True)


if __name__ == "__main__":
    main()
