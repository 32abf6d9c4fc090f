/** A history as text, a line for each step. */

import type { Event, History, Operation } from "./history.ts";

export function printHistory(history: History): string {
  const began = history[0]?.time ?? 0;
  return history
    .map(
      (event) =>
        `${String(event.step).padStart(5)} ${((event.time - began) / 1000).toFixed(3).padStart(11)} s  ${line(event)}`,
    )
    .join("\n");
}

function line(event: Event): string {
  switch (event.type) {
    case "upload": {
      const { key, by, outcome, version } = event;
      const what = version ? ` ${version.size} bytes, ${describe(version.meaning)}, ETag ${short(version.etag)}` : "";
      return `${by} uploads ${JSON.stringify(key)}: ${outcome}${what}`;
    }
    case "runner-finished":
      return `runner ${event.storage} has finished: all is stored`;
    case "run-begins": {
      const { run, worker, payload, config, pageSize, deadline, time, isQuiet } = event;
      const limits = `pages of ${pageSize}, at most ${config.maxObjectsPerRunner} objects, ${config.concurrency} at once`;
      const filter = payload.runners
        ? ` ${payload.include ? "only" : "all but"} [${[...payload.runners].join(", ")}]`
        : "";
      const rest = `${limits}, orphan after ${payload.orphanAfterSeconds} s, ${(deadline - time) / 1000} s`;
      return `== run ${run} of worker ${worker} begins${event.given ? " with a message" : ""}${isQuiet ? " (all is quiet)" : ""}:${filter} ${rest}`;
    }
    case "run-ends": {
      const { run, end, summary, error } = event;
      return `== run ${run} ${end}${summary ? ` ${JSON.stringify(compact(summary))}` : ""}${error ? ` ${String(error)}` : ""}`;
    }
    case "recorded":
      return `EC2 says ${event.key}`;
    case "bus":
      return `the bus is ${event.is}`;
    case "message":
      return `the message is ${event.is}`;
    case "end":
      return `the world ends after ${event.quietRuns} quiet runs of at most ${event.quietRunsMax}`;
    case "operation":
      return `run ${event.run} ${describeOperation(event)}${event.fault ? `  !! ${event.fault}` : ""}${event.heard ? "" : "  (not heard)"}`;
  }
}

function describeOperation(operation: Operation): string {
  switch (operation.kind) {
    case "exists":
      return `asks for the bus: ${operation.answer}`;
    case "alive":
      return `asks who lives: ${[...(operation.answer ?? ["?"])].join(", ")}`;
    case "isEmpty":
      return `asks whether the queue is empty: ${operation.answer}`;
    case "send":
      return `hands over ${storagesIn(operation.body).join(", ")}`;
    case "jobs":
      return `asks for the job of ${operation.storage}: ${JSON.stringify(operation.answer)}`;
    case "list":
      return `LIST ${operation.prefix}: ${operation.answer?.map(({ key }) => JSON.stringify(key.slice(operation.prefix.length))).join(" ")}`;
    case "head":
      return `HEAD ${JSON.stringify(operation.key)}: ${short(operation.answer)}`;
    case "get":
      return `GET ${JSON.stringify(operation.key)}: ${operation.answer}`;
    case "putIfAbsent":
      return `PUT ${operation.key}: ${operation.answer}`;
    case "archive":
      return `ARCHIVE ${operation.key}, ${operation.entries.length} events: ${operation.answer}`;
    case "copy":
      return `COPY ${JSON.stringify(operation.from.key)} to ${operation.to}: ${operation.answer}`;
    case "delete": {
      const lines = operation.objects.map(({ key, etag }, index) => {
        return `\n${" ".repeat(23)}${JSON.stringify(key)} ${short(etag)}: ${operation.answer?.[index]}`;
      });
      return `DELETE${lines.join("")}`;
    }
    case "put": {
      const lines = operation.entries.map(({ detailType, resources, detail }, index) => {
        const { event_id } = JSON.parse(detail) as { event_id: string };
        const answer = JSON.stringify(operation.answer?.[index]);
        return `\n${" ".repeat(23)}${detailType} ${event_id.slice(0, 8)} of ${resources[0]}: ${answer}`;
      });
      return `PutEvents${lines.join("")}`;
    }
  }
}

function storagesIn(body: string): string[] {
  return (JSON.parse(body) as { storages: { name: string }[] }).storages.map(({ name }) => name);
}

function describe(meaning: { readonly kind: string; readonly reason?: string }): string {
  return meaning.reason ? `${meaning.kind} (${meaning.reason})` : meaning.kind;
}

function short(etag: string | undefined): string {
  return etag?.startsWith('"') ? etag.slice(1, 7) : String(etag);
}

/** Without what is zero. */
function compact(value: object): object {
  const entries = Object.entries(value).flatMap(([name, inner]): [string, unknown][] => {
    if (inner === 0 || (Array.isArray(inner) && inner.length === 0)) return [];
    if (typeof inner !== "object" || inner === null || Array.isArray(inner)) return [[name, inner]];
    const rest = compact(inner);
    return Object.keys(rest).length === 0 ? [] : [[name, rest]];
  });
  return Object.fromEntries(entries);
}
