// The rules of the prototype's collector, bundled from its functions/domain. Frozen: files of newer runners must pass them.

// contract/runner-files.ts
import * as z from "zod";
var FORBIDDEN_CHARACTERS = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/;
var text = z.string().refine((value) => value.isWellFormed() && !FORBIDDEN_CHARACTERS.test(value));
var TIMESTAMP = /^[\t-\r ]*(\+?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)[\t-\r ]*$/;
function parseTimestamp(text2) {
  const seconds2 = Number(TIMESTAMP.exec(text2)?.[1]);
  return Number.isFinite(seconds2) ? seconds2 : void 0;
}
var timestamp = z.union([z.number(), z.string().transform((string3) => parseTimestamp(string3) ?? Number.NaN)]).pipe(z.number().nonnegative().transform(withoutNegativeZero));
var preJobMetrics = z.object({
  timestamp,
  workflow: text,
  workflow_run_id: z.union([z.string().regex(/^[0-9]+$/), z.int().nonnegative().transform(String)]),
  // GitHub's grammar of an owner and of a repository's name.
  repository: z.string().regex(/^[A-Za-z0-9_-]{1,39}\/(?!\.{1,2}$)[A-Za-z0-9._-]{1,100}$/),
  event: text,
  /** Key of the job in the workflow file (`GITHUB_JOB`). */
  job: text.optional(),
  /** From 1 (`GITHUB_RUN_ATTEMPT`). */
  run_attempt: z.int().min(1).optional(),
  /** Content of the installed file of the same life. */
  installed_timestamp: timestamp.optional(),
  /** Version of the program that wrote the file. */
  program: text.optional()
});
var postJobStatus = z.enum(["normal", "abnormal", "repo-policy-check-failure"]);
var codeInformation = z.object({ code: z.int().transform(withoutNegativeZero) });
var postJobMetrics = z.object({
  timestamp,
  status: postJobStatus,
  status_info: codeInformation.nullish(),
  /** The `timestamp` of the pre-job file of the same life. */
  job_timestamp: timestamp.optional(),
  /** Version of the program that wrote the file. */
  program: text.optional()
});
var RUNNER_INSTALLATION_START_TS_FILE_NAME = "runner-installation-start.timestamp";
var RUNNER_INSTALLED_TS_FILE_NAME = "runner-installed.timestamp";
var PRE_JOB_METRICS_FILE_NAME = "pre-job-metrics.json";
var POST_JOB_METRICS_FILE_NAME = "post-job-metrics.json";
var RUNNER_FILES = {
  [RUNNER_INSTALLATION_START_TS_FILE_NAME]: {
    content: "timestamp",
    isPartOfCompleteJob: true,
    makesReady: false,
    state: "installing",
    meaning: "When the installation of the runner started. Optional; 0 counts as absent. Alone, it means that the runner is installing."
  },
  [RUNNER_INSTALLED_TS_FILE_NAME]: {
    content: "timestamp",
    isPartOfCompleteJob: true,
    makesReady: false,
    state: "idle",
    meaning: "When the runner was ready for a job. Its presence means that the runner is installed."
  },
  [PRE_JOB_METRICS_FILE_NAME]: {
    content: "json",
    isPartOfCompleteJob: true,
    makesReady: false,
    state: "busy",
    meaning: "When the job started, and which job it is. Its presence means that the runner is busy."
  },
  [POST_JOB_METRICS_FILE_NAME]: {
    content: "json",
    isPartOfCompleteJob: true,
    makesReady: true,
    meaning: "When and how the job ended. Its presence makes the storage ready."
  }
};
var FILES_TO_READ = Object.keys(RUNNER_FILES);
var FILES_OF_LIVE_STATES = FILES_TO_READ.flatMap(
  (name) => {
    const { state } = RUNNER_FILES[name];
    return state ? [{ name, state }] : [];
  }
);
var FILES_OF_COMPLETE_JOB = FILES_TO_READ.filter((name) => RUNNER_FILES[name].isPartOfCompleteJob);
var FILES_THAT_MAKE_READY = FILES_TO_READ.filter((name) => RUNNER_FILES[name].makesReady);
function withoutNegativeZero(value) {
  return value + 0;
}

// functions/domain/corrupt.ts
function corrupt(reason, file, problems2 = []) {
  return { kind: "corrupt", reason, ...file && { file }, ...problems2.length > 0 && { problems: problems2 } };
}
function isCorrupt(value) {
  return typeof value === "object" && value !== null && "kind" in value && value.kind === "corrupt";
}

// functions/domain/decode.ts
var NESTING_LIMIT = 1e3;
var utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
function decodeText(bytes) {
  let text2;
  try {
    text2 = utf8.decode(bytes);
  } catch {
    return void 0;
  }
  return text2.startsWith("\uFEFF") ? void 0 : text2;
}
function parseJson(text2) {
  if (isNestedTooDeep(text2)) return void 0;
  try {
    return JSON.parse(text2);
  } catch {
    return void 0;
  }
}
function isNestedTooDeep(text2) {
  let depth = 0;
  let insideString = false;
  for (let index = 0; index < text2.length && depth < NESTING_LIMIT; index++) {
    const character = text2[index];
    if (character === '"') insideString = !insideString;
    else if (insideString) index += character === "\\" ? 1 : 0;
    else if (character === "[" || character === "{") depth++;
    else if (character === "]" || character === "}") depth--;
  }
  return depth >= NESTING_LIMIT;
}

// functions/domain/runner-metrics.ts
var TIMESTAMP_LEEWAY_SECONDS = 24 * 60 * 60;
function runnerMetrics(storage, files) {
  const start = timestampFile(files, RUNNER_INSTALLATION_START_TS_FILE_NAME);
  if (isCorrupt(start)) return start;
  const installed = timestampFile(files, RUNNER_INSTALLED_TS_FILE_NAME);
  if (isCorrupt(installed)) return installed;
  const preJob = jobFile(files, PRE_JOB_METRICS_FILE_NAME, preJobMetrics);
  if (isCorrupt(preJob)) return preJob;
  const postJob = jobFile(files, POST_JOB_METRICS_FILE_NAME, postJobMetrics);
  if (isCorrupt(postJob)) return postJob;
  if (preJob && postJob && (postJob.job_timestamp ?? preJob.timestamp) !== preJob.timestamp) {
    return { kind: "leftover", file: POST_JOB_METRICS_FILE_NAME };
  }
  if (!installed && !preJob) {
    if (!start || postJob) return { kind: "incomplete" };
    return { kind: "incomplete", unfinishedInstallation: { storage, installationStartTimestamp: start, files } };
  }
  return {
    kind: "metrics",
    storage,
    ...start && { installationStartTimestamp: start },
    ...installed && { installedTimestamp: installed },
    ...preJob && { preJob },
    ...postJob && { postJob },
    files
  };
}
function timestampFile(files, name) {
  const file = files[name];
  if (!file?.bytes.length) return void 0;
  const content = decodeText(file.bytes);
  if (content === void 0) return corrupt("invalid-encoding", name);
  const seconds2 = parseTimestamp(content);
  if (seconds2 === void 0) return corrupt("invalid-timestamp", name);
  if (isInFuture(seconds2, file)) return corrupt("timestamp-in-future", name);
  return seconds2;
}
function jobFile(files, name, schema) {
  const file = files[name];
  if (!file?.bytes.length) return void 0;
  const content = decodeText(file.bytes);
  if (content === void 0) return corrupt("invalid-encoding", name);
  const json = parseJson(content);
  if (json === void 0) return corrupt("invalid-json", name);
  const parsed = schema.safeParse(json);
  if (!parsed.success) return corrupt("invalid-schema", name, problems(parsed.error));
  if (isInFuture(parsed.data.timestamp, file)) return corrupt("timestamp-in-future", name);
  return parsed.data;
}
function isInFuture(seconds2, file) {
  return seconds2 > file.lastModified / 1e3 + TIMESTAMP_LEEWAY_SECONDS;
}
function problems(error) {
  return error.issues.map((issue) => `${issue.path.join(".") || "document"}: ${issue.code}`);
}

// contract/events.ts
import { createHash } from "node:crypto";
import * as z2 from "zod";

// contract/reasons.ts
var QUARANTINE_REASONS = {
  "invalid-key": "An object's key is not one that a runner writes: control characters, sub-folders, an invalid storage name.",
  "too-many-objects": "The storage holds more objects than MAX_OBJECTS_PER_RUNNER.",
  "file-too-large": "A metrics file is larger than 1,024 bytes. It was not read.",
  "unreadable-object": "A metrics file cannot be read with any permission of ours: archived, or encrypted with a key of the uploader's.",
  "invalid-encoding": "A metrics file is not UTF-8, or starts with a byte order mark.",
  "invalid-json": "A job file is not a JSON document, or is nested 1,000 deep.",
  "invalid-schema": "A job file lacks a field, or a field has the wrong type or form.",
  "invalid-timestamp": "A timestamp file does not hold UNIX seconds as decimal text.",
  "timestamp-in-future": "A timestamp is more than 24 hours later than the upload of its file.",
  "job-mismatch": "GitHub says that this runner did not do the job that it claims (only with mismatch: quarantine)."
};
var GITHUB_REASONS = {
  "not-configured": "GitHub is not configured.",
  "owner-not-allowed": "The repository's owner is not in the list of owners to ask about.",
  "no-credentials": "The secret cannot be read, or GitHub does not accept what it holds.",
  denied: "The credentials lack a permission.",
  "rate-limited": "GitHub's rate limit refused the call, or the call was not made to respect it.",
  timeout: "GitHub did not answer in time.",
  unavailable: "GitHub answered with a server error, or could not be reached.",
  redirected: "GitHub answered with a redirect, which is not followed.",
  "invalid-answer": "GitHub's answer is incomplete or not in the documented form.",
  "time-budget": "This run has spent its time for GitHub.",
  "request-budget": "This run has spent its number of calls to GitHub.",
  "too-many-pages": "The answer has more pages than are read.",
  "not-found": "There is no such workflow run or owner, or it is hidden from these credentials.",
  "job-not-found": "The workflow run has no job that this runner did.",
  contradicted: "GitHub's list lacks most of the runners that started a job in the last 15 minutes; it was not used.",
  "no-value": "GitHub knows the job but does not have the value, or not yet."
};
var VERIFICATIONS = {
  verified: "GitHub says that this runner did a job of this workflow run.",
  unverified: "GitHub was not asked, or gave no answer.",
  mismatch: "GitHub says that this runner did no job of this workflow run."
};
function namesOf(list) {
  return Object.keys(list);
}

// contract/events.ts
var SCHEMA_VERSION = 1;
var DURATION_FIELDS = [
  "duration",
  "idle",
  "queue_duration",
  "job_duration",
  "installation_age",
  "installed_age",
  "job_age"
];
var seconds = z2.number().nonnegative();
var implausibleSeconds = "absent if implausible";
var common = {
  timestamp: seconds.describe("When it happened by the runner's clock, in UNIX seconds"),
  flavor: z2.string().describe("Flavor of the runner"),
  runner_name: z2.string().describe("Name of the runner"),
  event_id: z2.string().regex(/^[0-9a-f]{32}$/).describe("The same for the same files, in every run: deduplicate on it"),
  schema_version: z2.literal(SCHEMA_VERSION).describe("Version of this contract"),
  clamped: z2.array(z2.enum(DURATION_FIELDS)).min(1).optional().describe("Durations that came out negative (clocks differ) and were set to 0; absent if none"),
  implausible: z2.array(z2.enum(DURATION_FIELDS)).min(1).optional().describe("Durations of more than 400 days (a clock was wrong) that are left out; absent if none")
};
var job = {
  workflow: z2.string().describe("Name of the workflow. The job's author chose it: untrusted text"),
  workflow_run_id: z2.string().describe("Id of the workflow run, decimal digits"),
  repo: z2.string().describe("Repository, owner/name, as the runner claims"),
  github_event: z2.string().describe("Event that triggered the workflow. Untrusted text"),
  job: z2.string().optional().describe("Key of the job in the workflow file, as the runner claims. Untrusted text"),
  run_attempt: z2.int().min(1).optional().describe("Attempt of the workflow run, as the runner claims"),
  job_id: z2.string().optional().describe("GitHub's id of the job, decimal digits; absent if unknown"),
  job_name: z2.string().optional().describe("GitHub's name of the job; absent if unknown. Untrusted text"),
  labels: z2.array(z2.string()).optional().describe("Labels that the job asked for, according to GitHub; absent if unknown. Untrusted text"),
  verification: z2.enum(namesOf(VERIFICATIONS)).optional().describe(
    "Whether this runner did a job of this run in this repository: `verified` (GitHub says so), `mismatch` (GitHub says otherwise), `unverified` (GitHub was not asked or gave no answer). Absent only in events older than this field"
  )
};
var jobMetricsUnknown = z2.enum(namesOf(GITHUB_REASONS)).optional().describe("Why a value that only GitHub knows is absent; absent if it is there");
var conclusion = z2.string().optional().describe("GitHub's conclusion of the job; absent if unknown");
var runnerInstalled = z2.object({
  event: z2.literal("runner_installed"),
  ...common,
  duration: seconds.optional().describe(`Installation time in seconds: installed - installation start; ${implausibleSeconds}`)
}).describe("A runner has been installed. Issued if the start of the installation is known");
var runnerStart = z2.object({
  event: z2.literal("runner_start"),
  ...common,
  ...job,
  idle: seconds.optional().describe(
    "Idle time in seconds: job start - installed; absent if the installed timestamp is unknown, or implausible"
  ),
  queue_duration: seconds.optional().describe("How long the job was queued, in seconds, according to GitHub; absent if unknown"),
  job_metrics_unknown: jobMetricsUnknown
}).describe("A runner has started a job");
var runnerStop = z2.object({
  event: z2.literal("runner_stop"),
  ...common,
  ...job,
  status: postJobStatus.describe("How the job ended for the runner"),
  status_info: codeInformation.optional().describe("Exit code, or status of the policy check; absent if unknown"),
  job_duration: seconds.optional().describe(`Job time in seconds: job end - job start; ${implausibleSeconds}`),
  job_conclusion: conclusion,
  job_metrics_unknown: jobMetricsUnknown
}).describe("A runner has finished its job");
var detected = {
  ...common,
  timestamp: seconds.describe("When it was detected, in UNIX seconds"),
  installation_age: seconds.optional().describe("Seconds since the installation started; absent if unknown or implausible")
};
var runnerLost = z2.object({
  event: z2.literal("runner_lost"),
  ...detected,
  ...job,
  installed_age: seconds.optional().describe("Seconds since the runner was installed; absent if unknown or implausible"),
  job_age: seconds.optional().describe(`Seconds since the job started; ${implausibleSeconds}`),
  job_conclusion: conclusion,
  job_metrics_unknown: jobMetricsUnknown
}).describe("A runner started a job, did not end it, and is presumed dead");
var runnerInstallFailed = z2.object({
  event: z2.literal("runner_install_failed"),
  ...detected,
  installation_age: seconds.optional().describe(`Seconds since the installation started; ${implausibleSeconds}`)
}).describe("The installation of a runner started, did not end, and is presumed to have failed");
var runnerNeverUsed = z2.object({
  event: z2.literal("runner_never_used"),
  ...detected,
  installed_age: seconds.optional().describe(`Seconds since the runner was installed; ${implausibleSeconds}`)
}).describe("A runner was installed, had no job, and is presumed dead");
var metricsQuarantined = z2.object({
  event: z2.literal("metrics_quarantined"),
  ...common,
  timestamp: seconds.describe("When it was quarantined, in UNIX seconds"),
  reason: z2.enum(namesOf(QUARANTINE_REASONS)).describe("What was wrong"),
  quarantine_prefix: z2.string().describe("Where the objects and `manifest.json` are, in the same bucket"),
  objects: z2.int().nonnegative().describe("How many objects were quarantined"),
  bytes: z2.int().nonnegative().describe("Their size in bytes")
}).describe("Files of a runner were not trustworthy and have been moved to quarantine");
var EVENT_SCHEMAS = {
  RunnerInstalled: runnerInstalled,
  RunnerStart: runnerStart,
  RunnerStop: runnerStop,
  RunnerLost: runnerLost,
  RunnerInstallFailed: runnerInstallFailed,
  RunnerNeverUsed: runnerNeverUsed,
  MetricsQuarantined: metricsQuarantined
};
var DETAIL_TYPES = namesOf(EVENT_SCHEMAS);
function eventId(flavor, storage, event, content) {
  const hash = createHash("sha256");
  for (const part of [flavor, storage, event, ...content]) {
    hash.update(`${Buffer.byteLength(part)}:`).update(part);
  }
  return hash.digest("hex").slice(0, 32);
}

// contract/object-keys.ts
function runnerName(storage) {
  return storage.slice(storage.lastIndexOf(":") + 1) || storage;
}

// functions/domain/verify-job.ts
var LISTED_WITHIN_MILLISECONDS = 5 * 60 * 1e3;
var NO_TIME_BEFORE_MILLISECONDS = 24 * 60 * 60 * 1e3;
function verificationOf(answer) {
  if (!("unknown" in answer)) return "verified";
  return answer.isMismatch ? "mismatch" : "unverified";
}

// functions/domain/issue-events.ts
function issueEvents(metrics, flavor, answer = NOT_CONFIGURED) {
  const { installationStartTimestamp, installedTimestamp, preJob } = metrics;
  const origin = originOf(metrics, flavor);
  const events = [];
  if (installationStartTimestamp !== void 0 && installedTimestamp !== void 0) {
    events.push({
      detailType: "RunnerInstalled",
      detail: {
        event: "runner_installed",
        timestamp: installedTimestamp,
        ...origin("runner_installed", RUNNER_INSTALLATION_START_TS_FILE_NAME, RUNNER_INSTALLED_TS_FILE_NAME),
        ...durations({ duration: installedTimestamp - installationStartTimestamp })
      }
    });
  }
  if (preJob) {
    events.push({
      detailType: "RunnerStart",
      detail: {
        event: "runner_start",
        timestamp: preJob.timestamp,
        ...origin("runner_start", PRE_JOB_METRICS_FILE_NAME),
        ...jobFields(preJob, answer),
        ...durations({
          idle: idleOf(metrics),
          queue_duration: "unknown" in answer ? void 0 : answer.queue_duration
        }),
        ...unknownReason(answer, "queue_duration")
      }
    });
  }
  return [...events, ...stopEvents(metrics, flavor, answer)];
}
function stopEvents(metrics, flavor, answer = NOT_CONFIGURED) {
  const { preJob, postJob } = metrics;
  if (!preJob || !postJob) return [];
  return [
    {
      detailType: "RunnerStop",
      detail: {
        event: "runner_stop",
        timestamp: postJob.timestamp,
        ...originOf(metrics, flavor)("runner_stop", PRE_JOB_METRICS_FILE_NAME, POST_JOB_METRICS_FILE_NAME),
        ...jobFields(preJob, answer),
        status: postJob.status,
        ...postJob.status_info && { status_info: postJob.status_info },
        ...durations({ job_duration: postJob.timestamp - preJob.timestamp }),
        ...conclusionOf(answer)
      }
    }
  ];
}
var NOT_CONFIGURED = { unknown: "not-configured" };
function originOf({ storage, files }, flavor) {
  return (event, ...madeFrom) => ({
    flavor,
    runner_name: runnerName(storage),
    event_id: eventId(
      flavor,
      storage,
      event,
      madeFrom.map((name) => files[name]?.bytes ?? new Uint8Array())
    ),
    schema_version: SCHEMA_VERSION
  });
}
function jobFields(preJob, answer) {
  const { job_id, job_name, labels } = "unknown" in answer ? {} : answer;
  return {
    workflow: preJob.workflow,
    workflow_run_id: preJob.workflow_run_id,
    repo: preJob.repository,
    github_event: preJob.event,
    ...preJob.job !== void 0 && { job: preJob.job },
    ...preJob.run_attempt !== void 0 && { run_attempt: preJob.run_attempt },
    ...job_id !== void 0 && { job_id },
    ...job_name !== void 0 && { job_name },
    ...labels !== void 0 && { labels: [...labels] },
    verification: verificationOf(answer)
  };
}
function idleOf({ installedTimestamp, preJob }) {
  if (installedTimestamp === void 0 || !preJob) return void 0;
  const isOfSameLife = (preJob.installed_timestamp ?? installedTimestamp) === installedTimestamp;
  return isOfSameLife ? preJob.timestamp - installedTimestamp : void 0;
}
function conclusionOf(answer) {
  if ("unknown" in answer || answer.conclusion === void 0) return unknownReason(answer, "conclusion");
  return { job_conclusion: answer.conclusion };
}
function unknownReason(answer, field) {
  if ("unknown" in answer) return { job_metrics_unknown: answer.unknown };
  return answer[field] === void 0 ? { job_metrics_unknown: "no-value" } : {};
}
var DURATION_SECONDS_MAX = 400 * 24 * 60 * 60;
function durations(seconds2) {
  const known = Object.entries(seconds2).flatMap(
    ([name, value]) => value === void 0 ? [] : [{ name, value }]
  );
  const clamped = known.filter(({ value }) => value < 0).map(({ name }) => name);
  const implausible = known.filter(({ value }) => value > DURATION_SECONDS_MAX).map(({ name }) => name);
  const fields = known.flatMap(({ name, value }) => value > DURATION_SECONDS_MAX ? [] : [[name, Math.max(value, 0)]]);
  return {
    ...Object.fromEntries(fields),
    ...clamped.length > 0 && { clamped },
    ...implausible.length > 0 && { implausible }
  };
}
export {
  issueEvents,
  runnerMetrics
};
