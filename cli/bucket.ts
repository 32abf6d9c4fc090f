/** The bucket as the commands use it, and S3 behind it. */
import type { Readable } from "node:stream";
import {
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  type S3Client,
} from "@aws-sdk/client-s3";

/** An object as a listing shows it. */
export interface BucketObject {
  readonly key: string;
  /** Bytes. */
  readonly size: number;
  /** Opaque, with its quotes. */
  readonly etag: string;
  /** Milliseconds since the epoch, by S3's clock. */
  readonly lastModified: number;
}

/** The bucket. Methods throw the SDK's errors for everything that is not described here. */
export interface Bucket {
  /** All objects whose keys begin with `prefix`, in the byte order of their keys. */
  list(prefix: string): AsyncGenerator<BucketObject>;
  /** The parts of keys after `prefix`, up to and including the next slash. */
  folders(prefix: string): Promise<string[]>;
  /** The bytes, or undefined if there is no such object. Throws if there are more than `bytesMax`. */
  get(key: string, bytesMax: number): Promise<Uint8Array | undefined>;
  /** When a lifecycle rule of the bucket deletes the object, in milliseconds since the epoch; undefined if S3 names no day. */
  expiry(key: string): Promise<number | undefined>;
  /** Stores an object unless the key exists. The ETag of the stored object, or undefined if the key exists. */
  putIfAbsent(key: string, bytes: Uint8Array): Promise<string | undefined>;
  /** Deletes objects without conditions. At most 1,000. */
  delete(keys: readonly string[]): Promise<void>;
  /** Deletes exactly this version; false if it is another one or gone. */
  deleteVersion(key: string, etag: string): Promise<boolean>;
}

/** S3's limit for one DeleteObjects. https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html */
export const DELETE_KEYS_MAX = 1_000;

/** A bucket of S3. */
export function s3Bucket(client: S3Client, bucket: string): Bucket {
  async function* pages(prefix: string, delimiter?: string) {
    for (let token: string | undefined, isFirst = true; isFirst || token; isFirst = false) {
      const page = await client.send(
        new ListObjectsV2Command({
          Bucket: bucket,
          Prefix: prefix,
          // Without it, a control character in a key breaks the page.
          EncodingType: "url",
          ...(delimiter && { Delimiter: delimiter }),
          ...(token && { ContinuationToken: token }),
        }),
      );
      yield page;
      token = page.NextContinuationToken;
    }
  }

  return {
    async *list(prefix) {
      for await (const { Contents = [] } of pages(prefix)) {
        for (const { Key = "", Size = 0, ETag = "", LastModified } of Contents) {
          yield { key: decodeKey(Key), size: Size, etag: ETag, lastModified: LastModified?.getTime() ?? 0 };
        }
      }
    },

    async folders(prefix) {
      const names: string[] = [];
      for await (const { CommonPrefixes = [] } of pages(prefix, "/")) {
        names.push(...CommonPrefixes.map(({ Prefix = "" }) => decodeKey(Prefix).slice(prefix.length)));
      }
      return names;
    },

    async get(key, bytesMax) {
      try {
        const { Body } = await client.send(new GetObjectCommand({ Bucket: bucket, Key: key }));
        return await readAtMost(Body as Readable, bytesMax, key);
      } catch (error) {
        if (httpStatus(error) === 404 && !isNoBucket(error)) return undefined;
        throw error;
      }
    },

    async expiry(key) {
      const { Expiration = "" } = await client.send(new HeadObjectCommand({ Bucket: bucket, Key: key }));
      const [, day = ""] = /expiry-date="([^"]+)"/.exec(Expiration) ?? [];
      const time = Date.parse(day);
      return Number.isNaN(time) ? undefined : time;
    },

    async putIfAbsent(key, bytes) {
      try {
        const put = new PutObjectCommand({ Bucket: bucket, Key: key, Body: bytes, IfNoneMatch: "*" });
        return (await client.send(put)).ETag ?? "";
      } catch (error) {
        if (httpStatus(error) === 412) return undefined;
        throw error;
      }
    },

    async delete(keys) {
      if (keys.length === 0) return;
      const Objects = keys.map((Key) => ({ Key }));
      const { Errors = [] } = await client.send(
        new DeleteObjectsCommand({ Bucket: bucket, Delete: { Objects, Quiet: true } }),
      );
      const [first] = Errors;
      if (first) throw new Error(`S3 did not delete ${Errors.length} of ${keys.length} objects: ${first.Code}`);
    },

    async deleteVersion(key, etag) {
      try {
        await client.send(new DeleteObjectCommand({ Bucket: bucket, Key: key, IfMatch: etag }));
        return true;
      } catch (error) {
        if ([404, 409, 412].includes(httpStatus(error) ?? 0)) return false;
        throw error;
      }
    },
  };
}

function httpStatus(error: unknown): number | undefined {
  return (error as { $metadata?: { httpStatusCode?: number } }).$metadata?.httpStatusCode;
}

function isNoBucket(error: unknown): boolean {
  return error instanceof Error && error.name === "NoSuchBucket";
}

/** The SDK leaves keys as `EncodingType: url` has them. */
function decodeKey(encoded: string): string {
  try {
    return decodeURIComponent(encoded.replaceAll("+", " "));
  } catch {
    return encoded.replaceAll("%", "\uFFFD");
  }
}

async function readAtMost(body: Readable, bytesMax: number, key: string): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of body) {
    length += chunk.length;
    if (length > bytesMax) throw new Error(`The object ${JSON.stringify(key)} is larger than ${bytesMax} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
