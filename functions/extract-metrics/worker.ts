import * as z from "zod";
import { parse } from "../../contract/parse.ts";
import type { RunInput } from "../../contract/schedule-input.ts";
import { readWorkMessage } from "../../contract/work-message.ts";
import { listingsOf } from "../run/hand-over.ts";
import { WORKER_FILTER } from "../run/run.ts";
import type { StorageListing } from "../storage/storage-listing.ts";

/** What a worker is to do: the input of its run, and the storages that its message names. */
export interface Work {
  readonly input: RunInput;
  readonly given: readonly StorageListing[];
}

/** An invocation by SQS. The stack has set a batch size of 1: one message, one run. */
const sqsEvent = z.object({
  Records: z.tuple([z.object({ eventSource: z.literal("aws:sqs"), body: z.string() })], {
    error: "must be one message: the batch size of the event source mapping is 1",
  }),
});

/** Whether a queue invokes the function. A schedule's input has no such field. */
export function isOfQueue(event: unknown): boolean {
  return typeof event === "object" && event !== null && "Records" in event;
}

/** What a queue's event asks for. Throws an error that names what is wrong with it. */
export function readWork(event: unknown): Work {
  const [{ body }] = parse(sqsEvent, event, "event of the work queue").Records;
  const message = readWorkMessage(body);
  return { input: { ...WORKER_FILTER, flavor: message.flavor }, given: listingsOf(message) };
}
