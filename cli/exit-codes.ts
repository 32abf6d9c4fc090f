/** What the exit code of `runner-metrics` says. Scripts rely on it: a meaning never changes. */
export const EXIT_CODES = {
  /** The command did what it was asked to do. */
  success: 0,
  /** The command failed: missing credentials, no such bucket, an answer that makes no sense. */
  failure: 1,
  /** The command line is wrong. Nothing was done. */
  usage: 2,
  /** The command worked, and what it checked has a problem. */
  problemFound: 3,
} as const;
export type ExitCode = (typeof EXIT_CODES)[keyof typeof EXIT_CODES];
