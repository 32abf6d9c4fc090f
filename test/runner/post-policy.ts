import { createHmac } from "node:crypto";
import type { Credentials } from "../../cli/ticket.ts";
import type { StubAnswer, StubRequest } from "./stub-server.ts";

/** Objects that were stored by forms, by bucket and key. */
export type PostedObjects = Map<string, string>;

/**
 * S3's side of a presigned POST, as far as tickets use it: signature, expiry, conditions, size.
 * https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-HTTPPOSTConstructPolicy.html
 */
export function acceptPosts({ credentials, now = Date.now }: { credentials: Credentials; now?: () => number }) {
  const objects: PostedObjects = new Map();
  function answer({ method, url, headers, body }: StubRequest): StubAnswer {
    if (method !== "POST") return { status: 403 };
    const bucket = url.split("/")[1] ?? "";
    const form = parseForm(headers["content-type"] ?? "", body);
    const file = form.get("file") ?? "";
    form.delete("file");
    if (!isSigned(form, credentials)) return { status: 403, body: "SignatureDoesNotMatch" };
    const policy = JSON.parse(Buffer.from(form.get("policy") ?? "", "base64").toString());
    if (Date.parse(policy.expiration) < now()) return { status: 403, body: "Policy expired" };
    const given = new Map([...form, ["bucket", bucket]]);
    for (const name of ["policy", "x-amz-signature"]) given.delete(name);
    for (const condition of policy.conditions) {
      if (Array.isArray(condition)) {
        const [kind, min, max] = condition;
        if (kind !== "content-length-range") return { status: 403, body: "unknown condition" };
        const size = Buffer.byteLength(file);
        if (size < min) return { status: 400, body: "EntityTooSmall" };
        if (size > max) return { status: 400, body: "EntityTooLarge" };
        continue;
      }
      for (const [name, value] of Object.entries(condition)) {
        if (given.get(name.toLowerCase()) !== value) return { status: 403, body: `condition failed: ${name}` };
        given.delete(name.toLowerCase());
      }
    }
    if (given.size > 0) return { status: 403, body: `extra fields: ${[...given.keys()]}` };
    objects.set(`${bucket}/${form.get("key")}`, file);
    return { status: 204 };
  }
  return { answer, objects };
}

function isSigned(form: ReadonlyMap<string, string>, { accessKeyId, secretAccessKey }: Credentials): boolean {
  const [id, date = "", region = "", service = "", end = ""] = (form.get("x-amz-credential") ?? "").split("/");
  if (id !== accessKeyId || service !== "s3" || !form.get("x-amz-date")?.startsWith(date)) return false;
  const sign = (key: string | Buffer, text: string) => createHmac("sha256", key).update(text).digest();
  const key = sign(sign(sign(sign(`AWS4${secretAccessKey}`, date), region), service), end);
  return sign(key, form.get("policy") ?? "").toString("hex") === form.get("x-amz-signature");
}

function parseForm(contentType: string, body: Buffer): Map<string, string> {
  const boundary = /boundary=(.+)$/.exec(contentType)?.[1] ?? "";
  const form = new Map<string, string>();
  for (const part of body.toString().split(`--${boundary}`)) {
    const [, name, value] = /name="([^"]+)".*?\r\n\r\n(.*)\r\n$/s.exec(part) ?? [];
    // Names of fields are not case-sensitive.
    if (name !== undefined && value !== undefined) form.set(name.toLowerCase(), value);
  }
  return form;
}
