/** Replaced by `build.ts`. */
declare const RUNNER_METRICS_VERSION: string | undefined;

/** Name and version of this program, as `--version` prints it and as it is in the job files. */
export const PROGRAM = `runner-metrics/${typeof RUNNER_METRICS_VERSION === "string" ? RUNNER_METRICS_VERSION : "unbuilt"}`;
