import { describe, expect, test } from "vitest";
import { EVENT_SCHEMAS } from "../../contract/events.ts";
import { QUERIES } from "../../infra/queries.ts";
import { only, resolve } from "./iam.ts";
import { resources, synthesize } from "./synthesize.ts";

const template = synthesize({ github: { owners: ["acme"] } });

interface Widget {
  readonly type: string;
  readonly width: number;
  readonly properties: { readonly markdown?: string; readonly title?: string; readonly query?: string };
}

function widgetsOf(of: ReturnType<typeof synthesize>): Widget[] {
  const [, { Properties }] = only(of, "AWS::CloudWatch::Dashboard");
  return JSON.parse(String(resolve(of, Properties.DashboardBody))).widgets;
}

test("the dashboard asks the questions of the report, in its order", () => {
  const questions = (of: ReturnType<typeof synthesize>) =>
    widgetsOf(of).flatMap(({ properties }) => properties.markdown?.split("\n")[0]?.replace("## ", "") ?? []);
  const expected = [
    "Can I trust these numbers?",
    "Do jobs start in time?",
    "What do they wait for?",
    "How long do they run, and how do they end?",
    "Do machines die?",
    "What is wasted, and what does it cost?",
    "How many runners do I need?",
    "Who uses them?",
  ];
  expect(questions(template)).toEqual(expected);
  expect(questions(synthesize())).toEqual(expected);
});

describe("saved queries", () => {
  const saved = Object.values(resources(template, "AWS::Logs::QueryDefinition")).map(({ Properties }) => Properties);

  test("are those of the tables, on the log of all events", () => {
    expect(saved.map(({ Name }) => resolve(template, Name))).toEqual(
      Object.values(QUERIES).map(({ title }) => `RunnerMetrics/${title}`),
    );
    const [logGroup] = only(template, "AWS::Logs::LogGroup", "EventLog");
    for (const { LogGroupNames } of saved) expect(resolve(template, LogGroupNames)).toEqual([logGroup]);
    const tables = widgetsOf(template).flatMap(({ type, properties }) =>
      type === "log" ? [properties.query?.replace(/^SOURCE '[^']*' \| /, "")] : [],
    );
    expect(tables.sort()).toEqual(saved.map(({ QueryString }) => String(QueryString)).sort());
  });

  test("name only fields and events that there are", () => {
    const names = new Set(Object.values(EVENT_SCHEMAS).flatMap(({ shape }) => Object.keys(shape)));
    const events = Object.values(EVENT_SCHEMAS).map(({ shape }) => shape.event.value);
    for (const { title, lines } of Object.values(QUERIES)) {
      const text = lines.join("\n");
      for (const [, field = ""] of text.matchAll(/detail\.(\w+)/g)) expect(names, title).toContain(field);
      for (const [, event = ""] of text.matchAll(/"((?:runner|metrics)_\w+)"/g)) expect(events, title).toContain(event);
    }
  });

  test("are left out on an emulator", () => {
    synthesize({ emulator: true }).resourceCountIs("AWS::Logs::QueryDefinition", 0);
  });
});
