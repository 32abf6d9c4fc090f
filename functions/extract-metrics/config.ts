import * as z from "zod";
import { FILE_SIZE_BYTES_LIMIT } from "../metrics/files.ts";
import type { GithubConfig, RunConfig } from "../ports.ts";

/** Of two files of this size, the events still fit in one PutEvents entry (256 KB). */
const FILE_SIZE_BYTES_LIMIT_MAX = 64 * 1024;

const prefix = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._/-]{0,127}\/$/, "must end with / and be made of A-Z a-z 0-9 . _ - /");

function integer(min: number, max: number, byDefault: number) {
  return z
    .string()
    .regex(/^[0-9]+$/, "must be a whole number")
    .transform(Number)
    .pipe(z.int().min(min).max(max))
    .default(byDefault);
}

/** GitHub's names of owners. */
const OWNER = /^[A-Za-z0-9_-]{1,39}$/;

const owners = z
  .string()
  .transform((text) => text.split(",").map((owner) => owner.trim()))
  .refine((list) => list.every((owner) => OWNER.test(owner)), "must be names of owners, with commas between them");

const apiUrl = z
  .string()
  .refine(isApiUrl, "must be an https URL such as https://api.github.com or https://HOST/api/v3")
  .transform((url) => url.replace(/\/$/, ""));

const required = z.string({ error: "is required" }).min(1, "is required");

/** The environment of the Lambda function. The stack that deploys it is typed by this. */
export const environment = z
  .object({
    BUCKET_NAME: required,
    EVENT_BUS_NAME: required,
    RUNNERS_PREFIX: prefix.default("runners/"),
    QUARANTINE_PREFIX: prefix.default("quarantine/"),
    FILE_SIZE_BYTES_LIMIT: integer(1, FILE_SIZE_BYTES_LIMIT_MAX, FILE_SIZE_BYTES_LIMIT),
    MAX_OBJECTS_PER_RUNNER: integer(4, 1_000, 32),
    CONCURRENCY: integer(1, 128, 32),
    KMS_KEY_ARN: z
      .string()
      .regex(/^arn:[^:]+:kms:[^:]+:[0-9]{12}:key\//, "must be the ARN of a key, and not of an alias")
      .optional(),
    /** Of the secret that holds GitHub's credentials. Without it GitHub is not asked. */
    GITHUB_SECRET_ID: z.string().min(1).max(2_048).optional(),
    /** Only of these owners' repositories GitHub is asked: the others have nothing to do with this fleet. */
    GITHUB_OWNERS: owners.optional(),
    GITHUB_API_URL: apiUrl.default("https://api.github.com"),
    /** How long one run may wait for GitHub in all. */
    GITHUB_TIME_BUDGET_SECONDS: integer(1, 600, 60),
    /** How many calls one run may make. An App may make at least 5,000 in an hour. */
    GITHUB_REQUESTS_MAX: integer(1, 10_000, 500),
    /** What becomes of a runner that claims a job which GitHub says it did not do. */
    GITHUB_MISMATCH: z.enum(["flag", "quarantine"]).default("flag"),
  })
  .refine(({ GITHUB_SECRET_ID, GITHUB_OWNERS }) => !GITHUB_SECRET_ID === !GITHUB_OWNERS, {
    path: ["GITHUB_OWNERS"],
    error: "goes with GITHUB_SECRET_ID: set both, or neither",
  })
  .refine(
    ({ RUNNERS_PREFIX, QUARANTINE_PREFIX }) =>
      !RUNNERS_PREFIX.startsWith(QUARANTINE_PREFIX) && !QUARANTINE_PREFIX.startsWith(RUNNERS_PREFIX),
    { path: ["QUARANTINE_PREFIX"], error: "must not lie inside of RUNNERS_PREFIX, nor the other way round" },
  );

/** Names and types of the environment's variables as they are given, all of them text. */
export type Environment = z.input<typeof environment>;

/** What is known before the first invocation. */
export interface Config extends Omit<RunConfig, "accountId" | "partition"> {
  /** An endpoint is set that is not AWS's: address buckets by path. */
  readonly usePathStyle: boolean;
  /** Absent where GitHub is not asked. */
  readonly github?: GithubConfig;
}

/**
 * The configuration from the environment. Throws one error that names every variable that is wrong and says why. Endpoints are
 * the SDK's own affair (`AWS_ENDPOINT_URL`, `AWS_ENDPOINT_URL_S3`, …).
 */
export function readConfig(env: Readonly<Record<string, string | undefined>>): Config {
  const parsed = environment.safeParse(env);
  if (!parsed.success) throw new Error(`The environment is not right. ${describe(parsed.error)}`);
  const variables = parsed.data;
  return {
    bucketName: variables.BUCKET_NAME,
    eventBusName: variables.EVENT_BUS_NAME,
    runnersPrefix: variables.RUNNERS_PREFIX,
    quarantinePrefix: variables.QUARANTINE_PREFIX,
    fileSizeBytesLimit: variables.FILE_SIZE_BYTES_LIMIT,
    maxObjectsPerRunner: variables.MAX_OBJECTS_PER_RUNNER,
    concurrency: variables.CONCURRENCY,
    kmsKeyArn: variables.KMS_KEY_ARN,
    quarantineMismatches: variables.GITHUB_MISMATCH === "quarantine",
    ...githubConfig(variables),
    usePathStyle: Boolean(env.AWS_ENDPOINT_URL ?? env.AWS_ENDPOINT_URL_S3),
  };
}

function githubConfig(variables: z.output<typeof environment>): { github?: GithubConfig } {
  const { GITHUB_SECRET_ID: secretId, GITHUB_OWNERS } = variables;
  if (!secretId || !GITHUB_OWNERS) return {};
  return {
    github: {
      secretId,
      owners: GITHUB_OWNERS,
      apiUrl: variables.GITHUB_API_URL,
      timeBudgetMilliseconds: variables.GITHUB_TIME_BUDGET_SECONDS * 1_000,
      requestsMax: variables.GITHUB_REQUESTS_MAX,
    },
  };
}

/** Tokens go there: nowhere but over TLS, or to this machine. */
function isApiUrl(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, hostname, username, password, search, hash } = new URL(text);
  const isLoopback = ["127.0.0.1", "[::1]", "localhost"].includes(hostname);
  const isSafe = protocol === "https:" || (protocol === "http:" && isLoopback);
  return isSafe && username === "" && password === "" && search === "" && hash === "";
}

/** Every problem by name: `BUCKET_NAME: is required; CONCURRENCY: must be a whole number`. */
export function describe(error: z.ZodError): string {
  return error.issues.map(({ path, message }) => `${path.join(".") || "the whole"}: ${message}`).join("; ");
}
