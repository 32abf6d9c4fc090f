import fc from "fast-check";
import { expect, test } from "vitest";
import { createEventBridgeModel } from "../../local/event-bridge.ts";
import { createS3Model, isS3Error, readBytes, type S3Model } from "../../local/s3.ts";

/** Keys over few letters, so that some are the same and some begin with others. */
const KEYS = fc.uniqueArray(
  fc.string({ unit: fc.constantFrom("a", "/", "é", "\uff5e", "\u{1f600}", "\u0001"), minLength: 1, maxLength: 6 }),
  { maxLength: 40 },
);

test("the model lists any keys in the order of their bytes, whatever the pages, and after any deletes", () => {
  fc.assert(
    fc.property(KEYS, fc.nat(5), fc.nat(40), (keys, pageLess1, deleted) => {
      const s3 = bucketWith(keys);
      for (const key of keys.slice(0, deleted)) s3.deleteObject("b", key);
      const left = keys.slice(deleted).toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
      expect(listAll(s3, { maxKeys: pageLess1 + 1 }).keys).toEqual(left);
      expect([...s3.objects("b")].map(({ key }) => key)).toEqual(left);
    }),
  );
});

test("prefix, delimiter and StartAfter give what filtering all keys would give", () => {
  const word = fc.string({ unit: fc.constantFrom("a", "/", "\uff5e", "\u{1f600}"), maxLength: 2 });
  fc.assert(
    fc.property(KEYS, word, word, fc.boolean(), fc.nat(3), (keys, prefix, startAfter, delimited, pageLess1) => {
      const s3 = bucketWith(keys);
      const bytes = (key: string): Buffer => Buffer.from(key);
      const matching = keys
        .filter((key) => key.startsWith(prefix) && Buffer.compare(bytes(key), bytes(startAfter)) > 0)
        .toSorted((a, b) => Buffer.compare(bytes(a), bytes(b)));
      const cut = (key: string): number => (delimited ? key.indexOf("/", prefix.length) : -1);
      const prefixes = matching.filter((key) => cut(key) >= 0).map((key) => key.slice(0, cut(key) + 1));
      const listed = listAll(s3, { prefix, startAfter, delimiter: delimited ? "/" : "", maxKeys: pageLess1 + 1 });
      expect(listed.keys).toEqual(matching.filter((key) => cut(key) < 0));
      expect(listed.prefixes).toEqual([...new Set(prefixes)]);
    }),
  );
});

test("a sparse object of 50 GB has its size, holds no bytes, reads as zeros and is too large to copy", () => {
  const s3 = createS3Model();
  s3.plant("b", "big", { size: 50e9 });
  const object = s3.getObject("b", "big");
  if (isS3Error(object)) throw new Error(object.code);
  expect([object.size, object.body, readBytes(object, 10, 13)]).toEqual([50e9, undefined, new Uint8Array(3)]);
  const copied = s3.copyObject("b", "copy", { sourceBucket: "b", sourceKey: "big" });
  expect(copied).toMatchObject({ httpStatus: 400, code: "InvalidRequest" });
});

test("an object that is denied can be HEADed, but neither read nor copied", () => {
  const s3 = createS3Model();
  s3.plant("b", "foreign", { body: Buffer.from("x"), kmsKeyId: "arn:aws:kms:us-east-1:1:key/k", denied: true });
  expect(s3.headObject("b", "foreign")).toMatchObject({ size: 1, kmsKeyId: "arn:aws:kms:us-east-1:1:key/k" });
  expect(s3.getObject("b", "foreign")).toMatchObject({ httpStatus: 403, code: "AccessDenied" });
  const copied = s3.copyObject("b", "copy", { sourceBucket: "b", sourceKey: "foreign" });
  expect(copied).toMatchObject({ httpStatus: 403, code: "AccessDenied" });
});

test("time is what the clock says, in whole seconds", () => {
  const s3 = createS3Model({ now: () => 1_700_000_000_999 });
  s3.createBucket("b");
  expect(s3.putObject("b", "k", { body: new Uint8Array() })).toMatchObject({ lastModified: 1_700_000_000_000 });
});

test("events of a bus are kept in order and told to subscribers; those of a missing bus are lost", () => {
  const bridge = createEventBridgeModel({ now: () => 7000 });
  bridge.createBus("metrics");
  const told: string[] = [];
  const unsubscribe = bridge.subscribe(({ detail }) => told.push(detail));
  const put = (bus: string, detail: string): void => {
    const entry = { EventBusName: bus, Source: "s", DetailType: "t", Detail: detail };
    expect(bridge.putEvents([entry])).toEqual([{ EventId: expect.any(String) }]);
  };
  put("metrics", '{"n":1}');
  put("elsewhere", '{"n":2}');
  unsubscribe();
  put("arn:aws:events:us-east-1:000000000000:event-bus/metrics", '{"n":3}');
  expect(bridge.events().map(({ detail }) => detail)).toEqual(['{"n":1}', '{"n":3}']);
  expect(bridge.events()[0]).toMatchObject({ bus: "metrics", time: 7000, source: "s", detailType: "t", resources: [] });
  expect(bridge.lost().map(({ detail }) => detail)).toEqual(['{"n":2}']);
  expect(told).toEqual(['{"n":1}']);
});

function bucketWith(keys: readonly string[]): S3Model {
  const s3 = createS3Model();
  s3.createBucket("b");
  for (const key of keys) s3.putObject("b", key, { body: new Uint8Array() });
  return s3;
}

function listAll(s3: S3Model, input: Parameters<S3Model["listObjects"]>[1]): { keys: string[]; prefixes: string[] } {
  const keys: string[] = [];
  const prefixes: string[] = [];
  let continuationToken: string | undefined;
  do {
    const page = s3.listObjects("b", { ...input, continuationToken });
    if (isS3Error(page)) throw new Error(page.code);
    keys.push(...page.objects.map(({ key }) => key));
    prefixes.push(...page.commonPrefixes);
    continuationToken = page.nextContinuationToken;
  } while (continuationToken !== undefined);
  return { keys, prefixes };
}
