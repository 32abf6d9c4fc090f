import { createServer, type IncomingHttpHeaders } from "node:http";

export interface StubRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/** What to answer; `undefined`: nothing, ever. */
export type StubAnswer =
  | { readonly status?: number; readonly headers?: Record<string, string>; readonly body?: string }
  | undefined;

/** A server on loopback that answers as it is told and remembers what it was asked. */
export async function startStub(answer: (request: StubRequest) => StubAnswer | Promise<StubAnswer>) {
  const requests: StubRequest[] = [];
  const server = createServer(async (message, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of message) chunks.push(chunk as Buffer);
    const { method = "", url = "", headers } = message;
    const request = { method, url, headers, body: Buffer.concat(chunks) };
    requests.push(request);
    const reply = await answer(request);
    if (reply) response.writeHead(reply.status ?? 200, reply.headers).end(reply.body);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("The server has no port.");
  return {
    endpoint: `http://127.0.0.1:${address.port}`,
    requests,
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}
