import { Names, Stack } from "aws-cdk-lib";
import { CfnNamedQuery } from "aws-cdk-lib/aws-athena";
import { CfnDatabase, CfnTable } from "aws-cdk-lib/aws-glue";
import type { IBucket } from "aws-cdk-lib/aws-s3";
import { Construct } from "constructs";
import * as z from "zod";
import { EVENT_SCHEMAS } from "../../contract/events.ts";
import { EVENTS_PREFIX } from "../../contract/object-keys.ts";

export interface EventTableProps {
  readonly bucket: IBucket;
  readonly flavors: readonly string[];
  /** For how many days events are kept: the range of dates that a query reads. */
  readonly eventRetentionDays: number;
  /** An emulator has no saved queries. */
  readonly emulator: boolean;
}

/**
 * The archive of events as a table for Athena, and saved queries. Its partitions are projected from the key layout, so that nothing has
 * to add them. The table holds no data: it goes with the stack, and the events stay in the bucket.
 */
export class EventTable extends Construct {
  /** Glue's database, whose one table is `events`. */
  readonly databaseName: string;

  constructor(scope: Construct, id: string, props: EventTableProps) {
    super(scope, id);
    const catalogId = Stack.of(this).account;
    // Athena's names have lower case letters, digits and underscores.
    const databaseName = Names.uniqueResourceName(this, { maxLength: 64, separator: "_" }).toLowerCase();
    this.databaseName = databaseName;
    const description = "Events of runner-metrics";
    const database = new CfnDatabase(this, "Database", {
      catalogId,
      databaseInput: { name: databaseName, description },
    });
    const table = new CfnTable(this, "Table", { catalogId, databaseName, tableInput: tableInput(props) });
    table.addResourceDependency(database);
    if (props.emulator) return;
    for (const [id, { name, ...query }] of Object.entries(SAVED_QUERIES)) {
      new CfnNamedQuery(this, id, {
        ...query,
        database: databaseName,
        name: `${databaseName}: ${name}`,
      }).addResourceDependency(table);
    }
  }
}

/** Name of the table in its database. */
const TABLE_NAME = "events";

function tableInput({ bucket, flavors, eventRetentionDays }: EventTableProps): CfnTable.TableInputProperty {
  const location = `s3://${bucket.bucketName}/${EVENTS_PREFIX}`;
  return {
    name: TABLE_NAME,
    description: "One row for each line of the archive. Count each detail.event_id once.",
    tableType: "EXTERNAL_TABLE",
    partitionKeys: [
      { name: "dt", type: "string", comment: "Day of publication in UTC, YYYY-MM-DD" },
      { name: "flavor", type: "string" },
    ],
    // https://docs.aws.amazon.com/athena/latest/ug/partition-projection-supported-types.html
    parameters: {
      "projection.enabled": "true",
      "projection.dt.type": "date",
      "projection.dt.format": "yyyy-MM-dd",
      "projection.dt.range": `NOW-${eventRetentionDays + 1}DAYS,NOW`,
      "projection.flavor.type": "enum",
      "projection.flavor.values": flavors.join(","),
      "storage.location.template": `${location}dt=\${dt}/flavor=\${flavor}/`,
    },
    storageDescriptor: {
      location,
      inputFormat: "org.apache.hadoop.mapred.TextInputFormat",
      outputFormat: "org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat",
      serdeInfo: {
        serializationLibrary: "org.openx.data.jsonserde.JsonSerDe",
        parameters: { "mapping.detail_type": "detail-type" },
      },
      columns: [
        { name: "source", type: "string" },
        { name: "detail_type", type: "string" },
        { name: "resources", type: "array<string>" },
        { name: "time", type: "string", comment: "When it was published, ISO 8601" },
        { name: "detail", type: detailType() },
      ],
    },
  };
}

interface JsonSchema {
  readonly type?: string;
  readonly items?: JsonSchema;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
}

/** Hive's type of `detail`: every field of every event. */
function detailType(): string {
  const schemas = Object.values(EVENT_SCHEMAS).map((schema) => z.toJSONSchema(schema, { io: "input" }) as JsonSchema);
  const fields = Object.assign({}, ...schemas.map(({ properties }) => properties)) as Record<string, JsonSchema>;
  return structOf(fields);
}

function structOf(fields: Readonly<Record<string, JsonSchema>>): string {
  return `struct<${Object.entries(fields)
    .map(([name, schema]) => `${name}:${hiveType(schema)}`)
    .join(",")}>`;
}

function hiveType({ type, items, properties }: JsonSchema): string {
  if (type === "number") return "double";
  if (type === "integer") return "bigint";
  if (type === "boolean") return "boolean";
  if (type === "array" && items) return `array<${hiveType(items)}>`;
  // A value of several types, such as the code of status_info, is its text.
  return type === "object" && properties ? structOf(properties) : "string";
}

/** Each event once: of several lines with one id the one with the most values counts, then the last. */
const EVENTS = `WITH ranked AS (
  SELECT *, row_number() OVER (PARTITION BY detail.event_id ORDER BY
    if(detail.idle IS NULL, 0, 1) + if(detail.queue_duration IS NULL, 0, 1) + if(detail.job_conclusion IS NULL, 0, 1)
      + if(detail.ended_at IS NULL, 0, 1) DESC,
    time DESC) AS rank
  FROM ${TABLE_NAME}
  WHERE dt >= date_format(current_date - INTERVAL '28' DAY, '%Y-%m-%d')
), once AS (SELECT * FROM ranked WHERE rank = 1)`;

/** Queries to start from, of the last 28 days. */
const SAVED_QUERIES: Readonly<Record<string, { name: string; description: string; queryString: string }>> = {
  QueueTime: {
    name: "p95 queue time by flavor and week",
    description: "How long jobs waited for a runner, in seconds. Needs GitHub",
    queryString: `${EVENTS}
SELECT flavor, date_trunc('week', from_unixtime(detail.timestamp)) AS week, count(*) AS jobs,
  approx_percentile(detail.queue_duration, 0.5) AS p50_seconds, approx_percentile(detail.queue_duration, 0.95) AS p95_seconds
FROM once
WHERE detail_type = 'RunnerStart' AND detail.queue_duration IS NOT NULL
GROUP BY 1, 2
ORDER BY 2, 1`,
  },
  IdleTime: {
    name: "idle hours by repository",
    description: "How long runners waited for the jobs of a repository, in hours",
    queryString: `${EVENTS}
SELECT detail.repo, count(*) AS jobs, sum(detail.idle) / 3600 AS idle_hours
FROM once
WHERE detail_type = 'RunnerStart' AND detail.idle IS NOT NULL
GROUP BY 1
ORDER BY 3 DESC`,
  },
  LostRunners: {
    name: "lost runners by cause, flavor and week",
    description:
      "Runners that started a job and never ended it, and the hours of these jobs until the end of the machine or, if that is unknown, the detection. One that ended its job after all does not count",
    queryString: `${EVENTS}
SELECT coalesce(detail.cause, 'unknown') AS cause, flavor, date_trunc('week', from_unixtime(detail.timestamp)) AS week, count(*) AS lost,
  sum(greatest(coalesce(detail.ended_at - detail.timestamp, 0) + detail.job_age, 0)) / 3600 AS job_hours
FROM once
WHERE detail_type = 'RunnerLost' AND NOT EXISTS (
  SELECT 1 FROM once AS stop WHERE stop.detail_type = 'RunnerStop'
    AND stop.detail.runner_name = once.detail.runner_name AND stop.detail.workflow_run_id = once.detail.workflow_run_id)
GROUP BY 1, 2, 3
ORDER BY 3, 2, 1`,
  },
};
