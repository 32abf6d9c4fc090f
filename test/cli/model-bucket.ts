import type { Bucket } from "../../cli/bucket.ts";
import { isS3Error, readBytes, type S3Error, type S3Model } from "../../local/s3.ts";

/** The bucket of the commands over the model, without HTTP. */
export function modelBucket(s3: S3Model, bucket: string): Bucket {
  return {
    async *list(prefix) {
      yield* [...s3.objects(bucket, prefix)];
    },
    async folders(prefix) {
      const names = [...s3.objects(bucket, prefix)].map(({ key }) => /^[^/]*\//.exec(key.slice(prefix.length))?.[0]);
      return [...new Set(names)].flatMap((name) => name ?? []);
    },
    async get(key, bytesMax) {
      const object = s3.getObject(bucket, key);
      if (isS3Error(object)) return object.httpStatus === 404 ? undefined : fail(object);
      if (object.size > bytesMax) throw new Error("too large");
      return readBytes(object);
    },
    expiry: async () => undefined,
    async putIfAbsent(key, bytes) {
      const put = s3.putObject(bucket, key, { body: bytes, ifNoneMatch: "*" });
      if (!isS3Error(put)) return put.etag;
      return put.httpStatus === 412 ? undefined : fail(put);
    },
    async delete(keys) {
      for (const key of keys) s3.deleteObject(bucket, key);
    },
    async deleteVersion(key, etag) {
      return s3.deleteObject(bucket, key, { ifMatch: etag }) === undefined;
    },
  };
}

/** A bucket whose calls fail from the `deathAt`th on, which still has its effect or not: as for a process that was killed. */
export function mortalBucket(bucket: Bucket, deathAt: number, withEffect: boolean): Bucket {
  let calls = 0;
  const mortal = <Args extends unknown[], Result>(method: (...args: Args) => Promise<Result>) => {
    return async (...args: Args): Promise<Result> => {
      calls++;
      if (calls < deathAt) return method(...args);
      if (calls === deathAt && withEffect) await method(...args);
      throw new Error("killed");
    };
  };
  return {
    list: bucket.list,
    folders: mortal(bucket.folders),
    get: mortal(bucket.get),
    expiry: mortal(bucket.expiry),
    putIfAbsent: mortal(bucket.putIfAbsent),
    delete: mortal(bucket.delete),
    deleteVersion: mortal(bucket.deleteVersion),
  };
}

function fail(error: S3Error): never {
  throw Object.assign(new Error(error.code), { name: error.code });
}
