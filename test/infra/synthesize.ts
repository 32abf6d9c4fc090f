/** The stack as CloudFormation gets it, without the bundle. */
import type { App, Stack } from "aws-cdk-lib";
import { Template } from "aws-cdk-lib/assertions";
import { RunnerMetricsStack } from "../../infra/runner-metrics-stack.ts";
import { parseSettings, stackSettings } from "../../infra/settings.ts";
import { createApp } from "./app.ts";

export const ACCOUNT = "123456789012";
export const REGION = "eu-central-1";

export const TWO_FLAVORS = { large: { everyMinutes: 5 }, "arm-small": { everyMinutes: 2, orphanAfterSeconds: 3_600 } };

export interface Resource {
  readonly Type: string;
  readonly Properties: Readonly<Record<string, unknown>>;
  readonly DeletionPolicy?: string;
}

export function createStack(settings: object = {}): { app: App; stack: RunnerMetricsStack } {
  const app = createApp();
  const parsed = parseSettings(stackSettings, { flavors: TWO_FLAVORS, ...settings }, "The test's settings");
  const stack = new RunnerMetricsStack(app, parsed.stackName, {
    settings: parsed,
    env: { account: ACCOUNT, region: REGION },
  });
  return { app, stack };
}

const templates = new Map<string, Template>();

/** The template of a stack with these settings. Tests share it and do not change it: each takes a second to make. */
export function synthesize(settings?: object): Template {
  const key = JSON.stringify(settings ?? {});
  const template = templates.get(key) ?? Template.fromStack(createStack(settings).stack as Stack);
  templates.set(key, template);
  return template;
}

/** All resources of a type, by logical id. */
export function resources(template: Template, type: string): Record<string, Resource> {
  return template.findResources(type) as Record<string, Resource>;
}
