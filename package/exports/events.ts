/** `import { parseEvent } from "runner-metrics/events"`: the events for consumers. Needs no AWS CDK. */
export {
  DETAIL_TYPES,
  type DetailType,
  EVENT_SCHEMAS,
  EVENT_SOURCE,
  type MetricsEvent,
  SCHEMA_VERSION,
} from "../../contract/events.ts";
export { type Detail, type Envelope, parseEvent } from "../../contract/parse-event.ts";
