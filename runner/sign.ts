import { createHash, createHmac } from "node:crypto";

export interface Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string | undefined;
}

export interface Signable {
  readonly method: "POST" | "PUT";
  readonly url: URL;
  /** All of them are signed. Names in small letters. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/**
 * The headers of a request with a signature of version 4, for S3 and STS. The URL's path has to be encoded as S3 wants it, and has no
 * query. `at` in milliseconds. https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
 */
export function signed(
  { method, url, headers, body }: Signable,
  credentials: Credentials,
  { region, service }: { readonly region: string; readonly service: "s3" | "sts" },
  at: number,
): Record<string, string> {
  const time = amzDate(at);
  const bodyHash = createHash("sha256").update(body).digest("hex");
  const all: Record<string, string> = {
    ...headers,
    host: url.host,
    "x-amz-date": time,
    ...(service === "s3" && { "x-amz-content-sha256": bodyHash }),
    ...(credentials.sessionToken && { "x-amz-security-token": credentials.sessionToken }),
  };
  const names = Object.keys(all).sort();
  const canonical = [
    method,
    url.pathname,
    "",
    ...names.map((name) => `${name}:${all[name]?.trim()}`),
    "",
    names.join(";"),
    bodyHash,
  ].join("\n");
  const scope = [time.slice(0, 8), region, service, "aws4_request"];
  const toSign = ["AWS4-HMAC-SHA256", time, scope.join("/"), createHash("sha256").update(canonical).digest("hex")];
  const key = scope.reduce<string | Buffer>(
    (signing, part) => hmac(signing, part),
    `AWS4${credentials.secretAccessKey}`,
  );
  const signature = hmac(key, toSign.join("\n")).toString("hex");
  const credential = `Credential=${[credentials.accessKeyId, ...scope].join("/")}`;
  return {
    ...all,
    authorization: `AWS4-HMAC-SHA256 ${credential}, SignedHeaders=${names.join(";")}, Signature=${signature}`,
  };
}

/** Milliseconds as AWS writes them: `20261123T013757Z`. */
function amzDate(at: number): string {
  return new Date(at).toISOString().replace(/[:-]|\.\d+/g, "");
}

function hmac(key: string | Buffer, text: string): Buffer {
  return createHmac("sha256", key).update(text).digest();
}
