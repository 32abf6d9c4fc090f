import { FLAVOR, isRunnerStorageName, storagePrefix } from "../contract/object-keys.ts";
import { FILE_SIZE_BYTES_LIMIT, FILES_IN_TICKET, type RunnerFileName } from "../contract/runner-files.ts";
import { runnerPolicy } from "../contract/runner-policy.ts";

/** Which runner a right is given to, and where its files go. */
export interface RunnerPrefix {
  readonly bucket: string;
  /** `^[a-z0-9][a-z0-9-]{0,31}$` */
  readonly flavor: string;
  /** The name of the runner's metrics storage: normally the runner's name. */
  readonly storage: string;
}

export interface TicketRequest extends RunnerPrefix {
  readonly region: string;
  /** Of an emulator, addressed by path; by default the bucket's own host. */
  readonly endpoint?: string;
  /** From now on. S3 takes no signature that is older than seven days, or whose own credentials have expired. */
  readonly lifetimeSeconds: number;
}

/** What signs a ticket. It must be allowed to put these objects, without `If-None-Match`: a form has no conditions. */
export interface Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}

/** The form with which one file can be stored, and nothing else. `file` follows as the last field. */
export interface PresignedPost {
  readonly file: RunnerFileName;
  readonly url: string;
  readonly fields: Readonly<Record<string, string>>;
}

const LIFETIME_SECONDS_MAX = 7 * 24 * 60 * 60;

/**
 * A form for each of the four files: the key is fixed, the size capped, the time limited. Makes no request. Rejects a name that no runner
 * can have.
 */
export async function createTicket(request: TicketRequest, credentials: Credentials): Promise<PresignedPost[]> {
  const problems = ticketProblems(request);
  if (problems.length > 0) throw new Error(problems.join("; "));
  // Loaded only here: no other command has to wait for the SDK.
  const { S3Client } = await import("@aws-sdk/client-s3");
  const { createPresignedPost } = await import("@aws-sdk/s3-presigned-post");
  const { bucket, flavor, storage, region, endpoint, lifetimeSeconds } = request;
  const client = new S3Client({ region, credentials, ...(endpoint && { endpoint, forcePathStyle: true }) });
  return Promise.all(
    FILES_IN_TICKET.map(async (file) => {
      const form = await createPresignedPost(client, {
        Bucket: bucket,
        Key: `${storagePrefix(flavor, storage)}${file}`,
        Conditions: [["content-length-range", 1, FILE_SIZE_BYTES_LIMIT]],
        Expires: lifetimeSeconds,
      });
      return { file, ...form };
    }),
  );
}

/** The ticket as the program on the runner reads it (`RUNNER_METRICS_TICKET` names the file): lines of words. */
export function formatTicket(ticket: readonly PresignedPost[]): string {
  const lines = ticket.flatMap(({ file, url, fields }) => [
    `${file} url ${url}`,
    ...Object.entries(fields).map(([name, value]) => `${file} field ${name} ${value}`),
  ]);
  return lines.map((line) => `${line}\n`).join("");
}

/** What to hand to STS AssumeRole, but for the role: its own policy is cut down to this runner's four files. */
export interface RunnerSession {
  readonly RoleSessionName: string;
  readonly DurationSeconds: number;
  readonly Policy: string;
  readonly Tags: readonly { readonly Key: string; readonly Value: string }[];
}

/** AssumeRole takes 15 minutes to 12 hours, as far as the role's own maximum allows; 1 hour where one role assumes another. */
export function runnerSession(
  request: RunnerPrefix & {
    readonly lifetimeSeconds: number;
    readonly partition?: string;
    /** Of the key that the bucket is encrypted with, if it is one of yours: no alias. */
    readonly kmsKeyArn?: string;
  },
): RunnerSession {
  const problems = prefixProblems(request);
  if (!isWhole(request.lifetimeSeconds, 900, 43_200)) problems.push("lifetime must be 900 to 43200 s");
  if (request.kmsKeyArn !== undefined && !/^arn:[a-z-]+:kms:[a-z0-9-]+:\d{12}:key\/[\w-]+$/.test(request.kmsKeyArn)) {
    problems.push("kms-key-arn must be the ARN of a key");
  }
  if (problems.length > 0) throw new Error(problems.join("; "));
  const { bucket, partition = "aws" } = request;
  return {
    RoleSessionName: request.storage
      .replace(/[^\w.-]/g, "-")
      .slice(-64)
      .padEnd(2, "-"),
    DurationSeconds: request.lifetimeSeconds,
    Policy: JSON.stringify(runnerPolicy({ ...request, bucketArn: `arn:${partition}:s3:::${bucket}` })),
    Tags: [
      { Key: "RunnerFlavor", Value: request.flavor },
      { Key: "RunnerStorage", Value: request.storage },
    ],
  };
}

function ticketProblems(request: TicketRequest): string[] {
  const { region, lifetimeSeconds, endpoint } = request;
  const problems = prefixProblems(request);
  if (!/^[a-z0-9-]+$/.test(region)) problems.push("region is not the name of a region");
  if (endpoint !== undefined && !/^https?:\/\/[!-~]+$/.test(endpoint)) problems.push("endpoint is not a URL");
  if (!isWhole(lifetimeSeconds, 1, LIFETIME_SECONDS_MAX)) {
    problems.push(`lifetime must be 1 to ${LIFETIME_SECONDS_MAX} s`);
  }
  return problems;
}

function prefixProblems({ bucket, flavor, storage }: RunnerPrefix): string[] {
  const problems: string[] = [];
  if (!/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(bucket)) problems.push("bucket is not the name of a bucket");
  if (!FLAVOR.test(flavor)) problems.push(`flavor must match ${FLAVOR.source}`);
  if (!isRunnerStorageName(storage)) {
    problems.push("runner must match ^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$ without ..");
  }
  return problems;
}

function isWhole(value: number, min: number, max: number): boolean {
  return Number.isInteger(value) && value >= min && value <= max;
}
