import { createSocket, Socket } from "node:dgram";
import { once } from "node:events";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { traced } from "../../functions/aws/trace.ts";

let daemon: Socket;
let env: Record<string, string>;
let received: string[];
beforeEach(async () => {
  received = [];
  daemon = createSocket("udp4").on("message", (message) => received.push(message.toString()));
  daemon.bind(0, "127.0.0.1");
  await once(daemon, "listening");
  env = {
    AWS_XRAY_DAEMON_ADDRESS: `127.0.0.1:${daemon.address().port}`,
    _X_AMZN_TRACE_ID: "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1;Lineage=1:a:0",
  };
});
afterEach(() => {
  daemon.close();
  vi.restoreAllMocks();
  vi.useRealTimers();
});

const asCount = (count: number) => ({ count });

/** What the daemon received, once all that was sent has arrived. */
async function documents(): Promise<unknown[]> {
  const sender = createSocket("udp4");
  const arrived = once(daemon, "message");
  sender.send("end", daemon.address().port, "127.0.0.1");
  await arrived;
  while (!received.includes("end")) await once(daemon, "message");
  sender.close();
  return received
    .filter((text) => text !== "end")
    .map((text) => {
      const [header = "", document = ""] = text.split("\n");
      expect(JSON.parse(header)).toEqual({ format: "json", version: 1 });
      return JSON.parse(document);
    });
}

const ID = expect.stringMatching(/^[0-9a-f]{16}$/);

/** What every subsegment says that takes from 10.5 s to 12.25 s after the epoch. */
const SUBSEGMENT = {
  name: "run",
  id: ID,
  trace_id: "1-5759e988-bd862e3fe1be46a994272793",
  parent_id: "53995c3f42cd8ad8",
  type: "subsegment",
  start_time: 10.5,
  end_time: 12.25,
};

/** A body that takes that long. */
async function during<Result>(end: () => Result): Promise<Result> {
  vi.setSystemTime(12_250);
  return end();
}

test("a traced function is a subsegment of Lambda's segment, with annotations", async () => {
  vi.useFakeTimers({ toFake: ["Date"], now: 10_500 });
  expect(await traced("run", { Flavor: "large" }, () => during(() => 7), asCount, env)).toBe(7);
  expect(await documents()).toEqual([{ ...SUBSEGMENT, annotations: { Flavor: "large", count: 7 } }]);
});

test.each<[string, unknown, object]>([
  ["an error", new TypeError("x".repeat(1_000)), { type: "TypeError", message: "x".repeat(300) }],
  ["what is no error", "text", { type: "Error", message: "text" }],
])("%s is a fault, and is thrown", async (_, thrown, exception) => {
  vi.useFakeTimers({ toFake: ["Date"], now: 10_500 });
  const body = () =>
    during(() => {
      throw thrown;
    });
  await expect(traced("run", { Flavor: "large" }, body, asCount, env)).rejects.toBe(thrown);
  expect(await documents()).toEqual([
    {
      ...SUBSEGMENT,
      annotations: { Flavor: "large" },
      fault: true,
      cause: { exceptions: [{ id: ID, ...exception }] },
    },
  ]);
});

test("without another environment, it is the process's", async () => {
  for (const [name, value] of Object.entries(env)) vi.stubEnv(name, value);
  await traced("run", {}, async () => 7, asCount);
  vi.unstubAllEnvs();
  expect(await documents()).toHaveLength(1);
});

test.each([
  [
    "is not sampled",
    { _X_AMZN_TRACE_ID: "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=0" },
  ],
  ["is absent", { _X_AMZN_TRACE_ID: "" }],
  ["has no parent", { _X_AMZN_TRACE_ID: "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1" }],
  ["has no root", { _X_AMZN_TRACE_ID: "Parent=53995c3f42cd8ad8;Sampled=1" }],
  ["does not exist", { _X_AMZN_TRACE_ID: undefined }],
  ["has no daemon", { AWS_XRAY_DAEMON_ADDRESS: "" }],
  ["has no address of a daemon", { AWS_XRAY_DAEMON_ADDRESS: undefined }],
])("nothing is sent if the trace %s", async (_, changes) => {
  expect(await traced("run", {}, async () => 7, asCount, { ...env, ...changes })).toBe(7);
  expect(await documents()).toEqual([]);
});

test.each(["127.0.0.1:1", "host.invalid:2000", "127.0.0.1:99999"])(
  "a daemon that can't be reached at %s is no failure",
  async (address) => {
    const unreachable = { ...env, AWS_XRAY_DAEMON_ADDRESS: address };
    expect(await traced("run", {}, async () => 7, asCount, unreachable)).toBe(7);
  },
);

test.each([
  ["udp:", ""],
  ["", "x"],
  ["", ":"],
])("an address that is more than host and port is none: %s…%s", async (before, after) => {
  const address = `${before}${env.AWS_XRAY_DAEMON_ADDRESS}${after}`;
  await traced("run", {}, async () => 7, asCount, { ...env, AWS_XRAY_DAEMON_ADDRESS: address });
  expect(await documents()).toEqual([]);
});

test("a socket that gets no port is no failure", async () => {
  vi.spyOn(Socket.prototype, "bind").mockImplementation(function (this: Socket) {
    process.nextTick(() => this.emit("error", new Error("no port")));
    return this;
  });
  expect(await traced("run", {}, async () => 7, asCount, env)).toBe(7);
});

test.each(["127.0.0.1:2000", "127.0.0.1:99999"])(
  "no socket is left open, whether %s can be reached",
  async (address) => {
    const close = vi.spyOn(Socket.prototype, "close");
    await traced("run", {}, async () => 7, asCount, { ...env, AWS_XRAY_DAEMON_ADDRESS: address });
    expect(close).toHaveBeenCalledTimes(1);
  },
);
