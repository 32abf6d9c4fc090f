// biome-ignore-all lint/suspicious/noTemplateCurlyInString: pieces of source
/**
 * Planted bugs: what somebody might write by mistake, or has. Each is one replacement in one file. The simulator
 * must tell each from the real thing.
 */

export interface Mutant {
  readonly name: string;
  /** From the project's root. */
  readonly file: string;
  /** Occurs exactly once. */
  readonly find: string;
  readonly replace: string;
}

export const MUTANTS: readonly Mutant[] = [
  // The order of effects
  {
    name: "delete before publish",
    file: "functions/run/publish-and-delete.ts",
    find: "  const published = await publish(await deferChanged(batch, context), context);",
    replace: `  await deleteRunners(batch, context);
  const published = await publish(await deferChanged(batch, context), context);`,
  },
  {
    name: "delete while publishing",
    file: "functions/run/publish-and-delete.ts",
    find: "    await deleteRunners(certain, context),",
    replace: "    await deleteRunners(batch, context),",
  },
  {
    name: "archive after delete",
    file: "functions/run/publish-and-delete.ts",
    find: "    await context.archive.store(acknowledged);",
    replace: "    setTimeout(() => void context.archive.store(acknowledged).catch(() => {}));",
  },
  {
    name: "an archive that failed does not matter",
    file: "functions/run/publish-and-delete.ts",
    find: "    return { ...published, answers, archived: [{ events, isStored: false }], errors: [...published.errors, cause] };",
    replace:
      "    return { ...published, archived: [{ events, isStored: false }], errors: [...published.errors, cause] };",
  },
  {
    name: "archive before the bus has acknowledged",
    file: "functions/run/publish-and-delete.ts",
    find: `  const acknowledged = entries.filter((_, index) => published.answers[index] === "accepted");`,
    replace: "  const acknowledged = entries;",
  },
  {
    name: "archive name reused in a run",
    file: "functions/run/archive.ts",
    find: "archiveKey(time, flavor, runId, number++)",
    replace: "archiveKey(time, flavor, runId, number)",
  },
  {
    name: "archive name reused by runs",
    file: "functions/run/archive.ts",
    find: "archiveKey(time, flavor, runId, number++)",
    replace: 'archiveKey(time, flavor, "run", number++)',
  },
  {
    name: "no preflight",
    file: "functions/run/run.ts",
    find: "if (!(await busExists(bus, dependencies))) throw",
    replace: "if (!(await busExists(bus, dependencies)) && false) throw",
  },
  {
    name: "no second look",
    file: "functions/run/publish-and-delete.ts",
    find: "const finish = async (result: RunnerResult) => finishUncertain(await deferIfChanged(result, context), context);",
    replace: "const finish = async (result: RunnerResult) => finishUncertain(result, context);",
  },
  {
    name: "second look only without a last file",
    file: "functions/storage/storage-listing.ts",
    find: "return complete.every((file) => files[file]);",
    replace: "return complete.length > 0 && hasEnded({ files } as StorageListing);",
  },
  {
    name: "second look at the first page only",
    file: "functions/storage/list-all.ts",
    find: "    from = page.next;",
    replace: "    from = undefined;",
  },
  {
    name: "second look's failure is taken for no growth",
    file: "functions/run/publish-and-delete.ts",
    find: `  } catch (cause) {
    return deferral(cause);
  }`,
    replace: `  } catch (cause) {
    void deferral(cause);
    return result;
  }`,
  },
  {
    name: "the bus is not asked for again",
    file: "functions/run/publish-and-delete.ts",
    find: "const doubt = await doubtAboutBus(bus, config.eventBusName);",
    replace: "const doubt = entries.length >= 0 ? undefined : await doubtAboutBus(bus, config.eventBusName);",
  },
  {
    name: "no answer about the bus is a yes",
    file: "functions/run/publish-and-delete.ts",
    find: `    return cause;
  }
}`,
    replace: `    return undefined;
  }
}`,
  },
  {
    name: "no second look without an installation's start",
    file: "functions/storage/storage-listing.ts",
    find: "return complete.every((file) => files[file]);",
    replace: "return complete.slice(1).every((file) => files[file]);",
  },
  {
    name: "calls are begun until the deadline",
    file: "functions/aws/publish-entries.ts",
    find: "if (clock.now() > deadline - CLEAN_UP_MILLISECONDS)",
    replace: "if (clock.now() > deadline)",
  },
  {
    name: "nothing is grown: any second look sees what is known",
    file: "functions/storage/list-all.ts",
    find: `if (page.objects.some(({ key, etag }) => !known.has(JSON.stringify([key, etag])))) return true;`,
    replace: `if (page.objects.some(({ key, etag }) => key === etag && !known.has(JSON.stringify([key, etag])))) return true;`,
  },

  // Publishing
  {
    name: "a failed entry is ignored",
    file: "functions/run/publish-and-delete.ts",
    find: "    if (failed.length === 0) return runner;",
    replace: "    if (failed.length >= 0) return runner;",
  },
  {
    name: "one accepted entry is enough",
    file: "functions/run/publish-and-delete.ts",
    find: "    if (failed.length === 0) return runner;",
    replace: "    if (failed.length < events.length || events.length === 0) return runner;",
  },
  {
    name: "a failed call counts as accepted",
    file: "functions/aws/publish-entries.ts",
    find: "return entries.map(() => ({ code: error.code, retryable: false }));",
    replace: `return entries.map(() => "accepted" as const);`,
  },
  {
    name: "results are taken from the wrong index",
    file: "functions/aws/publish-entries.ts",
    find: "results.set(entry, answer[index] ?? MISSING_RESULT);",
    replace: "results.set(entry, answer[answer.length - 1 - index] ?? MISSING_RESULT);",
  },
  {
    name: "a retry sends all entries again",
    file: "functions/aws/publish-entries.ts",
    find: "    unsent = unsent.filter((entry) => isRetryable(results.get(entry)));",
    replace: "    unsent = unsent.some((entry) => isRetryable(results.get(entry))) ? call : [];",
  },
  {
    name: "a retry is endless",
    file: "functions/aws/publish-entries.ts",
    find: "if (attempt === ATTEMPTS_MAX) break;",
    replace: "if (attempt === 50) break;",
  },
  {
    name: "eleven entries in a call",
    file: "functions/aws/publish-entries.ts",
    find: "const ENTRIES_MAX = 10;",
    replace: "const ENTRIES_MAX = 11;",
  },
  {
    name: "a failed call stops the run",
    file: "functions/aws/publish-entries.ts",
    find: "if (!(error instanceof ServiceError)) throw error;",
    replace: "throw error;",
  },
  {
    name: "the last call of a batch is forgotten",
    file: "functions/aws/publish-entries.ts",
    find: "  if (call.length > 0) yield call;\n}",
    replace: "}",
  },

  // Events
  {
    name: "random ids",
    file: "contract/events.ts",
    find: `return hash.digest("hex").slice(0, 32);`,
    replace: `return hash.update(String(process.hrtime.bigint())).digest("hex").slice(0, 32);`,
  },
  {
    name: "ids without the storage",
    file: "contract/events.ts",
    find: "for (const part of [flavor, storage, event, ...content]) {",
    replace: "for (const part of [flavor, event, ...content]) {",
  },
  {
    name: "ids over the names of files, not their bytes",
    file: "functions/domain/issue-events.ts",
    find: "madeFrom.map((name) => files[name]?.bytes ?? new Uint8Array()),",
    replace: "madeFrom.map((name) => Buffer.from(name)),",
  },
  {
    name: "negative durations",
    file: "functions/domain/issue-events.ts",
    find: "(value > DURATION_SECONDS_MAX ? [] : [[name, Math.max(value, 0)]])",
    replace: "(value > DURATION_SECONDS_MAX ? [] : [[name, value]])",
  },
  {
    name: "no Stop event",
    file: "functions/domain/issue-events.ts",
    find: "if (!preJob || !postJob) return [];",
    replace: "if (!preJob || !postJob || metrics.installationStartTimestamp) return [];",
  },
  {
    name: "an attacker's text as a resource",
    file: "functions/run/publish-and-delete.ts",
    find: `if (result.outcome === "quarantined") return result.quarantine.prefix;`,
    replace: "",
  },

  // Reading
  {
    name: "GET without If-Match",
    file: "functions/storage/read.ts",
    find: "store.get({ key: object.key, etag: head.etag }, head.size)",
    replace: `store.get({ key: object.key, etag: "*" }, head.size)`,
  },
  {
    name: "HEAD's ETag is not compared with the listing's",
    file: "functions/storage/read.ts",
    find: `if (found.etag !== object.etag) return "changed";`,
    replace: "",
  },
  {
    name: "size is not checked before GET",
    file: "functions/storage/read.ts",
    find: `if (found.size > FILE_SIZE_BYTES_LIMIT) return corrupt("file-too-large", name);`,
    replace: "",
  },
  {
    name: "a file that can't be had counts as empty",
    file: "functions/storage/read.ts",
    find: `if (typeof bytes === "string") return bytes;`,
    replace: `if (typeof bytes === "string") return { name, file: { bytes: new Uint8Array(), lastModified: head.lastModified } };`,
  },
  {
    name: "a file that has gone counts as absent",
    file: "functions/storage/read.ts",
    find: "  if (refusals.size === 0) return found;",
    replace: `  if (found.length > 0) refusals.delete("gone");
  if (refusals.size === 0) return found;`,
  },
  {
    name: "denied is taken for the uploader's doing",
    file: "functions/storage/read.ts",
    find: `if (bytes === "denied" && isOutOfReach(head, storageManager)) return`,
    replace: `if (bytes === "denied") return`,
  },
  {
    name: "a changed file counts as vanished",
    file: "functions/storage/read.ts",
    find: `const areAllGone = found.length === 0 && !refusals.has("changed");`,
    replace: "const areAllGone = true;",
  },
  {
    name: "files of any storage that begins alike",
    file: "functions/storage/list-all.ts",
    find: "storage = open.find((one) => one.name === name);",
    replace: "storage = open.find((one) => name?.startsWith(one.name));",
  },

  // Listing
  {
    name: "skipping past a flood eats its neighbour",
    file: "functions/storage/list-all.ts",
    find: "return storagePrefix.slice(0, last) + String.fromCharCode(storagePrefix.charCodeAt(last) + 1);",
    replace: "return `${storagePrefix.slice(0, last)}z`;",
  },
  {
    name: "a flood is not skipped past",
    file: "functions/storage/list-all.ts",
    find: "open.find(({ objects }) => objects.length > maxObjectsPerRunner);",
    replace: "open.find(({ objects }) => objects.length > Number.MAX_SAFE_INTEGER);",
  },
  {
    name: "a storage ends with its page",
    file: "functions/storage/list-all.ts",
    find: "    pageAhead = next && fetchAhead(store, prefix, next);",
    replace: `    close(({ objects }) => objects.length <= maxObjectsPerRunner);
    storage = undefined;
    pageAhead = next && fetchAhead(store, prefix, next);`,
  },
  {
    name: "the last storage is forgotten",
    file: "functions/storage/list-all.ts",
    find: "  if (open.length > 0) {",
    replace: "  if (open.length < 0) {",
  },
  {
    name: "an empty page ends the listing",
    file: "functions/storage/list-all.ts",
    find: "    let next = page.next;",
    replace: "    let next = page.objects.length === 0 ? undefined : page.next;",
  },
  {
    name: "a cursor is kept between runs",
    file: "functions/storage/list-all.ts",
    find: "  let pageAhead: Promise<ListPage> | undefined = fetchAhead(store, prefix);",
    replace: `  const kept = (globalThis as unknown as { cursor?: { after: string } }).cursor;
  let pageAhead: Promise<ListPage> | undefined = fetchAhead(store, prefix, kept && { after: kept.after });
  (globalThis as unknown as { cursor?: unknown }).cursor = undefined;
  pageAhead = pageAhead.then((page) => {
    const last = page.next && page.objects.at(-1);
    (globalThis as unknown as { cursor?: unknown }).cursor = last && { after: last.key };
    return page;
  });`,
  },
  {
    name: "a failed listing stops the run",
    file: "functions/run/extract.ts",
    find: `    return isTimeUp ? { ...report, stopped: "deadline" } : { ...report, stopped: "listing-failed", failure };`,
    replace: `    if (!isTimeUp) throw failure;
    return report;`,
  },

  // Selecting
  {
    name: "everybody is ready",
    file: "functions/storage/select.ts",
    find: `isOrphan(listing, silentSeconds) ? "selected" : "notReady";`,
    replace: `isOrphan(listing, silentSeconds) ? "selected" : "selected";`,
  },
  {
    name: "an orphan is told by its oldest object",
    file: "functions/storage/storage-listing.ts",
    find: "(latest, { lastModified }) => Math.max(latest, lastModified), 0)",
    replace: "(latest, { lastModified }) => (latest === 0 ? lastModified : Math.min(latest, lastModified)), 0)",
  },
  {
    name: "orphans are never collected",
    file: "functions/storage/select.ts",
    find: "return listing.listedAt - lastUploadOf(listing) > orphanAfterSeconds * 1000;",
    replace: "return listing.listedAt - lastUploadOf(listing) > orphanAfterSeconds * 1000 * 1000;",
  },
  {
    name: "include and exclude are mixed up",
    file: "functions/storage/select.ts",
    find: "=== filter.include ?",
    replace: "!== filter.include ?",
  },
  {
    name: "an empty last file counts",
    file: "functions/storage/storage-listing.ts",
    find: "size > 0 && key === prefix + file",
    replace: "size >= 0 && key === prefix + file",
  },

  // Deleting
  {
    name: "unconditional delete",
    file: "functions/storage/clean-up.ts",
    find: "const answers = await store.delete(some);",
    replace: `const answers = await store.delete(some.map(({ key }) => ({ key, etag: "*" })));`,
  },
  {
    name: "the first object of a batch stays",
    file: "functions/storage/clean-up.ts",
    find: "for (let from = 0; from",
    replace: "for (let from = 1; from",
  },
  {
    name: "a failed delete stops the run",
    file: "functions/storage/clean-up.ts",
    find: `      if (!(error instanceof ServiceError)) throw error;
      errors`,
    replace: `      if (error) throw error;
      errors`,
  },
  {
    name: "a delete's results are not counted",
    file: "functions/storage/clean-up.ts",
    find: "filter((result) => result === name).length",
    replace: `filter((result) => result === name && name !== "deleted").length`,
  },

  // Quarantine
  {
    name: "quarantine without a manifest",
    file: "functions/storage/quarantine.ts",
    find: "  await store.putIfAbsent(manifestKey(prefix), JSON.stringify(manifest));",
    replace: `  void manifest;
  void manifestKey;`,
  },
  {
    name: "a failed copy counts as a success",
    file: "functions/storage/quarantine.ts",
    find: `if (result === "copied") return { copied_to: copy };`,
    replace: `if (result === "copied" || result === "denied") return { copied_to: copy };`,
  },
  {
    name: "a copy of another version",
    file: "functions/storage/quarantine.ts",
    find: "const result = await store.copy(object, copy);",
    replace: `const result = await store.copy({ ...object, etag: "*" }, copy);`,
  },
  {
    name: "a changed object is recorded as unreadable",
    file: "functions/storage/quarantine.ts",
    find: `if (result === "gone" || result === "changed") return { kind: "deferred", reason: "changed" };`,
    replace: `if (result === "gone" || result === "changed") continue;`,
  },
  {
    name: "large objects are copied",
    file: "functions/storage/quarantine.ts",
    find: `if (object.size > COPY_BYTES_MAX) return { not_copied: "too-large" };`,
    replace: "",
  },
  {
    name: "all of a flood is copied",
    file: "functions/storage/quarantine.ts",
    find: `if (!mayCopy) return { not_copied: "too-many" };`,
    replace: "void mayCopy;",
  },
  {
    name: "a denied copy is thrown away as unreadable",
    file: "functions/storage/quarantine.ts",
    find: `{ not_copied: "unreadable" } : "denied";`,
    replace: `{ not_copied: "unreadable" } : { not_copied: "unreadable" };`,
  },
  {
    name: "quarantine ids of keys alone",
    file: "contract/object-keys.ts",
    find: "JSON.stringify([key, etag, lastModified]))",
    replace: "JSON.stringify([key, etag.length, typeof lastModified]))",
  },
  {
    name: "quarantine ids that differ each time",
    file: "contract/object-keys.ts",
    find: `return sha256(lines.join("\\n")).slice(0, 32);`,
    replace: `return sha256(lines.join("\\n") + String(process.hrtime.bigint())).slice(0, 32);`,
  },
  {
    name: "an invalid storage name in the quarantine's keys",
    file: "contract/object-keys.ts",
    find: `return isStorageName(storage) ? storage : \`invalid-`,
    replace: `return storage ? storage : \`invalid-`,
  },
  {
    name: "keys are not checked",
    file: "functions/storage/storage-listing.ts",
    find: `if (!listing.objects.every((object) => isValidKey(object, listing.prefix))) return "invalid-key";`,
    replace: "",
  },
  {
    name: "copies under the same name",
    file: "contract/object-keys.ts",
    find: `\`\${quarantinePrefix}renamed/\${sha256(key)}\``,
    replace: `\`\${quarantinePrefix}renamed/object\``,
  },
  {
    name: "the quarantine is not made known",
    file: "functions/run/publish-and-delete.ts",
    find: "return [quarantineEvent(result.quarantine, flavor, result.listing.listedAt)];",
    replace: "return [];",
  },

  // The run
  {
    name: "one runner's failure is everybody's",
    file: "functions/run/extract.ts",
    find: "    return deferral(cause);",
    replace: "    throw cause;",
  },
  {
    name: "the deadline is not looked at",
    file: "functions/run/run.ts",
    find: "clock.now() < deadline - FINISHING_MILLISECONDS",
    replace: "clock.now() < deadline + FINISHING_MILLISECONDS",
  },
  {
    name: "the last batch is forgotten",
    file: "functions/run/run.ts",
    find: `      if (next.done) {
        yield batch;`,
    replace: `      if (next.done) {
        if (batch.length > 1) yield batch;`,
  },
  {
    name: "an outcome is not counted",
    file: "functions/run/summary.ts",
    find: "      results.map(({ outcome }) => outcome),",
    replace: `      results.map(({ outcome }) => outcome).filter((outcome) => outcome !== "vanished"),`,
  },
  {
    name: "errors quote what they are about",
    file: "functions/run/summary.ts",
    find: "  const deferred = results.filter(",
    replace: `  errors = [...errors, ...results.map((result) => new Error(JSON.stringify(result)))];
  const deferred = results.filter(`,
  },
  {
    name: "more in progress than was configured",
    file: "functions/concurrency.ts",
    find: "inProgress.size < concurrency",
    replace: "inProgress.size < concurrency + 100",
  },
  {
    name: "no look before publishing",
    file: "functions/run/publish-and-delete.ts",
    find: "const published = await publish(await deferChanged(batch, context), context);",
    replace: "const published = await publish(batch, context);",
  },
  {
    name: "a look does not see what was removed",
    file: "functions/storage/list-all.ts",
    find: `return unchanged < known.size;`,
    replace: `return unchanged < 0;`,
  },
  {
    name: "one call deletes all files",
    file: "functions/run/publish-and-delete.ts",
    find: "last: [corrupt, mostTellingFile(result.listing)].filter((file) => file !== undefined)",
    replace: "last: [corrupt, mostTellingFile(result.listing)].filter((file) => file === null)",
  },
  {
    name: "the last files do not wait for the others",
    file: "functions/storage/clean-up.ts",
    find: "    objects.every((object) => last.includes(object) || isGone(first.results)(object)),",
    replace:
      "    objects.every((object) => last.includes(object) || isGone(first.results)(object) || first.results.has(object)),",
  },
  {
    name: "the second call does not repeat the others",
    file: "functions/storage/clean-up.ts",
    find: "    ready.flatMap(({ objects }) => objects),",
    replace: "    ready.flatMap(({ last }) => last),",
  },
  {
    name: "the end that comes after an orphan's delete is not looked for",
    file: "functions/run/publish-and-delete.ts",
    find: "if (!isGone || result.outcome",
    replace: "if (isGone || result.outcome",
  },
  {
    name: "the id of a Start depends on the installed file",
    file: "functions/domain/issue-events.ts",
    find: `...origin("runner_start", PRE_JOB_METRICS_FILE_NAME),`,
    replace: `...origin("runner_start", RUNNER_INSTALLED_TS_FILE_NAME, PRE_JOB_METRICS_FILE_NAME),`,
  },
  {
    name: "another life's end counts",
    file: "functions/domain/runner-metrics.ts",
    find: "(postJob.job_timestamp ?? preJob.timestamp) !== preJob.timestamp",
    replace: "(postJob.job_timestamp ?? preJob.timestamp) === undefined",
  },
  {
    name: "a leftover takes all files along",
    file: "functions/run/extract.ts",
    find: "listing: onlyFile(listing, found.file) };",
    replace: "listing };",
  },
  {
    name: "idle since another life's installation",
    file: "functions/domain/issue-events.ts",
    find: "const isOfSameLife = (preJob.installed_timestamp ?? installedTimestamp) === installedTimestamp;",
    replace: "const isOfSameLife = preJob.timestamp >= 0;",
  },
  {
    name: "job files without an installed timestamp are deleted without a word",
    file: "functions/domain/runner-metrics.ts",
    find: `  if (!installed && !preJob) {
    if (!start || postJob)`,
    replace: `  if (!installed) {
    if (!start || preJob || postJob)`,
  },

  // Ended instances
  {
    name: "ready when stopped",
    file: "functions/domain/instance-ends.ts",
    find: 'what === "terminated" && time + TERMINATED_SECONDS <= now / 1000',
    replace: 'what !== "spot-interruption" && time + TERMINATED_SECONDS <= now / 1000',
  },
  {
    name: "ready when warned of an interruption",
    file: "functions/domain/instance-ends.ts",
    find: 'what === "terminated" && time + TERMINATED_SECONDS <= now / 1000',
    replace: 'what !== "stopped" && time + TERMINATED_SECONDS <= now / 1000',
  },
  {
    name: "ready as soon as it is terminated",
    file: "functions/domain/instance-ends.ts",
    find: "const TERMINATED_SECONDS = 2 * 60;",
    replace: "const TERMINATED_SECONDS = 0;",
  },
  {
    name: "a termination is not noticed",
    file: "functions/storage/select.ts",
    find: `  if (isEnded || isTerminated(ends, listing.listedAt)) return "selected";`,
    replace: `  if (isEnded || isTerminated(ends, 0)) return "selected";`,
  },
  {
    name: "GitHub's list outweighs a termination",
    file: "functions/storage/select.ts",
    find: "  if (isEnded || isTerminated(ends, listing.listedAt)) return",
    replace:
      "  if (isEnded || (!(filter.alive && isOneOf(listing, filter.alive)) && isTerminated(ends, listing.listedAt))) return",
  },
  {
    name: "a stop before the last upload ended the runner",
    file: "functions/domain/instance-ends.ts",
    find: `(what === "stopped" && time >= lastUploadSeconds)`,
    replace: `what === "stopped"`,
  },
  {
    name: "the end is the last record",
    file: "functions/domain/instance-ends.ts",
    find: "one.time - other.time ||",
    replace: "other.time - one.time ||",
  },
  {
    name: "any warning explains any end",
    file: "functions/domain/instance-ends.ts",
    find: "const INTERRUPTION_SECONDS = 15 * 60;",
    replace: "const INTERRUPTION_SECONDS = 15 * 60 * 60;",
  },
  {
    name: "the records of one instance are those of another",
    file: "functions/storage/ended-instances.ts",
    find: "(await listed).ends.get(instance) ?? [];",
    replace: "(await listed).ends.get(instance) ?? [...(await listed).ends.values()][0] ?? [];",
  },
  {
    name: "records are listed for each storage",
    file: "functions/storage/ended-instances.ts",
    find: "listed ??= listEnded(store);",
    replace: "listed = listEnded(store);",
  },
  {
    name: "only the first page of records is read",
    file: "functions/storage/ended-instances.ts",
    find: "      from = next;",
    replace: "      from = undefined;",
  },
  {
    name: "records are listed without a limit",
    file: "functions/storage/ended-instances.ts",
    find: "if (page > ENDED_PAGES_MAX) return",
    replace: "if (page > 20 * ENDED_PAGES_MAX) return",
  },
  {
    name: "records that can't be listed stop the run",
    file: "functions/storage/ended-instances.ts",
    find: "    if (!(failure instanceof ServiceError)) throw failure;",
    replace: "    if (failure instanceof Error) throw failure;",
  },
  {
    name: "after a long list of records a runner is started too late",
    file: "functions/run/extract.ts",
    find: "  if (options.ended && !options.mayStart())",
    replace: "  if (options.ended && !options.mayStart)",
  },
  {
    name: "late stops are not counted",
    file: "functions/run/publish-and-delete.ts",
    find: "    lostThenStopped: isSent ? 1 : 0,",
    replace: "    lostThenStopped: 0,",
  },
  {
    name: "durations since 1970",
    file: "functions/domain/issue-events.ts",
    find: "const DURATION_SECONDS_MAX = 400 * 24 * 60 * 60;",
    replace: "const DURATION_SECONDS_MAX = 400_000 * 24 * 60 * 60;",
  },

  // Workers
  {
    name: "workers: a message counts more than the bucket",
    file: "functions/run/extract.ts",
    find: "if (options.given && !confirms(found, listing))",
    replace: "if (options.given && !confirms(found, listing) && false)",
  },
  {
    name: "workers: handing over without post-job",
    file: "functions/run/hand-over.ts",
    find: "return hasEnded(listing) && areFiles",
    replace: "return areFiles",
  },
  {
    name: "workers: handing over while messages wait",
    file: "functions/run/hand-over.ts",
    find: "fitsMessage(listing) && (await mayBegin());",
    replace: "fitsMessage(listing) && ((await mayBegin()) || true);",
  },
  {
    name: "workers: deleting what was not read",
    file: "functions/run/extract.ts",
    find: "const read = problem ? corrupt(problem) : await readMetrics(storageManager, listing);",
    replace: `const read = problem
      ? corrupt(problem)
      : options.given
        ? ({ kind: "metrics", storage: listing.name, files: listing.files as never } as RunnerMetrics)
        : await readMetrics(storageManager, listing);`,
  },
  {
    name: "workers: what is handed over is deleted at once",
    file: "functions/run/hand-over.ts",
    find: `({ outcome: "handedOver", handedOver } as const)`,
    replace: `({ outcome: "handedOver", handedOver, listing: handedOver } as const)`,
  },
  {
    name: "workers: what SQS refused counts as handed over",
    file: "functions/run/hand-over.ts",
    find: "error ? deferral(error) : (",
    replace: "error && false ? deferral(error) : (",
  },
  {
    name: "workers: a worker hands over again",
    file: "functions/run/run.ts",
    find: "queue && !given",
    replace: "queue",
  },
];
