import { Template } from "aws-cdk-lib/assertions";
import { expect, test } from "vitest";
import { releaseTemplate, TEMPLATE_OPTIONS, templateName } from "../../package/template.ts";
import { synthesize } from "../infra/synthesize.ts";

type Resources = Readonly<
  Record<string, { readonly Type: string; readonly Properties: Readonly<Record<string, unknown>> }>
>;

const templates = TEMPLATE_OPTIONS.map((options) => ({
  options,
  name: templateName(options),
  template: releaseTemplate(options),
}));
const resourcesOf = (template: object) => (template as { Resources: Resources }).Resources;

/** What `Ref` and `Fn::GetAtt` name. */
function references(value: unknown): string[] {
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([name, item]) => {
    if (name === "Ref") return [String(item)];
    if (name === "Fn::GetAtt") return [String((item as unknown[])[0])];
    return references(item);
  });
}

/** A template with its parameters' values put in, and texts joined. */
function resolve(value: unknown, values: Readonly<Record<string, string>>): unknown {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map((item) => resolve(item, values));
  const [[name, item] = ["", undefined]] = Object.entries(value);
  if (name === "Ref" && typeof item === "string" && item in values) return values[item];
  const resolved = Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, resolve(inner, values)]));
  const join = resolved["Fn::Join"] as [string, unknown[]] | undefined;
  if (join?.[1].every((part) => typeof part === "string")) return join[1].join(join[0]);
  return resolved;
}

test("a release has a template for each number of flavors, with and without a KMS key", () => {
  expect(templates).toHaveLength(10);
  expect(new Set(templates.map(({ name }) => name)).size).toBe(10);
});

test.each(templates)("$name refers only to what it has, and needs no bootstrap", ({ template, options }) => {
  const parameters = Object.keys(template.Parameters ?? {});
  const known = [...parameters, ...Object.keys(resourcesOf(template))];
  const unknown = references(template).filter((name) => !known.includes(name) && !name.startsWith("AWS::"));
  expect(unknown).toEqual([]);
  expect(references(template)).toEqual(expect.arrayContaining(parameters));
  const flavors = Array.from({ length: options.flavors }, (_, index) => `Flavor${index + 1}`);
  const others = ["CodeBucket", "CodeKey", "OrphanAfterSeconds", "AlarmEmail", "PermissionsBoundaryArn"];
  expect(parameters.toSorted()).toEqual([...others, ...flavors, ...(options.kms ? ["KmsKeyArn"] : [])].toSorted());
  expect(JSON.stringify(template)).not.toMatch(/bootstrap|cdk-hnb659fds|zflavor|z-email|z-namespace|777701|77777777/i);
});

test("with values for its parameters it is the stock stack", () => {
  const values = {
    Flavor1: "large",
    Flavor2: "arm-small",
    OrphanAfterSeconds: "86400",
    "AWS::StackName": "RunnerMetrics",
  };
  const settings = { flavors: { large: {}, "arm-small": {} }, alarmEmail: "ops@example.com", endedInstances: true };
  const stock = resourcesOf(synthesize(settings).toJSON());
  const released = resourcesOf(
    resolve(releaseTemplate({ flavors: 2, kms: false }), { ...values, AlarmEmail: "ops@example.com" }) as object,
  );
  // Logical ids differ; so do the account and region that the test's stack names.
  const comparable = (resources: Resources) =>
    Object.values(resources)
      .filter(({ Type }) => /Schedule$|Alarm|ManagedPolicy|Subscription/.test(Type))
      .map(({ Type, Properties }) => `${Type} ${withoutIds(JSON.stringify(Properties))}`)
      .toSorted();
  expect(comparable(released)).toEqual(comparable(stock));
  const types = (resources: Resources) =>
    Object.values(resources)
      .map(({ Type }) => Type)
      .toSorted();
  expect(types(released)).toEqual(types(stock));
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
