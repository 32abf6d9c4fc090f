import { afterEach, expect, test, vi } from "vitest";
import { createClients } from "../../functions/aws/clients.ts";

const CONCURRENCY = 8;
const clients = createClients(CONCURRENCY, true);
const both = [
  ["S3", clients.s3],
  ["EventBridge", clients.eventBridge],
] as const;

/** The SDK's handler of requests makes its configuration with the first one. */
async function handlerConfig({ requestHandler }: { requestHandler: object }): Promise<{ logger?: Console }> {
  const handler = requestHandler as { handle(request: object): Promise<unknown>; httpHandlerConfigs(): object };
  await handler.handle({}).catch(() => {});
  return handler.httpHandlerConfigs();
}

afterEach(() => vi.restoreAllMocks());

test.each(both)("%s: a connection has 3 s, an answer 5 s, and a call three attempts", async (_, { config }) => {
  expect(await handlerConfig(config)).toMatchObject({
    connectionTimeout: 3_000,
    requestTimeout: 5_000,
    socketTimeout: 5_000,
    throwOnRequestTimeout: true,
  });
  expect(await config.maxAttempts()).toBe(3);
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
