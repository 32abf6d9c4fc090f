import { parseArgs } from "node:util";
import { S3Client } from "@aws-sdk/client-s3";
import { createTicket, formatTicket, runnerSession } from "./ticket.ts";

const USAGE = `usage: npx node runner/ticket-cli.ts post|session --bucket B --flavor F --runner NAME [--lifetime SECONDS]
  post     prints a ticket for RUNNER_METRICS_TICKET, signed with this machine's AWS credentials (default lifetime: 1 day)
  session  prints the input for \`aws sts assume-role --role-arn … --cli-input-json\` (default lifetime: 1 hour)
           --kms-key-arn ARN  of the bucket's key, if it is one of yours
  --prefix P  where runners write (runners/)    --region R, --endpoint URL  default: those of AWS's own settings (AWS_REGION, …)`;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    bucket: { type: "string", default: "" },
    flavor: { type: "string", default: "" },
    runner: { type: "string", default: "" },
    lifetime: { type: "string" },
    prefix: { type: "string", default: "runners/" },
    region: { type: "string" },
    endpoint: { type: "string" },
    "kms-key-arn": { type: "string" },
  },
});
const prefix = {
  bucket: values.bucket,
  flavor: values.flavor,
  storage: values.runner,
  runnersPrefix: values.prefix,
};

try {
  if (positionals[0] === "post") process.stdout.write(await ticket());
  else if (positionals[0] === "session") console.log(JSON.stringify(session(), null, 2));
  else throw new Error(USAGE);
} catch (error) {
  console.error(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
}

async function ticket(): Promise<string> {
  const { config } = new S3Client(values.region === undefined ? {} : { region: values.region });
  const endpoint = values.endpoint ?? process.env.AWS_ENDPOINT_URL_S3 ?? process.env.AWS_ENDPOINT_URL;
  const lifetimeSeconds = Number(values.lifetime ?? 86_400);
  const request = {
    ...prefix,
    region: await config.region().catch(() => {
      throw new Error("Say --region, or set AWS_REGION");
    }),
    lifetimeSeconds,
    ...(endpoint !== undefined && { endpoint }),
  };
  return formatTicket(createTicket(request, await config.credentials()));
}

function session() {
  const kmsKeyArn = values["kms-key-arn"];
  const lifetimeSeconds = Number(values.lifetime ?? 3_600);
  return runnerSession({ ...prefix, lifetimeSeconds, ...(kmsKeyArn !== undefined && { kmsKeyArn }) });
}
