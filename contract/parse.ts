import type * as z from "zod";

/**
 * Checks input against a schema. Throws one error that names every wrong field and what is wrong with it:
 * `Invalid schedule input: flavor: is required; include: true needs a list of runners`.
 */
export function parse<Schema extends z.ZodType>(schema: Schema, input: unknown, what: string): z.output<Schema> {
  const parsed = schema.safeParse(input);
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.map((issue) => `${issue.path.join(".") || "the input"}: ${messageOf(issue)}`);
  throw new Error(`Invalid ${what}: ${problems.join("; ")}`);
}

/** For a key that is not a valid name zod only says that it is invalid; the reason lies deeper. */
function messageOf(issue: z.core.$ZodIssue): string {
  return issue.code === "invalid_key" ? issue.issues.map(({ message }) => message).join("; ") : issue.message;
}
