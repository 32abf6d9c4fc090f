import { homedir } from "node:os";
import { join } from "node:path";
import { FLAVOR, isRunnerStorageName } from "../contract/object-keys.ts";
import { readPlainText } from "./plain-text.ts";

/** Environment variables, and the lines of `runner-metrics.conf`, which win. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** Where a runner's files go. */
export interface Target {
  readonly bucket: string;
  readonly flavor: string;
  readonly region: string;
  /** Of S3 alone: an emulator or another S3, addressed by path. */
  readonly endpoint: URL | undefined;
}

/** How long things may take, in milliseconds. */
export interface Limits {
  /** One request, and how long a step goes on trying. */
  readonly timeout: number;
  /** How long the last step goes on trying: no job waits for it. */
  readonly final: number;
  /** How long `run`, asked to stop, waits for the runner before it records the end. */
  readonly grace: number;
}

/** A setting, or what is wrong with it. */
export type Checked<Value> = { readonly value: Value } | { readonly problem: string };

const CONFIGURATION_NAME = "runner-metrics.conf";
const CONFIGURATION_BYTES_MAX = 64 * 1024;
const CONFIGURATION_LINE = /^\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)=(.*)$/;

/** The process's environment, and over it the literal NAME=VALUE lines of the configuration next to the program. Nothing is executed. */
export function readEnvironment(home: string, environment: Environment): Environment {
  const lines = readPlainText(join(home, CONFIGURATION_NAME), CONFIGURATION_BYTES_MAX)?.split(/\r?\n/) ?? [];
  const settings = lines.flatMap((line): [string, string][] => {
    const [, name, value] = CONFIGURATION_LINE.exec(line) ?? [];
    return name === undefined || value === undefined ? [] : [[name, unquoted(value.trim())]];
  });
  return { ...environment, ...Object.fromEntries(settings) };
}

/** A pair of quotes around a value, as a shell would want it. */
function unquoted(value: string): string {
  return /^(["'])(.*)\1$/.exec(value)?.[2] ?? value;
}

/** Where to, or all that is wrong with it. */
export function targetOf(environment: Environment): Checked<Target> {
  const bucket = environment.RUNNER_METRICS_BUCKET ?? "";
  const flavor = environment.RUNNER_METRICS_FLAVOR ?? "";
  const region = environment.RUNNER_METRICS_REGION || environment.AWS_REGION || environment.AWS_DEFAULT_REGION || "";
  const endpoint = environment.RUNNER_METRICS_ENDPOINT || awsEndpoint(environment, "S3");
  const problems = [
    bucket === "" && "RUNNER_METRICS_BUCKET is not set",
    bucket !== "" &&
      !/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(bucket) &&
      "RUNNER_METRICS_BUCKET is not the name of a bucket",
    flavor === "" && "RUNNER_METRICS_FLAVOR is not set",
    flavor !== "" && !FLAVOR.test(flavor) && `RUNNER_METRICS_FLAVOR does not match ${FLAVOR.source}`,
    region === "" && "RUNNER_METRICS_REGION is not set",
    region !== "" && !/^[a-z0-9-]{1,32}$/.test(region) && "RUNNER_METRICS_REGION is not the name of a region",
    endpoint && !httpUrl(endpoint) && "RUNNER_METRICS_ENDPOINT (or AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL) is not a URL",
  ].filter((problem): problem is string => typeof problem === "string");
  if (problems.length > 0) return { problem: problems.join("; ") };
  return { value: { bucket, flavor, region, endpoint: endpoint ? httpUrl(endpoint) : undefined } };
}

/** The storage's name, if it is set. */
export function storageSetting(environment: Environment): Checked<string | undefined> {
  const name = environment.RUNNER_METRICS_STORAGE;
  if (!name || isRunnerStorageName(name)) return { value: name || undefined };
  return { problem: "RUNNER_METRICS_STORAGE does not match ^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$, or has .. in it" };
}

/** An endpoint as AWS's SDKs are given it: of one service, or of all. */
export function awsEndpoint(environment: Environment, service: "S3" | "STS"): string | undefined {
  if (environment.AWS_IGNORE_CONFIGURED_ENDPOINT_URLS?.toLowerCase() === "true") return undefined;
  return environment[`AWS_ENDPOINT_URL_${service}`] || environment.AWS_ENDPOINT_URL || undefined;
}

/** Whether the runner does more than one job, each of which is a life of its own. */
export function hasManyJobs(environment: Environment): Checked<boolean> {
  const value = environment.RUNNER_METRICS_JOBS_PER_RUNNER || "one";
  if (value === "one" || value === "many") return { value: value === "many" };
  return { problem: "RUNNER_METRICS_JOBS_PER_RUNNER is not one or many, so one counts" };
}

/** The limits, and what is wrong with those that are set. */
export function limitsOf(environment: Environment): { readonly limits: Limits; readonly problems: readonly string[] } {
  const problems: string[] = [];
  const seconds = (name: string, byDefault: number) => {
    const text = environment[name];
    if (!text) return byDefault * 1000;
    // Timers of Node end at once if they are set to more than 24 days.
    if (/^[1-9][0-9]{0,4}$/.test(text)) return Number(text) * 1000;
    problems.push(`${name} is not a whole number from 1 to 99999, so ${byDefault} counts`);
    return byDefault * 1000;
  };
  const limits = {
    timeout: seconds("RUNNER_METRICS_TIMEOUT_SECONDS", 5),
    final: seconds("RUNNER_METRICS_FINAL_SECONDS", 30),
    grace: seconds("RUNNER_METRICS_GRACE_SECONDS", 5),
  };
  return { limits, problems };
}

/** The spool's directory: one for each runner on the machine, whether it is set or not. */
export function spoolDirectory(environment: Environment): string | undefined {
  const set = environment.RUNNER_METRICS_SPOOL;
  if (set) return set;
  const home = environment.HOME || environment.USERPROFILE || homeOfUser();
  if (!home) return undefined;
  const storage = storageSetting(environment);
  const name = "value" in storage && storage.value !== undefined ? storage.value.replaceAll(":", "_") : "default";
  return join(home, ".runner-metrics", name);
}

function homeOfUser(): string | undefined {
  try {
    return homedir();
  } catch {
    return undefined;
  }
}

/** A URL of HTTP or HTTPS with a host and no credentials, or undefined. */
export function httpUrl(text: string): URL | undefined {
  if (!/^[!-~]+$/.test(text) || !URL.canParse(text)) return undefined;
  const url = new URL(text);
  const isPlain = url.username === "" && url.password === "" && url.search === "" && url.hash === "";
  return ["http:", "https:"].includes(url.protocol) && isPlain ? url : undefined;
}
