import type { IBucket } from "aws-cdk-lib/aws-s3";
import { EVENT_SOURCE } from "../contract/events.ts";
import { RUNNERS_PREFIX } from "../contract/object-keys.ts";

/** EventBridge's pattern for the events of one stack: also another stack can publish on the same bus, or collect from the same bucket. */
export interface OwnEvents {
  readonly source: readonly string[];
  readonly resources: readonly { readonly prefix: string }[];
  readonly detail: { readonly flavor: readonly string[] };
}

/** The events of these flavors from this bucket. */
export function ownEvents(bucket: IBucket, flavors: readonly string[]): OwnEvents {
  return {
    source: [EVENT_SOURCE],
    resources: [{ prefix: bucket.arnForObjects(RUNNERS_PREFIX) }],
    detail: { flavor: flavors },
  };
}
