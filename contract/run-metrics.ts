/** CloudWatch metrics that the collector writes for each run: names, units and meanings. Alarms, dashboard and documentation use these names only. */
import {
  DEFERRAL_REASONS,
  type DeferralReason,
  GITHUB_REASONS,
  type GithubReason,
  meaningsOf,
  OUTCOMES,
  type Outcome,
  QUARANTINE_REASONS,
  type QuarantineReason,
  VERIFICATIONS,
  type Verification,
} from "./reasons.ts";
import { LIVE_STATES, type LiveState } from "./runner-files.ts";

/** The default. A stack sets its own, so that two stacks do not mix their numbers. */
export const METRICS_NAMESPACE = "RunnerMetrics";

/** Dimension `service`. The only other dimension is `flavor`, which most metrics have and the operator names: no text of a runner's makes a metric series. */
export const METRICS_SERVICE = "extract-metrics";

interface RunMetric {
  readonly unit: "Count" | "Milliseconds" | "Seconds";
  readonly meaning: string;
  /** Written in every run, also where it is 0. Others are written only if not 0, since CloudWatch charges for each series. */
  readonly always?: true;
  /** Says something about all storages of a flavor: only scheduled runs write it, and no worker. */
  readonly ofWholeFlavor?: true;
  /** Without the dimension `flavor`: the log says which flavor it was, and all flavors share one alarm, or one GitHub rate limit. */
  readonly ofAllFlavors?: true;
}

/** Metrics with a name of their own. */
const NAMED = {
  RunDuration: {
    unit: "Milliseconds",
    meaning: "Duration of the run. Its absence shows that there was no run.",
    always: true,
    ofWholeFlavor: true,
  },
  DeadlineReached: {
    unit: "Count",
    meaning: "1 if the run stopped at its deadline, before the end of the listing.",
    always: true,
    ofWholeFlavor: true,
  },
  WorkerDuration: { unit: "Milliseconds", meaning: "Duration of a worker's run. Written by workers only." },
  AccessDenied: { unit: "Count", meaning: "How often S3 or EventBridge denied us access.", ofAllFlavors: true },
  InvariantViolated: {
    unit: "Count",
    meaning: "Rules that every run obeys and this one did not: a bug. The log names them.",
    ofAllFlavors: true,
  },
  StrayObjects: {
    unit: "Count",
    meaning: "Objects outside any storage, where no runner may write.",
    ofAllFlavors: true,
  },
  ObjectsNotDeleted: {
    unit: "Count",
    meaning: "Objects that S3 failed or refused to delete; their events repeat with the same ids.",
    always: true,
  },
  LostThenStopped: {
    unit: "Count",
    meaning: "Runners that uploaded the end of their job while a run collected them as lost. Both events were issued.",
  },
  EndedInstancesUnknown: {
    unit: "Count",
    meaning: "1 if the run did not learn about every EC2 instance whether it has ended. The log says why.",
    ofAllFlavors: true,
  },
  GithubRequests: { unit: "Count", meaning: "Calls to GitHub.", ofAllFlavors: true },
  GithubRateLimited: {
    unit: "Count",
    meaning: "Calls that GitHub's rate limit refused, or that were not made to respect it.",
    ofAllFlavors: true,
  },
  GithubRateLimitRemaining: {
    unit: "Count",
    meaning: "What is left of GitHub's rate limit.",
    always: true,
    ofAllFlavors: true,
  },
  GithubRunnersUnknown: { unit: "Count", meaning: "1 if GitHub did not say which runners are online.", always: true },
} as const satisfies Readonly<Record<string, RunMetric>>;

export const outcomeMetric = (outcome: Outcome) => `Runners.${outcome}` as const;
export const quarantineMetric = (reason: QuarantineReason) => `Quarantined.${reason}` as const;
export const deferralMetric = (reason: DeferralReason) => `Deferred.${reason}` as const;
export const liveMetric = (state: LiveState) => `Live.${state}` as const;
export const oldestMetric = (state: LiveState) => `OldestSeconds.${state}` as const;
export const verificationMetric = (verification: Verification) => `Verification.${verification}` as const;
export const githubReasonMetric = (reason: GithubReason) => `JobMetricsUnknown.${reason}` as const;

/** Whether EventBridge acknowledged an event. */
export const EVENT_RESULTS = ["accepted", "failed"] as const;
export type EventResult = (typeof EVENT_RESULTS)[number];

export type MetricName =
  | keyof typeof NAMED
  | ReturnType<typeof outcomeMetric | typeof quarantineMetric | typeof deferralMetric>
  | ReturnType<typeof liveMetric | typeof oldestMetric>
  | ReturnType<typeof verificationMetric | typeof githubReasonMetric>;

/** Every metric by name. */
export const RUN_METRICS = {
  ...NAMED,
  ...family(OUTCOMES, outcomeMetric),
  [outcomeMetric("extracted")]: { unit: "Count", meaning: OUTCOMES.extracted, always: true },
  [outcomeMetric("deferred")]: { unit: "Count", meaning: OUTCOMES.deferred, always: true },
  ...family(meaningsOf(QUARANTINE_REASONS), quarantineMetric),
  ...family(meaningsOf(DEFERRAL_REASONS), deferralMetric),
  ...Object.fromEntries(
    LIVE_STATES.flatMap((state) => [
      [
        liveMetric(state),
        {
          unit: "Count",
          meaning: `Runners that are ${state}, as far as their uploads show.`,
          always: true,
          ofWholeFlavor: true,
        },
      ],
      [
        oldestMetric(state),
        {
          unit: "Seconds",
          meaning: `Age of the runner that has been ${state} for the longest time.`,
          ofWholeFlavor: true,
        },
      ],
    ]),
  ),
  ...family(VERIFICATIONS, verificationMetric),
  ...family(meaningsOf(GITHUB_REASONS), githubReasonMetric, { ofAllFlavors: true }),
} as Readonly<Record<MetricName, RunMetric>>;

function family<Name extends string>(
  list: Readonly<Record<Name, string>>,
  metricOf: (name: Name) => MetricName,
  options: Pick<RunMetric, "ofAllFlavors"> = {},
): Record<string, RunMetric> {
  const entries = Object.entries(list) as [Name, string][];
  return Object.fromEntries(entries.map(([name, meaning]) => [metricOf(name), { unit: "Count", meaning, ...options }]));
}
