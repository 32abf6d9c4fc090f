/** The reference of the construct `RunnerMetrics`, from its doc comments, with an example for each method from examples/own-app.ts. */
import { readFileSync } from "node:fs";

const read = (path: string) => readFileSync(new URL(`../${path}`, import.meta.url), "utf8");

interface Method {
  readonly name: string;
  readonly signature: string;
  readonly text: string;
}

/** Lines of the page, without its title. */
export function apiReference(): string[] {
  const props = read("infra/props.ts");
  const interfaces = ["RunnerMetricsProps", "FlavorProps", "FlavorAlarmsProps", "GithubProps"];
  const methods = ["infra/runner-metrics.ts", "infra/runner-metrics-base.ts"].flatMap((path) => methodsOf(read(path)));
  const example = read("examples/own-app.ts");
  return [
    "`new RunnerMetrics(scope, id, props)` from `infra/runner-metrics.ts`. [own-app.ts](../../examples/own-app.ts) is a whole app, which a test",
    "synthesises; the examples below are from it.",
    ...interfaces.flatMap((name) => ["", `## ${name}`, "", ...propertyTable(props, name)]),
    "",
    "## Methods",
    ...methods.flatMap((method) => ["", ...methodSection(method, example)]),
  ];
}

function propertyTable(source: string, name: string): string[] {
  const [, body] = new RegExp(`export interface ${name} \\{\\n([\\s\\S]*?)\\n\\}`).exec(source) ?? [];
  if (body === undefined) throw new Error(`There is no interface ${name}`);
  const properties = [...body.matchAll(/\/\*\*([\s\S]*?)\*\/\n {2}readonly (\w+)(\??): ([^;]+);/g)];
  const rows = properties.map(([, comment = "", property, optional, type = ""]) => {
    const [text = "", byDefault = ""] = plain(comment).split("@default");
    const value = optional ? byDefault.trim().replace(/^- /, "") : "required";
    return `| \`${property}\` | \`${type.replace(" | undefined", "").replaceAll("|", "\\|")}\` | ${value} | ${text.trim()} |`;
  });
  return ["| property | type | default | meaning |", "|---|---|---|---|", ...rows];
}

/** Public methods that have a doc comment. */
function methodsOf(source: string): Method[] {
  const found = source.matchAll(
    / {2}\/\*\*((?:(?!\*\/)[\s\S])*)\*\/\n(?: {2}\/\/[^\n]*\n)?( {2}(?:static )?(\w+)\([\s\S]*?\)): [\w<>]+ \{\n/g,
  );
  return [...found].map(([, comment = "", signature = "", name = ""]) => ({
    name,
    signature: signature.trim().replace(/\s+/g, " ").replace("( ", "(").replace(", )", ")"),
    text: plain(comment),
  }));
}

function methodSection({ name, signature, text }: Method, example: string): string[] {
  const lines = example.split("\n");
  const begin = lines.findIndex((line) => line.includes(`.${name}(`));
  if (begin < 0) throw new Error(`examples/own-app.ts has no example of ${name}`);
  const open = (line: string) => (line.match(/[({[]/g)?.length ?? 0) - (line.match(/[)}\]]/g)?.length ?? 0);
  let end = begin;
  let depth = open(lines[end] ?? "");
  while (depth > 0) {
    end += 1;
    depth += open(lines[end] ?? "");
  }
  const indent = /^ */.exec(lines[begin] ?? "")?.[0].length ?? 0;
  const sample = lines.slice(begin, end + 1).map((line) => line.slice(indent));
  // The example may be the value of a field of something else.
  sample[0] = sample[0]?.replace(/^metric: /, "") ?? "";
  sample.push(sample.pop()?.replace(/,$/, "") ?? "");
  return [`### ${name}`, "", text, "", "```ts", signature, "// for example", ...sample, "```"];
}

function plain(comment: string): string {
  return comment
    .replace(/\n\s*\*/g, " ")
    .replace(/\s+/g, " ")
    .trim();
}
