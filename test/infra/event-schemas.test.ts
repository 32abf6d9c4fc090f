import { Ajv } from "ajv";
import { expect, test } from "vitest";
import { type DetailType, EVENT_SCHEMAS } from "../../contract/events.ts";
import { issueEvents, quarantineEvent } from "../../functions/domain/issue-events.ts";
import { runnerMetrics } from "../../functions/domain/runner-metrics.ts";
import { openApi } from "../../infra/constructs/event-schemas.ts";
import { FILES } from "../worlds/memory.ts";
import { resources, synthesize } from "./synthesize.ts";

const template = synthesize({ schemaRegistry: true });

test("the registry holds the schema of every event, under the name that EventBridge gives it", () => {
  const schemas = Object.values(resources(template, "AWS::EventSchemas::Schema")).map(({ Properties }) => Properties);
  expect(schemas.map(({ SchemaName }) => SchemaName)).toEqual(
    Object.keys(EVENT_SCHEMAS).map((detailType) => `runner-metrics@${detailType}`),
  );
  for (const { Content, Type, SchemaName } of schemas) {
    const detailType = String(SchemaName).split("@")[1] as DetailType;
    expect(Type).toBe("OpenApi3");
    expect(JSON.parse(String(Content))).toEqual(openApi(detailType));
  }
});

test("the registry is left out by default: some regions have none", () => {
  synthesize().resourceCountIs("AWS::EventSchemas::Schema", 0);
});

test.each(eventsOfOneRunner())(
  "the registry's schema of $detailType accepts what is issued, and not less",
  ({ detailType, detail }) => {
    const { components } = openApi(detailType) as { components: { schemas: Record<string, object> } };
    const validate = new Ajv({ strict: false }).compile(components.schemas[detailType] ?? {});
    expect(validate(detail), JSON.stringify(validate.errors)).toBe(true);
    const { event_id: _, ...less } = detail;
    expect(validate(less)).toBe(false);
    expect(validate({ ...detail, some_later_field: 1 })).toBe(true);
  },
);

function eventsOfOneRunner() {
  const files = Object.entries(FILES).map(([name, text]) => [name, { bytes: Buffer.from(text), lastModified: 1.8e12 }]);
  const metrics = runnerMetrics("r-1", Object.fromEntries(files));
  if (metrics.kind !== "metrics") throw new Error("These files are those of a runner that did a job");
  const quarantine = {
    reason: "invalid-json",
    storage: "r-2",
    id: "0",
    prefix: "quarantine/large/r-2/0/",
    objects: 1,
    bytes: 1,
  } as const;
  return [
    ...issueEvents(metrics, "large", { queue_duration: 1.5, conclusion: "success" }),
    quarantineEvent(quarantine, "large", 1.8e12),
  ];
}
