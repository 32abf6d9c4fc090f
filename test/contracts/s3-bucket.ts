import type { Readable } from "node:stream";
import {
  CopyObjectCommand,
  CreateBucketCommand,
  DeleteBucketCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  type DeleteObjectsCommandOutput,
  GetObjectCommand,
  HeadObjectCommand,
  type HeadObjectCommandOutput,
  ListObjectsV2Command,
  type ListObjectsV2CommandInput,
  type ListObjectsV2CommandOutput,
  type ObjectIdentifier,
  PutObjectCommand,
  type PutObjectCommandInput,
  type S3Client,
} from "@aws-sdk/client-s3";

/** `rawHeaders` are sent as they are, where the SDK would not let them through. */
type PutOptions = Partial<PutObjectCommandInput> & { rawHeaders?: Record<string, string> };

/** A bucket of a contract's own, and the calls of the SDK with the bucket filled in. */
export interface ContractBucket {
  readonly name: string;
  create(): Promise<unknown>;
  /** Empties it first, key by key: a target may be unable to delete some of the keys in a batch. */
  remove(): Promise<void>;
  /** The ETag of what was put. */
  put(key: string, body: string | Uint8Array | Readable, options?: PutOptions): Promise<string>;
  /** The bytes, as text. */
  get(key: string, options?: { IfMatch?: string; Range?: string }): Promise<string>;
  head(key: string, options?: { IfMatch?: string }): Promise<HeadObjectCommandOutput>;
  copy(source: string, key: string, options?: { CopySourceIfMatch?: string }): Promise<unknown>;
  delete(key: string, options?: { IfMatch?: string }): Promise<unknown>;
  deleteAll(objects: ObjectIdentifier[], options?: { Quiet?: boolean }): Promise<DeleteObjectsCommandOutput>;
  /** Without `EncodingType`, unless it is given. */
  list(options?: Partial<ListObjectsV2CommandInput>): Promise<ListObjectsV2CommandOutput>;
  /** The decoded keys of a listing, all pages. */
  keys(options?: Partial<ListObjectsV2CommandInput>): Promise<string[]>;
  exists(key: string): Promise<boolean>;
}

/** Nothing is created until `create`. */
export function contractBucket(
  s3: S3Client,
  name = `contract-${Date.now().toString(36)}-${process.pid}`,
): ContractBucket {
  const bucket: ContractBucket = {
    name,
    create: () => s3.send(new CreateBucketCommand({ Bucket: name })),
    async remove() {
      for (const key of await bucket.keys()) await bucket.delete(key);
      await s3.send(new DeleteBucketCommand({ Bucket: name }));
    },
    async put(key, body, options = {}) {
      // The SDK takes an empty string for a stream of unknown length.
      const Body = typeof body === "string" ? Buffer.from(body) : body;
      const { rawHeaders = {}, ...input } = options;
      const command = new PutObjectCommand({ Bucket: name, Key: key, Body, ...input });
      command.middlewareStack.add(
        (next) => (args) => {
          Object.assign((args.request as { headers: Record<string, string> }).headers, rawHeaders);
          return next(args);
        },
        { step: "build" },
      );
      return (await s3.send(command)).ETag ?? "";
    },
    async get(key, options) {
      const { Body } = await s3.send(new GetObjectCommand({ Bucket: name, Key: key, ...options }));
      return (await Body?.transformToString("latin1")) ?? "";
    },
    head: (key, options) => s3.send(new HeadObjectCommand({ Bucket: name, Key: key, ...options })),
    copy: (source, key, options) => {
      const path = `${name}/${source}`.split("/").map(encodeURIComponent).join("/");
      return s3.send(new CopyObjectCommand({ Bucket: name, Key: key, CopySource: path, ...options }));
    },
    delete: (key, options) => s3.send(new DeleteObjectCommand({ Bucket: name, Key: key, ...options })),
    deleteAll: (objects, options) => {
      return s3.send(new DeleteObjectsCommand({ Bucket: name, Delete: { Objects: objects, ...options } }));
    },
    list: (options) => s3.send(new ListObjectsV2Command({ Bucket: name, ...options })),
    async keys(options) {
      const keys: string[] = [];
      let token: string | undefined;
      do {
        const position = token === undefined ? {} : { ContinuationToken: token };
        const page = await bucket.list({ ...options, EncodingType: "url", ...position });
        keys.push(...(page.Contents ?? []).map(({ Key = "" }) => decodeKey(Key)));
        token = page.NextContinuationToken;
      } while (token !== undefined);
      return keys;
    },
    exists: async (key) => (await bucket.keys({ Prefix: key })).includes(key),
  };
  return bucket;
}

/** What a key of a listing with `EncodingType: "url"` stands for. */
export function decodeKey(encoded: string): string {
  return decodeURIComponent(encoded.replaceAll("+", " "));
}
