import { Validations } from "aws-cdk-lib";
import { AwsSolutionsChecks } from "cdk-nag";
import { expect, test } from "vitest";
import { needs } from "../tools.ts";
import { createStack } from "./synthesize.ts";

test.each([
  ["as it comes", {}],
  [
    "with everything",
    {
      flavors: { large: { githubRunners: "acme", jobsPerRunner: "many" }, old: { retired: true } },
      github: { owners: ["acme"] },
      kmsKeyArn: "arn:aws:kms:eu-central-1:123456789012:key/11111111-2222-3333-4444-555555555555",
      schemaRegistry: true,
      alarmEmail: "ops@example.com",
      reservedConcurrency: 6,
      workers: 4,
      removalPolicy: "destroy",
      endedInstances: true,
    },
  ],
  [
    "with a bucket and a bus that exist",
    { bucketName: "ours", manageBucketPolicy: true, eventBusName: "ours", accessLogs: false },
  ],
])("cdk-nag finds nothing that is not acknowledged in the stack %s", { tags: needs("gate") }, (_, settings) => {
  const { app } = createStack(settings);
  Validations.of(app).addPlugins(new AwsSolutionsChecks(app));
  expect(() => app.synth()).not.toThrow();
});
