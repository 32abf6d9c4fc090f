import { createServer } from "node:http";
import { readRequest } from "./http.ts";

/** A running Secrets Manager. */
export interface LocalSecretsManager {
  /** For `AWS_ENDPOINT_URL_SECRETS_MANAGER`. */
  readonly endpoint: string;
  /** Name -> text. */
  readonly secrets: Map<string, string>;
  close(): Promise<void>;
}

/** Serves the one call that a run makes, GetSecretValue, from memory and on loopback only. */
export async function startLocalSecretsManager(
  secrets: Readonly<Record<string, string>> = {},
): Promise<LocalSecretsManager> {
  const stored = new Map(Object.entries(secrets));
  const server = createServer(async (message, response) => {
    const { headers, body } = await readRequest(message);
    const { SecretId = "" } = JSON.parse(body.toString() || "{}");
    const text = stored.get(SecretId);
    const isKnown = headers["x-amz-target"] === "secretsmanager.GetSecretValue" && text !== undefined;
    const answer = isKnown ? { Name: SecretId, SecretString: text } : { __type: "ResourceNotFoundException" };
    response.writeHead(isKnown ? 200 : 400, { "content-type": "application/x-amz-json-1.1" });
    response.end(JSON.stringify(answer));
  });
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("The server has no port.");
  return {
    endpoint: `http://127.0.0.1:${address.port}`,
    secrets: stored,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
