import type { Agent } from "node:http";
import { expect } from "vitest";
import type { Connections } from "../../functions/connections.ts";
import { ServiceError } from "../../functions/ports.ts";

/** How the SDK's clients are to make requests. */
export interface HandlerConfig {
  readonly logger?: Console;
  readonly httpAgent: Agent;
  readonly httpsAgent: Agent;
}

/** The SDK's handler of requests makes its configuration with the first one. */
export async function handlerConfig({ requestHandler }: { requestHandler: object }): Promise<HandlerConfig> {
  const handler = requestHandler as { handle(request: object): Promise<unknown>; httpHandlerConfigs(): HandlerConfig };
  await handler.handle({}).catch(() => {});
  return handler.httpHandlerConfigs();
}

/** Expects that a client gives a connection so many milliseconds, an answer five seconds, and a call three attempts, on these connections. */
export async function expectPatience(
  config: { requestHandler: object; maxAttempts: () => Promise<number> },
  connectionTimeout: number,
  { httpAgent, httpsAgent }: Connections,
): Promise<void> {
  const handler = await handlerConfig(config);
  expect(handler).toMatchObject({
    connectionTimeout,
    requestTimeout: 5_000,
    socketTimeout: 5_000,
    throwOnRequestTimeout: true,
  });
  expect(handler.httpAgent).toBe(httpAgent);
  expect(handler.httpsAgent).toBe(httpsAgent);
  expect(await config.maxAttempts()).toBe(3);
}

/** All that a `ServiceError` says to a run. */
export async function thrownBy(call: Promise<unknown>): Promise<object> {
  const error = await call.then(
    () => expect.unreachable("nothing is thrown"),
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof ServiceError)) throw error;
  const { code, retryable, message } = error;
  return { code, retryable, message };
}
