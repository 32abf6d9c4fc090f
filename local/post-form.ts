import type { HttpRequest } from "./http.ts";
import { type S3Error, s3Error } from "./s3.ts";

/** The form of a POST to a bucket: https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-post-example.html */
export interface PostForm {
  /** By name, in lower case; those that come after the file are ignored. */
  readonly fields: Readonly<Record<string, string>>;
  readonly file: Buffer;
}

/** Fields that no condition needs to mention. */
const UNCONDITIONAL = /^(policy|x-amz-signature|x-ignore-.*)$/;

/** Whether a request is a form upload. */
export function isPostForm({ method, headers }: HttpRequest): boolean {
  return method === "POST" && headers["content-type"]?.startsWith("multipart/form-data") === true;
}

/** Reads a form; `${filename}` in the key is not replaced. */
export function parsePostForm({ headers, body }: HttpRequest): PostForm | S3Error {
  const [, quoted, plain] = /boundary=(?:"([^"]+)"|([^;]+))/.exec(headers["content-type"] ?? "") ?? [];
  const fields: Record<string, string> = {};
  for (const part of splitParts(body, `--${quoted ?? plain}`)) {
    const headEnd = part.indexOf("\r\n\r\n");
    const [, name] = /[; ]name="([^"]*)"/i.exec(part.toString("utf8", 0, headEnd)) ?? [];
    if (headEnd < 0 || name === undefined) break;
    const content = part.subarray(headEnd + 4);
    if (name === "file") return { fields, file: content };
    fields[name.toLowerCase()] = content.toString("utf8");
  }
  return s3Error("InvalidArgument", 400, "POST requires exactly one file upload per request.");
}

/**
 * Why the form's own policy does not allow it; `undefined` if it does. Its signature is not verified.
 * https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-HTTPPOSTConstructPolicy.html
 */
export function policyRefusal({ fields, file }: PostForm, bucket: string, now: number): S3Error | undefined {
  const policy = parsePolicy(fields.policy);
  if (policy === undefined) return denied("there is none that could be read");
  if (!(Date.parse(policy.expiration) > now)) return denied("Policy expired.");
  const values: Readonly<Record<string, string>> = { ...fields, bucket };
  const mentioned = new Set(["bucket"]);
  for (const [operator, field, operand] of policy.conditions.flatMap(toTriples)) {
    if (operator === "content-length-range") {
      const refusal = sizeRefusal(file.length, Number(field), Number(operand));
      if (refusal !== undefined) return refusal;
      continue;
    }
    const name = String(field).replace(/^\$/, "").toLowerCase();
    mentioned.add(name);
    const value = values[name];
    const holds = operator === "eq" ? value === operand : value?.startsWith(String(operand)) === true;
    if (!holds) return denied(`Policy Condition failed: ${JSON.stringify([operator, field, operand])}`);
  }
  const extra = Object.keys(fields).find((name) => !UNCONDITIONAL.test(name) && !mentioned.has(name));
  return extra === undefined ? undefined : denied(`Extra input fields: ${extra}`);
}

interface Policy {
  readonly expiration: string;
  readonly conditions: readonly unknown[];
}

/** `[operator, field, value]`, or `["content-length-range", bytesMin, bytesMax]`. */
type Condition = readonly [string, unknown, unknown];

function splitParts(body: Buffer, delimiter: string): Buffer[] {
  const parts: Buffer[] = [];
  let start = body.indexOf(delimiter);
  while (start >= 0) {
    const contentStart = start + delimiter.length + 2;
    const end = body.indexOf(`\r\n${delimiter}`, contentStart);
    if (end < 0) break;
    parts.push(body.subarray(contentStart, end));
    start = end + 2;
  }
  return parts;
}

function parsePolicy(base64: string | undefined): Policy | undefined {
  try {
    const policy: unknown = JSON.parse(Buffer.from(base64 ?? "", "base64").toString("utf8"));
    return isPolicy(policy) ? policy : undefined;
  } catch {
    return undefined;
  }
}

function isPolicy(value: unknown): value is Policy {
  if (typeof value !== "object" || value === null || !("expiration" in value) || !("conditions" in value)) return false;
  return typeof value.expiration === "string" && Array.isArray(value.conditions);
}

/** A condition may be written `{ "field": "value" }`. What isn't one at all never holds. */
function toTriples(condition: unknown): Condition[] {
  if (Array.isArray(condition)) return [[String(condition[0]).toLowerCase(), condition[1], condition[2]]];
  return Object.entries(condition ?? {}).map(([field, value]) => ["eq", `$${field}`, value] as const);
}

function sizeRefusal(bytes: number, bytesMin: number, bytesMax: number): S3Error | undefined {
  if (bytes > bytesMax) {
    return s3Error("EntityTooLarge", 400, "Your proposed upload exceeds the maximum allowed size");
  }
  if (bytes >= bytesMin) return undefined;
  return s3Error("EntityTooSmall", 400, "Your proposed upload is smaller than the minimum allowed size");
}

function denied(why: string): S3Error {
  return s3Error("AccessDenied", 403, `Invalid according to Policy: ${why}`);
}
