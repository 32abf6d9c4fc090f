import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { App } from "aws-cdk-lib";
import { Template } from "aws-cdk-lib/assertions";
import { CA_CERTIFICATES_MAX, CERTIFICATES, OWNER } from "../contract/environment.ts";
import { FLAVOR } from "../contract/object-keys.ts";
import { GITHUB_RUNNERS } from "../contract/schedule-input.ts";
import { RunnerMetricsStack } from "../infra/runner-metrics-stack.ts";
import { parseSettings, type StackSettingsInput, stackSettings } from "../infra/settings.ts";
import { type Json, type JsonObject, mergeTemplates } from "./merge-templates.ts";

export interface TemplateOptions {
  /** How many flavors: a template can't repeat resources by a parameter, so each number has a template of its own. */
  readonly flavors: number;
  /** Leaves out what MiniStack does not have. For tests only. */
  readonly emulator?: boolean;
}

/** Templates for 1 to this many flavors are in a release. */
export const FLAVORS_IN_TEMPLATE_MAX = 5;

export const TEMPLATE_OPTIONS: readonly TemplateOptions[] = Array.from(
  { length: FLAVORS_IN_TEMPLATE_MAX },
  (_, index) => ({ flavors: index + 1 }),
);

export function templateName({ flavors }: TemplateOptions): string {
  return `runner-metrics-${flavors}-flavor${flavors === 1 ? "" : "s"}.template.json`;
}

/** Conditions of the template by which the stack has other resources and values, each with its definition. */
const CONDITIONS = {
  HasKmsKey: isSet("KmsKeyArn"),
  HasGithub: isSet("GithubOwners"),
  CreatesGithubSecret: { "Fn::Equals": [{ Ref: "GithubSecretArn" }, ""] },
  HasGithubRunners: isSet("GithubRunners"),
} as const;
export type Condition = keyof typeof CONDITIONS;

/**
 * The stock stack as a CloudFormation template that needs neither the CDK nor its bootstrap. Parameters name the flavors and where the
 * functions' zip file is, and switch the KMS key and GitHub on. It records how EC2 instances end; every other setting has its default.
 */
export function releaseTemplate(options: TemplateOptions): JsonObject {
  const merge = (condition: Condition, known: readonly Condition[], then: TemplateIf, otherwise = then) =>
    mergeTemplates(condition, then([...known, condition]), otherwise(known));
  const ofStack: TemplateIf = (known) => templateIf(options, known);
  const withSecret: TemplateIf = (known) => merge("CreatesGithubSecret", known, ofStack);
  const withGithub: TemplateIf = (known) => merge("HasGithubRunners", known, withSecret);
  const template = merge("HasKmsKey", [], (known) => merge("HasGithub", known, withGithub, ofStack));
  return {
    AWSTemplateFormatVersion: "2010-09-09",
    ...template,
    Parameters: parameters(options),
    Rules: rules(options),
    Conditions: {
      ...(template.Conditions as JsonObject),
      ...CONDITIONS,
      HasAlarmEmail: isSet("AlarmEmail"),
      HasGithubCaCertificates: isSet("GithubCaCertificates"),
      HasPermissionsBoundary: isSet("PermissionsBoundaryArn"),
    },
  };
}

type TemplateIf = (conditions: readonly Condition[]) => JsonObject;

/** The template where these conditions are true and the others false. */
export function templateIf(options: TemplateOptions, conditions: readonly Condition[]): JsonObject {
  // The CDK's rule and parameter are about its bootstrap.
  const {
    Resources,
    Rules: _,
    Parameters: __,
    ...template
  } = withParameters(synthesize(options, conditions)) as JsonObject;
  const resources = Object.entries(Resources as JsonObject).map(([id, resource]) => [
    id,
    withOwnParameters(id, resource),
  ]);
  const whole = { ...template, Resources: Object.fromEntries(resources) };
  const left = ANY_PLACEHOLDER.exec(JSON.stringify(whole));
  if (left) throw new Error(`The template still has the placeholder ${left[0]}`);
  return whole;
}

function isSet(parameter: string) {
  return { "Fn::Not": [{ "Fn::Equals": [{ Ref: parameter }, ""] }] };
}

/** A parameter's value, or nothing if it is empty. */
function unlessEmpty(parameter: string, condition: string): Json {
  return { "Fn::If": [condition, { Ref: parameter }, { Ref: "AWS::NoValue" }] };
}

/**
 * Settings have no parameters, so the stack is made with values that nothing else in the template contains. Each is a valid setting, and
 * becomes a parameter.
 */
const flavorName = (flavor: number) => `zflavor${flavor}z`;
const ORPHAN_AFTER_SECONDS = 777_701;
const TEXTS = {
  alarmEmail: "z-email-z@example.com",
  kmsKeyArn: "arn:aws:kms:eu-central-1:111122223333:key/77777777-7777-7777-7777-777777777777",
  metricsNamespace: "z-namespace-z",
  githubOwner: "z-owner-z",
  githubApiUrl: "https://z-api-z.example.com",
  githubCaCertificates: "-----BEGIN CERTIFICATE-----zCertificatez-----END CERTIFICATE-----",
  githubRunners: "z-runners-z",
  githubSecretArn: "arn:aws:secretsmanager:eu-central-1:111122223333:secret:z-secret-z-AbCdEf",
};
const PLACEHOLDERS: Readonly<Record<string, Json>> = {
  [TEXTS.alarmEmail]: { Ref: "AlarmEmail" },
  [TEXTS.kmsKeyArn]: { Ref: "KmsKeyArn" },
  [TEXTS.metricsNamespace]: { Ref: "AWS::StackName" },
  [TEXTS.githubOwner]: { Ref: "GithubOwners" },
  [TEXTS.githubApiUrl]: { Ref: "GithubApiUrl" },
  [TEXTS.githubCaCertificates]: unlessEmpty("GithubCaCertificates", "HasGithubCaCertificates"),
  [TEXTS.githubRunners]: { Ref: "GithubRunners" },
  [TEXTS.githubSecretArn]: { Ref: "GithubSecretArn" },
  [String(ORPHAN_AFTER_SECONDS)]: { Ref: "OrphanAfterSeconds" },
};
const ANY_PLACEHOLDER = new RegExp(`(zflavor\\dz|${Object.keys(PLACEHOLDERS).join("|")})`, "i");

function synthesize({ flavors, emulator = false }: TemplateOptions, conditions: readonly Condition[]): Json {
  const outdir = mkdtempSync(join(tmpdir(), "runner-metrics-template-"));
  try {
    const has = (condition: Condition) => conditions.includes(condition);
    const flavor = {
      orphanAfterSeconds: ORPHAN_AFTER_SECONDS,
      ...(has("HasGithubRunners") && { githubRunners: TEXTS.githubRunners }),
    };
    const github = {
      owners: [TEXTS.githubOwner],
      apiUrl: TEXTS.githubApiUrl,
      caCertificates: TEXTS.githubCaCertificates,
      ...(!has("CreatesGithubSecret") && { secretArn: TEXTS.githubSecretArn }),
    };
    const settings: StackSettingsInput = {
      flavors: Object.fromEntries(numbersTo(flavors).map((number) => [flavorName(number), flavor])),
      alarmEmail: TEXTS.alarmEmail,
      metricsNamespace: TEXTS.metricsNamespace,
      endedInstances: true,
      emulator,
      ...(emulator && { archiveRetentionDays: 0 }),
      ...(has("HasKmsKey") && { kmsKeyArn: TEXTS.kmsKeyArn }),
      ...(has("HasGithub") && { github }),
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
    return flavor ? { Ref: `Flavor${flavor}` } : (PLACEHOLDERS[part] ?? part);
  });
  const [first = "", ...rest] = values;
  return rest.length === 0 ? first : { "Fn::Join": ["", values] };
}

/** What depends on parameters in a way that settings can't express. */
function withOwnParameters(id: string, value: Json): JsonObject {
  const resource = value as JsonObject;
  const ofResource = resource.Properties as JsonObject;
  const properties = (more: JsonObject) => ({ ...resource, Properties: { ...ofResource, ...more } });
  switch (resource.Type) {
    case "AWS::SNS::Subscription":
      return { ...resource, Condition: "HasAlarmEmail" };
    case "AWS::Lambda::Function": {
      const { Variables } = ofResource.Environment as { Variables: JsonObject };
      const mismatch = "GITHUB_MISMATCH" in Variables && { GITHUB_MISMATCH: { Ref: "GithubMismatch" } };
      return properties({
        Code: { S3Bucket: { Ref: "CodeBucket" }, S3Key: { Ref: "CodeKey" } },
        Handler: `${id.startsWith("RecordInstanceEnds") ? "record-instance-ends" : "extract-metrics"}.handler`,
        Environment: { Variables: { ...Variables, ...mismatch } },
      });
    }
    case "AWS::IAM::Role":
      return properties({ PermissionsBoundary: unlessEmpty("PermissionsBoundaryArn", "HasPermissionsBoundary") });
    default:
      return resource;
  }
}

function parameters({ flavors }: TemplateOptions): JsonObject {
  const text = (Description: string, more: JsonObject = {}) => ({ Type: "String", Description, ...more });
  const optional = (Description: string, pattern?: string) =>
    text(Description, { Default: "", ...(pattern && { AllowedPattern: `^(${pattern})?$` }) });
  const names = numbersTo(flavors).map((number) => [
    `Flavor${number}`,
    text("Name of a flavor of runners: it is part of their keys in the bucket", { AllowedPattern: FLAVOR.source }),
  ]);
  const owner = unanchored(OWNER);
  return {
    CodeBucket: text("Bucket in this region with the zip file of the functions", { MinLength: 3 }),
    CodeKey: text("Key of the zip file. Each release has its own: a function is updated when its key changes", {
      MinLength: 1,
    }),
    ...Object.fromEntries(names),
    OrphanAfterSeconds: {
      Type: "Number",
      Description:
        "Seconds without an upload after which a runner is presumed dead: longer than the longest job and the longest wait for a job, unless GithubRunners is set",
      ...{ Default: 86_400, MinValue: 3_600, MaxValue: 1_209_599 },
    },
    AlarmEmail: optional("Receives all alarms after the link in SNS's first e-mail is confirmed; empty for nobody"),
    PermissionsBoundaryArn: optional("ARN of the permissions boundary of all roles; empty for none"),
    KmsKeyArn: optional(
      "ARN of the KMS key that encrypts the bucket; empty for S3's own keys",
      "arn:[^:]+:kms:[^:]+:[0-9]{12}:key/.+",
    ),
    GithubOwners: optional(
      "GitHub is asked about the jobs of these owners' repositories, separated by commas; empty: GitHub is not asked",
      `${owner}( *, *${owner})*`,
    ),
    GithubSecretArn: optional(
      "ARN of an existing secret with the credentials for GitHub, with its last six characters; empty: the stack creates one, to be filled in",
      "arn:[^:]+:secretsmanager:.+-[A-Za-z0-9]{6}",
    ),
    GithubRunners: optional(
      "Organisation (acme) or repository (acme/widgets): GitHub is asked which of its runners are online or busy; empty: it is not",
      unanchored(GITHUB_RUNNERS),
    ),
    GithubMismatch: text("What happens to a runner that claims a job which GitHub says it did not do", {
      Default: "flag",
      AllowedValues: ["flag", "quarantine"],
    }),
    GithubApiUrl: text(
      "API of GitHub, GHE.com (https://api.SUBDOMAIN.ghe.com) or Enterprise Server (https://HOST/api/v3)",
      {
        Default: "https://api.github.com",
        // Without TLS only on the same machine, as the function accepts it.
        AllowedPattern: "^(https://|http://(127\\.0\\.0\\.1|localhost)[:/]).+$",
      },
    ),
    GithubCaCertificates: {
      ...optional(
        "Certificates (PEM) of the private authority that signed Enterprise Server's certificate; empty for none",
        unanchored(CERTIFICATES),
      ),
      MaxLength: CA_CERTIFICATES_MAX,
    },
  };
}

function unanchored({ source }: RegExp): string {
  return source.replace(/^\^|\$$/g, "");
}

/** CloudFormation checks them before it changes anything. */
function rules({ flavors }: TemplateOptions): JsonObject {
  const needsOwners = (parameter: string) => ({
    RuleCondition: isSet(parameter),
    Assertions: [{ Assert: isSet("GithubOwners"), AssertDescription: `${parameter} needs GithubOwners` }],
  });
  return {
    ...(flavors > 1 && { DifferentFlavors: { Assertions: pairsDiffer(flavors) } }),
    SecretNeedsOwners: needsOwners("GithubSecretArn"),
    RunnersNeedOwners: needsOwners("GithubRunners"),
  };
}

/** Two flavors of one name would be collected twice. */
function pairsDiffer(flavors: number): Json {
  const numbers = numbersTo(flavors);
  return numbers.flatMap((one) =>
    numbers
      .filter((other) => other > one)
      .map((other) => ({
        Assert: { "Fn::Not": [{ "Fn::Equals": [{ Ref: `Flavor${one}` }, { Ref: `Flavor${other}` }] }] },
        AssertDescription: `Flavor${one} and Flavor${other} must differ`,
      })),
  );
}

function numbersTo(last: number): number[] {
  return Array.from({ length: last }, (_, index) => index + 1);
}
