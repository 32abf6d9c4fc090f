/**
 * `npm run docs`: writes what follows from the event schemas: `docs/events/*.schema.json`, and the event reference in README.md.
 * A test compares them with the schemas.
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import * as z from "zod";
import { type DetailType, EVENT_SCHEMAS } from "../functions/metrics/events.ts";

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
  const reference = types.map(eventReference).join("\n");
  const [before, rest] = readme.split(BEGIN);
  const [, after] = rest?.split(END) ?? [];
  if (after === undefined) throw new Error(`README.md lacks ${BEGIN} … ${END}`);
  return { ...Object.fromEntries(schemas), "README.md": `${before}${BEGIN}\n${reference}\n${END}${after}` };
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

function eventReference(type: DetailType): string {
  const { description, properties = {}, required = [] } = jsonSchema(type);
  const rows = Object.entries(properties).map(([name, field]) => {
    const presence = required.includes(name) ? "" : "?";
    return `| \`${name}\`${presence} | ${typeOf(field)} | ${field.description ?? ""} |`;
  });
  return [`#### ${type}`, "", `${description}.`, "", "| field | type | meaning |", "|---|---|---|", ...rows, ""].join(
    "\n",
  );
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
