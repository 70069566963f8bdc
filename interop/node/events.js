// The events of one command, as Start and Connect give them, and what the command left.
import assert from "node:assert/strict";

export class Events {
  constructor(stream) {
    this.stream = stream[Symbol.asyncIterator]();
    this.pid = 0;
    this.end = undefined;
    this.output = { stdout: [], stderr: [], pty: [] };
  }

  get stdout() {
    return `${Buffer.concat(this.output.stdout)}`;
  }

  get stderr() {
    return `${Buffer.concat(this.output.stderr)}`;
  }

  get pty() {
    return `${Buffer.concat(this.output.pty)}`;
  }

  // Expects the first event to be the start, and gives its pid.
  async started() {
    const { value } = await this.stream.next();
    const event = value?.event?.event;
    assert.equal(event?.case, "start");
    assert(event.value.pid > 0);
    this.pid = event.value.pid;
    return this.pid;
  }

  // Reads on until the terminal has shown the text.
  async until(text) {
    while (!this.pty.includes(text)) {
      const { done, value } = await this.stream.next();
      assert(!done, `expected ${JSON.stringify(text)} on the terminal, found its end after ${JSON.stringify(this.pty)}`);
      this.add(value);
    }
  }

  // Reads on to the end of the stream, which must come after an end event.
  async finish() {
    for (;;) {
      const { done, value } = await this.stream.next();
      if (done) break;
      this.add(value);
    }
    assert(this.end, "expected an end event before the end of the stream, found none");
    return this;
  }

  add(message) {
    assert(!this.end, "expected nothing after the end event");
    const { event } = message.event;
    if (event.case === "data") this.output[event.value.output.case].push(Buffer.from(event.value.output.value));
    else if (event.case === "end") this.end = event.value;
    else assert.equal(event.case, "keepalive");
  }

  // Lets the stream go; the process must go on.
  async drop() {
    await this.stream.return?.();
  }

  expect(exitCode, exited, status) {
    const found = { exitCode: this.end.exitCode, exited: this.end.exited, status: this.end.status };
    assert.deepEqual(found, { exitCode, exited, status });
  }
}
