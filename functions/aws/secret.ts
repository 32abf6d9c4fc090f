import { SecretsProvider } from "@aws-lambda-powertools/parameters/secrets";
import { SecretsManagerClient } from "@aws-sdk/client-secrets-manager";
import type { Connections } from "../connections.ts";

/** How long a secret is cached, in seconds: a change takes effect after this time, or when GitHub refuses the old one. */
const CACHE_SECONDS = 300;

/** Reads the text of a secret from Secrets Manager; with `isFresh`, past the cache. Its connections are closed before each run. */
export function secretReader(
  secretId: string,
  { httpAgent, httpsAgent }: Pick<Connections, "httpAgent" | "httpsAgent">,
): (isFresh: boolean) => Promise<string | undefined> {
  const requestHandler = {
    connectionTimeout: 1_000,
    requestTimeout: 5_000,
    socketTimeout: 5_000,
    // Without it the SDK only warns.
    throwOnRequestTimeout: true,
    httpAgent,
    httpsAgent,
  };
  const awsSdkV3Client = new SecretsManagerClient({ requestHandler, maxAttempts: 3 });
  const provider = new SecretsProvider({ awsSdkV3Client });
  return async (isFresh) => {
    const secret = await provider.get(secretId, { maxAge: CACHE_SECONDS, forceFetch: isFresh });
    return typeof secret === "string" ? secret : undefined;
  };
}
