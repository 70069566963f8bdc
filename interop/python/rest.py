"""The part of the guest that is plain HTTP, by the standard library."""

import datetime
import hashlib
import http.client
import json
import random
import time
import urllib.parse

BIG_SIZE = 64 << 20
BOUNDARY = "a-boundary-that-no-content-has"


class Rest:
    def __init__(self, url):
        self.url = url
        self.address = urllib.parse.urlsplit(url).netloc

    def wait_until_ready(self):
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline:
            try:
                body = self.call("GET", "/health", 200)
            except OSError:
                time.sleep(0.1)
                continue
            assert json.loads(body)["version"], body
            return
        raise AssertionError("the guest was not healthy within 5 s")

    def init(self):
        body = {
            "timestamp": datetime.datetime.now(datetime.timezone.utc).isoformat(),
            "lifecycle_id": "5d3f7d2e-9a0c-4d8e-8f6a-0c1b2a3d4e60",
            "defaultUser": "user",
            "envVars": {"GREETING": "hello from init"},
            "sandbox_id": "sandbox-python",
        }
        self.call("POST", "/init", 204, json.dumps(body).encode(), {"Content-Type": "application/json"})

    def big_file(self, guest):
        content = random.Random(42).randbytes(BIG_SIZE)
        self.upload("/home/user/big.bin", content)
        result = guest.exec("sha256sum", "/home/user/big.bin")
        expect("checksum in the guest", f"{hashlib.sha256(content).hexdigest()}  /home/user/big.bin\n", result.stdout)
        assert self.download("/home/user/big.bin") == content, "expected the same bytes back"

    def upload(self, path, content):
        head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="upload"\r\n\r\n'
        body = head.encode() + content + f"\r\n--{BOUNDARY}--\r\n".encode()
        headers = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
        self.call("POST", files_url(path), 200, body, headers)

    def download(self, path):
        return self.call("GET", files_url(path), 200)

    def prepare(self):
        self.call("POST", "/snapshot/prepare", 204)

    def preload(self):
        status = json.loads(self.call("POST", "/memory/preload", 200))
        while status["state"] == "running":
            time.sleep(0.05)
            status = json.loads(self.call("GET", "/memory/preload", 200))
        expect("state", "done", status["state"])
        assert status["bytes"] > 0, status

    def call(self, method, path, status, body=None, headers=None):
        """The body of an answer, which must have this status."""
        connection = http.client.HTTPConnection(self.address, timeout=120)
        try:
            connection.request(method, path, body, headers or {})
            response = connection.getresponse()
            data = response.read()
        finally:
            connection.close()
        assert response.status == status, f"{method} {path}: expected {status}, found {response.status}: {data[:500]}"
        return data


def files_url(path):
    return "/files?" + urllib.parse.urlencode({"path": path, "username": "root"})


def expect(what, expected, found):
    assert expected == found, f"{what}: expected {expected!r}, found {found!r}"
