/**
 * A backlog that runs hand over to workers, in virtual time: the real runs and workers over a bucket, a bus and a queue that answer as fast,
 * and refuse as much, as AWS documents. The function's own CPU takes no time here: 3 runners in progress need a small part of one vCPU.
 */

import { readWorkMessage } from "../../contract/work-message.ts";
import { type PutEvents, publishEntries } from "../../functions/aws/publish-entries.ts";
import { type Clock, type EventBus, type ObjectStore, ServiceError, type WorkQueue } from "../../functions/ports.ts";
import { listingsOf } from "../../functions/run/hand-over.ts";
import { run, WORKER_FILTER } from "../../functions/run/run.ts";
import type { Summary } from "../../functions/run/summary.ts";
import { workerConcurrency, workersOfFlavor } from "../../infra/settings.ts";
import { createRandom } from "../simulation/random.ts";
import { CONFIG, EVERY_RUNNER, NOW } from "../worlds/memory.ts";
import { createVastBucket } from "./vast-bucket.ts";

/** Requests a second for one partitioned prefix. https://docs.aws.amazon.com/AmazonS3/latest/userguide/optimizing-performance.html */
const S3_READS = 5_500;
const S3_WRITES = 3_500;
/** Of PutEvents, in us-east-1, us-west-2 and eu-west-1: here it counts events. https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-quota.html */
const EVENTS = 10_000;
/** Lambda starts 5 workers at once, and adds 300 a minute. https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html */
const WORKERS_AT_ONCE = 5;
const WORKERS_ADDED_PER_SECOND = 5;

/** Milliseconds that an answer takes. S3 documents 100 to 200 for small objects, and is faster in its own region. */
const LATENCY = { s3: 100, deleteObjects: 500, events: 50, sqs: 20, start: 300, refusal: 10 } as const;
/** The SDK's attempts, and its longest first pause after a throttled one, in milliseconds; it doubles. */
const ATTEMPTS_MAX = 3;
const PAUSE_MILLISECONDS = 500;

export interface BacklogOptions {
  /** Of all flavors together, in equal parts. */
  readonly runners: number;
  /** Each has a prefix, a schedule and a queue of its own. */
  readonly flavors: number;
  /** Of the stack. 0: each run does all by itself. */
  readonly workers: number;
  /** Into how many parts S3 has partitioned a flavor's prefix. */
  readonly partitions: number;
  readonly everyMilliseconds: number;
  readonly timeoutMilliseconds: number;
}

export interface BacklogReport {
  /** Virtual seconds until nothing was left. */
  readonly seconds: number;
  /** Runners whose three events came, each once. */
  readonly runners: number;
  readonly again: number;
  readonly filesLeft: number;
  readonly runs: number;
  readonly workerRuns: number;
  readonly handedOver: number;
  readonly deferred: number;
  readonly archived: number;
  readonly throttled: number;
  /** CPU of this process, in seconds: of the functions and of what simulates AWS. */
  readonly cpuSeconds: number;
}

/** Plays until all prefixes are empty, at most for two hours. */
export async function collectWithWorkers(options: BacklogOptions): Promise<BacklogReport> {
  const time = createVirtualTime();
  const service = { time, random: createRandom(1), throttled: 0 };
  const limits = { archive: limiter(time, S3_WRITES), events: limiter(time, EVENTS) };
  const fleets = Array.from({ length: options.flavors }, (_, index) => {
    return createFleet(`flavor-${index}`, { ...options, runners: options.runners / options.flavors }, service, limits);
  });
  const cpu = process.cpuUsage();
  let nextRun = 0;
  while (fleets.some(({ bucket }) => bucket.filesLeft() > 0) && time.now() - NOW < 7_200_000) {
    const isDue = time.now() - NOW >= nextRun;
    if (isDue) nextRun += options.everyMilliseconds;
    for (const fleet of fleets) {
      if (isDue && fleet.bucket.filesLeft() > 0) void fleet.scheduled();
      fleet.startWorkers();
    }
    await time.advance(1_000);
  }
  const { user, system } = process.cpuUsage(cpu);
  const sum = (of: (fleet: Fleet) => number) => fleets.reduce((total, fleet) => total + of(fleet), 0);
  return {
    seconds: (time.now() - NOW) / 1_000,
    runners: sum(({ bucket }) => bucket.events.once) / 3,
    again: sum(({ bucket }) => bucket.events.again),
    filesLeft: sum(({ bucket }) => bucket.filesLeft()),
    runs: sum(({ counts }) => counts.runs),
    workerRuns: sum(({ counts }) => counts.workerRuns),
    handedOver: sum(({ counts }) => counts.handedOver),
    deferred: sum(({ counts }) => counts.deferred),
    archived: sum(({ counts }) => counts.archived),
    throttled: service.throttled,
    cpuSeconds: (user + system) / 1e6,
  };
}

type Fleet = ReturnType<typeof createFleet>;

/** What all flavors share. Each says whether it accepts so many more now. */
interface Limits {
  readonly archive: (by?: number) => boolean;
  readonly events: (by?: number) => boolean;
}

/** The runners of one flavor, its schedule, and its workers. */
function createFleet(flavor: string, options: BacklogOptions, service: Service, limits: Limits) {
  const { time } = service;
  const bucket = createVastBucket({ flavor, junk: 0, runners: options.runners });
  const aws = {
    store: pacedStore(bucket.store, service, limits, options),
    bus: pacedBus(bucket.bus, service, limits),
    clock: time.clock,
  };
  const counts = { runs: 0, workerRuns: 0, handedOver: 0, deferred: 0, archived: 0 };
  const workers = workersOfFlavor(options.workers, options.flavors);
  const messages: string[] = [];
  let active = 0;
  let firstMessageAt = 0;

  const queue: WorkQueue = {
    async isEmpty() {
      await time.wait(LATENCY.sqs);
      return messages.length + active === 0;
    },
    async send(body) {
      await time.wait(LATENCY.sqs);
      if (messages.length + active === 0) firstMessageAt = time.now();
      messages.push(body);
      startWorkers();
    },
  };

  function startWorkers(): void {
    const grown = WORKERS_AT_ONCE + ((time.now() - firstMessageAt) / 1_000) * WORKERS_ADDED_PER_SECOND;
    while (messages.length > 0 && active < Math.min(workers, grown)) void work(messages.shift() ?? "");
  }

  async function work(body: string): Promise<void> {
    active += 1;
    await time.wait(LATENCY.start);
    const concurrency = workerConcurrency(workers, 32);
    const message = readWorkMessage(body);
    const input = { ...WORKER_FILTER, flavor: message.flavor };
    count(
      await run(input, { ...aws, ...invocation(`worker-${counts.workerRuns++}`, concurrency) }, listingsOf(message)),
    );
    active -= 1;
    startWorkers();
  }

  async function scheduled(): Promise<void> {
    await time.wait(LATENCY.start);
    const withQueue = workers > 0 ? { queue } : {};
    count(await run({ ...EVERY_RUNNER, flavor }, { ...aws, ...withQueue, ...invocation(`run-${counts.runs++}`, 32) }));
  }

  function invocation(runId: string, concurrency: number) {
    return { runId, config: { ...CONFIG, concurrency }, deadline: time.now() + options.timeoutMilliseconds };
  }

  function count({ handedOver, deferred, archive }: Summary): void {
    counts.handedOver += handedOver;
    counts.deferred += deferred;
    counts.archived += archive.events;
  }

  return { bucket, counts, scheduled, startWorkers };
}

interface VirtualTime {
  readonly clock: Clock;
  now(): number;
  wait(milliseconds: number): Promise<void>;
  /** Lets this time pass, and everything happen that is due in it. */
  advance(milliseconds: number): Promise<void>;
}

function createVirtualTime(): VirtualTime {
  let now = NOW;
  const due = new Map<number, (() => void)[]>();
  const wait = (milliseconds: number) =>
    new Promise<void>((resolve) => {
      const at = now + Math.max(1, Math.round(milliseconds));
      const others = due.get(at);
      if (others) others.push(resolve);
      else due.set(at, [resolve]);
    });
  return {
    clock: { now: () => now, sleep: wait },
    now: () => now,
    wait,
    async advance(milliseconds) {
      for (const end = now + milliseconds; now < end; ) {
        now += 1;
        const waiting = due.get(now);
        if (!waiting) continue;
        due.delete(now);
        for (const resolve of waiting) resolve();
        // Everything that follows from it without waiting.
        await new Promise((resolve) => setImmediate(resolve));
      }
    },
  };
}

interface Service {
  readonly time: VirtualTime;
  readonly random: ReturnType<typeof createRandom>;
  throttled: number;
}

/** A service that accepts so many a second, counted in tenths of a second. */
function limiter(time: VirtualTime, perSecond: number) {
  let window = 0;
  let accepted = 0;
  return (by = 1) => {
    const current = Math.floor(time.now() / 100);
    if (current !== window) accepted = 0;
    window = current;
    if (accepted + by > perSecond / 10) return false;
    accepted += by;
    return true;
  };
}

/** A request as the SDK makes it: tried again when it is throttled, after a pause of random length. */
async function request<Answer>(
  service: Service,
  { accepts, latency }: { accepts: () => boolean; latency: number },
  act: () => Promise<Answer>,
): Promise<Answer> {
  for (let attempt = 1; ; attempt++) {
    if (accepts()) {
      await service.time.wait(latency);
      return act();
    }
    service.throttled += 1;
    await service.time.wait(LATENCY.refusal);
    if (attempt === ATTEMPTS_MAX) throw new ServiceError("SlowDown", "SlowDown (HTTP 503)", { retryable: true });
    await service.time.wait(service.random.next() * PAUSE_MILLISECONDS * 2 ** (attempt - 1));
  }
}

function pacedStore(
  store: ObjectStore,
  service: Service,
  { archive }: Limits,
  { runners, partitions }: BacklogOptions,
): ObjectStore {
  const { time } = service;
  const reads = Array.from({ length: partitions }, () => limiter(time, S3_READS));
  const writes = Array.from({ length: partitions }, () => limiter(time, S3_WRITES));
  /** S3 partitions by ranges of keys. */
  const partitionOf = (key: string) => Math.floor((Number(key.split("/")[2]?.slice(2)) * partitions) / runners) || 0;
  /** The partition of the page's first key: a token of the bucket here is the number of an object. */
  const listing = (from: Parameters<ObjectStore["list"]>[1]) => {
    const first = from && "token" in from ? Math.floor((Number(from.token) * partitions) / (4 * runners)) : 0;
    return { accepts: () => reads[first]?.() ?? true, latency: LATENCY.s3 };
  };
  const reading = (key: string) => ({ accepts: () => reads[partitionOf(key)]?.() ?? true, latency: LATENCY.s3 });
  return {
    list: (prefix, from) => request(service, listing(from), () => store.list(prefix, from)),
    head: (key) => request(service, reading(key), () => store.head(key)),
    get: (object, size) => request(service, reading(object.key), () => store.get(object, size)),
    putIfAbsent: (key, body) =>
      // Another prefix: `events/`.
      request(service, { accepts: archive, latency: LATENCY.s3 }, () => store.putIfAbsent(key, body)),
    copy: store.copy,
    // One request, as documented, however many keys it has.
    delete: (objects) => {
      const accepts = () => writes[partitionOf(objects[0]?.key ?? "")]?.() ?? true;
      return request(service, { accepts, latency: LATENCY.deleteObjects }, () => store.delete(objects));
    },
  };
}

function pacedBus(bus: EventBus, service: Service, { events }: Limits): EventBus {
  const putEvents: PutEvents = (entries) =>
    request(service, { accepts: () => events(entries.length), latency: LATENCY.events }, async () => {
      await bus.publish(entries, Number.POSITIVE_INFINITY);
      return entries.map(() => "accepted" as const);
    });
  return {
    exists: () => request(service, { accepts: () => true, latency: LATENCY.events }, () => bus.exists()),
    publish: (entries, deadline) => publishEntries(putEvents, entries, service.time.clock, deadline),
  };
}
