import type { Readable } from "node:stream";
import {
  CopyObjectCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  type S3Client,
} from "@aws-sdk/client-s3";
import type { DeleteResult } from "../../contract/reasons.ts";
import { mapConcurrently } from "../concurrency.ts";
import type { ObjectStore, ObjectVersion, Refusal } from "../ports.ts";
import type { Clients } from "./clients.ts";
import { deleteResults, headOfHeaders, listPage, objectHead } from "./s3-answers.ts";
import { errorCode, httpStatus, incompleteAnswer, toServiceError } from "./service-error.ts";

/** How long a body may take, in milliseconds: the SDK's request timeout ends with the headers. */
const BODY_TIMEOUT_MILLISECONDS = 5_000;

/** What XML carries unchanged. One key with a control character would fail a whole DeleteObjects (MalformedXML). */
const BATCHABLE_KEY = /^[ -~]+$/;

/** What KMS answers through S3 of a key that will not work by itself again. */
const FINAL_KMS_CODES = ["KMS.DisabledException", "KMS.NotFoundException", "KMS.KMSInvalidStateException"];

/** Archived (GET and COPY say it differently), or encrypted with a key that only the uploader has (SSE-C). */
const UNREADABLE_CODES = ["InvalidObjectState", "ObjectNotInActiveTierError", "InvalidRequest"];

/** Single deletes in progress, for keys that can't go in a batch. */
const SINGLE_DELETES = 16;

/** A bucket as an `ObjectStore`: translates calls, data and errors, nothing else. */
export function s3ObjectStore(
  { s3: client, fastRead }: Pick<Clients, "s3" | "fastRead">,
  bucket: string,
  bodyTimeoutMilliseconds = BODY_TIMEOUT_MILLISECONDS,
): ObjectStore {
  return {
    async list(prefix, from = { after: "" }) {
      const doing = `Listing bucket "${bucket}"`;
      const position = "token" in from ? { ContinuationToken: from.token } : from.after && { StartAfter: from.after };
      // Without EncodingType a control character in a key breaks the page, or comes back as another one.
      const command = new ListObjectsV2Command({ Bucket: bucket, Prefix: prefix, EncodingType: "url", ...position });
      const date = dateOfAnswer(command);
      const page = await client.send(command).catch(rethrow(doing));
      return listPage(page, { date: date(), prefix, from, doing });
    },

    async head(key) {
      const doing = `HEAD in bucket "${bucket}"`;
      const fast = await fastRead({ bucket, key, method: "HEAD", bytesMax: 0 });
      const fastHead = fast && headOfHeaders(fast.headers);
      if (fastHead) return fastHead;
      try {
        return objectHead(await client.send(new HeadObjectCommand({ Bucket: bucket, Key: key })), doing);
      } catch (error) {
        // The answer to a HEAD has no body and so no code.
        if (httpStatus(error) === 403) return "denied";
        if (httpStatus(error) === 400) return reasonOfBadHead(client, bucket, key, error);
        return refusal(error, doing);
      }
    },

    async get({ key, etag }, size) {
      const fast = await fastRead({ bucket, key, method: "GET", ifMatch: etag, bytesMax: size });
      if (fast?.headers.etag === etag && fast.body.length === size) return fast.body;
      try {
        const answer = await client.send(new GetObjectCommand({ Bucket: bucket, Key: key, IfMatch: etag }));
        const body = await readExactly(answer.Body as Readable, size, bodyTimeoutMilliseconds);
        return answer.ETag === etag ? body : "changed";
      } catch (error) {
        return refusal(error, `GET in bucket "${bucket}"`);
      }
    },

    async putIfAbsent(key, body) {
      const doing = `PUT in bucket "${bucket}"`;
      try {
        // A bucket with Object Lock demands a checksum.
        const type = typeof body === "string" ? "application/json" : "application/gzip";
        const document = { Body: body, ContentType: type, ChecksumAlgorithm: "CRC32" } as const;
        const put = new PutObjectCommand({ Bucket: bucket, Key: key, IfNoneMatch: "*", ...document });
        const { ETag } = await client.send(put);
        if (!ETag) throw incompleteAnswer(doing, "it has no ETag");
        return "stored";
      } catch (error) {
        if (httpStatus(error) === 412) return "exists";
        throw toServiceError(error, doing);
      }
    },

    async copy({ key, etag }, to) {
      const doing = `COPY in bucket "${bucket}"`;
      try {
        const { CopyObjectResult } = await client.send(
          new CopyObjectCommand({
            Bucket: bucket,
            Key: to,
            CopySource: copySource(bucket, key),
            CopySourceIfMatch: etag,
            // What an uploader wrote into the headers is no evidence that anyone needs.
            MetadataDirective: "REPLACE",
            // To copy tags takes privileges of its own, and without them a tagged object would be denied to us forever.
            TaggingDirective: "REPLACE",
            ContentType: "application/octet-stream",
          }),
        );
        if (!CopyObjectResult?.ETag) throw incompleteAnswer(doing, "it has no ETag");
        return "copied";
      } catch (error) {
        return refusal(error, doing);
      }
    },

    async delete(objects) {
      const results = new Map<ObjectVersion, DeleteResult>();
      const batch = objects.filter(({ key }) => BATCHABLE_KEY.test(key));
      const singles = objects.filter(({ key }) => !BATCHABLE_KEY.test(key));
      for (const [object, result] of await deleteBatch(client, bucket, batch)) results.set(object, result);
      const deletes = mapConcurrently(singles, SINGLE_DELETES, async (object) => {
        return [object, await deleteSingle(client, bucket, object)] as const;
      });
      for await (const [object, result] of deletes) results.set(object, result);
      return objects.map((object) => results.get(object) ?? "failed");
    },
  };
}

/** When S3 answered, from the header `Date`, which the SDK does not return; NaN if the answer has none. */
function dateOfAnswer(command: ListObjectsV2Command): () => number {
  let date = Number.NaN;
  command.middlewareStack.add((next) => async (args) => {
    const result = await next(args);
    const { headers } = result.response as { headers: Record<string, string> };
    date = Date.parse(headers.date ?? "");
    return result;
  });
  return () => date;
}

/** `CopySource` is sent as it is given: every segment has to be encoded. */
export function copySource(bucket: string, key: string): string {
  return [bucket, ...key.split("/")].map(encodeURIComponent).join("/");
}

/** All of a body of `size` bytes, or `changed` where it is longer: no more is read then. */
async function readExactly(body: Readable, size: number, timeoutMilliseconds: number): Promise<Uint8Array | Refusal> {
  const timeout = Object.assign(new Error("The body did not arrive in time"), { name: "TimeoutError" });
  const timer = setTimeout(() => body.destroy(timeout), timeoutMilliseconds);
  try {
    const bytes = new Uint8Array(size);
    let length = 0;
    for await (const chunk of body) {
      if (length + chunk.length > size) return "changed";
      bytes.set(chunk, length);
      length += chunk.length;
    }
    return length === size ? bytes : "changed";
  } finally {
    clearTimeout(timer);
  }
}

async function deleteBatch(
  client: S3Client,
  bucket: string,
  objects: readonly ObjectVersion[],
): Promise<Map<ObjectVersion, DeleteResult>> {
  if (objects.length === 0) return new Map();
  const doing = `DELETE in bucket "${bucket}"`;
  const Objects = objects.map(({ key, etag }) => ({ Key: key, ETag: etag }));
  // Not quiet: an empty answer would then mean that everything was deleted.
  const answer = await client
    .send(new DeleteObjectsCommand({ Bucket: bucket, Delete: { Objects, Quiet: false } }))
    .catch(rethrow(doing));
  return deleteResults(answer, objects, doing);
}

async function deleteSingle(client: S3Client, bucket: string, { key, etag }: ObjectVersion): Promise<DeleteResult> {
  try {
    const { $metadata } = await client.send(new DeleteObjectCommand({ Bucket: bucket, Key: key, IfMatch: etag }));
    return $metadata.httpStatusCode === 204 ? "deleted" : "failed";
  } catch (error) {
    const status = httpStatus(error);
    if (status === 412 || status === 409) return "changed";
    if (status === 404) return "gone";
    if (status === 403) return "denied";
    const translated = toServiceError(error, "DELETE");
    if (translated === error) throw error;
    return "failed";
  }
}

/** A bad HEAD may be the object's fault or that of our credentials (expired): a GET of one byte says which. */
async function reasonOfBadHead(client: S3Client, bucket: string, key: string, badHead: unknown): Promise<Refusal> {
  const doing = `HEAD in bucket "${bucket}"`;
  try {
    const { Body } = await client.send(new GetObjectCommand({ Bucket: bucket, Key: key, Range: "bytes=0-0" }));
    (Body as Readable).destroy();
  } catch (error) {
    return refusal(error, doing);
  }
  throw toServiceError(badHead, doing);
}

/** The refusals that a run decides on; all else is thrown. */
function refusal(error: unknown, doing: string): Refusal {
  const status = httpStatus(error);
  const code = errorCode(error);
  if (status === 404 && code !== "NoSuchBucket") return "gone";
  if (status === 412 || status === 409) return "changed";
  if (code === "AccessDenied" || FINAL_KMS_CODES.includes(code)) return "denied";
  if (UNREADABLE_CODES.includes(code)) return "unreadable";
  throw toServiceError(error, doing);
}

function rethrow(doing: string): (error: unknown) => never {
  return (error) => {
    throw toServiceError(error, doing);
  };
}
