/** `import { RunnerMetrics } from "runner-metrics"`: the construct for an app of AWS CDK. */
export type { FlavorProps, GithubProps, RunnerMetricsProps } from "../../infra/props.ts";
export { RunnerMetrics, type RunnerMetricsAttributes } from "../../infra/runner-metrics.ts";
export { RunnerMetricsBase } from "../../infra/runner-metrics-base.ts";
