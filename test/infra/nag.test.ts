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
      accessLogs: true,
      alarmEmail: "ops@example.com",
      reservedConcurrency: 4,
      workers: 2,
      removalPolicy: "destroy",
      endedInstances: true,
    },
  ],
])("cdk-nag finds nothing that is not acknowledged in the stack %s", { tags: needs("gate") }, (_, settings) => {
  const { app } = createStack(settings);
  Validations.of(app).addPlugins(new AwsSolutionsChecks(app));
  expect(() => app.synth()).not.toThrow();
});
