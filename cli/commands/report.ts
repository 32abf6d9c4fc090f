import { once } from "node:events";
import { readFile, rename, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { Command, Option } from "commander";
import { FLAVOR } from "../../contract/object-keys.ts";
import { output, stackOutputs } from "../connection.ts";
import { REPORT_DEFAULTS, type ReportOptions } from "../report/options.ts";
import type { ReportFormat } from "../report/report.ts";

/** `runner-metrics report`: answers from the archive of events, as a page or as data. */
export function reportCommand(): Command {
  return new Command("report")
    .description("answer eight questions about the runners from the archive of events, as one web page or as data")
    .option("--stack <name>", "name of the stack", "RunnerMetrics")
    .option("--bucket <name>", "name of the bucket (default: that of the stack)")
    .option("--region <region>", "region of the bucket (default: that of AWS's own settings, such as AWS_REGION)")
    .option("--profile <name>", "profile of AWS's configuration (default: AWS_PROFILE)")
    .option("--folder <path>", "a folder with a copy of the archive, instead of a bucket")
    .option("--endpoint <url>", "S3's endpoint (default: from AWS's own settings, such as AWS_ENDPOINT_URL_S3)")
    .option("--last <period>", "how far back: days (28d), weeks (4w) or hours (12h)", "28d")
    .option("--from <time>", "first moment, as 2026-11-01 or ISO 8601, instead of --last")
    .option("--until <time>", "moment after the last one (default: now)")
    .option("--flavor <names...>", "only these flavors (default: all)")
    .option("--time-zone <name>", "time zone for days and hours (default: this machine's)")
    .option("--prices <file>", 'JSON file with dollars for an hour: { "pricePerHour": { "large": 0.31 } }')
    .option("--price-per-hour <flavor=dollars...>", "dollars for an hour of a flavor; comes before --prices")
    .option("--late <seconds>", "a job that waits longer than this is late", String(REPORT_DEFAULTS.lateSeconds))
    .option(
      "--target-share <share>",
      "share of jobs that the pool should start in time",
      String(REPORT_DEFAULTS.targetShare),
    )
    .option("--target-seconds <seconds>", "what in time means for the pool", String(REPORT_DEFAULTS.targetSeconds))
    .option("--turnover <seconds>", "how long a runner is away after a job (default: the flavor's median installation)")
    .option("--redact", "replace the names of workflows and jobs by aliases")
    .option("--cache <folder>", "where downloaded objects are kept (default: the user's cache folder)")
    .option("--out <file>", "write to this file (default: report.html, or stdout for data)")
    .addOption(new Option("--json", "all numbers as JSON").conflicts(["csv", "markdown"]))
    .addOption(new Option("--csv", "all tables as CSV, one value a line").conflicts(["json", "markdown"]))
    .addOption(new Option("--markdown", "headlines and tables as Markdown").conflicts(["json", "csv"]))
    .action(async (given: Given, command: Command) => {
      const options = await optionsOf(given, (problems) => command.error(problems.join("; ")));
      const format: ReportFormat = given.json ? "json" : given.csv ? "csv" : given.markdown ? "markdown" : "html";
      // DuckDB, Vega and the SDK are loaded only for this command.
      const { report } = await import("../report/report.ts");
      const text = await report(options, format, process.stderr.isTTY ? showProgress : undefined).catch(explain);
      const out = given.out ?? (format === "html" ? "report.html" : undefined);
      if (out === undefined || out === "-") {
        if (!process.stdout.write(text)) await once(process.stdout, "drain");
        return;
      }
      // A reader of the file never sees half of it.
      const partial = `${out}.${process.pid}.partial`;
      await writeFile(partial, text);
      await rename(partial, out);
      console.error(`Wrote ${out}`);
    });
}

interface Given {
  readonly stack: string;
  readonly bucket?: string;
  readonly region?: string;
  readonly profile?: string;
  readonly folder?: string;
  readonly endpoint?: string;
  readonly last: string;
  readonly from?: string;
  readonly until?: string;
  readonly flavor?: string[];
  readonly timeZone?: string;
  readonly prices?: string;
  readonly pricePerHour?: string[];
  readonly late: string;
  readonly targetShare: string;
  readonly targetSeconds: string;
  readonly turnover?: string;
  readonly redact?: boolean;
  readonly cache?: string;
  readonly out?: string;
  readonly json?: boolean;
  readonly csv?: boolean;
  readonly markdown?: boolean;
}

/** Validates everything and reports all problems at once. `fail` does not return. */
async function optionsOf(given: Given, fail: (problems: readonly string[]) => never): Promise<ReportOptions> {
  const problems: string[] = [];
  const { bucket, folder, endpoint, region, profile, flavor = [] } = given;
  if (bucket !== undefined && folder !== undefined) problems.push("--bucket and --folder exclude each other");
  if (bucket !== undefined && !BUCKET.test(bucket)) problems.push("--bucket is not the name of a bucket");
  if (endpoint !== undefined && !URL.canParse(endpoint)) problems.push("--endpoint is not a URL");
  for (const name of flavor.filter((name) => !FLAVOR.test(name))) problems.push(`--flavor: ${name} is not a flavor`);
  const timeZone = given.timeZone ?? Intl.DateTimeFormat().resolvedOptions().timeZone;
  if (!isTimeZone(timeZone)) problems.push(`--time-zone: ${timeZone} is not a time zone, such as Europe/Berlin`);
  const until = given.until === undefined ? Date.now() / 1000 : secondsOf(given.until, timeZone);
  if (until === undefined) problems.push("--until is not a time, such as 2026-11-01 or 2026-11-01T08:00:00Z");
  const from = given.from === undefined ? lastOf(given.last, until) : secondsOf(given.from, timeZone);
  if (from === undefined) {
    problems.push(
      given.from === undefined
        ? "--last is not a period, such as 28d, 4w or 12h"
        : "--from is not a time, such as 2026-11-01",
    );
  } else if (until !== undefined && from >= until) {
    problems.push("--from is not before --until");
  }
  const number = (name: string, text: string, isValid: (value: number) => boolean, form: string) => {
    const value = text.trim() === "" ? Number.NaN : Number(text);
    if (!Number.isFinite(value) || !isValid(value)) problems.push(`${name} is not ${form}`);
    return value;
  };
  const seconds = (name: string, text: string) => number(name, text, (value) => value >= 0, "a number of seconds");
  const pricePerHour = await pricesOf(given, problems);
  const options = {
    from: from ?? 0,
    until: until ?? 0,
    flavors: flavor,
    timeZone,
    pricePerHour,
    lateSeconds: seconds("--late", given.late),
    targetShare: number(
      "--target-share",
      given.targetShare,
      (value) => value > 0 && value <= 1,
      "a share, such as 0.95",
    ),
    targetSeconds: seconds("--target-seconds", given.targetSeconds),
    redact: given.redact ?? false,
    ...(given.turnover !== undefined && { turnoverSeconds: seconds("--turnover", given.turnover) }),
  };
  if (problems.length > 0) return fail(problems);
  if (folder !== undefined) return { ...options, archive: { folder }, cacheFolder: "" };
  const name = bucket ?? output(await stackOutputs(given), "BucketName");
  const place = {
    ...(endpoint !== undefined && { endpoint }),
    ...(region !== undefined && { region }),
    ...(profile !== undefined && { profile }),
  };
  return {
    ...options,
    archive: { bucket: name, ...place },
    cacheFolder: given.cache ?? defaultCacheFolder(name, endpoint),
  };
}

/** https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html, and access points. */
const BUCKET = /^(?:[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]|arn:[^\s]+)$/;

function isTimeZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat("en", { timeZone: name });
    return true;
  } catch {
    return false;
  }
}

/** UNIX seconds of a day's first moment in a time zone, or of a moment in ISO 8601. */
function secondsOf(text: string, timeZone: string): number | undefined {
  const isDay = /^\d{4}-\d{2}-\d{2}$/.test(text);
  const milliseconds =
    isDay || /^\d{4}-\d{2}-\d{2}T.*(?:Z|[+-]\d{2}:?\d{2})$/.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(milliseconds)) return undefined;
  if (!isDay || !isTimeZone(timeZone)) return milliseconds / 1000;
  // The offset of the zone at that day's midnight; twice, since the first guess may be on the other side of a change of clocks.
  const first = milliseconds - offsetOf(milliseconds, timeZone);
  return (milliseconds - offsetOf(first, timeZone)) / 1000;
}

/** Milliseconds by which local time is ahead of UTC. */
function offsetOf(milliseconds: number, timeZone: string): number {
  const local = new Date(milliseconds).toLocaleString("sv-SE", { timeZone });
  return Date.parse(`${local.replace(" ", "T")}Z`) - Math.floor(milliseconds / 1000) * 1000;
}

const UNITS: Readonly<Record<string, number>> = { h: 3_600, d: 86_400, w: 604_800 };

function lastOf(text: string, until: number | undefined): number | undefined {
  const [, count, unit = ""] = /^([1-9]\d{0,4})([hdw])$/.exec(text) ?? [];
  const seconds = UNITS[unit];
  return count === undefined || seconds === undefined || until === undefined
    ? undefined
    : until - Number(count) * seconds;
}

async function pricesOf({ prices, pricePerHour = [] }: Given, problems: string[]): Promise<Record<string, number>> {
  const all: Record<string, unknown> = {};
  if (prices !== undefined) {
    try {
      const content: unknown = JSON.parse(await readFile(prices, "utf8"));
      const isObject = typeof content === "object" && content !== null && !Array.isArray(content);
      Object.assign(all, isObject && "pricePerHour" in content ? content.pricePerHour : content);
    } catch (error) {
      problems.push(`--prices: cannot read ${prices}: ${error instanceof Error ? error.message : error}`);
    }
  }
  for (const pair of pricePerHour) {
    const [, flavor, dollars] = /^([^=]+)=(.+)$/.exec(pair) ?? [];
    if (flavor === undefined) problems.push(`--price-per-hour: ${pair} is not of the form large=0.31`);
    else all[flavor] = Number(dollars);
  }
  for (const [flavor, price] of Object.entries(all)) {
    if (typeof price !== "number" || !Number.isFinite(price) || price < 0) {
      problems.push(`the price of ${flavor} is not a number of dollars`);
    }
  }
  return all as Record<string, number>;
}

/** One folder for each endpoint and bucket: buckets of the same name at two endpoints are different. */
function defaultCacheFolder(
  bucket: string,
  endpoint = process.env.AWS_ENDPOINT_URL_S3 ?? process.env.AWS_ENDPOINT_URL,
): string {
  const caches = process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache");
  const place = endpoint && URL.canParse(endpoint) ? new URL(endpoint).host : "s3";
  return join(caches, "runner-metrics", `${place}-${bucket}`.replaceAll(/[^A-Za-z0-9.-]/g, "_"));
}

const MEGABYTE = 1_000_000;

function showProgress(done: number, total: number, bytes: number): void {
  const width = 30;
  const filled = total === 0 ? width : Math.round((done / total) * width);
  const bar = `${"█".repeat(filled)}${"░".repeat(width - filled)}`;
  process.stderr.write(
    `\r${bar} ${done} of ${total} objects, ${(bytes / MEGABYTE).toFixed(1)} MB downloaded${done === total ? "\n" : ""}`,
  );
}

/** What the SDK's errors mean to the user. */
function explain(error: unknown): never {
  const { name = "", message = String(error) } = error instanceof Error ? error : {};
  const advice: Readonly<Record<string, string>> = {
    CredentialsProviderError: "no AWS credentials: set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
    NoSuchBucket: "there is no such bucket",
    AccessDenied: "access denied: the report needs s3:ListBucket on the bucket and s3:GetObject on events/*",
  };
  const known = message.startsWith("Region is missing") ? "no region: set AWS_REGION" : advice[name];
  throw new Error(known ?? message, { cause: error });
}
