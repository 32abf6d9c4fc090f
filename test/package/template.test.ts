import { Template } from "aws-cdk-lib/assertions";
import { describe, expect, test } from "vitest";
import { readScheduleInput } from "../../contract/schedule-input.ts";
import { readConfig } from "../../functions/extract-metrics/config.ts";
import type { JsonObject } from "../../package/merge-templates.ts";
import { type Condition, TEMPLATE_OPTIONS, templateIf, templateName } from "../../package/template.ts";
import { effort } from "../effort.ts";
import { environmentOf } from "../infra/deployed-run.ts";
import { synthesize } from "../infra/synthesize.ts";
import { type Evaluated, evaluate } from "./evaluate.ts";
import { templates } from "./templates.ts";

type Resources = Readonly<Record<string, JsonObject>>;

const KEY = "arn:aws:kms:eu-central-1:123456789012:key/11111111-2222-3333-4444-555555555555";
const SECRET = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:github-AbCdEf";
const TWO_FLAVORS = { flavors: 2 };

const twoFlavors = templates.find(({ options }) => options.flavors === TWO_FLAVORS.flavors)?.template ?? {};

interface Parameter {
  readonly Default?: string | number;
  readonly AllowedPattern?: string;
}
const parametersOf = (template: JsonObject) => template.Parameters as unknown as Readonly<Record<string, Parameter>>;

/** The template with values of its parameters, and the defaults of the others. */
function deployed(template: JsonObject, given: Readonly<Record<string, string>>): Evaluated {
  const defaults = Object.entries(parametersOf(template)).flatMap(([name, { Default }]) =>
    Default === undefined ? [] : [[name, String(Default)]],
  );
  return evaluate(template, { ...Object.fromEntries(defaults), ...given });
}

/** What `Ref` and `Fn::GetAtt` name. */
function references(value: unknown): string[] {
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([name, item]) => {
    if (name === "Ref") return [String(item)];
    if (name === "Fn::GetAtt") return [String((item as unknown[])[0])];
    return references(item);
  });
}

test("a release has a template for each number of flavors, well below CloudFormation's million bytes", () => {
  expect(TEMPLATE_OPTIONS.map(templateName)).toEqual([
    "runner-metrics-1-flavor.template.json",
    ...[2, 3, 4, 5].map((flavors) => `runner-metrics-${flavors}-flavors.template.json`),
  ]);
  for (const { template } of templates) expect(JSON.stringify(template).length).toBeLessThan(400_000);
});

test.each(templates)("$name refers only to what it has, and needs no bootstrap", ({ template, options }) => {
  const parameters = Object.keys(parametersOf(template));
  const known = [...parameters, ...Object.keys(template.Resources as JsonObject)];
  const unknown = references(template).filter((name) => !known.includes(name) && !name.startsWith("AWS::"));
  expect(unknown).toEqual([]);
  expect(references(template)).toEqual(expect.arrayContaining(parameters));
  const flavors = Array.from({ length: options.flavors }, (_, index) => `Flavor${index + 1}`);
  const ofGithub = ["Owners", "SecretArn", "Runners", "Mismatch", "ApiUrl", "CaCertificates"];
  const others = ["CodeBucket", "CodeKey", "OrphanAfterSeconds", "AlarmEmail", "PermissionsBoundaryArn", "KmsKeyArn"];
  const all = [...others, ...flavors, ...ofGithub.map((name) => `Github${name}`)];
  expect(parameters.toSorted()).toEqual(all.toSorted());
  expect(JSON.stringify(template)).not.toMatch(
    /bootstrap|cdk-hnb659fds|zflavor|\bz-|-z\b|777701|77777777|zCertificatez/i,
  );
});

/** Every way in which the template's conditions can be true, by the parameters that make them so. */
const CASES = ["", KEY].flatMap((key) => [
  { key, owners: "", secret: "", runners: "" },
  ...["", SECRET].flatMap((secret) =>
    ["", "acme"].map((runners) => ({ key, owners: "acme,octo-org", secret, runners })),
  ),
]);

/** Outside the gate: nothing; all conditions; a secret of their own, and runners that no schedule names. */
const TRIED = effort(
  CASES.filter((_, index) => [0, 7, 8].includes(index)),
  CASES,
);

describe.each(TRIED)("with key '$key', owners '$owners', secret '$secret', runners '$runners'", (parameters) => {
  const { key, owners, secret, runners } = parameters;
  const values = {
    ...{ Flavor1: "large", Flavor2: "arm-small", "AWS::StackName": "RunnerMetrics", AlarmEmail: "ops@example.com" },
    ...{ KmsKeyArn: key, GithubOwners: owners, GithubSecretArn: secret, GithubRunners: runners },
  };
  const released = deployed(twoFlavors, values);

  test("the template is the one that is made for this case alone: logical ids, types and all values", () => {
    const conditions: Condition[] = [];
    if (key) conditions.push("HasKmsKey");
    if (owners) conditions.push("HasGithub");
    if (owners && !secret) conditions.push("CreatesGithubSecret");
    if (runners) conditions.push("HasGithubRunners");
    const { Resources = {}, Outputs = {} } = templateIf(TWO_FLAVORS, conditions);
    const alone = deployed({ ...twoFlavors, Resources, Outputs }, values);
    const types = (resources: Resources) => Object.entries(resources).map(([id, { Type }]) => `${id} ${Type}`);
    expect(types(released.Resources).toSorted()).toEqual(types(alone.Resources).toSorted());
    expect(released).toEqual(alone);
  });

  test("nothing refers to a resource that is not there", () => {
    const names = references(released).filter((name) => !name.startsWith("AWS::") && !name.startsWith("Code"));
    expect(Object.keys(released.Resources)).toEqual(expect.arrayContaining(names));
  });

  test("it is the stock stack with these settings", () => {
    const flavor = runners ? { githubRunners: runners } : {};
    const settings = {
      flavors: { large: flavor, "arm-small": flavor },
      alarmEmail: "ops@example.com",
      endedInstances: true,
      ...(key && { kmsKeyArn: key }),
      ...(owners && { github: { owners: owners.split(","), ...(secret && { secretArn: secret }) } }),
    };
    // The CDK's rule is about its bootstrap.
    const { Rules: _, ...stack } = synthesize(settings).toJSON();
    const stock = evaluate(stack, {}).Resources;
    // Logical ids differ; so do the account and region that the test's stack names, and the functions' code and role.
    const comparable = (resources: Resources) =>
      Object.values(resources)
        .filter(({ Type }) => /Schedule$|Alarm|ManagedPolicy|Subscription|Secret/.test(String(Type)))
        .map(({ Type, Properties }) => `${Type} ${withoutIds(JSON.stringify(Properties))}`)
        .toSorted();
    expect(comparable(released.Resources)).toEqual(comparable(stock));
    const types = (resources: Resources) =>
      Object.values(resources)
        .map(({ Type }) => Type)
        .toSorted();
    expect(types(released.Resources)).toEqual(types(stock));
  });

  test("the function accepts its environment and what its schedules send", () => {
    const template = Template.fromJSON(released as object as Record<string, unknown>);
    const config = readConfig(environmentOf(template));
    expect(config.kmsKeyArn ?? "").toBe(key);
    expect(config.github?.owners).toEqual(owners ? ["acme", "octo-org"] : undefined);
    expect(config.github?.apiUrl).toBe(owners ? "https://api.github.com" : undefined);
    const inputs = Object.values(template.findResources("AWS::Scheduler::Schedule")).map(({ Properties }) =>
      readScheduleInput(JSON.parse(Properties.Target.Input)),
    );
    expect(inputs).toHaveLength(2);
    for (const { githubRunners } of inputs) expect(githubRunners ?? "").toBe(runners);
    const output = released.Outputs.GithubSecretArn?.Value;
    const made = Object.keys(template.findResources("AWS::SecretsManager::Secret"));
    expect(output).toEqual(secret || (owners ? { Ref: made[0] } : undefined));
    expect(made).toHaveLength(owners && !secret ? 1 : 0);
  });
});

test("the other parameters about GitHub reach the function", () => {
  const GithubCaCertificates = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
  const GithubApiUrl = "https://github.acme.example/api/v3";
  const values = { GithubOwners: "acme", GithubApiUrl, GithubMismatch: "quarantine", GithubCaCertificates };
  const config = readConfig(environmentOf(Template.fromJSON({ ...deployed(twoFlavors, values) })));
  expect(config.quarantineMismatches).toBe(true);
  expect(config.github).toMatchObject({ apiUrl: GithubApiUrl, caCertificates: GithubCaCertificates });
});

test.each([
  ["GithubOwners", ["", "acme", "acme,octo-org", "acme, octo_org"], ["acme,", "a/b", "acme octo"]],
  ["GithubRunners", ["", "acme", "acme/widgets"], ["acme/", "a/b/c", "acme/.."]],
  ["GithubSecretArn", ["", SECRET], ["github", SECRET.slice(0, -7)]],
  ["KmsKeyArn", ["", KEY], ["key", "arn:aws:kms:eu-central-1:123456789012:alias/foo"]],
  [
    "GithubApiUrl",
    ["https://api.github.com", "https://github.acme.example/api/v3", "http://127.0.0.1:4000"],
    ["", "http://github.acme.example", "api.github.com", "http://127.0.0.1.example.com"],
  ],
  ["GithubCaCertificates", ["", "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n"], ["AA=="]],
])("CloudFormation refuses values of %s that the function would refuse", (name, right, wrong) => {
  // CloudFormation matches the whole value.
  const pattern = new RegExp(parametersOf(twoFlavors)[name]?.AllowedPattern ?? "");
  for (const value of right) expect(value).toMatch(pattern);
  for (const value of wrong) expect(value).not.toMatch(pattern);
});

test.each([
  [{}, []],
  [{ Flavor2: "large" }, ["Flavor1 and Flavor2 must differ"]],
  [{ GithubSecretArn: SECRET }, ["GithubSecretArn needs GithubOwners"]],
  [{ GithubRunners: "acme" }, ["GithubRunners needs GithubOwners"]],
  [{ GithubOwners: "acme", GithubRunners: "acme", GithubSecretArn: SECRET }, []],
])("CloudFormation refuses parameters that contradict each other: %o", (values, refusals) => {
  const given = { Flavor1: "large", Flavor2: "arm-small", ...values };
  expect(deployed(twoFlavors, given).refusals).toEqual(refusals);
});

test("every role has the permissions boundary, and the function's code is where the parameters say", () => {
  for (const { template } of templates) {
    const resources = Template.fromJSON(template as Record<string, unknown>);
    const roles = Object.values(resources.findResources("AWS::IAM::Role"));
    expect(roles.length).toBeGreaterThan(2);
    for (const { Properties } of roles) {
      expect(Properties.PermissionsBoundary["Fn::If"]?.[0]).toBe("HasPermissionsBoundary");
    }
    const functions = Object.values(resources.findResources("AWS::Lambda::Function"));
    const handlers = functions.map(({ Properties }) => Properties.Handler);
    expect(handlers.toSorted()).toEqual(["extract-metrics.handler", "record-instance-ends.handler"]);
    for (const { Properties } of functions) {
      expect(Properties.Code).toEqual({ S3Bucket: { Ref: "CodeBucket" }, S3Key: { Ref: "CodeKey" } });
    }
  }
});

function withoutIds(text: string): string {
  return text
    .replace(/"(Ref|Fn::GetAtt)":(\["[^"]+"|"[^"]+")/g, '"$1":""')
    .replace(/(Flavor\d|large|arm-?small)[A-F0-9]{8}/g, "");
}
