// biome-ignore-all lint/suspicious/noTemplateCurlyInString: pieces of source
/**
 * Planted bugs: what somebody might write by mistake, or has. Each is one replacement in one file of `functions/`. The simulator
 * must tell each from the real thing.
 */

export interface Mutant {
  readonly name: string;
  /** Under `functions/`. */
  readonly file: string;
  /** Occurs exactly once. */
  readonly find: string;
  readonly replace: string;
}

export const MUTANTS: readonly Mutant[] = [
  // The order of effects
  {
    name: "delete before publish",
    file: "settle.ts",
    find: "  const published = await publishEvents(batch, settling);",
    replace: "  await cleanUp(batch, settling);\n  const published = await publishEvents(batch, settling);",
  },
  {
    name: "delete while publishing",
    file: "settle.ts",
    find: "  await cleanUp(certain, settling);",
    replace: "  await cleanUp(batch, settling);",
  },
  {
    name: "no preflight",
    file: "run.ts",
    find: "if (!(await bus.exists())) {",
    replace: "if (!(await bus.exists()) && false) {",
  },
  {
    name: "no second look",
    file: "settle.ts",
    find: "return isCollected && !hasWholeJob(extraction.listing);",
    replace: "return isCollected && !hasWholeJob(extraction.listing) && false;",
  },
  {
    name: "second look only without a last file",
    file: "storage/select.ts",
    find: "return METRICS_FILE_NAMES.every((name) => hasFile(listing, name));",
    replace: "return METRICS_FILE_NAMES.length > 0 && hasPostJob(listing);",
  },
  {
    name: "second look at the first page only",
    file: "storage/list-all.ts",
    find: "    from = page.next;",
    replace: "    from = undefined;",
  },
  {
    name: "second look's failure is taken for no growth",
    file: "settle.ts",
    find: `  } catch (cause) {
    return deferral(cause);
  }`,
    replace: `  } catch (cause) {
    void deferral(cause);
    return extraction;
  }`,
  },
  {
    name: "the bus is not asked for again",
    file: "settle.ts",
    find: "const isBusThere = all.length === 0 || (await isStillThere(settling));",
    replace: "const isBusThere = all.length >= 0 || (await isStillThere(settling));",
  },
  {
    name: "no answer about the bus is a yes",
    file: "settle.ts",
    find: "    noteError(summary, cause);\n    return false;",
    replace: "    noteError(summary, cause);\n    return true;",
  },
  {
    name: "no second look without an installation's start",
    file: "storage/select.ts",
    find: "return METRICS_FILE_NAMES.every((name) => hasFile(listing, name));",
    replace: "return METRICS_FILE_NAMES.slice(1).every((name) => hasFile(listing, name));",
  },
  {
    name: "calls are begun until the deadline",
    file: "publish.ts",
    find: "if (options.clock.now() > options.deadline - CLEANING_MILLISECONDS)",
    replace: "if (options.clock.now() > options.deadline)",
  },
  {
    name: "nothing is grown: any second look sees what is known",
    file: "storage/list-all.ts",
    find: "if (page.objects.some(({ key, etag }) => !known.has(JSON.stringify([key, etag])))) return true;",
    replace:
      "if (page.objects.some(({ key, etag }) => key === etag && !known.has(JSON.stringify([key, etag])))) return true;",
  },

  // Publishing
  {
    name: "a failed entry is ignored",
    file: "settle.ts",
    find: "if (entries.length === 0 || (failed.length === 0 && isBusThere)) return extraction;",
    replace: "if (entries.length === 0 || (failed.length >= 0 && isBusThere)) return extraction;",
  },
  {
    name: "one accepted entry is enough",
    file: "settle.ts",
    find: "(failed.length === 0 && isBusThere)",
    replace: "(failed.length < entries.length && isBusThere)",
  },
  {
    name: "a failed call counts as accepted",
    file: "publish.ts",
    find: "return entries.map(() => ({ code: error.code, retryable: false }));",
    replace: `return entries.map(() => "accepted" as const);`,
  },
  {
    name: "results are taken from the wrong index",
    file: "publish.ts",
    find: "results.set(entry, outcome[index] ?? {",
    replace: "results.set(entry, outcome[outcome.length - 1 - index] ?? {",
  },
  {
    name: "a retry sends all entries again",
    file: "publish.ts",
    find: "    unsent = unsent.filter((entry) => isRetryable(results.get(entry)));",
    replace: "    unsent = unsent.some((entry) => isRetryable(results.get(entry))) ? call : [];",
  },
  {
    name: "a retry is endless",
    file: "publish.ts",
    find: "if (attempt === ATTEMPTS_MAX) break;",
    replace: "if (attempt === 50) break;",
  },
  {
    name: "eleven entries in a call",
    file: "publish.ts",
    find: "const ENTRIES_MAX = 10;",
    replace: "const ENTRIES_MAX = 11;",
  },
  {
    name: "a failed call stops the run",
    file: "publish.ts",
    find: "if (!(error instanceof ServiceError)) throw error;",
    replace: "throw error;",
  },
  {
    name: "the last call of a batch is forgotten",
    file: "publish.ts",
    find: "  if (call.length > 0) yield call;\n}",
    replace: "}",
  },

  // Events
  {
    name: "random ids",
    file: "metrics/events.ts",
    find: `return hash.digest("hex").slice(0, 32);`,
    replace: `return hash.update(String(process.hrtime.bigint())).digest("hex").slice(0, 32);`,
  },
  {
    name: "ids without the storage",
    file: "metrics/events.ts",
    find: "for (const part of [flavor, storage, event, ...content]) {",
    replace: "for (const part of [flavor, event, ...content]) {",
  },
  {
    name: "ids over the names of files, not their bytes",
    file: "metrics/issue-events.ts",
    find: "madeFrom.map((name) => files[name]?.bytes ?? new Uint8Array()),",
    replace: "madeFrom.map((name) => Buffer.from(name)),",
  },
  {
    name: "negative durations",
    file: "metrics/issue-events.ts",
    find: "if (clamped.length === 0) return seconds;",
    replace: "if (clamped.length >= 0) return seconds;",
  },
  {
    name: "no Stop event",
    file: "metrics/issue-events.ts",
    find: "if (preJob && postJob) {",
    replace: "if (preJob && postJob && !installationStartTimestamp) {",
  },
  {
    name: "an attacker's text as a resource",
    file: "settle.ts",
    find: `if (extraction.outcome === "quarantined") return extraction.quarantine.prefix;`,
    replace: "",
  },

  // Reading
  {
    name: "GET without If-Match",
    file: "storage/read.ts",
    find: "store.get({ key: object.key, etag: head.etag }, head.size)",
    replace: `store.get({ key: object.key, etag: "*" }, head.size)`,
  },
  {
    name: "HEAD's ETag is not compared with the listing's",
    file: "storage/read.ts",
    find: `if (found.etag !== object.etag) return "changed";`,
    replace: "",
  },
  {
    name: "size is not checked before GET",
    file: "storage/read.ts",
    find: `if (found.size > limits.fileSizeBytesLimit) return corrupt("file-too-large", name);`,
    replace: "",
  },
  {
    name: "a file that can't be had counts as empty",
    file: "storage/read.ts",
    find: `if (typeof bytes === "string") return bytes;`,
    replace: `if (typeof bytes === "string") return { name, file: { bytes: new Uint8Array(), lastModified: head.lastModified } };`,
  },
  {
    name: "a file that has gone counts as absent",
    file: "storage/read.ts",
    find: "  if (refusals.size === 0) return found;",
    replace: `  if (found.length > 0) refusals.delete("gone");
  if (refusals.size === 0) return found;`,
  },
  {
    name: "denied is taken for the uploader's doing",
    file: "storage/read.ts",
    find: `if (bytes === "denied" && isOutOfReach(head, limits)) return`,
    replace: `if (bytes === "denied") return`,
  },
  {
    name: "a changed file counts as vanished",
    file: "storage/read.ts",
    find: `const haveAllGone = found.length === 0 && !refusals.has("changed");`,
    replace: "const haveAllGone = true;",
  },
  {
    name: "files of any storage that begins alike",
    file: "storage/list-all.ts",
    find: "if (name !== open?.name) {",
    replace: "if (name === undefined || open === undefined || !name.startsWith(open.name)) {",
  },

  // Listing
  {
    name: "skipping past a flood eats its neighbour",
    file: "storage/list-all.ts",
    find: `return \`\${storagePrefix.slice(0, -1)}0\`;`,
    replace: `return \`\${storagePrefix.slice(0, -1)}z\`;`,
  },
  {
    name: "a flood is not skipped past",
    file: "storage/list-all.ts",
    find: "if (open && next && open.objects.length > objectsMax) {",
    replace: "if (open && next && open.objects.length > Number.MAX_SAFE_INTEGER) {",
  },
  {
    name: "a storage ends with its page",
    file: "storage/list-all.ts",
    find: "    if (open && next && open.objects.length > objectsMax) {",
    replace: `    if (open && next && open.objects.length <= objectsMax) {
      complete.push(open);
      open = undefined;
    } else if (open && next) {`,
  },
  {
    name: "the last storage is forgotten",
    file: "storage/list-all.ts",
    find: "  if (open) yield open;\n}",
    replace: "}",
  },
  {
    name: "an empty page ends the listing",
    file: "storage/list-all.ts",
    find: "    let next = page.next;",
    replace: "    let next = page.objects.length === 0 ? undefined : page.next;",
  },
  {
    name: "a cursor is kept between runs",
    file: "storage/list-all.ts",
    find: "  let ahead: Promise<ListPage> | undefined = fetchAhead(store, flavorPrefix);",
    replace: `  const kept = (globalThis as unknown as { cursor?: { store: unknown; after: string } }).cursor;
  let ahead: Promise<ListPage> | undefined = fetchAhead(store, flavorPrefix, kept && { after: kept.after });
  (globalThis as unknown as { cursor?: unknown }).cursor = undefined;
  ahead = ahead.then((page) => {
    const last = page.next && page.objects.at(-1);
    (globalThis as unknown as { cursor?: unknown }).cursor = last && { after: last.key };
    return page;
  });`,
  },
  {
    name: "a failed listing stops the run",
    file: "extract.ts",
    find: "    options.onListingFailed(cause);",
    replace: "    throw cause;",
  },

  // Selecting
  {
    name: "everybody is ready",
    file: "storage/select.ts",
    find: `return hasPostJob(listing) || isOrphan(listing, silentSeconds, now) ? "taken" : "notReady";`,
    replace: `return hasPostJob(listing) || isOrphan(listing, silentSeconds, now) ? "taken" : "taken";`,
  },
  {
    name: "an orphan is told by its oldest object",
    file: "storage/select.ts",
    find: "(latest, { lastModified }) => Math.max(latest, lastModified), 0)",
    replace: "(latest, { lastModified }) => (latest === 0 ? lastModified : Math.min(latest, lastModified)), 0)",
  },
  {
    name: "orphans are never collected",
    file: "storage/select.ts",
    find: "return now - newest > orphanAfterSeconds * 1000;",
    replace: "return now - newest > orphanAfterSeconds * 1000 * 1000;",
  },
  {
    name: "include and exclude are mixed up",
    file: "storage/select.ts",
    find: "=== filter.include ?",
    replace: "!== filter.include ?",
  },
  {
    name: "an empty last file counts",
    file: "storage/select.ts",
    find: "size > 0 && key === prefix + name",
    replace: "size >= 0 && key === prefix + name",
  },

  // Deleting
  {
    name: "unconditional delete",
    file: "storage/clean-up.ts",
    find: "await store.delete(objects.slice(from, from + DELETE_OBJECTS_MAX))",
    replace: `await store.delete(objects.slice(from, from + DELETE_OBJECTS_MAX).map(({ key }) => ({ key, etag: "*" })))`,
  },
  {
    name: "the first object of a batch stays",
    file: "storage/clean-up.ts",
    find: "for (let from = 0; from",
    replace: "for (let from = 1; from",
  },
  {
    name: "a failed delete stops the run",
    file: "settle.ts",
    find: "if (!(cause instanceof ServiceError)) throw cause;\n    summary.objects[",
    replace: "if (cause) throw cause;\n    summary.objects[",
  },
  {
    name: "a delete's results are not counted",
    file: "storage/clean-up.ts",
    find: "counts[result]++;",
    replace: `counts[result === "deleted" ? "gone" : result]++;`,
  },

  // Quarantine
  {
    name: "quarantine without a manifest",
    file: "storage/quarantine.ts",
    find: "  await store.putIfAbsent(`${prefix}manifest.json`, JSON.stringify(manifest));",
    replace: "  void manifest;",
  },
  {
    name: "a failed copy counts as a success",
    file: "storage/quarantine.ts",
    find: `if (result === "copied") return { copied_to: copy };`,
    replace: `if (result === "copied" || result === "denied") return { copied_to: copy };`,
  },
  {
    name: "a copy of another version",
    file: "storage/quarantine.ts",
    find: "const result = await store.copy(object, copy);",
    replace: `const result = await store.copy({ ...object, etag: "*" }, copy);`,
  },
  {
    name: "a changed object is recorded as unreadable",
    file: "storage/quarantine.ts",
    find: `if (fate === "gone" || fate === "changed") return { kind: "deferred", why: "changed" };`,
    replace: `if (fate === "gone" || fate === "changed") continue;`,
  },
  {
    name: "large objects are copied",
    file: "storage/quarantine.ts",
    find: `if (object.size > COPY_BYTES_MAX) return { not_copied: "too-large" };`,
    replace: "",
  },
  {
    name: "all of a flood is copied",
    file: "storage/quarantine.ts",
    find: `if (!mayCopy) return { not_copied: "too-many" };`,
    replace: "void mayCopy;",
  },
  {
    name: "a denied copy is thrown away as unreadable",
    file: "storage/quarantine.ts",
    find: `{ not_copied: "unreadable" } : "denied";`,
    replace: `{ not_copied: "unreadable" } : { not_copied: "unreadable" };`,
  },
  {
    name: "quarantine ids of keys alone",
    file: "storage/layout.ts",
    find: "JSON.stringify([key, etag, lastModified]))",
    replace: "JSON.stringify([key, etag.length, typeof lastModified]))",
  },
  {
    name: "quarantine ids that differ each time",
    file: "storage/layout.ts",
    find: `const id = sha256(versions.join("\\n")).slice(0, 32);`,
    replace: `const id = sha256(versions.join("\\n") + String(process.hrtime.bigint())).slice(0, 32);`,
  },
  {
    name: "an invalid storage name in the quarantine's keys",
    file: "storage/layout.ts",
    find: "return isStorageName(name) ? name : `invalid-${sha256(name).slice(0, 32)}`;",
    replace: "return name || `invalid-${sha256(name).slice(0, 32)}`;",
  },
  {
    name: "keys are not checked",
    file: "storage/layout.ts",
    find: `if (!listing.objects.every((object) => isFileKey(object, listing.prefix))) return "invalid-key";`,
    replace: "",
  },
  {
    name: "copies under the same name",
    file: "storage/layout.ts",
    find: ": `${quarantinePrefix}renamed/${sha256(key)}`;",
    replace: ": `${quarantinePrefix}renamed/object`;",
  },
  {
    name: "the quarantine is not made known",
    file: "settle.ts",
    find: "return [quarantineEvent(extraction.quarantine, flavor, now)];",
    replace: "return [];",
  },

  // The run
  {
    name: "one runner's failure is everybody's",
    file: "extract.ts",
    find: "    return deferral(cause);",
    replace: "    throw cause;",
  },
  {
    name: "the deadline is not looked at",
    file: "run.ts",
    find: "const isInTime = clock.now() < deadline - FINISHING_MILLISECONDS;",
    replace: "const isInTime = clock.now() < deadline + FINISHING_MILLISECONDS;",
  },
  {
    name: "the last batch is forgotten",
    file: "run.ts",
    find: "    weight += itsWeight;\n  }\n  yield batch;",
    replace: "    weight += itsWeight;\n  }\n  if (batch.length > 1) yield batch;",
  },
  {
    name: "an outcome is not counted",
    file: "summary.ts",
    find: "  summary[extraction.outcome]++;",
    replace: `  if (extraction.outcome !== "vanished") summary[extraction.outcome]++;`,
  },
  {
    name: "errors quote what they are about",
    file: "summary.ts",
    find: "    summary.quarantineReasons[reason]++;",
    replace:
      "    summary.quarantineReasons[reason]++;\n    noteError(summary, new Error(JSON.stringify(extraction.listing.objects)));",
  },
  {
    name: "more in progress than was configured",
    file: "concurrency.ts",
    find: "inProgress.size < concurrency",
    replace: "inProgress.size < concurrency + 100",
  },
];
