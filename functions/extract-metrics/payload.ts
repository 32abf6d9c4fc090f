import * as z from "zod";
import type { Payload } from "../run.ts";
import { describe } from "./config.ts";

/** A runner that has uploaded nothing for so long, in seconds, has died. */
export const ORPHAN_AFTER_SECONDS = 24 * 60 * 60;

/** GitHub's grammar of an owner, alone or with one of its repositories. */
const GITHUB_RUNNERS = /^[A-Za-z0-9_-]{1,39}(?:\/(?!\.{1,2}$)[A-Za-z0-9._-]{1,100})?$/;

/** The input of the schedule: what one run is asked for. Unknown keys are refused, since a misspelt one would go unnoticed. */
export const payload = z
  .strictObject({
    flavor: z.string().regex(/^[a-z0-9][a-z0-9-]{0,31}$/, "must match ^[a-z0-9][a-z0-9-]{0,31}$"),
    runners: z.array(z.string().min(1)).optional(),
    include: z.boolean().default(false),
    orphanAfterSeconds: z.int().nonnegative().default(ORPHAN_AFTER_SECONDS),
    githubRunners: z
      .string()
      .regex(GITHUB_RUNNERS, "must be an organisation or a repository of GitHub's: acme, or acme/widgets")
      .optional(),
  })
  .refine(({ runners, include }) => runners || !include, { path: ["include"], error: "true needs a list of runners" })
  .refine(({ runners, githubRunners }) => !runners || !githubRunners, {
    path: ["githubRunners"],
    error: "can't go with a list of runners: either tells which runners live",
  });

export type ScheduleInput = z.input<typeof payload>;

/** Throws an error that names every field that is wrong and says why. */
export function readPayload(input: unknown): Payload {
  const parsed = payload.safeParse(input);
  if (!parsed.success) throw new Error(`The payload is not right. ${describe(parsed.error)}`);
  const { runners, ...others } = parsed.data;
  return { ...others, runners: runners && new Set(runners) };
}
