/** What must hold of any body and any key, and the loops that try very many. */

import assert from "node:assert/strict";
import { EVENT_SCHEMAS } from "../../contract/events.ts";
import { namesOf, QUARANTINE_REASONS } from "../../contract/reasons.ts";
import { FILES_TO_READ, type RunnerFileName } from "../../contract/runner-files.ts";
import { decodeKey } from "../../functions/aws/s3-answers.ts";
import { copySource } from "../../functions/aws/s3-object-store.ts";
import { issueEvents } from "../../functions/domain/issue-events.ts";
import { type MetricsFiles, runnerMetrics } from "../../functions/domain/runner-metrics.ts";
import { metricsOf } from "../../functions/extract-metrics/report.ts";
import { emptySummary, type Summary, violatedInvariants } from "../../functions/run/summary.ts";
import type { Random } from "../simulation/random.ts";
import { BUCKET, createWorld, FILES, NOW } from "../worlds/memory.ts";
import { fuzzedBody, MARK } from "./bodies.ts";
import { fuzzedName, fuzzedStorage } from "./keys.ts";

export interface BodiesReport {
  readonly bodies: number;
  readonly metrics: number;
  /** Reason -> how often. */
  readonly reasons: ReadonlyMap<string, number>;
  /** CPU time of the slowest of the 99 % fastest, and of the slowest of all. */
  readonly millisecondsP99: number;
  readonly millisecondsMax: number;
}

/** Reads `bodies` bodies by the rules, and throws at the first that gets out of hand. */
export function fuzzBodies(random: Random, bodies: number): BodiesReport {
  const prototypes = shapeOfPrototypes();
  const reasons = new Map<string, number>();
  const milliseconds = new Float64Array(bodies);
  let metrics = 0;
  for (let number = 0; number < bodies; number++) {
    const name = random.pick(FILES_TO_READ);
    const bytes = fuzzedBody(random, name);
    const began = process.threadCpuUsage();
    const reason = judge(name, bytes);
    const { user, system } = process.threadCpuUsage(began);
    milliseconds[number] = (user + system) / 1_000;
    if (reason === undefined) metrics += 1;
    else reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
    if (number % 10_000 === 0) assert.deepEqual(shapeOfPrototypes(), prototypes);
  }
  assert.deepEqual(shapeOfPrototypes(), prototypes);
  milliseconds.sort();
  const millisecondsP99 = milliseconds[Math.floor(bodies * 0.99)] ?? 0;
  return { bodies, metrics, reasons, millisecondsP99, millisecondsMax: milliseconds.at(-1) ?? 0 };
}

const REASONS: readonly string[] = namesOf(QUARANTINE_REASONS);

/** The reason why it is corrupt, or undefined; whatever it is, what comes of it must be of our making. */
export function judge(name: RunnerFileName, bytes: Uint8Array): string | undefined {
  const files: MetricsFiles = { ...VALID, [name]: { bytes, lastModified: NOW } };
  const found = runnerMetrics("r-1", files);
  if (found.kind === "incomplete" || found.kind === "leftover") return undefined;
  if (found.kind === "corrupt") {
    const { reason, problems = [] } = found;
    assert(REASONS.includes(reason) && problems.length <= 5);
    for (const problem of problems) assert.match(problem, /^[a-z_.]{1,40}: [a-z_]{1,40}$/);
    return reason;
  }
  for (const { detailType, detail } of issueEvents(found, "large")) {
    const json = JSON.stringify(detail);
    // Whatever a consumer parses is what was meant, and valid.
    const parsed = EVENT_SCHEMAS[detailType].parse(JSON.parse(json));
    assert.deepEqual(parsed, detail);
    assert(json.isWellFormed() && Buffer.byteLength(json) < 128 * 1024);
  }
  return undefined;
}

const VALID: MetricsFiles = Object.fromEntries(
  Object.entries(FILES).map(([name, text]) => [name, { bytes: Buffer.from(text), lastModified: NOW }]),
);

function shapeOfPrototypes(): string[] {
  return [Object, Array, String, Number, Function].flatMap(({ prototype }) => Reflect.ownKeys(prototype).map(String));
}

export interface KeysReport {
  readonly keys: number;
  readonly quarantined: number;
  readonly ignored: number;
  readonly runs: number;
}

const STORAGES_PER_RUN = 200;

/** Runs over storages with `keys` odd keys in all, beside an honest runner each time. */
export async function fuzzKeys(random: Random, keys: number): Promise<KeysReport> {
  const report = { keys: 0, quarantined: 0, ignored: 0, runs: 0 };
  while (report.keys < keys) {
    const world = createWorld();
    const uploaded = new Set<string>();
    for (let number = 0; number < STORAGES_PER_RUN; number++) {
      const storage = fuzzedStorage(random, number);
      const isTame = random.chance(0.4);
      for (let count = random.integer(1, 32); count > 0; count--) {
        const name = fuzzedName(random);
        const key = `runners/large/${storage}/${isTame ? tamed(name) : name}`;
        checkKey(key);
        world.s3.plant(BUCKET, key, oddObject(random));
        uploaded.add(key);
      }
      // Ready at once.
      const body = Buffer.from(isTame ? FILES["post-job-metrics.json"] : "{}");
      world.s3.putObject(BUCKET, `runners/large/${storage}/post-job-metrics.json`, { body });
    }
    world.upload("honest");
    report.keys += uploaded.size;
    const summary = await runUntilEmpty(world);
    report.runs += 1;
    report.quarantined += summary.quarantined;
    report.ignored += summary.extracted + summary.incomplete - 1;
    checkWorld(world, summary, uploaded);
  }
  return report;
}

/** A name that is odd, but sane. */
function tamed(name: string): string {
  return `~${name.replace(/[^ -.0-[\]-~]/gu, "").slice(0, 200)}`;
}

async function runUntilEmpty(world: ReturnType<typeof createWorld>): Promise<Summary> {
  const summary = await world.run();
  assert.equal(world.keys("runners/").length, 0, JSON.stringify(summary).slice(0, 1000));
  return summary;
}

/** Attributes that an uploader can choose. */
function oddObject(random: Random) {
  const text = random.pick(["", "x", MARK, "1700000000", "{}"]);
  return {
    body: Buffer.from(text),
    ...(random.chance(0.02) && { customerKey: true }),
    ...(random.chance(0.02) && { denied: true, kmsKeyId: `arn:aws:kms:us-east-1:1:key/${MARK}` }),
    ...(random.chance(0.02) && { storageClass: random.pick(["GLACIER", "DEEP_ARCHIVE", "INTELLIGENT_TIERING"]) }),
    ...(random.chance(0.1) && { headers: { "content-encoding": random.pick(["gzip", MARK]), expires: MARK } }),
  };
}

/** What the adapter makes of a key can be undone, and says nothing else. */
export function checkKey(key: string): void {
  // As S3 encodes a listing: https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html (EncodingType)
  const listed = encodeURIComponent(key).replaceAll("%20", "+").replaceAll("%2F", "/");
  assert.equal(decodeKey(listed), key);
  const source = copySource(BUCKET, key);
  assert.match(source, /^[\x21-\x7e]+$/);
  assert(!source.includes("?"));
  assert.equal(decodeURIComponent(source), `${BUCKET}/${key}`);
}

function checkWorld(world: ReturnType<typeof createWorld>, summary: Summary, uploaded: ReadonlySet<string>): void {
  assert.deepEqual(violatedInvariants(summary), []);
  assert.equal(world.eventsOf("honest").length, 3);
  checkSummary(summary);
  const manifests = manifestsIn(world);
  const recorded = new Set<string>();
  for (const { objects } of manifests) for (const { key } of objects) recorded.add(key);
  const copies = new Set(world.keys("quarantine/"));
  for (const copy of copies) assert.match(copy, /^[ -~]{1,1024}$/);
  for (const { objects } of manifests) {
    for (const { copied_to } of objects) assert(copied_to === undefined || copies.has(copied_to));
  }
  // What is not in a manifest had a sane name, in a storage with nothing but those.
  for (const key of uploaded)
    assert(recorded.has(key) || /^runners\/large\/[A-Za-z0-9._:-]{1,128}\/[ -.0-[\]-~]{0,255}$/.test(key));
  const bus = world.events();
  for (const { detailType, resources, detail } of bus) {
    const isOurs = detailType in EVENT_SCHEMAS && /^arn:aws:s3:::metrics\/[A-Za-z0-9._:/-]+\/$/.test(resources.join());
    assert(isOurs && !resources.join().includes(MARK));
    if (detailType === "MetricsQuarantined") assert(!JSON.stringify(detail).includes(MARK));
  }
}

/** Ours, not copies of what somebody has called so. */
function manifestsIn({ s3 }: ReturnType<typeof createWorld>): { objects: { key: string; copied_to?: string }[] }[] {
  return [...s3.objects(BUCKET, "quarantine/")]
    .filter(({ key }) => /^quarantine\/large\/[^/]+\/[^/]+\/manifest\.json$/.test(key))
    .map(({ body }) => JSON.parse(Buffer.from(body ?? []).toString()));
}

const EMPTY_SUMMARY = emptySummary("large");

/** A summary has one shape, whatever it tells: no text of a runner's but a valid name, and numbers of versions. */
export function checkSummary({ programs, ...summary }: Summary): void {
  assert.deepEqual(shape({ ...summary, programs: {} }), shape(EMPTY_SUMMARY));
  const names = Object.keys(programs);
  assert(names.length <= 11 && names.every((name) => /^(other|runner-metrics\/[0-9]+\.[0-9]+\.[0-9]+)$/.test(name)));
  const log = JSON.stringify({ ...summary, programs });
  assert(log.length < 12_000 && !log.includes(MARK));
  const metrics = metricsOf({ ...summary, programs }, 1).map(({ name }) => name);
  assert(metrics.every((name) => /^[A-Za-z]+(\.[A-Za-z-]+){0,2}$/.test(name)));
}

/** Names of all fields, but not what is in lists. */
function shape(value: unknown, path = ""): string[] {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return [path];
  return Object.entries(value).flatMap(([name, inner]) => shape(inner, `${path}.${name}`));
}
