import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { App } from "aws-cdk-lib";
import { Template } from "aws-cdk-lib/assertions";
import { FLAVOR } from "../contract/object-keys.ts";
import { RunnerMetricsStack } from "../infra/runner-metrics-stack.ts";
import { parseSettings, type StackSettingsInput, stackSettings } from "../infra/settings.ts";

export interface TemplateOptions {
  /** How many flavors: a template can't repeat resources by a parameter, so each number has a template of its own. */
  readonly flavors: number;
  /** Whether a KMS key of yours encrypts the bucket. It adds statements, so it has templates of its own. */
  readonly kms: boolean;
  /** Leaves out what MiniStack does not have. For tests only. */
  readonly emulator?: boolean;
}

/** Templates for 1 to this many flavors are in a release. */
export const FLAVORS_IN_TEMPLATE_MAX = 5;

export const TEMPLATE_OPTIONS: readonly TemplateOptions[] = [false, true].flatMap((kms) =>
  Array.from({ length: FLAVORS_IN_TEMPLATE_MAX }, (_, index) => ({ flavors: index + 1, kms })),
);

export function templateName({ flavors, kms }: TemplateOptions): string {
  return `runner-metrics-${flavors}-flavor${flavors === 1 ? "" : "s"}${kms ? "-kms" : ""}.template.json`;
}

type Json = string | number | boolean | null | readonly Json[] | { readonly [name: string]: Json };
type JsonObject = Readonly<Record<string, Json>>;

/**
 * The stock stack as a CloudFormation template that needs neither the CDK nor its bootstrap. Parameters name the flavors and where the
 * functions' zip file is. It records how EC2 instances end; every other setting has its default.
 */
export function releaseTemplate(options: TemplateOptions): JsonObject {
  // The CDK's rule and parameter are about its bootstrap.
  const { Resources, Rules: _, ...template } = withParameters(synthesize(options)) as JsonObject;
  const left = /zflavor\dz/i.exec(JSON.stringify([Resources, template]));
  if (left) throw new Error(`The template still has the placeholder ${left[0]}`);
  return {
    AWSTemplateFormatVersion: "2010-09-09",
    ...template,
    Parameters: parameters(options),
    ...(options.flavors > 1 && { Rules: { DifferentFlavors: { Assertions: pairsDiffer(options.flavors) } } }),
    Conditions: {
      ...(template.Conditions as JsonObject),
      HasAlarmEmail: { "Fn::Not": [{ "Fn::Equals": [{ Ref: "AlarmEmail" }, ""] }] },
      HasPermissionsBoundary: { "Fn::Not": [{ "Fn::Equals": [{ Ref: "PermissionsBoundaryArn" }, ""] }] },
    },
    Resources: Object.fromEntries(
      Object.entries(Resources as JsonObject).map(([id, resource]) => [id, conditional(id, resource)]),
    ),
  };
}

/**
 * Settings have no parameters, so the stack is made with values that nothing else in the template contains. Each is a valid setting, and
 * becomes a parameter.
 */
const placeholder = (flavor: number) => `zflavor${flavor}z`;
const ORPHAN_AFTER_SECONDS = 777_701;
const PLACEHOLDERS: Readonly<Record<string, string>> = {
  "z-email-z@example.com": "AlarmEmail",
  "arn:aws:kms:eu-central-1:111122223333:key/77777777-7777-7777-7777-777777777777": "KmsKeyArn",
  "z-namespace-z": "AWS::StackName",
  [String(ORPHAN_AFTER_SECONDS)]: "OrphanAfterSeconds",
};
const [ALARM_EMAIL = "", KMS_KEY_ARN = "", NAMESPACE = ""] = Object.keys(PLACEHOLDERS).filter(
  (name) => !/^\d/.test(name),
);
const ANY_PLACEHOLDER = new RegExp(`(zflavor\\dz|${Object.keys(PLACEHOLDERS).join("|")})`);

function synthesize({ flavors, kms, emulator = false }: TemplateOptions): Json {
  const outdir = mkdtempSync(join(tmpdir(), "runner-metrics-template-"));
  try {
    const names = Array.from({ length: flavors }, (_, index) => placeholder(index + 1));
    const settings: StackSettingsInput = {
      flavors: Object.fromEntries(names.map((name) => [name, { orphanAfterSeconds: ORPHAN_AFTER_SECONDS }])),
      alarmEmail: ALARM_EMAIL,
      metricsNamespace: NAMESPACE,
      endedInstances: true,
      emulator,
      ...(emulator && { archiveRetentionDays: 0 }),
      ...(kms && { kmsKeyArn: KMS_KEY_ARN }),
    };
    const app = new App({ outdir, analyticsReporting: false, context: { "aws:cdk:bundling-stacks": [] } });
    const stack = new RunnerMetricsStack(app, "RunnerMetrics", {
      settings: parseSettings(stackSettings, settings, "release template"),
      description: "Trustworthy metrics from self-hosted GitHub Actions runners",
    });
    return Template.fromStack(stack).toJSON();
  } finally {
    rmSync(outdir, { recursive: true, force: true });
  }
}

/** Logical ids get readable names, other strings refer to parameters. */
function withParameters(value: Json, isLogicalId = false): Json {
  if (typeof value === "string") return isLogicalId ? logicalId(value) : reference(value);
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map((item) => withParameters(item, isLogicalId));
  const entries = Object.entries(value).map(([name, item]) => [
    logicalId(name),
    withParameters(item, ["Ref", "Fn::GetAtt", "DependsOn"].includes(name)),
  ]);
  return Object.fromEntries(entries);
}

function logicalId(name: string): string {
  return name.replace(/zflavor(\d)z/gi, "Flavor$1");
}

function reference(text: string): Json {
  const parts = text.split(ANY_PLACEHOLDER).filter((part) => part !== "");
  const values = parts.map((part): Json => {
    const flavor = /^zflavor(\d)z$/.exec(part)?.[1];
    const name = flavor ? `Flavor${flavor}` : PLACEHOLDERS[part];
    return name ? { Ref: name } : part;
  });
  const [first = "", ...rest] = values;
  return rest.length === 0 ? first : { "Fn::Join": ["", values] };
}

/** What depends on parameters in a way that settings can't express. */
function conditional(id: string, value: Json): Json {
  const resource = value as JsonObject;
  const properties = (more: JsonObject) => ({
    ...resource,
    Properties: { ...(resource.Properties as JsonObject), ...more },
  });
  switch (resource.Type) {
    case "AWS::SNS::Subscription":
      return { ...resource, Condition: "HasAlarmEmail" };
    case "AWS::Lambda::Function":
      return properties({
        Code: { S3Bucket: { Ref: "CodeBucket" }, S3Key: { Ref: "CodeKey" } },
        Handler: `${id.startsWith("RecordInstanceEnds") ? "record-instance-ends" : "extract-metrics"}.handler`,
      });
    case "AWS::IAM::Role": {
      const boundary = [{ Ref: "PermissionsBoundaryArn" }, { Ref: "AWS::NoValue" }];
      return properties({ PermissionsBoundary: { "Fn::If": ["HasPermissionsBoundary", ...boundary] } });
    }
    default:
      return resource;
  }
}

function parameters({ flavors, kms }: TemplateOptions): JsonObject {
  const text = (Description: string, more: JsonObject = {}) => ({ Type: "String", Description, ...more });
  const names = Array.from({ length: flavors }, (_, index) => [
    `Flavor${index + 1}`,
    text("Name of a flavor of runners: it is part of their keys in the bucket", { AllowedPattern: FLAVOR.source }),
  ]);
  return {
    CodeBucket: text("Bucket in this region with the zip file of the functions", { MinLength: 3 }),
    CodeKey: text("Key of the zip file. Each release has its own: a function is updated when its key changes", {
      MinLength: 1,
    }),
    ...Object.fromEntries(names),
    OrphanAfterSeconds: {
      Type: "Number",
      Description:
        "Seconds without an upload after which a runner is presumed dead: longer than the longest job and the longest wait for a job",
      ...{ Default: 86_400, MinValue: 3_600, MaxValue: 1_209_599 },
    },
    AlarmEmail: text("Receives all alarms after the link in SNS's first e-mail is confirmed; empty for nobody", {
      Default: "",
    }),
    PermissionsBoundaryArn: text("ARN of the permissions boundary of all roles; empty for none", { Default: "" }),
    ...(kms && {
      KmsKeyArn: text("ARN of the KMS key that encrypts the bucket", { AllowedPattern: "arn:[a-z-]+:kms:.+" }),
    }),
  };
}

/** Two flavors of one name would be collected twice. */
function pairsDiffer(flavors: number): Json {
  const numbers = Array.from({ length: flavors }, (_, index) => index + 1);
  return numbers.flatMap((one) =>
    numbers
      .filter((other) => other > one)
      .map((other) => ({
        Assert: { "Fn::Not": [{ "Fn::Equals": [{ Ref: `Flavor${one}` }, { Ref: `Flavor${other}` }] }] },
        AssertDescription: `Flavor${one} and Flavor${other} must differ`,
      })),
  );
}
