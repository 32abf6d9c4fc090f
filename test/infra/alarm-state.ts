/** What CloudWatch makes of an alarm and the values of its metrics, as far as our alarms use it. */

/** A value that was written under a metric's name. */
export interface Datapoint {
  readonly namespace: string;
  readonly name: string;
  readonly dimensions: Readonly<Record<string, string>>;
  readonly value: number;
}

interface MetricReference {
  readonly Namespace?: string | undefined;
  readonly MetricName?: string | undefined;
  readonly Dimensions?:
    | readonly { readonly Name?: string | undefined; readonly Value?: string | undefined }[]
    | undefined;
}

/** As in a template, and as CloudWatch describes it. */
export interface AlarmDefinition extends MetricReference {
  readonly AlarmDescription?: string | undefined;
  readonly Statistic?: string | undefined;
  readonly ExtendedStatistic?: string | undefined;
  readonly Period?: number | undefined;
  readonly EvaluationPeriods?: number | undefined;
  readonly Threshold?: number | undefined;
  readonly ComparisonOperator?: string | undefined;
  readonly TreatMissingData?: string | undefined;
  /** Instead of one metric: an expression, and what it is about. */
  readonly Metrics?:
    | readonly {
        readonly Id?: string | undefined;
        readonly Expression?: string | undefined;
        readonly MetricStat?:
          | {
              readonly Metric?: MetricReference | undefined;
              readonly Stat?: string | undefined;
              readonly Period?: number | undefined;
            }
          | undefined;
      }[]
    | undefined;
}

/** Whether the alarm is in ALARM after these intervals of `intervalSeconds`, the last of which has just ended. */
export function isInAlarm(
  alarm: AlarmDefinition,
  intervals: readonly (readonly Datapoint[])[],
  intervalSeconds: number,
): boolean {
  const { EvaluationPeriods = 1, Threshold = 0, ComparisonOperator, TreatMissingData } = alarm;
  const period = Math.max(1, Math.round(periodOf(alarm) / intervalSeconds));
  return Array.from({ length: EvaluationPeriods }, (_, index) => {
    const end = Math.max(0, intervals.length - index * period);
    const value = evaluateOver(alarm, intervals.slice(Math.max(0, end - period), end).flat());
    if (value === undefined) return TreatMissingData === "breaching";
    if (ComparisonOperator === "GreaterThanOrEqualToThreshold") return value >= Threshold;
    if (ComparisonOperator === "LessThanThreshold") return value < Threshold;
    throw new Error(`The comparison ${ComparisonOperator} is not known here`);
  }).every(Boolean);
}

function periodOf({ Period, Metrics = [] }: AlarmDefinition): number {
  return Period ?? Math.max(...Metrics.flatMap(({ MetricStat }) => MetricStat?.Period ?? []));
}

/** Undefined if the metric, or one that the expression is about, has no value. */
function evaluateOver(alarm: AlarmDefinition, points: readonly Datapoint[]): number | undefined {
  const { Metrics = [], Statistic, ExtendedStatistic } = alarm;
  const expression = Metrics.flatMap(({ Expression }) => Expression ?? [])[0];
  if (expression === undefined) return statisticOf(ExtendedStatistic ?? Statistic, valuesOf(alarm, points));
  const values = Metrics.flatMap(({ Id = "", MetricStat }) =>
    MetricStat ? [[Id, statisticOf(MetricStat.Stat, valuesOf(MetricStat.Metric ?? {}, points))] as const] : [],
  );
  const known = Object.fromEntries(values.flatMap(([id, value]) => (value === undefined ? [] : [[id, value]])));
  return Object.keys(known).length === values.length ? Number(evaluate(expression, known)) : undefined;
}

function valuesOf({ Namespace, MetricName, Dimensions = [] }: MetricReference, points: readonly Datapoint[]): number[] {
  const dimensions = Dimensions.map(({ Name, Value }) => `${Name}=${Value}`).toSorted();
  return points
    .filter(({ namespace, name }) => namespace === Namespace && name === MetricName)
    .filter((point) => {
      const own = Object.entries(point.dimensions).map(([name, value]) => `${name}=${value}`);
      return own.toSorted().join() === dimensions.join();
    })
    .map(({ value }) => value);
}

function statisticOf(statistic: string | undefined, values: readonly number[]): number | undefined {
  if (values.length === 0) return undefined;
  const sum = values.reduce((total, value) => total + value, 0);
  const [, percent] = /^p(\d+)$/.exec(statistic ?? "") ?? [];
  if (percent) return values.toSorted((a, b) => a - b)[Math.ceil((Number(percent) / 100) * values.length) - 1];
  switch (statistic) {
    case "Sum":
      return sum;
    case "SampleCount":
      return values.length;
    case "Average":
      return sum / values.length;
    case "Minimum":
      return Math.min(...values);
    case "Maximum":
      return Math.max(...values);
    default:
      throw new Error(`The statistic ${statistic} is not known here`);
  }
}

/** CloudWatch's expression as JavaScript: only what our two alarms use of it. */
export function evaluate(expression: string, values: Readonly<Record<string, number>>): unknown {
  const script = expression.replace(/^IF\((.*), ([^,]*), ([^,]*)\)$/, "($1) ? $2 : $3").replaceAll(" AND ", " && ");
  return new Function(...Object.keys(values), `return ${script}`)(...Object.values(values));
}
