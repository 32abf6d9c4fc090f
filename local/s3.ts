import { hash } from "node:crypto";
import { createSortedMap, type SortedMap } from "./sorted-map.ts";

/** An object as the model keeps it. */
export interface S3Object {
  readonly key: string;
  /** Bytes. */
  readonly size: number;
  /** Absent for a sparse object, which has a size and reads as zeros, but holds no bytes. */
  readonly body?: Uint8Array;
  /** Opaque, with its quotes. */
  readonly etag: string;
  /** Milliseconds since the epoch. A PUT or COPY sets whole seconds, as S3 does. */
  readonly lastModified: number;
  readonly storageClass: string;
  readonly kmsKeyId?: string;
  /** Nobody may read it (a KMS key of another account): GET and COPY are refused with 403, HEAD isn't. */
  readonly denied?: boolean;
  /** Encrypted with a key of the uploader's (SSE-C): HEAD, GET and COPY without that key are refused with 400. */
  readonly customerKey?: boolean;
  /** Whatever else the uploader set: metadata, Content-Type, Content-Encoding, Expires, in lower case. */
  readonly headers?: Readonly<Record<string, string>>;
}

/** What S3 answers instead of doing what was asked. */
export interface S3Error {
  readonly code: string;
  readonly httpStatus: number;
  readonly message: string;
}

/** Conditions of a write, as in the headers of the same names. */
export interface WriteConditions {
  readonly ifMatch?: string | undefined;
  readonly ifNoneMatch?: string | undefined;
}

/** Conditions of a read. */
export interface ReadConditions {
  readonly ifMatch?: string | undefined;
  readonly ifNoneMatch?: string | undefined;
}

/** What an uploader can say of an object. */
export interface PutInput extends WriteConditions {
  readonly body: Uint8Array;
  readonly storageClass?: string | undefined;
  readonly kmsKeyId?: string | undefined;
  readonly customerKey?: boolean | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
}

/** What to list, as in ListObjectsV2. */
export interface ListInput {
  readonly prefix?: string | undefined;
  /** Exclusive; ignored where there is a continuation token. */
  readonly startAfter?: string | undefined;
  readonly continuationToken?: string | undefined;
  /** At most 1,000 are given, whatever is asked for. */
  readonly maxKeys?: number | undefined;
  readonly delimiter?: string | undefined;
}

/** One page; more follow if there is a token. */
export interface ListOutput {
  /** When the page was listed, in milliseconds since the epoch. */
  readonly date: number;
  readonly objects: readonly S3Object[];
  readonly commonPrefixes: readonly string[];
  readonly nextContinuationToken?: string;
}

/** What to copy; the conditions inherited are on what is at the destination. */
export interface CopyInput extends WriteConditions {
  readonly sourceBucket: string;
  readonly sourceKey: string;
  /** `x-amz-copy-source-if-match`. */
  readonly sourceIfMatch?: string | undefined;
}

/** One key of a batch delete. */
export interface DeleteTarget {
  readonly key: string;
  readonly etag?: string | undefined;
}

/** S3 in memory, without HTTP. Every operation is synchronous, and gives an `S3Error` where S3 would refuse. */
export interface S3Model {
  createBucket(bucket: string): S3Error | undefined;
  headBucket(bucket: string): S3Error | undefined;
  /** Refused while the bucket holds objects. */
  deleteBucket(bucket: string): S3Error | undefined;
  listBuckets(): readonly { readonly name: string; readonly createdAt: number }[];
  /** One page, in the byte order of the UTF-8 keys. */
  listObjects(bucket: string, input?: ListInput): ListOutput | S3Error;
  putObject(bucket: string, key: string, input: PutInput): S3Object | S3Error;
  headObject(bucket: string, key: string, conditions?: ReadConditions): S3Object | S3Error;
  /** The object; `readBytes` gives its bytes. */
  getObject(bucket: string, key: string, conditions?: ReadConditions): S3Object | S3Error;
  copyObject(bucket: string, key: string, input: CopyInput): S3Object | S3Error;
  deleteObject(bucket: string, key: string, conditions?: { ifMatch?: string | undefined }): S3Error | undefined;
  /** At most 1,000 keys; results in the order of `targets`, `undefined` for a key that is gone now. */
  deleteObjects(bucket: string, targets: readonly DeleteTarget[]): (S3Error | undefined)[] | S3Error;
  /** Puts an object there that no PUT could make (sparse, archived, any ETag or time); the bucket is made if need be. */
  plant(bucket: string, key: string, object: Partial<Omit<S3Object, "key">>): S3Object;
  /** Every object of a bucket whose key begins with `prefix`, in order. Not to be iterated across a change. */
  objects(bucket: string, prefix?: string): Generator<S3Object>;
}

interface Bucket {
  readonly name: string;
  readonly createdAt: number;
  /** By `byteOrder(key)`. */
  readonly objects: SortedMap<S3Object>;
}

/** https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html */
const KEY_BYTES_MAX = 1024;
/** https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html */
const COPY_BYTES_MAX = 5 * 1024 ** 3;
/** https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html and API_DeleteObjects.html */
const PAGE_KEYS_MAX = 1000;
const ARCHIVED = new Set(["GLACIER", "DEEP_ARCHIVE"]);
/** Sorts after every key that begins with what precedes it: the byte FF does not occur in UTF-8. */
const AFTER_PREFIX = "\u00ff";
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what it is about
const NOT_XML = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/;

/** Makes an empty S3. `now` gives milliseconds since the epoch, and is the only clock that S3 has. */
export function createS3Model({ now = Date.now }: { now?: () => number } = {}): S3Model {
  const buckets = new Map<string, Bucket>();
  const wholeSecond = (): number => Math.floor(now() / 1000) * 1000;

  function addBucket(name: string): Bucket {
    const bucket: Bucket = { name, createdAt: wholeSecond(), objects: createSortedMap() };
    buckets.set(name, bucket);
    return bucket;
  }

  return {
    createBucket(name) {
      if (buckets.has(name)) return s3Error("BucketAlreadyOwnedByYou", 409, "The bucket exists, and is yours.");
      addBucket(name);
      return undefined;
    },
    headBucket: (name) => (buckets.has(name) ? undefined : noSuchBucket()),
    deleteBucket(name) {
      const bucket = buckets.get(name);
      if (bucket === undefined) return noSuchBucket();
      if (bucket.objects.size() > 0) return s3Error("BucketNotEmpty", 409, "The bucket is not empty.");
      buckets.delete(name);
      return undefined;
    },
    listBuckets: () => [...buckets.values()],
    listObjects(name, input = {}) {
      const bucket = buckets.get(name);
      if (bucket === undefined) return noSuchBucket();
      const page = listPage(bucket, input);
      return isS3Error(page) ? page : { date: now(), ...page };
    },
    putObject(name, key, input) {
      const bucket = buckets.get(name);
      if (bucket === undefined) return noSuchBucket();
      const refusal = keyRefusal(key) ?? writeRefusal(bucket.objects.get(byteOrder(key)), input);
      if (refusal !== undefined) return refusal;
      const { body, storageClass, kmsKeyId, customerKey, headers } = input;
      return store(bucket, {
        key,
        size: body.length,
        body,
        etag: etagOf(body),
        lastModified: wholeSecond(),
        storageClass: storageClass ?? "STANDARD",
        ...(kmsKeyId !== undefined && { kmsKeyId }),
        ...(customerKey && { customerKey }),
        ...(headers !== undefined && { headers }),
      });
    },
    headObject(name, key, conditions = {}) {
      const object = find(buckets, name, key);
      if (isS3Error(object)) return object;
      return headRefusal(object) ?? readRefusal(object, conditions) ?? object;
    },
    getObject(name, key, conditions = {}) {
      const object = find(buckets, name, key);
      if (isS3Error(object)) return object;
      return headRefusal(object) ?? readRefusal(object, conditions) ?? bytesRefusal(object) ?? object;
    },
    copyObject(name, key, input) {
      const source = find(buckets, input.sourceBucket, input.sourceKey);
      if (isS3Error(source)) return source;
      const bucket = buckets.get(name);
      if (bucket === undefined) return noSuchBucket();
      const refusal =
        keyRefusal(key) ??
        headRefusal(source) ??
        readRefusal(source, { ifMatch: input.sourceIfMatch }) ??
        bytesRefusal(source) ??
        copyRefusal(source, input.sourceBucket === name && source.key === key) ??
        writeRefusal(bucket.objects.get(byteOrder(key)), input);
      if (refusal !== undefined) return refusal;
      return store(bucket, {
        key,
        size: source.size,
        ...(source.body !== undefined && { body: source.body }),
        etag: source.body === undefined ? source.etag : etagOf(source.body),
        lastModified: wholeSecond(),
        storageClass: "STANDARD",
        ...(source.headers !== undefined && { headers: source.headers }),
      });
    },
    deleteObject(name, key, { ifMatch } = {}) {
      const bucket = buckets.get(name);
      return bucket === undefined ? noSuchBucket() : deleteOne(bucket, { key, etag: ifMatch });
    },
    deleteObjects(name, targets) {
      const bucket = buckets.get(name);
      if (bucket === undefined) return noSuchBucket();
      const wellFormed = targets.length > 0 && targets.every(({ key }) => key !== "" && isXmlText(key));
      if (!wellFormed || targets.length > PAGE_KEYS_MAX) return malformedXml();
      return targets.map((target) => deleteOne(bucket, target));
    },
    plant(name, key, object) {
      const size = object.size ?? object.body?.length ?? 0;
      return store(buckets.get(name) ?? addBucket(name), {
        size,
        etag: object.etag ?? etagOf(object.body ?? Buffer.from(`${size} sparse bytes`)),
        lastModified: wholeSecond(),
        storageClass: "STANDARD",
        ...object,
        key,
      });
    },
    *objects(name, prefix = "") {
      const start = byteOrder(prefix);
      for (const object of buckets.get(name)?.objects.from(start, true) ?? []) {
        if (!byteOrder(object.key).startsWith(start)) return;
        yield object;
      }
    },
  };
}

/** Whether an operation was refused. */
export function isS3Error(outcome: object | undefined): outcome is S3Error {
  return outcome !== undefined && "httpStatus" in outcome;
}

/** Makes an answer that is a refusal. */
export function s3Error(code: string, httpStatus: number, message: string): S3Error {
  return { code, httpStatus, message };
}

/** What S3 answers to XML that it can't read, or that says what it may not. */
export function malformedXml(): S3Error {
  return s3Error("MalformedXML", 400, "The XML was not well-formed or did not validate against our schema.");
}

/** Whether XML 1.0 can carry a text at all, escaped or not. */
export function isXmlText(text: string): boolean {
  return !NOT_XML.test(text);
}

/** Bytes `start` to `end` (exclusive) of an object; of a sparse one, as many zeros. */
export function readBytes(object: S3Object, start = 0, end = object.size): Uint8Array {
  return object.body?.subarray(start, end) ?? new Uint8Array(Math.max(0, Math.min(end, object.size) - start));
}

/** ETag of an object that was put in one part. */
export function etagOf(body: Uint8Array): string {
  return `"${hash("md5", body, "hex")}"`;
}

/** A string for each key, such that JavaScript's order of the strings is the byte order of the UTF-8 keys. */
function byteOrder(key: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: ASCII, in which both orders are the same
  return /^[\u0000-\u007f]*$/.test(key) ? key : Buffer.from(key, "utf8").toString("latin1");
}

function fromByteOrder(order: string): string {
  return Buffer.from(order, "latin1").toString("utf8");
}

function listPage(bucket: Bucket, input: ListInput): Omit<ListOutput, "date"> | S3Error {
  const after = input.continuationToken === undefined ? byteOrder(input.startAfter ?? "") : fromToken(input);
  if (typeof after !== "string") return after;
  const maxKeys = Math.min(input.maxKeys ?? PAGE_KEYS_MAX, PAGE_KEYS_MAX);
  const objects: S3Object[] = [];
  const commonPrefixes: string[] = [];
  let last: ListEntry | undefined;
  for (const entry of listEntries(bucket, after, byteOrder(input.prefix ?? ""), byteOrder(input.delimiter ?? ""))) {
    if (objects.length + commonPrefixes.length >= maxKeys) {
      return { objects, commonPrefixes, ...(last !== undefined && { nextContinuationToken: toToken(last.position) }) };
    }
    if (entry.object !== undefined) objects.push(entry.object);
    else commonPrefixes.push(entry.commonPrefix);
    last = entry;
  }
  return { objects, commonPrefixes };
}

/** What takes one place on a page; the listing goes on after `position`. */
type ListEntry = { readonly position: string } & (
  | { readonly object: S3Object }
  | { readonly object?: never; readonly commonPrefix: string }
);

/** Everything after `after`, all in byte order. */
function* listEntries(bucket: Bucket, after: string, prefix: string, delimiter: string): Generator<ListEntry> {
  let rest = after < prefix ? bucket.objects.from(prefix, true) : bucket.objects.from(after, false);
  for (let next = rest.next(); !next.done; next = rest.next()) {
    const object = next.value;
    const order = byteOrder(object.key);
    if (!order.startsWith(prefix)) return;
    const cut = delimiter === "" ? -1 : order.indexOf(delimiter, prefix.length);
    if (cut < 0) {
      yield { position: order, object };
      continue;
    }
    const common = order.slice(0, cut + delimiter.length);
    yield { position: common + AFTER_PREFIX, commonPrefix: fromByteOrder(common) };
    rest = bucket.objects.from(common + AFTER_PREFIX, false);
  }
}

function toToken(position: string): string {
  return Buffer.from(position, "latin1").toString("base64url");
}

function fromToken({ continuationToken = "" }: ListInput): string | S3Error {
  const position = Buffer.from(continuationToken, "base64url").toString("latin1");
  if (position !== "" && toToken(position) === continuationToken) return position;
  return s3Error("InvalidArgument", 400, "The continuation token provided is incorrect.");
}

function find(buckets: ReadonlyMap<string, Bucket>, name: string, key: string): S3Object | S3Error {
  const bucket = buckets.get(name);
  if (bucket === undefined) return noSuchBucket();
  return bucket.objects.get(byteOrder(key)) ?? noSuchKey();
}

function store(bucket: Bucket, object: S3Object): S3Object {
  bucket.objects.set(byteOrder(object.key), object);
  return object;
}

function deleteOne(bucket: Bucket, { key, etag }: DeleteTarget): S3Error | undefined {
  const object = bucket.objects.get(byteOrder(key));
  if (etag !== undefined && object === undefined) return noSuchKey();
  if (etag !== undefined && object !== undefined && !matches(etag, object)) return preconditionFailed();
  bucket.objects.delete(byteOrder(key));
  return undefined;
}

function keyRefusal(key: string): S3Error | undefined {
  if (key.length * 3 <= KEY_BYTES_MAX || Buffer.byteLength(key) <= KEY_BYTES_MAX) return undefined;
  return s3Error("KeyTooLongError", 400, "Your key is too long");
}

/** https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html */
function writeRefusal(existing: S3Object | undefined, { ifMatch, ifNoneMatch }: WriteConditions): S3Error | undefined {
  if ((ifNoneMatch !== undefined && ifNoneMatch !== "*") || (ifNoneMatch !== undefined && ifMatch !== undefined)) {
    return s3Error("NotImplemented", 501, "A header you provided implies functionality that is not implemented");
  }
  if (ifNoneMatch === "*" && existing !== undefined) return preconditionFailed();
  if (ifMatch === undefined) return undefined;
  if (existing === undefined) return noSuchKey();
  return matches(ifMatch, existing) ? undefined : preconditionFailed();
}

function readRefusal(object: S3Object, { ifMatch, ifNoneMatch }: ReadConditions): S3Error | undefined {
  if (ifMatch !== undefined && !matches(ifMatch, object)) return preconditionFailed();
  if (ifNoneMatch !== undefined && matches(ifNoneMatch, object)) return s3Error("NotModified", 304, "Not Modified");
  return undefined;
}

function headRefusal({ customerKey }: S3Object): S3Error | undefined {
  if (!customerKey) return undefined;
  const message = "The object was stored using a form of Server Side Encryption. The correct parameters are needed.";
  return s3Error("InvalidRequest", 400, message);
}

function bytesRefusal(object: S3Object): S3Error | undefined {
  if (ARCHIVED.has(object.storageClass)) {
    return s3Error("InvalidObjectState", 403, "The operation is not valid for the object's storage class");
  }
  return object.denied ? s3Error("AccessDenied", 403, "Access Denied") : undefined;
}

function copyRefusal(source: S3Object, ontoItself: boolean): S3Error | undefined {
  if (source.size > COPY_BYTES_MAX) {
    const message = `The copy source is larger than the maximum allowable size for a copy source: ${COPY_BYTES_MAX}`;
    return s3Error("InvalidRequest", 400, message);
  }
  if (!ontoItself) return undefined;
  return s3Error("InvalidRequest", 400, "An object can't be copied to itself without changing anything about it.");
}

/** An ETag may come with or without its quotes; `*` is any. */
function matches(condition: string, { etag }: S3Object): boolean {
  return condition === "*" || condition.replaceAll('"', "") === etag.replaceAll('"', "");
}

function preconditionFailed(): S3Error {
  return s3Error("PreconditionFailed", 412, "At least one of the pre-conditions you specified did not hold");
}

function noSuchKey(): S3Error {
  return s3Error("NoSuchKey", 404, "The specified key does not exist.");
}

function noSuchBucket(): S3Error {
  return s3Error("NoSuchBucket", 404, "The specified bucket does not exist");
}
