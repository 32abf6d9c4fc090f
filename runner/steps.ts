import { monotonic, now } from "./clock.ts";
import { record, type Step } from "./record.ts";
import { type Environment, hasManyJobs, limitsOf, spoolDirectory } from "./settings.ts";
import { openSpool } from "./spool.ts";
import { upload } from "./upload.ts";

/** A step takes at most this many times the limit of one request. */
const LIMIT_FACTOR = 3;

/** Takes a step: records it, then uploads what is not uploaded yet, in bounded time. Gives what went wrong. */
export async function takeStep(
  step: Step,
  argument: string | undefined,
  environment: Environment,
  limitFinal?: number,
): Promise<readonly string[]> {
  const begunAt = monotonic();
  const at = now().wall;
  const { limits, problems } = limitsOf(environment);
  const many = hasManyJobs(environment);
  const { spool, problem } = openSpool(spoolDirectory(environment));
  const said = [...problems, ...("problem" in many ? [many.problem] : []), ...(problem ? [problem] : [])];
  const options = { spool, environment, hasManyJobs: "value" in many && many.value };

  const { journal, problems: unrecorded } = record(step, argument, { ...options, at });
  const retry = step === "ended" ? (limitFinal ?? limits.final) : limits.timeout;
  const unsent = await upload({
    ...options,
    current: journal,
    timeout: limits.timeout,
    retry,
    limit: Math.max(LIMIT_FACTOR * limits.timeout, retry),
    begunAt,
    next: step === "ended" || step === "upload" ? "upload" : "the next step",
  });
  if (journal && step !== "upload") journal.note({ waited: Math.round(monotonic() - begunAt) });
  return [...said, ...unrecorded, ...unsent];
}
