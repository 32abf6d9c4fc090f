/**
 * `npm run docs`: writes what follows from the event schemas: `docs/events/*.schema.json`, `docs/events.md`, and the overview in
 * README.md. A test compares them with the schemas.
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import * as z from "zod";
import { type DetailType, EVENT_SCHEMAS } from "../contract/events.ts";

const ROOT = new URL("../", import.meta.url);
const BEGIN = "<!-- events: made by npm run docs -->";
const END = "<!-- /events -->";

/** Path from the project's root -> content of every generated file. */
export function generatedFiles(): Record<string, string> {
  const types = Object.keys(EVENT_SCHEMAS) as DetailType[];
  const schemas = types.map((type): [string, string] => [
    `docs/events/${type}.schema.json`,
    `${JSON.stringify(jsonSchema(type), null, 2)}\n`,
  ]);
  const readme = readFileSync(new URL("README.md", ROOT), "utf8");
  const [before, rest] = readme.split(BEGIN);
  const [, after] = rest?.split(END) ?? [];
  if (after === undefined) throw new Error(`README.md lacks ${BEGIN} … ${END}`);
  const overview = types.map(
    (type) => `| [\`${type}\`](docs/events.md#${type.toLowerCase()}) | ${jsonSchema(type).description} |`,
  );
  return {
    ...Object.fromEntries(schemas),
    "docs/events.md": eventReference(types),
    "README.md": [`${before}${BEGIN}`, "| detail-type | |", "|---|---|", ...overview, `${END}${after}`].join("\n"),
  };
}

interface JsonSchema {
  readonly description?: string;
  readonly type?: string;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly items?: JsonSchema;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
}

/** Of the detail; further fields are allowed, since new ones may come. */
function jsonSchema(type: DetailType): JsonSchema {
  return z.toJSONSchema(EVENT_SCHEMAS[type], { io: "input" }) as JsonSchema;
}

/** The fields that all events have alike stand once, before those of each. */
function eventReference(types: readonly DetailType[]): string {
  const [first = {}, ...others] = types.map((type) => jsonSchema(type).properties ?? {});
  const isCommon = (name: string) =>
    others.every((properties) => JSON.stringify(properties[name]) === JSON.stringify(first[name]));
  const common = Object.keys(first).filter(isCommon);
  const requiredOf = (type: DetailType) => jsonSchema(type).required ?? [];
  const sections = types.flatMap((type) => {
    const { description, properties = {} } = jsonSchema(type);
    const own = Object.entries(properties).filter(([name]) => !common.includes(name));
    return [`## ${type}`, "", `${description}.`, "", ...table(own, requiredOf(type)), ""];
  });
  const shared = Object.entries(first).filter(([name]) => common.includes(name));
  const [type = "RunnerInstalled"] = types;
  return [
    "# Events",
    "",
    "Made by `npm run docs` from `functions/metrics/events.ts`; JSON Schema is in [events/](events). `?` marks fields that may be absent;",
    "none is ever `null`. Fields may be added: `schema_version` says when one changes its meaning. These are the fields of `detail`; the",
    "[README](../README.md#events) shows a whole event, as EventBridge delivers it.",
    "",
    "## Fields of all events",
    "",
    ...table(shared, requiredOf(type)),
    "",
    ...sections,
  ].join("\n");
}

function table(fields: readonly [string, JsonSchema][], required: readonly string[]): string[] {
  const rows = fields.map(([name, field]) => {
    const presence = required.includes(name) ? "" : "?";
    return `| \`${name}\`${presence} | ${typeOf(field)} | ${field.description ?? ""} |`;
  });
  return ["| field | type | meaning |", "|---|---|---|", ...rows];
}

function typeOf(field: JsonSchema): string {
  if (field.const !== undefined) return `\`${JSON.stringify(field.const)}\``;
  if (field.enum) return field.enum.map((value) => `\`${value}\``).join(", ");
  if (field.items) return `list of ${typeOf(field.items)}`;
  if (field.properties) return `{ ${Object.entries(field.properties).map(([name, of]) => `${name}: ${typeOf(of)}`)} }`;
  return field.type ?? "";
}

if (import.meta.main) {
  mkdirSync(new URL("docs/events/", ROOT), { recursive: true });
  for (const [path, content] of Object.entries(generatedFiles())) writeFileSync(new URL(path, ROOT), content);
}
