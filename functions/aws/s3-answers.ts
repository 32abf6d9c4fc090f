/**
 * S3's answers, checked before anything is decided on them. A 200 without a body happens, and answers are cut or mixed up on their way.
 * An answer that lacks what S3 always says throws a `ServiceError`, as if S3 had not answered. `doing` describes the call in it.
 */
import type { IncomingHttpHeaders } from "node:http";
import type { DeleteObjectsOutput, HeadObjectOutput, ListObjectsV2Output } from "@aws-sdk/client-s3";
import type { DeleteResult } from "../../contract/reasons.ts";
import type { ListedObject, ListPage, ListPosition, ObjectHead, ObjectVersion } from "../ports.ts";
import { incompleteAnswer } from "./service-error.ts";

/** A page of a listing with `EncodingType: url`, and when S3 answered. It has to be complete, in order, and what was asked for. */
export function listPage(
  page: ListObjectsV2Output,
  { date, prefix, from, doing }: { date: number; prefix: string; from: ListPosition; doing: string },
): ListPage {
  const { Name, IsTruncated, KeyCount, EncodingType, Contents = [], NextContinuationToken: token } = page;
  if (Number.isNaN(date)) throw incompleteAnswer(doing, "it has no date");
  const isComplete = Name && EncodingType === "url" && KeyCount === Contents.length && IsTruncated === Boolean(token);
  if (!isComplete) throw incompleteAnswer(doing, "a field is missing or wrong");
  if ("token" in from && token === from.token) throw incompleteAnswer(doing, "a token is repeated");
  let last = from.after ?? "";
  const objects = Contents.map((listed): ListedObject => {
    const { Key, Size: size, ETag: etag, LastModified, StorageClass: storageClass = "STANDARD" } = listed;
    if (!Key || !isSize(size) || !etag || !isTime(LastModified))
      throw incompleteAnswer(doing, "an object lacks a field");
    const key = decodeKey(Key);
    if (!key.startsWith(prefix)) throw incompleteAnswer(doing, "a key has another prefix");
    // A key that is no UTF-8 has lost its place in the order.
    if (!key.includes("\uFFFD")) {
      if (Buffer.compare(Buffer.from(last), Buffer.from(key)) >= 0)
        throw incompleteAnswer(doing, "a key is out of order");
      last = key;
    }
    return { key, size, etag, lastModified: LastModified.getTime(), storageClass };
  });
  return { date, objects, ...(token && { next: { token, after: last } }) };
}

/** What HEAD says of an object. */
export function objectHead(head: HeadObjectOutput, doing: string): ObjectHead {
  const { ContentLength: size, ETag: etag, LastModified, StorageClass: storageClass = "STANDARD", SSEKMSKeyId } = head;
  if (!isSize(size) || !etag || !isTime(LastModified)) throw incompleteAnswer(doing, "a header is missing or wrong");
  const lastModified = LastModified.getTime();
  return { size, etag, lastModified, storageClass, ...(SSEKMSKeyId && { kmsKeyId: SSEKMSKeyId }) };
}

/** The same from the headers themselves; undefined if one is missing or wrong. */
export function headOfHeaders(headers: IncomingHttpHeaders): ObjectHead | undefined {
  const { "content-length": length = "", etag, "last-modified": modified = "" } = headers;
  const lastModified = Date.parse(modified);
  if (!/^[0-9]{1,15}$/.test(length) || !etag || Number.isNaN(lastModified)) return undefined;
  const storageClass = headers["x-amz-storage-class"] ?? "STANDARD";
  const kmsKeyId = headers["x-amz-server-side-encryption-aws-kms-key-id"];
  if (typeof storageClass !== "string" || Array.isArray(kmsKeyId)) return undefined;
  return { size: Number(length), etag, lastModified, storageClass, ...(kmsKeyId && { kmsKeyId }) };
}

/** What became of each object. One of which the answer says nothing may still be there. */
export function deleteResults(
  { Deleted = [], Errors = [] }: DeleteObjectsOutput,
  objects: readonly ObjectVersion[],
  doing: string,
): Map<ObjectVersion, DeleteResult> {
  if (Deleted.length + Errors.length === 0) throw incompleteAnswer(doing, "no object is mentioned");
  const deleted = new Set(Deleted.map(({ Key }) => Key));
  const codes = new Map(Errors.map(({ Key, Code }) => [Key, Code]));
  return new Map(
    objects.map((object) => {
      if (codes.has(object.key)) return [object, deleteResult(codes.get(object.key))];
      return [object, deleted.has(object.key) ? "deleted" : "failed"];
    }),
  );
}

/** S3 leaves keys percent-encoded with `EncodingType: url`, and so does the SDK. What is no UTF-8 comes out as no valid key, with U+FFFD. */
export function decodeKey(encoded: string): string {
  try {
    return decodeURIComponent(encoded.replaceAll("+", " "));
  } catch {
    return encoded.replaceAll("%", "\uFFFD");
  }
}

function deleteResult(code: string | undefined): DeleteResult {
  if (code === "PreconditionFailed" || code === "ConditionalRequestConflict") return "changed";
  if (code === "NoSuchKey") return "gone";
  return code === "AccessDenied" ? "denied" : "failed";
}

function isSize(size: number | undefined): size is number {
  return Number.isSafeInteger(size) && Number(size) >= 0;
}

function isTime(date: Date | undefined): date is Date {
  return date !== undefined && !Number.isNaN(date.getTime());
}
