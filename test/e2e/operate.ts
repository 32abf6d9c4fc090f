/**
 * The runbook on a deployed stack: `npm run test:all -- operate`. Creates the causes of alarms on an emulator, runs the commands of
 * their sections as they are written there, and sees in the function's metrics the problem and its end. The emulator makes
 * no metrics of the log, so they are read from there. It is started without policies: denied access is left to the attacks' tests.
 */
import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { CloudWatchLogsClient, FilterLogEventsCommand } from "@aws-sdk/client-cloudwatch-logs";
import { DeleteObjectCommand, PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { PutSecretValueCommand, SecretsManagerClient } from "@aws-sdk/client-secrets-manager";
import { SendMessageCommand, SQSClient } from "@aws-sdk/client-sqs";
import { EXIT_CODES } from "../../cli/exit-codes.ts";
import type { MetricName } from "../../contract/run-metrics.ts";
import { ALARM_HELP } from "../../contract/runbook.ts";
import type { StackSettingsInput } from "../../infra/settings.ts";
import { startLocalGithub } from "../../local/github.ts";
import { runCommand } from "../cli/run.ts";
import { filesOf } from "./acceptance.ts";
import { cloudDevelopmentKit } from "./cloud-development-kit.ts";
import { putFiles } from "./fleet.ts";
import { startMiniStack } from "./ministack.ts";

/** Refused credentials are not tried again for a minute. */
const REFUSED_MILLISECONDS = 61_000;

const began = Date.now();
const github = await startLocalGithub();
/** The schedule does nothing here: the commands start the runs. */
const SETTINGS: StackSettingsInput = {
  flavors: { large: { everyMinutes: 60 } },
  github: { owners: ["acme"], apiUrl: github.apiUrl },
  emulator: true,
  removalPolicy: "destroy",
};
const { directory, client, env, stop } = await startMiniStack("operate");
const s3 = new S3Client({ ...client, forcePathStyle: true });
const logs = new CloudWatchLogsClient(client);
const sqs = new SQSClient({ ...client, useQueueUrlAsEndpoint: false });
const secrets = new SecretsManagerClient(client);

try {
  const cdk = cloudDevelopmentKit("app.ts", directory, env);
  await cdk.bootstrap({ runnerMetrics: SETTINGS });
  const outputs = (await cdk.deploy({ runnerMetrics: SETTINGS })).RunnerMetrics ?? {};
  const {
    BucketName: bucket = "",
    FunctionLogGroupName: logGroupName = "",
    DeadLetterQueueUrl,
    GithubSecretArn,
  } = outputs;
  assert(bucket && logGroupName && DeadLetterQueueUrl && GithubSecretArn, "the stack lacks an output");
  const fleet = { bucket, flavor: "large", directory, env };
  const Bucket = bucket;
  tell("deployed", `bucket ${bucket}`);
  await secrets.send(new PutSecretValueCommand({ SecretId: GithubSecretArn, SecretString: github.secret }));

  assert.match(await look("NoRun"), /WRONG {3}last run large\n +none in the log/);
  await after("NoRun", [EXIT_CODES.success]);
  assert.match(await look("NoRun"), /ok {6}last run large/);
  tell("NoRun", "status says so, and that it is over after a run");

  await putFiles(s3, fleet, "r-bad", { ...filesOf(0), "post-job-metrics.json": "{" });
  await command("runner-metrics run large");
  assert.equal(await metricOfLastRun("Runners.quarantined"), 1);
  const [{ id }] = JSON.parse(await command("runner-metrics quarantine list --json"));
  assert.match(await look("Quarantined", id), /large +invalid-json +kept[\s\S]*Whose fault/);
  await after("Quarantined", [EXIT_CODES.problemFound, EXIT_CODES.success], id);
  assert.doesNotMatch(await command("runner-metrics quarantine list --flavor large --newer-than 1h"), / kept /);
  await command("runner-metrics run large");
  assert.equal(await metricOfLastRun("Runners.quarantined"), 0);
  tell("Quarantined", "shown, not released, since the next run would quarantine it again, and dropped");

  const Key = "runners/large/stray";
  await s3.send(new PutObjectCommand({ Bucket, Key, Body: "x" }));
  await command("runner-metrics run large", EXIT_CODES.problemFound);
  assert.equal(await metricOfLastRun("StrayObjects"), 1);
  assert.match(await look("StrayObjects"), /objects outside any storage: 1/);
  await s3.send(new DeleteObjectCommand({ Bucket, Key }));
  await after("StrayObjects", [EXIT_CODES.success]);
  assert.equal(await metricOfLastRun("StrayObjects"), 0);
  tell("StrayObjects", "the last runs have them, and the one after they were deleted does not");

  github.failWith(() => ({ kind: "reply", status: 401, body: '{"message": "Bad credentials"}' }));
  await putFiles(s3, fleet, "r-unknown", filesOf(0));
  await command("runner-metrics run large", EXIT_CODES.problemFound);
  assert.equal(await metricOfLastRun("JobMetricsUnknown.no-credentials"), 1);
  // A run without a job says nothing about it.
  await command("runner-metrics run large");
  assert.match(
    await look("GithubCredentials"),
    /WRONG {3}GitHub large\n +no-credentials, jobs: 1, GitHub\s+answered HTTP 401/,
  );
  github.failWith(undefined);
  await sleep(REFUSED_MILLISECONDS);
  await putFiles(s3, fleet, "r-known", filesOf(0));
  await after("GithubCredentials", [EXIT_CODES.success]);
  assert.equal(await metricOfLastRun("JobMetricsUnknown.no-credentials"), 0);
  assert.match(await look("GithubCredentials"), /ok {6}GitHub large/);
  tell("GithubCredentials", "status says what GitHub answered, also after a run without a job, and that it is over");

  const failed = { requestPayload: { flavor: "large" }, responsePayload: { errorMessage: "no such bus" } };
  await sqs.send(new SendMessageCommand({ QueueUrl: DeadLetterQueueUrl, MessageBody: JSON.stringify(failed) }));
  const [letter] = JSON.parse(await command("runner-metrics dead-letters list --json"));
  await untilVisible();
  assert.match(await command("runner-metrics dead-letters list"), /run +large +[^ ]+ +no such bus/);
  await untilVisible();
  assert.match(await command(`runner-metrics dead-letters show ${letter.id.slice(0, 8)}`), /no such bus/);
  await untilVisible();
  await command("runner-metrics dead-letters redrive --all");
  assert.equal(await command("runner-metrics dead-letters list --json"), "[]\n");
  tell("DeadLetterQueue", "the failed run was listed, shown, and started again");

  async function metricOfLastRun(name: MetricName): Promise<number> {
    const filterPattern = "CloudWatchMetrics";
    const lines: { at: number; line: Record<string, unknown> }[] = [];
    for (let nextToken: string | undefined, isFirst = true; isFirst || nextToken; isFirst = false) {
      const page = await logs.send(
        new FilterLogEventsCommand({ logGroupName, filterPattern, ...(nextToken && { nextToken }) }),
      );
      for (const { timestamp: at = 0, message = "" } of page.events ?? [])
        lines.push({ at, line: JSON.parse(message.slice(message.indexOf("{"))) });
      nextToken = page.nextToken;
    }
    const last = lines.findLastIndex(({ line }) => "RunDuration" in line);
    return lines.slice(last).reduce((sum, { line }) => sum + Number(line[name] ?? 0), 0);
  }
} finally {
  for (const one of [s3, logs, sqs, secrets]) one.destroy();
  await github.close();
  stop();
}

/** Runs the commands that show the cause, and returns all that they print. Those of the AWS CLI are left out: the gate does not need it. */
async function look(alarm: string, id = ""): Promise<string> {
  let shown = "";
  for (const line of ALARM_HELP[alarm]?.look ?? []) {
    if (line.startsWith("runner-metrics ")) shown += await command(filledIn(line, id));
  }
  return shown;
}

/** Runs the commands for when the cause is gone: each ends with this code. */
async function after(alarm: string, codes: readonly number[], id = ""): Promise<void> {
  const lines = ALARM_HELP[alarm]?.after ?? [];
  assert.equal(lines.length, codes.length, alarm);
  for (const [index, line] of lines.entries()) await command(filledIn(line, id), codes[index]);
}

function filledIn(line: string, id: string): string {
  return line.replace("FLAVOR", "large").replace("ID", id);
}

/** What a command prints. Without a code, it may also end with the one that says that it has found a problem. */
async function command(line: string, code?: number): Promise<string> {
  const { code: found, stdout, stderr } = await runCommand(line.split(" ").slice(1), env);
  const allowed: number[] = code === undefined ? [EXIT_CODES.success, EXIT_CODES.problemFound] : [code];
  assert(allowed.includes(found), `${line} ended with ${found}:\n${stdout}${stderr}`);
  return stdout;
}

/** Listed messages are hidden for 20 seconds. */
async function untilVisible(): Promise<void> {
  await sleep(21_000);
}

function tell(what: string, details: string): void {
  console.log(`${`${((Date.now() - began) / 1_000).toFixed(1)} s`.padStart(7)}  ${what}: ${details}`);
}
