"""The services of the mock, by one protocol, and what a guest must do over it."""

import time

from connectrpc.code import Code
from connectrpc.codec import proto_binary_codec, proto_json_codec
from connectrpc.errors import ConnectError
from connectrpc.protocol import ProtocolType
from filesystem import filesystem_pb as fs
from filesystem.filesystem_connect import FilesystemClientSync
from process import process_pb as ps
from process.process_connect import ProcessClientSync
from protobuf import Oneof
from pyqwest import HTTPVersion, SyncClient, SyncHTTPTransport
from rest import expect

DEADLINE_MS = 60_000

# A name, how messages are written, the protocol, and the version of HTTP.
PROTOCOLS = [
    ("connect-proto", proto_binary_codec(), ProtocolType.CONNECT, HTTPVersion.HTTP1),
    ("connect-json", proto_json_codec(), ProtocolType.CONNECT, HTTPVersion.HTTP1),
    ("connect-h2c", proto_binary_codec(), ProtocolType.CONNECT, HTTPVersion.HTTP2),
    ("grpc-web", proto_binary_codec(), ProtocolType.GRPC_WEB, HTTPVersion.HTTP1),
    ("grpc-h2c", proto_binary_codec(), ProtocolType.GRPC, HTTPVersion.HTTP2),
]


class Guest:
    def __init__(self, rest, name, codec, protocol, version):
        self.rest, self.name = rest, name
        self.http = SyncClient(SyncHTTPTransport(http_version=version))
        options = {"codec": codec, "protocol": protocol, "timeout_ms": DEADLINE_MS, "http_client": self.http}
        self.process = ProcessClientSync(rest.url, **options)
        self.filesystem = FilesystemClientSync(rest.url, **options)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.close()
        self.filesystem.close()

    def start(self, **request):
        return Events(self.process.start(ps.StartRequest(**request)))

    def exec(self, cmd, *args):
        """Runs a command to its end."""
        events = self.start(process=ps.ProcessConfig(cmd=cmd, args=list(args)), stdin=False)
        events.started()
        return events.finish()

    def run_command(self):
        script = 'echo out; echo err >&2; echo "$GREETING"; echo $$; whoami; exit 3'
        result = self.exec("/bin/sh", "-c", script)
        expect("stdout", f"out\nhello from init\n{result.pid}\nuser\n", result.stdout)
        expect("stderr", "err\n", result.stderr)
        result.expect(3, True, "exit status: 3")

    def missing_program(self):
        expect("exit code", 127, self.exec("/no/such/program", "x").end.exit_code)

    def background(self):
        tag, gate = f"job-{self.name}", f"/tmp/gate-{self.name}"
        script = f"until [ -e {gate} ]; do sleep 0.02; done; echo late; exit 5"
        config = ps.ProcessConfig(cmd="/bin/sh", args=["-c", script])
        first = self.start(process=config, tag=tag, stdin=False)
        pid = first.started()
        first.drop()
        listed = [p for p in self.process.list(ps.ListRequest()).processes if p.tag == tag]
        expect("listed", [(pid, "/bin/sh")], [(p.pid, p.config.cmd) for p in listed])
        again = Events(self.process.connect(ps.ConnectRequest(process=by_tag(tag))))
        expect("pid after reconnect", pid, again.started())
        self.rest.upload(gate, b"")
        result = again.finish()
        expect("stdout", "late\n", result.stdout)
        result.expect(5, True, "exit status: 5")

    def terminal(self):
        tag = f"pty-{self.name}"
        config = ps.ProcessConfig(cmd="/bin/sh")
        events = self.start(process=config, pty=size(80, 24), tag=tag)
        events.started()
        self.type(tag, "stty size; tty >/dev/null && echo is-a-tty\n")
        events.until("24 80\r\nis-a-tty\r\n")
        self.process.update(ps.UpdateRequest(process=by_tag(tag), pty=size(132, 43)))
        self.type(tag, "stty size\n")
        events.until("43 132\r\n")
        self.process.send_signal(ps.SendSignalRequest(process=by_tag(tag), signal=ps.Signal.SIGKILL))
        result = events.finish()
        result.expect(-1, False, "signal: 9 (SIGKILL)")
        expect("stdout and stderr of a terminal", "", result.stdout + result.stderr)

    def type(self, tag, text):
        data = ps.ProcessInput(input=Oneof("pty", text.encode()))
        self.process.send_input(ps.SendInputRequest(process=by_tag(tag), input=data))

    def standard_input(self):
        events = self.start(process=ps.ProcessConfig(cmd="cat"))
        selector = ps.ProcessSelector(selector=Oneof("pid", events.started()))
        start = ps.StreamInputRequest.StartEvent(process=selector)
        parts = [ps.StreamInputRequest(event=Oneof("start", start)), stdin(b"one\n"), stdin(b"two\n")]
        self.process.stream_input(iter(parts))
        self.process.close_stdin(ps.CloseStdinRequest(process=selector))
        result = events.finish()
        expect("stdout", "one\ntwo\n", result.stdout)
        result.expect(0, True, "exit status: 0")

    def files(self):
        path = f"/home/user/dir-{self.name}"
        entry = self.filesystem.make_dir(fs.MakeDirRequest(path=path)).entry
        expect("type and owner", (fs.FileType.DIRECTORY, "user"), (entry.type, entry.owner))
        self.rest.upload(f"{path}/a.txt", b"from the host\n")
        entry = self.filesystem.stat(fs.StatRequest(path=f"{path}/a.txt")).entry
        expect("size", 14, entry.size)
        age = time.time() - entry.modified_time.seconds
        assert -60 < age < 60, f"expected a fresh modification time, found one {age} s old"
        listed = self.filesystem.list_dir(fs.ListDirRequest(path=path, depth=1)).entries
        expect("listed paths", [f"{path}/a.txt"], [e.path for e in listed])
        expect("cat", "from the host\n", self.exec("cat", f"{path}/a.txt").stdout)
        expect("download", b"from the host\n", self.rest.download(f"{path}/a.txt"))
        move = fs.MoveRequest(source=f"{path}/a.txt", destination=f"{path}/b.txt")
        expect("name", "b.txt", self.filesystem.move(move).entry.name)
        self.filesystem.remove(fs.RemoveRequest(path=path))
        refused(lambda: self.filesystem.stat(fs.StatRequest(path=path)), Code.NOT_FOUND, "file not found")

    def refusals(self):
        refused(lambda: list(self.process.start(ps.StartRequest())), Code.INVALID_ARGUMENT, "process config required")
        request = ps.SendSignalRequest(process=by_tag("nobody"), signal=ps.Signal.SIGTERM)
        text = "process with tag nobody not found"
        refused(lambda: self.process.send_signal(request), Code.NOT_FOUND, text)


class Events:
    """The events of one command, as Start and Connect give them."""

    def __init__(self, stream):
        self.stream = stream
        self.pid, self.end = 0, None
        self.output = {"stdout": b"", "stderr": b"", "pty": b""}

    def started(self):
        event = next(self.stream).event.event
        assert event.field == "start" and event.value.pid, f"expected a start event with a pid, found {event}"
        self.pid = event.value.pid
        return self.pid

    def until(self, text):
        """Reads on until the terminal has shown the text."""
        while text not in self.pty:
            message = next(self.stream, None)
            assert message, f"expected {text!r} on the terminal, found its end after {self.pty!r}"
            self.add(message)

    def finish(self):
        """Reads on to the end of the stream, which must come after an end event."""
        for message in self.stream:
            self.add(message)
        assert self.end, "expected an end event before the end of the stream, found none"
        return self

    def add(self, message):
        assert not self.end, f"expected nothing after the end event, found {message}"
        event = message.event.event
        if event.field == "data":
            self.output[event.value.output.field] += event.value.output.value
        elif event.field == "end":
            self.end = event.value
        else:
            assert event.field == "keepalive", f"expected data, end or keepalive, found {event}"

    def drop(self):
        self.stream.close()

    def expect(self, exit_code, exited, status):
        found = (self.end.exit_code, self.end.exited, self.end.status)
        expect("end event", (exit_code, exited, status), found)

    stdout = property(lambda self: self.output["stdout"].decode())
    stderr = property(lambda self: self.output["stderr"].decode())
    pty = property(lambda self: self.output["pty"].decode())


def by_tag(tag):
    return ps.ProcessSelector(selector=Oneof("tag", tag))


def size(cols, rows):
    return ps.PTY(size=ps.PTY.Size(cols=cols, rows=rows))


def stdin(data):
    event = ps.StreamInputRequest.DataEvent(input=ps.ProcessInput(input=Oneof("stdin", data)))
    return ps.StreamInputRequest(event=Oneof("data", event))


def refused(call, code, text):
    try:
        call()
    except ConnectError as error:
        assert error.code == code and text in error.message, f"expected {code} with {text!r}, found {error!r}"
    else:
        raise AssertionError(f"expected {code}, found success")
