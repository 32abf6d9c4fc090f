/** The environment of the collector's Lambda function, and the settings of the stack that become its variables. */
import * as z from "zod";
import { METRICS_NAMESPACE } from "./run-metrics.ts";

/** A whole number that an operator can set: a setting of the stack, passed to the function in a variable. */
interface NumberSetting {
  readonly variable: string;
  readonly min: number;
  readonly max: number;
  readonly default: number;
  readonly meaning: string;
}
type NumberSettings = Readonly<Record<string, NumberSetting>>;

/** Settings of every run. Adding one here adds the setting, the variable and the field of `RunConfig`. */
export const RUN_SETTINGS = {
  maxObjectsPerRunner: {
    variable: "MAX_OBJECTS_PER_RUNNER",
    min: 4,
    max: 1_000,
    default: 32,
    meaning:
      "Objects that a storage may hold. One with more is quarantined, and of its objects as many as this are copied",
  },
  concurrency: {
    variable: "CONCURRENCY",
    min: 1,
    // More is slower: one vCPU is full at 32 to 64 runners in progress (docs/decisions, 0005).
    max: 64,
    default: 32,
    meaning: "Runners in progress at once in one run",
  },
} as const satisfies NumberSettings;

/** Settings of the calls to GitHub, below `github`. */
export const GITHUB_SETTINGS = {
  timeBudgetSeconds: {
    variable: "GITHUB_TIME_BUDGET_SECONDS",
    min: 1,
    max: 600,
    default: 60,
    meaning: "How long one run may wait for GitHub in all, in seconds",
  },
  requestsMax: {
    variable: "GITHUB_REQUESTS_MAX",
    min: 1,
    max: 10_000,
    default: 500,
    // An App may make at least 5,000 in an hour.
    meaning: "How many calls to GitHub one run may make",
  },
} as const satisfies NumberSettings;

/** The values of settings, by name. */
export type ValuesOf<Settings extends NumberSettings> = Readonly<Record<keyof Settings, number>>;

/** GitHub's name of an owner. */
export const OWNER = /^[A-Za-z0-9_-]{1,39}$/;

const owners = z
  .string()
  .transform((text) => text.split(",").map((owner) => owner.trim()))
  .refine((list) => list.every((owner) => OWNER.test(owner)), "must be names of owners, separated by commas");

const apiUrl = z
  .string()
  .refine(isApiUrl, "must be an https URL such as https://api.github.com or https://HOST/api/v3")
  .transform((url) => url.replace(/\/$/, ""));

/** Lambda's limit for all variables together is 4 KB. https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html */
export const CA_CERTIFICATES_MAX = 3_000;

/** One or more certificates in PEM, and nothing else. */
export const CERTIFICATES = /^\s*(-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----\s*)+$/;

const caCertificates = z
  .string()
  .max(CA_CERTIFICATES_MAX, `must be at most ${CA_CERTIFICATES_MAX} characters: the root certificate is enough`)
  .regex(CERTIFICATES, "must be certificates in PEM and nothing else");

const required = z.string({ error: "is required" }).min(1, "is required");

/** The variables of the environment. The stack that deploys the function is typed by this schema. */
export const environment = z
  .object({
    BUCKET_NAME: required.describe("Name of the bucket"),
    EVENT_BUS_NAME: required.describe("Name of the event bus"),
    ...variablesOf(RUN_SETTINGS),
    METRICS_NAMESPACE: z
      .string()
      .regex(/^[0-9A-Za-z._/#:-]{1,255}$/, "must be the name of a namespace in CloudWatch")
      .refine((name) => !name.startsWith("AWS/"), "must not begin with AWS/")
      .default(METRICS_NAMESPACE)
      .describe("CloudWatch's namespace of the metrics"),
    ENDED_INSTANCES: z
      .enum(["on", "off"])
      .default("off")
      .describe("Whether the bucket records how EC2 instances end, so that runs look there"),
    KMS_KEY_ARN: z
      .string()
      .regex(/^arn:[^:]+:kms:[^:]+:[0-9]{12}:key\//, "must be the ARN of a key, and not of an alias")
      .optional()
      .describe("ARN of the KMS key that encrypts the bucket, if it has one"),
    WORKER_CONCURRENCY: z
      .string()
      .regex(/^[0-9]+$/, "must be a whole number")
      .transform(Number)
      .pipe(z.int().min(1).max(RUN_SETTINGS.concurrency.max))
      .optional()
      .describe("Runners in progress at once in one worker. By default as many as in a run"),
    GITHUB_SECRET_ID: z
      .string()
      .min(1)
      .max(2_048)
      .optional()
      .describe("Name or ARN of the secret with the credentials for GitHub. Without it GitHub is not asked"),
    GITHUB_OWNERS: owners.optional().describe("GitHub is asked only about repositories of these owners"),
    GITHUB_API_URL: apiUrl
      .default("https://api.github.com")
      .describe("The API of GitHub, GHE.com or Enterprise Server"),
    GITHUB_CA_CERTIFICATES: caCertificates
      .optional()
      .describe("Certificates (PEM) of the private authority that signed Enterprise Server's certificate"),
    ...variablesOf(GITHUB_SETTINGS),
    GITHUB_MISMATCH: z
      .enum(["flag", "quarantine"])
      .default("flag")
      .describe("What happens to a runner that claims a job which GitHub says it did not do"),
  })
  .refine(({ GITHUB_SECRET_ID, GITHUB_OWNERS }) => !GITHUB_SECRET_ID === !GITHUB_OWNERS, {
    path: ["GITHUB_OWNERS"],
    error: "must be set together with GITHUB_SECRET_ID: set both, or neither",
  });

/** Names and types of the variables as they are set, all of them text. */
export type Environment = z.input<typeof environment>;
/** The variables as they are read. */
export type Variables = z.output<typeof environment>;

/** The settings' values out of the variables that were read. */
export function valuesOf<Settings extends NumberSettings>(
  settings: Settings,
  variables: Variables,
): ValuesOf<Settings> {
  const values: Readonly<Record<string, unknown>> = variables;
  return Object.fromEntries(
    Object.entries(settings).map(([name, { variable }]) => [name, values[variable]]),
  ) as ValuesOf<Settings>;
}

/** The variables to set for the settings' values. */
export function environmentOf<Settings extends NumberSettings>(
  settings: Settings,
  values: ValuesOf<Settings>,
): Record<Settings[keyof Settings]["variable"], string> {
  return Object.fromEntries(
    Object.entries(settings).map(([name, { variable }]) => [variable, String(values[name])]),
  ) as Record<Settings[keyof Settings]["variable"], string>;
}

function variablesOf<Settings extends NumberSettings>(settings: Settings) {
  return Object.fromEntries(
    Object.values(settings).map((setting) => [setting.variable, wholeNumber(setting)]),
  ) as Record<Settings[keyof Settings]["variable"], ReturnType<typeof wholeNumber>>;
}

function wholeNumber({ min, max, default: byDefault, meaning }: NumberSetting) {
  return z
    .string()
    .regex(/^[0-9]+$/, "must be a whole number")
    .transform(Number)
    .pipe(z.int().min(min).max(max))
    .default(byDefault)
    .describe(meaning);
}

/** Tokens are sent there: only over TLS, or to this machine. */
function isApiUrl(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, hostname, username, password, search, hash } = new URL(text);
  const isLoopback = ["127.0.0.1", "[::1]", "localhost"].includes(hostname);
  const isSafe = protocol === "https:" || (protocol === "http:" && isLoopback);
  return isSafe && username === "" && password === "" && search === "" && hash === "";
}
