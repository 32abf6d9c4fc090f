import { RetentionDays } from "aws-cdk-lib/aws-logs";
import * as z from "zod";
import { environment, GITHUB_SETTINGS, RUN_SETTINGS } from "../contract/environment.ts";
import { parse } from "../contract/parse.ts";
import { ORPHAN_AFTER_SECONDS, scheduleInput } from "../contract/schedule-input.ts";

/** Lambda's own limit, and what a run needs at least: it begins no runner in its last 10 seconds. */
const TIMEOUT_SECONDS_MAX = 900;
const TIMEOUT_SECONDS_MIN = 30;

/** Longest default for the time-out of a run: more than a run over 20,000 runners takes. */
const TIMEOUT_SECONDS_DEFAULT = 300;

/** Each flavor has some twelve resources, of the 500 that a stack may have, and is named in policies of at most 6,144 characters. */
const FLAVORS_MAX = 20;

/** CloudWatch looks at most one day back for an alarm whose period is shorter than an hour. */
const ALARM_SECONDS_MAX = 86_400;

const SECONDS_PER_DAY = 86_400;

const flavor = z.strictObject({
  /** Minutes from one run to the next. */
  everyMinutes: z.int().min(1).max(1_440).default(5),
  /** Seconds without an upload after which a runner is taken for dead. */
  orphanAfterSeconds: z.int().nonnegative().default(ORPHAN_AFTER_SECONDS),
  /** Organisation (`acme`) or repository (`acme/widgets`) whose runners GitHub is asked for: those that it names live. */
  githubRunners: scheduleInput.shape.githubRunners,
});

const github = z.strictObject({
  /** Only of repositories of these owners GitHub is asked. */
  owners: z
    .array(z.string())
    .min(1, "must name at least one owner")
    .superRefine((owners, context) => checkVariable("GITHUB_OWNERS", owners.join(","), context)),
  /** Of a secret that exists already. Without it the stack makes one, to be filled in: see docs/github.md. */
  secretArn: arn("secretsmanager").optional(),
  /** Of GitHub Enterprise Server (`https://HOST/api/v3`) or GHE.com (`https://api.SUBDOMAIN.ghe.com`). */
  apiUrl: z
    .string()
    .superRefine((url, context) => checkVariable("GITHUB_API_URL", url, context))
    .optional(),
  ...numbersOf(GITHUB_SETTINGS),
  /** What becomes of a runner that claims a job which GitHub says it did not do. */
  mismatch: z.enum(["flag", "quarantine"]).default("flag"),
});

const days = (byDefault: number) => z.int().min(1).max(3_650).default(byDefault);

const retentionDays = Object.values(RetentionDays).filter((value) => typeof value === "number" && value !== 9999);

const shape = {
  /** Flavors of runners, each with its schedule. */
  flavors: z
    .record(scheduleInput.shape.flavor, flavor)
    .refine((flavors) => Object.keys(flavors).length > 0, "must name at least one flavor")
    .refine(
      (flavors) => Object.keys(flavors).length <= FLAVORS_MAX,
      `must be at most ${FLAVORS_MAX}: CloudFormation and IAM take no more in one stack. Deploy another, with a stackName of its own`,
    )
    .superRefine(checkHyphens),
  /** Without it GitHub is not asked. */
  github: github.optional(),
  ...numbersOf(RUN_SETTINGS),
  memoryMegabytes: z.int().min(256).max(10_240).default(1_024),
  /** By default four fifths of the shortest interval, and no more than 300. */
  timeoutSeconds: z.int().min(TIMEOUT_SECONDS_MIN).max(TIMEOUT_SECONDS_MAX).optional(),
  /** Off by default: on a fresh account, whose limit is 10, any reservation fails the deployment. */
  reservedConcurrency: z.int().min(1).optional(),
  /** Days after which what nobody collected is deleted. */
  uncollectedRetentionDays: days(14),
  quarantineRetentionDays: days(90),
  /** Days for which events can be replayed from the archive; 0 for no archive. */
  archiveRetentionDays: z.int().min(0).max(3_650).default(30),
  /** Of the Lambda's log and of the log of all events. CloudWatch knows only some numbers of days. */
  logRetentionDays: z
    .int()
    .refine((value) => retentionDays.includes(value), `must be one of ${retentionDays.join(", ")}`)
    .default(RetentionDays.ONE_MONTH),
  /** Whether S3 logs each access to the bucket in a second one. */
  accessLogs: z.boolean().default(false),
  /** Whether the schemas of the events are put into EventBridge's schema registry. */
  schemaRegistry: z.boolean().default(true),
  /** Gets all alarms. Has to be confirmed by the link in SNS's first e-mail. */
  alarmEmail: z.email("must be an e-mail address").optional(),
  noRunAlarmAfterIntervals: z.int().min(1).max(100).default(3),
  deferredAlarmAfterRuns: z.int().min(1).max(100).default(3),
  /** What becomes of bucket, bus, archive and logs when the stack is taken down. */
  removalPolicy: z.enum(["retain", "destroy"]).default("retain"),
};

/** What the `RunnerMetrics` construct is told. */
export const settings = z.strictObject(shape).superRefine(checkTogether);
export type Settings = z.output<typeof settings>;
export type SettingsInput = z.input<typeof settings>;

/** What the stock app is told in cdk.json: as above, with names and ARNs of what exists already. */
export const stackSettings = z
  .strictObject({
    ...shape,
    stackName: z
      .string()
      .regex(/^[A-Za-z][A-Za-z0-9-]{0,127}$/, "must be the name of a stack")
      .default("RunnerMetrics"),
    bucketName: z
      .string()
      .regex(/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/, "must be the name of a bucket")
      .optional(),
    /** Of the existing bucket, or to encrypt the new one with. */
    kmsKeyArn: z
      .string()
      .superRefine((keyArn, context) => checkVariable("KMS_KEY_ARN", keyArn, context))
      .optional(),
    eventBusName: z
      .string()
      .regex(/^[A-Za-z0-9._/-]{1,256}$/, "must be the name of an event bus")
      .optional(),
    alarmTopicArn: arn("sns").optional(),
  })
  .superRefine(checkTogether)
  .superRefine(({ alarmEmail, alarmTopicArn }, context) => {
    if (!alarmEmail || !alarmTopicArn) return;
    context.addIssue({
      code: "custom",
      path: ["alarmEmail"],
      message: "is for a topic of our own: leave it, or alarmTopicArn",
    });
  })
  .superRefine(({ accessLogs, bucketName }, context) => {
    if (!accessLogs || !bucketName) return;
    context.addIssue({
      code: "custom",
      path: ["accessLogs"],
      message: "is for a bucket of our own: set it up on yours",
    });
  });
export type StackSettings = z.output<typeof stackSettings>;

/** Checks settings; throws one error that names every wrong one and what is wrong with it. */
export function parseSettings<Schema extends z.ZodType>(
  schema: Schema,
  input: unknown,
  where: string,
): z.output<Schema> {
  return parse(schema, input, `settings (${where})`);
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
    | "uncollectedRetentionDays"
    | "noRunAlarmAfterIntervals"
    | "deferredAlarmAfterRuns"
  > {}

/** Outputs and logical ids of CloudFormation have letters and digits only. */
function checkHyphens(flavors: Readonly<Record<string, unknown>>, { addIssue }: z.RefinementCtx): void {
  const known = new Map<string, string>();
  for (const flavor of Object.keys(flavors)) {
    const name = flavor.replaceAll("-", "");
    const other = known.get(name);
    if (other) addIssue({ code: "custom", path: [flavor], message: `must differ from ${other} in more than hyphens` });
    known.set(name, flavor);
  }
}

/** What the settings must be to each other. */
function checkTogether(settings: Together, context: z.RefinementCtx): void {
  checkTimes(settings, context);
  checkGithub(settings, context);
}

/** Whose runners GitHub is asked for, it can be asked for only where there is GitHub. */
function checkGithub({ flavors, github }: Together, { addIssue }: z.RefinementCtx): void {
  for (const [name, { githubRunners }] of Object.entries(flavors)) {
    if (!githubRunners || github) continue;
    addIssue({ code: "custom", path: ["flavors", name, "githubRunners"], message: "needs github" });
  }
}

function checkTimes(times: Together, { addIssue }: z.RefinementCtx): void {
  const { flavors, uncollectedRetentionDays } = times;
  const problem = (path: string[], message: string) => addIssue({ code: "custom", path, message });
  if (times.timeoutSeconds !== undefined && times.timeoutSeconds >= shortestIntervalSeconds(flavors)) {
    problem(["timeoutSeconds"], "must be below the shortest interval, or runs overlap");
  }
  for (const [name, { everyMinutes, orphanAfterSeconds }] of Object.entries(flavors)) {
    if (orphanAfterSeconds >= uncollectedRetentionDays * SECONDS_PER_DAY) {
      problem(
        ["flavors", name, "orphanAfterSeconds"],
        "must be below uncollectedRetentionDays, or orphans are deleted unread",
      );
    }
    for (const alarm of ["noRunAlarmAfterIntervals", "deferredAlarmAfterRuns"] as const) {
      if (times[alarm] * everyMinutes * 60 > ALARM_SECONDS_MAX) {
        problem([alarm], `times everyMinutes of ${name} must be at most a day: CloudWatch looks no further back`);
      }
    }
  }
}

/** Numbers that the Lambda reads from its environment, checked as the Lambda checks them. */
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
