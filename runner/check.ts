import { join } from "node:path";
import { isRunnerStorageName } from "../contract/object-keys.ts";
import { POST_JOB_METRICS_FILE_NAME } from "../contract/runner-file-grammar.ts";
import { objectUrl } from "./aws-host.ts";
import { hookVariables } from "./hooks.ts";
import { PROGRAM } from "./program.ts";
import { proxyFor } from "./proxy.ts";
import { send } from "./request.ts";
import { type Environment, hasManyJobs, limitsOf, spoolDirectory, storageSetting, targetOf } from "./settings.ts";
import { openSpool } from "./spool.ts";
import { readTicket } from "./ticket-form.ts";
import { createUploader } from "./uploader.ts";

/** GitHub's limit for the name of a runner, in characters. https://github.com/actions/runner/issues/1710 */
const RUNNER_NAME_LENGTH_MAX = 64;

/** S3 refuses a signature that is 15 minutes off. A step corrects the signature, but not the times that it records. */
const CLOCK_MILLISECONDS_MAX = 60_000;

interface Finding {
  readonly isGood: boolean;
  readonly text: string;
}

export interface CheckOptions {
  /** The name that the runner is registered by at GitHub. */
  readonly name?: string | undefined;
  /** For an image that is being built where neither the network nor the credentials are the runner's. */
  readonly isOffline?: boolean;
  /** Stores an empty `post-job-metrics.json`, which the next run deletes without an event. */
  readonly putsFile?: boolean;
}

/** Checks what can be checked before a runner lives: files, settings, names, spool, clock and credentials. */
export async function check(
  home: string,
  environment: Environment,
  options: CheckOptions,
): Promise<readonly Finding[]> {
  const local = [
    good(`${PROGRAM} on Node ${process.versions.node}`),
    ...hookFindings(home),
    ...settingFindings(environment),
    ...nameFindings(environment, options.name),
    ...spoolFindings(environment),
  ];
  if (options.isOffline || local.some(({ isGood }) => !isGood)) return local;
  return [...local, ...(await clockFindings(environment)), ...(await rightFindings(environment, options))];
}

function hookFindings(home: string): Finding[] {
  const { problems } = hookVariables(home, {});
  return problems.length > 0 ? problems.map(bad) : [good(`hooks in ${home}`)];
}

function settingFindings(environment: Environment): Finding[] {
  const { problems } = limitsOf(environment);
  const many = hasManyJobs(environment);
  const findings = [...problems, ...("problem" in many ? [many.problem] : [])].map(bad);
  if (environment.RUNNER_METRICS_TICKET) return [...findings, ticketFinding(environment.RUNNER_METRICS_TICKET)];
  const target = targetOf(environment);
  if ("problem" in target) return [...findings, bad(target.problem)];
  const { bucket, flavor, region, endpoint } = target.value;
  return [
    ...findings,
    good(`bucket ${bucket}, flavor ${flavor}, region ${region}${endpoint ? `, at ${endpoint}` : ""}`),
  ];
}

function ticketFinding(path: string): Finding {
  const ticket = readTicket(path);
  if ("problem" in ticket) return bad(ticket.problem);
  const { forms, storage } = ticket.value;
  if (!isRunnerStorageName(storage)) return bad(`${path} is not a ticket`);
  const ends = [...forms.values()].map(({ fields }) => expirationOf(fields.get("Policy") ?? ""));
  const end = Math.min(...ends);
  if (Number.isNaN(end) || forms.size === 0) return bad(`${path} is not a ticket`);
  const until = new Date(end).toISOString();
  return end < Date.now() ? bad(`the ticket has expired: ${until}`) : good(`a ticket for ${storage}, until ${until}`);
}

function expirationOf(policy: string): number {
  try {
    const { expiration } = JSON.parse(Buffer.from(policy, "base64").toString()) as { expiration?: unknown };
    return typeof expiration === "string" ? Date.parse(expiration) : Number.NaN;
  } catch {
    return Number.NaN;
  }
}

function nameFindings(environment: Environment, name: string | undefined): Finding[] {
  const storage = storageSetting(environment);
  const findings = "problem" in storage ? [bad(storage.problem)] : [];
  // By default the two names are the same.
  const atGithub = name ?? environment.RUNNER_METRICS_STORAGE;
  if (!atGithub) return findings;
  const isTooLong = atGithub.length > RUNNER_NAME_LENGTH_MAX;
  const length = `the runner's name has ${atGithub.length} characters`;
  return [...findings, isTooLong ? bad(`${length}: GitHub takes ${RUNNER_NAME_LENGTH_MAX} at most`) : good(length)];
}

function spoolFindings(environment: Environment): Finding[] {
  const { spool, problem } = openSpool(spoolDirectory(environment));
  return [problem === undefined ? good(`spool ${spool.directory}`) : bad(problem)];
}

async function clockFindings(environment: Environment): Promise<Finding[]> {
  const target = targetOf(environment);
  const ticket = environment.RUNNER_METRICS_TICKET ? readTicket(environment.RUNNER_METRICS_TICKET) : undefined;
  const [form] = ticket && "value" in ticket ? ticket.value.forms.values() : [];
  const url = form?.url ?? ("value" in target ? objectUrl(target.value, "") : undefined);
  if (!url) return [];
  const { limits } = limitsOf(environment);
  const answer = await send({
    method: "GET",
    url,
    headers: {},
    milliseconds: limits.timeout,
    proxy: proxyFor(url, environment),
  });
  if (answer.kind === "none") return [bad(`S3 does not answer at ${url.origin} (${answer.reason})`)];
  const difference = Date.now() - Date.parse(answer.headers.date ?? "");
  if (Number.isNaN(difference)) return [bad(`what answers at ${url.origin} does not tell its time`)];
  const text = `the clock is ${Math.round(difference / 1000)} s ahead of S3's`;
  return [Math.abs(difference) > CLOCK_MILLISECONDS_MAX ? bad(text) : good(text)];
}

async function rightFindings(environment: Environment, { putsFile }: CheckOptions): Promise<Finding[]> {
  const { limits } = limitsOf(environment);
  const created = createUploader({ environment, timeout: limits.timeout, left: () => limits.timeout });
  if ("problem" in created) return [bad(created.problem)];
  const uploader = created.value;
  const credentials = await uploader.credentials();
  if (credentials !== undefined) return [bad(credentials)];
  const storage = await uploader.storage();
  if ("problem" in storage) return [bad(storage.problem)];
  const findings = [good(`storage ${storage.value}`)];
  if (!putsFile) return findings;
  if (uploader.isTicket) return [...findings, bad("--put is not for tickets: their forms take no empty file")];
  const result = await uploader.put({ storage: storage.value }, POST_JOB_METRICS_FILE_NAME, "");
  if (result.kind === "failed")
    return [...findings, bad(`cannot store ${POST_JOB_METRICS_FILE_NAME}: ${result.reason}`)];
  const is = result.kind === "stored" ? "stored an empty" : "there is already a";
  return [...findings, good(`${is} ${join(storage.value, POST_JOB_METRICS_FILE_NAME)}`)];
}

function good(text: string): Finding {
  return { isGood: true, text };
}

function bad(text: string): Finding {
  return { isGood: false, text };
}
