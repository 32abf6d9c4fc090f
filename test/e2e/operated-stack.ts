/** A stack on an emulator, whose S3 can fail, with what an operator has at hand: a shell, and the AWS CLI. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { EventBridgeClient } from "@aws-sdk/client-eventbridge";
import {
  GetFunctionConfigurationCommand,
  InvokeCommand,
  LambdaClient,
  ListFunctionsCommand,
  UpdateFunctionConfigurationCommand,
} from "@aws-sdk/client-lambda";
import { DeleteObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { PutSecretValueCommand, SecretsManagerClient } from "@aws-sdk/client-secrets-manager";
import { SQSClient } from "@aws-sdk/client-sqs";
import { EXIT_CODES } from "../../cli/exit-codes.ts";
import type { StackSettingsInput } from "../../infra/settings.ts";
import type { Faults } from "../../local/faults.ts";
import { type LocalGithub, startLocalGithub } from "../../local/github.ts";
import { installed, type PythonProgram } from "../emulators.ts";
import { findCommand } from "../tools.ts";
import { keys } from "./acceptance.ts";
import { cloudDevelopmentKit } from "./cloud-development-kit.ts";
import { startFaultProxy } from "./fault-proxy.ts";
import { putFiles } from "./fleet.ts";
import { startMiniStack } from "./ministack.ts";

const PROGRAM = fileURLToPath(new URL("../../cli/runner-metrics.ts", import.meta.url));

/** Unless there is one on the PATH. */
const AWS_CLI: PythonProgram = { name: "aws-cli", packages: ["awscli==1.46.3"], pythonMinor: 10 };

export interface OperatedStack {
  readonly client: Awaited<ReturnType<typeof startMiniStack>>["client"];
  readonly outputs: Readonly<Record<string, string>>;
  /** Name of the function that records how EC2 instances end. */
  readonly recorder: string;
  readonly consumerQueueUrl: string;
  readonly s3: S3Client;
  readonly sqs: SQSClient;
  readonly lambda: LambdaClient;
  readonly eventBridge: EventBridgeClient;
  readonly github: LocalGithub;
  /** Of the S3 that the functions see. */
  readonly faults: Faults;
  /** Uploads files of a runner. */
  put(name: string, files: Readonly<Record<string, string>>, flavor?: string): Promise<void>;
  /** Deletes all that is below a prefix. */
  remove(prefix: string): Promise<void>;
  /** Runs a command line of the runbook in a shell, and returns all that it prints. Without a code, it may also have found a problem. */
  command(line: string, code?: number): Promise<string>;
  /** Starts a run that fails, as the schedule does: nobody waits for it. */
  startFailingRun(flavor: string): Promise<void>;
  /** Changes the configuration of a function, as a deployment does: variables that are undefined are deleted. It starts anew. */
  changeFunction(
    name: string,
    change: { readonly variables?: Readonly<Record<string, string | undefined>>; readonly timeoutSeconds?: number },
  ): Promise<void>;
  setSecret(text: string): Promise<void>;
  stop(): Promise<void>;
}

/** Deploys to a MiniStack. */
export async function operatedStack(settings: Omit<StackSettingsInput, "github" | "emulator">): Promise<OperatedStack> {
  const { directory, client, env, stop } = await startMiniStack("operate");
  const github = await startLocalGithub();
  const proxy = await startFaultProxy(client.endpoint);
  const s3 = new S3Client({ ...client, forcePathStyle: true });
  const sqs = new SQSClient({ ...client, useQueueUrlAsEndpoint: false });
  const lambda = new LambdaClient(client);
  const eventBridge = new EventBridgeClient(client);
  const secrets = new SecretsManagerClient(client);
  const bin = join(directory, "bin");
  mkdirSync(bin);
  writeFileSync(join(bin, "runner-metrics"), `#!/bin/sh\nexec "${process.execPath}" "${PROGRAM}" "$@"\n`, {
    mode: 0o755,
  });
  const aws = findCommand("aws") ?? join(installed(AWS_CLI), "bin/aws");
  const PATH = [bin, dirname(process.execPath), process.env.PATH, dirname(aws)].join(delimiter);

  const stopAll = async () => {
    for (const one of [s3, sqs, lambda, eventBridge, secrets]) one.destroy();
    proxy.close();
    await github.close();
    stop();
  };
  try {
    const runnerMetrics: StackSettingsInput = {
      ...settings,
      github: { owners: ["acme"], apiUrl: github.apiUrl },
      emulator: true,
    };
    const cdk = cloudDevelopmentKit("app.ts", directory, env);
    await cdk.bootstrap({ runnerMetrics });
    const { RunnerMetrics: outputs = {}, Consumer } = await cdk.deploy({ runnerMetrics });
    const { BucketName: bucket = "", FunctionName = "", GithubSecretArn: SecretId } = outputs;
    assert(bucket && FunctionName && SecretId, "the stack lacks an output");
    const { Functions = [] } = await lambda.send(new ListFunctionsCommand({}));
    const recorder = Functions.find(({ FunctionName: name }) => name?.includes("RecordInstanceEnds"))?.FunctionName;
    assert(recorder, "no function records how EC2 instances end");
    const stack: OperatedStack = {
      ...{ client, outputs, recorder, s3, sqs, lambda, eventBridge, github, faults: proxy.faults },
      consumerQueueUrl: Consumer?.QueueUrl ?? "",
      put: (name, files, flavor = "large") => putFiles(s3, { bucket, flavor, directory, env }, name, files),
      async remove(prefix) {
        for (const Key of await keys(s3, bucket, prefix))
          await s3.send(new DeleteObjectCommand({ Bucket: bucket, Key }));
      },
      async command(line, code) {
        const environment = { PATH, HOME: directory, AWS_DEFAULT_REGION: env.AWS_REGION, ...env };
        const found = await shell(line, { cwd: directory, env: environment });
        const allowed: number[] = code === undefined ? [EXIT_CODES.success, EXIT_CODES.problemFound] : [code];
        assert(allowed.includes(found.code), `${line} ended with ${found.code}:\n${found.output}`);
        return found.output;
      },
      async startFailingRun(flavor) {
        const Payload = JSON.stringify({ flavor });
        await lambda.send(new InvokeCommand({ FunctionName, InvocationType: "Event", Payload }));
      },
      async changeFunction(name, { variables, timeoutSeconds }) {
        const { Environment, Timeout } = await lambda.send(new GetFunctionConfigurationCommand({ FunctionName: name }));
        const changed = Object.entries({ ...Environment?.Variables, ...variables });
        const Variables = Object.fromEntries(
          changed.flatMap(([key, value]) => (value === undefined ? [] : [[key, value]])),
        );
        await lambda.send(
          new UpdateFunctionConfigurationCommand({
            ...{ FunctionName: name, Environment: { Variables }, Timeout: timeoutSeconds ?? Timeout },
          }),
        );
      },
      async setSecret(SecretString) {
        await secrets.send(new PutSecretValueCommand({ SecretId, SecretString }));
      },
      stop: stopAll,
    };
    await stack.setSecret(github.secret);
    for (const name of [FunctionName, recorder]) {
      await stack.changeFunction(name, { variables: { AWS_ENDPOINT_URL_S3: proxy.endpoint } });
    }
    return stack;
  } catch (error) {
    await stopAll();
    throw error;
  }
}

function shell(
  line: string,
  options: { cwd: string; env: NodeJS.ProcessEnv },
): Promise<{ code: number; output: string }> {
  return new Promise((resolve, reject) => {
    execFile("bash", ["-c", line], options, (error, stdout, stderr) => {
      const code = error ? error.code : 0;
      if (typeof code === "number") resolve({ code, output: stdout + stderr });
      else reject(error);
    });
  });
}
