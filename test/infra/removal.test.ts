/** D1: what stays when the stack is deleted, or when its first deployment fails, and that nothing that stays is in the way of the next. */
import { describe, expect, test } from "vitest";
import { synthesize } from "./synthesize.ts";

const EVERYTHING = {
  github: { owners: ["acme"] },
  schemaRegistry: true,
  alarmEmail: "ops@example.com",
  endedInstances: true,
  workers: 4,
};

/** Type -> what happens to it when the stack is deleted, by `removalPolicy`. */
const DELETION_POLICIES: Readonly<Record<string, { readonly retain: string; readonly destroy: string }>> = {
  "AWS::S3::Bucket": { retain: "RetainExceptOnCreate", destroy: "Delete" },
  "AWS::S3::BucketPolicy": { retain: "RetainExceptOnCreate", destroy: "Delete" },
  "AWS::Logs::LogGroup": { retain: "RetainExceptOnCreate", destroy: "Delete" },
  "AWS::SecretsManager::Secret": { retain: "RetainExceptOnCreate", destroy: "Delete" },
};

/** The access logs: S3 still writes there when the other bucket is gone. */
const ALWAYS_STAYS = /^StorageAccessLogs/;

/** All others hold nothing that the bucket or the logs do not hold, or can be made again. */
const GO_WITH_THE_STACK = [
  "AWS::Athena::NamedQuery",
  "AWS::CloudWatch::Alarm",
  "AWS::CloudWatch::Dashboard",
  "AWS::Events::Archive",
  "AWS::Events::EventBus",
  "AWS::Events::EventBusPolicy",
  "AWS::Events::Rule",
  "AWS::EventSchemas::Registry",
  "AWS::EventSchemas::Schema",
  "AWS::Glue::Database",
  "AWS::Glue::Table",
  "AWS::IAM::InstanceProfile",
  "AWS::IAM::ManagedPolicy",
  "AWS::IAM::Policy",
  "AWS::IAM::Role",
  "AWS::Lambda::EventInvokeConfig",
  "AWS::Lambda::EventSourceMapping",
  "AWS::Lambda::Function",
  "AWS::Lambda::Permission",
  "AWS::Logs::MetricFilter",
  "AWS::Logs::QueryDefinition",
  "AWS::Scheduler::Schedule",
  "AWS::Scheduler::ScheduleGroup",
  "AWS::SNS::Subscription",
  "AWS::SNS::Topic",
  "AWS::SNS::TopicPolicy",
  "AWS::SQS::Queue",
  "AWS::SQS::QueuePolicy",
];

/** Properties by which a resource gets a name that does not change. A second one of this name can't be created while the first is there. */
const NAMES = /^(\w*Name|Name|Id)$/;

interface Resource {
  readonly Type: string;
  readonly Properties?: Readonly<Record<string, unknown>>;
  readonly DeletionPolicy?: string;
  readonly UpdateReplacePolicy?: string;
}

const resourcesOf = (settings: object) =>
  Object.entries(synthesize({ ...EVERYTHING, ...settings }).toJSON().Resources as Record<string, Resource>);

describe.each(["retain", "destroy"] as const)("D1 with removalPolicy %s", (removalPolicy) => {
  const all = resourcesOf({ removalPolicy });

  test.each(all)(
    "%s stays or goes as the table of types says",
    (id, { Type, DeletionPolicy = "Delete", ...resource }) => {
      const row = DELETION_POLICIES[Type];
      expect(row !== undefined || GO_WITH_THE_STACK.includes(Type), `${Type} is in neither list`).toBe(true);
      const stays = row?.[removalPolicy] ?? "Delete";
      const expected = ALWAYS_STAYS.test(id) ? "RetainExceptOnCreate" : stays;
      expect(DeletionPolicy).toBe(expected);
      // What stays is kept also when an update replaces it.
      expect(resource.UpdateReplacePolicy ?? "Delete").toBe(expected === "Delete" ? "Delete" : "Retain");
    },
  );

  test("nothing that stays has a name that a second deployment would want again", () => {
    const named = all
      .filter(([, { DeletionPolicy = "Delete" }]) => DeletionPolicy !== "Delete")
      .flatMap(([id, { Properties = {} }]) =>
        Object.entries(Properties)
          .filter(([name]) => NAMES.test(name))
          // CloudFormation's id of the stack is new in each deployment.
          .filter(([, value]) => !JSON.stringify(value).includes("AWS::StackId"))
          .map(([name, value]) => [id, name, value]),
      );
    expect(named).toEqual([]);
  });
});

test("logical ids of what stays never change, or an update would replace it and leave its content behind", () => {
  const ids = resourcesOf({})
    .filter(([, { Type }]) => Type in DELETION_POLICIES && Type !== "AWS::S3::BucketPolicy")
    .map(([id]) => id);
  expect(ids).toEqual([
    "StorageAccessLogs96FB524C",
    "StorageBucket5CB7C8EA",
    "GithubSecretD59E6983",
    "ExtractMetricsLogGroup2961910B",
    "RecordInstanceEndsLogGroupA2A1FBE6",
    "EventLogLogGroupA962BEB8",
  ]);
});
