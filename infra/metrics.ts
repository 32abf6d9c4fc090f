import { Duration } from "aws-cdk-lib";
import { Metric, type MetricOptions } from "aws-cdk-lib/aws-cloudwatch";
import { METRICS_NAMESPACE, METRICS_SERVICE, type MetricName } from "../contract/run-metrics.ts";
import type { JobMetricName } from "./job-metrics.ts";

const PERIOD = Duration.minutes(5);

/** A metric that the Lambda writes for each run: the name is from its own catalogue. */
export function runMetric(metricName: MetricName, flavor: string, options: MetricOptions): Metric {
  return new Metric({
    namespace: METRICS_NAMESPACE,
    metricName,
    dimensionsMap: { service: METRICS_SERVICE, flavor },
    period: PERIOD,
    ...options,
  });
}

/** A metric of the jobs, made of the events. `dimensionsMap` has the flavor, and the metric's own dimension if it has one. */
export function jobMetric(
  metricName: JobMetricName,
  dimensionsMap: Record<string, string>,
  options: MetricOptions,
): Metric {
  return new Metric({ namespace: METRICS_NAMESPACE, metricName, dimensionsMap, period: PERIOD, ...options });
}
