/**
 * The guarantees, one function each, over a history: independent of the code under test. What each promises, and what it does
 * not, is said in docs/operate/guarantees.md.
 */
import { FILE_SIZE_BYTES_LIMIT } from "../../contract/runner-files.ts";
import type { EventEntry, ListedObject } from "../../functions/ports.ts";
import { violatedInvariants } from "../../functions/run/summary.ts";
import { FILE_NAMES, type FileName, MARK, POST, PRE, START } from "./bodies.ts";
import type { History, Meaning, Operation } from "./history.ts";
import { type KnownEnds, knownEnds } from "./instances.ts";
import { type ExpectedEvent, expectedEvents, isAsExpected, type Verdict, verdictOn } from "./oracle.ts";
import {
  BUCKET_ARN,
  ENDED,
  idOf,
  type Presence,
  type Reading,
  type RunRead,
  read,
  storageOf,
  storageOfEntry,
  withoutSlot,
} from "./reading.ts";

export const GUARANTEES = ["G1", "G2", "G3", "G4", "G5", "G6", "G7", "G8", "G9", "G10", "law"] as const;
export type Guarantee = (typeof GUARANTEES)[number];

export interface Violation {
  readonly guarantee: Guarantee;
  readonly step: number;
  readonly why: string;
}

export interface Checked {
  readonly violations: readonly Violation[];
  /** Events that were lost in the one way that is not promised against: see G1. */
  readonly residualLosses: number;
}

/** Objects of at most so many bytes are copied into the quarantine. */
const COPY_BYTES_MAX = 1024 * 1024;

export function check(history: History, flavorPrefix: string): Checked {
  const reading = read(history, flavorPrefix);
  const violations: Violation[] = [];
  const facts: Facts = {
    reading,
    verdicts: new Map(),
    violated: (guarantee, step, why) => violations.push({ guarantee, step, why }),
  };
  const residualLosses = noLoss(facts);
  order(facts);
  protocol(facts);
  noPhantom(facts);
  stableIds(facts);
  isolation(facts);
  evidence(facts);
  archive(facts);
  bounds(facts);
  convergence(facts);
  overlap(facts);
  handingOver(facts);
  trust(facts);
  accounting(facts);
  return { violations, residualLosses };
}

interface Facts {
  readonly reading: Reading;
  readonly verdicts: Map<string, Verdict>;
  violated(guarantee: Guarantee, step: number, why: string): void;
}

/**
 * G1. Whenever all files that an event takes are in place together, that event is delivered; and all events of a runner that
 * has finished are. Not promised: those of a runner that had been given up and whose files came together only after the second
 * look of a run at its storage and before that run's delete, or not at all, since two runs took them in turn.
 */
function noLoss({ reading, violated }: Facts): number {
  let residualLosses = 0;
  for (const storage of reading.honest) {
    const prefix = `${reading.flavorPrefix}${storage}/`;
    const files = new Map<FileName, Meaning & { readonly bytes: Uint8Array }>();
    for (const name of FILE_NAMES) {
      const presence = reading.presences.get(prefix + name)?.[0];
      const version = presence && reading.versionsOf(prefix + name, presence.etag)[0];
      if (version?.bytes) files.set(name, { ...version.meaning, bytes: version.bytes });
    }
    for (const { detailType, detail, madeFrom } of expectedEvents(storage, files, "large", {
      job: undefined,
      takenForDead: false,
    })) {
      if (reading.delivered.has(String(detail.event_id))) continue;
      const needed = [...madeFrom];
      const together = overlaps(needed.map((name) => reading.presences.get(prefix + name) ?? []));
      if (together.length === 0 && !reading.finished.has(storage)) continue;
      const lost = together.find((interval) => !isResidual(reading, storage, interval));
      if (lost) {
        const why = `its files were in place from step ${lost.from} to ${lost.to}`;
        violated("G1", lost.to, `${detailType} of ${storage} never came, though ${why}`);
      } else if (together.length === 0 && !wasTakenApart(reading, storage, needed)) {
        violated("G1", 0, `${detailType} of ${storage} never came, though its runner finished`);
      } else residualLosses += 1;
    }
  }
  return residualLosses;
}

/** Whether they came together only after the second look of the run that then took one of them had begun. */
function isResidual(reading: Reading, storage: string, { from, to, removedBy }: Interval): boolean {
  const look = lookBegan(reading, storage, removedBy, to);
  return look !== undefined && look < from && look > publishedAt(reading, storage, removedBy);
}

/** When a run had sent its last event of a storage before it deleted any of it: it has to look once more after that. */
function publishedAt(reading: Reading, storage: string, run: number | undefined): number {
  const { operations = [] } = (run !== undefined && reading.runs.get(run)) || {};
  const deleted = operations.find(
    (one) => one.kind === "delete" && one.objects.some(({ key }) => storageOf(key, reading.flavorPrefix) === storage),
  );
  const sent = operations.findLast(
    (one) =>
      one.kind === "put" &&
      one.step < (deleted?.step ?? 0) &&
      one.entries.some(({ resources }) => storageOfEntry(reading, resources) === storage),
  );
  return sent?.step ?? 0;
}

/** Whether they never came together because two runs took them: the second its last file, before the others came again. */
function wasTakenApart(reading: Reading, storage: string, needed: readonly FileName[]): boolean {
  const removals = needed.flatMap((name) => reading.presences.get(`${reading.flavorPrefix}${storage}/${name}`) ?? []);
  const removers = new Set(removals.map(({ removedBy }) => removedBy));
  const areLooked = [...removers].every((run) => lookBegan(reading, storage, run) !== undefined);
  return areLooked && removers.size > 1;
}

/** When a run began its last look at a storage before a step: it may take several pages. */
function lookBegan(reading: Reading, storage: string, run: number | undefined, before?: number): number | undefined {
  const looks = run === undefined ? undefined : reading.runs.get(run)?.looks.get(storage);
  return looks?.findLast((step) => step < (before ?? Number.POSITIVE_INFINITY));
}

interface Interval {
  readonly from: number;
  readonly to: number;
  readonly removedBy: number | undefined;
}

/** When all of them were there. */
function overlaps(lists: readonly (readonly Presence[])[]): Interval[] {
  let common: Interval[] = [{ from: 0, to: Number.POSITIVE_INFINITY, removedBy: undefined }];
  for (const list of lists) {
    common = common.flatMap((one) =>
      list.flatMap((two) => {
        const from = Math.max(one.from, two.from);
        const other = { to: two.to ?? Number.POSITIVE_INFINITY, removedBy: two.removedBy };
        const { to, removedBy } = other.to < one.to ? other : one;
        return from < to ? [{ from, to, removedBy }] : [];
      }),
    );
  }
  return common;
}

/** G2. A run deletes only what it has listed, was ready, and is acknowledged, or has a manifest and is known to be quarantined. */
function order(facts: Facts): void {
  const { reading, violated } = facts;
  for (const run of reading.runs.values()) {
    for (const operation of run.operations) {
      if (operation.kind !== "delete") continue;
      for (const { key, etag } of operation.removed) {
        const storage = storageOf(key, reading.flavorPrefix);
        const listing = run.listings.get(storage);
        const say = (why: string) =>
          violated("G2", operation.step, `run ${run.id} deleted ${JSON.stringify(key)} ${why}`);
        if (!key.startsWith(reading.flavorPrefix)) say("which is not its own to delete");
        else if (isLateStop(facts, run, storage, { key, etag }, operation)) continue;
        else if (listing?.get(key)?.etag !== etag) say("in a version that it had never listed");
        else if (isClaimOnly(run, storage, listing.get(key))) say("of which it has nothing but a message's word");
        else {
          const why = whyNotToDelete(facts, run, storage, listing, operation, key);
          if (why) say(why);
        }
      }
    }
  }
}

/** Whether a run with a message has neither listed the storage nor seen this version of a metrics file by HEAD. */
function isClaimOnly(run: RunRead, storage: string, object: ListedObject | undefined): boolean {
  if (!run.begins.given || run.relisted.has(storage) || !object) return false;
  const isMetricsFile = object.size > 0 && FILE_NAMES.some((name) => object.key.endsWith(`/${name}`));
  return isMetricsFile && !run.confirmed.has(`${object.key}\n${object.etag}`);
}

/**
 * Handing over: only what a run has listed so, is ready and has its post-job file; only after SQS has said that no message waits; and the
 * summary counts it.
 */
function handingOver(facts: Facts): void {
  const { reading, violated } = facts;
  for (const run of reading.runs.values()) {
    let mayHandOver = false;
    let handedOver = 0;
    for (const operation of run.operations) {
      if (operation.kind === "isEmpty" && operation.heard && operation.answer) mayHandOver = true;
      if (operation.kind !== "send") continue;
      const say = (why: string) => violated("G9", operation.step, `run ${run.id} handed over ${why}`);
      if (!mayHandOver) say("while messages waited");
      if (run.begins.given) say("what was handed to it");
      if (Buffer.byteLength(operation.body) > MESSAGE_BYTES_MAX) say("more than a message holds");
      const { storages } = JSON.parse(operation.body) as {
        storages: { name: string; objects: [string, number, string, number][] }[];
      };
      if (operation.heard) handedOver += storages.length;
      for (const { name, objects } of storages) {
        const prefix = `${reading.flavorPrefix}${name}/`;
        const listing = run.listings.get(name);
        const isAsListed =
          listing?.size === objects.length &&
          objects.every(([file, size, etag, time]) => {
            const listed = listing.get(prefix + file);
            return listed?.size === size && listed.etag === etag && listed.lastModified === time;
          });
        if (!isAsListed) say(`${name}, which it had not listed so`);
        else if (!has(listing, prefix + POST)) say(`${name}, which has no post-job file`);
        else if (!mayBeReady(run, listing, name, reading.flavorPrefix)) say(`${name}, which is not ready`);
        if (run.operations.some((one) => one !== operation && storagesTouched(reading, one).includes(name)))
          say(`${name}, which it did itself`);
      }
    }
    const { summary } = run.ends ?? {};
    if (summary && summary.handedOver !== handedOver)
      violated("law", run.ends?.step ?? 0, `run ${run.id}: counts ${summary.handedOver} of ${handedOver} handed over`);
  }
}

/** As SQS takes by default. */
const MESSAGE_BYTES_MAX = 262_144;

/**
 * The protocol behind G1 and G2. A storage without a complete job is listed again, and found as it was, before its events are sent and
 * before its files are deleted; after an orphan with a job it is looked whether its end came. The file that tells most goes after the
 * others are gone.
 */
function protocol(facts: Facts): void {
  const { reading, violated } = facts;
  for (const run of reading.runs.values()) {
    const deletedFirst = new Set<string>();
    for (const operation of run.operations) {
      const { step } = operation;
      for (const storage of storagesTouched(reading, operation)) {
        const listing = run.listings.get(storage);
        const prefix = `${reading.flavorPrefix}${storage}/`;
        if (!listing || (run.quarantined.get(storage)?.step ?? step) < step) continue;
        const has = (name: FileName) => (listing.get(prefix + name)?.size ?? 0) > 0;
        const isComplete = FILE_NAMES.every((name) => has(name) || (name === START && storage.includes("~")));
        const isRepeated = operation.kind === "delete" && deletedFirst.has(storage);
        if (operation.kind === "delete") deletedFirst.add(storage);
        const isLate = has(PRE) && !has(POST) && operation.kind === "put" && deletedFirst.has(storage);
        const isLook = operation.kind === "put" ? isIssued(operation, reading, storage) : operation.kind === "delete";
        const isLeftover = operation.kind === "delete" && verdictIn(facts, run, storage).isLeftover;
        if (!isLook || isRepeated || isLate || isComplete || isLeftover) continue;
        const seen = lookBefore(run, prefix, step);
        const isUnchanged =
          seen?.size === listing.size && [...listing.values()].every(({ key, etag }) => seen.get(key) === etag);
        if (!isUnchanged)
          violated("G2", step, `run ${run.id} did ${operation.kind} for ${storage}, which it had not seen unchanged`);
      }
      if (operation.kind !== "delete") continue;
      for (const { key } of operation.removed) {
        const storage = storageOf(key, reading.flavorPrefix);
        const listing = run.listings.get(storage);
        const prefix = `${reading.flavorPrefix}${storage}/`;
        const present = FILE_NAMES.filter((name) => (listing?.get(prefix + name)?.size ?? 0) > 0);
        const last = present.at(-1);
        const isOther = run.quarantined.has(storage) || verdictIn(facts, run, storage).isLeftover;
        if (!listing || last === undefined || key !== prefix + last || isOther) continue;
        const left = [...listing.keys()].find(
          (other) =>
            other !== key &&
            reading.presences.get(other)?.some(({ from, to }) => from < run.begins.step && (to ?? step + 1) > step),
        );
        if (left) violated("G2", step, `run ${run.id} deleted ${last} of ${storage} before ${JSON.stringify(left)}`);
        const hasLooked = run.operations.some((one) => one.kind === "list" && one.prefix === prefix + POST);
        const isOver = run.ends?.end === "done" && !run.faultsOn.has(storage) && run.acknowledged.size > 0;
        const isLost = has(listing, prefix + PRE) && !has(listing, prefix + POST) && !run.begins.payload.runners;
        if (isLost && isOver && !hasLooked)
          violated("G1", step, `run ${run.id} did not look for the end of ${storage}`);
      }
    }
  }
}

function has(listing: ReadonlyMap<string, ListedObject>, key: string): boolean {
  return (listing.get(key)?.size ?? 0) > 0;
}

/** Whether a call sends events of a storage other than that of its quarantine. */
function isIssued(operation: Operation & { kind: "put" }, reading: Reading, storage: string): boolean {
  return operation.entries.some(
    ({ detailType, resources }) =>
      detailType !== "MetricsQuarantined" && storageOfEntry(reading, resources) === storage,
  );
}

/** What a run's last look at a storage before a step showed, by key. */
function lookBefore(run: RunRead, prefix: string, before: number): Map<string, string> | undefined {
  let seen: Map<string, string> | undefined;
  for (const one of run.operations) {
    if (one.kind !== "list" || one.prefix !== prefix || !one.heard || one.step >= before) continue;
    if (one.isFirstPage || !seen) seen = new Map();
    for (const { key, etag } of one.answer ?? []) seen.set(key, etag);
  }
  return seen;
}

/** Whether it is the end of a job that came while its runner was deleted as lost, and whose Stop has been acknowledged. */
function isLateStop(
  facts: Facts,
  run: RunRead,
  storage: string,
  { key, etag }: { key: string; etag: string },
  { step }: Operation,
): boolean {
  if (key !== `${facts.reading.flavorPrefix}${storage}/${POST}` || run.listings.get(storage)?.has(key)) return false;
  const stop = lateStop(facts, run, storage, etag);
  const id = String(stop?.detail.event_id);
  const isDelivered = (run.acknowledged.get(id) ?? step) < step && (facts.reading.delivered.get(id) ?? step) < step;
  return isDelivered && isArchived(facts, run, id, step);
}

/** The Stop of a runner that a run listed without its end, with this version of it. */
function lateStop({ reading }: Facts, run: RunRead, storage: string, etag: string): ExpectedEvent | undefined {
  const { config, payload } = run.begins;
  const prefix = `${reading.flavorPrefix}${storage}/`;
  const [version] = reading.versionsOf(prefix + POST, etag);
  if (!version?.bytes) return undefined;
  const post = { key: prefix + POST, etag, size: version.bytes.length, lastModified: 0, storageClass: "STANDARD" };
  const limits = { ...config, flavor: payload.flavor, objectsMax: config.maxObjectsPerRunner + 1 };
  const objects = [...(run.listings.get(storage)?.values() ?? []), post];
  const { events } = verdictOn(storage, prefix, objects, reading.versionsOf, limits, {
    job: run.jobs.get(storage),
    takenForDead: false,
  });
  return events?.find(({ detailType }) => detailType === "RunnerStop");
}

function whyNotToDelete(
  facts: Facts,
  run: RunRead,
  storage: string,
  listing: ReadonlyMap<string, ListedObject>,
  { step }: Operation,
  key: string,
): string | undefined {
  const { reading } = facts;
  const quarantined = run.quarantined.get(storage);
  if (quarantined && quarantined.step < step) {
    const manifest = reading.manifests.get(quarantined.prefix);
    if (!manifest || manifest.step >= step) return "before its manifest was written";
    return isArchived(facts, run, quarantined.id, step) ? undefined : "before its MetricsQuarantined was archived";
  }
  const { events, isLeftover } = verdictIn(facts, run, storage);
  if (!events) return "though it is corrupt and not known to be quarantined";
  if (isLeftover && !key.endsWith(`/${POST}`)) return "though only its post-job file is a leftover";
  if (!mayBeReady(run, listing, storage, reading.flavorPrefix)) return "though its runner was not done";
  const missing = events.find(({ detail }) => !((run.acknowledged.get(String(detail.event_id)) ?? step) < step));
  if (missing) return `before its ${missing.detailType} was acknowledged`;
  const lost = events.find(({ detail }) => !((reading.delivered.get(String(detail.event_id)) ?? step) < step));
  if (lost) return `before its ${lost.detailType} was delivered`;
  const unarchived = events.find(({ detail }) => !isArchived(facts, run, String(detail.event_id), step));
  return unarchived && `before its ${unarchived.detailType} was archived`;
}

/** Whether an event was in the archive before a step, and its run knew it. */
function isArchived({ reading }: Facts, run: RunRead, id: string, step: number): boolean {
  return (run.archived.get(id) ?? step) < step && (reading.archived.get(id) ?? step) < step;
}

function verdictIn({ reading, verdicts }: Facts, run: RunRead, storage: string): Verdict {
  const cacheKey = `${run.id} ${storage}`;
  const cached = verdicts.get(cacheKey);
  if (cached) return cached;
  const { config, payload } = run.begins;
  const limits = { ...config, flavor: payload.flavor, objectsMax: config.maxObjectsPerRunner };
  const objects = [...(run.listings.get(storage)?.values() ?? [])];
  const prefix = `${reading.flavorPrefix}${storage}/`;
  const verdict = verdictOn(storage, prefix, objects, reading.versionsOf, limits, {
    job: run.jobs.get(storage),
    takenForDead: !payload.runners,
    death: endsKnownTo(run, storage).deathAfter(Math.max(0, ...objects.map(({ lastModified }) => lastModified))),
  });
  // Of an object that can't be read its version can't be told either: one that came after the listing counts.
  const cameUnreadable = reading.unreadable.some(
    ({ step, key }) => step > run.begins.step && run.listings.get(storage)?.has(key),
  );
  const all = cameUnreadable ? { ...verdict, reasons: new Set([...verdict.reasons, "unreadable-object"]) } : verdict;
  verdicts.set(cacheKey, all);
  return all;
}

/** What a run knows about the machine that a storage is named after. */
function endsKnownTo(run: RunRead, storage: string): KnownEnds {
  return knownEnds(run.ended, withoutSlot(storage));
}

/** A terminated machine is left alone for so long. */
const GONE_MILLISECONDS = 120_000;

type Readiness = "surely" | "surely not" | "perhaps" | "excluded";

function mayBeReady(
  run: RunRead,
  listing: ReadonlyMap<string, ListedObject>,
  storage: string,
  flavorPrefix: string,
): boolean {
  return !["surely not", "excluded"].includes(readiness(run, listing, storage, flavorPrefix));
}

function readiness(
  run: RunRead,
  listing: ReadonlyMap<string, ListedObject>,
  storage: string,
  flavorPrefix: string,
): Readiness {
  const { begins, ends, alive } = run;
  const { runners, include, orphanAfterSeconds } = begins.payload;
  const isEnded = (listing.get(`${flavorPrefix}${storage}/${POST}`)?.size ?? 0) > 0;
  const names = [storage, withoutSlot(storage), withoutSlot(storage).split(":").at(-1) ?? ""];
  if (runners) {
    if (!include && isEnded && storage.includes("~")) return "surely";
    return names.some((name) => runners.has(name)) === include ? "surely" : "excluded";
  }
  if (isEnded) return "surely";
  const goneAt = endsKnownTo(run, storage).terminatedAt + GONE_MILLISECONDS;
  if (goneAt <= begins.time - 1_000) return "surely";
  if (goneAt <= (ends?.time ?? Number.POSITIVE_INFINITY) && goneAt < Number.POSITIVE_INFINITY) return "perhaps";
  // GitHub's list is not used if uploads contradict it; a run that did not end does not say whether it did.
  const isDoubted = alive && ends?.summary?.runnersUnknown === "contradicted";
  const mayDoubt = alive && (isDoubted || !ends?.summary);
  if (alive && names.some((name) => alive.has(name))) return mayDoubt ? "perhaps" : "excluded";
  const newest = Math.max(0, ...[...listing.values()].map(({ lastModified }) => lastModified));
  const silentSecondsMax = alive ? Math.min(orphanAfterSeconds, 60 * 60) : orphanAfterSeconds;
  const orphanAt = newest + silentSecondsMax * 1000;
  if (mayDoubt && silentSecondsMax !== orphanAfterSeconds) return "perhaps";
  if (orphanAt < begins.time) return "surely";
  return ends && orphanAt > ends.time ? "surely not" : "perhaps";
}

const DETAIL_TYPES = [
  "RunnerInstalled",
  "RunnerStart",
  "RunnerStop",
  "RunnerLost",
  "RunnerInstallFailed",
  "RunnerNeverUsed",
  "MetricsQuarantined",
];

/** Whether a slot may not be listed, or not to its end, since its own runner has a flood behind its `~`. */
function isBehindOwnFlood({ listings, begins }: RunRead, storage: string): boolean {
  const flood = listings.get(`${withoutSlot(storage)}~`);
  return storage.includes("~") && (flood?.size ?? 0) > begins.config.maxObjectsPerRunner;
}

/** G3. Every event that a run sends is one that the files of its listing make, value for value. */
function noPhantom(facts: Facts): void {
  for (const run of facts.reading.runs.values()) {
    for (const operation of run.operations) {
      if (operation.kind !== "put") continue;
      for (const entry of operation.entries) {
        const why = whyPhantom(facts, run, entry, operation);
        if (why) facts.violated("G3", operation.step, `run ${run.id} sent ${entry.detailType} ${entry.detail}: ${why}`);
      }
    }
  }
}

function whyPhantom(facts: Facts, run: RunRead, entry: EventEntry, { step, time }: Operation): string | undefined {
  const { reading } = facts;
  const storage = storageOfEntry(reading, entry.resources);
  const listing = storage === undefined ? undefined : run.listings.get(storage);
  if (storage === undefined || !listing) return "of no storage that it had listed";
  if (entry.source !== "runner-metrics" || entry.resources.length !== 1) return "not of our form";
  const detail: Record<string, unknown> = JSON.parse(entry.detail);
  const { events, reasons } = verdictIn(facts, run, storage);
  if (entry.detailType !== "MetricsQuarantined") {
    if (entry.resources[0] !== `${BUCKET_ARN}${reading.flavorPrefix}${storage}/`) return "of another place";
    const late = entry.detailType === "RunnerStop" && !listing.has(`${reading.flavorPrefix}${storage}/${POST}`);
    const versions = late ? (reading.presences.get(`${reading.flavorPrefix}${storage}/${POST}`) ?? []) : [];
    const lateStops = versions.flatMap(({ etag }) => lateStop(facts, run, storage, etag) ?? []);
    const expected = [...(events ?? []), ...lateStops].find(
      (event) => event.detailType === entry.detailType && event.detail.event_id === detail.event_id,
    );
    if (!expected || !isAsExpected(expected, detail)) return "its files don't say so";
    const isInRun = !expected.since || isTimeOf(run, detail.timestamp, time);
    return isInRun ? undefined : "its time is not that of the run";
  }
  const prefix = String(detail.quarantine_prefix);
  const manifest = reading.manifests.get(prefix);
  if (!manifest || manifest.step > step) return "there is no manifest";
  if (!reasons.has(String(detail.reason))) return `admissible reasons are ${[...reasons].join(", ") || "none"}`;
  if (entry.resources[0] !== BUCKET_ARN + prefix) return "of another place";
  const objects = [...listing.values()];
  if (detail.objects !== objects.length || detail.bytes !== objects.reduce((sum, { size }) => sum + size, 0))
    return "miscounted";
  return isTimeOf(run, detail.timestamp, time) ? undefined : "its time is not that of the run";
}

/** Within the run, to the second. */
function isTimeOf({ begins }: RunRead, seconds: unknown, sentAt: number): boolean {
  return Number(seconds) * 1000 > begins.time - 1000 && Number(seconds) * 1000 <= sentAt + 1;
}

/** G4. An id is sent again only where a fault, an upload or another run explains it; same quarantine, same id, and no other. */
function stableIds({ reading, violated }: Facts): void {
  const first = new Map<string, { run: RunRead; step: number }>();
  const idOfPrefix = new Map<string, string>();
  for (const event of reading.history) {
    if (event.type !== "operation" || event.kind !== "put") continue;
    const run = reading.runs.get(event.run);
    if (!run) continue;
    for (const [index, { detail, detailType, resources }] of event.entries.entries()) {
      const id = idOf(detail);
      const storage = storageOfEntry(reading, resources) ?? "";
      const earlier = first.get(id);
      if (earlier && !isExplained(reading, storage, earlier.run, run, event.step)) {
        violated(
          "G4",
          event.step,
          `run ${run.id} sent ${detailType} of ${storage} again; acknowledged in step ${earlier.step}`,
        );
      }
      if (event.heard && event.answer?.[index] === "accepted") first.set(id, { run, step: event.step });
      if (detailType !== "MetricsQuarantined") continue;
      const prefix = String(resources[0]);
      if (idOfPrefix.has(prefix) && idOfPrefix.get(prefix) !== id)
        violated("G4", event.step, `another id for ${prefix}`);
      idOfPrefix.set(prefix, id);
    }
  }
  const prefixOfListing = new Map<string, string>();
  for (const [prefix, { storage, objects, step }] of reading.manifests) {
    const listing = `${storage}\n${objects
      .map(({ key, etag, last_modified }) => `${JSON.stringify(key)} ${etag} ${last_modified}`)
      .sort()
      .join("\n")}`;
    if (prefixOfListing.has(listing)) violated("G4", step, `the same objects are quarantined at ${prefix} once more`);
    prefixOfListing.set(listing, prefix);
  }
}

function isExplained(reading: Reading, storage: string, earlier: RunRead, later: RunRead, step: number): boolean {
  if (earlier === later) return false;
  const isDisturbed = earlier.faultsOn.has(storage) || earlier.ends?.end !== "done" || lostItsBus(earlier);
  const isChanged = reading.changes.get(storage)?.some((at) => at > earlier.begins.step && at < step) ?? false;
  // A run that overlapped the earlier one may have deleted files in part, so that the earlier one deferred the rest.
  return isDisturbed || isChanged || earlier.overlapping.size > 0 || areOverlapping(earlier, later);
}

/** Where a run is not told that the bus is still there, it can't rely on what that bus has acknowledged. */
function lostItsBus({ operations }: RunRead): boolean {
  return operations.some((operation) => operation.kind === "exists" && !(operation.heard && operation.answer === true));
}

function areOverlapping(one: RunRead, two: RunRead): boolean {
  return one.overlapping.has(two.id);
}

/**
 * G5. A run ends well unless the bus is missing; and what happens to one storage, by fault or by its owner, is nothing to the
 * others: those that are ready, untouched by faults and unchanged are done at the end of the run.
 */
function isolation(facts: Facts): void {
  const { reading, violated } = facts;
  const runs = [...reading.runs.values()];
  for (const run of runs) {
    const { begins, ends } = run;
    const hasBus = run.operations.some((one) => one.kind === "exists" && one.heard && one.answer === true);
    if (ends?.end === "rejected" && hasBus)
      violated("G5", ends.step, `run ${run.id} was stopped: ${String(ends.error)}`);
    if (ends?.end === "done" && !hasBus) violated("G5", ends.step, `run ${run.id} went on without a bus`);
    const isWhole = ends?.end === "done" && ends.summary?.stopped === "done" && !run.isListingDisturbed;
    // The list of ended instances took so long that no runner could be started any more.
    const isInTime = (ends?.summary?.deferralReasons.deadline ?? 0) === 0;
    const isCalm = isWhole && isInTime && ends.time < begins.deadline - CLEANING_MILLISECONDS && !lostItsBus(run);
    if (!isCalm || run.overlapping.size > 0) continue;
    for (const [storage, keys] of reading.keysOf) {
      if (begins.given && !isGivenTruly(reading, run, storage)) continue;
      if (run.handedOver.has(storage)) continue;
      const changes = reading.changes.get(storage) ?? [];
      if (run.faultsOn.has(storage) || changes.some((at) => at > begins.step && at < ends.step)) continue;
      const there = [...keys].filter((key) => isThere(reading.presences.get(key), begins.step));
      if (there.length === 0 || isBehindOwnFlood(run, storage)) continue;
      const listing = run.listings.get(storage);
      if (!listing) {
        violated("G5", ends.step, `run ${run.id} did not list ${JSON.stringify(storage)}`);
        continue;
      }
      if (verdictIn(facts, run, storage).isLeftover) continue;
      const ready = readiness(run, listing, storage, reading.flavorPrefix);
      const stays = [...listing.keys()].find((key) => isThere(reading.presences.get(key), ends.step));
      if (ready === "surely" && stays)
        violated("G5", ends.step, `run ${run.id} left ${JSON.stringify(stays)} behind, which was ready`);
    }
  }
}

/** Whether a run with a message has the storage in it, and the message is still true when it begins, or it has listed the storage itself. */
function isGivenTruly(reading: Reading, run: RunRead, storage: string): boolean {
  if (run.relisted.has(storage)) return true;
  const { begins, listings } = run;
  const claims = listings.get(storage);
  const there = [...(reading.keysOf.get(storage) ?? [])].flatMap((key) => {
    const presence = reading.presences
      .get(key)
      ?.find(({ from, to }) => from < begins.step && (to ?? begins.step) >= begins.step);
    return presence ? [{ key, etag: presence.etag }] : [];
  });
  return claims?.size === there.length && there.every(({ key, etag }) => claims.get(key)?.etag === etag);
}

function isThere(presences: readonly Presence[] | undefined, step: number): boolean {
  return presences?.some(({ from, to }) => from < step && !(to !== undefined && to < step)) ?? false;
}

/** G6. What was rejected is in the manifest, copied or with a good reason why not, and nothing in quarantine is ever replaced. */
function evidence(facts: Facts): void {
  const { reading, violated } = facts;
  const quarantine = new Map<string, string>();
  for (const event of reading.history) {
    if (event.type !== "operation") continue;
    if (event.kind === "putIfAbsent" && event.hasWritten) {
      if (!event.key.startsWith("quarantine/large/")) violated("G6", event.step, `${event.key} was written`);
      if (quarantine.has(event.key)) violated("G6", event.step, `${event.key} was written again`);
      quarantine.set(event.key, event.json);
    }
    if (event.kind === "copy" && event.wrote !== undefined) {
      const before = quarantine.get(event.to);
      if (!event.to.startsWith("quarantine/large/")) violated("G6", event.step, `a copy went to ${event.to}`);
      if (event.wrote !== event.from.etag) violated("G6", event.step, `${event.to} is not what was asked for`);
      if (before !== undefined && before !== event.wrote) violated("G6", event.step, `${event.to} was replaced`);
      quarantine.set(event.to, event.wrote);
    }
    if (event.kind === "delete") {
      const run = reading.runs.get(event.run);
      for (const { key, etag } of event.removed) {
        const why = run && whyNoEvidence(facts, run, key, etag, event.step, quarantine);
        if (why) violated("G6", event.step, `${JSON.stringify(key)} was deleted, and ${why}`);
      }
    }
  }
}

/** The archive. Each object has a name that was never used before, and holds what the bus has acknowledged to this run, and nothing else. */
function archive({ reading, violated }: Facts): void {
  const written = new Map<string, number>();
  for (const run of reading.runs.values()) {
    for (const operation of run.operations) {
      if (operation.kind !== "archive") continue;
      const { key, entries, step } = operation;
      const day = new Date(operation.askedAt).toISOString().slice(0, 10);
      if (!key.startsWith(`events/dt=${day}/flavor=${run.begins.payload.flavor}/`))
        violated("G6", step, `run ${run.id} archived at ${key}`);
      if (written.has(key)) violated("G6", step, `the archive name ${key} was used before`);
      written.set(key, step);
      for (const { detail } of entries) {
        if ((run.acknowledged.get(detail.event_id) ?? step) >= step)
          violated("G3", step, `run ${run.id} archived ${detail.event_id}, which it does not know to be on the bus`);
      }
    }
    const heard = run.operations.filter((one) => one.kind === "archive" && one.heard);
    const events = heard.reduce((sum, one) => sum + (one.kind === "archive" ? one.entries.length : 0), 0);
    const { summary } = run.ends ?? {};
    if (summary && (summary.archive.events !== events || summary.archive.objects !== heard.length))
      violated("law", run.ends?.step ?? 0, `run ${run.id}: counts ${summary.archive.events} of ${events} archived`);
  }
}

function whyNoEvidence(
  facts: Facts,
  run: RunRead,
  key: string,
  etag: string,
  step: number,
  quarantine: ReadonlyMap<string, string>,
): string | undefined {
  const { reading } = facts;
  const storage = storageOf(key, reading.flavorPrefix);
  const quarantined = run.quarantined.get(storage);
  if (!quarantined || quarantined.step > step) return undefined; // G2 sees to it
  const { reasons } = verdictIn(facts, run, storage);
  const manifest = reading.manifests.get(quarantined.prefix);
  if (reasons.size === 0) return "was quarantined though it is valid";
  if (!quarantine.has(`${quarantined.prefix}manifest.json`)) return "there is no manifest";
  const index = manifest?.objects.findIndex((object) => object.key === key && object.etag === etag) ?? -1;
  const object = manifest?.objects[index];
  if (!object) return "the manifest does not name it";
  if (object.copied_to !== undefined) {
    return quarantine.get(object.copied_to) === etag ? undefined : `its copy ${object.copied_to} is not there`;
  }
  const isUnreadable = reading.unreadable.some((upload) => upload.key === key);
  const isGoodReason =
    (object.not_copied === "too-large" && object.size > COPY_BYTES_MAX) ||
    (object.not_copied === "too-many" && index >= run.begins.config.maxObjectsPerRunner) ||
    (object.not_copied === "unreadable" && isUnreadable);
  return isGoodReason ? undefined : `was not copied for "${object.not_copied}"`;
}

/** How often an event is sent in one run, but for calls that were refused for good: then it is sent by itself. */
const ATTEMPTS_MAX = 5;
/** So long before its deadline a run sends nothing any more. */
const CLEANING_MILLISECONDS = 2_000;
/** So long before its deadline a run begins no runner any more. */
const FINISHING_MILLISECONDS = 10_000;
const ENDED_PAGES_MAX = 50;
const SUMMARY_CHARACTERS_MAX = 12_000;

/** G7. Requests, bytes, copies and log are bounded by what was listed and by the limits; who is not done costs nothing. */
function bounds(facts: Facts): void {
  const { reading, violated } = facts;
  for (const run of reading.runs.values()) {
    const { config, pageSize, deadline } = run.begins;
    const sent = new Map<string, number>();
    const begun = new Set<string>();
    const perStorage = new Map<string, number>();
    for (const operation of run.operations) {
      const say = (why: string) => violated("G7", operation.step, `run ${run.id}: ${why}`);
      if (operation.inFlight > inFlightMax(operation.kind, config.concurrency)) {
        say(`${operation.inFlight} times ${operation.kind} in flight`);
      }
      for (const storage of storagesTouched(reading, operation)) {
        const listing = run.listings.get(storage);
        const isTooLate = operation.askedAt >= deadline - FINISHING_MILLISECONDS;
        const isBeginning = operation.kind === "head" || operation.kind === "copy";
        if (isBeginning && isTooLate && !begun.has(storage)) say(`began ${storage} too late`);
        begun.add(storage);
        const cost = `${operation.kind} ${storage}`;
        const isPage = operation.fault === "empty-page" || operation.fault === "short-page";
        if (!isPage) perStorage.set(cost, (perStorage.get(cost) ?? 0) + 1);
        // What a message says is read once, and what the bucket says then a second time.
        const times = run.begins.given ? 2 : 1;
        const costMax = times * costMaxOf(operation.kind, config.maxObjectsPerRunner, listing?.size ?? 0);
        if ((perStorage.get(cost) ?? 0) > costMax) say(`more than ${costMax} times ${cost}`);
        const ready = listing && readiness(run, listing, storage, reading.flavorPrefix);
        const isSound = () => verdictIn(facts, run, storage).reasons.size === 0;
        if (ready === "excluded" || (ready === "surely not" && isSound())) say(`touched ${storage}, which is not done`);
      }
      if (operation.kind === "get" && operation.size > FILE_SIZE_BYTES_LIMIT) say(`read ${operation.size} bytes`);
      if (operation.kind === "get" && !FILE_NAMES.some((name) => operation.key.endsWith(`/${name}`)))
        say(`read ${operation.key}`);
      if (operation.kind === "put" && operation.askedAt > deadline - CLEANING_MILLISECONDS) say("sent too late");
      if (operation.kind === "put" && operation.entries.length > 10) say("more than 10 entries");
      for (const { detail } of operation.kind === "put" ? operation.entries : []) {
        const id = idOf(detail);
        if (operation.fault !== "invalid") sent.set(id, (sent.get(id) ?? 0) + 1);
        if ((sent.get(id) ?? 0) > ATTEMPTS_MAX) say(`sent ${id} more than ${ATTEMPTS_MAX} times`);
      }
      if (operation.kind === "copy") {
        const size =
          run.listings.get(storageOf(operation.from.key, reading.flavorPrefix))?.get(operation.from.key)?.size ?? 0;
        if (size > COPY_BYTES_MAX) say(`copied ${size} bytes`);
      }
    }
    const step = run.begins.step;
    const ended = run.operations.filter((one) => one.kind === "list" && one.prefix === ENDED);
    const first = ended.filter((one) => one.kind === "list" && one.isFirstPage && one.fault !== "empty-page");
    if (ended.length > (config.endedInstances ? ENDED_PAGES_MAX : 0) || first.length > 1)
      violated("G7", step, `run ${run.id} listed ended instances ${ended.length} times`);
    const isAllHeard = ended.every(({ heard }) => heard) && ended.length > 0 && ended.length < ENDED_PAGES_MAX;
    const unread = reading.history.find(
      (event) => event.type === "recorded" && event.step < (ended[0]?.step ?? 0) && !run.ended.has(event.key),
    );
    if (isAllHeard && run.ends?.end === "done" && run.ends.summary?.endedUnknown === undefined && unread)
      violated("G5", step, `run ${run.id} did not read all records of ended instances`);
    for (const [storage, { size }] of run.listings) {
      if (size > config.maxObjectsPerRunner + 2 * pageSize)
        violated("G7", step, `run ${run.id} listed ${size} objects of ${storage}`);
    }
    const length = run.ends?.summary ? JSON.stringify(run.ends.summary).length : 0;
    if (length > SUMMARY_CHARACTERS_MAX) violated("G7", step, `the summary of run ${run.id} has ${length} characters`);
  }
}

function storagesTouched(reading: Reading, operation: Operation): string[] {
  switch (operation.kind) {
    case "head":
    case "get":
      return [storageOf(operation.key, reading.flavorPrefix)];
    case "copy":
      return [storageOf(operation.from.key, reading.flavorPrefix)];
    case "list":
      return [reading.flavorPrefix, ENDED].includes(operation.prefix)
        ? []
        : [storageOf(operation.prefix, reading.flavorPrefix)];
    case "putIfAbsent":
      return [String((JSON.parse(operation.json) as { storage: unknown }).storage)];
    case "delete":
      return [...new Set(operation.objects.map(({ key }) => storageOf(key, reading.flavorPrefix)))];
    case "archive":
    case "put":
      return [...new Set(operation.entries.map(({ resources }) => storageOfEntry(reading, resources) ?? "?"))];
    case "jobs":
      return [operation.storage];
    case "exists":
    case "alive":
    case "isEmpty":
    case "send":
      return [];
  }
}

/** How many operations of a kind a run may wait for at a time. */
function inFlightMax(kind: Operation["kind"], concurrency: number): number {
  switch (kind) {
    case "head":
    case "get":
      return 4 * concurrency;
    case "copy":
    case "putIfAbsent":
    case "jobs":
      return concurrency;
    case "put":
      return 2 * (4 * 10 + concurrency); // batches; calls of each, entries of a call that was refused for good, late ends
    case "archive":
      return 2 * (1 + concurrency); // two batches, and late ends of each
    case "list":
      return 1 + 3 * concurrency; // looks, in each of two batches; and of workers that list again
    case "delete":
      return 2 * concurrency;
    case "exists":
      return 2 * (1 + concurrency);
    case "alive":
    case "isEmpty":
      return 1;
    case "send":
      return 2; // one of each batch
  }
}

/** How often an operation may concern one storage in one run. */
function costMaxOf(kind: Operation["kind"], objectsMax: number, listed: number): number {
  switch (kind) {
    case "get":
      return 5; // four files, and a late end
    case "head":
      return 5 + objectsMax; // a copy that is denied asks whose key it is
    case "copy":
      return objectsMax;
    case "putIfAbsent":
    case "jobs":
      return 1;
    case "archive":
      return 2; // its events, and a late end
    case "put":
      return 6 * ATTEMPTS_MAX;
    case "delete":
      return 4 + 2 * Math.ceil(listed / 1000); // two calls, and two for a late end
    case "list":
      return 3 + 3 * (objectsMax + 1); // three looks, page by page at worst
    case "exists":
    case "alive":
    case "isEmpty":
    case "send":
      return 1;
  }
}

/** G8. Once all is quiet, the prefix is empty after a bounded number of runs, and the run after those writes nothing. */
function convergence({ reading, violated }: Facts): void {
  const { end } = reading;
  if (!end) {
    violated("G8", reading.history.at(-1)?.step ?? 0, "the world did not come to its end");
    return;
  }
  for (const [key, presences] of reading.presences) {
    if (presences.at(-1)?.to !== undefined) continue;
    violated("G8", end.step, `${JSON.stringify(key)} is still there after ${end.quietRuns} quiet runs`);
  }
  const quiet = [...reading.runs.values()].filter(({ begins }) => begins.isQuiet);
  for (const run of quiet) {
    if (run.ends?.end !== "done")
      violated("G8", run.begins.step, `quiet run ${run.id} ended as ${run.ends?.end ?? "never"}`);
  }
  const last = quiet.at(-1);
  const kinds = last?.operations.map(({ kind }) => kind).join();
  if (kinds !== "exists,list") violated("G8", last?.begins.step ?? 0, `the run on an empty prefix did ${kinds}`);
}

/** G9. All of the above hold of runs that overlap; besides, a run that has ended does nothing more, but for a page that was on its way. */
function overlap({ reading, violated }: Facts): void {
  for (const run of reading.runs.values()) {
    const ended = run.ends?.step ?? Number.POSITIVE_INFINITY;
    for (const { step, kind } of run.operations) {
      if (step > ended && !["list", "head", "get"].includes(kind))
        violated("G9", step, `run ${run.id} had ended, and did ${kind}`);
    }
  }
}

/** G10. What an attacker writes reaches events as data, and manifests; but no log, no name of a thing, no path. */
function trust({ reading, violated }: Facts): void {
  for (const event of reading.history) {
    if (event.type === "run-ends" && JSON.stringify([event.summary, String(event.error)]).includes(MARK)) {
      violated("G10", event.step, "the summary holds an attacker's text");
    }
    if (event.type !== "operation" || event.kind !== "put") continue;
    for (const { source, detailType, resources, detail } of event.entries) {
      if (!DETAIL_TYPES.includes(detailType)) violated("G10", event.step, `DetailType ${detailType}`);
      const shown = [source, ...resources, detailType === "MetricsQuarantined" ? detail : ""].join();
      if (shown.includes(MARK)) violated("G10", event.step, `an attacker's text in ${shown}`);
    }
  }
}

/** The accounting law; and the summary tells what happened. */
function accounting({ reading, violated }: Facts): void {
  for (const run of reading.runs.values()) {
    const summary = run.ends?.summary;
    if (!summary) continue;
    const step = run.ends?.step ?? 0;
    const { extracted, incomplete, quarantined, excluded, notReady, deferred, vanished, handedOver } = summary;
    const outcomes = extracted + incomplete + quarantined + excluded + notReady + deferred + vanished + handedOver;
    if (summary.listed !== outcomes)
      violated("law", step, `run ${run.id}: ${summary.listed} listed, ${outcomes} outcomes`);
    if (summary.stopped === "done" && summary.listed !== run.listings.size) {
      violated("law", step, `run ${run.id}: ${summary.listed} listed, and ${run.listings.size} were there`);
    }
    // What watches over production must not cry wolf.
    for (const law of violatedInvariants(summary))
      violated("law", step, `run ${run.id}: says itself that it broke "${law}"`);
    const gone = [...run.listings].filter(([, listing]) => haveAllGone(reading, run, listing)).length;
    if (vanished > gone) violated("law", step, `run ${run.id}: ${vanished} vanished, and ${gone} had gone`);
    const told = Object.values(summary.events).reduce((sum, { accepted }) => sum + accepted, 0);
    if (told !== run.acknowledged.size)
      violated("law", step, `run ${run.id}: ${told} events, ${run.acknowledged.size} acknowledged`);
    const answers = run.operations.flatMap((operation) =>
      operation.kind === "delete" && operation.heard ? (operation.answer ?? []) : [],
    );
    const deleted = answers.filter((answer) => answer === "deleted").length;
    const late = lateStops(reading, run);
    const isUndisturbed = run.faultsOn.size === 0 && !lostItsBus(run) && run.overlapping.size === 0;
    if (summary.lostThenStopped > late || (isUndisturbed && summary.lostThenStopped < late))
      violated("law", step, `run ${run.id}: counts ${summary.lostThenStopped} of ${late} late stops`);
    if (deleted !== summary.objects.deleted)
      violated("law", step, `run ${run.id}: ${summary.objects.deleted} of ${deleted} deletes`);
  }
}

/** Stops that the run was told are on the bus, of runners that it had listed without one. */
function lateStops(reading: Reading, run: RunRead): number {
  const stops = run.operations.flatMap((operation) =>
    operation.kind === "put" && operation.heard
      ? operation.entries.filter(({ detailType, resources }, index) => {
          const storage = storageOfEntry(reading, resources) ?? "";
          const listing = run.listings.get(storage);
          const isLate =
            detailType === "RunnerStop" && !has(listing ?? new Map(), `${reading.flavorPrefix}${storage}/${POST}`);
          return isLate && operation.answer?.[index] === "accepted";
        })
      : [],
  );
  return new Set(stops.map(({ detail }) => idOf(detail))).size;
}

/** Whether each file of a listing that may be read was gone at some time in the run. */
function haveAllGone(reading: Reading, { begins, ends }: RunRead, listing: ReadonlyMap<string, ListedObject>): boolean {
  const end = ends?.step ?? Number.POSITIVE_INFINITY;
  return [...listing.values()].every(({ key, size }) => {
    if (size === 0 || !FILE_NAMES.some((name) => key.endsWith(`/${name}`))) return true;
    const presences = reading.presences.get(key) ?? [];
    const next = (to: number) => presences.find(({ from }) => from >= to)?.from ?? Number.POSITIVE_INFINITY;
    // What a message says may have gone before.
    const from = begins.given ? 0 : begins.step;
    return presences.some(({ to }) => to !== undefined && to > from && to < end && next(to) > to);
  });
}
