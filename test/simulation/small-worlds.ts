/**
 * Small worlds, exhaustively: two runners, a fixed order of things, and every fault at every operation; then every pair of
 * faults. What chance may not find in a million seeds is here because everything is.
 */
import type { RunConfig } from "../../functions/ports.ts";
import { run } from "../../functions/run/run.ts";
import {
  type Body,
  EMPTY,
  FILE_NAMES,
  INSTALLED,
  POST,
  PRE,
  postJobBody,
  preJobBody,
  START,
  secondsBody,
} from "./bodies.ts";
import { check, type Violation } from "./checker.ts";
import type { OperationKind } from "./faults.ts";
import { FAULTS_OF, type FaultName } from "./faults.ts";
import type { History } from "./history.ts";
import { simulatedPorts } from "./ports.ts";
import { BUCKET, BUS, createRun, createUniverse, drained, FLAVOR, PREFIX, type Universe } from "./universe.ts";

/** A fault at one operation, counted from the beginning of the world. */
export interface PlannedFault {
  readonly at: number;
  readonly fault: FaultName;
}

export interface SmallWorldReport {
  readonly name: string;
  /** Operations of a run without faults. */
  readonly operations: number;
  readonly singles: number;
  readonly pairs: number;
  readonly violations: readonly (Violation & { readonly faults: string })[];
  /** Runs that lost an event in the one way that is not promised against. */
  readonly residualLosses: number;
}

interface SmallWorld {
  readonly name: string;
  /** Workers whose runs overlap. */
  readonly workers: number;
  readonly pageSize: number;
  begin(universe: Universe): void;
  /** Called before each operation, so that somebody can act between any two. */
  act?(universe: Universe, operation: number): void;
}

const SMALL_WORLDS: readonly SmallWorld[] = [
  {
    name: "an honest runner and a corrupt one",
    workers: 1,
    pageSize: 1000,
    begin(universe) {
      uploadAll(universe, "honest", "r-1");
      uploadAll(universe, "attacker", "r-2", { [PRE]: corrupt("{", "invalid-json") });
    },
  },
  {
    name: "two honest runners, two workers, pages of two keys",
    workers: 2,
    pageSize: 2,
    begin(universe) {
      uploadAll(universe, "honest", "r-1");
      uploadAll(universe, "honest", "r-2", { [START]: undefined });
    },
  },
  {
    name: "a corrupt runner that swaps its files, two workers",
    workers: 2,
    pageSize: 1000,
    begin(universe) {
      uploadAll(universe, "attacker", "r-1", { [PRE]: corrupt("[]", "invalid-schema") });
    },
    act(universe, operation) {
      const body = operation % 2 === 0 ? EMPTY : corrupt("null", "invalid-schema");
      if (operation % 7 === 3) universe.upload("attacker", "r-1", operation % 3 === 0 ? PRE : "extra", body);
    },
  },
];

/** The runner that was given up and lives after all ends its job before the operation of each number in turn. */
function lateWorld(endsBefore: number): SmallWorld {
  return {
    name: `a runner that was given up ends its job before operation ${endsBefore}, beside an honest one`,
    workers: 1,
    pageSize: 1000,
    begin(universe) {
      uploadAll(universe, "honest", "late", { [POST]: undefined });
      universe.advance(2 * ORPHAN_AFTER_SECONDS * 1000);
      uploadAll(universe, "honest", "r-1");
    },
    act(universe, operation) {
      // As the runner's side does: what went before, the last file, and what went before once more.
      if (operation !== endsBefore) return;
      uploadAll(universe, "honest", "late");
      uploadAll(universe, "honest", "late");
    },
  };
}

/** Without a fault there are 23 operations: the job ends before each of them, or behind them all. */
const LATE_OPERATIONS = 24;

const WORLDS: readonly SmallWorld[] = [
  ...SMALL_WORLDS,
  ...Array.from({ length: LATE_OPERATIONS }, (_, endsBefore) => lateWorld(endsBefore)),
];

/** Small worlds are played by number, so that threads can share them. */
export const SMALL_WORLDS_COUNT = WORLDS.length;

/** One world with every fault, and with every pair of faults that `takesPair` takes. */
export async function playSmallWorld(
  number: number,
  takesPair: (index: number) => boolean = () => true,
): Promise<SmallWorldReport> {
  const world = worldOf(number);
  const violations: (Violation & { faults: string })[] = [];
  let pairs = 0;
  let candidates = 0;
  let residualLosses = 0;
  async function play(...plan: PlannedFault[]): Promise<OperationKind[]> {
    const history = await historyOf(world, plan);
    const faults = plan.map(({ at, fault }) => `${fault} at operation ${at}`).join(" and ") || "no fault";
    const checked = check(history, PREFIX);
    if (checked.residualLosses > 0) residualLosses += 1;
    for (const violation of checked.violations) violations.push({ ...violation, faults });
    return noisyOperations(history);
  }

  const calm = await play();
  const singles = plans(calm, 0);
  for (const first of singles) {
    const kinds = await play(first);
    for (const second of plans(kinds, first.at + 1)) {
      if (!takesPair(candidates++)) continue;
      pairs += 1;
      await play(first, second);
    }
  }
  return { name: world.name, operations: calm.length, singles: 1 + singles.length, pairs, violations, residualLosses };
}

function worldOf(number: number): SmallWorld {
  const world = WORLDS[number];
  if (!world) throw new RangeError(`There are ${WORLDS.length} small worlds.`);
  return world;
}

/** The operations that faults can befall: those before all is quiet. */
function noisyOperations(history: History): OperationKind[] {
  const end = history.findIndex((event) => event.type === "run-begins" && event.isQuiet);
  return history.slice(0, end).flatMap((event) => (event.type === "operation" ? [event.kind] : []));
}

/** Each fault that each operation from `from` on can have. */
function plans(kinds: readonly OperationKind[], from: number): PlannedFault[] {
  return kinds.flatMap((kind, at) => (at < from ? [] : FAULTS_OF[kind].map((fault) => ({ at, fault }))));
}

const ORPHAN_AFTER_SECONDS = 600;
const LAMBDA_MILLISECONDS = 900_000;
const QUIET_RUNS = 4;

const CONFIG: RunConfig = {
  bucketName: BUCKET,
  eventBusName: BUS,
  maxObjectsPerRunner: 6,
  concurrency: 2,
  accountId: "111111111111",
  partition: "aws",
};

/** Two rounds of runs with the planned faults, then quiet ones. Operations take turns in the order in which they were asked. */
async function historyOf(world: SmallWorld, plan: readonly PlannedFault[]): Promise<History> {
  let operations = 0;
  let isQuiet = false;
  let runs = 0;
  const universe = createUniverse({
    fault: () => {
      const at = operations++;
      return isQuiet ? undefined : plan.find((planned) => planned.at === at)?.fault;
    },
    latency: () => 10,
    choose: () => 0,
  });

  async function round(workers: number): Promise<void> {
    const ended = Array.from({ length: workers }, (_, worker) => oneRun(worker));
    let areDone = false;
    void Promise.all(ended).then(() => {
      areDone = true;
    });
    for (;;) {
      await drained();
      if (areDone) return;
      const pending = universe.pending.find(({ notBefore }) => notBefore <= universe.now());
      if (!pending) {
        universe.advance(Math.max(1, Math.min(...universe.pending.map(({ notBefore }) => notBefore)) - universe.now()));
        continue;
      }
      if (!isQuiet) world.act?.(universe, operations);
      universe.pending.splice(universe.pending.indexOf(pending), 1);
      await pending.perform();
    }
  }

  async function oneRun(worker: number): Promise<void> {
    runs += 1;
    const deadline = universe.now() + LAMBDA_MILLISECONDS;
    const { simulated, death } = createRun(universe, { id: runs, worker, deadline, pageSize: world.pageSize });
    const payload = { flavor: FLAVOR, include: false, orphanAfterSeconds: ORPHAN_AFTER_SECONDS };
    const limits = { config: CONFIG, deadline, pageSize: world.pageSize, isQuiet };
    universe.note({ type: "run-begins", run: simulated.id, worker, payload, ...limits });
    const ended = run(payload, {
      ...simulatedPorts(universe, simulated, undefined),
      config: CONFIG,
      runId: `run-${runs}`,
      deadline,
    }).then(
      (summary) => ({ end: "done" as const, summary }),
      (error: unknown) => ({ end: "rejected" as const, error }),
    );
    universe.note({ type: "run-ends", run: simulated.id, ...(await Promise.race([ended, death])) });
    universe.runs.delete(simulated);
  }

  world.begin(universe);
  universe.advance(1_000);
  await round(world.workers);
  await round(world.workers);
  isQuiet = true;
  world.act?.(universe, -1);
  universe.advance(2 * ORPHAN_AFTER_SECONDS * 1000);
  for (let quietRun = 0; quietRun < QUIET_RUNS; quietRun++) await round(1);
  universe.note({ type: "end", quietRuns: QUIET_RUNS, quietRunsMax: QUIET_RUNS });
  return universe.history;
}

function uploadAll(
  universe: Universe,
  by: "honest" | "attacker",
  storage: string,
  changes: { readonly [Name in (typeof FILE_NAMES)[number]]?: Body | undefined } = {},
): void {
  const files: Record<string, Body | undefined> = { ...WHOLE_JOB, ...changes };
  for (const name of FILE_NAMES) {
    const body = files[name];
    if (body) universe.upload(by, storage, name, body, { onlyIfAbsent: by === "honest" });
  }
}

const WHOLE_JOB = {
  [START]: secondsBody(1_700_000_000),
  [INSTALLED]: secondsBody(1_700_000_060),
  [PRE]: preJobBody({
    timestamp: 1_700_000_120,
    workflow: "CI",
    workflow_run_id: "1",
    repository: "acme/widgets",
    event: "push",
  }),
  [POST]: postJobBody({ timestamp: 1_700_000_720, status: "normal" }),
};

function corrupt(text: string, reason: string): Body {
  return { bytes: Buffer.from(text), meaning: { kind: "corrupt", reason } };
}
