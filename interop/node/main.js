// Drives the mock with @connectrpc/connect-node and fails on the first thing that is not what a guest should do.
// The mock's program is named by ENVD_MOCK.
import { Guest, protocols } from "./guest.js";
import { Mock } from "./mock.js";
import { Rest } from "./rest.js";

const mock = await Mock.boot();
try {
  await drive(mock);
} catch (error) {
  console.error("node: failed:", error);
  process.exitCode = 1;
} finally {
  mock.kill();
}

async function drive(mock) {
  const rest = new Rest(mock.url);
  await steps("guest", {
    health: () => rest.waitUntilReady(),
    init: () => rest.init(),
    "64 MiB up and down": () => rest.bigFile(new Guest(rest, protocols[0])),
  });
  for (const protocol of protocols) {
    const guest = new Guest(rest, protocol);
    await steps(guest.name, {
      "run a command": () => guest.runCommand(),
      "a missing program": () => guest.missingProgram(),
      "background and reconnect": () => guest.background(),
      terminal: () => guest.terminal(),
      "standard input": () => guest.standardInput(),
      files: () => guest.files(),
      errors: () => guest.refusals(),
    });
  }
  await steps("guest", {
    "prepare a snapshot": () => rest.prepare(),
    preload: () => rest.preload(),
    SIGTERM: () => mock.terminate(),
  });
}

async function steps(about, all) {
  const before = performance.now();
  for (const [name, act] of Object.entries(all)) {
    try {
      await act();
    } catch (error) {
      throw new Error(`${about}: ${name}`, { cause: error });
    }
  }
  console.log(`node: ${about}: ${Object.keys(all).join(", ")} (${Math.round(performance.now() - before)} ms)`);
}
