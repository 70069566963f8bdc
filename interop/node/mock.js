// A running envd-mock: its start, its one line, its end.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const program = process.env.ENVD_MOCK ?? fileURLToPath(new URL("../../target/debug/envd-mock", import.meta.url));
const ready =
  /^envd-mock ready url=(http:\/\/127\.0\.0\.1:\d+) control=http:\/\/127\.0\.0\.1:\d+ generation=2 root=\S+$/;

export class Mock {
  static async boot() {
    const child = spawn(program, ["--listen", "127.0.0.1:0"], { stdio: ["ignore", "pipe", "inherit"] });
    const lines = createInterface({ input: child.stdout });
    const [line] = await Promise.race([once(lines, "line"), once(lines, "close").then(() => ["nothing"])]);
    const match = ready.exec(line);
    if (!match) child.kill("SIGKILL");
    assert(match, `expected the ready line, found ${line}`);
    return new Mock(child, match[1]);
  }

  constructor(child, url) {
    this.child = child;
    this.url = url;
  }

  // Expects exit code 0 soon after SIGTERM.
  async terminate() {
    this.child.kill("SIGTERM");
    const [code, signal] = await once(this.child, "exit", { signal: AbortSignal.timeout(1500) });
    assert.deepEqual({ code, signal }, { code: 0, signal: null });
  }

  kill() {
    this.child.kill("SIGKILL");
  }
}
