// The part of the guest that is plain HTTP, by the fetch that Node brings.
import assert from "node:assert/strict";
import { createCipheriv, createHash } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";

const bigSize = 64 << 20;

export class Rest {
  constructor(url) {
    this.url = url;
  }

  async waitUntilReady() {
    for (let attempt = 0; attempt < 50; attempt++) {
      const response = await fetch(`${this.url}/health`).catch(() => undefined);
      if (response?.status === 200) {
        assert((await response.json()).version);
        return;
      }
      await delay(100);
    }
    assert.fail("the guest was not healthy within 5 s");
  }

  async init() {
    const body = {
      timestamp: new Date().toISOString(),
      lifecycle_id: "5d3f7d2e-9a0c-4d8e-8f6a-0c1b2a3d4e61",
      defaultUser: "user",
      envVars: { GREETING: "hello from init" },
      sandbox_id: "sandbox-node",
    };
    const headers = { "Content-Type": "application/json" };
    await this.call("POST", "/init", 204, { body: JSON.stringify(body), headers });
  }

  async bigFile(guest) {
    const content = noise(bigSize);
    const sum = createHash("sha256").update(content).digest("hex");
    await this.upload("/home/user/big.bin", content);
    const result = await guest.exec("sha256sum", "/home/user/big.bin");
    assert.equal(result.stdout, `${sum}  /home/user/big.bin\n`);
    assert(content.equals(await this.download("/home/user/big.bin")), "expected the same bytes back");
  }

  async upload(path, content) {
    const body = new FormData();
    body.set("file", new Blob([content]), "upload");
    await this.call("POST", filesURL(path), 200, { body });
  }

  download(path) {
    return this.call("GET", filesURL(path), 200);
  }

  async prepare() {
    await this.call("POST", "/snapshot/prepare", 204);
  }

  async preload() {
    let status = JSON.parse(await this.call("POST", "/memory/preload", 200));
    while (status.state === "running") {
      await delay(50);
      status = JSON.parse(await this.call("GET", "/memory/preload", 200));
    }
    assert.equal(status.state, "done");
    assert(status.bytes > 0);
  }

  // The body of an answer, which must have this status.
  async call(method, path, status, options = {}) {
    const signal = AbortSignal.timeout(120_000);
    const response = await fetch(this.url + path, { method, signal, ...options });
    const data = Buffer.from(await response.arrayBuffer());
    assert.equal(response.status, status, `${method} ${path}: ${data.subarray(0, 500)}`);
    return data;
  }
}

function filesURL(path) {
  return `/files?${new URLSearchParams({ path, username: "root" })}`;
}

// Bytes that no compression shortens, the same in each run.
function noise(size) {
  return createCipheriv("aes-128-ctr", Buffer.alloc(16, 42), Buffer.alloc(16)).update(Buffer.alloc(size));
}
