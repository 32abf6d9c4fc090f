import type { Command } from "commander";
import type { Bucket } from "./bucket.ts";

/** Where a command works: as in the AWS CLI, and the stack by its name. */
export interface ConnectionOptions {
  readonly stack: string;
  /** Instead of the stack's bucket; then the stack is not asked. */
  readonly bucket?: string;
  readonly region?: string;
  readonly profile?: string;
}

/** Options that every command has that calls AWS. */
export function withConnection(command: Command): Command {
  return command
    .option("--stack <name>", "name of the stack", "RunnerMetrics")
    .option("--region <region>", "region of the stack (default: from AWS's own settings, such as AWS_REGION)")
    .option("--profile <name>", "profile of AWS's configuration (default: AWS_PROFILE)")
    .option("--json", "print JSON");
}

/** As `withConnection`, for a command that needs only the bucket. */
export function withBucket(command: Command): Command {
  return withConnection(command).option("--bucket <name>", "name of the bucket (default: that of the stack)");
}

/** Settings for the clients of AWS's SDK. An endpoint comes from AWS_ENDPOINT_URL and its likes. */
export function clientSettings({ region, profile }: Pick<ConnectionOptions, "region" | "profile">) {
  return { ...(region !== undefined && { region }), ...(profile !== undefined && { profile }), maxAttempts: 5 };
}

/** Names of what the stack consists of: its outputs, by name. */
export type StackOutputs = Readonly<Record<string, string>>;

/** The outputs of the stack. Throws an error that says what to do if there is no such stack. */
export async function stackOutputs(options: ConnectionOptions): Promise<StackOutputs> {
  const { CloudFormationClient, DescribeStacksCommand } = await import("@aws-sdk/client-cloudformation");
  const client = new CloudFormationClient(clientSettings(options));
  const { Stacks = [] } = await client.send(new DescribeStacksCommand({ StackName: options.stack })).catch((error) => {
    if (error instanceof Error && /does not exist/.test(error.message)) {
      throw new Error(
        `there is no stack ${options.stack} in this account and region: set --stack, --region or --profile`,
      );
    }
    throw error;
  });
  return Object.fromEntries(
    (Stacks[0]?.Outputs ?? []).map(({ OutputKey = "", OutputValue = "" }) => [OutputKey, OutputValue]),
  );
}

/** One output of the stack. Throws if the stack does not have it. */
export function output(outputs: StackOutputs, name: string): string {
  const value = outputs[name];
  if (value === undefined) throw new Error(`the stack has no output ${name}: deploy it again with this version`);
  return value;
}

/** The bucket of the metrics. */
export async function openBucket(options: ConnectionOptions): Promise<Bucket> {
  const name = options.bucket ?? output(await stackOutputs(options), "BucketName");
  const [{ S3Client }, { s3Bucket }] = await Promise.all([import("@aws-sdk/client-s3"), import("./bucket.ts")]);
  const isElsewhere = process.env.AWS_ENDPOINT_URL_S3 ?? process.env.AWS_ENDPOINT_URL;
  return s3Bucket(new S3Client({ ...clientSettings(options), forcePathStyle: Boolean(isElsewhere) }), name);
}

/** ARN of the caller, for the record of an action. */
export async function callerArn(options: ConnectionOptions): Promise<string> {
  const { STSClient, GetCallerIdentityCommand } = await import("@aws-sdk/client-sts");
  const { Arn } = await new STSClient(clientSettings(options)).send(new GetCallerIdentityCommand({}));
  if (!Arn) throw new Error("STS did not say who is calling");
  return Arn;
}
