import * as z from "zod";
import { FLAVOR } from "./object-keys.ts";
import { parse } from "./parse.ts";

/** Default of `orphanAfterSeconds`: a runner that has uploaded nothing for this many seconds is presumed dead. */
export const ORPHAN_AFTER_SECONDS = 24 * 60 * 60;

/** GitHub's grammar of an owner, alone or with one of its repositories. */
export const GITHUB_RUNNERS = /^[A-Za-z0-9_-]{1,39}(?:\/(?!\.{1,2}$)[A-Za-z0-9._-]{1,100})?$/;

/** The input of a schedule, and so the event of the Lambda function: what one run does. Unknown keys are rejected, since a misspelt one would go unnoticed. */
export const scheduleInput = z
  .strictObject({
    flavor: z.string().regex(FLAVOR, `must match ${FLAVOR.source}`).describe("Flavor whose storages are collected"),
    runners: z
      .array(z.string().min(1))
      .transform((names): ReadonlySet<string> => new Set(names))
      .optional()
      .describe("Names of runners or storages. The caller knows the fleet, and readiness does not matter"),
    include: z
      .boolean()
      .default(false)
      .describe(
        "`false`: collect every storage that is not named, since the named ones are alive; `true`: only the named ones",
      ),
    orphanAfterSeconds: z
      .int()
      .nonnegative()
      .default(ORPHAN_AFTER_SECONDS)
      .describe("Without `runners`: seconds without an upload after which a runner is presumed dead"),
    githubRunners: z
      .string()
      .regex(GITHUB_RUNNERS, "must be an organisation or repository on GitHub: acme, or acme/widgets")
      .optional()
      .describe("Organisation or repository: GitHub is asked which of its runners are online or busy"),
    workQueueUrl: z
      .url({ protocol: /^https?$/ })
      .optional()
      .describe("URL of the flavor's queue for workers. Without it the run hands nothing over"),
  })
  .refine(({ runners, include }) => runners || !include, { path: ["include"], error: "true needs a list of runners" })
  .refine(({ runners, githubRunners }) => !runners || !githubRunners, {
    path: ["githubRunners"],
    error: "can't be combined with a list of runners: either says which runners are alive",
  });

/** As an operator or Scheduler writes it. */
export type ScheduleInput = z.input<typeof scheduleInput>;

/** As a run reads it: with defaults, and `runners` as a set of names. */
export type RunInput = z.output<typeof scheduleInput>;

/** Throws an error that names every wrong field and what is wrong with it. */
export function readScheduleInput(input: unknown): RunInput {
  return parse(scheduleInput, input, "schedule input");
}
