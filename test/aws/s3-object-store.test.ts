import { Readable } from "node:stream";
import { expect, test } from "vitest";
import type { Clients } from "../../functions/aws/clients.ts";
import { s3ObjectStore } from "../../functions/aws/s3-object-store.ts";
import { startHttpWorld } from "../worlds/http.ts";

/** A client that answers every command with the same; what it was sent. */
function clientThat(answer: () => unknown) {
  const sent: { name: string; input: Record<string, unknown> }[] = [];
  const send = async (command: { constructor: { name: string }; input: Record<string, unknown> }) => {
    sent.push({ name: command.constructor.name, input: command.input });
    return answer();
  };
  const clients = { s3: { send }, fastRead: async () => undefined } as unknown as Clients;
  return { clients, sent };
}

test("A18 no more of a body is read than was announced", async () => {
  let produced = 0;
  const endless = Readable.from(
    (function* () {
      for (;;) {
        produced++;
        yield Buffer.alloc(100);
      }
    })(),
    { highWaterMark: 1 },
  );
  const store = s3ObjectStore(clientThat(() => ({ Body: endless })).clients, "b");
  expect(await store.get({ key: "k", etag: "e" }, 1_000)).toBe("changed");
  expect(endless.destroyed).toBe(true);
  expect(produced).toBeLessThan(20);
});

test.each([
  ["AccessDenied", "denied"],
  ["InternalError", "failed"],
  ["PreconditionFailed", "changed"],
  ["ConditionalRequestConflict", "changed"],
  ["NoSuchKey", "gone"],
])("an object that DeleteObjects lists with the error %s is %s", async (Code, result) => {
  const store = s3ObjectStore(
    clientThat(() => ({ Deleted: [{ Key: "a" }, { Key: "c" }], Errors: [{ Key: "b", Code }] })).clients,
    "bucket",
  );
  const objects = ["a", "b", "c"].map((key) => ({ key, etag: "e" }));
  expect(await store.delete(objects)).toEqual(["deleted", result, "deleted"]);
});

test("an error of DeleteObjects that can't be matched leaves all in doubt", async () => {
  const store = s3ObjectStore(clientThat(() => ({ Errors: [{ Key: "?", Code: "InternalError" }] })).clients, "bucket");
  expect(await store.delete([{ key: "a", etag: "e" }])).toEqual(["failed"]);
});

test("a copy carries none of the uploader's headers or tags, and only the version that was asked for", async () => {
  const { clients, sent } = clientThat(() => ({ CopyObjectResult: { ETag: '"e"' } }));
  await s3ObjectStore(clients, "bucket").copy({ key: "a b", etag: '"e"' }, "to");
  expect(sent[0]).toMatchObject({
    name: "CopyObjectCommand",
    input: {
      CopySource: "bucket/a%20b",
      CopySourceIfMatch: '"e"',
      MetadataDirective: "REPLACE",
      TaggingDirective: "REPLACE",
      Key: "to",
    },
  });
});

test("a manifest and an archive have a checksum, which a bucket with Object Lock demands", async () => {
  const { clients, sent } = clientThat(() => ({ ETag: '"e"' }));
  const store = s3ObjectStore(clients, "bucket");
  await store.putIfAbsent("manifest.json", "{}");
  await store.putIfAbsent("events.gz", new Uint8Array(1));
  for (const { input } of sent) expect(input).toMatchObject({ ChecksumAlgorithm: "CRC32", IfNoneMatch: "*" });
});

test("a key that is no UTF-8 does not end the listing, and is no valid key", async () => {
  const world = await startHttpWorld();
  world.upload("a+b", { x: "x" });
  world.upload("c", { FF: "x" });
  world.faults.use(() => ({
    kind: "changed-answer",
    change: (reply) => ({ ...reply, body: String(reply.body).replace("c/FF", "c/%FF") }),
  }));
  const { objects } = await world.dependencies.store.list("runners/large/");
  expect(objects.map(({ key }) => key)).toEqual(["runners/large/a+b/x", "runners/large/c/\ufffdFF"]);
  await world.close();
});
