import { parseArgs } from "node:util";
import { S3Client } from "@aws-sdk/client-s3";
import { createTicket, formatTicket, type RunnerPrefix, runnerSession } from "./ticket.ts";

const USAGE = `usage: npx node runner/ticket-cli.ts post|session --bucket B --flavor F --runner NAME [--lifetime SECONDS]
  post     prints a ticket for RUNNER_METRICS_TICKET, signed with this machine's AWS credentials (default lifetime: 1 day)
  session  prints the input for \`aws sts assume-role --role-arn … --cli-input-json\` (default lifetime: 1 hour)
           --kms-key-arn ARN  of the bucket's key, if it is one of yours
  --prefix P  where runners write (runners/)    --region R, --endpoint URL  default: those of AWS's own settings (AWS_REGION, …)`;

const OPTIONS = {
  bucket: { type: "string", default: "" },
  flavor: { type: "string", default: "" },
  runner: { type: "string", default: "" },
  lifetime: { type: "string" },
  prefix: { type: "string", default: "runners/" },
  region: { type: "string" },
  endpoint: { type: "string" },
  "kms-key-arn": { type: "string" },
} as const;

try {
  await main();
} catch (error) {
  console.error(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
}

type Values = ReturnType<typeof parse>["values"];

async function main(): Promise<void> {
  const { values, positionals } = parse();
  const { bucket, flavor, runner: storage, prefix: runnersPrefix } = values;
  const prefix = { bucket, flavor, storage, runnersPrefix };
  if (positionals[0] === "post") process.stdout.write(await ticket(prefix, values));
  else if (positionals[0] === "session") console.log(JSON.stringify(session(prefix, values), null, 2));
  else throw new Error(USAGE);
}

function parse() {
  try {
    return parseArgs({ allowPositionals: true, options: OPTIONS });
  } catch (error) {
    throw new Error(`${error instanceof Error ? error.message : error}\n${USAGE}`);
  }
}

async function ticket(prefix: RunnerPrefix, { region, endpoint, lifetime }: Values): Promise<string> {
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
  return formatTicket(createTicket(request, await config.credentials()));
}

function session(prefix: RunnerPrefix, { lifetime, "kms-key-arn": kmsKeyArn }: Values) {
  const lifetimeSeconds = Number(lifetime ?? 3_600);
  return runnerSession({ ...prefix, lifetimeSeconds, ...(kmsKeyArn !== undefined && { kmsKeyArn }) });
}
