/**
 * A message of the work queue: listings of storages that a run hands over to workers. Only the collector sends it, and only as a hint: what
 * it says counts where the bucket confirms it.
 */
import * as z from "zod";
import { FLAVOR, isFileName, isStorageName } from "./object-keys.ts";
import { parse } from "./parse.ts";
import { FILES_THAT_MAKE_READY } from "./runner-files.ts";

/**
 * Bytes of a message, in UTF-8: SQS's default, which it lets a queue raise to four times that.
 * https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html
 */
export const MESSAGE_BYTES_MAX = 262_144;

/** Objects of a storage that is handed over: with the longest names they take a third of a message. */
export const OBJECTS_PER_STORAGE_MAX = 150;

/** For how long SQS keeps a message, in seconds: a run may then hand its storages over again. */
export const MESSAGE_RETENTION_SECONDS = 60 * 60;

const object = z.tuple([
  z.string().refine(isFileName, "must be a file's name").describe("Name in the storage"),
  z.int().nonnegative().describe("Bytes"),
  z.string().min(1).describe("ETag, with its quotes, as S3 gives it"),
  z.int().nonnegative().describe("LastModified, in milliseconds since the epoch"),
]);

const storage = z
  .strictObject({
    name: z.string().refine(isStorageName, "must be the name of a storage"),
    listedAt: z.int().nonnegative().describe("When it was listed, by S3's clock, in milliseconds since the epoch"),
    objects: z.array(object).max(OBJECTS_PER_STORAGE_MAX),
  })
  .refine(
    ({ objects }) => objects.some(([name, size]) => size > 0 && FILES_THAT_MAKE_READY.some((file) => file === name)),
    {
      path: ["objects"],
      error: "must have a post-job file",
    },
  );

/** The listings of at least one storage of one flavor, each once. Unknown keys are rejected: only this version of the function sends. */
export const workMessage = z.strictObject({
  flavor: z.string().regex(FLAVOR),
  storages: z
    .array(storage)
    .min(1)
    .refine((storages) => new Set(storages.map(({ name }) => name)).size === storages.length, "must be named once"),
});
export type WorkMessage = z.output<typeof workMessage>;
export type WorkStorage = WorkMessage["storages"][number];

/** Reads the body of a message. Throws an error that names what is wrong with it. */
export function readWorkMessage(body: string): WorkMessage {
  let message: unknown;
  try {
    message = JSON.parse(body);
  } catch {
    message = undefined;
  }
  return parse(workMessage, message, "work message");
}

/** As few messages as hold the storages, in their order: the body of each, and how many storages it has. */
export function workMessages(flavor: string, storages: readonly WorkStorage[]): { body: string; count: number }[] {
  const head = `{"flavor":${JSON.stringify(flavor)},"storages":[`;
  const messages: { body: string; count: number }[] = [];
  const close = () => messages.push({ body: `${head}${texts.join(",")}]}`, count: texts.length });
  let texts: string[] = [];
  let bytes = 0;
  for (const text of storages.map((storage) => JSON.stringify(storage))) {
    // With the comma before it.
    const more = Buffer.byteLength(text) + 1;
    if (texts.length > 0 && head.length + bytes + more + 2 > MESSAGE_BYTES_MAX) {
      close();
      texts = [];
      bytes = 0;
    }
    texts.push(text);
    bytes += more;
  }
  if (texts.length > 0) close();
  return messages;
}
