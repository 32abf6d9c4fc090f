import { createHmac, createSecretKey, hash, type KeyObject } from "node:crypto";

/** What a request is signed with. */
export interface SigningContext {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string | undefined;
  readonly region: string;
  /** Milliseconds since the epoch. S3 accepts 15 minutes more or less than its own time. */
  readonly now: number;
}

/** A HEAD or GET of an object, or a PUT of an empty one: it has neither a query nor a body. */
export interface EmptyRequest {
  readonly method: "HEAD" | "GET" | "PUT";
  /** With the port, unless it is the protocol's own. */
  readonly host: string;
  /** Percent-encoded, as it is sent. */
  readonly path: string;
  readonly ifMatch?: string | undefined;
}

/** Signs a request: the headers to send it with. */
export type SignRequest = (request: EmptyRequest, context: SigningContext) => Record<string, string>;

const ALGORITHM = "AWS4-HMAC-SHA256";
const NO_BODY_SHA256 = hash("sha256", "");

/**
 * Signature version 4 for requests to S3. The key of a day is kept as a `KeyObject`, with which an HMAC costs a seventh.
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
 */
export function createRequestSigner(): SignRequest {
  let cached: { readonly source: string; readonly key: KeyObject } | undefined;

  function signingKey({ secretAccessKey, region }: SigningContext, day: string): KeyObject {
    const source = [day, region, secretAccessKey].join();
    if (cached?.source !== source) cached = { source, key: deriveKey(secretAccessKey, [day, region, "s3"]) };
    return cached.key;
  }

  return ({ method, host, path, ifMatch }, context) => {
    const time = new Date(context.now).toISOString().replace(/[-:]|\.[0-9]+/g, "");
    const day = time.slice(0, 8);
    // In alphabetical order, as they are signed.
    const headers: Record<string, string> = {
      host,
      ...(ifMatch !== undefined && { "if-match": ifMatch }),
      "x-amz-content-sha256": NO_BODY_SHA256,
      "x-amz-date": time,
      ...(context.sessionToken !== undefined && { "x-amz-security-token": context.sessionToken }),
    };
    const names = Object.keys(headers).join(";");
    const lines = Object.entries(headers).map(([name, value]) => `${name}:${value}\n`);
    const canonicalRequest = `${method}\n${path}\n\n${lines.join("")}\n${names}\n${NO_BODY_SHA256}`;
    const scope = `${day}/${context.region}/s3/aws4_request`;
    const stringToSign = `${ALGORITHM}\n${time}\n${scope}\n${hash("sha256", canonicalRequest)}`;
    const signature = createHmac("sha256", signingKey(context, day)).update(stringToSign).digest("hex");
    const credential = `${context.accessKeyId}/${scope}`;
    headers.authorization = `${ALGORITHM} Credential=${credential}, SignedHeaders=${names}, Signature=${signature}`;
    return headers;
  };
}

function deriveKey(secretAccessKey: string, scope: readonly string[]): KeyObject {
  const key = [...scope, "aws4_request"].reduce<string | Buffer>(
    (parent, part) => createHmac("sha256", parent).update(part).digest(),
    `AWS4${secretAccessKey}`,
  );
  return createSecretKey(Buffer.from(key));
}
