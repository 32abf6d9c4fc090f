import { readFileSync } from "node:fs";
import { App, type Stack } from "aws-cdk-lib";
import { Template } from "aws-cdk-lib/assertions";
import { expect, test } from "vitest";
import { RunnerMetricsStack } from "../../infra/runner-metrics-stack.ts";
import { parseSettings, stackSettings } from "../../infra/settings.ts";
import { outputDirectory } from "./app.ts";
import { BUCKET, only, resolve } from "./iam.ts";
import { resources, synthesize } from "./synthesize.ts";

const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), "utf8");
const doc = read("docs/use/deploy.md");
const blocks = [...doc.matchAll(/```(\w+)\n([\s\S]*?)```/g)].map(([, language = "", text = ""]) => ({
  language,
  text,
}));
const json = blocks.filter(({ language }) => language === "json").map(({ text }) => JSON.parse(text));
const template = synthesize();

test("the settings that docs/use/deploy.md shows are accepted", () => {
  expect(() => parseSettings(stackSettings, json[0].context.runnerMetrics, "docs")).not.toThrow();
});

test("the settings that docs/use/deploy.md shows say why runners died, and presume none dead that has a long job", () => {
  const { endedInstances, flavors } = json[0].context.runnerMetrics;
  expect(endedInstances).toBe(true);
  expect(JSON.stringify(flavors)).not.toContain("orphanAfterSeconds");
});

test("the settings that docs/operate/stack.md shows are accepted, and its permissions boundary is that of every role", () => {
  const [, attached = ""] = /```json\n( *\{ "bucketName"[\s\S]*?)```/.exec(read("docs/operate/stack.md")) ?? [];
  const flavors = { large: {} };
  expect(parseSettings(stackSettings, { flavors, ...JSON.parse(attached) }, "docs").manageBucketPolicy).toBe(true);
  const [, text = ""] = /```json\n(\{\n {2}"app"[\s\S]*?)```/.exec(read("docs/operate/stack.md")) ?? [];
  const { context } = JSON.parse(text);
  const app = new App({ outdir: outputDirectory(), context: { ...context, "aws:cdk:bundling-stacks": [] } });
  const parsed = parseSettings(stackSettings, context.runnerMetrics, "docs");
  const stack = Template.fromStack(new RunnerMetricsStack(app, "RunnerMetrics", { settings: parsed }) as Stack);
  const roles = Object.values(resources(stack, "AWS::IAM::Role"));
  expect(roles.length).toBeGreaterThan(2);
  for (const { Properties } of roles)
    expect(JSON.stringify(Properties.PermissionsBoundary)).toMatch(/:policy\/ci-boundary"/);
});

test("the policy that docs/use/deploy.md gives for an existing bucket is that of our own", () => {
  const [, policy] = only(template, "AWS::S3::BucketPolicy", "BucketPolicy");
  const [roleId] = only(template, "AWS::IAM::Role", "ExtractMetricsRole");
  const { Statement } = resolve(template, policy.Properties.PolicyDocument) as { Statement: { Sid?: string }[] };
  const ours = JSON.stringify(Statement.filter(({ Sid }) => Sid))
    .replaceAll(BUCKET, "BUCKET")
    .replace(new RegExp(`arn:[^"]*${roleId}`, "g"), "ROLE_OF_THE_LAMBDA");
  expect(json[1]).toEqual(JSON.parse(ours));
});

test("with a key, the statements that docs/use/deploy.md adds are those of our own", () => {
  const key = "arn:aws:kms:eu-central-1:123456789012:key/11111111-2222-3333-4444-555555555555";
  const withKey = synthesize({ kmsKeyArn: key });
  const [, policy] = only(withKey, "AWS::S3::BucketPolicy", "BucketPolicy");
  const { Statement } = resolve(withKey, policy.Properties.PolicyDocument) as { Statement: { Sid?: string }[] };
  const [, other, foreign, none] = Statement.filter(({ Sid }) => Sid);
  expect(JSON.stringify(other)).toContain('"StringNotEquals":{"s3:x-amz-server-side-encryption":"aws:kms"}');
  const ours = JSON.stringify([foreign, none]).replaceAll(BUCKET, "BUCKET").replaceAll(key, "ARN_OF_THE_KEY");
  expect(json[2]).toEqual(JSON.parse(ours));
});

test("with endedInstances, the statement that docs/use/deploy.md adds is that of our own", () => {
  const withEnds = synthesize({ endedInstances: true });
  const [, policy] = only(withEnds, "AWS::S3::BucketPolicy", "BucketPolicy");
  const [roleId] = only(withEnds, "AWS::IAM::Role", "RecordInstanceEnds");
  const { Statement } = resolve(withEnds, policy.Properties.PolicyDocument) as { Statement: { Sid?: string }[] };
  const ours = JSON.stringify(Statement.filter(({ Sid }) => Sid === "DenyOthersToRecordInstanceEnds"))
    .replaceAll(BUCKET, "BUCKET")
    .replace(new RegExp(`arn:[^"]*${roleId}`), "ROLE_OF_THE_SMALL_FUNCTION");
  expect(json[3]).toEqual(JSON.parse(ours));
});

test("the code that docs/consume/consumers.md shows is that of the examples", () => {
  const [, sample = ""] = /```ts\n([\s\S]*?)```/.exec(read("docs/consume/consumers.md")) ?? [];
  expect(sample.replace('"runner-metrics/events"', '"../contract/parse-event.ts"')).toBe(
    read("examples/long-job-handler.ts"),
  );
});

test("docs/use/deploy.md has every output of the stack", () => {
  const settings = { flavors: { large: {} }, github: { owners: ["acme"] }, workers: 2 };
  const outputs = Object.keys(synthesize(settings).toJSON().Outputs).filter((name) => !name.startsWith("Export"));
  expect(outputs.length).toBeGreaterThan(15);
  expect(outputs.filter((name) => !doc.includes(`\`${name}\``))).toEqual([]);
});
