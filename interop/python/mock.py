"""A running envd-mock: its start, its one line, its end."""

import os
import re
import subprocess
from pathlib import Path

PROGRAM = Path(__file__).resolve().parents[2] / "target/debug/envd-mock"
READY = re.compile(
    r"envd-mock ready url=(http://127\.0\.0\.1:\d+) control=http://127\.0\.0\.1:\d+ generation=2 root=\S+\n"
)


class Mock:
    def __init__(self):
        command = [os.environ.get("ENVD_MOCK", PROGRAM), "--listen", "127.0.0.1:0"]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True)
        line = self.process.stdout.readline()
        match = READY.fullmatch(line)
        if not match:
            self.kill()
            raise AssertionError(f"expected the ready line, found {line!r}")
        self.url = match[1]

    def terminate(self):
        """Expects exit code 0 soon after SIGTERM."""
        self.process.terminate()
        code = self.process.wait(timeout=1.5)
        assert code == 0, f"expected exit code 0, found {code}"

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()
