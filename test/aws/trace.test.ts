import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { afterEach, beforeEach, expect, test } from "vitest";
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
afterEach(() => void daemon.close());

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

test("a traced function is a subsegment of Lambda's segment, with annotations", async () => {
  const before = Date.now() / 1000;
  expect(await traced("run", { Flavor: "large" }, async () => 7, asCount, env)).toBe(7);
  const [document] = await documents();
  expect(document).toEqual({
    name: "run",
    id: expect.stringMatching(/^[0-9a-f]{16}$/),
    trace_id: "1-5759e988-bd862e3fe1be46a994272793",
    parent_id: "53995c3f42cd8ad8",
    type: "subsegment",
    start_time: expect.closeTo(before, 0),
    end_time: expect.closeTo(before, 0),
    annotations: { Flavor: "large", count: 7 },
  });
});

test("an error is a fault, and is thrown", async () => {
  const failed = traced("run", {}, () => Promise.reject(new TypeError("x".repeat(1_000))), asCount, env);
  await expect(failed).rejects.toThrow(TypeError);
  const exception = { id: expect.stringMatching(/^[0-9a-f]{16}$/), type: "TypeError", message: "x".repeat(300) };
  expect(await documents()).toMatchObject([{ fault: true, cause: { exceptions: [exception] } }]);
});

test.each([
  [
    "is not sampled",
    { _X_AMZN_TRACE_ID: "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=0" },
  ],
  ["is absent", { _X_AMZN_TRACE_ID: "" }],
  ["has no parent", { _X_AMZN_TRACE_ID: "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1" }],
  ["has no root", { _X_AMZN_TRACE_ID: "Parent=53995c3f42cd8ad8;Sampled=1" }],
  ["has no daemon", { AWS_XRAY_DAEMON_ADDRESS: "" }],
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
