import { createHash, createHmac, type Hash, type Hmac } from "node:crypto";
import { SignatureV4 } from "@smithy/signature-v4";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { createRequestSigner, type EmptyRequest, type SigningContext } from "../../functions/aws/sign-request.ts";
import { anyText } from "../any-text.ts";

const REGIONS = ["us-east-1", "eu-central-1", "us-gov-west-1", "cn-north-1"];
const NOW = Date.UTC(2026, 10, 26, 23, 59, 59, 999);
const CONTEXT: SigningContext = {
  accessKeyId: "AKIDEXAMPLE",
  secretAccessKey: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
  region: "us-east-1",
  now: NOW,
};

/** SHA-256 as the SDK's signer calls it. */
class Sha256 {
  readonly #digest: Hash | Hmac;
  constructor(secret?: SourceData) {
    this.#digest = secret === undefined ? createHash("sha256") : createHmac("sha256", bytesOf(secret));
  }
  update(data: SourceData): void {
    this.#digest.update(bytesOf(data));
  }
  async digest(): Promise<Uint8Array> {
    return this.#digest.digest();
  }
  reset(): void {}
}

/** What the SDK's signer hashes. */
type SourceData = string | ArrayBuffer | ArrayBufferView;

function bytesOf(data: SourceData): string | Uint8Array {
  if (typeof data === "string") return data;
  return ArrayBuffer.isView(data)
    ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
    : new Uint8Array(data);
}

/** The headers that the SDK's own signer makes of a request. */
async function signedBySdk({ method, host, path, ifMatch }: EmptyRequest, context: SigningContext) {
  const { accessKeyId, secretAccessKey, sessionToken, region, now } = context;
  const credentials = { accessKeyId, secretAccessKey, ...(sessionToken !== undefined && { sessionToken }) };
  const signer = new SignatureV4({
    service: "s3",
    region,
    credentials,
    sha256: Sha256,
    uriEscapePath: false,
    applyChecksum: true,
  });
  const request = {
    method,
    protocol: "https:",
    hostname: host,
    path,
    query: {},
    headers: { host, ...(ifMatch !== undefined && { "if-match": ifMatch }) },
  };
  return (await signer.sign(request, { signingDate: new Date(now) })).headers;
}

const anyPath = fc
  .array(fc.oneof(anyText(), fc.constantFrom("..", ".", "", "a b", "%2F", "+", "~'()*!")), {
    minLength: 1,
    maxLength: 5,
  })
  .map((segments) => `/${segments.map(encodeURIComponent).join("/")}`);

const anyRequest: fc.Arbitrary<EmptyRequest> = fc.record({
  method: fc.constantFrom("HEAD" as const, "GET" as const, "PUT" as const),
  host: fc.constantFrom("metrics.s3.us-east-1.amazonaws.com", "127.0.0.1:4566", "[::1]:4566", "s3.amazonaws.com.cn"),
  path: anyPath,
  ifMatch: fc.option(fc.constantFrom('"d41d8cd98f00b204e9800998ecf8427e"', '"d41d8cd98f00b204e9800998ecf8427e-12"'), {
    nil: undefined,
  }),
});

const anyContext: fc.Arbitrary<SigningContext> = fc.record({
  accessKeyId: fc.constantFrom("AKIDEXAMPLE", "ASIAEXAMPLE"),
  secretAccessKey: fc.base64String({ minLength: 1 }),
  sessionToken: fc.option(fc.base64String({ minLength: 1 }), { nil: undefined }),
  region: fc.constantFrom(...REGIONS),
  now: fc.integer({ min: 0, max: Date.UTC(2100, 0) }),
});

test("every signature equals that of the SDK's own signer", async () => {
  // One signer for all, whose cached key has to change with the day, the region and the credentials.
  const sign = createRequestSigner();
  await fc.assert(
    fc.asyncProperty(anyRequest, anyContext, async (request, context) => {
      expect(sign(request, context)).toEqual(await signedBySdk(request, context));
    }),
    { numRuns: 500 },
  );
});

test.each<[string, Partial<SigningContext>]>([
  ["the day", { now: NOW + 1 }],
  ["the region", { region: "eu-west-1" }],
  ["the secret key", { secretAccessKey: "another" }],
  ["the session token", { sessionToken: "token" }],
  ["the access key", { accessKeyId: "ASIAOTHER" }],
])("the next signature is right after %s changes", async (_, change) => {
  const sign = createRequestSigner();
  const request: EmptyRequest = { method: "GET", host: "h", path: "/k", ifMatch: '"e"' };
  sign(request, CONTEXT);
  const changed = { ...CONTEXT, ...change };
  expect(sign(request, changed)).toEqual(await signedBySdk(request, changed));
});
