import type { Metric, MetricOptions } from "aws-cdk-lib/aws-cloudwatch";
import { type EventPattern, type IEventBus, Match, type OnEventOptions, Rule } from "aws-cdk-lib/aws-events";
import { Construct } from "constructs";
import { type DetailType, EVENT_SOURCE } from "../contract/events.ts";
import type { Outcome } from "../contract/reasons.ts";
import { type MetricName, outcomeMetric } from "../contract/run-metrics.ts";
import type { PostJobStatus } from "../contract/runner-files.ts";
import { type JobMetricName, jobMetric, runMetric } from "./metrics.ts";
import type { OwnEvents } from "./own-events.ts";

/** What consumers use: the events and the metrics of a `RunnerMetrics`, which may be in another stack. */
export abstract class RunnerMetricsBase extends Construct {
  /** The bus that the events are published on. */
  abstract readonly eventBus: IEventBus;
  /** CloudWatch's namespace of the metrics. */
  abstract readonly metricsNamespace: string;
  /** Which events on the bus are of this stack; undefined for all events of runner-metrics. */
  protected abstract readonly events: OwnEvents | undefined;

  /** Every event of some types goes to a target. The options can narrow the pattern. */
  onEvent(id: string, detailTypes: readonly DetailType[], { eventPattern, ...options }: OnEventOptions = {}): Rule {
    const { resources, detail } = this.events ?? {};
    const pattern: EventPattern = {
      ...(resources && { resources: resources.flatMap(({ prefix }) => Match.prefix(prefix)) }),
      ...eventPattern,
      source: [EVENT_SOURCE],
      detailType: [...detailTypes],
      ...((detail ?? eventPattern?.detail) && { detail: { ...detail, ...eventPattern?.detail } }),
    };
    const { target, crossStackScope, ruleName, description } = options;
    const rule = new Rule(crossStackScope ?? this, id, {
      eventBus: this.eventBus,
      eventPattern: pattern,
      ...(ruleName && { ruleName }),
      ...(description && { description }),
    });
    rule.addTarget(target);
    return rule;
  }

  /** A runner was installed. */
  onRunnerInstalled(id: string, options: OnEventOptions = {}): Rule {
    return this.onEvent(id, ["RunnerInstalled"], options);
  }

  /** A runner started a job. */
  onRunnerStart(id: string, options: OnEventOptions = {}): Rule {
    return this.onEvent(id, ["RunnerStart"], options);
  }

  /** The job of a runner ended. */
  onRunnerStop(id: string, options: OnEventOptions = {}): Rule {
    return this.onEvent(id, ["RunnerStop"], options);
  }

  /** A runner started a job, and never reported its end. */
  onRunnerLost(id: string, options: OnEventOptions = {}): Rule {
    return this.onEvent(id, ["RunnerLost"], options);
  }

  /** The installation of a runner began, and never ended. */
  onRunnerInstallFailed(id: string, options: OnEventOptions = {}): Rule {
    return this.onEvent(id, ["RunnerInstallFailed"], options);
  }

  /** A runner was installed, and never got a job. */
  onRunnerNeverUsed(id: string, options: OnEventOptions = {}): Rule {
    return this.onEvent(id, ["RunnerNeverUsed"], options);
  }

  /** The files of a runner were not trustworthy. */
  onMetricsQuarantined(id: string, options: OnEventOptions = {}): Rule {
    return this.onEvent(id, ["MetricsQuarantined"], options);
  }

  /** A metric of the runs, by its name in docs/operate/metrics.md. */
  metric(metricName: MetricName, flavor: string, options: MetricOptions = {}): Metric {
    return runMetric(this.metricsNamespace, metricName, flavor, options);
  }

  /** How long a run took, in milliseconds: the maximum. Its sample count is the number of runs. */
  metricRunDuration(flavor: string, options: MetricOptions = {}): Metric {
    return this.metric("RunDuration", flavor, { statistic: "Maximum", ...options });
  }

  /** How many runners had an outcome: the sum. */
  metricRunners(flavor: string, outcome: Outcome, options: MetricOptions = {}): Metric {
    return this.metric(outcomeMetric(outcome), flavor, { statistic: "Sum", ...options });
  }

  /** How long jobs waited for a runner, in seconds: the 90th percentile. GitHub has to be configured. */
  metricQueueDuration(flavor: string, options: MetricOptions = {}): Metric {
    return this.metricOfJobs("QueueDuration", flavor, options);
  }

  /** How long the installation of runners took, in seconds: the 90th percentile. */
  metricInstallDuration(flavor: string, options: MetricOptions = {}): Metric {
    return this.metricOfJobs("InstallDuration", flavor, options);
  }

  /** How long runners waited for a job, in seconds: the 90th percentile. */
  metricIdleDuration(flavor: string, options: MetricOptions = {}): Metric {
    return this.metricOfJobs("IdleDuration", flavor, options);
  }

  /** How long jobs took, in seconds: the 90th percentile. */
  metricJobDuration(flavor: string, options: MetricOptions = {}): Metric {
    return this.metricOfJobs("JobDuration", flavor, options);
  }

  /** How many jobs ended with a status of the runner: the sum. */
  metricJobs(flavor: string, status: PostJobStatus, options: MetricOptions = {}): Metric {
    return jobMetric(this.metricsNamespace, "JobsByStatus", { flavor, status }, { statistic: "Sum", ...options });
  }

  private metricOfJobs(name: JobMetricName, flavor: string, options: MetricOptions): Metric {
    return jobMetric(this.metricsNamespace, name, { flavor }, { statistic: "p90", ...options });
  }
}
