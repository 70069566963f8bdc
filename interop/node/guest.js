// The services of the mock, by one protocol, and what a guest must do over it.
import assert from "node:assert/strict";

import { timestampMs } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import {
  compressionGzip,
  createConnectTransport,
  createGrpcTransport,
  createGrpcWebTransport,
} from "@connectrpc/connect-node";

import { Events } from "./events.js";
import { FileType, Filesystem } from "./gen/filesystem/filesystem_pb.js";
import { Process, Signal } from "./gen/process/process_pb.js";

export const protocols = [
  { name: "connect-proto", create: createConnectTransport, httpVersion: "1.1" },
  { name: "connect-json", create: createConnectTransport, httpVersion: "1.1", useBinaryFormat: false },
  {
    name: "connect-gzip",
    create: createConnectTransport,
    httpVersion: "1.1",
    sendCompression: compressionGzip,
    compressMinBytes: 0,
  },
  { name: "connect-h2c", create: createConnectTransport, httpVersion: "2" },
  { name: "connect-json-h2c", create: createConnectTransport, httpVersion: "2", useBinaryFormat: false },
  { name: "grpc-web", create: createGrpcWebTransport, httpVersion: "1.1" },
  { name: "grpc-h2c", create: createGrpcTransport, httpVersion: "2" },
];

export class Guest {
  constructor(rest, { name, create, ...options }) {
    this.rest = rest;
    this.name = name;
    const transport = create({ baseUrl: rest.url, defaultTimeoutMs: 60_000, ...options });
    this.process = createClient(Process, transport);
    this.filesystem = createClient(Filesystem, transport);
  }

  start(request, options) {
    return new Events(this.process.start(request, options));
  }

  // Runs a command to its end.
  async exec(cmd, ...args) {
    const events = this.start({ process: { cmd, args }, stdin: false });
    await events.started();
    return events.finish();
  }

  async runCommand() {
    const script = 'echo out; echo err >&2; echo "$GREETING"; echo $$; whoami; exit 3';
    const result = await this.exec("/bin/sh", "-c", script);
    assert.equal(result.stdout, `out\nhello from init\n${result.pid}\nuser\n`);
    assert.equal(result.stderr, "err\n");
    result.expect(3, true, "exit status: 3");
  }

  async missingProgram() {
    assert.equal((await this.exec("/no/such/program", "x")).end.exitCode, 127);
  }

  async background() {
    const [tag, gate] = [`job-${this.name}`, `/tmp/gate-${this.name}`];
    const script = `until [ -e ${gate} ]; do sleep 0.02; done; echo late; exit 5`;
    const first = this.start({ process: { cmd: "/bin/sh", args: ["-c", script] }, tag, stdin: false });
    const pid = await first.started();
    await first.drop();
    const { processes } = await this.process.list({});
    const listed = processes.filter((process) => process.tag === tag);
    assert.deepEqual(listed.map(({ pid, config }) => ({ pid, cmd: config.cmd })), [{ pid, cmd: "/bin/sh" }]);
    const again = new Events(this.process.connect({ process: byTag(tag) }));
    assert.equal(await again.started(), pid);
    await this.rest.upload(gate, "");
    const result = await again.finish();
    assert.equal(result.stdout, "late\n");
    result.expect(5, true, "exit status: 5");
  }

  async terminal() {
    const tag = `pty-${this.name}`;
    const events = this.start({ process: { cmd: "/bin/sh" }, pty: { size: { cols: 80, rows: 24 } }, tag });
    await events.started();
    await this.type(tag, "stty size; tty >/dev/null && echo is-a-tty\n");
    await events.until("24 80\r\nis-a-tty\r\n");
    await this.process.update({ process: byTag(tag), pty: { size: { cols: 132, rows: 43 } } });
    await this.type(tag, "stty size\n");
    await events.until("43 132\r\n");
    await this.process.sendSignal({ process: byTag(tag), signal: Signal.SIGKILL });
    const result = await events.finish();
    result.expect(-1, false, "signal: 9 (SIGKILL)");
    assert.equal(result.stdout + result.stderr, "", "a terminal has neither");
  }

  async type(tag, text) {
    const input = { input: { case: "pty", value: Buffer.from(text) } };
    await this.process.sendInput({ process: byTag(tag), input });
  }

  async standardInput() {
    const events = this.start({ process: { cmd: "cat" } });
    const process = { selector: { case: "pid", value: await events.started() } };
    await this.process.streamInput(
      (async function* () {
        yield { event: { case: "start", value: { process } } };
        yield stdin("one\n");
        yield stdin("two\n");
      })(),
    );
    await this.process.closeStdin({ process });
    const result = await events.finish();
    assert.equal(result.stdout, "one\ntwo\n");
    result.expect(0, true, "exit status: 0");
  }

  async files() {
    const dir = `/home/user/dir-${this.name}`;
    const made = await this.filesystem.makeDir({ path: dir });
    assert.deepEqual([made.entry.type, made.entry.owner], [FileType.DIRECTORY, "user"]);
    await this.rest.upload(`${dir}/a.txt`, "from the host\n");
    const { entry } = await this.filesystem.stat({ path: `${dir}/a.txt` });
    assert.equal(entry.size, 14n);
    const age = Date.now() - timestampMs(entry.modifiedTime);
    assert(Math.abs(age) < 60_000, `expected a fresh modification time, found one ${age} ms old`);
    const { entries } = await this.filesystem.listDir({ path: dir, depth: 1 });
    assert.deepEqual(entries.map((entry) => entry.path), [`${dir}/a.txt`]);
    assert.equal((await this.exec("cat", `${dir}/a.txt`)).stdout, "from the host\n");
    assert.equal(`${await this.rest.download(`${dir}/a.txt`)}`, "from the host\n");
    const moved = await this.filesystem.move({ source: `${dir}/a.txt`, destination: `${dir}/b.txt` });
    assert.equal(moved.entry.name, "b.txt");
    await this.filesystem.remove({ path: dir });
    await refused(this.filesystem.stat({ path: dir }), Code.NotFound, "file not found");
  }

  async refusals() {
    await refused(this.start({}).started(), Code.InvalidArgument, "process config required");
    const request = { process: byTag("nobody"), signal: Signal.SIGTERM };
    await refused(this.process.sendSignal(request), Code.NotFound, "process with tag nobody not found");
  }
}

function byTag(tag) {
  return { selector: { case: "tag", value: tag } };
}

function stdin(text) {
  const input = { input: { case: "stdin", value: Buffer.from(text) } };
  return { event: { case: "data", value: { input } } };
}

async function refused(call, code, text) {
  await assert.rejects(call, (error) => {
    assert(error instanceof ConnectError, `expected a ConnectError, found ${error}`);
    assert.equal(error.code, code);
    assert(error.rawMessage.includes(text), `expected ${text}, found ${error.rawMessage}`);
    return true;
  });
}
