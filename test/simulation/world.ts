/** One seed: a fleet, an attacker, workers, bad weather; then rest, in which everything must come to its end. */

import type { RunInput } from "../../contract/schedule-input.ts";
import { readWorkMessage } from "../../contract/work-message.ts";
import type { RunConfig } from "../../functions/ports.ts";
import { listingsOf } from "../../functions/run/hand-over.ts";
import { run, WORKER_FILTER } from "../../functions/run/run.ts";
import type { StorageListing } from "../../functions/storage/storage-listing.ts";
import { attack } from "./attacker.ts";
import { FILE_NAMES, INVALID_STORAGE_NAMES, validBody } from "./bodies.ts";
import { drawFault, drawWeather, type OperationKind, type Weather } from "./faults.ts";
import type { History } from "./history.ts";
import { drawLife, type Life, live, type SendResult } from "./honest-runner.ts";
import { drawMachineLife, type MachineLife, otherRecords } from "./instances.ts";
import { type Github, simulatedPorts } from "./ports.ts";
import { createQueue, type Message, type SimulatedQueue } from "./queue.ts";
import { createRandom, type Random } from "./random.ts";
import { storageOf, withoutSlot } from "./reading.ts";
import { BUCKET, BUS, createRun, createUniverse, drained, FLAVOR, PREFIX, type Universe } from "./universe.ts";

/** What a seed draws. */
export interface World {
  readonly universe: Universe;
  readonly random: Random;
  readonly config: RunConfig;
  readonly pageSize: number;
  readonly orphanAfterSeconds: number;
  /** Milliseconds between the runs of a worker. */
  readonly period: number;
  readonly runsOfWorker: readonly number[];
  readonly deadlineMilliseconds: number;
  /** The caller knows which runners are alive, and names them. */
  readonly knowsTheFleet: boolean;
  readonly busIsFlaky: boolean;
  readonly weather: Weather;
  readonly areLate: boolean;
  readonly attackRate: number;
  readonly attackers: readonly string[];
  readonly github: Github | undefined;
  /** GitHub is asked which runners live. */
  readonly asksWhoIsAlive: boolean;
  /** Where runs hand over what they may not finish. Its workers are apart from those that the schedule starts. */
  readonly queue: SimulatedQueue | undefined;
  readonly runners: Runner[];
  /** Records of ended instances that are yet to be written. */
  readonly records: MachineLife["records"][number][];
  isQuiet: boolean;
  runsBegun: number;
  attacksLeft: number;
}

interface Runner {
  readonly name: string;
  /** Absent where the world has no instances. */
  readonly machine?: MachineLife | undefined;
  readonly life: Life;
  readonly acts: ReturnType<typeof live>;
  readonly uploadFailureRate: number;
  dueAt: number;
  wakesAt: OperationKind | undefined;
  last: SendResult;
  hasBegun: boolean;
  isDone: boolean;
}

/** As long as Lambda lets a function run: 15 minutes. */
const LAMBDA_MILLISECONDS = 900_000;

const HONEST_NAMES = [
  "r-1",
  "r-10",
  "r.1",
  "r0",
  "r",
  "R_2",
  "AROAEXAMPLE:i-0abc",
  "AROAEXAMPLE:i-0def",
  "no",
  "z",
  "r-1~00",
  "r-1~41",
  "R_2~99",
];
const ATTACKER_NAMES = ["r-1-", "0", "r-0", "r-1.evil", "AROAEVIL:i-0abc", "zz", "r-9", "r-9~05", "r-9~0x", "r-9~"];

/** Plays the world of a seed to its end and gives its history. */
export async function playWorld(seed: number): Promise<History> {
  return play(drawWorld(seed));
}

/** Plays a world to its end and gives its history. */
export async function play(world: World): Promise<History> {
  plantOtherFlavor(world.universe);
  await untilStill(world, world.runsOfWorker);
  world.isQuiet = true;
  await finishLives(world);
  // Messages that are late, and then nothing but runs.
  await untilStill(world, []);
  await converge(world);
  return world.universe.history;
}

export function drawWorld(seed: number, changes: Partial<World> = {}): World {
  const random = createRandom(seed);
  const instances = changes.runners ? undefined : drawInstances(seed);
  const busIsFlaky = random.chance(0.08);
  const weather = drawWeather(random, busIsFlaky && random.chance(0.5) ? "exists" : undefined);
  // A source of its own, so that a world without a queue is the same as before there were queues.
  const ofQueue = createRandom(seed + 1_000_000_000);
  const hasQueue = ofQueue.chance(0.3);
  const slowness = hasQueue ? ofQueue.pick([200, 400, 800]) : random.pick([5, 20, 200]);
  const pageSize = random.pick([1, 2, 3, 5, 8, 50, 1000]);
  // Runners that are given up, and live after all.
  const areLate = random.chance(0.3) && !instances;
  const orphanAfterSeconds = areLate
    ? 3
    : instances
      ? instances.pick([90, 600, 86_400])
      : random.pick([5, 20, 90, 86_400]);
  const world: World = {
    universe: createUniverse({
      fault: (kind) => (world.isQuiet ? undefined : drawFault(random, world.weather, kind)),
      latency: () => (random.chance(0.02) ? random.integer(0, 50 * slowness) : random.integer(1, slowness)),
      choose: (length) => Math.floor(random.next() * length),
    }),
    random,
    pageSize,
    orphanAfterSeconds,
    config: {
      bucketName: BUCKET,
      eventBusName: BUS,
      maxObjectsPerRunner: random.pick([4, 6, 32]),
      concurrency: random.pick([1, 2, 4, 32]),
      accountId: "111111111111",
      partition: "aws",
      quarantineMismatches: random.chance(0.5),
      ...(instances && { endedInstances: true }),
    },
    period: instances ? 60_000 : areLate ? random.pick([1_000, 2_000, 5_000]) : random.pick([5_000, 60_000]),
    runsOfWorker: random.chance(0.4)
      ? [random.integer(3, areLate ? 12 : 7)]
      : [random.integer(2, 5), random.integer(2, 5)],
    deadlineMilliseconds: hasQueue
      ? ofQueue.pick([15_000, 20_000, 40_000])
      : random.pick([10_200, 15_000, 60_000, 900_000, 900_000]),
    knowsTheFleet: random.chance(0.15),
    areLate,
    busIsFlaky,
    weather,
    attackRate: random.pick([0, 0.02, 0.1, 0.3]),
    attackers: drawAttackers(random).map((name) => (instances ? onInstance(name) : name)),
    github: random.chance(0.6) ? githubOf(() => world) : undefined,
    asksWhoIsAlive: random.chance(0.5),
    queue: undefined,
    runners: [],
    records: [],
    isQuiet: false,
    runsBegun: 0,
    attacksLeft: 40,
    ...changes,
  };
  if (hasQueue && !changes.runners) Object.assign(world, { queue: createQueue(world.universe, ofQueue) });
  world.universe.watchers.push(({ kind, ...operation }) => {
    if (kind === "exists" || kind === "put" || kind === "jobs" || kind === "isEmpty" || kind === "send") return;
    const text = "key" in operation ? operation.key : "prefix" in operation ? operation.prefix : "";
    for (const runner of world.runners) {
      const isTouched = kind === "delete" || (text.startsWith(PREFIX) && text.startsWith(runner.name, PREFIX.length));
      if (isTouched && runner.wakesAt === kind) runner.dueAt = world.universe.now();
    }
  });
  // Between HEAD and GET is where a swap hurts most.
  world.universe.watchers.push((operation) => {
    if (operation.kind !== "head" || world.isQuiet) return;
    const storage = world.attackers.find((name) => operation.key.startsWith(`${PREFIX}${name}/`));
    if (storage === undefined || world.attacksLeft === 0 || !random.chance(2 * world.attackRate)) return;
    world.attacksLeft -= 1;
    const name = FILE_NAMES.find((file) => operation.key === `${PREFIX}${storage}/${file}`);
    if (name) world.universe.upload("attacker", storage, name, validBody(random, name));
  });
  if (!changes.runners) drawFleet(world, instances);
  return world;
}

/** Worlds on EC2 have a chance of their own, so that all others stay as they are. Runs are a minute apart there, as are machines' ends. */
function drawInstances(seed: number): Random | undefined {
  const random = createRandom(seed ^ 0x5ca1ab1e);
  return random.chance(0.3) ? random : undefined;
}

/** The same name, of a machine as EC2 names them. */
function onInstance(name: string): string {
  return name.replace(/i-0(abc|def)$/, "i-0123456789abcd$1");
}

function drawFleet(world: World, instances: Random | undefined): void {
  const { random, runners, universe, queue, orphanAfterSeconds, period, runsOfWorker, areLate } = world;
  const count = queue ? random.integer(8, 20) : random.integer(1, 8);
  const names = new Set(Array.from({ length: count }, () => random.pick(HONEST_NAMES)));
  const withinMilliseconds = period * Math.max(...runsOfWorker);
  const uploadFailureRate = random.pick([0, 0, 0.1, 0.3]);
  for (const key of instances ? otherRecords(instances, universe.now()) : []) world.records.push({ at: 0, key });
  const machines = new Map<string, MachineLife>();
  const machineOf = (storage: string, chance: Random) => {
    const known = machines.get(storage);
    if (known) return known;
    const machine = drawMachineLife(chance, storage, universe.now(), withinMilliseconds);
    machines.set(storage, machine);
    world.records.push(...machine.records);
    return machine;
  };
  for (const drawn of names) {
    const name = instances ? onMachine(drawn) : drawn;
    const machine = instances && machineOf(withoutSlot(name), instances);
    const life = drawLife(random, name, withinMilliseconds, orphanAfterSeconds, areLate);
    const acts = live(life, name, universe.now);
    const rest = {
      uploadFailureRate,
      wakesAt: undefined,
      last: "stored",
      hasBegun: false,
      isDone: false,
    } as const;
    runners.push({ name, machine, life, acts, dueAt: universe.now(), ...rest });
  }
}

/** Runners on EC2, where most storages are named after a machine; slots are named after that of their storage. */
function onMachine(name: string): string {
  const first = withoutSlot(name);
  const index = HONEST_NAMES.indexOf(first);
  if (index < 2) return name;
  const isShort = index % 2 === 0 && !first.includes(":");
  const instance = isShort ? `i-0123456789abcde${index}0` : `AROAEXAMPLE:i-0123456789abcde${index}1`;
  return (first === "AROAEXAMPLE:i-0abc" ? onInstance(first) : instance) + name.slice(first.length);
}

/** A runner at the beginning of its life. */
export function bear(universe: Universe, name: string, life: Life, uploadFailureRate: number): Runner {
  const acts = live(life, name, universe.now);
  const rest = { wakesAt: undefined, last: "stored", hasBegun: false, isDone: false } as const;
  return { name, life, acts, uploadFailureRate, dueAt: universe.now(), ...rest };
}

function drawAttackers(random: Random): string[] {
  const count = random.pick([0, 1, 1, 2, 3]);
  return Array.from({ length: count }, () =>
    random.chance(0.2) ? random.pick(INVALID_STORAGE_NAMES) : random.pick(ATTACKER_NAMES),
  );
}

/** Knows of the jobs of honest runners what is so, and of others this and that. */
function githubOf(world: () => World): Github {
  return {
    job(storage) {
      const { random, runners } = world();
      const isHonest = runners.some(({ name }) => name === storage);
      if (random.chance(0.2)) return { unknown: random.pick(["rate-limited", "not-found", "job-not-found"]) };
      if (!isHonest && random.chance(0.5)) return { unknown: "job-not-found", isMismatch: true };
      return {
        ...(random.chance(0.8) && { queue_duration: random.integer(-2, 60) }),
        ...(random.chance(0.7) && { conclusion: random.pick(["success", "failure"]) }),
      };
    },
    alive() {
      const { runners } = world();
      return new Set(
        runners
          .filter(({ hasBegun, isDone }) => hasBegun && !isDone)
          .map(({ name }) => withoutSlot(name).split(":").at(-1) ?? name),
      );
    },
  };
}

/** Objects that are no business of this schedule's: another flavor, whose name begins alike, and a quarantine. */
function plantOtherFlavor({ s3 }: Universe): void {
  s3.putObject(BUCKET, `runners/${FLAVOR}-2/r-1/post-job-metrics.json`, { body: Buffer.from("{}") });
  s3.putObject(BUCKET, "quarantine/other/r-1/0/manifest.json", { body: Buffer.from("{}") });
}

/** Lets workers, runners and attackers act in turn until the workers have done their runs, and none is in progress. */
async function untilStill(world: World, runsOfWorker: readonly number[]): Promise<void> {
  const { universe, random, attackers, attackRate } = world;
  const areTogether = random.chance(0.5);
  const workers = runsOfWorker.map((runs, id) => ({
    id,
    runsLeft: runs,
    dueAt: universe.now() + (areTogether ? 0 : random.integer(0, world.period)),
    isBusy: false,
  }));
  for (;;) {
    await drained();
    if (!world.isQuiet && attackers.length > 0 && world.attacksLeft > 0 && random.chance(attackRate)) {
      world.attacksLeft -= 1;
      attack(universe, random, random.pick(attackers), world.config.maxObjectsPerRunner);
    }
    const now = universe.now();
    const isWaiting = workers.filter(({ isBusy, runsLeft }) => !isBusy && runsLeft > 0);
    const messages = world.queue?.messages ?? [];
    if (isWaiting.length === 0 && universe.runs.size === 0 && !(world.isQuiet && messages.length > 0)) return;
    if (!world.isQuiet && messages.length > 0 && random.chance(0.005)) world.queue?.purge();
    const choices: (() => Promise<void> | void)[] = [
      ...universe.pending
        .filter(({ notBefore }) => notBefore <= now)
        .map((pending) => () => takeTurn(universe, pending)),
      ...isWaiting.filter(({ dueAt }) => dueAt <= now).map((worker) => () => begin(worker)),
      ...world.runners.filter(({ isDone, dueAt }) => !isDone && dueAt <= now).map((runner) => () => act(world, runner)),
      ...world.records.filter(({ at }) => at <= now).map((record) => () => write(world, record)),
      ...messages.filter(({ dueAt }) => dueAt <= now).map((message) => () => void work(world, message)),
    ];
    const choice = choices[choices.length === 0 ? -1 : universe.director.choose(choices.length)];
    if (choice) await choice();
    else universe.advance(untilNext(world, isWaiting));
  }

  function begin(worker: (typeof workers)[number]): void {
    worker.isBusy = true;
    worker.runsLeft -= 1;
    worker.dueAt += world.period;
    void oneRun(world, worker.id).then(() => {
      worker.isBusy = false;
    });
  }
}

async function takeTurn(universe: Universe, pending: Universe["pending"][number]): Promise<void> {
  universe.pending.splice(universe.pending.indexOf(pending), 1);
  await pending.perform();
}

/** Milliseconds until somebody has something to do. */
function untilNext(
  { universe, runners, records, queue }: World,
  workers: readonly { readonly dueAt: number }[],
): number {
  const times = [
    ...universe.pending.map(({ notBefore }) => notBefore),
    ...workers.map(({ dueAt }) => dueAt),
    ...(queue?.messages ?? []).map(({ dueAt }) => dueAt),
    ...runners.filter(({ isDone }) => !isDone).map(({ dueAt }) => dueAt),
    ...[...universe.runs].map(({ deadline }) => deadline),
    ...records.map(({ at }) => at),
  ];
  return Math.max(1, Math.min(...times) - universe.now());
}

/** One worker with one message. If it dies or fails, SQS may give the message to another one; otherwise it is over. */
async function work(world: World, message: Message): Promise<void> {
  const { queue, random, universe } = world;
  if (!queue) return;
  queue.messages.splice(queue.messages.indexOf(message), 1);
  queue.inFlight += 1;
  const end = await oneRun(world, MESSAGE_WORKER, listingsOf(readWorkMessage(message.body)));
  queue.inFlight -= 1;
  if (end !== "done" && random.chance(0.5))
    queue.messages.push({ ...message, dueAt: universe.now() + random.integer(1_000, 60_000) });
}

/** Number of the worker of a message, in the history. */
const MESSAGE_WORKER = 100;

/** One run of the code under test. Resolves when it has ended or died; never rejects. */
async function oneRun(world: World, worker: number, given?: readonly StorageListing[]): Promise<string> {
  const { universe, random, config, pageSize, isQuiet } = world;
  const isBusInTrouble = !isQuiet && world.busIsFlaky && universe.runs.size === 0 && random.chance(0.5);
  const spare = isBusInTrouble ? deleteBusAfter(universe, random.pick([0, random.integer(1, 30)])) : () => {};
  world.runsBegun += 1;
  const deadline = universe.now() + (isQuiet ? LAMBDA_MILLISECONDS : world.deadlineMilliseconds);
  const { simulated, death } = createRun(universe, { id: world.runsBegun, worker, deadline, pageSize });
  const payload = given ? { flavor: FLAVOR, ...WORKER_FILTER } : payloadOf(world);
  const claims = given?.flatMap(({ objects }) => objects);
  const begins = { run: simulated.id, worker, payload, config, deadline, pageSize, isQuiet };
  universe.note({ type: "run-begins", ...begins, ...(claims && { given: claims }) });
  const ports = simulatedPorts(universe, simulated, world.github, world.queue);
  const ended = run(payload, { ...ports, config, runId: `run-${simulated.id}`, deadline }, given).then(
    (summary) => ({ end: "done" as const, summary }),
    (error: unknown) => ({ end: "rejected" as const, error }),
  );
  const end = await Promise.race([ended, death]);
  universe.note({ type: "run-ends", run: simulated.id, ...end });
  universe.runs.delete(simulated);
  spare();
  // A bus that is there again before the run has asked once more can't be told from one that always was.
  if (universe.runs.size === 0 && typeof universe.eventBridge.describeBus(BUS) !== "string") {
    universe.eventBridge.createBus(BUS);
    universe.note({ type: "bus", is: "created" });
  }
  return end.end;
}

/** Somebody deletes the bus, now or after so many operations; or does not, if the function that this gives is called before. */
function deleteBusAfter(universe: Universe, operations: number): () => void {
  let left = operations;
  function watch(): void {
    if (left-- > 0) return;
    spare();
    universe.eventBridge.deleteBus(BUS);
    universe.note({ type: "bus", is: "deleted" });
  }
  function spare(): void {
    const index = universe.watchers.indexOf(watch);
    if (index >= 0) universe.watchers.splice(index, 1);
  }
  universe.watchers.push(watch);
  if (operations === 0) watch();
  return spare;
}

function payloadOf({ isQuiet, knowsTheFleet, asksWhoIsAlive, runners, orphanAfterSeconds, random }: World): RunInput {
  const payload = { flavor: FLAVOR, include: false, orphanAfterSeconds };
  if (isQuiet) return payload;
  if (!knowsTheFleet) return asksWhoIsAlive ? { ...payload, githubRunners: "acme" } : payload;
  const areDone = runners.filter(({ isDone }) => isDone);
  const areAlive = runners.filter(({ isDone }) => !isDone);
  const include = random.chance(0.3);
  return { ...payload, include, runners: new Set((include ? areDone : areAlive).map(({ name }) => name)) };
}

/** The function that receives EC2's events records one. */
function write({ universe, records }: World, record: World["records"][number]): void {
  records.splice(records.indexOf(record), 1);
  universe.s3.putObject(BUCKET, record.key, { body: Buffer.alloc(0) });
  universe.note({ type: "recorded", key: record.key });
}

/** One act of a runner's, or all that it can do now: sometimes it is fast, and nobody comes between. */
function act(world: World, runner: Runner): void {
  const { universe, random } = world;
  const isFast = runner.life.isTorn || random.chance(0.3);
  const now = universe.now();
  const { diesAt = Number.POSITIVE_INFINITY, stopped } = runner.machine ?? {};
  if (now >= diesAt) {
    runner.isDone = true;
    return;
  }
  if (stopped && now >= stopped.from && now < stopped.to) {
    runner.dueAt = stopped.to;
    return;
  }
  do {
    const next = runner.acts.next(runner.last);
    if (next.done) {
      runner.isDone = true;
      if (next.value) universe.note({ type: "runner-finished", storage: runner.name });
      return;
    }
    if ("wait" in next.value) {
      runner.dueAt = universe.now() + next.value.wait;
      runner.wakesAt = next.value.wakesAt;
      if (isFast && next.value.wait === 0) continue;
      return;
    }
    runner.wakesAt = undefined;
    runner.hasBegun = true;
    runner.last = send(world, runner, next.value.send, next.value.body);
  } while (isFast);
}

function send(
  { universe, random, isQuiet }: World,
  runner: Runner,
  ...[name, body]: [string, Parameters<Universe["upload"]>[3]]
): SendResult {
  const fails = !isQuiet && random.chance(runner.uploadFailureRate);
  if (fails && random.chance(0.5)) {
    const key = `${PREFIX}${runner.name}/${name}`;
    universe.note({ type: "upload", by: "honest", storage: runner.name, key, outcome: "failed" });
    return "failed";
  }
  const outcome = universe.upload("honest", runner.name, name, body, { onlyIfAbsent: true });
  return fails || outcome === "removed" ? "failed" : outcome;
}

/** The runners that live on finish, with no run in between. */
async function finishLives(world: World): Promise<void> {
  for (const runner of world.runners) {
    while (!runner.isDone) {
      act(world, runner);
      world.universe.advance(Math.max(1, runner.dueAt - world.universe.now()));
    }
  }
}

/** Runs without faults until nothing is left, and one more; or until there have been more than it may take. */
async function converge(world: World): Promise<void> {
  const { universe, config } = world;
  universe.advance((world.orphanAfterSeconds + 2) * 1000);
  const sizes = new Map<string, number>();
  for (const { key } of universe.s3.objects(BUCKET, PREFIX)) {
    const storage = storageOf(key, PREFIX);
    sizes.set(storage, (sizes.get(storage) ?? 0) + 1);
  }
  // A flood goes by what one run sees of it. One beside the slots of a runner goes before them, and each of them may be a flood, too.
  const runsFor = (storage: string) => Math.ceil((sizes.get(storage) ?? 0) / config.maxObjectsPerRunner);
  const beside = (storage: string) => `${storage.split("~", 1)[0]}~`;
  const needed = [...sizes.keys()].map((storage) => {
    const isSlot = storage.includes("~") && storage !== beside(storage);
    return runsFor(storage) + (isSlot ? runsFor(beside(storage)) : 0);
  });
  const quietRunsMax = 1 + Math.max(1, ...needed);
  let quietRuns = 0;
  while (quietRuns < quietRunsMax && !isEmpty(universe)) {
    await untilStill(world, [1]);
    quietRuns += 1;
  }
  await untilStill(world, [1]);
  universe.note({ type: "end", quietRuns, quietRunsMax });
}

function isEmpty({ s3 }: Universe): boolean {
  return s3.objects(BUCKET, PREFIX).next().done === true;
}
