import { describe, expect, test } from "vitest";
import { readScheduleInput } from "../../contract/schedule-input.ts";
import { MESSAGE_BYTES_MAX } from "../../contract/work-message.ts";
import { readConfig } from "../../functions/extract-metrics/config.ts";
import { parseSettings, stackSettings, workerConcurrency } from "../../infra/settings.ts";
import { environmentOf } from "./deployed-run.ts";
import { arnOf, isAllowed, only, resolve, type Statement, statementsOf, statementsOfRole } from "./iam.ts";
import { ACCOUNT, resources, synthesize } from "./synthesize.ts";

const template = synthesize({ workers: 50 });
const queues = Object.fromEntries(
  Object.entries(resources(template, "AWS::SQS::Queue")).filter(([id]) => id.startsWith("WorkQueues")),
);
const [queueId = "", otherQueueId = ""] = Object.keys(queues);
const [deadLettersId] = only(template, "AWS::SQS::Queue", "DeadLetterQueue");
const [roleId] = only(template, "AWS::IAM::Role", "ExtractMetricsRole");
const [functionId] = only(template, "AWS::Lambda::Function", "ExtractMetrics");
const policies = Object.values(resources(template, "AWS::SQS::QueuePolicy"));
const policyOf = (id: string) => {
  const [found] = policies.filter(({ Properties }) => JSON.stringify(Properties.Queues).includes(`"${id}"`));
  return statementsOf(template, found?.Properties.PolicyDocument);
};

describe("without workers", () => {
  test("nothing of the template is theirs", () => {
    expect(synthesize({ workers: 0 }).toJSON()).toEqual(synthesize().toJSON());
    const text = JSON.stringify(synthesize().toJSON());
    expect(text).not.toMatch(/WorkQueue|workQueue|EventSourceMapping|WORK|handedOver/);
  });
});

describe("with workers", () => {
  test("each flavor's queue is encrypted, keeps messages for an hour, and hides one for six time-outs of the function", () => {
    for (const { Properties } of Object.values(queues)) {
      expect(resolve(template, Properties)).toEqual({
        SqsManagedSseEnabled: true,
        MaximumMessageSize: MESSAGE_BYTES_MAX,
        MessageRetentionPeriod: 3_600,
        // The shorter interval is two minutes.
        VisibilityTimeout: 6 * 96,
        RedrivePolicy: { deadLetterTargetArn: arnOf(deadLettersId), maxReceiveCount: 1 },
      });
    }
  });

  test("Lambda invokes the same function with one message, for each flavor in at most its part of the workers at once", () => {
    const mappings = Object.values(resources(template, "AWS::Lambda::EventSourceMapping")).map(({ Properties }) => {
      const { Tags: _, ...properties } = resolve(template, Properties) as Record<string, unknown>;
      return properties;
    });
    expect(mappings).toEqual(
      [queueId, otherQueueId].map((id) => ({
        EventSourceArn: arnOf(id),
        FunctionName: functionId,
        BatchSize: 1,
        ScalingConfig: { MaximumConcurrency: 25 },
      })),
    );
  });

  test("each schedule names its flavor's queue, in an input that the function accepts", () => {
    const inputs = Object.values(resources(template, "AWS::Scheduler::Schedule")).map(({ Properties }) => {
      const { Input } = Properties.Target as { Input: unknown };
      return JSON.parse(String(resolve(template, Input))) as { flavor: string; workQueueUrl: string };
    });
    expect(inputs.map(({ flavor, workQueueUrl }) => [flavor, workQueueUrl])).toEqual([
      ["large", queueId],
      ["arm-small", otherQueueId],
    ]);
    for (const input of inputs) {
      const workQueueUrl = `https://sqs.example.com/${ACCOUNT}/${input.workQueueUrl}`;
      expect(readScheduleInput({ ...input, workQueueUrl })).toMatchObject({ workQueueUrl });
    }
  });

  test("the function is told how much one worker does, in a variable that it accepts", () => {
    expect(readConfig(environmentOf(template))).toMatchObject({ workerConcurrency: 5, concurrency: 32 });
  });

  test("an output names each flavor's queue", () => {
    const outputs = Object.entries(template.findOutputs("*")).filter(([name]) => name.endsWith("WorkQueueUrl"));
    expect(outputs).toEqual([
      ["LargeWorkQueueUrl", { Value: { Ref: queueId } }],
      ["ArmSmallWorkQueueUrl", { Value: { Ref: otherQueueId } }],
    ]);
  });

  test.each([
    [2, 32, 32],
    [5, 32, 25],
    [25, 32, 5],
    [50, 32, 2],
    [100, 32, 1],
    [100, 1, 1],
  ])(
    "%d workers of a flavor, of a function with %d runners in progress, have %d each",
    (workers, concurrency, each) => {
      expect(workerConcurrency(workers, concurrency)).toBe(each);
    },
  );

  test("the dashboard shows what is handed over, worked on and waiting", () => {
    const [, { Properties }] = only(template, "AWS::CloudWatch::Dashboard");
    const body = String(resolve(template, Properties.DashboardBody));
    for (const name of ["Runners.handedOver", "WorkerDuration", "ApproximateNumberOfMessagesNotVisible"]) {
      expect(body).toContain(name);
    }
  });
});

describe("the queue's privileges", () => {
  const role = statementsOfRole(template, roleId).filter(({ Action }) =>
    Action.some((name) => name.startsWith("sqs:")),
  );
  const context = {
    "aws:PrincipalArn": arnOf(roleId),
    "aws:SecureTransport": "true",
  };
  /** What a run does, and what Lambda does in the function's name. */
  const NEEDED = ["sqs:GetQueueAttributes", "sqs:SendMessage", "sqs:ReceiveMessage", "sqs:DeleteMessage"];
  const isDone = (action: string, statements: readonly Statement[], changes = {}) =>
    isAllowed({ action, resource: arnOf(queueId), context: { ...context, ...changes } }, statements, policyOf(queueId));

  test("are none too few, and without any one of them something is denied", () => {
    expect(NEEDED.filter((action) => !isDone(action, role))).toEqual([]);
    for (const action of NEEDED) {
      const without = role.map((statement) => ({
        ...statement,
        Action: statement.Action.filter((name) => name !== action),
      }));
      expect(NEEDED.filter((needed) => !isDone(needed, without))).toEqual([action]);
    }
  });

  test("are none too many", () => {
    const held = role
      .filter(({ Resource }) => Resource.includes(arnOf(queueId)))
      .flatMap(({ Action, Resource }) => Action.map((action) => [action, ...Resource]));
    const all = [arnOf(queueId), arnOf(otherQueueId)];
    expect(held.toSorted()).toEqual(NEEDED.map((action) => [action, ...all]).toSorted());
  });

  test("to send are the collector's alone, whatever other policies allow, and need TLS", () => {
    const everything: Statement[] = [{ Effect: "Allow", Action: ["sqs:*"], Resource: ["*"], Condition: {} }];
    expect(isDone("sqs:SendMessage", everything)).toBe(true);
    const others = [`arn:aws:iam::${ACCOUNT}:role/admin`, "arn:aws:iam::999999999999:root"];
    for (const principal of others) {
      expect(isDone("sqs:SendMessage", everything, { "aws:PrincipalArn": principal })).toBe(false);
    }
    expect(isDone("sqs:SendMessage", everything, { "aws:SecureTransport": "false" })).toBe(false);
    // The statement that does it, removed once.
    const policy = policyOf(queueId).filter(({ Sid }) => Sid !== "DenyOthersToSend");
    const request = {
      action: "sqs:SendMessage",
      resource: arnOf(queueId),
      context: { ...context, "aws:PrincipalArn": others[0] ?? "" },
    };
    expect(isAllowed(request, everything, policy)).toBe(true);
  });

  test("of operators are to count its messages, and no more", () => {
    const [, { Properties }] = only(template, "AWS::IAM::ManagedPolicy", "ReadPolicy");
    const statements = statementsOf(template, Properties.PolicyDocument);
    const own = statements.filter(({ Resource }) => Resource.includes(arnOf(queueId)));
    expect(own.flatMap(({ Action }) => Action)).toEqual(["sqs:GetQueueAttributes"]);
  });
});

describe("the setting workers", () => {
  const parse = (input: object) =>
    parseSettings(stackSettings, { flavors: { large: {}, small: {} }, ...input }, "test");

  test.each([
    ["one worker, which Lambda does not allow", { workers: 1 }, "workers: must be 0, or at least 2"],
    ["one worker for each of two flavors", { workers: 3 }, "workers: must be at least 2 for each flavor"],
    ["more than S3 bears", { workers: 101 }, "workers: Too big"],
    [
      "messages that expire before their worker's failure is known",
      { workers: 2, flavors: { large: { everyMinutes: 15 } }, timeoutSeconds: 600 },
      "timeoutSeconds: must be below 600 with workers",
    ],
    [
      "less reserved concurrency than workers and runs need",
      { workers: 5, reservedConcurrency: 6 },
      "reservedConcurrency: must be at least 7",
    ],
  ])("refuses %s", (_, input, message) => {
    expect(() => parse(input)).toThrow(message);
  });

  test("takes what is enough", () => {
    expect(parse({}).workers).toBe(0);
    expect(parse({ workers: 5, reservedConcurrency: 7 })).toMatchObject({ workers: 5 });
    const flavors = { large: { everyMinutes: 15 } };
    expect(parse({ workers: 100, flavors, timeoutSeconds: 599 })).toMatchObject({ workers: 100 });
    expect(parse({ flavors, timeoutSeconds: 800 })).toMatchObject({ workers: 0 });
  });
});
