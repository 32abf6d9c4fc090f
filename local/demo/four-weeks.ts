import { hash, randomUUID } from "node:crypto";
import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { REPORT_DEFAULTS } from "../../cli/report/options.ts";
import { endedKey, storagePrefix } from "../../contract/object-keys.ts";
import { createClients } from "../../functions/aws/clients.ts";
import { eventBridgeBus } from "../../functions/aws/event-bridge-bus.ts";
import { s3ObjectStore } from "../../functions/aws/s3-object-store.ts";
import type { JobLookup } from "../../functions/ports.ts";
import { run } from "../../functions/run/run.ts";
import type { Summary } from "../../functions/run/summary.ts";
import type { LocalAws } from "../server.ts";
import { demoFleet, type RunnerLife } from "./fleet.ts";
import { filesOf } from "./fleet-files.ts";

const BUCKET = "runner-metrics-four-weeks";
const RUN_EVERY_SECONDS = 2 * 60 * 60;
const ORPHAN_AFTER_SECONDS = 86_400;
const DAYS = 28;
const JOBS = 3_000;

/** Dollars for an hour: what instances of such sizes cost on spot. */
const PRICE_PER_HOUR = { small: 0.05, large: 0.19, gpu: 0.38 };

/** What came of the four weeks. */
export interface FourWeeks {
  readonly lives: number;
  readonly runs: number;
  readonly events: number;
  readonly archived: number;
  /** Path of the report. */
  readonly report: string;
}

export interface FourWeeksOptions {
  readonly busName: string;
  /** The clock of local AWS, which these weeks move; it is the machine's again at the end. */
  readonly time: { now: () => number };
  /** File of the report; by default one in a new folder for temporary files. */
  readonly out?: string | undefined;
}

/**
 * Four weeks of a plausible fleet in less than a minute: the runners' files go to local AWS, runs collect them, and a report is made from
 * the archive that the runs wrote.
 */
export async function fourWeeks(local: LocalAws, { busName, time, out }: FourWeeksOptions): Promise<FourWeeks> {
  const until = Math.floor(Date.now() / 1000);
  const lives = demoFleet({ seed: 7, until, days: DAYS, jobs: JOBS });
  local.s3.createBucket(BUCKET);
  const machine = time.now;
  try {
    const summaries = await collect(local, lives, busName, time, until);
    const sum = (of: (summary: Summary) => number) => summaries.reduce((total, summary) => total + of(summary), 0);
    return {
      lives: lives.length,
      runs: summaries.length,
      events: sum(({ events }) => Object.values(events).reduce((total, { accepted }) => total + accepted, 0)),
      archived: sum(({ archive }) => archive.events),
      report: await writeReport(local, until, out),
    };
  } finally {
    time.now = machine;
  }
}

/** Uploads each file at its time, and runs every two hours for each flavor. */
async function collect(
  local: LocalAws,
  lives: readonly RunnerLife[],
  busName: string,
  time: { now: () => number },
  until: number,
): Promise<Summary[]> {
  let seconds = until - (DAYS + 1) * 86_400;
  time.now = () => seconds * 1000;
  const clock = { now: () => seconds * 1000, sleep: async () => {} };
  const clients = createClients(8, true);
  const dependencies = {
    store: s3ObjectStore(clients, BUCKET),
    bus: eventBridgeBus(clients.eventBridge, busName, clock),
    clock,
    jobs: jobsOf(lives),
    config: {
      bucketName: BUCKET,
      eventBusName: busName,
      concurrency: 8,
      maxObjectsPerRunner: 32,
      partition: "aws",
      endedInstances: true,
    },
    deadline: Number.POSITIVE_INFINITY,
  };
  const uploads = lives
    .flatMap((life) => [
      ...filesOf(life).map(({ name, body, at }) => ({
        key: storagePrefix(life.flavor, instanceOf(life)) + name,
        body,
        at,
      })),
      ...recordsOf(life),
    ])
    .sort((a, b) => a.at - b.at);
  const flavors = [...new Set(lives.map(({ flavor }) => flavor))];
  const summaries: Summary[] = [];
  let next = 0;
  try {
    for (let runAt = seconds; runAt <= until; runAt += RUN_EVERY_SECONDS) {
      for (let upload = uploads[next]; upload && upload.at <= runAt; upload = uploads[++next]) {
        seconds = upload.at;
        local.s3.putObject(BUCKET, upload.key, { body: Buffer.from(upload.body) });
      }
      seconds = runAt;
      for (const flavor of flavors) {
        const input = { flavor, include: false, orphanAfterSeconds: ORPHAN_AFTER_SECONDS };
        summaries.push(await run(input, { ...dependencies, runId: randomUUID() }));
      }
    }
  } finally {
    clients.connections.close();
  }
  return summaries;
}

/** The runners are EC2 instances, each with an id of its own. */
function instanceOf({ runner }: RunnerLife): string {
  return `i-0${hash("sha256", runner).slice(0, 16)}`;
}

/** What is recorded about the end of a machine whose cause is known: a spot interruption is announced two minutes before. */
function recordsOf(life: RunnerLife): { key: string; body: string; at: number }[] {
  const { died } = life;
  if (!died || died.cause === "unknown") return [];
  const record = (what: "terminated" | "spot-interruption", at: number) => ({
    key: endedKey({ instance: instanceOf(life), time: at, what }),
    body: "",
    at,
  });
  const terminated = record("terminated", died.at);
  return died.cause === "terminated" ? [terminated] : [record(died.cause, died.at - 120), terminated];
}

/** GitHub's answers about the fleet's jobs. */
function jobsOf(lives: readonly RunnerLife[]): JobLookup {
  const byRunner = new Map(lives.map((life) => [instanceOf(life), life]));
  const iso = (seconds: number) => `${new Date(seconds * 1000).toISOString().slice(0, 19)}Z`;
  return {
    async jobsOf({ storage }) {
      const life = byRunner.get(storage);
      if (!life?.job) return { jobs: [] };
      const { id, job: name, queued, began, conclusion, postStepsSkipped, cancelledInQueue } = life.job;
      const times = { created_at: iso(queued), started_at: iso(began) };
      const labels = ["self-hosted", life.flavor];
      const known = { id, name, labels, run_attempt: 1, runner_name: storage, status: "completed", conclusion };
      const steps = postStepsSkipped ? "post-steps-skipped" : "some";
      const cancelled = Array.from({ length: cancelledInQueue }, (_, index) => ({
        ...known,
        id: `${id}${index}`,
        name: `${name} (${index})`,
        runner_name: null,
        conclusion: "cancelled",
        created_at: iso(queued),
        started_at: null,
        steps: "none" as const,
      }));
      return { jobs: [{ ...known, ...times, steps }, ...cancelled] };
    },
  };
}

async function writeReport(local: LocalAws, until: number, out: string | undefined): Promise<string> {
  // DuckDB and Vega are loaded only for this.
  const { report } = await import("../../cli/report/report.ts");
  const folder = await mkdtemp(join(tmpdir(), "runner-metrics-report-"));
  const page = await report(
    {
      ...REPORT_DEFAULTS,
      archive: { bucket: BUCKET, endpoint: local.endpoint, region: "us-east-1" },
      cacheFolder: join(folder, "cache"),
      from: until - DAYS * 86_400,
      until: until + 1,
      flavors: [],
      timeZone: Intl.DateTimeFormat().resolvedOptions().timeZone,
      pricePerHour: PRICE_PER_HOUR,
    },
    "html",
  );
  const path = out ?? join(folder, "report.html");
  await writeFile(path, page);
  return path;
}
