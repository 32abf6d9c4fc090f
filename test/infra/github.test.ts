import { Validations } from "aws-cdk-lib";
import { AwsSolutionsChecks } from "cdk-nag";
import { describe, expect, test } from "vitest";
import { readScheduleInput } from "../../contract/schedule-input.ts";
import { readConfig } from "../../functions/extract-metrics/config.ts";
import { needs } from "../tools.ts";
import { environmentOf } from "./deployed-run.ts";
import { createStack, resources, synthesize, TWO_FLAVORS } from "./synthesize.ts";

const SECRET_ARN = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:github-AbCdEf";
const GITHUB = { owners: ["acme", "octo-org"], mismatch: "quarantine", apiUrl: "https://github.acme.example/api/v3" };
const FLAVORS = { ...TWO_FLAVORS, large: { everyMinutes: 5, githubRunners: "acme" } };

const statements = (template: ReturnType<typeof synthesize>) =>
  Object.values(resources(template, "AWS::IAM::Policy")).flatMap(
    ({ Properties }) =>
      (Properties.PolicyDocument as { Statement: { Action: unknown; Resource: unknown }[] }).Statement,
  );
const ofSecrets = (template: ReturnType<typeof synthesize>) =>
  statements(template).filter(({ Action }) => JSON.stringify(Action).includes("secretsmanager"));

describe("with GitHub", () => {
  test("the Lambda is told all that it is to know, and takes it", () => {
    const template = synthesize({ flavors: FLAVORS, github: { ...GITHUB, secretArn: SECRET_ARN } });
    expect(readConfig(environmentOf(template))).toMatchObject({
      quarantineMismatches: true,
      github: {
        secretId: SECRET_ARN,
        owners: ["acme", "octo-org"],
        apiUrl: "https://github.acme.example/api/v3",
        timeBudgetSeconds: 60,
        requestsMax: 500,
      },
    });
  });

  test("the schedules of the flavors that name their runners' home say so, the others do not", () => {
    const template = synthesize({ flavors: FLAVORS, github: GITHUB });
    const inputs = Object.values(resources(template, "AWS::Scheduler::Schedule")).map(({ Properties }) =>
      readScheduleInput(JSON.parse((Properties.Target as { Input: string }).Input)),
    );
    expect(inputs.map(({ flavor, githubRunners }) => [flavor, githubRunners])).toEqual([
      ["large", "acme"],
      ["arm-small", undefined],
    ]);
  });

  test("the role may read this secret and no other, and nothing else of Secrets Manager", () => {
    const existing = synthesize({ github: { ...GITHUB, secretArn: SECRET_ARN } });
    existing.resourceCountIs("AWS::SecretsManager::Secret", 0);
    expect(ofSecrets(existing)).toMatchObject([{ Action: "secretsmanager:GetSecretValue", Resource: SECRET_ARN }]);
    const made = synthesize({ github: GITHUB });
    const [id] = Object.keys(resources(made, "AWS::SecretsManager::Secret"));
    expect(ofSecrets(made)).toMatchObject([{ Action: "secretsmanager:GetSecretValue", Resource: { Ref: id } }]);
  });

  test("the stack's own secret is kept when the stack goes, and named in the outputs", () => {
    const template = synthesize({ github: GITHUB });
    const [[id, secret] = ["", undefined]] = Object.entries(resources(template, "AWS::SecretsManager::Secret"));
    expect(secret?.DeletionPolicy).toBe("RetainExceptOnCreate");
    template.hasOutput("GithubSecretArn", { Value: { Ref: id } });
  });

  test("cdk-nag finds nothing that is not acknowledged", { tags: needs("gate") }, () => {
    const { app } = createStack({ flavors: FLAVORS, github: GITHUB });
    Validations.of(app).addPlugins(new AwsSolutionsChecks(app));
    expect(() => app.synth()).not.toThrow();
  });

  test.each([
    [{ github: { owners: [] } }, /github.owners: must name at least one owner/],
    [{ github: { owners: ["../x"] } }, /github.owners: must be names of owners/],
    [{ github: { ...GITHUB, apiUrl: "http://github.acme.example" } }, /github.apiUrl: must be an https URL/],
    [{ github: { ...GITHUB, secretArn: "github" } }, /github.secretArn: must be an ARN of secretsmanager/],
    [{ github: { ...GITHUB, requestsMax: 0 } }, /github.requestsMax/],
    [{ github: GITHUB, flavors: { large: { githubRunners: "a/b/c" } } }, /flavors.large.githubRunners: must be/],
    [{ flavors: FLAVORS }, /flavors.large.githubRunners: needs github/],
  ])("settings that are not right are refused: %o", (settings, problem) => {
    expect(() => synthesize(settings)).toThrow(problem);
  });
});

test("without GitHub there is no secret, no permission to read one, and no word of it to the Lambda", () => {
  const template = synthesize();
  template.resourceCountIs("AWS::SecretsManager::Secret", 0);
  expect(ofSecrets(template)).toEqual([]);
  expect(Object.keys(environmentOf(template)).filter((name) => name.startsWith("GITHUB"))).toEqual([]);
});
