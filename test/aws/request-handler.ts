import type { Agent } from "node:http";

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
