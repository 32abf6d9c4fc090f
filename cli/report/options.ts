import type { S3Place } from "./s3-client.ts";

/** What a report is made from and how. All of it has been validated. */
export interface ReportOptions {
  /** Where the archive is: a bucket, or a folder with the same layout (the one that holds `dt=…`, or its parent). */
  readonly archive: ({ readonly bucket: string } & S3Place) | { readonly folder: string };
  /** Where downloaded objects are kept for the next report. Not used for a folder. */
  readonly cacheFolder: string;
  /** Events published in this period, in UNIX seconds: `from` is included, `until` is not. */
  readonly from: number;
  readonly until: number;
  /** Flavors to report on; all if empty. */
  readonly flavors: readonly string[];
  /** IANA name of the operator's time zone: days and hours of the report are local to it. */
  readonly timeZone: string;
  /** Dollars for one hour of a runner, by flavor. A flavor without a price has no dollars in the report. */
  readonly pricePerHour: Readonly<Record<string, number>>;
  /** A job that waits longer than this, in seconds, counts as late. */
  readonly lateSeconds: number;
  /** The pool is large enough when this share of jobs starts within `targetSeconds`. */
  readonly targetShare: number;
  readonly targetSeconds: number;
  /** How long a runner is unavailable after a job, in seconds. Absent: the median installation time of its flavor. */
  readonly turnoverSeconds?: number;
  /** Whether names of workflows and jobs are replaced by aliases. */
  readonly redact: boolean;
}

/** Values of options that the user did not give, except those that depend on the machine or the time. */
export const REPORT_DEFAULTS = {
  pricePerHour: {},
  lateSeconds: 600,
  targetShare: 0.95,
  targetSeconds: 30,
  redact: false,
} as const;
