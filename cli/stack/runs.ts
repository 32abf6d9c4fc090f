import * as z from "zod";
import type { Operations } from "./operations.ts";

/** What the commands show of a run's summary. It may be of another version of the function. */
const summary = z.looseObject({
  flavor: z.string(),
  listed: z.number(),
  extracted: z.number(),
  incomplete: z.number(),
  quarantined: z.number(),
  excluded: z.number(),
  notReady: z.number(),
  deferred: z.number(),
  vanished: z.number(),
  handedOver: z.number().optional(),
  stopped: z.string(),
  strays: z.number().optional(),
  errors: z.array(z.string()),
  deferralReasons: z.record(z.string(), z.number()),
  jobMetricsUnknown: z.record(z.string(), z.number()).optional(),
  runnersUnknown: z.string().optional(),
  endedUnknown: z.string().optional(),
  live: z.record(z.string(), z.object({ count: z.number(), oldestSeconds: z.number() })).optional(),
  objects: z.record(z.string(), z.number()).optional(),
  programs: z.record(z.string(), z.number()).optional(),
  github: z
    .looseObject({
      requests: z.number(),
      statuses: z.record(z.string(), z.number()),
      rateLimit: z.object({ limit: z.number(), remaining: z.number() }).optional(),
    })
    .optional(),
});
export type RunSummary = z.infer<typeof summary>;

/** A run that the log reports. */
export interface LoggedRun {
  /** When it ended, in milliseconds since the epoch. */
  readonly at: number;
  readonly durationMilliseconds: number;
  readonly summary: RunSummary;
}

const line = z.looseObject({ message: z.literal("run"), durationMilliseconds: z.number(), summary });

/** The last runs since a time, the newest last. */
export async function listRuns(
  operations: Pick<Operations, "logLines">,
  { since, last, flavor }: { since: number; last: number; flavor?: string | undefined },
): Promise<LoggedRun[]> {
  let runs: LoggedRun[] = [];
  const ofFlavor = flavor === undefined ? "" : ` && $.summary.flavor = "${flavor}"`;
  for await (const { at, message } of operations.logLines(since, `{ $.message = "run"${ofFlavor} }`)) {
    const run = parseRun(at, message);
    if (!run || (flavor !== undefined && run.summary.flavor !== flavor)) continue;
    runs.push(run);
    if (runs.length >= 2 * last + 1_000) runs = newest(runs, last);
  }
  return newest(runs, last);
}

function newest(runs: readonly LoggedRun[], last: number): LoggedRun[] {
  return runs.toSorted((one, other) => one.at - other.at).slice(-last);
}

function parseRun(at: number, message: string): LoggedRun | undefined {
  const start = message.indexOf("{");
  try {
    const { data } = line.safeParse(JSON.parse(message.slice(Math.max(0, start))));
    return data && { at, durationMilliseconds: data.durationMilliseconds, summary: data.summary };
  } catch {
    return undefined;
  }
}

/** The summary in an answer of the function; undefined if it is none. */
export function parseSummary(result: unknown): RunSummary | undefined {
  return summary.safeParse(result).data;
}

/** Reasons that do not go away until somebody changes the credentials, or the setting for them. */
const OF_CREDENTIALS = ["no-credentials", "unreadable-credentials", "denied", "untrusted-certificate"] as const;

/** Why GitHub does not serve us, and what it answered; undefined if it does, or was not asked. */
export function refusalOf({
  github,
  jobMetricsUnknown = {},
}: RunSummary): { reason: (typeof OF_CREDENTIALS)[number]; found: string } | undefined {
  const reason = OF_CREDENTIALS.find((one) => jobMetricsUnknown[one]);
  if (!reason) return undefined;
  const answers = Object.entries(github?.statuses ?? {}).map(([status, count]) => `HTTP ${status}: ${count}`);
  const answered =
    answers.length > 0
      ? `GitHub answered ${answers.join(", ")}`
      : "not asked in this run, as for a minute after a refusal";
  return { reason, found: `${reason}, jobs: ${jobMetricsUnknown[reason]}, ${answered}` };
}

/** What a run had to complain about, in lines. */
export function problemsOf(summary: RunSummary): string[] {
  const { deferralReasons, stopped, errors, runnersUnknown, endedUnknown, objects, strays } = summary;
  const refusal = refusalOf(summary);
  const deferred = Object.entries(deferralReasons).filter(([, count]) => count > 0);
  return [
    ...deferred.map(([reason, count]) => `deferred: ${count} (${reason})`),
    ...(stopped === "done" ? [] : [`stopped: ${stopped}`]),
    ...((objects?.denied ?? 0) + (objects?.failed ?? 0) > 0 ? ["objects could not be deleted"] : []),
    ...(strays ? [`objects outside any storage: ${strays}`] : []),
    ...(runnersUnknown ? [`GitHub did not say which runners are online: ${runnersUnknown}`] : []),
    ...(endedUnknown ? [`ended EC2 instances are not all known: ${endedUnknown}`] : []),
    ...(refusal ? [`GitHub did not say anything about jobs: ${refusal.found}`] : []),
    ...errors,
  ];
}
