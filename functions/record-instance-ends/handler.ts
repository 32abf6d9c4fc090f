import { instanceEndOf } from "../../contract/instance-events.ts";
import { endedKey } from "../../contract/object-keys.ts";
import { createRequestSigner } from "../aws/sign-request.ts";

/** How long S3 may take, in milliseconds, below the function's time-out. Lambda then runs the function again. */
const TIMEOUT_MILLISECONDS = 5_000;

const sign = createRequestSigner();

/**
 * Records what one of EC2's events says, as an empty object under `ended/`. The same event has the same key, so it may come more than
 * once. Returns the key. Throws if it is another event or S3 does not store the object, so that Lambda counts an error and tries again.
 *
 * Without the SDK, which would be a hundred times as large as the rest and take most of the time.
 */
export async function handler(event: unknown): Promise<string> {
  const end = instanceEndOf(event);
  if (!end) throw new Error("Not an event about the end of an EC2 instance");
  const key = endedKey(end);
  const { BUCKET_NAME, AWS_REGION: region = "" } = process.env;
  const { host, origin, pathname } = new URL(`${endpointOf(region)}/${BUCKET_NAME}/${key}`);
  const { host: _, ...headers } = sign(
    { method: "PUT", host, path: pathname },
    {
      accessKeyId: process.env.AWS_ACCESS_KEY_ID ?? "",
      secretAccessKey: process.env.AWS_SECRET_ACCESS_KEY ?? "",
      sessionToken: process.env.AWS_SESSION_TOKEN,
      region,
      now: Date.now(),
    },
  );
  const signal = AbortSignal.timeout(TIMEOUT_MILLISECONDS);
  const answer = await fetch(origin + pathname, { method: "PUT", headers, signal });
  if (!answer.ok) throw new Error(`PUT in bucket "${BUCKET_NAME}": HTTP ${answer.status}`);
  return key;
}

/** Buckets are addressed by path, since the names of some do not fit into a host's. Another endpoint than AWS's is set as for the SDK. */
function endpointOf(region: string): string {
  const { AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL, URL_SUFFIX } = process.env;
  return (AWS_ENDPOINT_URL_S3 ?? AWS_ENDPOINT_URL ?? `https://s3.${region}.${URL_SUFFIX}`).replace(/\/$/, "");
}
