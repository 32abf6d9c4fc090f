/** What a history has seen: a thousand seeds in which some kind of trouble never came prove less than they seem to. */

import { EVENT_SCHEMAS } from "../../contract/events.ts";
import { DEFERRAL_REASONS, DELETE_RESULTS, namesOf, OUTCOMES, QUARANTINE_REASONS } from "../../contract/reasons.ts";
import { FAULTS } from "./faults.ts";
import type { History, Operation } from "./history.ts";

/** How often each thing occurred. */
export type Luck = Map<string, number>;

/** All that has to occur. */
export const NEEDED: readonly string[] = [
  ...Object.entries(FAULTS).flatMap(([fault, kinds]) => kinds.map((kind) => `fault: ${fault} of ${kind}`)),
  ...namesOf(OUTCOMES).map((outcome) => `outcome: ${outcome}`),
  ...namesOf(QUARANTINE_REASONS).map((reason) => `quarantined: ${reason}`),
  // Only the handler ends the calls in progress at the deadline.
  ...namesOf(DEFERRAL_REASONS)
    .filter((reason) => reason !== "deadline")
    .map((reason) => `deferred: ${reason}`),
  ...namesOf(DELETE_RESULTS).map((result) => `object: ${result}`),
  ...Object.keys(EVENT_SCHEMAS).flatMap((type) => [`event: ${type} accepted`, `event: ${type} failed`]),
  ...["done", "deadline", "listing-failed"].map((how) => `stopped: ${how}`),
  ...["done", "rejected", "crashed", "timed-out"].map((how) => `run: ${how}`),
  ...["too-large", "too-many", "unreadable"].map((why) => `not copied: ${why}`),
  ...["stored", "there", "failed"].map((outcome) => `honest upload: ${outcome}`),
  "the bus was deleted",
  "two runs overlapped",
  "a second look",
  "a runner was collected and lived on",
  "a worker had a message",
  "a worker listed a storage again",
  ...["there", "lost", "doubled", "late", "purged"].map((fate) => `message: ${fate}`),
];

export function noteLuck(luck: Luck, history: History): void {
  const count = (name: string, by = 1) => luck.set(name, (luck.get(name) ?? 0) + by);
  const running = new Set<number>();
  const collected = new Set<string>();
  const ofMessages = new Set<number>();
  for (const event of history) {
    switch (event.type) {
      case "operation":
        count("operations");
        if (event.fault) count(`fault: ${event.fault} of ${event.kind}`);
        noteOperation(event, count, collected);
        if (event.kind === "list" && ofMessages.has(event.run)) count("a worker listed a storage again");
        break;
      case "upload": {
        if (event.by !== "honest") break;
        count(`honest upload: ${event.outcome}`);
        if (event.outcome === "stored" && collected.delete(event.storage)) count("a runner was collected and lived on");
        break;
      }
      case "run-begins":
        count("runs");
        running.add(event.run);
        if (event.given) {
          ofMessages.add(event.run);
          count("a worker had a message");
        }
        if (running.size > 1) count("two runs overlapped");
        break;
      case "run-ends":
        running.delete(event.run);
        count(`run: ${event.end}`);
        if (event.summary) noteSummary(event.summary, count);
        break;
      case "recorded":
        count(`EC2: ${event.key.replace(/.*?[0-9]-(?=[a-z-]+$)/, "")}`);
        break;
      case "message":
        count(`message: ${event.is}`);
        break;
      case "bus":
        count(`the bus was ${event.is}`);
        break;
      default:
    }
  }
}

type Count = (name: string, by?: number) => void;

function noteOperation(operation: Operation, count: Count, collected: Set<string>): void {
  if (operation.kind === "list" && operation.prefix.split("/").length > 3) count("a second look");
  if (operation.kind === "putIfAbsent") {
    const { objects } = JSON.parse(operation.json) as { objects: { not_copied?: string }[] };
    for (const { not_copied } of objects) if (not_copied) count(`not copied: ${not_copied}`);
  }
  if (operation.kind === "archive") count(`archived: ${operation.answer ?? "failed"}`);
  if (operation.kind === "delete") {
    for (const { key } of operation.removed) collected.add(key.split("/")[2] ?? "");
    if (operation.heard) for (const result of operation.answer ?? []) count(`object: ${result}`);
  }
}

function noteSummary(
  summary: NonNullable<Extract<History[number], { type: "run-ends" }>["summary"]>,
  count: Count,
): void {
  count(`stopped: ${summary.stopped}`);
  for (const outcome of namesOf(OUTCOMES)) if (summary[outcome]) count(`outcome: ${outcome}`, summary[outcome]);
  for (const [reason, times] of Object.entries(summary.quarantineReasons))
    if (times) count(`quarantined: ${reason}`, times);
  for (const [reason, times] of Object.entries(summary.deferralReasons)) if (times) count(`deferred: ${reason}`, times);
  for (const [type, { accepted, failed }] of Object.entries(summary.events)) {
    if (accepted) count(`event: ${type} accepted`, accepted);
    if (failed) count(`event: ${type} failed`, failed);
  }
}

/** What should have occurred and has not. */
export function missing(luck: Luck): string[] {
  return NEEDED.filter((name) => !luck.has(name));
}

export function merge(into: Luck, luck: Iterable<readonly [string, number]>): void {
  for (const [name, times] of luck) into.set(name, (into.get(name) ?? 0) + times);
}
