/** All that can go wrong with one operation, and how often it does in a world. */

import type { Random } from "./random.ts";

/** What a run asks of the services: one kind for each method of the ports. */
export type OperationKind =
  | "exists"
  | "list"
  | "head"
  | "get"
  | "putIfAbsent"
  | "archive"
  | "copy"
  | "delete"
  | "put"
  | "jobs"
  | "alive"
  | "isEmpty"
  | "send";

/** Calls of S3 and EventBridge. */
const CALLS = ["exists", "list", "head", "get", "putIfAbsent", "archive", "copy", "delete", "put"] as const;

/**
 * - `refused`, `throttled`: fails before its effect. `lost`: fails after it. `stalled`: fails before it, after 5 s
 * - `forbidden`: our role may not. `invalid`: refused for good, whatever the reason
 * - `repeated`: the SDK did not hear the first answer and did it again, which took effect twice
 * - `crash-before`, `crash-after`: the worker dies
 * - `denied`, `conflict`: S3's answer, without effect. `truncated`: the body is not as long as was announced
 * - `some-keys`, `some-entries`: part of a batch fails inside of a success
 * - `short-page`, `empty-page`: a page of fewer keys than there are, which S3 reserves the right to
 * - `bus-missing`: the bus is not found. `no-answer`: GitHub does not say
 */
export const FAULTS = {
  refused: [...CALLS, "isEmpty", "send"],
  throttled: [...CALLS, "isEmpty", "send"],
  lost: [...CALLS, "send"],
  stalled: CALLS,
  forbidden: ["list", "putIfAbsent", "archive", "delete", "put", "send"],
  invalid: ["put"],
  repeated: ["putIfAbsent", "archive", "copy", "delete", "put", "send"],
  "crash-before": [...CALLS, "jobs", "alive", "send"],
  "crash-after": [...CALLS, "jobs", "alive", "send"],
  denied: ["head", "get", "copy", "delete"],
  conflict: ["get", "copy", "delete"],
  truncated: ["get"],
  "some-keys": ["delete"],
  "some-entries": ["put"],
  "short-page": ["list"],
  "empty-page": ["list"],
  "bus-missing": ["exists"],
  "no-answer": ["jobs", "alive"],
} as const satisfies Record<string, readonly OperationKind[]>;

export type FaultName = keyof typeof FAULTS;

export const FAULT_NAMES = Object.keys(FAULTS) as FaultName[];

const ALL_KINDS = [
  ...(["exists", "list", "head", "get", "putIfAbsent", "archive"] as const),
  ...(["copy", "delete", "put", "jobs", "alive", "isEmpty", "send"] as const),
];

/** The faults that an operation can have. */
export const FAULTS_OF = Object.fromEntries(
  ALL_KINDS.map((kind) => [
    kind,
    FAULT_NAMES.filter((name) => (FAULTS[name] as readonly OperationKind[]).includes(kind)),
  ]),
) as Record<OperationKind, FaultName[]>;

export function isCrash(fault: FaultName | undefined): boolean {
  return fault === "crash-before" || fault === "crash-after";
}

/** How often faults come. */
export interface Weather {
  /** Of any kind, for each operation. */
  readonly rate: number;
  readonly crashRate: number;
  /** Of pages that are not full. */
  readonly pageRate: number;
  /** One fault of one kind of operation that keeps coming. */
  readonly storm?: { readonly kind: OperationKind; readonly fault: FaultName; readonly rate: number };
}

/** Operations of which there are few in a run: their faults come oftener. */
const RARE: readonly OperationKind[] = [
  "exists",
  "alive",
  "put",
  "putIfAbsent",
  "archive",
  "delete",
  "jobs",
  "isEmpty",
  "send",
];

/** A success of which a part has failed is what is easiest to overlook: so it comes oftener. */
const PARTIAL: readonly [OperationKind, FaultName][] = Array.from({ length: 5 }, () => ["put", "some-entries"]);

const STORMS = [
  ...FAULT_NAMES.flatMap((fault) => FAULTS[fault].map((kind): [OperationKind, FaultName] => [kind, fault])),
  ...PARTIAL,
];

/** Some worlds are calm, some brutal; in some a single thing keeps failing: with `storming`, one of that kind. */
export function drawWeather(random: Random, storming?: OperationKind): Weather {
  const sky = random.pick(["calm", "mild", "mild", "brutal", "storm", "storm", "storm"] as const);
  const rate = { calm: 0, mild: 0.01 + random.next() * 0.04, brutal: 0.1 + random.next() * 0.2, storm: 0 }[sky];
  const crashRate = sky === "calm" ? 0 : random.pick([0, 0, 0.003, 0.01, 0.04]);
  const pageRate = random.pick([0, 0, 0.05, 0.4]);
  if (sky !== "storm" && !storming) return { rate, crashRate, pageRate };
  const [kind, fault] = random.pick(storming ? STORMS.filter(([of]) => of === storming) : STORMS);
  return { rate, crashRate, pageRate, storm: { kind, fault, rate: 0.3 + random.next() * 0.65 } };
}

export function drawFault(random: Random, weather: Weather, kind: OperationKind): FaultName | undefined {
  const { rate, crashRate, pageRate, storm } = weather;
  if (storm?.kind === kind && random.chance(storm.rate)) return storm.fault;
  if (kind === "list" && random.chance(pageRate)) return random.pick(["short-page", "empty-page"]);
  // There are few messages in all worlds together.
  if (random.chance(kind === "send" && crashRate > 0 ? 0.2 : crashRate))
    return random.pick(["crash-before", "crash-after"]);
  if (!random.chance(RARE.includes(kind) ? 2 * rate : rate)) return undefined;
  if (kind === "put" && random.chance(0.4)) return "some-entries";
  const faults = FAULTS_OF[kind].filter((fault) => !isCrash(fault));
  return faults.length === 0 ? undefined : random.pick(faults);
}
