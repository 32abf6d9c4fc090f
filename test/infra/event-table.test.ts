import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DuckDBInstance } from "@duckdb/node-api";
import { afterAll, describe, expect, test } from "vitest";
import { archiveKey } from "../../contract/object-keys.ts";
import { type ArchivedEvent, createWorld, FILES } from "../worlds/memory.ts";
import { only, resolve, statementsOf, statementsOfRole } from "./iam.ts";
import { resources, synthesize } from "./synthesize.ts";

interface TableInput {
  readonly Name: string;
  readonly Parameters: Readonly<Record<string, string>>;
  readonly PartitionKeys: readonly { readonly Name: string }[];
  readonly StorageDescriptor: {
    readonly Location: unknown;
    readonly Columns: readonly { readonly Name: string; readonly Type: string }[];
    readonly SerdeInfo: { readonly Parameters: Readonly<Record<string, string>> };
  };
}

const template = synthesize({ eventRetentionDays: 30 });
const [, { Properties }] = only(template, "AWS::Glue::Table");
const table = Properties.TableInput as TableInput;
const queries = Object.values(resources(template, "AWS::Athena::NamedQuery")).map(
  ({ Properties: query }) => query as { Name: string; QueryString: string },
);

const { "post-job-metrics.json": POST, ...UNFINISHED } = FILES;
const DAY_SECONDS = 86_400;

/** The archive of a fleet with a finished runner, one that was lost, one that ended after it was taken for lost, and a corrupt one. */
async function archiveOfFleet(): Promise<ArchivedEvent[]> {
  const world = createWorld(Date.now());
  const now = Math.floor(Date.now() / 1000);
  const since = (text: string) =>
    text.replaceAll(/17000\d{5}/g, (time) => String(now - 1_000_000_000 + Number(time) - 700_000_000 - 7_200));
  const files = (of: Readonly<Record<string, string>>) =>
    Object.fromEntries(Object.entries(of).map(([name, text]) => [name, since(text)]));
  world.upload("done", files(FILES));
  world.upload("lost", files(UNFINISHED));
  world.upload("late", files(UNFINISHED));
  world.upload("corrupt", files({ ...FILES, "pre-job-metrics.json": "{" }));
  world.clock.time += 2 * DAY_SECONDS * 1000;
  await world.run();
  world.upload("late", files(FILES));
  await world.run();
  return world.archived();
}

describe("the table of the archive", () => {
  test("finds the objects where a run puts them, and projects every partition that can hold some", () => {
    const location = resolve(template, table.StorageDescriptor.Location);
    const { "storage.location.template": locations = "", ...projection } = table.Parameters;
    const directory = String(resolve(template, locations))
      // biome-ignore lint/suspicious/noTemplateCurlyInString: Athena's placeholders
      .replace("${dt}", "2023-11-16")
      // biome-ignore lint/suspicious/noTemplateCurlyInString: Athena's placeholders
      .replace("${flavor}", "large");
    const bucket = String(location).replace(/events\/$/, "");
    expect(`${bucket}${archiveKey(1_700_100_000_000, "large", "0b9d", 0)}`).toBe(`${directory}0b9d-0.ndjson.gz`);
    expect(table.PartitionKeys.map(({ Name }) => Name)).toEqual(["dt", "flavor"]);
    expect(projection).toEqual({
      "projection.enabled": "true",
      "projection.dt.type": "date",
      "projection.dt.format": "yyyy-MM-dd",
      "projection.dt.range": "NOW-31DAYS,NOW",
      "projection.flavor.type": "enum",
      "projection.flavor.values": "large,arm-small",
    });
  });

  test("has a column for every field of every archived event", async () => {
    const mapping = table.StorageDescriptor.SerdeInfo.Parameters;
    const columns = table.StorageDescriptor.Columns.map(({ Name }) => mapping[`mapping.${Name}`] ?? Name);
    const detail = table.StorageDescriptor.Columns.find(({ Name }) => Name === "detail")?.Type ?? "";
    const events = await archiveOfFleet();
    expect(new Set(events.map((event) => event["detail-type"])).size).toBe(5);
    for (const event of events) {
      expect(columns).toEqual(expect.arrayContaining(Object.keys(event)));
      for (const [field, value] of Object.entries(event.detail)) {
        const type = { string: "string", number: "double|bigint", object: "array<|struct<" }[typeof value as string];
        expect(detail, field).toMatch(new RegExp(`[<,]${field}:(${type})`));
      }
    }
  });
});

describe("the saved queries", () => {
  const folder = mkdtempSync(join(tmpdir(), "event-table-"));
  afterAll(() => rmSync(folder, { recursive: true }));

  /** Runs a query on the archive in DuckDB, which has Athena's functions under other names. */
  async function answer(name: string): Promise<unknown[]> {
    const query = queries.find((one) => one.Name.includes(name));
    const events = await archiveOfFleet();
    const lines = events.map(({ "detail-type": detail_type, ...event }) => {
      const dt = event.time.slice(0, 10);
      return JSON.stringify({ ...event, detail_type, dt, flavor: event.detail.flavor });
    });
    writeFileSync(join(folder, "events.json"), lines.join("\n"));
    const connection = await (await DuckDBInstance.create(":memory:")).connect();
    await connection.run(
      `CREATE TABLE events AS SELECT * REPLACE (CAST(dt AS VARCHAR) AS dt) FROM read_json('${folder}/events.json')`,
    );
    for (const field of ["idle", "queue_duration", "job_conclusion", "ended_at"])
      await connection.run(`CREATE OR REPLACE TABLE events AS SELECT * REPLACE (
        ${JSON.stringify(lines).includes(`\\"${field}\\":`) ? "detail" : `struct_insert(detail, ${field} := ${field === "job_conclusion" ? "NULL::VARCHAR" : "NULL::DOUBLE"})`} AS detail) FROM events`);
    await connection.run("CREATE MACRO from_unixtime(seconds) AS to_timestamp(seconds)");
    await connection.run("CREATE MACRO date_format(day, format) AS strftime(day, format)");
    await connection.run("CREATE MACRO approx_percentile(value, share) AS quantile_cont(value, share)");
    const result = await connection.runAndReadAll(query?.QueryString ?? "");
    return result.getRowObjectsJson();
  }

  test("idle time counts each job once, by repository", async () => {
    expect(await answer("idle hours")).toEqual([{ repo: "acme/widgets", jobs: "3", idle_hours: 3 / 60 }]);
  });

  test("lost runners are those that did not end after all", async () => {
    const [row, ...others] = await answer("lost runners");
    expect(row).toMatchObject({ flavor: "large", lost: "1" });
    expect(others).toEqual([]);
  });

  test("queue time is of jobs that GitHub knows", async () => {
    expect(await answer("queue time")).toEqual([]);
  });
});

describe("the privileges on the archive", () => {
  const role = statementsOfRole(template, only(template, "AWS::IAM::Role", "ExtractMetricsRole")[0]);
  const policy = only(template, "AWS::S3::BucketPolicy", "BucketPolicy")[1].Properties.PolicyDocument;

  test("the collector writes each object once, and reads and deletes none", () => {
    const statements = role.filter(({ Resource }) => Resource.some((resource) => resource.includes("/events/")));
    expect(statements).toMatchObject([
      { Action: ["s3:PutObject"], Condition: { Null: { "s3:if-none-match": ["false"] } } },
    ]);
  });

  test("the bucket denies writing to everybody else", () => {
    const statement = statementsOf(template, policy).find(({ Sid }) => Sid === "DenyOthersToWriteEvents");
    expect(statement).toMatchObject({ Effect: "Deny", Action: ["s3:PutObject"] });
    expect(Object.keys(statement?.Condition ?? {})).toEqual(["ArnNotEquals"]);
  });
});
