import { Command } from "commander";
import { createTicket, formatTicket, type RunnerPrefix, runnerSession } from "../ticket.ts";

const SECONDS_PER_DAY = 86_400;
const SECONDS_PER_HOUR = 3_600;

/** `runner-metrics ticket`: gives one runner the right to store its files. */
export function ticketCommand(): Command {
  return new Command("ticket")
    .description("give one runner the right to store its files, and nothing else")
    .addCommand(postCommand())
    .addCommand(sessionCommand());
}

interface PostOptions extends Partial<Names> {
  readonly lifetime: string;
  readonly region?: string;
  readonly endpoint?: string;
}

function postCommand(): Command {
  return withNames(new Command("post"))
    .description("print a ticket for RUNNER_METRICS_TICKET, signed with this machine's AWS credentials")
    .option("--lifetime <seconds>", "how long it can be used", String(SECONDS_PER_DAY))
    .option("--region <region>", "region of the bucket (default: from AWS's own settings, such as AWS_REGION)")
    .option("--endpoint <url>", "S3's endpoint (default: from AWS's own settings, such as AWS_ENDPOINT_URL_S3)")
    .action(async (options: PostOptions, command: Command) => {
      const request = { ...prefixOf(options, command), ...(await signerOf(options)) };
      const { credentials, ...where } = request;
      const lifetimeSeconds = Number(options.lifetime);
      const ticket = await checked(command, () => createTicket({ ...where, lifetimeSeconds }, credentials));
      process.stdout.write(formatTicket(ticket));
    });
}

interface SessionOptions extends Partial<Names> {
  readonly lifetime: string;
  readonly kmsKeyArn?: string;
}

function sessionCommand(): Command {
  return withNames(new Command("session"))
    .description("print the input for `aws sts assume-role --role-arn … --cli-input-json`")
    .option("--lifetime <seconds>", "how long the session lasts", String(SECONDS_PER_HOUR))
    .option("--kms-key-arn <arn>", "ARN of the bucket's key, if it is a KMS key of yours")
    .action(async (options: SessionOptions, command: Command) => {
      const { lifetime, kmsKeyArn } = options;
      const request = { ...prefixOf(options, command), lifetimeSeconds: Number(lifetime) };
      const session = await checked(command, async () =>
        runnerSession({ ...request, ...(kmsKeyArn !== undefined && { kmsKeyArn }) }),
      );
      console.log(JSON.stringify(session, null, 2));
    });
}

interface Names {
  readonly bucket: string;
  readonly flavor: string;
  readonly runner: string;
}

function withNames(command: Command): Command {
  return command
    .option("--bucket <name>", "bucket of the metrics (required)")
    .option("--flavor <name>", "flavor of the runner (required)")
    .option("--runner <name>", "name under which the runner stores its files (required)");
}

/** Not commander's required options: it reports only the first that is missing. */
function prefixOf({ bucket, flavor, runner }: Partial<Names>, command: Command): RunnerPrefix {
  if (bucket && flavor && runner) return { bucket, flavor, storage: runner };
  const missing = Object.entries({ bucket, flavor, runner }).filter(([, value]) => !value);
  return command.error(missing.map(([name]) => `--${name} is missing`).join("; "));
}

/** A value that is refused is a mistake on the command line. */
async function checked<Result>(command: Command, create: () => Promise<Result>): Promise<Result> {
  try {
    return await create();
  } catch (error) {
    return command.error(error instanceof Error ? error.message : String(error));
  }
}

/** Where to sign and with what: the SDK's own rules, so that a profile, SSO or a role works as with the AWS CLI. */
async function signerOf({ region, endpoint }: PostOptions) {
  const { S3Client } = await import("@aws-sdk/client-s3");
  const { config } = new S3Client(region === undefined ? {} : { region });
  const at = endpoint ?? process.env.AWS_ENDPOINT_URL_S3 ?? process.env.AWS_ENDPOINT_URL;
  return {
    region: await config.region().catch(() => {
      throw new Error("no region: set --region or AWS_REGION");
    }),
    ...(at !== undefined && { endpoint: at }),
    credentials: await config.credentials().catch((error) => {
      const how = "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE";
      throw new Error(`no AWS credentials to sign with (${error instanceof Error ? error.message : error}): ${how}`);
    }),
  };
}
