import { parseArgs } from "node:util";
import { S3Client } from "@aws-sdk/client-s3";
import { createTicket, formatTicket, type RunnerPrefix, runnerSession } from "./ticket.ts";

const USAGE = `usage: npx node runner/ticket-cli.ts post|session --bucket B --flavor F --runner NAME [--lifetime SECONDS]
  post     prints a ticket for RUNNER_METRICS_TICKET, signed with this machine's AWS credentials (default lifetime: 1 day)
  session  prints the input for \`aws sts assume-role --role-arn … --cli-input-json\` (default lifetime: 1 hour)
           --kms-key-arn ARN  of the bucket's key, if it is one of yours
  --region R, --endpoint URL  default: those of AWS's own settings (AWS_REGION, …)`;

const REQUIRED = ["bucket", "flavor", "runner"] as const;

const OPTIONS = {
  bucket: { type: "string", default: "" },
  flavor: { type: "string", default: "" },
  runner: { type: "string", default: "" },
  lifetime: { type: "string" },
  region: { type: "string" },
  endpoint: { type: "string" },
  "kms-key-arn": { type: "string" },
  help: { type: "boolean", short: "h" },
} as const;

try {
  await main();
} catch (error) {
  console.error(messageOf(error));
  process.exitCode = 1;
}

type Values = ReturnType<typeof parse>["values"];

async function main(): Promise<void> {
  const { values, positionals } = parse();
  if (values.help) {
    console.log(USAGE);
    return;
  }
  const [kind = "", ...others] = positionals;
  if (others.length > 0 || !["post", "session"].includes(kind)) throw new Error(USAGE);
  const missing = REQUIRED.filter((name) => values[name] === "");
  if (missing.length > 0) throw new Error(missing.map((name) => `--${name} is missing`).join("; "));
  const { bucket, flavor, runner: storage } = values;
  const prefix = { bucket, flavor, storage };
  if (kind === "post") process.stdout.write(await ticket(prefix, values));
  else console.log(JSON.stringify(session(prefix, values), null, 2));
}

function parse() {
  try {
    return parseArgs({ allowPositionals: true, options: OPTIONS });
  } catch (error) {
    throw new Error(`${messageOf(error)}\n${USAGE}`);
  }
}

async function ticket(prefix: RunnerPrefix, values: Values): Promise<string> {
  const { region, endpoint, lifetime } = values;
  if (values["kms-key-arn"] !== undefined) {
    throw new Error("--kms-key-arn is for a session: what signs a ticket needs kms:GenerateDataKey itself");
  }
  const { config } = new S3Client(region === undefined ? {} : { region });
  const where = endpoint ?? process.env.AWS_ENDPOINT_URL_S3 ?? process.env.AWS_ENDPOINT_URL;
  const request = {
    ...prefix,
    region: await config.region().catch(() => {
      throw new Error("Say --region, or set AWS_REGION");
    }),
    lifetimeSeconds: Number(lifetime ?? 86_400),
    ...(where !== undefined && { endpoint: where }),
  };
  const credentials = await config.credentials().catch((error) => {
    const how = "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE";
    throw new Error(`No AWS credentials to sign with (${messageOf(error)}): ${how}`);
  });
  return formatTicket(createTicket(request, credentials));
}

function session(prefix: RunnerPrefix, { lifetime, "kms-key-arn": kmsKeyArn }: Values) {
  const lifetimeSeconds = Number(lifetime ?? 3_600);
  return runnerSession({ ...prefix, lifetimeSeconds, ...(kmsKeyArn !== undefined && { kmsKeyArn }) });
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
