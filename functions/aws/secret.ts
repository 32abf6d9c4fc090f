import { SecretsProvider } from "@aws-lambda-powertools/parameters/secrets";
import { SecretsManagerClient } from "@aws-sdk/client-secrets-manager";

/** Without `throwOnRequestTimeout` the SDK only warns. */
const TIMEOUTS = { connectionTimeout: 1_000, requestTimeout: 5_000, socketTimeout: 5_000, throwOnRequestTimeout: true };

/** How long a secret is kept, in seconds: a change takes effect that much later, or when GitHub refuses the old one. */
const KEPT_SECONDS = 300;

/** Reads the text of a secret from Secrets Manager; freshly if told so. */
export function secretReader(secretId: string): (isFresh: boolean) => Promise<string | undefined> {
  const awsSdkV3Client = new SecretsManagerClient({ requestHandler: TIMEOUTS, maxAttempts: 3 });
  const provider = new SecretsProvider({ awsSdkV3Client });
  return async (isFresh) => {
    const secret = await provider.get(secretId, { maxAge: KEPT_SECONDS, forceFetch: isFresh });
    return typeof secret === "string" ? secret : undefined;
  };
}
