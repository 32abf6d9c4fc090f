import { Token } from "aws-cdk-lib";
import { RetentionDays } from "aws-cdk-lib/aws-logs";
import * as z from "zod";
import { environment, GITHUB_SETTINGS, RUN_SETTINGS } from "../contract/environment.ts";
import { parse } from "../contract/parse.ts";
import { ORPHAN_AFTER_SECONDS, scheduleInput } from "../contract/schedule-input.ts";
import { MESSAGE_RETENTION_SECONDS } from "../contract/work-message.ts";

/** Lambda's own limit, and what a run needs at least: it starts no runner in its last 10 seconds. */
const TIMEOUT_SECONDS_MAX = 900;
const TIMEOUT_SECONDS_MIN = 30;

/** Longest default for the time-out of a run: more than a run over 20,000 runners takes. */
const TIMEOUT_SECONDS_DEFAULT = 300;

/** Each flavor has some twelve resources, or fifteen with workers, of the 500 that a stack may have, and is named in policies of at most 6,144 characters. */
const FLAVORS_MAX = 20;

/** CloudWatch looks at most one day back for an alarm whose period is shorter than an hour. */
const ALARM_SECONDS_MAX = 86_400;

const SECONDS_PER_DAY = 86_400;

/**
 * Lambda invokes at most so many workers of one queue; SQS's least is 2. More than 100 would only make S3 throttle.
 * https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html
 */
const WORKERS_MIN = 2;
const WORKERS_MAX = 100;

/** Most runners in progress at once in all workers of a flavor: see docs/decisions, 0018. */
const IN_PROGRESS_PER_PREFIX = 125;

/**
 * For so many time-outs of the function SQS hides a message that a worker has: Lambda's advice.
 * https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html
 */
export const VISIBILITY_TIMEOUTS = 6;

/** The longest period of an alarm. */
const ALARM_HOURS_MAX = 24;

/** A runner sends its files again only after 45 minutes without an upload: one that is presumed dead earlier may lose events. */
const ORPHAN_AFTER_SECONDS_MIN = 3_600;

/** Runners extracted in the period of the alarm `LostRunners`: with fewer, one lost runner would be a high rate. */
export const LOST_RATE_RUNNERS_MIN = 10;

const hours = () => z.int().min(1).max(ALARM_HOURS_MAX).optional();

/** Alarms of a flavor that only its users can set limits for. */
const flavorAlarms = z.strictObject({
  queueSeconds: z
    .int()
    .min(1)
    .optional()
    .describe("`QueueTime`: the 95th percentile of the queue time in 30 minutes, in seconds. Needs `github`"),
  lostPercent: z
    .number()
    .gt(0)
    .max(100)
    .optional()
    .describe(
      `\`LostRunners\`: lost runners in 6 hours, in per cent of the runners extracted, if those are at least ${LOST_RATE_RUNNERS_MIN}`,
    ),
  failedInstallations: z.int().min(1).optional().describe("`FailedInstallations`: failed installations in an hour"),
  nothingExtractedHours: hours().describe(
    "`NothingExtracted`: hours in which no runner was extracted, although on average at least one was there",
  ),
  busyHours: hours().describe(
    "`BusyTooLong`: hours since the oldest running job started. Must be below orphanAfterSeconds unless githubRunners is set",
  ),
});

const flavor = z.strictObject({
  everyMinutes: z.int().min(1).max(1_440).default(5).describe("Minutes from one run to the next"),
  orphanAfterSeconds: z
    .int()
    .min(ORPHAN_AFTER_SECONDS_MIN)
    .default(ORPHAN_AFTER_SECONDS)
    .describe(
      "Seconds without an upload after which a runner is presumed dead, at least 3,600. Must be longer than the longest job and the longest wait for a job, unless `githubRunners` is set: a runner uploads nothing in either",
    ),
  githubRunners: scheduleInput.shape.githubRunners.describe(
    "Organisation (`acme`) or repository (`acme/widgets`): GitHub is asked which of its runners are online or busy",
  ),
  jobsPerRunner: z
    .enum(["one", "many"])
    .default("one")
    .describe(
      "`many` for persistent runners: the policies also allow the slots `~00` to `~99`, in which a runner reports its further jobs",
    ),
  retired: z
    .boolean()
    .default(false)
    .describe(
      "Whether the flavor is being removed: it is still collected, but has no policies for its runners any more",
    ),
  alarms: flavorAlarms.optional().describe("Further alarms, each off unless set"),
});

const github = z.strictObject({
  owners: z
    .array(z.string())
    .min(1, "must name at least one owner")
    .superRefine((owners, context) => checkVariable("GITHUB_OWNERS", owners.join(","), context))
    .describe("GitHub is asked only about repositories of these owners"),
  apiUrl: z
    .string()
    .superRefine((url, context) => checkVariable("GITHUB_API_URL", url, context))
    .optional()
    .describe("API of GitHub Enterprise Server (`https://HOST/api/v3`) or GHE.com (`https://api.SUBDOMAIN.ghe.com`)"),
  caCertificates: z
    .string()
    .superRefine((pem, context) => checkVariable("GITHUB_CA_CERTIFICATES", pem, context))
    .optional()
    .describe("Certificates (PEM) of the private authority that signed Enterprise Server's certificate"),
  ...numbersOf(GITHUB_SETTINGS),
  mismatch: z
    .enum(["flag", "quarantine"])
    .default("flag")
    .describe("What happens to a runner that claims a job which GitHub says it did not do"),
});

const days = (byDefault: number, meaning: string) => z.int().min(1).max(3_650).default(byDefault).describe(meaning);

const isOn = (byDefault: boolean, meaning: string) => z.boolean().default(byDefault).describe(meaning);

const retentionDays = Object.values(RetentionDays).filter((value) => typeof value === "number" && value !== 9999);

const shape = {
  flavors: z
    .record(scheduleInput.shape.flavor, flavor)
    .refine((flavors) => Object.keys(flavors).length > 0, "must name at least one flavor")
    .refine(
      (flavors) => Object.keys(flavors).length <= FLAVORS_MAX,
      `must be at most ${FLAVORS_MAX}, the most that CloudFormation and IAM allow in one stack. Deploy another stack with a stackName of its own`,
    )
    .superRefine(checkHyphens)
    .describe("Flavors of runners, each with its schedule"),
  github: github.optional().describe("Without it GitHub is not asked"),
  ...numbersOf(RUN_SETTINGS),
  memoryMegabytes: z.int().min(512).max(10_240).default(1_024).describe("Memory of the function"),
  timeoutSeconds: z
    .int()
    .min(TIMEOUT_SECONDS_MIN)
    .max(TIMEOUT_SECONDS_MAX)
    .optional()
    .describe("Time-out of a run. By default 4/5 of the shortest interval, at most 300"),
  reservedConcurrency: z
    .int()
    .min(1)
    .optional()
    .describe(
      "Reserved concurrency of the function. Off by default: in a new account, with a limit of 10, it fails the deployment. With `workers`, at least as many and one more for each flavor",
    ),
  workers: z
    .int()
    .min(0)
    .max(WORKERS_MAX)
    .refine((count) => count === 0 || count >= WORKERS_MIN, `must be 0, or at least ${WORKERS_MIN}`)
    .default(0)
    .describe(
      `Most workers at once, ${WORKERS_MIN} to ${WORKERS_MAX}: further invocations of the function, which do what one run can't finish. Each flavor has an equal part, of ${WORKERS_MIN} or more. 0: each run does all by itself`,
    ),
  uncollectedRetentionDays: days(14, "Days after which uploads that no run has collected are deleted"),
  quarantineRetentionDays: days(90, "Days after which quarantined files are deleted"),
  eventRetentionDays: days(400, "Days after which events in the bucket's archive are deleted"),
  archiveRetentionDays: z
    .int()
    .min(0)
    .max(3_650)
    .default(30)
    .describe("Days for which events can be replayed from EventBridge's archive, the replay archive; 0 for none"),
  logRetentionDays: z
    .int()
    .refine((value) => retentionDays.includes(value), `must be one of ${retentionDays.join(", ")}`)
    .default(RetentionDays.ONE_MONTH)
    .describe("Days for which the function's log and the log of all events are kept, one of CloudWatch's numbers"),
  manageBucketPolicy: isOn(
    false,
    "Whether an existing bucket gets all statements of a new one. Delete the policy that it has first: CloudFormation creates none for a bucket that has one",
  ),
  accessLogs: isOn(true, "Whether S3 logs each access to a new bucket in a second one, for `logRetentionDays`"),
  schemaRegistry: isOn(
    false,
    "Whether the event schemas are put into EventBridge's schema registry, which some regions do not have",
  ),
  endedInstances: isOn(
    false,
    "Whether the stack records how EC2 instances of the account and region end, so that runners on terminated ones are collected after two minutes, and runners that are presumed dead have a cause. One stack for each bucket",
  ),
  dashboard: isOn(true, "Whether there is a dashboard, with its queries saved in Logs Insights"),
  alarms: isOn(true, "Whether there are alarms and a topic"),
  runnerRoles: isOn(
    true,
    "Whether there is a role for EC2 instances of each flavor. Its policies are there in any case",
  ),
  instanceProfiles: isOn(true, "Whether each of these roles has an instance profile"),
  metricsNamespace: z
    .string()
    .superRefine((name, context) => checkVariable("METRICS_NAMESPACE", name, context))
    .optional()
    .describe("CloudWatch's namespace of all metrics. By default the name of the stack"),
  alarmEmail: z
    .email("must be an e-mail address")
    .optional()
    .describe("Receives all alarms after the link in SNS's first e-mail is confirmed"),
  noRunAlarmAfterIntervals: z
    .int()
    .min(2)
    .max(100)
    .default(3)
    .describe("Intervals without a run until the alarm NoRun. A run may start late by a fifth of the interval"),
  deferredAlarmAfterRuns: z
    .int()
    .min(1)
    .max(100)
    .default(3)
    .describe("Runs in a row with a problem until the alarms Deferred, NotDeleted, DeadlineReached and GithubRunners"),
  emulator: isOn(
    false,
    "Leaves out what MiniStack does not have: the replay archive, the policy of the bus, and saved queries. Never for an AWS account",
  ),
};

/** Settings of the `RunnerMetrics` construct. */
export const settings = z.strictObject(shape).superRefine(checkTogether);
export type Settings = z.output<typeof settings>;
export type SettingsInput = z.input<typeof settings>;

/** Settings of the stock app in cdk.json: also names and ARNs of existing resources. */
export const stackSettings = z
  .strictObject({
    ...shape,
    stackName: z
      .string()
      .regex(/^[A-Za-z][A-Za-z0-9-]{0,127}$/, "must be the name of a stack")
      .default("RunnerMetrics")
      .describe("Name of the stack"),
    bucketName: z
      .string()
      .regex(/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/, "must be the name of a bucket")
      .optional()
      .describe("Name of an existing bucket to use instead of a new one"),
    kmsKeyArn: z
      .string()
      .superRefine((keyArn, context) => checkVariable("KMS_KEY_ARN", keyArn, context))
      .optional()
      .describe("ARN of the KMS key of the existing bucket, or of the key to encrypt the new one with"),
    eventBusName: z
      .string()
      .regex(/^[A-Za-z0-9._/-]{1,256}$/, "must be the name of an event bus")
      .optional()
      .describe("Name of an existing event bus to use instead of a new one"),
    alarmTopicArn: arn("sns").optional().describe("ARN of an existing SNS topic for the alarms"),
    github: github
      .extend({
        secretArn: arn("secretsmanager")
          .optional()
          .describe("ARN of an existing secret. By default the stack creates one, to be filled in"),
      })
      .optional()
      .describe("Without it GitHub is not asked"),
    removalPolicy: z
      .enum(["retain", "destroy"])
      .default("retain")
      .describe(
        "What happens to bucket, logs and secret when the stack is deleted. The access logs stay until they expire",
      ),
  })
  .superRefine(checkTogether)
  .superRefine(({ alarmEmail, alarmTopicArn, manageBucketPolicy, bucketName }, { addIssue }) => {
    const problem = (name: string, message: string) => addIssue({ code: "custom", path: [name], message });
    if (alarmEmail && alarmTopicArn)
      problem("alarmEmail", "can't be combined with alarmTopicArn: it is for a topic of the stack");
    if (manageBucketPolicy && !bucketName)
      problem("manageBucketPolicy", "needs bucketName: a bucket of the stack has the policy anyway");
  });
export type StackSettings = z.output<typeof stackSettings>;
export type StackSettingsInput = z.input<typeof stackSettings>;

/** Checks settings; throws one error that names every wrong one and what is wrong with it. Tokens pass unchecked. */
export function parseSettings<Schema extends z.ZodType>(
  schema: Schema,
  input: unknown,
  where: string,
): z.output<Schema> {
  const tokens: UnknownValue[] = [];
  const settings = parse(schema, withoutTokens(input, [], tokens), `settings (${where})`);
  for (const { path, value } of tokens) putBack(settings, path, value);
  return settings;
}

interface UnknownValue {
  readonly path: readonly string[];
  readonly value: unknown;
}

/** A copy of the input in which a value that only the deployment knows is absent, and in a list a word that any list accepts. */
function withoutTokens(input: unknown, path: readonly string[], tokens: UnknownValue[]): unknown {
  if (typeof input !== "object" || input === null) return input;
  const copy = Object.entries(input).map(([name, value]) => {
    const isToken = Token.isUnresolved(value);
    if (isToken) tokens.push({ path: [...path, name], value });
    if (!isToken) return [name, withoutTokens(value, [...path, name], tokens)] as const;
    return [name, Array.isArray(value) ? ["token"] : Array.isArray(input) ? "token" : undefined] as const;
  });
  return Array.isArray(input) ? copy.map(([, value]) => value) : Object.fromEntries(copy);
}

function putBack(target: unknown, [name = "", ...path]: readonly string[], value: unknown): void {
  const values = target as Record<string, unknown>;
  if (path.length > 0) putBack(values[name], path, value);
  else values[name] = value;
}

/** Seconds that a run may take. */
export function timeoutSeconds({ timeoutSeconds, flavors }: Pick<Settings, "timeoutSeconds" | "flavors">): number {
  return timeoutSeconds ?? Math.min(TIMEOUT_SECONDS_DEFAULT, 0.8 * shortestIntervalSeconds(flavors));
}

function shortestIntervalSeconds(flavors: Settings["flavors"]): number {
  return 60 * Math.min(...Object.values(flavors).map(({ everyMinutes }) => everyMinutes));
}

interface Together
  extends Pick<
    Settings,
    | "flavors"
    | "github"
    | "timeoutSeconds"
    | "reservedConcurrency"
    | "workers"
    | "uncollectedRetentionDays"
    | "noRunAlarmAfterIntervals"
    | "deferredAlarmAfterRuns"
  > {}

/** Outputs and logical ids of CloudFormation consist of letters and digits only. */
function checkHyphens(flavors: Readonly<Record<string, unknown>>, { addIssue }: z.RefinementCtx): void {
  const known = new Map<string, string>();
  for (const flavor of Object.keys(flavors)) {
    const name = flavor.replaceAll("-", "");
    const other = known.get(name);
    if (other) addIssue({ code: "custom", path: [flavor], message: `must differ from ${other} in more than hyphens` });
    known.set(name, flavor);
  }
}

/** Rules about several settings. */
function checkTogether(settings: Together, context: z.RefinementCtx): void {
  checkTimes(settings, context);
  checkWorkers(settings, context);
  checkGithub(settings, context);
}

/** Workers at once of each flavor: an equal part of the stack's. */
export function workersOfFlavor(workers: number, flavors: number): number {
  return Math.floor(workers / flavors);
}

/** Runners in progress at once in one of a flavor's workers, in a function that has so many in one run. */
export function workerConcurrency(workers: number, concurrency: number): number {
  return Math.min(concurrency, Math.max(1, Math.floor(IN_PROGRESS_PER_PREFIX / workers)));
}

function checkWorkers(settings: Together, { addIssue }: z.RefinementCtx): void {
  const { workers, reservedConcurrency, flavors } = settings;
  if (workers === 0) return;
  const problem = (path: string[], message: string) => addIssue({ code: "custom", path, message });
  // Otherwise a message whose worker failed would expire before SQS puts it into the dead-letter queue.
  if (VISIBILITY_TIMEOUTS * timeoutSeconds(settings) >= MESSAGE_RETENTION_SECONDS) {
    const below = MESSAGE_RETENTION_SECONDS / VISIBILITY_TIMEOUTS;
    problem(["timeoutSeconds"], `must be below ${below} with workers: SQS keeps their messages for an hour`);
  }
  const count = Object.keys(flavors).length;
  if (workersOfFlavor(workers, count) < WORKERS_MIN)
    problem(["workers"], `must be at least ${WORKERS_MIN} for each flavor`);
  const needed = workers + count;
  if (reservedConcurrency !== undefined && reservedConcurrency < needed) {
    problem(["reservedConcurrency"], `must be at least ${needed}, for the workers and a run of each flavor`);
  }
}

/** What only GitHub knows needs `github`. */
function checkGithub({ flavors, github }: Together, { addIssue }: z.RefinementCtx): void {
  for (const [name, { githubRunners, alarms }] of Object.entries(flavors)) {
    if (github) continue;
    const needsGithub = (...path: string[]) =>
      addIssue({ code: "custom", path: ["flavors", name, ...path], message: "needs github" });
    if (githubRunners) needsGithub("githubRunners");
    if (alarms?.queueSeconds) needsGithub("alarms", "queueSeconds");
  }
}

function checkTimes(times: Together, { addIssue }: z.RefinementCtx): void {
  const { flavors, uncollectedRetentionDays } = times;
  const problem = (path: string[], message: string) => addIssue({ code: "custom", path, message });
  if (times.timeoutSeconds !== undefined && times.timeoutSeconds >= shortestIntervalSeconds(flavors)) {
    problem(["timeoutSeconds"], "must be below the shortest interval, or runs overlap");
  }
  for (const [name, { everyMinutes, orphanAfterSeconds, githubRunners, alarms }] of Object.entries(flavors)) {
    if (orphanAfterSeconds >= uncollectedRetentionDays * SECONDS_PER_DAY) {
      problem(
        ["flavors", name, "orphanAfterSeconds"],
        "must be below uncollectedRetentionDays, or the files of runners that are presumed dead are deleted unread",
      );
    }
    if (!githubRunners && alarms?.busyHours && alarms.busyHours * 3_600 >= orphanAfterSeconds) {
      problem(
        ["flavors", name, "alarms", "busyHours"],
        "must be below orphanAfterSeconds, or the runner is presumed dead before",
      );
    }
    for (const alarm of ["noRunAlarmAfterIntervals", "deferredAlarmAfterRuns"] as const) {
      if (times[alarm] * everyMinutes * 60 > ALARM_SECONDS_MAX) {
        problem([alarm], `times everyMinutes of ${name} must be at most a day: CloudWatch looks no further back`);
      }
    }
  }
}

/** Numbers that the function reads from its environment, with the function's own limits. */
function numbersOf<Settings extends typeof RUN_SETTINGS | typeof GITHUB_SETTINGS>(settings: Settings) {
  const schemas = Object.entries(settings).map(([name, { min, max, default: byDefault, meaning }]) => [
    name,
    z.int().min(min).max(max).default(byDefault).describe(meaning),
  ]);
  return Object.fromEntries(schemas) as Record<keyof Settings, z.ZodDefault<z.ZodInt>>;
}

function checkVariable(name: keyof typeof environment.shape, value: string, context: z.RefinementCtx): void {
  const parsed = environment.shape[name].safeParse(value);
  for (const { message } of parsed.error?.issues ?? []) context.addIssue({ code: "custom", message });
}

function arn(service: string) {
  return z.string().regex(new RegExp(`^arn:[a-z-]+:${service}:`), `must be an ARN of ${service}`);
}
