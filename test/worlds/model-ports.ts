/** The ports over the in-memory models of `local/`, without HTTP: for tests that want thousands of runs. */

import { runnerName } from "../../contract/object-keys.ts";
import type { DeleteResult } from "../../contract/reasons.ts";
import { type PutEvents, publishEntries } from "../../functions/aws/publish-entries.ts";
import type { JobAnswer, WorkflowRunJobs } from "../../functions/domain/verify-job.ts";
import { type Clock, type EventBus, type ObjectStore, type Refusal, ServiceError } from "../../functions/ports.ts";
import type { EventBridgeModel } from "../../local/event-bridge.ts";
import { isS3Error, readBytes, type S3Error, type S3Model } from "../../local/s3.ts";

export function modelObjectStore(s3: S3Model, bucket: string, options: { pageSize?: number } = {}): ObjectStore {
  return {
    async list(prefix, from = { after: "" }) {
      const position = "token" in from ? { continuationToken: from.token } : { startAfter: from.after };
      const page = s3.listObjects(bucket, { prefix, maxKeys: options.pageSize, ...position });
      if (isS3Error(page)) throw serviceError(page);
      const next = page.nextContinuationToken;
      return { date: page.date, objects: [...page.objects], ...(next !== undefined && { next: { token: next } }) };
    },
    async head(key) {
      const head = s3.headObject(bucket, key);
      return isS3Error(head) ? refusal(head) : head;
    },
    async get({ key, etag }, size) {
      const object = s3.getObject(bucket, key, { ifMatch: etag });
      if (isS3Error(object)) return refusal(object);
      return object.size === size ? readBytes(object) : "changed";
    },
    async putIfAbsent(key, body) {
      const put = s3.putObject(bucket, key, { body: Buffer.from(body), ifNoneMatch: "*" });
      if (!isS3Error(put)) return "stored";
      if (put.httpStatus === 412) return "exists";
      throw serviceError(put);
    },
    async copy({ key, etag }, to) {
      const copied = s3.copyObject(bucket, to, { sourceBucket: bucket, sourceKey: key, sourceIfMatch: etag });
      return isS3Error(copied) ? refusal(copied) : "copied";
    },
    async delete(objects) {
      return objects.map(({ key, etag }): DeleteResult => {
        const error = s3.deleteObject(bucket, key, { ifMatch: etag });
        if (!error) return "deleted";
        const why = refusal(error);
        return why === "unreadable" ? "failed" : why;
      });
    },
  };
}

/** The bus over the model, with the adapter's own batching. `wrap` may come between the two. */
export function modelEventBus(
  eventBridge: EventBridgeModel,
  name: string,
  clock: Clock,
  wrap: (putEvents: PutEvents) => PutEvents = (putEvents) => putEvents,
): EventBus {
  const putEvents = wrap(modelPutEvents(eventBridge, name));
  return {
    exists: async () => typeof eventBridge.describeBus(name) === "string",
    publish: (entries, deadline) => publishEntries(putEvents, entries, clock, deadline),
  };
}

/** PutEvents over the model. */
export function modelPutEvents(eventBridge: EventBridgeModel, name: string): PutEvents {
  return async (entries) => {
    const results = eventBridge.putEvents(
      entries.map(({ source, detailType, resources, detail }) => ({
        EventBusName: name,
        Source: source,
        DetailType: detailType,
        Resources: resources,
        Detail: detail,
      })),
    );
    if ("httpStatus" in results) throw new ServiceError(results.code, results.message, { retryable: false });
    return results.map((result) =>
      "EventId" in result ? "accepted" : { code: result.ErrorCode, retryable: result.ErrorCode === "InternalFailure" },
    );
  };
}

/** Jobs of a workflow run from which the rules conclude exactly this about the runner of a storage. */
export function jobsThatSay(answer: JobAnswer | undefined, storage: string): WorkflowRunJobs {
  if (!answer) return { jobs: [], unknown: "not-configured" };
  if ("unknown" in answer) return { jobs: [], ...(!answer.isMismatch && { unknown: answer.unknown }) };
  const { queue_duration: queued, conclusion = null } = answer;
  const createdAt = 1_600_000_000_000;
  const job = {
    runner_name: runnerName(storage),
    status: "completed",
    created_at: new Date(createdAt).toISOString(),
    started_at: queued === undefined ? null : new Date(createdAt + Math.round(queued * 1000)).toISOString(),
    conclusion,
  };
  return { jobs: [job] };
}

function refusal(error: S3Error): Refusal {
  if (error.httpStatus === 404 && error.code !== "NoSuchBucket") return "gone";
  if (error.httpStatus === 412 || error.httpStatus === 409) return "changed";
  if (error.code === "AccessDenied") return "denied";
  if (error.code === "InvalidObjectState" || error.httpStatus === 400) return "unreadable";
  throw serviceError(error);
}

function serviceError({ code, message, httpStatus }: S3Error): ServiceError {
  return new ServiceError(code, message, { retryable: httpStatus >= 500 });
}
