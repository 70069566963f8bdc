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
  await step("guest", "health", () => rest.waitUntilReady());
  await step("guest", "init", () => rest.init());
  await step("guest", "64 MiB up and down", () => rest.bigFile(new Guest(rest, protocols[0])));
  for (const protocol of protocols) {
    const guest = new Guest(rest, protocol);
    await step(guest.name, "run a command", () => guest.runCommand());
    await step(guest.name, "a missing program", () => guest.missingProgram());
    await step(guest.name, "background and reconnect", () => guest.background());
    await step(guest.name, "terminal", () => guest.terminal());
    await step(guest.name, "standard input", () => guest.standardInput());
    await step(guest.name, "files", () => guest.files());
    await step(guest.name, "errors", () => guest.refusals());
  }
  await step("guest", "prepare a snapshot", () => rest.prepare());
  await step("guest", "preload", () => rest.preload());
  await step("guest", "SIGTERM", () => mock.terminate());
}

async function step(about, name, act) {
  const before = performance.now();
  try {
    await act();
  } catch (error) {
    throw new Error(`${about}: ${name}`, { cause: error });
  }
  console.log(`node: ${about}: ${name} (${Math.round(performance.now() - before)} ms)`);
}
