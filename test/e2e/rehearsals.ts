/** How the cause of each alarm comes about on an emulator, what the runbook's commands then have to show, and how the cause goes away. */
import assert from "node:assert/strict";
import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { createServer } from "node:tls";
import {
  CreateEventBusCommand,
  DeleteEventBusCommand,
  DeleteRuleCommand,
  ListRulesCommand,
  ListTargetsByRuleCommand,
  PutRuleCommand,
  PutTargetsCommand,
  RemoveTargetsCommand,
  type Rule,
  type Target,
} from "@aws-sdk/client-eventbridge";
import { DeleteFunctionConcurrencyCommand, PutFunctionConcurrencyCommand } from "@aws-sdk/client-lambda";
import { DeleteObjectCommand, PutObjectCommand } from "@aws-sdk/client-s3";
import {
  GetScheduleCommand,
  ListSchedulesCommand,
  SchedulerClient,
  type ScheduleState,
  UpdateScheduleCommand,
} from "@aws-sdk/client-scheduler";
import { GetQueueAttributesCommand } from "@aws-sdk/client-sqs";
import { EXIT_CODES } from "../../cli/exit-codes.ts";
import type { FaultHook } from "../../local/faults.ts";
import type { LocalJob } from "../../local/github.ts";
import { SELF_SIGNED } from "../github/certificates.ts";
import { filesOf, terminate } from "./acceptance.ts";
import type { OperatedStack } from "./operated-stack.ts";

const { success, failure, problemFound } = EXIT_CODES;

export interface Rehearsal {
  /** Of the alarm; `large` by default. */
  readonly flavor?: string;
  /** Brings the cause about, and lets the schedule's runs meet it. */
  cause(stack: OperatedStack): Promise<void>;
  /** The command that lists what `ID` means in the others, as JSON. */
  readonly list?: string;
  /** What `RUNNER` means. */
  readonly runner?: string;
  /** What the commands that look have to show. */
  readonly shows: readonly RegExp[];
  /** What the operator does about the cause. */
  cure(stack: OperatedStack): Promise<void>;
  /** How the commands for when the cause is gone end. */
  readonly after?: readonly number[];
  /** What then has to happen until the metric shows the end. */
  later?(stack: OperatedStack): Promise<void>;
}

const WITHOUT_BUS = withoutBus();

/** In this order. */
export const REHEARSALS: Readonly<Record<string, Rehearsal>> = {
  NoRun: {
    cause: (stack) => setSchedule(stack, "DISABLED"),
    shows: [/WRONG {3}schedule large\n +disabled/, /WRONG {3}last run large\n +none in the log/],
    cure: (stack) => setSchedule(stack, "ENABLED"),
    after: [success],
  },
  Quarantined: {
    async cause(stack) {
      await stack.put("r-bad", { ...filesOf(0), "post-job-metrics.json": "{" });
      await run(stack);
    },
    list: "runner-metrics quarantine list --json",
    shows: [/large +invalid-json +kept/, /Whose fault/, /kept 1, the oldest for \d min/],
    async cure() {},
    // Not released, since the next run would quarantine it again.
    after: [problemFound, success],
    async later(stack) {
      const list = await stack.command("runner-metrics quarantine list --flavor large --newer-than 1h");
      assert.doesNotMatch(list, / kept /);
      await run(stack);
    },
  },
  StrayObjects: {
    async cause({ s3, outputs, ...stack }) {
      await s3.send(new PutObjectCommand({ Bucket: outputs.BucketName, Key: "runners/large/stray", Body: "x" }));
      await stack.command("runner-metrics run large", problemFound);
    },
    shows: [/objects outside any storage: 1/],
    async cure({ s3, outputs }) {
      await s3.send(new DeleteObjectCommand({ Bucket: outputs.BucketName, Key: "runners/large/stray" }));
    },
    after: [success],
  },
  RunErrors: {
    ...WITHOUT_BUS,
    async cause(stack) {
      await WITHOUT_BUS.cause(stack);
      await run(stack, failure);
    },
    shows: [/run +large +[0-9a-f]{8} +The event bus/],
    after: [success],
    later: noDeadLetter,
  },
  DeadLetterQueue: {
    ...WITHOUT_BUS,
    list: "runner-metrics dead-letters list --json",
    shows: [/what {2}run/, /The event bus .* does not exist/],
    after: [success, success],
    later: noDeadLetter,
  },
  Throttles: {
    async cause(stack) {
      const { FunctionName } = stack.outputs;
      await stack.lambda.send(new PutFunctionConcurrencyCommand({ FunctionName, ReservedConcurrentExecutions: 0 }));
      await run(stack, failure);
    },
    shows: [/"ConcurrentExecutions": \d+/, /"ReservedConcurrentExecutions": 0/],
    async cure({ lambda, outputs: { FunctionName } }) {
      await lambda.send(new DeleteFunctionConcurrencyCommand({ FunctionName }));
    },
    after: [success],
  },
  AccessDenied: {
    async cause(stack) {
      await finishJob(stack, "r-denied");
      stack.faults.use(refuse("GetObject", "runners/large/r-denied/", 403, "AccessDenied"));
      await run(stack, problemFound);
    },
    shows: [/deferred: 1 \(denied\)/, /needs\s+s3:GetObject/],
    cure: async ({ faults }) => faults.clear(),
    after: [success],
  },
  Deferred: {
    async cause(stack) {
      await finishJob(stack, "r-deferred");
      stack.faults.use(refuse("GetObject", "runners/large/r-deferred/", 503, "SlowDown"));
      await runInARow(stack);
    },
    shows: [/deferred: 1\s+\(failed\)/, /SlowDown/, /deferred 1\s+\(in\s+3\s+runs\s+in\s+a\s+row,\s+for\s/],
    cure: async ({ faults }) => faults.clear(),
    after: [success],
  },
  DeadlineReached: {
    async cause(stack) {
      await finishJob(stack, "r-late");
      // A run starts no runner in its last ten seconds.
      await stack.changeFunction(stack.outputs.FunctionName ?? "", { timeoutSeconds: 11 });
      stack.faults.use(({ operation }) =>
        operation === "ListObjectsV2" ? { kind: "delay", delayMs: 1_500 } : undefined,
      );
      await runInARow(stack);
    },
    shows: [/stopped: deadline/],
    cure: (stack) => stack.changeFunction(stack.outputs.FunctionName ?? "", { timeoutSeconds: 60 }),
    after: [success],
  },
  NotDeleted: {
    async cause(stack) {
      await finishJob(stack, "r-undeletable");
      stack.faults.use(({ operation }) =>
        operation.startsWith("Delete") ? { kind: "error", status: 403, code: "AccessDenied" } : undefined,
      );
      await runInARow(stack);
    },
    shows: [/objects could not\s+be deleted/],
    cure: async ({ faults }) => faults.clear(),
    after: [success],
  },
  EndedInstancesUnknown: {
    async cause(stack) {
      await stack.put(storageOn(instance(1)), unfinishedJob());
      stack.faults.use(refuse("ListObjectsV2", "ended/", 503, "SlowDown"));
      await run(stack, problemFound);
    },
    shows: [/ended EC2\s+instances are not\s+all known: failed/],
    cure: async ({ faults }) => faults.clear(),
    after: [success],
  },
  InstanceEndsNotRecorded: {
    async cause(stack) {
      stack.faults.use(refuse("PutObject", "ended/", 403, "AccessDenied"));
      await assert.rejects(end(stack, instance(1)), /HTTP 403/);
    },
    shows: [/PUT in bucket .*: HTTP 403/],
    cure: async ({ faults }) => faults.clear(),
    later: (stack) => end(stack, instance(1)),
  },
  JobMismatch: {
    async cause(stack) {
      await finishJob(stack, "r-liar", { runner: "another" });
      await run(stack);
    },
    runner: "r-liar",
    shows: [/"runner_name":"r-liar"/, /mismatch/],
    cure: (stack) => finishJob(stack, "r-honest"),
    later: async (stack) => void (await run(stack)),
  },
  GithubRunners: {
    flavor: "watched",
    async cause(stack) {
      stack.github.failWith(({ path }) => (path.startsWith("/orgs/") ? { kind: "reply", status: 403 } : undefined));
      await runInARow(stack, "watched");
    },
    shows: [/GitHub did not\s+say which\s+runners are\s+online: denied/],
    async cure({ github }) {
      github.failWith(undefined);
      github.setRunners("acme", []);
    },
    after: [success],
  },
  GithubCredentials: {
    async cause(stack) {
      stack.github.failWith(() => ({ kind: "reply", status: 401, body: '{"message": "Bad credentials"}' }));
      await startAnew(stack);
      await finishJob(stack, "r-unknown");
      await run(stack, problemFound);
    },
    shows: [/WRONG {3}GitHub large\n +no-credentials, jobs: 1, GitHub\s+answered HTTP 401/],
    async cure(stack) {
      stack.github.failWith(undefined);
      await startAnew(stack);
      await finishJob(stack, "r-known");
    },
    after: [success],
    later: githubIsWell,
  },
  GithubSecretUnreadable: {
    async cause(stack) {
      await stack.setSecret("{}");
      await startAnew(stack);
      await finishJob(stack, "r-secretless");
      await run(stack, problemFound);
    },
    shows: [/WRONG {3}GitHub large\n +unreadable-credentials, jobs: 1/],
    async cure(stack) {
      await stack.setSecret(stack.github.secret);
      await startAnew(stack);
      await finishJob(stack, "r-with-secret");
    },
    after: [success],
    later: githubIsWell,
  },
  GithubCertificate: {
    async cause(stack) {
      await changeFunction(stack, { GITHUB_API_URL: await overTls(stack.github.apiUrl) });
      await finishJob(stack, "r-untrusting");
      await run(stack, problemFound);
    },
    shows: [/WRONG {3}GitHub large\n +untrusted-certificate, jobs: 1/],
    async cure(stack) {
      await changeFunction(stack, { GITHUB_CA_CERTIFICATES: SELF_SIGNED.cert });
      await finishJob(stack, "r-trusting");
    },
    after: [success],
    async later(stack) {
      await githubIsWell(stack);
      await changeFunction(stack, { GITHUB_API_URL: stack.github.apiUrl, GITHUB_CA_CERTIFICATES: undefined });
    },
  },
  QueueTime: {
    async cause(stack) {
      await finishJob(stack, "r-queued", { createdAt: "2023-11-14T22:00:00Z" });
      await run(stack);
    },
    shows: [/the longest wait was 15 min 20 s/],
    cure: (stack) => finishJob(stack, "r-at-once"),
    later: async (stack) => void (await run(stack)),
  },
  LostRunners: {
    async cause(stack) {
      await finishJobs(stack, "r-before");
      await stack.put(storageOn(instance(2)), unfinishedJob());
      await end(stack, instance(2));
      await run(stack);
    },
    runner: instance(2),
    shows: [/"runner_lost".*"cause":"terminated"/, /RunnerLost/],
    cure: (stack) => finishJobs(stack, "r-after"),
    later: async (stack) => void (await run(stack)),
  },
  FailedInstallations: {
    async cause(stack) {
      for (const number of [3, 4, 5]) {
        await stack.put(storageOn(instance(number)), { "runner-installation-start.timestamp": seconds() });
        await end(stack, instance(number));
      }
      await run(stack);
    },
    runner: instance(3),
    shows: [/"runner_install_failed"/, /RunnerInstallFailed/],
    async cure() {},
    later: async (stack) => void (await run(stack)),
  },
  NothingExtracted: {
    async cause(stack) {
      await stack.put("r-idle", { "runner-installed.timestamp": seconds() });
      await run(stack);
    },
    shows: [/uncollected large\n.*idle 1/],
    async cure(stack) {
      await stack.remove("runners/large/r-idle/");
      await finishJob(stack, "r-idle");
    },
    later: async (stack) => void (await run(stack)),
  },
  BusyTooLong: {
    async cause(stack) {
      await stack.put("r-busy", unfinishedJob());
      stack.faults.use(({ operation }) => (operation === "ListObjectsV2" ? UPLOADED_TWO_HOURS_AGO : undefined));
      await run(stack);
    },
    shows: [/uncollected large\n.*busy 1 \(oldest 2 h\)/, /r-busy\/pre-job-metrics.json/],
    async cure(stack) {
      await stack.put("r-busy", {
        "post-job-metrics.json": JSON.stringify({ timestamp: Number(seconds()), status: "normal" }),
      });
      stack.faults.clear();
    },
    later: async (stack) => void (await run(stack)),
  },
};

/** Alarms whose cause an emulator can't create, and why. */
export const NOT_REHEARSED: Readonly<Record<string, string>> = {
  InvariantViolated: "only a bug of runner-metrics causes it. test/extract-metrics/report.test.ts proves the metric",
};

/** S3's listing can't be made to wait. */
const UPLOADED_TWO_HOURS_AGO: ReturnType<FaultHook> = {
  kind: "changed-answer",
  change: (reply) => ({
    ...reply,
    body: String(reply.body).replace(/(?<=<LastModified>)[^<]+/g, (time) =>
      new Date(Date.parse(time) - 2 * 3_600_000).toISOString(),
    ),
    headers: { "content-type": "application/xml" },
  }),
};

async function run({ command }: OperatedStack, code?: number): Promise<string> {
  return command("runner-metrics run large", code);
}

/** As many runs as the alarms about runs in a row look at. */
async function runInARow({ command }: OperatedStack, flavor = "large"): Promise<void> {
  for (let runs = 0; runs < 3; runs++) await command(`runner-metrics run ${flavor}`, problemFound);
}

async function changeFunction(
  { outputs, ...stack }: OperatedStack,
  variables: Record<string, string | undefined>,
): Promise<void> {
  await stack.changeFunction(outputs.FunctionName ?? "", { variables });
}

/** A function that has just started remembers no refusal, which it would for a minute, and no secret. */
async function startAnew(stack: OperatedStack): Promise<void> {
  await changeFunction(stack, {});
}

/** A runner did a job about which GitHub says this. */
export async function finishJob(
  { github, put }: OperatedStack,
  runner: string,
  job: Partial<LocalJob> = {},
): Promise<void> {
  github.addJobs("acme/widgets", "1", [{ runner, ...job }]);
  await put(runner, filesOf(0));
}

async function finishJobs(stack: OperatedStack, name: string): Promise<void> {
  for (let number = 0; number < 10; number++) await finishJob(stack, `${name}-${number}`);
}

function unfinishedJob(): Record<string, string> {
  const { "post-job-metrics.json": _, ...files } = filesOf(0);
  return files;
}

function instance(number: number): string {
  return `i-${String(number).padStart(17, "0")}`;
}

function storageOn(instance: string): string {
  return `AROAEXAMPLE:${instance}`;
}

async function end({ eventBridge, lambda }: OperatedStack, instance: string): Promise<void> {
  await terminate(eventBridge, lambda, instance);
}

function seconds(): string {
  return String(Math.floor(Date.now() / 1_000));
}

function refuse(of: string, prefix: string, status: number, code: string): FaultHook {
  return ({ operation, key }) =>
    operation === of && key?.startsWith(prefix) ? { kind: "error", status, code } : undefined;
}

/** Somebody deletes the bus, for which its rules have to be deleted, and the schedule's next run fails. */
function withoutBus(): Pick<Rehearsal, "cause" | "cure"> {
  const deleted: { rule: Rule; targets: Target[] }[] = [];
  return {
    async cause(stack) {
      const { eventBridge, outputs } = stack;
      const { EventBusName } = outputs;
      const { Rules = [] } = await eventBridge.send(new ListRulesCommand({ EventBusName }));
      for (const rule of Rules) {
        const named = { EventBusName, Rule: rule.Name };
        const { Targets = [] } = await eventBridge.send(new ListTargetsByRuleCommand(named));
        deleted.push({ rule, targets: Targets });
        await eventBridge.send(new RemoveTargetsCommand({ ...named, Ids: Targets.map(({ Id = "" }) => Id) }));
        await eventBridge.send(new DeleteRuleCommand({ EventBusName, Name: rule.Name }));
      }
      await eventBridge.send(new DeleteEventBusCommand({ Name: EventBusName }));
      await failedRun(stack);
    },
    // What `cdk deploy --revert-drift` does, which the emulator does not know.
    async cure({ eventBridge, outputs: { EventBusName } }) {
      await eventBridge.send(new CreateEventBusCommand({ Name: EventBusName }));
      for (const { rule, targets } of deleted.splice(0)) {
        const { Name, Description, EventPattern } = rule;
        await eventBridge.send(new PutRuleCommand({ EventBusName, Name, Description, EventPattern }));
        await eventBridge.send(new PutTargetsCommand({ EventBusName, Rule: Name, Targets: targets }));
      }
    },
  };
}

/** A run that the schedule starts is in the dead-letter queue when it has failed. */
async function failedRun({ startFailingRun, sqs, outputs }: OperatedStack): Promise<void> {
  await startFailingRun("large");
  const asked = new GetQueueAttributesCommand({
    QueueUrl: outputs.DeadLetterQueueUrl,
    AttributeNames: ["ApproximateNumberOfMessages"],
  });
  for (let tries = 0; tries < 100; tries++) {
    const { Attributes } = await sqs.send(asked);
    if (Attributes?.ApproximateNumberOfMessages === "1") return;
    await sleep(200);
  }
  throw new Error("The failed run is not in the dead-letter queue.");
}

async function noDeadLetter({ command }: OperatedStack): Promise<void> {
  assert.equal(await command("runner-metrics dead-letters list --json"), "[]\n");
}

async function githubIsWell({ command }: OperatedStack): Promise<void> {
  assert.match(await command("runner-metrics status"), /ok {6}GitHub large/);
}

async function setSchedule({ client, outputs }: OperatedStack, State: ScheduleState): Promise<void> {
  const scheduler = new SchedulerClient(client);
  const GroupName = outputs.ScheduleGroupName;
  const { Schedules = [] } = await scheduler.send(new ListSchedulesCommand({ GroupName }));
  for (const { Name } of Schedules) {
    const { Target, FlexibleTimeWindow, ScheduleExpression } = await scheduler.send(
      new GetScheduleCommand({ GroupName, Name }),
    );
    await scheduler.send(
      new UpdateScheduleCommand({ GroupName, Name, Target, FlexibleTimeWindow, ScheduleExpression, State }),
    );
  }
  scheduler.destroy();
}

/**
 * The same server over TLS, with a certificate that nobody trusts. Not on 127.0.0.1, where the emulator makes plain HTTP of it. Does not
 * keep the process alive.
 */
async function overTls(url: string): Promise<string> {
  const port = Number(new URL(url).port);
  const server = createServer(SELF_SIGNED, (socket) => {
    const upstream = connect(port, "127.0.0.1");
    for (const one of [socket, upstream]) one.on("error", () => one.destroy());
    socket.pipe(upstream).pipe(socket);
  }).unref();
  await new Promise<void>((resolve) => server.listen(0, SELF_SIGNED.address, resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("The server has no port.");
  return `https://${SELF_SIGNED.address}:${address.port}`;
}
