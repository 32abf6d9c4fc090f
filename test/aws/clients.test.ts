import { GetObjectCommand, HeadObjectCommand } from "@aws-sdk/client-s3";
import { afterEach, expect, test, vi } from "vitest";
import { createClients } from "../../functions/aws/clients.ts";
import { startHttpWorld } from "../worlds/http.ts";
import { BUCKET } from "../worlds/memory.ts";
import { expectPatience, handlerConfig } from "./sdk-client.ts";

const CONCURRENCY = 8;
const clients = createClients(CONCURRENCY, true);
const both = [
  ["S3", clients.s3],
  ["EventBridge", clients.eventBridge],
] as const;

afterEach(() => vi.restoreAllMocks());

test.each(both)(
  "%s: a connection has 3 s, an answer 5 s, and a call three attempts of the SDK's standard mode",
  async (_, { config }) => {
    await expectPatience(config, 3_000, clients.connections);
    expect(config.retryMode).toBe("standard");
  },
);

test("an answer has the time that is given", async () => {
  const impatient = createClients(CONCURRENCY, true, 700);
  for (const { config } of [impatient.s3, impatient.eventBridge]) {
    expect(await handlerConfig(config)).toMatchObject({ requestTimeout: 700, socketTimeout: 700 });
  }
});

test.each([true, false])("the bucket stands in the path only where that is asked for: %s", async (usePathStyle) => {
  expect(createClients(CONCURRENCY, usePathStyle).s3.config.forcePathStyle).toBe(usePathStyle);
});

test("uploads and downloads have the SDK's checksums only where S3 demands them", async () => {
  const { requestChecksumCalculation, responseChecksumValidation } = clients.s3.config;
  expect([await requestChecksumCalculation(), await responseChecksumValidation()]).toEqual([
    "WHEN_REQUIRED",
    "WHEN_REQUIRED",
  ]);
});

test("a runner in progress reads its four files at once", () => {
  const { httpAgent, httpsAgent } = clients.connections;
  expect([httpAgent.maxSockets, httpsAgent.maxSockets]).toEqual([CONCURRENCY * 4, CONCURRENCY * 4]);
});

test.each(both)("%s: the SDK's warnings, which quote what an uploader wrote, go nowhere", async (_, { config }) => {
  const said = (["debug", "info", "warn", "error", "trace"] as const).map((level) => vi.spyOn(console, level));
  const { logger: ofHandler = console } = await handlerConfig(config);
  for (const logger of [config.logger, ofHandler]) {
    for (const level of ["debug", "info", "warn", "error"] as const) logger[level]("what an uploader wrote");
  }
  for (const spy of said) expect(spy).not.toHaveBeenCalled();
});

test("an object is read whatever its uploader says of when it expires", async () => {
  const world = await startHttpWorld();
  world.s3.plant(BUCKET, "k", { body: Buffer.from("text") });
  world.faults.use(() => ({
    kind: "changed-answer",
    change: (reply) => ({ ...reply, headers: { ...reply.headers, expires: "" } }),
  }));
  const object = { Bucket: BUCKET, Key: "k" };
  const head = await world.clients.s3.send(new HeadObjectCommand(object));
  const { Body, ...answer } = await world.clients.s3.send(new GetObjectCommand(object));
  expect(await Body?.transformToString()).toBe("text");
  for (const { Expires, ExpiresString } of [head, answer])
    expect([Expires, ExpiresString]).toEqual([undefined, undefined]);
  await world.close();
});
